//! `Line`: events that were read and wait for delivery, in the order of the log; and how far all of them are resolved.

use std::collections::VecDeque;

use hongbao_domain::{MoneyEvent, MoneyEventId};

/// Events of one question to the ledger.
pub(super) const PAGE: u32 = 256;

/// How an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Waiting,
    UnderWay,
    Resolved,
}

/// An event in a line.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) event: MoneyEvent,
    /// The event before it, after which it is read again.
    pub(super) after: Option<MoneyEventId>,
    step: Step,
}

/// The line itself.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The last event that was read.
    read: Option<MoneyEventId>,
    items: VecDeque<Item>,
}

impl Line {
    /// One that goes on after this event.
    pub(super) const fn after(read: Option<MoneyEventId>) -> Self {
        Self { read, items: VecDeque::new() }
    }

    /// After which event it reads on.
    pub(super) const fn read(&self) -> Option<MoneyEventId> {
        self.read
    }

    /// Puts what was read at its end.
    pub(super) fn extend(&mut self, events: Vec<MoneyEvent>) {
        for event in events {
            let after = self.read.replace(event.id);
            self.items.push_back(Item { event, after, step: Step::Waiting });
        }
    }

    /// Whether more should be read.
    pub(super) fn is_short(&self, under_way: usize) -> bool {
        self.items.len() <= under_way
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The oldest that is not resolved.
    pub(super) fn oldest(&self) -> Option<&Item> {
        self.items.front()
    }

    /// The next that waits, which is under way from now on. Those that nobody wants are resolved on the way.
    pub(super) fn start(&mut self, is_wanted: impl Fn(&MoneyEvent) -> bool) -> Option<&Item> {
        let waiting = self.items.iter_mut().filter(|item| item.step == Step::Waiting);
        for item in waiting {
            if is_wanted(&item.event) {
                item.step = Step::UnderWay;
                return Some(item);
            }
            item.step = Step::Resolved;
        }
        None
    }

    /// An event was delivered, or became a failure; gives it.
    pub(super) fn resolve(&mut self, id: MoneyEventId) -> Option<&Item> {
        let item = self.items.iter_mut().find(|item| item.event.id == id)?;
        item.step = Step::Resolved;
        Some(item)
    }

    /// An event is to be delivered after all.
    pub(super) fn put_back(&mut self, id: MoneyEventId) {
        let item = self.items.iter_mut().find(|item| item.event.id == id);
        item.into_iter().for_each(|item| item.step = Step::Waiting);
    }

    /// Takes away those at its beginning that are resolved; gives the last of them.
    pub(super) fn advance(&mut self) -> Option<Item> {
        let mut last = None;
        while self.items.front().is_some_and(|item| item.step == Step::Resolved) {
            last = self.items.pop_front();
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hongbao_domain::{Amount, Moved, MovementKind, UserId};

    fn event(place: u64) -> MoneyEvent {
        MoneyEvent::moved(Moved {
            place,
            id: place,
            at_ms: place,
            kind: MovementKind::Fund,
            packet: None,
            withdrawal: None,
            user: UserId::new("alice").unwrap(),
            amount: Amount::new(1).unwrap(),
            terms: None,
        })
        .unwrap()
    }

    fn started(line: &mut Line) -> Option<u64> {
        line.start(|_| true).map(|item| item.event.at_ms)
    }

    #[test]
    fn a_line_is_resolved_up_to_the_first_that_is_not() {
        let mut line = Line::after(None);
        line.extend((1..=4).map(event).collect());
        assert_eq!(line.read(), Some(event(4).id));
        assert_eq!([started(&mut line), started(&mut line), started(&mut line)], [Some(1), Some(2), Some(3)]);
        assert_eq!(line.resolve(event(2).id).and_then(|item| item.after), Some(event(1).id));
        assert!(line.advance().is_none(), "the first is under way");
        line.resolve(event(1).id);
        assert_eq!(line.advance().map(|item| item.event.at_ms), Some(2));
        assert_eq!(line.oldest().map(|item| item.event.at_ms), Some(3));
        line.put_back(event(3).id);
        assert_eq!([started(&mut line), started(&mut line), started(&mut line)], [Some(3), Some(4), None]);
        assert!(line.resolve(event(9).id).is_none());
    }

    #[test]
    fn what_nobody_wants_is_resolved_on_the_way() {
        let mut line = Line::after(Some(event(1).id));
        line.extend((2..=5).map(event).collect());
        assert_eq!(line.start(|event| event.at_ms == 4).map(|item| item.event.at_ms), Some(4));
        assert_eq!(line.advance().map(|item| item.event.at_ms), Some(3));
        assert!(line.start(|_| false).is_none());
        line.resolve(event(4).id);
        assert_eq!(line.advance().map(|item| item.event.at_ms), Some(5));
        assert!(line.is_empty() && line.is_short(0));
    }
}
