//! What goes wrong, and how it is made right again.

use std::thread::sleep;
use std::time::Duration;

use super::books::Books;
use super::dice::Dice;
use super::drill::ask_again;
use super::now_ms;
use super::stage::{Cache, Stage};
use super::tally::HOSTS;
use super::tamper::{self, Direction};
use crate::servers::{Mode, wait_for};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// SIGKILL of a host process; another is started.
    KillHost,
    /// SIGKILL of Redis; it comes back empty.
    RestartRedis,
    /// The memory of Redis is full: it answers, and refuses writes.
    FillRedis,
    /// FLUSHALL.
    FlushRedis,
    /// Counters say that more is left than there is.
    InflateCounters,
    /// Counters say that less is left than there is.
    DeflateCounters,
    /// SIGKILL of the master of Redis; sentinels make the replica the master.
    FailOverRedis,
    /// SIGKILL of PostgreSQL; it recovers.
    RestartPostgres,
    /// SIGKILL of PostgreSQL; its synchronous standby is promoted.
    PromoteStandby,
    /// Connections to Redis are cut, then refused or swallowed for a while.
    CutRedis,
    /// Connections to PostgreSQL are cut, then refused or swallowed for a while.
    CutPostgres,
    /// SIGKILL of PostgreSQL; a standby is promoted that had not received the last moments.
    PromoteLaggingStandby,
    /// The clock of a host jumps by hours, and back.
    JumpClock,
    /// Everything to and from Redis takes 200 ms longer.
    SlowRedis,
    /// Everything to and from PostgreSQL takes 200 ms longer.
    SlowPostgres,
    /// Redis does what it is asked, and its answers are lost.
    LoseRepliesOfRedis,
    /// PostgreSQL commits, and its answers are lost.
    LoseRepliesOfPostgres,
    /// SIGKILL of a process that settles, several times, with its statement under way.
    KillSettler,
    /// Several of these at a time.
    Mixed,
}

/// What a fault did.
pub struct Struck {
    /// From when on service is looked for.
    pub since_ms: u64,
    /// The hosts that were hit.
    pub slots: Vec<usize>,
    /// How long it took until everything was made right again.
    pub lasted: Duration,
    /// What was found wrong at once.
    pub wrongs: Vec<String>,
}

/// The servers that a fault needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// One of each kind, and proxies on the way to them.
    Plain,
    /// Sentinels, and a standby that every commit waits for.
    Replicated,
    /// A standby that no commit waits for.
    Lagging,
}

/// Around the counters.
const OF_REDIS: [Fault; 8] = [
    Fault::RestartRedis,
    Fault::FillRedis,
    Fault::FlushRedis,
    Fault::InflateCounters,
    Fault::DeflateCounters,
    Fault::CutRedis,
    Fault::SlowRedis,
    Fault::LoseRepliesOfRedis,
];
/// Around the ledger.
const OF_POSTGRES: [Fault; 5] = [
    Fault::RestartPostgres,
    Fault::CutPostgres,
    Fault::SlowPostgres,
    Fault::LoseRepliesOfPostgres,
    Fault::KillSettler,
];

impl Fault {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::KillHost,
        Self::JumpClock,
        Self::RestartRedis,
        Self::FillRedis,
        Self::FlushRedis,
        Self::InflateCounters,
        Self::DeflateCounters,
        Self::FailOverRedis,
        Self::RestartPostgres,
        Self::PromoteStandby,
        Self::PromoteLaggingStandby,
        Self::CutRedis,
        Self::CutPostgres,
        Self::SlowRedis,
        Self::SlowPostgres,
        Self::LoseRepliesOfRedis,
        Self::LoseRepliesOfPostgres,
        Self::KillSettler,
        Self::Mixed,
    ];

    /// Where it can happen.
    #[must_use]
    pub const fn scene(self) -> Scene {
        match self {
            Self::FailOverRedis | Self::PromoteStandby => Scene::Replicated,
            Self::PromoteLaggingStandby => Scene::Lagging,
            _ => Scene::Plain,
        }
    }

    /// The name for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillHost => "kill-host",
            Self::RestartRedis => "restart-redis",
            Self::FillRedis => "fill-redis",
            Self::FlushRedis => "flush-redis",
            Self::InflateCounters => "inflate-counters",
            Self::DeflateCounters => "deflate-counters",
            Self::FailOverRedis => "fail-over-redis",
            Self::RestartPostgres => "restart-postgres",
            Self::PromoteStandby => "promote-standby",
            Self::PromoteLaggingStandby => "promote-lagging-standby",
            Self::JumpClock => "jump-clock",
            Self::CutRedis => "cut-redis",
            Self::CutPostgres => "cut-postgres",
            Self::SlowRedis => "slow-redis",
            Self::SlowPostgres => "slow-postgres",
            Self::LoseRepliesOfRedis => "lose-replies-of-redis",
            Self::LoseRepliesOfPostgres => "lose-replies-of-postgres",
            Self::KillSettler => "kill-settler",
            Self::Mixed => "mixed",
        }
    }

    /// What happens, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::KillHost => "a host killed and replaced",
            Self::RestartRedis => "Redis killed, back and empty",
            Self::FillRedis => "Redis full, refuses writes",
            Self::FlushRedis => "Redis: FLUSHALL",
            Self::InflateCounters => "counters inflated by hand",
            Self::DeflateCounters => "counters deflated by hand",
            Self::FailOverRedis => "Redis: master killed, Sentinel",
            Self::RestartPostgres => "PostgreSQL killed and back",
            Self::PromoteStandby => "primary killed, standby promoted",
            Self::PromoteLaggingStandby => "a standby promoted that lagged",
            Self::JumpClock => "a host's clock jumps by hours",
            Self::CutRedis => "Redis cut off",
            Self::CutPostgres => "PostgreSQL cut off",
            Self::SlowRedis => "Redis 200 ms slower",
            Self::SlowPostgres => "PostgreSQL 200 ms slower",
            Self::LoseRepliesOfRedis => "Redis: replies lost",
            Self::LoseRepliesOfPostgres => "PostgreSQL: replies lost",
            Self::KillSettler => "settlement killed halfway",
            Self::Mixed => "several at a time",
        }
    }

    /// Whether service is looked for from the fault's beginning, as it has no end or goes on
    /// meanwhile; otherwise from its end.
    #[must_use]
    pub const fn counts_from_beginning(self) -> bool {
        matches!(
            self,
            Self::KillHost
                | Self::FillRedis
                | Self::FlushRedis
                | Self::InflateCounters
                | Self::DeflateCounters
                | Self::FailOverRedis
                | Self::PromoteStandby
                | Self::SlowRedis
                | Self::SlowPostgres
        )
    }

    /// Lets it happen, and makes right again what nobody else does.
    #[must_use]
    pub fn strike(self, stage: &Stage, dice: &mut Dice) -> Struck {
        let began_ms = now_ms();
        let mut slots: Vec<usize> = (0..HOSTS).collect();
        let mut wrongs = Vec::new();
        match self {
            Self::KillHost => {
                slots = vec![dice.below(HOSTS as u64) as usize];
                slots.iter().for_each(|slot| stage.kill_host(*slot));
                slots.iter().for_each(|slot| stage.start_host(*slot));
            }
            Self::RestartRedis => {
                stage.redis().kill();
                sleep(dice.between_ms(100, 1_500));
                stage.redis().restart();
            }
            Self::FillRedis => {
                stage.redis().cli(&["config", "set", "maxmemory", "1"]);
                sleep(dice.between_ms(500, 3_000));
                stage.redis().cli(&["config", "set", "maxmemory", "0"]);
            }
            Self::FlushRedis => drop(stage.redis().cli(&["flushall"])),
            Self::InflateCounters => tamper::with_counters(stage.redis(), Direction::Inflate, dice),
            Self::DeflateCounters => tamper::with_counters(stage.redis(), Direction::Deflate, dice),
            Self::FailOverRedis => fail_over_redis(stage),
            Self::RestartPostgres => {
                stage.primary().kill();
                sleep(dice.between_ms(100, 1_000));
                stage.primary().restart();
            }
            Self::PromoteStandby => stage.fail_over(|| sleep(dice.between_ms(0, 500))),
            Self::PromoteLaggingStandby => wrongs = promote_lagging_standby(stage, dice),
            Self::JumpClock => {
                slots = some_hosts(dice);
                jump_clock(stage, &slots, dice);
            }
            Self::CutRedis | Self::CutPostgres => {
                slots = some_hosts(dice);
                cut(stage, self == Self::CutRedis, &slots, dice);
            }
            Self::SlowRedis | Self::SlowPostgres => {
                slots = some_hosts(dice);
                let way = way_to(self == Self::SlowRedis);
                way(stage, &slots, Mode::Delay(Duration::from_millis(200)));
                sleep(dice.between_ms(1_200, 1_800));
                way(stage, &slots, Mode::Pass);
            }
            Self::LoseRepliesOfRedis | Self::LoseRepliesOfPostgres => {
                slots = some_hosts(dice);
                lose_replies(stage, self == Self::LoseRepliesOfRedis, &slots, dice);
            }
            Self::KillSettler => kill_settler(stage, dice),
            Self::Mixed => mixed(stage, dice),
        }
        let ended_ms = now_ms();
        let lasted = Duration::from_millis(ended_ms.saturating_sub(began_ms));
        let since_ms = if self.counts_from_beginning() { began_ms } else { ended_ms };
        Struck { since_ms, slots, lasted, wrongs }
    }
}

/// One of the hosts, or all of them: when only one is cut off, the other goes on without it.
fn some_hosts(dice: &mut Dice) -> Vec<usize> {
    let one = dice.below(HOSTS as u64 + 1) as usize;
    if one < HOSTS { vec![one] } else { (0..HOSTS).collect() }
}

fn way_to(redis: bool) -> impl Fn(&Stage, &[usize], Mode) {
    move |stage, slots, mode| {
        for way in stage.some_ways(slots) {
            if redis { way.redis.set(mode) } else { way.postgres.set(mode) }
        }
    }
}

fn cut(stage: &Stage, redis: bool, slots: &[usize], dice: &mut Dice) {
    for _ in 0..4 {
        for way in stage.some_ways(slots) {
            if redis { way.redis.cut() } else { way.postgres.cut() }
        }
        sleep(dice.between_ms(20, 300));
    }
    // Either everybody is told at once, or nobody is told anything.
    let mode = *dice.pick(&[Mode::Refuse, Mode::Blackhole]);
    way_to(redis)(stage, slots, mode);
    sleep(dice.between_ms(100, 1_500));
    way_to(redis)(stage, slots, Mode::Pass);
}

/// In short bursts: while replies are lost nobody can connect anew, so only what is under way at the
/// beginning of a burst is carried out without an answer.
fn lose_replies(stage: &Stage, redis: bool, slots: &[usize], dice: &mut Dice) {
    for _ in 0..6 {
        way_to(redis)(stage, slots, Mode::DropReplies);
        sleep(dice.between_ms(30, 100));
        way_to(redis)(stage, slots, Mode::Pass);
        sleep(dice.between_ms(50, 250));
    }
}

/// The dead master comes back as the new one's replica, so that there can be another fail-over.
fn fail_over_redis(stage: &Stage) {
    let Cache::Sentinel(sentinel) = &stage.cache else { panic!("a stage with sentinels") };
    let old = wait_for("a master", || sentinel.master()).port();
    sentinel.kill_master();
    wait_for("another master", || sentinel.master().filter(|master| master.port() != old));
    let new = sentinel.wait_for_failover();
    for node in sentinel.nodes().iter().filter(|node| node.port() == old) {
        node.restart();
        node.replica_of(new);
    }
}

/// Opens are acknowledged of which the standby never hears. The hosts rest while it is promoted: whoever asks in
/// that moment may be answered from either history, and both are right.
fn promote_lagging_standby(stage: &Stage, dice: &mut Dice) -> Vec<String> {
    stage.standby_falls_behind();
    sleep(dice.between_ms(1_000, 2_000));
    stage.order("rest");
    let restless = stage.tally.wait_for_rest();
    assert!(restless.is_empty(), "hosts {restless:?} do not come to rest");
    stage.fail_over(|| sleep(dice.between_ms(0, 500)));
    let books = stage.runtime.block_on(Books::read(&stage.books_url())).expect("the books");
    let forgotten = stage.tally.go_on_from(&books);
    let wrongs = stage.runtime.block_on(ask_again(stage, &books, &forgotten));
    stage.tally.wake();
    stage.order("go");
    wrongs
}

/// By more than any packet, lease or answer is kept for, while packets expire and claims are settled.
fn jump_clock(stage: &Stage, slots: &[usize], dice: &mut Dice) {
    const HOUR_MS: i64 = 3_600_000;
    let ahead_ms = *dice.pick(&[2 * HOUR_MS, 48 * HOUR_MS, -2 * HOUR_MS]);
    stage.order_some(slots, &format!("clock {ahead_ms}"));
    sleep(dice.between_ms(1_200, 2_500));
    stage.order_some(slots, "clock 0");
}

/// Three ways to die. While nobody can write to wallets, the statement has taken its claims out of the
/// queue and is about to post them; PostgreSQL goes on with it when the process is dead already. Or
/// PostgreSQL stands still meanwhile. Or the process dies at any moment.
fn kill_settler(stage: &Stage, dice: &mut Dice) {
    for time in 0..6 {
        let mut settler = stage.start_settler();
        sleep(dice.between_ms(50, 400));
        match time % 3 {
            0 => {
                if stage.runtime.block_on(stage.while_wallets_are_locked(|| settler.kill())) {
                    stage.tally.add_halfway();
                }
            }
            1 => {
                stage.primary().pause();
                sleep(dice.between_ms(20, 100));
                settler.kill();
                stage.primary().resume();
            }
            _ => settler.kill(),
        }
    }
}

/// Redis, PostgreSQL and the hosts each have their own faults, at the same time and without regard
/// for each other.
fn mixed(stage: &Stage, dice: &mut Dice) {
    const TIMES: usize = 4;
    let groups: [&[Fault]; 3] = [&OF_REDIS, &OF_POSTGRES, &[Fault::KillHost, Fault::JumpClock]];
    std::thread::scope(|scope| {
        for group in groups {
            let mut dice = Dice::new(dice.below(u64::MAX));
            scope.spawn(move || {
                for _ in 0..TIMES {
                    sleep(dice.between_ms(0, 800));
                    let _ = dice.pick(group).strike(stage, &mut dice);
                }
            });
        }
    });
}
