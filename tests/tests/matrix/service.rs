//! A `hongbao serve` on a data directory, and its keys.

use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::process::{Process, free_port};

pub const BINARY: &str = env!("CARGO_BIN_EXE_hongbao-under-test");
const TENANT: &str = "acme";

pub struct Service {
    pub url: String,
    /// Of the scope `member`.
    pub key: String,
    folder: PathBuf,
    port: u16,
    operator: String,
    client: Client,
    process: Option<Process>,
}

impl Service {
    /// With the tenant `acme`.
    pub async fn start(folder: &Path, client: Client) -> Self {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let folder = folder.to_owned();
        let mut service =
            Self { url, key: String::new(), folder, port, operator: String::new(), client, process: None };
        // The first start makes the directory, in which a key can be made.
        service.serve().await;
        service.operator = service.operator_key();
        let tenant = json!({"tenant": TENANT});
        service.ask(Method::POST, "/v1/tenants", Some(tenant)).await;
        let key = json!({"label": "matrix", "scopes": ["member"]});
        let made = service.ask(Method::POST, "/v1/tenants/acme/keys", Some(key)).await;
        service.key = made["key"].as_str().unwrap().to_owned();
        service
    }

    /// Serves, and waits until it does.
    pub async fn serve(&mut self) {
        let address = format!("127.0.0.1:{}", self.port);
        let data = self.folder.join("books").display().to_string();
        let args = ["serve", "--data", &data, "--listen", &address].map(str::to_owned);
        let process = Process::start(BINARY, &args, self.folder.join("hongbao.log"));
        crate::stage::until("a Hongbao that serves", || async { process.said().contains("serves on") }).await;
        self.process = Some(process);
    }

    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.signal("KILL");
        process.wait();
    }

    fn operator_key(&self) -> String {
        let mut command = Command::new(BINARY);
        command
            .args(["key", "create", "--operator", "--label", "test", "--data"])
            .arg(self.folder.join("books"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Asks as the operator.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let key = if path.starts_with("/v1/tenants") { &self.operator } else { &self.key };
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(key);
        if let Some(body) = body {
            let once = format!("{path} {body}");
            request = request.header("idempotency-key", once.get(..100).unwrap_or(&once)).json(&body);
        }
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, None).await
    }

    /// Puts money into a wallet.
    pub async fn fund(&self, user: &str, amount: u64) {
        let key = json!({"label": format!("fund {user}"), "scopes": ["fund"]});
        let made = self.ask(Method::POST, "/v1/tenants/acme/keys", Some(key)).await;
        let path = format!("{}/v1/users/{user}/wallet/funds", self.url);
        let request = self.client.post(path).bearer_auth(made["key"].as_str().unwrap());
        let answer =
            request.header("idempotency-key", user).json(&json!({"amount": amount})).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// The policy's values that are not the default.
    pub async fn configure(&self, policy: Value) {
        self.ask(Method::PUT, "/v1/tenants/acme/settings", Some(json!({"policy": policy}))).await;
    }

    /// Panics unless the books agree; gives how many packets and claims there are.
    pub async fn audited(&self) -> (u64, u64) {
        let audit = self.get("/v1/tenants/acme/audit").await;
        assert_eq!(audit["is_conserved"], true, "{audit}");
        assert_eq!(audit["discrepancies"], json!([]), "{audit}");
        (audit["packets"].as_u64().unwrap(), audit["claims"].as_u64().unwrap())
    }
}
