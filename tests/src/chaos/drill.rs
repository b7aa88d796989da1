//! Drills: each is one fault under load, and a check of everything afterwards.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hongbao_host::domain::{Grabbed, Opened, PacketId, TenantId, UserId};
use hongbao_host::store::prelude::*;

use super::books::Books;
use super::check::{Harm, Wrong, compare};
use super::dice::Dice;
use super::fault::{Fault, Scene};
use super::line::Line;
use super::load::Load;
use super::report::{Drill, Report};
use super::stage::Stage;
use super::told::Tap;
use super::{PATIENCE, now_ms};

/// How much is done.
#[derive(Clone, Debug)]
pub struct Options {
    /// This program, which is started again as a host process.
    pub program: PathBuf,
    /// Of everything that is left to chance.
    pub seed: u64,
    /// How often every fault happens.
    pub rounds: u64,
    /// How many guests there are.
    pub users: u64,
    /// Time from one packet to the next, in milliseconds.
    pub every_ms: u64,
}

impl Options {
    fn load(&self) -> Load {
        Load { seed: self.seed, start_ms: now_ms(), users: self.users, every_ms: self.every_ms }
    }
}

/// Every round has all of these faults, in an order of its own on each scene. `tell` hears of each drill when it
/// is over.
pub fn run(options: &Options, faults: &[Fault], mut tell: impl FnMut(&Drill)) -> Report {
    let mut dice = Dice::new(options.seed);
    let mut report = Report::default();
    let mut show = Show { report: &mut report, tell: &mut tell };
    for (scene, put_up) in [
        (Scene::Plain, Stage::plain as fn(PathBuf, Load) -> Stage),
        (Scene::Replicated, Stage::replicated),
        (Scene::Lagging, Stage::lagging),
    ] {
        let faults: Vec<_> = faults.iter().copied().filter(|fault| fault.scene() == scene).collect();
        if faults.is_empty() {
            continue;
        }
        // A standby is promoted once, so each round has a stage of its own there.
        let (stages, rounds) = if scene == Scene::Plain { (1, options.rounds) } else { (options.rounds, 1) };
        for _ in 0..stages {
            let mut stage = Rehearsal::new(put_up(options.program.clone(), options.load()));
            for _ in 0..rounds {
                show.act(&mut stage, &faults, &mut dice);
            }
            show.close(&stage);
        }
    }
    report
}

struct Show<'a> {
    report: &'a mut Report,
    tell: &'a mut dyn FnMut(&Drill),
}

impl Show<'_> {
    fn act(&mut self, stage: &mut Rehearsal, faults: &[Fault], dice: &mut Dice) {
        let mut faults = faults.to_vec();
        dice.shuffle(&mut faults);
        for fault in faults {
            let drill = stage.drill(fault, dice);
            (self.tell)(&drill);
            self.report.drills.push(drill);
        }
    }

    fn close(&mut self, stage: &Rehearsal) {
        self.report.halfway += stage.stage.tally.halfway();
        self.report.forgotten += stage.stage.tally.told().forgotten;
        let Books { packets, claims, movements, .. } = &stage.books;
        self.report.packets += packets.len() as u64;
        self.report.claims += claims.len() as u64;
        let refunds = movements.iter().filter(|movement| movement.kind == "refund");
        self.report.refunds += refunds.count() as u64;
    }
}

/// A stage, and what was found wrong on it already.
struct Rehearsal {
    stage: Stage,
    known: BTreeSet<Wrong>,
    /// As the last check has read them.
    books: Books,
    late: u64,
}

impl Rehearsal {
    fn new(stage: Stage) -> Self {
        Self { stage, known: BTreeSet::new(), books: Books::default(), late: 0 }
    }

    fn drill(&mut self, fault: Fault, dice: &mut Dice) -> Drill {
        let tally = &self.stage.tally;
        let before = tally.told();
        tally.forget_times();
        sleep(dice.between_ms(200, 600));
        let struck = fault.strike(&self.stage, dice);
        let back = tally.wait_for_service(&struck.slots, struck.since_ms);
        let other = |what| Wrong { harm: Harm::Other, what };
        let mut wrongs: Vec<Wrong> = struck.wrongs.into_iter().map(other).collect();
        if back.is_none() {
            wrongs.push(other(format!("{}: no service within {PATIENCE:?}", fault.title())));
        }
        sleep(dice.between_ms(100, 300));
        wrongs.extend(self.check(dice));
        let told = self.stage.tally.told();
        let acknowledged = told.acknowledged() - before.acknowledged();
        let again = told.again.into_iter().map(|(code, times)| {
            let earlier = before.again.get(&code).copied().unwrap_or_default();
            (code, times - earlier)
        });
        let again = again.filter(|(_, times)| *times > 0).collect();
        Drill { fault, lasted: struck.lasted, acknowledged, back, again, wrongs }
    }

    /// Brings everybody to rest, compares everything, and lets them go on. What was found before is
    /// not found again.
    fn check(&mut self, dice: &mut Dice) -> Vec<Wrong> {
        let mut wrongs: Vec<Wrong> = Vec::new();
        self.stage.order("rest");
        for slot in self.stage.tally.wait_for_rest() {
            let what = format!("host {slot} does not come to rest: somebody waits for an answer for ever");
            wrongs.push(Wrong { harm: Harm::Other, what });
            self.stage.start_host(slot);
        }
        let other = |what| Wrong { harm: Harm::Other, what };
        wrongs.extend(self.stage.runtime.block_on(settle_down(&self.stage)).into_iter().map(other));
        self.late += 1;
        let late = UserId::new(format!("late-{}", self.late)).expect("a name");
        for packet in open_packets(&self.read(), dice) {
            let what = self.stage.runtime.block_on(take(&self.stage, packet, &late));
            wrongs.extend(what.map(other));
        }
        if !self.stage.runtime.block_on(eventually(async || is_settled(&self.stage).await)) {
            wrongs.push(other(format!("settlement or refunds are not done after {PATIENCE:?}")));
        }
        self.books = self.read();
        wrongs.extend(compare(&self.stage.tally.told(), &self.books));
        wrongs.extend(expired_early(&self.books).map(other));
        self.stage.tally.wake();
        self.stage.order("go");
        wrongs.retain(|wrong| self.known.insert(wrong.clone()));
        wrongs
    }

    fn read(&self) -> Books {
        self.stage.runtime.block_on(Books::read(&self.stage.books_url())).expect("the books")
    }
}

/// Waits until settlement and refunds are done, then compares by the host's own means; what is wrong.
async fn settle_down(stage: &Stage) -> Vec<String> {
    let mut whats = Vec::new();
    if !eventually(async || is_settled(stage).await).await {
        whats.push(format!("settlement or refunds are not done after {PATIENCE:?}"));
    }
    match stage.tenant.audit().await {
        Ok(audit) if audit.is_conserved() => {}
        other => whats.push(format!("the books are not conserved: {other:?}")),
    }
    // The first repairs what the fault has done to the counters, the second finds nothing to repair.
    let repaired = eventually(async || stage.tenant.reconcile(true).await.is_ok()).await;
    match stage.tenant.reconcile(true).await {
        Ok(report) if repaired && report.is_clean() => {}
        other => whats.push(format!("a reconciliation finds, after another one: {other:?}")),
    }
    whats
}

/// Whether nothing waits for settlement, nor for a refund.
async fn is_settled(stage: &Stage) -> bool {
    let backlog = stage.ledger.backlog().await;
    let due = stage.ledger.due(Some(&TenantId::default()), now_ms(), None, 1).await;
    backlog.is_ok_and(|backlog| backlog.large.claims + backlog.normal.claims + backlog.parked == 0)
        && due.is_ok_and(|due| due.is_empty())
}

/// Asks until it is so; false where it is not for too long.
pub(super) async fn eventually(is_so: impl AsyncFn() -> bool) -> bool {
    let started = Instant::now();
    while !is_so().await {
        if started.elapsed() > PATIENCE {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

/// Packets that are meant to outlive every run, and were refunded all the same.
fn expired_early(books: &Books) -> impl Iterator<Item = String> {
    let long = books.packets.iter().filter(|(_, packet)| !Load::expires_soon(&packet.key));
    let expired = long.filter(|(_, packet)| packet.status == "expired");
    expired.map(|(id, packet)| format!("{id} ({}) was refunded before its time", packet.key))
}

/// Some packets of which something is left and that do not end soon.
fn open_packets(books: &Books, dice: &mut Dice) -> Vec<PacketId> {
    let open = books
        .packets
        .iter()
        .filter(|(_, packet)| packet.status == "open" && !Load::expires_soon(&packet.key));
    let mut open: Vec<PacketId> = open.map(|(id, _)| id.parse().expect("an id")).collect();
    dice.shuffle(&mut open);
    open.truncate(3);
    open
}

/// People whose shares the ledger has forgotten ask again; what is wrong with their answers. None of them is told
/// of what the cache alone remembers.
pub(super) async fn ask_again(stage: &Stage, books: &Books, forgotten: &[Tap]) -> Vec<String> {
    let mut wrongs = Vec::new();
    // A host learns of another history when it next speaks with the ledger. Ours has no workers that do.
    if !eventually(async || stage.tenant.audit().await.is_ok()).await {
        wrongs.push("our own host does not find the promoted standby".into());
    }
    for (packet, user) in forgotten {
        let (id, user) = (packet.parse().expect("an id"), UserId::new(user.clone()).expect("a name"));
        match books.packets.get(packet) {
            Some(packet) if Load::expires_soon(&packet.key) => {}
            Some(_) => wrongs.extend(take(stage, id, &user).await),
            None => {
                let grab = async || stage.tenant.grab(id, user.clone()).await;
                if !eventually(async || grab().await.is_ok_and(|told| told == Grabbed::NotFound)).await {
                    wrongs
                        .push(format!("{packet} is in no ledger, and a grab is answered {:?}", grab().await));
                }
            }
        }
    }
    wrongs
}

/// Whoever comes late gets a share of what is left: no counter says that it is finished. Otherwise
/// what happened instead. Seats of people whose host died are free when their leases have ended.
async fn take(stage: &Stage, packet: PacketId, user: &UserId) -> Option<String> {
    let grab = async || stage.tenant.grab(packet, user.clone()).await;
    let is_in = async || grab().await.is_ok_and(Grabbed::may_open);
    if !eventually(is_in).await {
        return Some(format!("{packet} has shares left, and a grab is answered {:?} for ever", grab().await));
    }
    match stage.tenant.open(packet, user.clone()).await {
        Ok(Opened::Opened(share)) => {
            stage.tally.hear_aside(&Line::Opened {
                packet: packet.to_string(),
                user: user.to_string(),
                amount: share.amount.get(),
                sequence: share.sequence,
                began_ms: now_ms(),
            });
            None
        }
        other => Some(format!("{packet} has shares left, and an open is answered {other:?}")),
    }
}
