//! Two tenants on one host: one with a hostile plugin, one with the real one.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Mutex;

use hongbao_host::domain::{Limit, Message, PacketId, Presser, Request, Sent, TenantId};
use hongbao_host::runtime::{CallError, Plugin, Tenant, TenantConfig};
use hongbao_host::store::Audit;
use hongbao_tests::chat::{Chat, amount, everything, plugin, request, user};
use hongbao_tests::guests::hostile;

/// A host on which the tenant `evil` has a hostile plugin.
pub struct Stage {
    /// The host, and the tenant with the real plugin.
    pub chat: Chat,
    /// The other tenant.
    pub evil: Tenant,
    /// A packet of ten shares by the other tenant's alice, sent when the real plugin still served.
    pub packet: PacketId,
    /// Another of the same tenant's packets, by dave.
    pub other: PacketId,
    /// The other tenant's books when its plugin turned hostile.
    before: Audit,
}

/// This guest, compiled once for all tests.
pub fn guest(name: &str) -> Plugin {
    static COMPILED: Mutex<BTreeMap<String, Plugin>> = Mutex::new(BTreeMap::new());
    if let Some(plugin) = COMPILED.lock().unwrap().get(name) {
        return plugin.clone();
    }
    let guest = Plugin::from_bytes(plugin().engine(), hostile(name)).expect("it fits the contract");
    COMPILED.lock().unwrap().insert(name.into(), guest.clone());
    guest
}

/// The hostile plugin's tenant, with everything granted.
pub fn evil() -> TenantConfig {
    TenantConfig { id: TenantId::new("evil").unwrap(), ..everything() }
}

impl Stage {
    pub async fn new(name: &str) -> Self {
        Self::on(name, Chat::default(), evil(), request(1000, 10)).await
    }

    pub async fn on(name: &str, chat: Chat, config: TenantConfig, request: Request) -> Self {
        let evil = chat.host.add(config, plugin()).await.expect("the real plugin serves");
        evil.fund(&user("alice"), amount(100_000)).await.unwrap();
        evil.fund(&user("dave"), amount(50)).await.unwrap();
        let packet = send(&evil, request).await;
        let other =
            send(&evil, Request { sender: user("dave"), ..hongbao_tests::chat::request(50, 5) }).await;
        evil.upgrade(guest(name)).await.expect("it looks like any other plugin");
        let before = evil.audit().await.unwrap();
        Self { chat, evil, packet, other, before }
    }

    /// No answer but this reason; the others go on; no money moved.
    pub async fn assert_stopped<T: Debug>(&self, answer: Result<T, CallError>, why: &str) {
        self.assert_failed(answer, why, None).await;
    }

    /// The same for a limit, which is counted.
    pub async fn assert_limited<T: Debug>(&self, answer: Result<T, CallError>, limit: Limit, why: &str) {
        self.assert_failed(answer, why, Some(limit)).await;
        let labels = format!("{{tenant=\"evil\",limit=\"{}\"}}", limit.name());
        assert!(self.count("limits", &labels) > 0);
    }

    async fn assert_failed<T: Debug>(&self, answer: Result<T, CallError>, why: &str, limit: Option<Limit>) {
        let error = answer.expect_err("there is no answer");
        assert_eq!(error.to_string(), format!("the plugin failed: {why}"));
        assert_eq!((error.code(), error.limit()), ("plugin-failed", limit), "{error}");
        assert!(self.count("traps", "{tenant=\"evil\"}") > 0);
        assert_eq!(self.count("traps", "{tenant=\"default\"}"), 0);
        self.assert_unharmed().await;
    }

    /// The others go on, and no money moved.
    pub async fn assert_unharmed(&self) {
        self.assert_others_go_on().await;
        self.assert_unmoved().await;
        // What broke five times in a row would be suspended, which is another test.
        self.evil.resume();
    }

    /// No money of the tenant's moved since its plugin turned hostile.
    pub async fn assert_unmoved(&self) {
        self.chat.settle_all().await;
        assert_eq!(self.evil.audit().await.unwrap(), self.before);
        self.assert_conserved().await;
    }

    /// The tenant's books agree with themselves, whatever moved.
    pub async fn assert_conserved(&self) {
        assert!(self.evil.audit().await.unwrap().is_conserved());
        assert_eq!(self.evil.verify().await.unwrap(), []);
    }

    /// The tenant with the real plugin sends, grabs, opens, and its money arrives.
    pub async fn assert_others_go_on(&self) {
        let before = self.chat.balance("carol").await;
        let packet = self.chat.equal(20, 2).await;
        assert_eq!(self.chat.take(packet, "carol").await.amount, amount(10));
        self.chat.settle_all().await;
        assert_eq!(self.chat.balance("carol").await, before + 10);
        self.chat.assert_conserved().await;
    }

    /// What the tenant's user has.
    pub async fn balance(&self, name: &str) -> u64 {
        self.evil.balance(&user(name)).await.unwrap().get()
    }

    /// A counter of the host's metrics.
    pub fn count(&self, name: &str, labels: &str) -> u64 {
        let (metrics, name) = (self.chat.host.metrics(), format!("hongbao_{name}_total{labels} "));
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.map_or(0, |count| count.parse().unwrap())
    }
}

async fn send(tenant: &Tenant, request: Request) -> PacketId {
    match tenant.send(request).await.unwrap().unwrap() {
        Sent::Sent(packet) => packet,
        other => panic!("it was sent: {other:?}"),
    }
}

/// Alice types this.
pub fn message(text: &str) -> Message {
    Message {
        id: text.into(),
        room: "room".into(),
        sender: user("alice"),
        text: text.into(),
        mentions: Vec::new(),
        language: "en".into(),
    }
}

/// Bob presses a button.
pub fn bob() -> Presser {
    Presser { user: user("bob"), language: "en".into() }
}
