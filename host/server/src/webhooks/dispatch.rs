//! `Dispatch`: what all deliveries of a host share.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::schedule::Schedule;
use super::send::{Message, Outcome, Reply, Sender};
use super::target::{Names, Rules, SystemNames};
use hongbao_domain::TenantId;
use hongbao_store::Webhook;

/// Messages of a host that are under way at the same time. Each is a connection.
const AT_ONCE: usize = 1024;
/// And of one tenant.
const TENANT_AT_ONCE: usize = 32;

/// How messages are sent to endpoints of tenants.
#[derive(Clone)]
pub struct WebhookSettings {
    /// Whether endpoints may have private addresses, such as 127.0.0.1. With it whoever administers a tenant can make
    /// this host send requests into its own network.
    pub allow_private_addresses: bool,
    /// Whether endpoints may be without TLS.
    pub allow_http: bool,
    /// Who looks names up.
    pub names: Arc<dyn Names>,
    /// For one message, its answer included.
    pub time_limit: Duration,
    /// How often the ledger is asked for events, and at most so often an endpoint's state is written down.
    pub poll: Duration,
    /// After so long without a word of this host another one delivers.
    pub lease: Duration,
    /// Times from one attempt to the next; None for those of Standard Webhooks.
    pub retries: Option<Vec<Duration>>,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            allow_private_addresses: false,
            allow_http: false,
            names: Arc::new(SystemNames),
            time_limit: Duration::from_secs(15),
            poll: Duration::from_secs(1),
            lease: Duration::from_secs(10),
            retries: None,
        }
    }
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { allow_private_addresses, allow_http, .. } = self;
        f.debug_struct("WebhookSettings")
            .field("allow_private_addresses", allow_private_addresses)
            .field("allow_http", allow_http)
            .finish_non_exhaustive()
    }
}

/// See the module.
pub(crate) struct Dispatch {
    pub(super) settings: WebhookSettings,
    pub(super) schedule: Schedule,
    /// By which the registry knows this process.
    pub(super) holder: u64,
    rules: Rules,
    /// Made when it is first needed: a machine without root certificates serves what needs none.
    sender: OnceLock<Result<Sender, String>>,
    places: Arc<Semaphore>,
    of_tenants: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
}

/// Permission to have a message under way.
pub(super) struct Place {
    _of_host: Option<OwnedSemaphorePermit>,
    _of_tenant: Option<OwnedSemaphorePermit>,
}

impl Dispatch {
    pub(crate) fn new(settings: WebhookSettings) -> Result<Self, getrandom::Error> {
        let schedule = settings.retries.as_ref().map_or_else(Schedule::default, |retries| {
            Schedule(retries.iter().map(|delay| delay.as_millis() as u64).collect())
        });
        let rules = Rules {
            allow_private_addresses: settings.allow_private_addresses,
            allow_http: settings.allow_http,
            names: Arc::clone(&settings.names),
        };
        Ok(Self {
            schedule,
            // Neither nobody nor more than a column holds.
            holder: (getrandom::u64()? >> 1).max(1),
            rules,
            sender: OnceLock::new(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            of_tenants: Mutex::default(),
            settings,
        })
    }

    pub(super) const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Sends a message when it is its turn.
    pub(super) async fn send(&self, webhook: &Webhook, message: Message, now_ms: impl Fn() -> u64) -> Reply {
        let _place = self.place(&webhook.tenant).await;
        let sender = self.sender.get_or_init(|| {
            Sender::new(self.rules.clone(), self.settings.time_limit).map_err(|error| error.to_string())
        });
        match sender {
            Ok(sender) => sender.send(webhook, message, now_ms()).await,
            Err(why) => Reply {
                outcome: Outcome::Failed { reason: "not-connected", pause_ms: None },
                status: None,
                told: format!("this host cannot connect with TLS: {why}"),
                took: Duration::ZERO,
            },
        }
    }

    async fn place(&self, tenant: &TenantId) -> Place {
        let of_tenant = {
            let mut of_tenants = self.of_tenants.lock().unwrap_or_else(PoisonError::into_inner);
            let place = of_tenants.entry(tenant.clone());
            Arc::clone(place.or_insert_with(|| Arc::new(Semaphore::new(TENANT_AT_ONCE))))
        };
        // That of the tenant first: whoever waits for it takes no place of the host's. Neither is ever closed.
        let _of_tenant = of_tenant.acquire_owned().await.ok();
        let _of_host = Arc::clone(&self.places).acquire_owned().await.ok();
        Place { _of_host, _of_tenant }
    }

    /// Forgets tenants that nothing is under way of.
    pub(super) fn forget(&self) {
        let mut of_tenants = self.of_tenants.lock().unwrap_or_else(PoisonError::into_inner);
        of_tenants.retain(|_, places| Arc::strong_count(places) > 1);
    }
}
