//! Trials: each is one kind of mischief beside the neighbour, and a check of everything afterwards.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::sleep;

use super::load::Neighbour;
use super::mischief::{Mischief, Tries};
use super::report::{Pair, Trial};
use super::service::{Keys, MALLORY_PER_SECOND, Service};
use crate::chaos::PATIENCE;
use crate::chaos::check::{Harm, Wrong, compare};
use crate::chaos::dice::Dice;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Windows {
    /// This program, which is started again as the service.
    pub program: PathBuf,
    /// Of everything that is left to chance.
    pub seed: u64,
    /// How often all mischief happens.
    pub rounds: u64,
    /// In each trial, how often a window alone is followed by one with mischief.
    pub pairs: usize,
    /// How long each window is.
    pub length: Duration,
}

/// Until mischief has all of its effect.
const LEAD: Duration = Duration::from_millis(700);
/// Until the last effect of mischief has passed, and until requests under way are answered before it begins.
const CALM: Duration = Duration::from_millis(400);

/// Every round has each of these, in an order of its own. `tell` hears of each trial when it is over.
///
/// # Panics
///
/// When the service cannot be started.
pub fn run(windows: &Windows, mischief: &[Mischief], mut tell: impl FnMut(&Trial)) -> Vec<Trial> {
    let service = Service::start(&windows.program);
    let runtime = Runtime::new().expect("a runtime");
    let mut street = runtime.block_on(Street::new(service, windows.seed));
    let mut dice = Dice::new(windows.seed);
    let mut trials = Vec::new();
    for _ in 0..windows.rounds {
        let mut mischief = mischief.to_vec();
        dice.shuffle(&mut mischief);
        for one in mischief {
            let trial = runtime.block_on(street.hold(one, windows));
            tell(&trial);
            trials.push(trial);
        }
    }
    trials
}

/// A service, its tenants, and what was found wrong already.
struct Street {
    service: Service,
    neighbour: Arc<Neighbour>,
    mallory: Keys,
    known: BTreeSet<Wrong>,
}

impl Street {
    async fn new(service: Service, seed: u64) -> Self {
        let neighbour = Neighbour::new(service.tenant("acme").await, seed).await;
        let mallory = service.tenant("mallory").await;
        service.limit("mallory", MALLORY_PER_SECOND).await;
        Self { service, neighbour, mallory, known: BTreeSet::new() }
    }

    async fn hold(&mut self, mischief: Mischief, windows: &Windows) -> Trial {
        let before = self.neighbour.told().acknowledged();
        let mut wrongs = Vec::new();
        let mut tries = Tries::default();
        let pace = self.neighbour.begin();
        sleep(LEAD).await;
        for pair in 0..windows.pairs {
            self.measure(2 * pair, windows.length).await;
            let running = mischief.begin(&self.service, &self.mallory);
            sleep(LEAD).await;
            self.measure(2 * pair + 1, windows.length).await;
            let ended = tokio::task::spawn_blocking(move || running.end());
            tries += ended.await.expect("nothing to go wrong");
            if !self.service.comes_to_rest().await {
                wrongs.push(format!("{}: still under way {PATIENCE:?} after its end", mischief.title()));
            }
            sleep(CALM).await;
        }
        pace.end().await;
        let mut wrongs: Vec<Wrong> =
            wrongs.into_iter().map(|what| Wrong { harm: Harm::Other, what }).collect();
        wrongs.extend(self.check(mischief).await);
        let acknowledged = self.neighbour.told().acknowledged() - before;
        let mut latencies = self.neighbour.take_latencies();
        let mut window = |number| latencies.remove(&number).unwrap_or_default();
        let pairs =
            (0..windows.pairs).map(|pair| Pair { alone: window(2 * pair), with: window(2 * pair + 1) });
        Trial { mischief, acknowledged, pairs: pairs.collect(), tries, wrongs }
    }

    /// What becomes due within the window is measured; afterwards it has some time to be answered.
    async fn measure(&self, window: usize, length: Duration) {
        self.neighbour.measure(Some(window));
        sleep(length).await;
        self.neighbour.measure(None);
        sleep(CALM).await;
    }

    /// Compares everything. What was found before is not found again.
    async fn check(&mut self, mischief: Mischief) -> Vec<Wrong> {
        let mut whats = Vec::new();
        if !self.service.is_ready().await {
            whats.push(format!("{}: the service is not ready afterwards", mischief.title()));
        }
        if !self.service.settles().await {
            whats.push(format!("settlement or refunds are not done after {PATIENCE:?}"));
        }
        if self.service.has_panicked() {
            whats.push("the service has panicked; its log says where".to_owned());
        }
        let other = |what| Wrong { harm: Harm::Other, what };
        let mut wrongs: Vec<Wrong> = whats.into_iter().map(other).collect();
        wrongs.extend(compare(&self.neighbour.told(), &self.service.books().await));
        wrongs.retain(|wrong| self.known.insert(wrong.clone()));
        wrongs
    }
}
