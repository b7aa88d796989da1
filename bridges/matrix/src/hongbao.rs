//! Hongbao's HTTP API, as much of it as a bridge needs.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::fault::Fault;
use crate::json::at;
use crate::web::{self, Answer, segment};

const BEGINS_WITHIN: Duration = Duration::from_secs(20);

/// Codes of problems that pass by themselves, or when an operator mends them: the key, a suspension.
const PASSING: &[&str] = &[
    "busy",
    "unavailable",
    "rate-limited",
    "in-progress",
    "clock",
    "suspended",
    "plugin-not-ready",
    "unauthenticated",
    "forbidden",
];

/// Codes of problems that may be the same for ever.
const DOUBTFUL: &[&str] = &["internal", "plugin-failed", "timed-out"];

/// A service, and the key by which this bridge is known to it.
#[derive(Clone)]
pub(crate) struct Hongbao {
    pub(crate) http: Client,
    /// Without a slash at its end.
    pub(crate) url: String,
    pub(crate) key: String,
}

/// A message as somebody typed it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) sender: String,
    pub(crate) text: String,
    pub(crate) mentions: Vec<Mention>,
    pub(crate) language: String,
}

/// A user who stands in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mention {
    pub(crate) text: String,
    pub(crate) user: String,
}

/// What came of a message.
#[derive(Debug, Deserialize)]
pub(crate) struct Said {
    #[serde(default)]
    pub(crate) did_you_mean: Option<String>,
    pub(crate) replies: Vec<Reply>,
}

/// One part of an answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Reply {
    Card {
        card: Card,
    },
    Notice {
        text: String,
    },
    Problem {
        code: String,
        message: String,
    },
    /// A later version's.
    #[serde(other)]
    Unknown,
}

/// Something to look at.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Card {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) packet: Option<String>,
    pub(crate) private: bool,
    pub(crate) theme: String,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) fields: Vec<Field>,
}

/// A line of a card.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Field {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    pub(crate) label: String,
    pub(crate) value: String,
}

/// What came of a tap.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Admitted,
    AlreadyGrabbed,
    Contended,
    Opened,
    AlreadyOpened,
    NotGrabbed,
    Exhausted,
    Expired,
    NotEligible,
    /// A later version's.
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Deserialize)]
struct Tapped {
    outcome: Outcome,
}

/// How a packet stands.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) state: String,
    pub(crate) sender: String,
    pub(crate) shares: u32,
    pub(crate) total: u64,
    pub(crate) claimed_amount: u64,
    pub(crate) claimed_shares: u32,
    pub(crate) refunded: u64,
    pub(crate) expires_at_ms: u64,
}

#[derive(Deserialize)]
struct Replies {
    replies: Vec<Reply>,
}

impl Hongbao {
    /// Says something in a room: a command, for everything else is none of this bridge's business.
    pub(crate) async fn say(&self, room: &str, message: &Message) -> Result<Said, Fault> {
        let said: Said = self.post(&format!("/v1/rooms/{}/messages", segment(room)), &json!(message)).await?;
        said.replies.iter().try_for_each(settled)?;
        Ok(said)
    }

    /// Grabs and opens for a user. Asked again it gives the same.
    pub(crate) async fn grab_and_open(&self, packet: &str, user: &str) -> Result<Outcome, Fault> {
        let path = format!("/v1/packets/{}/grab-and-open", segment(packet));
        let tapped: Tapped = self.post(&path, &json!({"user": user})).await?;
        Ok(tapped.outcome)
    }

    /// Presses a button of a packet's card.
    pub(crate) async fn press(
        &self,
        packet: &str,
        action: &str,
        user: &str,
        language: &str,
    ) -> Result<Vec<Reply>, Fault> {
        let path = format!("/v1/packets/{}/actions/{}", segment(packet), segment(action));
        let answer: Replies = self.post(&path, &json!({"user": user, "language": language})).await?;
        answer.replies.iter().try_for_each(settled)?;
        Ok(answer.replies)
    }

    pub(crate) async fn details(&self, packet: &str) -> Result<Details, Fault> {
        self.get(&format!("/v1/packets/{}", segment(packet))).await
    }

    /// Whether a user's wallet has ever been used.
    pub(crate) async fn knows(&self, user: &str) -> Result<bool, Fault> {
        let path = format!("/v1/users/{}/wallet/statement?limit=1", segment(user));
        let page: Value = self.get(&path).await?;
        Ok(at(&page, &["items"]).as_array().is_some_and(|items| !items.is_empty()))
    }

    /// Whether it answers, and takes the key.
    pub(crate) async fn check(&self, user: &str) -> Result<(), Fault> {
        self.get::<Value>(&format!("/v1/users/{}/wallet", segment(user))).await.map(drop)
    }

    /// The stream of a room's events, from now on.
    pub(crate) async fn events(&self, room: &str) -> Result<Response, Fault> {
        let url = format!("{}/v1/rooms/{}/events", self.url, segment(room));
        let sent = timeout(BEGINS_WITHIN, self.http.get(url).bearer_auth(&self.key).send()).await;
        let sent = sent.map_err(|_| Fault::Passing("the stream of events did not begin in time".into()))?;
        let response = sent.map_err(|error| Fault::Passing(error.without_url().to_string()))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            status => Err(Fault::Passing(format!("the stream of events was refused with {status}"))),
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let request = self.http.get(format!("{}{path}", self.url));
        read(web::ask(request.bearer_auth(&self.key)).await?)
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Fault> {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        read(web::ask(request.bearer_auth(&self.key)).await?)
    }
}

fn read<T: DeserializeOwned>(answer: Answer) -> Result<T, Fault> {
    if answer.status.is_success() {
        return serde_json::from_value(answer.body)
            .map_err(|error| Fault::Passing(format!("this is no answer of Hongbao: {error}")));
    }
    Err(problem(&answer))
}

/// A refusal without a problem document is another server's, such as a proxy's, and says nothing of Hongbao.
fn problem(answer: &Answer) -> Fault {
    let text = |name: &str| at(&answer.body, &[name]).as_str().map(str::to_owned);
    let (Some(code), Some(_)) = (text("code"), text("type").filter(|kind| kind.starts_with("urn:hongbao:")))
    else {
        return Fault::Passing(format!("something in front of Hongbao answered {}", answer.status));
    };
    by_code(code, text("detail").unwrap_or_default())
}

fn by_code(code: String, message: String) -> Fault {
    if PASSING.contains(&code.as_str()) {
        Fault::Passing(format!("{message} ({code})"))
    } else if DOUBTFUL.contains(&code.as_str()) {
        Fault::Doubtful(format!("{message} ({code})"))
    } else {
        Fault::refused(code, message)
    }
}

/// A plugin says in a reply that a store does not answer. Whether it was done is then unknown, and asking again with the
/// same id does it once; all other problems are for the user.
fn settled(reply: &Reply) -> Result<(), Fault> {
    match reply {
        Reply::Problem { code, message } => match by_code(code.clone(), message.clone()) {
            Fault::Final { .. } => Ok(()),
            fault => Err(fault),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, body: Value) -> Fault {
        problem(&Answer { status: StatusCode::from_u16(status).unwrap(), body })
    }

    fn document(code: &str) -> Value {
        json!({"type": format!("urn:hongbao:problem:{code}"), "code": code, "detail": "why"})
    }

    #[test]
    fn what_may_pass_is_asked_again_and_what_is_refused_is_not() {
        for code in PASSING {
            assert_eq!(fault(503, document(code)), Fault::Passing(format!("why ({code})")));
        }
        for code in DOUBTFUL {
            assert_eq!(fault(500, document(code)), Fault::Doubtful(format!("why ({code})")));
        }
        for code in ["not-found", "insufficient-funds", "key-reused", "quota-reached", "of-tomorrow"] {
            assert_eq!(fault(422, document(code)), Fault::refused(code, "why"));
        }
    }

    #[test]
    fn an_answer_of_another_server_refuses_nothing() {
        for body in [Value::Null, json!([]), json!({"code": "not-found"}), json!({"errcode": "M_NOT_FOUND"})]
        {
            assert!(matches!(fault(404, body), Fault::Passing(_)));
        }
        let answer = Answer { status: StatusCode::OK, body: json!({"hello": 1}) };
        assert!(matches!(read::<Details>(answer), Err(Fault::Passing(_))));
    }

    #[test]
    fn a_plugin_that_found_no_store_is_asked_again() {
        let reply = |code: &str| Reply::Problem { code: code.into(), message: "why".into() };
        assert!(settled(&reply("insufficient-funds")).is_ok());
        assert!(settled(&Reply::Notice { text: "unavailable".into() }).is_ok());
        assert!(matches!(settled(&reply("unavailable")), Err(Fault::Passing(_))));
        assert!(matches!(settled(&reply("internal")), Err(Fault::Doubtful(_))));
    }

    #[test]
    fn what_a_later_version_adds_is_skipped() {
        let said = json!({"said": false, "handled": true, "replies": [{"kind": "song"}], "new": 1});
        let said: Said = serde_json::from_value(said).unwrap();
        assert!(matches!(said.replies.as_slice(), [Reply::Unknown]));
        let tapped: Tapped = serde_json::from_value(json!({"outcome": "delighted", "amount": 1})).unwrap();
        assert_eq!(tapped.outcome, Outcome::Unknown);
    }
}
