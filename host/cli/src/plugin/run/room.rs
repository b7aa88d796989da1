//! The simulated chat: one room, in memory, with a clock that only moves on command.

use std::sync::Arc;

use super::line::{Deed, Person};
use crate::open::Session;
use crate::time;
use crate::view::RefundView;
use hongbao_domain::{Amount, Card, Message, PacketId, Presser, Problem, Reply, UserId};
use hongbao_runtime::CallError;
use hongbao_runtime::imports::{Clock as _, ManualClock};

pub(super) struct Room {
    pub(super) session: Session,
    clock: Arc<ManualClock>,
    /// What everybody's wallet begins with.
    fund: Amount,
    /// In the order in which they came.
    users: Vec<UserId>,
    cards: Vec<Shown>,
    last: Option<Act>,
}

/// A card that was shown, as far as it can be pressed.
struct Shown {
    packet: Option<PacketId>,
    actions: Vec<String>,
    only: Option<UserId>,
}

/// What reaches the plugin. Done again, it is the same to the last letter.
#[derive(Clone)]
enum Act {
    Command(Message),
    Press(PacketId, String, Presser),
}

/// What came of a line. `only` is whom it is shown to; None for everybody.
pub(super) enum Outcome {
    Card {
        number: usize,
        only: Option<UserId>,
        card: Card,
    },
    Notice {
        only: UserId,
        text: String,
    },
    Problem {
        only: UserId,
        problem: Problem,
    },
    /// The plugin has nothing to say.
    Silence,
    /// The plugin does not know the command. The one of its own that is closest.
    Unknown {
        did_you_mean: Option<String>,
    },
    Advanced {
        now_ms: u64,
        refunded: Vec<RefundView>,
    },
    CacheLost,
    /// A call without an answer.
    Failed(CallError),
    /// The line cannot be followed.
    Malformed(String),
}

impl Room {
    pub(super) fn new(session: Session, clock: Arc<ManualClock>, fund: Amount) -> Self {
        Self { session, clock, fund, users: Vec::new(), cards: Vec::new(), last: None }
    }

    /// Follows a line. Errors are those of the stores, which are in memory and have none.
    pub(super) async fn follow(&mut self, number: u64, deed: Deed) -> anyhow::Result<Vec<Outcome>> {
        let act = match deed {
            Deed::Advance { ms } => return self.advance(ms).await,
            Deed::LoseCache => {
                self.session.host.lose_cache().await?;
                return Ok(vec![Outcome::CacheLost]);
            }
            Deed::Again => self.last.clone().ok_or_else(|| "nothing was said or pressed before".to_owned()),
            Deed::Say { by: Person { user: sender, language }, text, mentions } => {
                for user in mentions.iter().map(|mention| &mention.user).chain([&sender]) {
                    self.welcome(user).await?;
                }
                let (id, room) = (format!("line-{number}"), "room".to_owned());
                Ok(Act::Command(Message { id, room, sender, text, mentions, language }))
            }
            Deed::Press { by: Person { user, language }, action, card } => {
                self.welcome(&user).await?;
                let packet = self.packet(&user, &action, card);
                packet.map(|packet| Act::Press(packet, action, Presser { user, language }))
            }
        };
        match act {
            Ok(act) => self.act(act).await,
            Err(why) => Ok(vec![Outcome::Malformed(why)]),
        }
    }

    /// Gives a newcomer play money.
    async fn welcome(&mut self, user: &UserId) -> anyhow::Result<()> {
        if self.users.contains(user) {
            return Ok(());
        }
        self.users.push(user.clone());
        if !self.fund.is_zero() {
            self.session.tenant.fund(user, self.fund).await?;
        }
        Ok(())
    }

    /// The packet of the card that is pressed.
    fn packet(&self, user: &UserId, action: &str, card: Option<usize>) -> Result<PacketId, String> {
        let Some(number) = card else {
            let sees = |card: &&Shown| card.only.as_ref().is_none_or(|only| only == user);
            let found =
                self.cards.iter().rev().filter(sees).find(|card| card.actions.iter().any(|it| it == action));
            return found.and_then(|card| card.packet).ok_or_else(|| {
                format!(
                    "no card that {user} sees has a button {action:?}; to press it all the same, name a card"
                )
            });
        };
        let found = number.checked_sub(1).and_then(|at| self.cards.get(at));
        let found = found.ok_or_else(|| format!("there is no card {number}"))?;
        found.packet.ok_or_else(|| format!("card {number} is about no packet"))
    }

    async fn act(&mut self, act: Act) -> anyhow::Result<Vec<Outcome>> {
        self.last = Some(act.clone());
        let tenant = &self.session.tenant;
        let (user, said, if_silent) = match act {
            Act::Command(message) => {
                let unknown = Outcome::Unknown { did_you_mean: tenant.closest_command(&message.text) };
                (message.sender.clone(), tenant.command(message).await, unknown)
            }
            Act::Press(packet, action, by) => {
                (by.user.clone(), tenant.action(packet, action, by).await, Outcome::Silence)
            }
        };
        self.settle().await?;
        Ok(match said {
            Ok(replies) if replies.is_empty() => vec![if_silent],
            Ok(replies) => replies.into_iter().map(|reply| self.show(&user, reply)).collect(),
            Err(error) => vec![Outcome::Failed(error)],
        })
    }

    fn show(&mut self, user: &UserId, reply: Reply) -> Outcome {
        match reply {
            Reply::Notice(text) => Outcome::Notice { only: user.clone(), text },
            Reply::Problem(problem) => Outcome::Problem { only: user.clone(), problem },
            Reply::Card(card) => {
                let only = card.private.then(|| user.clone());
                let actions = card.buttons.iter().map(|button| button.action.clone()).collect();
                self.cards.push(Shown { packet: card.packet, actions, only: only.clone() });
                Outcome::Card { number: self.cards.len(), only, card }
            }
        }
    }

    async fn advance(&mut self, ms: u64) -> anyhow::Result<Vec<Outcome>> {
        if let Err(why) = time::advance(&self.clock, ms) {
            return Ok(vec![Outcome::Malformed(why.to_owned())]);
        }
        let host = &self.session.host;
        host.end_leases().await?;
        let refunds = match self.session.tenant.expire_due().await {
            Ok(refunds) => refunds,
            Err(error) => return Ok(vec![Outcome::Failed(error)]),
        };
        let refunded = refunds.refunded.into_iter().map(RefundView::from).collect();
        let advanced = Outcome::Advanced { now_ms: self.clock.now_ms(), refunded };
        let failed = refunds.failed.into_iter().map(|(_, error)| Outcome::Failed(error));
        Ok([advanced].into_iter().chain(failed).collect())
    }

    /// Claims reach wallets at once, so that what was won can be sent on.
    async fn settle(&self) -> anyhow::Result<()> {
        while !self.session.host.settle(256).await?.is_empty() {}
        Ok(())
    }

    /// Everybody's wallet, in the order in which they came.
    pub(super) async fn wallets(&self) -> anyhow::Result<Vec<(UserId, Amount)>> {
        let mut wallets = Vec::with_capacity(self.users.len());
        for user in &self.users {
            wallets.push((user.clone(), self.session.tenant.balance(user).await?));
        }
        Ok(wallets)
    }
}
