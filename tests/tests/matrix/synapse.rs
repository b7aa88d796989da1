//! A private Synapse, with SQLite in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::process::{Process, free_port};

pub const SERVER: &str = "hongbao.test";

pub struct Synapse {
    pub url: String,
    folder: PathBuf,
    process: Option<Process>,
}

impl Synapse {
    /// With an application service of this registration file. It is not started yet.
    pub fn new(folder: &Path, registration: &Path) -> Self {
        let port = free_port();
        let folder = folder.join("synapse");
        fs::create_dir(&folder).unwrap();
        let place = |name: &str| folder.join(name).display().to_string();
        // Limits that people would run into are off: they are Synapse's own and tested there.
        let unlimited = json!({"per_second": 1000, "burst_count": 1000});
        let config = json!({
            "server_name": SERVER,
            "listeners": [{"port": port, "bind_addresses": ["127.0.0.1"], "type": "http", "resources": [{"names": ["client"]}]}],
            "database": {"name": "sqlite3", "args": {"database": place("homeserver.db")}},
            "log_config": place("log.json"),
            "media_store_path": place("media"),
            "signing_key_path": place("signing.key"),
            "macaroon_secret_key": "m", "form_secret": "f",
            "report_stats": false, "suppress_key_server_warning": true, "trusted_key_servers": [],
            "enable_registration": true, "enable_registration_without_verification": true,
            "bcrypt_rounds": 4, "presence": {"enabled": false},
            "app_service_config_files": [registration.display().to_string()],
            "rc_message": unlimited, "rc_registration": unlimited,
            "rc_joins": {"local": unlimited}, "rc_invites": {"per_room": unlimited, "per_user": unlimited},
            "rc_room_creation": unlimited,
        });
        // YAML has JSON in it.
        fs::write(folder.join("homeserver.yaml"), config.to_string()).unwrap();
        let log = json!({"version": 1, "root": {"level": "WARNING", "handlers": ["console"]},
            "handlers": {"console": {"class": "logging.StreamHandler"}}});
        fs::write(folder.join("log.json"), log.to_string()).unwrap();
        // 32 bytes: every private server of a test may have the same.
        fs::write(folder.join("signing.key"), format!("ed25519 a_test {}\n", "A".repeat(43))).unwrap();
        Self { url: format!("http://127.0.0.1:{port}"), folder, process: None }
    }

    pub fn start(&mut self) {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/matrix/python/bin/python");
        assert!(python.exists(), "{} is not there; run `cargo xtask setup matrix`", python.display());
        let config = self.folder.join("homeserver.yaml").display().to_string();
        let args = ["-m", "synapse.app.homeserver", "-c", &config].map(str::to_owned);
        self.process = Some(Process::start(python, &args, self.folder.join("log")));
    }

    pub fn said(&self) -> String {
        self.process.as_ref().map(Process::said).unwrap_or_default()
    }

    /// Kills it; what it knows is in its database.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.signal("KILL");
        process.wait();
    }
}
