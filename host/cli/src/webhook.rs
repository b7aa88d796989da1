//! `hongbao webhook listen`: a receiver of messages for development.

use std::io::{Write as _, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::args::{Reaction, WebhookArgs, WebhookCommand};
use super::exit::{Exit, InputError};
use super::setting::Setting;
use super::terminal;
use hongbao_domain::decode;
use hongbao_runtime::imports::{Clock as _, SystemClock};
use hongbao_server::{Received, ServeError, VerifyError};

const SECRET: &str = "HONGBAO_WEBHOOK_SECRET";
/// Longer than the service waits.
const SLOW: Duration = Duration::from_secs(20);

/// What answers messages.
struct Receiver {
    /// Any of these may have signed.
    secrets: Vec<String>,
    answer: Reaction,
    json: bool,
}

pub(super) async fn run(args: WebhookArgs) -> anyhow::Result<Exit> {
    let WebhookCommand::Listen { port, secret, answer, json } = args.command;
    let secrets = secrets(secret)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| ServeError::Listen { address: address.to_string(), source })?;
    let address = listener.local_addr()?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut out = stdout();
    let what = if secrets.is_empty() { "are not verified: give --secret" } else { "are verified" };
    if !json {
        writeln!(out, "Messages to http://{address}/ are printed; signatures {what}.")?;
    }
    eprintln_once(&format!(
        "The service sends here with --webhooks-allow-http and --webhooks-allow-private-addresses. Listening on {address}."
    ));
    let receiver = Arc::new(Receiver { secrets, answer, json });
    let router = Router::new().fallback(receive).with_state(receiver);
    tokio::select! {
        ended = axum::serve(listener, router) => ended?,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(Exit::Ok)
}

/// To a person, beside what a program reads.
fn eprintln_once(sentence: &str) {
    let _ = writeln!(std::io::stderr(), "{sentence}");
}

/// From the command line, or else from the environment. What is none is refused before anything is received.
fn secrets(given: Vec<String>) -> Result<Vec<String>, InputError> {
    let named = match given.is_empty() {
        true => Setting::in_the_environment(SECRET)?.into_iter().collect(),
        false => {
            given.iter().map(|secret| Setting::new("--secret", secret)).collect::<Result<Vec<_>, _>>()?
        }
    };
    let nothing = Received { id: "", timestamp_s: 0, signatures: "", body: b"" };
    for setting in &named {
        if nothing.verify(&setting.value, 0) == Err(VerifyError::Secret) {
            return Err(setting.unusable("usage", VerifyError::Secret));
        }
    }
    Ok(named.into_iter().map(|setting| setting.value).collect())
}

impl Receiver {
    /// Whether a message is signed by one of the secrets; None where there is none. Otherwise why not.
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Option<Result<(), String>> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Ok(timestamp_s) = header("webhook-timestamp").parse() else {
            return (!self.secrets.is_empty()).then(|| Err("it has no webhook-timestamp in seconds".into()));
        };
        let received =
            Received { id: header("webhook-id"), timestamp_s, signatures: header("webhook-signature"), body };
        let now_s = SystemClock.now_ms() / 1000;
        let mut why = None;
        for secret in &self.secrets {
            match received.verify(secret, now_s) {
                Ok(()) => return Some(Ok(())),
                Err(error) => why = Some(Err(error.to_string())),
            }
        }
        why
    }

    fn line(&self, headers: &HeaderMap, body: &[u8], verified: Option<&Result<(), String>>) -> String {
        let id = headers.get("webhook-id").and_then(|value| value.to_str().ok()).unwrap_or("-");
        let event: Option<Value> = decode::json(body).ok();
        let text = || Value::from(String::from_utf8_lossy(body).into_owned());
        if self.json {
            let verified = verified.map(|verified| verified.is_ok());
            return json!({"id": id, "is_verified": verified, "message": event.unwrap_or_else(text)})
                .to_string();
        }
        let mark = match verified {
            None => "signature not verified".into(),
            Some(Ok(())) => "signature right".to_owned(),
            Some(Err(why)) => format!("signature WRONG: {why}"),
        };
        let part = |name: &str| {
            let part = event.as_ref().and_then(|event| event.get(name)).and_then(Value::as_str);
            part.unwrap_or("?").to_owned()
        };
        let data = event.as_ref().and_then(|event| event.get("data")).cloned().unwrap_or_else(text);
        terminal::line(&format!("{}  {}  {data}  {id}  {mark}", part("timestamp"), part("type")))
    }
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let verified = receiver.verify(&headers, &body);
    // Where nobody reads any more, there is nobody to tell.
    let _ = writeln!(stdout(), "{}", receiver.line(&headers, &body, verified.as_ref()));
    if verified.is_some_and(|verified| verified.is_err()) {
        return StatusCode::UNAUTHORIZED;
    }
    match receiver.answer {
        Reaction::Status(status) => StatusCode::from_u16(status).unwrap_or(StatusCode::NO_CONTENT),
        Reaction::Slow => {
            tokio::time::sleep(SLOW).await;
            StatusCode::NO_CONTENT
        }
    }
}
