//! What processes tell.

use hongbao_tests::chaos::{Line, Told};

fn opened(amount: u64) -> Line {
    Line::Opened { packet: "p".into(), user: "bob".into(), amount, sequence: 1, began_ms: 5 }
}

fn already(amount: u64) -> Line {
    Line::Already { packet: "p".into(), user: "bob".into(), amount, sequence: 1 }
}

#[test]
fn a_line_is_read_as_it_was_written() {
    let lines = [
        Line::Ready,
        Line::Resting,
        Line::Sent { number: 7, packet: "p".into() },
        opened(3),
        already(3),
        Line::Held { packet: "p".into(), user: "bob".into(), amount: 3 },
        Line::Nothing { packet: "p".into(), user: "bob".into() },
        Line::Taken { number: 3, withdrawal: "w".into() },
        Line::Ended { withdrawal: "w".into(), state: "completed".into() },
        Line::Again("busy".into()),
        Line::Odd("two words".into()),
        Line::Settled(9),
    ];
    for line in lines {
        assert_eq!(Line::parse(&line.to_string()), Some(line));
    }
    for cut in ["", "opened p bob 3 1", "opened p bob x 1 5", "sent", "what p"] {
        assert_eq!(Line::parse(cut), None, "{cut:?}");
    }
}

fn odd(lines: &[Line]) -> usize {
    let mut told = Told::default();
    lines.iter().for_each(|line| told.hear(line));
    told.odd.len()
}

#[test]
fn an_answer_that_contradicts_an_earlier_one_is_found() {
    assert_eq!(odd(&[opened(3), already(3), already(3)]), 0);
    assert_eq!(odd(&[opened(3), already(4)]), 1);
    assert_eq!(odd(&[opened(3), opened(3)]), 1, "one share is opened once, by whichever host");
    let sent = |number, packet: &str| Line::Sent { number, packet: packet.into() };
    assert_eq!(odd(&[sent(1, "p"), sent(1, "p"), sent(2, "q")]), 0);
    assert_eq!(odd(&[sent(1, "p"), sent(1, "q")]), 1);
    let taken = |number, id: &str| Line::Taken { number, withdrawal: id.into() };
    assert_eq!(odd(&[taken(1, "w"), taken(1, "w"), taken(2, "x")]), 0);
    assert_eq!(odd(&[taken(1, "w"), taken(1, "x")]), 1);
    let ended = |state: &str| Line::Ended { withdrawal: "w".into(), state: state.into() };
    assert_eq!(odd(&[ended("completed"), ended("completed")]), 0);
    assert_eq!(odd(&[ended("completed"), ended("cancelled")]), 1);
}
