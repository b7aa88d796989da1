//! The checker finds what it is there for: sound books, each time with one thing wrong.

use hongbao_tests::chaos::{Books, Claim, Harm, Line, Movement, Packet, Told, Withdrawal, compare};

fn claim(user: &str, amount: i64, sequence: i64) -> Claim {
    Claim { packet: "p".into(), user: user.into(), amount, sequence }
}

fn movement(kind: &str, packet: &str, user: &str, amount: i64) -> Movement {
    Movement { kind: kind.into(), packet: packet.into(), user: user.into(), amount }
}

/// Alice has sent 100 in 3 shares; bob and carol have theirs, and the rest went back to her. Of what she took out,
/// 7 are outside, 8 are back and 9 are held.
fn sound() -> (Told, Books) {
    let packet = Packet {
        key: "k".into(),
        sender: "alice".into(),
        total: 100,
        shares: 3,
        status: "expired".into(),
        refunded: 50,
        claimed_amount: 50,
        claimed_shares: 2,
    };
    let movements = vec![
        movement("fund", "", "alice", 1_000),
        movement("send", "p", "alice", 100),
        movement("settle", "p", "bob", 20),
        movement("settle", "p", "carol", 30),
        movement("refund", "p", "alice", 50),
        movement("withdraw", "x", "alice", 7),
        movement("complete", "x", "alice", 7),
        movement("withdraw", "y", "alice", 8),
        movement("cancel", "y", "alice", 8),
        movement("withdraw", "z", "alice", 9),
    ];
    let withdrawals = [("x", 7, "completed"), ("y", 8, "cancelled"), ("z", 9, "held")];
    let withdrawals = withdrawals.map(|(id, amount, state)| {
        let (user, key, state) = ("alice".into(), format!("key {id}"), state.into());
        (id.to_owned(), Withdrawal { user, key, amount, state })
    });
    let wallets = [("alice", 934), ("bob", 20), ("carol", 30)];
    let books = Books {
        packets: [("p".into(), packet)].into(),
        claims: vec![claim("bob", 20, 1), claim("carol", 30, 2)],
        movements,
        withdrawals: withdrawals.into(),
        wallets: wallets.map(|(user, balance)| (user.into(), balance)).into(),
        escrows: [("p".into(), 0)].into(),
        outbox: 0,
    };
    let mut told = Told::default();
    for line in
        ["sent 1 p", "opened p bob 20 1 0", "already p carol 30 2", "held p carol 30", "nothing p dave"]
    {
        told.hear(&Line::parse(line).unwrap());
    }
    (told, books)
}

/// What is found when this is told besides.
fn told_besides(line: &str) -> Vec<Harm> {
    let (mut told, books) = sound();
    told.hear(&Line::parse(line).unwrap());
    compare(&told, &books).into_iter().map(|wrong| wrong.harm).collect()
}

/// What is found in books that were changed.
fn changed(change: impl FnOnce(&mut Books)) -> Vec<Harm> {
    let (told, mut books) = sound();
    change(&mut books);
    let mut harms: Vec<_> = compare(&told, &books).into_iter().map(|wrong| wrong.harm).collect();
    harms.sort();
    harms.dedup();
    harms
}

#[test]
fn in_sound_books_nothing_is_found() {
    let (told, books) = sound();
    assert_eq!(compare(&told, &books), []);
}

#[test]
fn an_acknowledgement_without_a_claim_is_lost() {
    assert_eq!(told_besides("opened p mallory 5 3 0"), [Harm::Lost]);
    assert_eq!(told_besides("opened q bob 20 1 0"), [Harm::Lost]);
    assert_eq!(told_besides("held p mallory 5"), [Harm::Lost]);
    assert_eq!(told_besides("sent 2 q"), [Harm::Lost]);
    assert_eq!(told_besides("taken 2 w"), [Harm::Lost]);
    assert_eq!(told_besides("ended z completed"), [Harm::Lost]);
    assert_eq!(told_besides("ended x cancelled"), [Harm::Lost]);
    assert_eq!(told_besides("ended x completed"), []);
    assert_eq!(told_besides("taken 1 z"), []);
}

#[test]
fn an_acknowledgement_with_another_amount_or_place_is_lost() {
    for bob in [claim("bob", 20, 3), claim("bob", 21, 1)] {
        assert!(changed(|books| books.claims[0] = bob.clone()).contains(&Harm::Lost), "{bob:?}");
    }
}

#[test]
fn a_share_that_was_told_twice_is_found() {
    assert_eq!(told_besides("opened p bob 20 1 0"), [Harm::Other]);
    assert_eq!(told_besides("already p bob 21 1"), [Harm::Other]);
    assert_eq!(told_besides("nothing p bob"), [Harm::Other]);
}

#[test]
fn more_claims_than_shares_or_more_money_than_there_was_is_over_issued() {
    let many = changed(|books| books.packets.get_mut("p").unwrap().shares = 1);
    assert_eq!(many, [Harm::OverIssued]);
    let much = changed(|books| books.claims.push(claim("dave", 51, 3)));
    assert!(much.contains(&Harm::OverIssued), "{much:?}");
    let twice = changed(|books| books.claims.push(claim("bob", 1, 3)));
    assert!(twice.contains(&Harm::OverIssued), "{twice:?}");
    let unclaimed = changed(|books| books.movements.push(movement("settle", "p", "dave", 1)));
    assert!(unclaimed.contains(&Harm::OverIssued), "{unclaimed:?}");
}

#[test]
fn settlement_and_refunds_happen_once() {
    for again in 2..5 {
        let twice = changed(|books| books.movements.push(books.movements[again].clone()));
        assert_eq!(twice, [Harm::Other]);
        let never = changed(|books| _ = books.movements.remove(again));
        assert_eq!(never, [Harm::Other]);
    }
    assert_eq!(changed(|books| books.outbox = 1), [Harm::Other]);
    assert_eq!(changed(|books| books.packets.get_mut("p").unwrap().status = "open".into()), [Harm::Other]);
}

#[test]
fn a_packet_is_paid_for_once() {
    assert_eq!(changed(|books| books.movements.push(books.movements[1].clone())), [Harm::Other]);
    assert_eq!(changed(|books| _ = books.movements.remove(1)), [Harm::Other]);
    let twin = changed(|books| {
        let twin = Packet { total: 0, refunded: 0, ..books.packets["p"].clone() };
        books.packets.insert("q".into(), Packet { status: "open".into(), ..twin });
        books.movements.push(movement("send", "q", "alice", 0));
    });
    assert_eq!(twin, [Harm::Other]);
}

#[test]
fn a_withdrawal_is_taken_out_once_and_ends_as_it_stands() {
    for again in 5..10 {
        let twice = changed(|books| books.movements.push(books.movements[again].clone()));
        assert_eq!(twice, [Harm::Other], "{again}");
        let never = changed(|books| _ = books.movements.remove(again));
        assert_eq!(never, [Harm::Other], "{again}");
    }
    for state in ["held", "completed", "cancelled"] {
        for id in ["x", "y", "z"] {
            let (_, books) = sound();
            if books.withdrawals[id].state != state {
                let moved = changed(|books| books.withdrawals.get_mut(id).unwrap().state = state.into());
                assert_eq!(moved, [Harm::Other], "{id} is {state}");
            }
        }
    }
    assert_eq!(changed(|books| _ = books.withdrawals.remove("z")), [Harm::Other]);
}

#[test]
fn a_cent_too_much_or_too_little_is_found() {
    for by in [-1, 1] {
        assert_eq!(changed(|books| *books.wallets.get_mut("bob").unwrap() += by), [Harm::Other]);
        assert_eq!(changed(|books| *books.escrows.get_mut("p").unwrap() += by), [Harm::Other]);
    }
    assert_eq!(changed(|books| _ = books.wallets.insert("mallory".into(), 1)), [Harm::Other]);
}
