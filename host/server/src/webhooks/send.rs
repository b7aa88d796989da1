//! One message to one endpoint: what is sent, what counts as taken, and how little is read of an answer.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};

use super::schedule::retry_after_ms;
use super::sign::signatures;
use super::target::{Refused, Rules};
use hongbao_store::Webhook;

/// Of an answer so much is read at most, in bytes.
const READ_BYTES: usize = 4096;
/// And so much is told, in characters.
const TOLD_CHARS: usize = 256;
/// What an answer that counts still has to say is waited for so long, so that its connection can be used again.
const DRAIN: Duration = Duration::from_secs(1);
/// To connect, TLS included.
const CONNECT: Duration = Duration::from_secs(5);

/// What came of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was taken.
    Delivered,
    /// The endpoint wants no messages any more (410).
    Gone,
    /// It was not taken.
    Failed {
        /// A word for the metrics.
        reason: &'static str,
        /// How long the receiver wants to be left alone.
        pause_ms: Option<u64>,
    },
}

/// What came of a message, and what the receiver said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) outcome: Outcome,
    /// Of the answer, where there was one.
    pub(crate) status: Option<u16>,
    /// In one line.
    pub(crate) told: String,
    pub(crate) took: Duration,
}

/// A message, but for its signature.
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: Vec<u8>,
}

/// Sends messages. No redirect is followed, no proxy of the environment asked.
pub(super) struct Sender {
    client: Client,
    rules: Rules,
    time_limit: Duration,
}

impl Sender {
    /// # Errors
    /// When there are no root certificates.
    pub(super) fn new(rules: Rules, time_limit: Duration) -> Result<Self, reqwest::Error> {
        // Somebody who embeds this may have chosen a provider already, which is then used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("Hongbao/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(rules.clone()))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(Duration::from_secs(15))
            .pool_max_idle_per_host(4)
            .build()?;
        Ok(Self { client, rules, time_limit })
    }

    /// Sends a message, signed with the secrets that are in use at that time, within the time limit.
    pub(super) async fn send(&self, webhook: &Webhook, message: Message, now_ms: u64) -> Reply {
        let begun = Instant::now();
        let sent = tokio::time::timeout(self.time_limit, self.attempt(webhook, message, now_ms)).await;
        let (outcome, status, told) = sent.unwrap_or_else(|_| {
            let told = format!("no answer within {} ms", self.time_limit.as_millis());
            (failed("timed-out"), None, told)
        });
        Reply { outcome, status, told, took: begun.elapsed() }
    }

    async fn attempt(
        &self,
        webhook: &Webhook,
        message: Message,
        now_ms: u64,
    ) -> (Outcome, Option<u16>, String) {
        // Rules may be stricter than when the endpoint was made; an address in the URL is looked up by nobody.
        let url = match self.rules.url(&webhook.url) {
            Ok(url) => url,
            Err(refused) => return (failed("refused-address"), None, refused.to_string()),
        };
        let timestamp_s = now_ms / 1000;
        let former =
            webhook.former.iter().filter(|(_, until_ms)| now_ms < *until_ms).map(|(secret, _)| secret);
        let secrets = std::iter::once(&webhook.secret).chain(former);
        let signatures = signatures(secrets, &message.id, timestamp_s, &message.body);
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp_s)
            .header("webhook-signature", signatures)
            .body(message.body);
        match request.send().await {
            Ok(answer) => judged(answer, now_ms).await,
            Err(error) => not_answered(&error),
        }
    }
}

const fn failed(reason: &'static str) -> Outcome {
    Outcome::Failed { reason, pause_ms: None }
}

/// The status decides, and nothing else that the receiver says.
async fn judged(mut answer: Response, now_ms: u64) -> (Outcome, Option<u16>, String) {
    let status = answer.status();
    let pause_ms = pause_ms(status, answer.headers(), now_ms);
    let told_by_head = match answer.headers().get(LOCATION) {
        Some(place) if status.is_redirection() => {
            format!("answered {}, and no redirect is followed: {}", status.as_u16(), line(place.as_bytes()))
        }
        _ => format!("answered {}", status.as_u16()),
    };
    let outcome = match status {
        status if status.is_success() => Outcome::Delivered,
        StatusCode::GONE => Outcome::Gone,
        status if status.is_redirection() => Outcome::Failed { reason: "redirect", pause_ms },
        status if status.is_client_error() => Outcome::Failed { reason: "client-error", pause_ms },
        _ => Outcome::Failed { reason: "server-error", pause_ms },
    };
    // The beginning of what it says, also where the rest never comes.
    let mut said = Vec::new();
    let _ = tokio::time::timeout(DRAIN, read(&mut answer, &mut said)).await;
    let said = line(&said);
    let told = if said.is_empty() { told_by_head } else { format!("{told_by_head}: {said}") };
    (outcome, Some(status.as_u16()), told)
}

fn pause_ms(status: StatusCode, headers: &HeaderMap, now_ms: u64) -> Option<u64> {
    let may_ask = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
    let header = headers.get(RETRY_AFTER).filter(|_| may_ask)?;
    retry_after_ms(header.to_str().ok()?, now_ms)
}

async fn read(answer: &mut Response, said: &mut Vec<u8>) {
    while let Ok(Some(chunk)) = answer.chunk().await {
        let room = READ_BYTES - said.len();
        said.extend(chunk.iter().take(room));
        if said.len() >= READ_BYTES {
            return;
        }
    }
}

/// The beginning of what somebody said, in one line that turns nothing around it and that every store keeps.
fn line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut told = String::new();
    let mut count = 0;
    for one in text.trim().chars() {
        let is_special =
            one.is_control() || matches!(one, '\u{2028}' | '\u{2029}') || hongbao_domain::turns(one);
        let escaped: String = if is_special { one.escape_default().collect() } else { one.into() };
        count += escaped.chars().count();
        if count > TOLD_CHARS {
            break;
        }
        told.push_str(&escaped);
    }
    told
}

fn not_answered(error: &reqwest::Error) -> (Outcome, Option<u16>, String) {
    let mut chain: Vec<&dyn Error> = Vec::new();
    let mut next = error.source();
    while let Some(source) = next {
        chain.push(source);
        next = source.source();
    }
    if let Some(refused) = chain.iter().find_map(|error| error.downcast_ref::<Refused>()) {
        let reason =
            if matches!(refused, Refused::NoAddress(_)) { "not-connected" } else { "refused-address" };
        return (failed(reason), None, refused.to_string());
    }
    let why = chain.last().map_or_else(|| error.to_string(), ToString::to_string);
    let why = line(why.as_bytes());
    match error {
        error if error.is_timeout() => (failed("timed-out"), None, format!("no connection in time: {why}")),
        error if error.is_connect() => (failed("not-connected"), None, format!("no connection: {why}")),
        _ => (failed("cut-off"), None, format!("the connection ended before an answer: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_receiver_says_is_one_short_line() {
        for (said, told) in [
            (&b"  oops \n"[..], "oops"),
            (b"a\r\nb\0", "a\\r\\nb\\u{0}"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            ("till \u{202e}lla".as_bytes(), "till \\u{202e}lla"),
            ("坏了".as_bytes(), "坏了"),
        ] {
            assert_eq!(line(said), told);
        }
        assert_eq!(line(&[b'x'; 5000]), "x".repeat(TOLD_CHARS));
        assert!(line(&[0; 5000]).chars().count() <= TOLD_CHARS);
    }
}
