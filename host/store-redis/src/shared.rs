//! What a counter and its background task have in common: the way to Redis, and the calls.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use futures::{StreamExt as _, stream};
use redis::{Cmd, Value};
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::codec::{self, DecodeError, Keys, LEASES, Meta, field};
use super::error::Failure;
use super::fault::Fault;
use super::health::Health;
use super::link::{Link, spread};
use super::promises::{Deed, Promises};
use super::scan::Scan;
use super::scripts::{Script, Scripts};
use super::server::Info;
use super::slots::{self, Slots};
use hongbao_domain::PacketKey;
use hongbao_store::{Followed, Lookup, Opening, StoreError};

/// Pages of one sweep: a few milliseconds of the server, without the leases that end.
const SWEPT_PAGES: usize = 20;
/// How often the probe looks whether writes are taken. Pauses are between three quarters of it and it.
pub(super) const PROBED: Duration = Duration::from_millis(1000);
/// The shortest pause between two probes, however often somebody asks.
const PROBED_AGAIN: Duration = Duration::from_millis(200);
/// So many promises are kept at the same time.
const DEEDS: usize = 64;
/// So many damaged counters are told of; of more, the first are enough.
const DAMAGED: usize = 64;

pub(super) struct Shared {
    pub link: Arc<Link>,
    pub namespace: String,
    pub scripts: Scripts,
    pub health: Arc<Health>,
    pub promises: Promises,
    /// Of the ledger: keys have its name in them.
    pub history: Followed,
    /// Where the next sweep begins, if not at the beginning.
    sweep: Mutex<Option<Scan>>,
    /// Counters that could not be swept, so that each is told once.
    damaged: std::sync::Mutex<HashSet<String>>,
}

/// A script's answer, and the key it is about.
pub(super) struct Answer {
    pub value: Value,
    pub key: String,
}

impl Shared {
    pub(super) fn new(link: Arc<Link>, namespace: String, health: Arc<Health>) -> Self {
        let (scripts, promises) = (Scripts::new(), Promises::new());
        let (sweep, damaged) = (Mutex::default(), std::sync::Mutex::default());
        Self { link, namespace, scripts, health, promises, history: Followed::default(), sweep, damaged }
    }

    pub(super) fn keys(&self, key: &PacketKey) -> Keys {
        Keys::new(&self.namespace, self.history.name().as_deref(), key)
    }

    pub(super) fn opening(&self, keys: &Keys, opening: &Opening, now_ms: u64) -> Cmd {
        let mut command = about(&self.scripts.open, keys);
        command.arg(now_ms).arg(Meta::of(opening, now_ms).encode()).arg(codec::encode_card(&opening.card));
        for seat in &opening.opened {
            command.arg(field(&seat.user)).arg(seat.amount.get());
        }
        command
    }

    /// Runs a script whose first argument is the time, whatever is known of the server.
    pub(super) async fn run(&self, script: &Script, command: &Cmd, keys: &Keys) -> Result<Value, Failure> {
        let answer = script.run(&self.link, command, &keys.entry).await;
        answer.inspect_err(|failure| self.health.call_failed(&keys.entry, failure))
    }

    /// Runs a script about each packet, unless writes are refused. `with` adds the arguments after the time to the
    /// command of an element.
    async fn call_all(
        &self,
        script: &Script,
        packets: &[&PacketKey],
        now_ms: u64,
        with: impl Fn(usize, &mut Cmd),
    ) -> Vec<(Keys, Result<Value, Failure>)> {
        if self.health.take_healed() {
            self.promises.let_all_through(now_ms);
        }
        let (mut calls, mut commands) =
            (Vec::with_capacity(packets.len()), Vec::with_capacity(packets.len()));
        for (element, key) in packets.iter().enumerate() {
            let keys = self.keys(key);
            let refused = self.admit(key, &keys).await.err();
            if refused.is_none() {
                let mut command = about(script, &keys);
                with(element, command.arg(now_ms));
                commands.push(command);
            }
            calls.push((keys, refused));
        }
        let asked: Vec<&str> =
            calls.iter().filter(|(_, refused)| refused.is_none()).map(|(keys, _)| &*keys.entry).collect();
        let mut answers = script.run_all(&self.link, &commands, &asked).await.into_iter();
        let answer = |(keys, refused): (Keys, Option<Failure>)| {
            let answer = match refused {
                Some(failure) => Err(failure),
                // There is one for each command.
                None => answers.next().unwrap_or(Err(Failure::Late)),
            };
            let is_asked = !matches!(answer, Err(Failure::Known(_)));
            let told = answer.inspect_err(|failure| {
                if is_asked {
                    self.health.call_failed(&keys.entry, failure);
                }
            });
            (keys, told)
        };
        calls.into_iter().map(answer).collect()
    }

    /// Whether a packet's counter may be asked now.
    async fn admit(&self, key: &PacketKey, keys: &Keys) -> Result<(), Failure> {
        self.health.gate(&keys.entry)?;
        // What is behind is not asked, if the background task has not come to it yet.
        if self.promises.has_to_forget(key) {
            self.forget(keys).await?;
            self.promises.done(key, Deed::Forget);
        }
        Ok(())
    }

    /// The same for the caller: about packets and users of each, whose fields come after what `with` adds.
    pub(super) async fn ask_all(
        &self,
        script: &Script,
        lookups: &[Lookup<'_>],
        now_ms: u64,
        with: impl Fn(usize, &mut Cmd),
    ) -> Vec<Result<Answer, StoreError>> {
        let packets: Vec<_> = lookups.iter().map(|asked| asked.key).collect();
        let arguments = |element: usize, command: &mut Cmd| {
            with(element, command);
            for user in lookups.get(element).map(|asked| asked.users).unwrap_or_default() {
                command.arg(field(user));
            }
        };
        let answers = self.call_all(script, &packets, now_ms, arguments).await;
        let answer = |(key, (keys, answer)): (&PacketKey, (Keys, Result<Value, Failure>))| match answer {
            Ok(value) => Ok(Answer { value, key: keys.entry }),
            Err(failure) => {
                self.doubt(key, now_ms, &failure);
                Err(failure.about(&keys.entry))
            }
        };
        packets.into_iter().zip(answers).map(answer).collect()
    }

    /// A command that is forbidden may stop a script in its middle, after a seat was written down and
    /// before its lease was: such a counter is not to be trusted.
    pub(super) fn doubt(&self, key: &PacketKey, now_ms: u64, failure: &Failure) {
        if matches!(failure, Failure::Redis(_)) && matches!(failure.fault(), Some(Fault::Forbidden(_))) {
            self.promises.is_behind(key, now_ms);
        }
    }

    /// The same for changes without which the counters are behind the ledger.
    pub(super) async fn tell_all(
        &self,
        script: &Script,
        packets: &[&PacketKey],
        now_ms: u64,
        with: impl Fn(usize, &mut Cmd),
    ) -> Vec<Result<(), StoreError>> {
        let told = self.call_all(script, packets, now_ms, with).await;
        let tell = |(key, (keys, told)): (&&PacketKey, (Keys, Result<Value, Failure>))| {
            // A slow answer means that it was done, most likely, and a busy server has enough to do.
            if let Err(failure) = &told
                && failure.fault().is_some_and(|fault| fault != Fault::Slow)
            {
                self.promises.is_behind(key, now_ms);
            }
            told.map(drop).map_err(|failure| failure.about(&keys.entry))
        };
        packets.iter().zip(told).map(tell).collect()
    }

    /// Does what a counter does, by the code and by the digest: both ways have to be allowed.
    pub(super) async fn rehearse(&self) -> Result<(), Failure> {
        let (keys, command) = self.probe_of(0);
        self.link.call(&self.scripts.probe.in_full(&command), &keys.entry).await?;
        self.link.call(&unlink(&keys), &keys.entry).await?;
        self.probe_all().await.into_iter().collect()
    }

    fn probe_of(&self, number: u32) -> (Keys, Cmd) {
        let keys = Keys::of_tag(&self.namespace, &slots::tag(number));
        let mut command = about(&self.scripts.probe, &keys);
        command.arg([0; 64].as_slice());
        (keys, command)
    }

    /// Looks on each master whether writes are taken.
    async fn probe_all(&self) -> Vec<Result<(), Failure>> {
        // Where the slots cannot be asked for, those are good that were known before.
        if self.link.is_cluster()
            && let Ok(answer) = self.link.slots().await
            && let Ok(slots) = Slots::parse(&answer)
        {
            self.health.learn(slots);
        }
        let probes = self.health.probe_keys().into_iter().enumerate().map(|(index, number)| async move {
            let (keys, command) = self.probe_of(number);
            let outcome = self.scripts.probe.try_out(&self.link, &command, &keys.entry).await.map(drop);
            self.health.probed(index, outcome.as_ref().copied());
            outcome
        });
        join_all(probes).await
    }

    /// Whether counters can be used now, by a probe.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        let failed = self.probe_all().await.into_iter().find_map(Result::err);
        match self.health.fault() {
            // It may have to be well for a while before it is trusted.
            Some(fault) => Err(Failure::Known(fault)),
            None => failed.map_or(Ok(()), Err),
        }
    }

    /// Looks regularly whether writes are taken, and does what is owed to packets. Never ends.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut is_policy_told = false;
        loop {
            let is_well = self.probe_all().await.iter().all(Result::is_ok);
            if is_well && !is_policy_told {
                is_policy_told = self.tell_memory_policy().await.is_ok();
            }
            self.keep_promises().await;
            sleep(PROBED_AGAIN).await;
            tokio::select! {
                () = self.health.asked() => {}
                () = sleep(spread(PROBED / 2) + PROBED / 2 - PROBED_AGAIN) => {}
            }
        }
    }

    /// A memory policy that can refuse writes is told while everything is well.
    async fn tell_memory_policy(&self) -> Result<(), Failure> {
        let question = redis::cmd("INFO");
        for mut master in self.link.masters().await? {
            match self.link.ask(&mut master, &question).await {
                Ok(answer) => {
                    if let Some(risk) = Info::of(answer).memory_risk() {
                        tracing::warn!(redis = self.link.place().name(), "counter: {risk}");
                        return Ok(());
                    }
                }
                // Whether this user may ask is of no interest.
                Err(failure) if failure.fault().is_some_and(|fault| fault.is_mistake()) => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Marks and forgets counters, as far as that is possible now. What is left is tried again.
    async fn keep_promises(&self) {
        loop {
            let due = self.promises.due(16 * DEEDS);
            let (all, begun) = (due.len(), stream::iter(due));
            let done = begun.map(|(key, deed)| self.keep(key, deed)).buffer_unordered(DEEDS);
            let done = done.filter(|is_done| std::future::ready(*is_done)).count().await;
            if all == 0 || done < all {
                return;
            }
        }
    }

    async fn keep(&self, key: PacketKey, deed: Deed) -> bool {
        let keys = self.keys(&key);
        if self.health.gate(&keys.entry).is_err() {
            return false;
        }
        let kept = match deed {
            Deed::Forget => self.forget(&keys).await,
            Deed::Mark(lease) => {
                let mut command = about(&self.scripts.lenient, &keys);
                command.arg(lease.now_ms).arg(lease.until_ms);
                self.run(&self.scripts.lenient, &command, &keys).await.map(drop)
            }
        };
        match kept {
            Ok(()) => self.promises.done(&key, deed),
            // A counter that is damaged is lenient as it is: whoever asks hears that it is.
            Err(failure) if failure.is_damage() => self.promises.done(&key, deed),
            Err(_) => return false,
        }
        true
    }

    pub(super) async fn forget(&self, keys: &Keys) -> Result<(), Failure> {
        self.link.call(&unlink(keys), &keys.entry).await.map(drop)
    }

    /// The keys of leases of the present history.
    async fn scan_leases(&self) -> Result<Scan, Failure> {
        let prefix = codec::prefix(&self.namespace, self.history.name().as_deref());
        Scan::begin(&self.link, format!("{prefix}{{*{LEASES}"), Some("zset")).await
    }

    /// Forgets the counters of every history.
    pub(super) async fn forget_all(&self) -> Result<(), Failure> {
        for of in ["", "@*:"] {
            let pattern = format!("{}:{of}{{*", self.namespace);
            let mut scan = Scan::begin(&self.link, pattern, None).await?;
            while let Some(keys) = scan.next().await? {
                // Each for itself, since in a cluster they are in different slots.
                try_join_all(keys.into_iter().map(|key| self.unlink(key))).await?;
            }
        }
        Ok(())
    }

    async fn unlink(&self, key: String) -> Result<(), Failure> {
        self.link.call(redis::cmd("UNLINK").arg(&key), &key).await.map(drop)
    }

    /// Goes on where the last sweep stopped, for so many pages or to the end.
    pub(super) async fn sweep_on(&self, now_ms: u64) -> Result<u64, Failure> {
        let mut place = self.sweep.lock().await;
        // Where this fails, the next one begins anew.
        let mut scan = match place.take() {
            Some(scan) => scan,
            None => self.scan_leases().await?,
        };
        let mut ended = 0;
        for _ in 0..SWEPT_PAGES {
            let Some(page) = scan.next().await? else { return Ok(ended) };
            let swept = page.into_iter().map(|leases| self.sweep_one(leases, now_ms));
            ended += try_join_all(swept).await?.into_iter().sum::<u64>();
        }
        *place = Some(scan);
        Ok(ended)
    }

    /// Ends the leases of one packet. One that is damaged is left to whoever asks about it, and
    /// does not keep the others from being swept.
    async fn sweep_one(&self, leases: String, now_ms: u64) -> Result<u64, Failure> {
        let Some(keys) = Keys::of_leases(&leases) else { return Ok(0) };
        let mut command = about(&self.scripts.sweep, &keys);
        command.arg(now_ms);
        match self.run(&self.scripts.sweep, &command, &keys).await {
            Ok(Value::Int(ended)) => Ok(u64::try_from(ended).unwrap_or_default()),
            Err(failure) if !failure.is_damage() => Err(failure),
            Ok(_) | Err(_) => {
                self.tell_damage(keys.entry);
                Ok(0)
            }
        }
    }

    fn tell_damage(&self, key: String) {
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        if damaged.len() < DAMAGED && !damaged.contains(&key) {
            tracing::warn!(key, "a counter in Redis is damaged and cannot be swept");
            damaged.insert(key);
        }
    }
}

/// The beginning of a command that runs a script about these keys.
fn about(script: &Script, keys: &Keys) -> Cmd {
    let mut command = script.command();
    command.arg(2).arg(&keys.entry).arg(&keys.leases);
    command
}

fn unlink(keys: &Keys) -> Cmd {
    redis::cmd("UNLINK").arg(&keys.entry).arg(&keys.leases).take()
}

impl Answer {
    /// Reads the answer about a counter that may be missing.
    pub(super) fn read<T>(
        self,
        read: impl FnOnce(&[Value]) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, StoreError> {
        match &self.value {
            Value::Nil => Ok(None),
            Value::Array(values) => match read(values) {
                Ok(read) => Ok(Some(read)),
                Err(error) => Err(Failure::Damaged(error.to_string()).about(&self.key)),
            },
            _ => Err(Failure::Damaged("an answer of another kind".into()).about(&self.key)),
        }
    }
}
