//! The execution of events.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::answer::{Answer, Body, CreditView, ErrorView, UnrefundedView};
use super::event::{Event, Kind, Named, Send, User};
use crate::lock::DirectoryLock;
use crate::open::Session;
use crate::time;
use crate::view::RefundView;
use hongbao_domain::{
    Amount, Currency, Grabbed, Opened, PacketId, PacketKey, Request, SendError, Sent, Strategy, UserId,
    WithdrawalId,
};
use hongbao_runtime::imports::{Clock, ManualClock};
use hongbao_runtime::{CallError, Host, Tenant};
use hongbao_store::{End, StoreError};

/// A host with a clock of its own, and the names that a log gives to packets.
pub(super) struct Player {
    host: Host,
    pub(super) tenant: Tenant,
    clock: Arc<ManualClock>,
    refs: Mutex<HashMap<String, PacketId>>,
    pub(super) withdrawals: Mutex<HashMap<String, WithdrawalId>>,
    /// Of the data directory, for as long as the play goes on.
    _lock: Option<DirectoryLock>,
}

impl Player {
    pub(super) fn new(Session { host, tenant, lock }: Session, clock: Arc<ManualClock>) -> Self {
        Self { host, tenant, clock, refs: Mutex::default(), withdrawals: Mutex::default(), _lock: lock }
    }

    pub(super) async fn is_conserved(&self) -> Result<bool, StoreError> {
        Ok(self.tenant.audit().await?.is_conserved())
    }

    /// Runs an event and answers it.
    pub(super) async fn run(self: &Arc<Self>, event: Event) -> Answer {
        match event {
            Event::Together { events } => {
                let results = self.together(events).await;
                let body = Body::Together { outcome: "ok", results };
                Answer { op: Some("together".into()), reference: None, user: None, body }
            }
            event => self.run_one(event).await,
        }
    }

    /// Each event is a task of its own, as if each came from another phone.
    async fn together(self: &Arc<Self>, events: Vec<Event>) -> Vec<Answer> {
        let start = |event: Event| {
            let (player, op) = (Arc::clone(self), event.op());
            (op, tokio::spawn(async move { player.run_one(event).await }))
        };
        let tasks: Vec<_> = events.into_iter().map(start).collect();
        let mut answers = Vec::with_capacity(tasks.len());
        for (op, task) in tasks {
            answers.push(task.await.unwrap_or_else(|error| Answer {
                op: Some(op.into()),
                reference: None,
                user: None,
                body: Body::failed("internal", error.to_string()),
            }));
        }
        answers
    }

    async fn run_one(&self, event: Event) -> Answer {
        let op = Some(event.op().to_owned());
        let reference = event.reference().map(str::to_owned);
        let user = event.user().map(|user| user.as_str().to_owned());
        Answer { op, reference, user, body: self.body(event).await }
    }

    async fn body(&self, event: Event) -> Body {
        match event {
            Event::Fund { user, amount } => self.fund(&user.0, amount).await,
            Event::Send(send) => self.send(*send).await,
            Event::Grab { r#ref, user } => self.grab(&r#ref, user.0).await,
            Event::Open { r#ref, user } => self.open(&r#ref, user.0).await,
            Event::Details { r#ref } => self.details(&r#ref).await,
            Event::Together { .. } => {
                Body::failed("invalid-argument", "together cannot stand within together")
            }
            Event::Advance { ms } => self.advance(ms).await,
            Event::Settle {} => self.settle().await,
            Event::Balance { user } => store(self.tenant.balance(&user.0).await, balance),
            Event::Withdraw(withdraw) => self.withdraw(withdraw).await,
            Event::Complete { r#ref, user } => self.end(&r#ref, &user.0, End::Complete).await,
            Event::Cancel { r#ref, user } => self.end(&r#ref, &user.0, End::Cancel).await,
            Event::LoseCache {} => store(self.host.lose_cache().await, |()| Body::Plain { outcome: "ok" }),
            Event::Reconcile {} => call(self.tenant.reconcile(true).await, |report| Body::Reconciled {
                outcome: "ok",
                report: report.into(),
            }),
            Event::Audit {} => store(self.tenant.audit().await, |audit| Body::Audited {
                outcome: "ok",
                audit: Box::new(audit.into()),
            }),
        }
    }

    async fn fund(&self, user: &UserId, minor: u64) -> Body {
        match Amount::new(minor) {
            Ok(amount) => store(self.tenant.fund(user, amount).await, balance),
            Err(error) => Body::failed("invalid-argument", error.to_string()),
        }
    }

    async fn send(&self, send: Send) -> Body {
        let strategy = match strategy(&send) {
            Ok(strategy) => strategy,
            Err(why) => return Body::failed("invalid-argument", why),
        };
        let key = match send.key {
            Some(key) => key,
            None => match random_key() {
                Ok(key) => key,
                Err(error) => return Body::failed("unavailable", error.to_string()),
            },
        };
        let request = Request {
            key,
            room: send.room,
            sender: send.sender.0,
            strategy,
            total: send.total,
            shares: send.shares,
            to: send.to.into_iter().map(|User(user)| user).collect(),
            greeting: send.greeting,
            expires_in_ms: send.expires_in_ms,
        };
        call(self.tenant.send(request).await, |sent| match sent {
            Ok(Sent::Sent(id)) => self.bind(send.r#ref, id, "sent"),
            Ok(Sent::Replayed(id)) => self.bind(send.r#ref, id, "replayed"),
            Err(error) => refused(error, &Currency::from(&self.tenant.policy())),
        })
    }

    fn bind(&self, reference: String, id: PacketId, outcome: &'static str) -> Body {
        self.refs.lock().unwrap_or_else(PoisonError::into_inner).insert(reference, id);
        Body::Sent { outcome, packet: id.to_string() }
    }

    /// The packet that the log calls so; or the packet's own id, from a play before this one.
    fn packet(&self, reference: &str) -> Option<PacketId> {
        let bound = self.refs.lock().unwrap_or_else(PoisonError::into_inner).get(reference).copied();
        bound.or_else(|| reference.parse().ok())
    }

    async fn grab(&self, reference: &str, user: UserId) -> Body {
        let Some(packet) = self.packet(reference) else {
            return Body::Plain { outcome: Grabbed::NotFound.name() };
        };
        answered(self.tenant.grab(packet, user).await, |grabbed| match grabbed {
            Grabbed::AlreadyOpened(amount) => {
                Body::Share { outcome: grabbed.name(), amount: amount.get(), sequence: None }
            }
            other => Body::Plain { outcome: other.name() },
        })
    }

    async fn open(&self, reference: &str, user: UserId) -> Body {
        let Some(packet) = self.packet(reference) else {
            return Body::Plain { outcome: Opened::NotFound.name() };
        };
        answered(self.tenant.open(packet, user).await, |opened| match opened {
            Opened::Opened(share) | Opened::AlreadyOpened(share) => Body::Share {
                outcome: opened.name(),
                amount: share.amount.get(),
                sequence: Some(share.sequence),
            },
            other => Body::Plain { outcome: other.name() },
        })
    }

    async fn details(&self, reference: &str) -> Body {
        let missing = || Body::failed("not-found", format!("no packet is called {reference}"));
        let Some(packet) = self.packet(reference) else {
            return missing();
        };
        call(self.tenant.details(packet).await, |found| match found {
            Some(details) => Body::Details { outcome: "ok", details: Box::new(details.into()) },
            None => missing(),
        })
    }

    async fn advance(&self, ms: u64) -> Body {
        if let Err(why) = time::advance(&self.clock, ms) {
            return Body::failed("invalid-argument", why);
        }
        let leases_ended = match self.host.end_leases().await {
            Ok(ended) => ended,
            Err(error) => return store(Err(error), |()| Body::Plain { outcome: "ok" }),
        };
        call(self.tenant.expire_due().await, |refunds| Body::Advanced {
            outcome: "ok",
            now_ms: self.clock.now_ms(),
            leases_ended,
            expired: refunds.refunded.into_iter().map(RefundView::from).collect(),
            failed: refunds.failed.into_iter().map(unrefunded).collect(),
        })
    }

    async fn settle(&self) -> Body {
        const AT_ONCE: u32 = 256;
        let mut order = Vec::new();
        loop {
            let settled = match self.host.settle(AT_ONCE).await {
                Ok(settled) if settled.is_empty() => break,
                Ok(settled) => settled,
                Err(error) => return store(Err(error), |()| Body::Plain { outcome: "ok" }),
            };
            order.extend(settled.into_iter().map(|settled| CreditView {
                user: settled.user.into_string(),
                amount: settled.amount.get(),
            }));
        }
        Body::Settled { outcome: "ok", settled: order.len(), order }
    }
}

/// `kind` and `strategy` say the same thing twice; they must not contradict each other.
fn strategy(send: &Send) -> Result<Option<Strategy>, &'static str> {
    let named = send.strategy.as_ref().map(|Named(strategy)| strategy.clone());
    let is_equal = named.as_ref().map(|strategy| *strategy == Strategy::EQUAL);
    match (send.kind, is_equal) {
        (Kind::Equal, None | Some(true)) => Ok(Some(Strategy::EQUAL)),
        (Kind::Equal, Some(false)) => Err("an equal packet has the strategy equal"),
        (Kind::Lucky, Some(true)) => Err("a lucky packet cannot have the strategy equal"),
        (Kind::Lucky, _) => Ok(named),
    }
}

/// A send or a withdrawal without a key is one of its own.
pub(super) fn random_key() -> Result<String, getrandom::Error> {
    Ok(format!("play-{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?))
}

fn unrefunded((key, error): (PacketKey, CallError)) -> UnrefundedView {
    let error = ErrorView { code: error.code(), message: error.to_string(), line: None };
    UnrefundedView { packet: key.packet.to_string(), error }
}

fn balance(balance: Amount) -> Body {
    Body::Balance { outcome: "ok", balance: balance.get() }
}

fn refused(error: SendError, currency: &Currency) -> Body {
    match error {
        SendError::InvalidArgument(why) => Body::failed("invalid-argument", why),
        SendError::KeyReused => Body::failed("key-reused", "the key was used for another packet"),
        SendError::InsufficientFunds(held) => {
            let held = currency.show(held.get());
            Body::failed("insufficient-funds", format!("the wallet holds {held}, which is not enough"))
        }
        SendError::Busy => Body::failed("busy", "a store is overloaded; the packet was not sent"),
        SendError::Unavailable => Body::failed("unavailable", "the ledger does not answer"),
        SendError::Refused(why) => Body::failed("refused", why),
        SendError::Damaged(why) => Body::failed("corrupt", why),
        SendError::Other(why) => Body::failed("internal", why),
    }
}

pub(super) fn store<T>(result: Result<T, StoreError>, body: impl FnOnce(T) -> Body) -> Body {
    match result {
        Ok(value) => body(value),
        Err(StoreError::Refused(why)) => Body::failed("invalid-argument", why),
        Err(error) => Body::failed(error.code(), error.to_string()),
    }
}

fn call<T>(result: Result<T, CallError>, body: impl FnOnce(T) -> Body) -> Body {
    match result {
        Ok(value) => body(value),
        Err(error) => Body::failed(error.code(), error.to_string()),
    }
}

/// To a tap, a host that cannot answer now is an outcome: tap again.
fn answered<T>(result: Result<T, CallError>, body: impl FnOnce(T) -> Body) -> Body {
    match result {
        Err(CallError::Busy | CallError::Overloaded) => Body::Plain { outcome: "busy" },
        Err(CallError::Unavailable | CallError::TimedOut(_)) => Body::Plain { outcome: "unavailable" },
        result => call(result, body),
    }
}
