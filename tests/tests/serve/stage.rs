//! A service with two tenants, and somebody who calls it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hongbao_host::domain::{Name, Scope};
use hongbao_host::imports::{Clock, ManualClock};
use hongbao_host::runtime::{Announcer, Compiler, Host, HostBuilder, Pace, TenantsFile, Workers};
use hongbao_host::server::{
    DemoSettings, Listening, NewKey, RateSettings, Seal, Service, ServiceSettings, TlsFiles, WebhookSettings,
};
use hongbao_host::store::change_feed::ChangeFeed;
use hongbao_host::store::memory::{MemoryCounter, MemoryEvents, MemoryLedger, MemoryRegistry};
use hongbao_host::store::{Counter, Events, Ledger, Registry};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// What a service stands on.
#[derive(Clone)]
pub struct Stores {
    pub counter: Arc<dyn Counter>,
    pub ledger: Arc<dyn Ledger>,
    pub registry: Arc<dyn Registry>,
    pub events: Arc<dyn Events>,
}

impl Default for Stores {
    fn default() -> Self {
        Self {
            counter: Arc::new(MemoryCounter::new()),
            ledger: Arc::new(MemoryLedger::new()),
            registry: Arc::new(MemoryRegistry::new()),
            events: Arc::new(MemoryEvents::new()),
        }
    }
}

/// A service that listens, and the keys to it.
pub struct Stage {
    pub url: String,
    pub client: Client,
    pub clock: Arc<ManualClock>,
    pub stores: Stores,
    pub operator: String,
    pub listening: Listening,
    announcer: Announcer,
    workers: Workers,
}

/// What few services have.
#[derive(Default)]
struct Extras {
    tls: Option<TlsFiles>,
    demo: Option<DemoSettings>,
    webhooks: WebhookSettings,
}

/// Keys of a tenant, by scope.
pub type Keys = HashMap<&'static str, String>;

pub const NOW_MS: u64 = 1_700_000_000_000;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    /// The body, where the call went well.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        serde_json::from_str(&self.text).unwrap()
    }

    /// The code of the problem, which is a whole document.
    #[track_caller]
    pub fn problem(&self) -> String {
        assert!(!self.status.is_success(), "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem: Value = serde_json::from_str(&self.text).unwrap();
        let code = problem["code"].as_str().unwrap();
        assert_eq!(problem["type"], format!("urn:hongbao:problem:{code}"));
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(!problem["title"].as_str().unwrap().is_empty());
        code.to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Stage {
    pub async fn start() -> Self {
        Self::with(Stores::default(), unhurried(), None).await
    }

    pub async fn with(stores: Stores, settings: ServiceSettings, tls: Option<TlsFiles>) -> Self {
        let clock = Arc::new(ManualClock::new(NOW_MS));
        Self::at(clock, stores, settings, tls).await
    }

    pub async fn with_demo(stores: Stores, demo: DemoSettings) -> Self {
        Self::with_demo_within(stores, demo, unhurried()).await
    }

    pub async fn with_demo_within(stores: Stores, demo: DemoSettings, settings: ServiceSettings) -> Self {
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let host = Host::builder().clock(clock.clone());
        let extras = Extras { demo: Some(demo), ..Extras::default() };
        Self::made(host, clock.clone(), clock, stores, settings, extras).await
    }

    /// With these rules of webhooks.
    pub async fn with_webhooks(
        clock: Arc<ManualClock>,
        stores: Stores,
        settings: ServiceSettings,
        webhooks: WebhookSettings,
    ) -> Self {
        let host = Host::builder().clock(clock.clone());
        let extras = Extras { webhooks, ..Extras::default() };
        Self::made(host, clock.clone(), clock, stores, settings, extras).await
    }

    pub async fn at(
        clock: Arc<ManualClock>,
        stores: Stores,
        settings: ServiceSettings,
        tls: Option<TlsFiles>,
    ) -> Self {
        Self::by(clock.clone(), clock, stores, settings, tls).await
    }

    /// With this compiler of plugins.
    pub async fn compiling(
        compiler: Compiler,
        clock: Arc<ManualClock>,
        stores: Stores,
        settings: ServiceSettings,
        tls: Option<TlsFiles>,
    ) -> Self {
        let host = Host::builder().clock(clock.clone()).compiler(compiler);
        let extras = Extras { tls, ..Extras::default() };
        Self::made(host, clock.clone(), clock, stores, settings, extras).await
    }

    /// A host that goes by `host_clock`, which looks at `clock`.
    pub async fn by(
        host_clock: Arc<dyn Clock>,
        clock: Arc<ManualClock>,
        stores: Stores,
        settings: ServiceSettings,
        tls: Option<TlsFiles>,
    ) -> Self {
        let host = Host::builder().clock(Arc::clone(&host_clock));
        let extras = Extras { tls, ..Extras::default() };
        Self::made(host, host_clock, clock, stores, settings, extras).await
    }

    async fn made(
        host: HostBuilder,
        host_clock: Arc<dyn Clock>,
        clock: Arc<ManualClock>,
        stores: Stores,
        settings: ServiceSettings,
        extras: Extras,
    ) -> Self {
        let Extras { tls, demo, webhooks } = extras;
        let (feed, changes) = ChangeFeed::new(Arc::<dyn Ledger>::clone(&stores.ledger));
        let host = host
            .counter(Arc::clone(&stores.counter))
            .ledger(Arc::clone(&stores.ledger))
            .packets(Arc::new(feed))
            .build()
            .unwrap();
        let announcer =
            Announcer::start(changes, Arc::clone(&stores.ledger), Arc::clone(&stores.events), host_clock);
        let scopes = [Scope::Operator].into_iter().collect();
        let label = Name::new("first").unwrap();
        let new = NewKey { tenant: None, user: None, label, scopes, expires_at_ms: None };
        let seal = Seal::of(&*stores.registry).await.unwrap();
        let (key, operator) = new.make(&seal, NOW_MS).unwrap();
        stores.registry.add_key(key).await.unwrap();
        let service = Service::builder(host.clone())
            .events(Arc::clone(&stores.events))
            .registry(Arc::clone(&stores.registry))
            .settings(settings)
            .webhooks(webhooks);
        let service = match demo {
            Some(demo) => service.demo(demo),
            None => service,
        };
        let service = service.build().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let listening = service.listen(anywhere, tls, &TenantsFile::default()).await.unwrap();
        let url = format!("{scheme}://{}", listening.address());
        let pace = Pace { settle: Duration::from_millis(10), sweep: Duration::from_millis(20) };
        let workers = Workers::start(&host, pace);
        // The client wants one, also where it speaks plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Self { url, client, clock, stores, operator, listening, announcer, workers }
    }

    /// A request, to be changed before it is sent.
    pub fn request(&self, method: Method, path: &str, key: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(key)
    }

    pub async fn get(&self, path: &str, key: &str) -> Answer {
        Answer::read(self.request(Method::GET, path, key).send().await.unwrap()).await
    }

    pub async fn delete(&self, path: &str, key: &str) -> Answer {
        Answer::read(self.request(Method::DELETE, path, key).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, key: &str, body: Value) -> Answer {
        Answer::read(self.request(Method::POST, path, key).json(&body).send().await.unwrap()).await
    }

    pub async fn put(&self, path: &str, key: &str, body: Value) -> Answer {
        Answer::read(self.request(Method::PUT, path, key).json(&body).send().await.unwrap()).await
    }

    pub async fn once(&self, path: &str, key: &str, idempotency_key: &str, body: Value) -> Answer {
        let request = self.request(Method::POST, path, key).header("idempotency-key", idempotency_key);
        Answer::read(request.json(&body).send().await.unwrap()).await
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        Answer::read(request.send().await.unwrap()).await
    }

    /// A tenant, with a key for each scope.
    pub async fn tenant(&self, name: &str) -> Keys {
        let salt = format!("make {name}");
        self.once("/v1/tenants", &self.operator, &salt, json!({"tenant": name})).await.ok();
        let mut keys = Keys::new();
        for scope in ["member", "fund", "withdraw", "admin"] {
            let path = format!("/v1/tenants/{name}/keys");
            let body = json!({"label": scope, "scopes": [scope]});
            let made = self.once(&path, &self.operator, &format!("{scope} of {name}"), body).await.ok();
            keys.insert(scope, made["key"].as_str().unwrap().to_owned());
        }
        keys
    }

    pub async fn fund(&self, keys: &Keys, user: &str, amount: u64) {
        let path = format!("/v1/users/{user}/wallet/funds");
        self.once(&path, &keys["fund"], &format!("fund {user} {amount}"), json!({"amount": amount}))
            .await
            .ok();
    }

    /// A packet of alice's in the room family.
    pub async fn packet(&self, keys: &Keys, id: &str, total: u64, shares: u32) -> String {
        let body =
            json!({"room": "family", "sender": "alice", "total": total, "shares": shares, "greeting": "hi"});
        let sent = self.once("/v1/packets", &keys["member"], id, body).await.ok();
        sent["packet"].as_str().unwrap().to_owned()
    }

    pub async fn tap(&self, keys: &Keys, packet: &str, what: &str, user: &str) -> Answer {
        self.post(&format!("/v1/packets/{packet}/{what}"), &keys["member"], json!({"user": user})).await
    }

    pub async fn stop(self) {
        self.listening.stop(Duration::ZERO).await;
        self.announcer.stop().await;
        self.workers.stop().await;
    }
}

/// Settings under which nobody asks too often: `limits` is about that.
pub fn unhurried() -> ServiceSettings {
    let rate = RateSettings { key_per_second: None, user_per_second: None, admin_per_second: None };
    ServiceSettings { rate, ..ServiceSettings::default() }
}

/// Waits until something is so.
pub async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    for _ in 0..200 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never came: {what}");
}
