//! A homeserver, a Hongbao, a bridge between them, and three people.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::json;
use tempfile::TempDir;

use crate::people::Person;
use crate::process::{Process, free_port};
use crate::service::Service;
use crate::synapse::{SERVER, Synapse};

const BRIDGE: &str = env!("CARGO_BIN_EXE_hongbao-matrix-under-test");

/// Far more than anything takes that does not hang. A homeserver that was refused waits up to 16 s meanwhile.
const PATIENCE: Duration = Duration::from_secs(45);

pub const BOT: &str = "@hongbao:hongbao.test";

pub struct Stage {
    pub synapse: Synapse,
    pub hongbao: Service,
    pub client: Client,
    pub alice: Person,
    pub bob: Person,
    pub carol: Person,
    /// Where the bridge listens.
    pub bridge_url: String,
    args: Vec<String>,
    bridge: Option<Process>,
    folder: TempDir,
}

impl Stage {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With more arguments of the bridge.
    pub async fn with(more: &[&str]) -> Self {
        // Somebody else in this process may have chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let folder = TempDir::new().unwrap();
        let bridge_url = format!("http://127.0.0.1:{}", free_port());
        let registration = registration(&folder, &bridge_url);
        let mut synapse = Synapse::new(folder.path(), &registration);
        synapse.start();
        let hongbao = Service::start(folder.path(), client.clone()).await;
        fs::write(folder.path().join("key"), &hongbao.key).unwrap();
        answers(&client, &synapse).await;
        let [alice, bob, carol] =
            ["alice", "bob", "carol"].map(|name| Person::register(&synapse.url, &client, name));
        let (alice, bob, carol) = (alice.await, bob.await, carol.await);
        let key = folder.path().join("key").display().to_string();
        let registration = registration.display().to_string();
        let fixed =
            ["run", "--registration", &registration, "--key-file", &key, "--homeserver", &synapse.url];
        let fixed = fixed.into_iter().chain(["--hongbao", &hongbao.url, "-v"]);
        let args = fixed.chain(more.iter().copied()).map(str::to_owned).collect();
        let mut stage =
            Self { synapse, hongbao, client, alice, bob, carol, bridge_url, args, bridge: None, folder };
        stage.hongbao.fund(&stage.alice.id, 100_000).await;
        stage.bridge().await;
        stage
    }

    /// Starts the bridge; waits until it listens.
    pub async fn bridge(&mut self) {
        let log = self.folder.path().join("bridge.log");
        let process = Process::start(BRIDGE, &self.args, log);
        until("a bridge that listens", || async { process.said().contains("bridge listens") }).await;
        self.bridge = Some(process);
    }

    /// Kills the bridge; gives what it said.
    pub fn kill_bridge(&mut self) -> String {
        let mut process = self.bridge.take().unwrap();
        process.signal("KILL");
        process.wait();
        let said = process.said();
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    pub fn bridge_said(&self) -> String {
        self.bridge.as_ref().map(Process::said).unwrap_or_default()
    }

    /// The token by which the homeserver calls the bridge.
    pub fn hs_token(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("hongbao.yaml")).unwrap();
        text.split("hs_token: \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    /// A room of alice's, with the bridge and everybody in it.
    pub async fn room(&self) -> String {
        self.room_with(json!([])).await
    }

    pub async fn room_with(&self, state: serde_json::Value) -> String {
        let room = self.alice.make_room(&[BOT, &self.bob.id, &self.carol.id], state).await;
        self.bob.join(&room).await;
        self.carol.join(&room).await;
        until("the bridge in the room", || self.alice.is_member(&room, BOT)).await;
        room
    }

    /// Starts a homeserver that was killed.
    pub async fn start_synapse(&mut self) {
        self.synapse.start();
        answers(&self.client, &self.synapse).await;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the bridge said:\n{}\nSynapse said:\n{}", self.bridge_said(), self.synapse.said());
        }
    }
}

/// Made as a person does, by the command.
fn registration(folder: &TempDir, url: &str) -> PathBuf {
    let output =
        Command::new(BRIDGE).args(["registration", "--url", url, "--server-name", SERVER]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let file = folder.path().join("hongbao.yaml");
    fs::write(&file, output.stdout).unwrap();
    file
}

async fn answers(client: &Client, synapse: &Synapse) {
    let url = format!("{}/_matrix/client/versions", synapse.url);
    until("a homeserver", || async {
        client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
}

/// Waits until something is so.
pub async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
