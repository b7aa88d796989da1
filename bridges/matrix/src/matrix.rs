//! The homeserver's client API, as much of it as a bridge needs.
//!
//! Every request can be repeated: what is sent has a transaction id that is made of the event it answers.

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::fault::{Fault, unless_refused};
use crate::json::at;
use crate::web::{self, Answer, segment};

const CLIENT: &str = "/_matrix/client/v3";

/// A homeserver, and the token by which this application service is known to it.
#[derive(Clone)]
pub(crate) struct Matrix {
    pub(crate) http: Client,
    /// Without a slash at its end.
    pub(crate) url: String,
    pub(crate) token: String,
    /// The id of the bridge's user, such as `@hongbao:example.org`.
    pub(crate) bot: String,
}

impl Matrix {
    /// Makes the bridge's user, unless it is there; gives its id.
    pub(crate) async fn register(&self, localpart: &str) -> Result<String, Fault> {
        let body =
            json!({"type": "m.login.application_service", "username": localpart, "inhibit_login": true});
        let registered = self.ask(Method::POST, &format!("{CLIENT}/register"), Some(body)).await;
        match registered {
            Err(fault) if !fault.has_code("M_USER_IN_USE") => return Err(fault),
            _ => {}
        }
        let who = self.ask(Method::GET, &format!("{CLIENT}/account/whoami"), None).await?;
        let bot = at(&who, &["user_id"]).as_str();
        bot.map(str::to_owned).ok_or_else(|| Fault::Passing("this is no answer of a homeserver".into()))
    }

    pub(crate) async fn set_name(&self, name: &str) -> Result<(), Fault> {
        let path = format!("{CLIENT}/profile/{}/displayname", segment(&self.bot));
        self.ask(Method::PUT, &path, Some(json!({"displayname": name}))).await.map(drop)
    }

    /// Has the homeserver send this bridge a sign.
    pub(crate) async fn ping(&self, id: &str) -> Result<(), Fault> {
        let path = format!("/_matrix/client/v1/appservice/{}/ping", segment(id));
        self.ask(Method::POST, &path, Some(json!({"transaction_id": "hongbao"}))).await.map(drop)
    }

    pub(crate) async fn join(&self, room: &str, via: &str) -> Result<(), Fault> {
        let via = segment(via);
        let path = format!("{CLIENT}/join/{}?via={via}&server_name={via}", segment(room));
        self.ask(Method::POST, &path, Some(json!({}))).await.map(drop)
    }

    pub(crate) async fn leave(&self, room: &str) -> Result<(), Fault> {
        self.ask(Method::POST, &format!("{CLIENT}/rooms/{}/leave", segment(room)), Some(json!({})))
            .await
            .map(drop)
    }

    pub(crate) async fn joined_rooms(&self) -> Result<Vec<String>, Fault> {
        let answer = self.ask(Method::GET, &format!("{CLIENT}/joined_rooms"), None).await?;
        let rooms = at(&answer, &["joined_rooms"]).as_array().cloned().unwrap_or_default();
        Ok(rooms.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// Sends an event; gives its id. The same transaction id gives the same event.
    pub(crate) async fn send(
        &self,
        room: &str,
        kind: &str,
        transaction: &str,
        content: &Value,
    ) -> Result<String, Fault> {
        let path =
            format!("{CLIENT}/rooms/{}/send/{}/{}", segment(room), segment(kind), segment(transaction));
        let answer = self.ask(Method::PUT, &path, Some(content.clone())).await?;
        let id = at(&answer, &["event_id"]).as_str();
        id.map(str::to_owned).ok_or_else(|| Fault::Passing("this is no answer of a homeserver".into()))
    }

    /// An event; none where there is none that the bridge may see.
    pub(crate) async fn event(&self, room: &str, id: &str) -> Result<Option<Value>, Fault> {
        let path = format!("{CLIENT}/rooms/{}/event/{}", segment(room), segment(id));
        unless_refused(self.ask(Method::GET, &path, None).await)
    }

    /// Events that refer to another one.
    pub(crate) async fn references(&self, room: &str, id: &str) -> Result<Vec<Value>, Fault> {
        let path = format!(
            "/_matrix/client/v1/rooms/{}/relations/{}/m.reference/m.room.message?limit=50",
            segment(room),
            segment(id)
        );
        self.chunk(&path).await
    }

    /// The bridge's own latest messages in a room.
    pub(crate) async fn own_messages(&self, room: &str) -> Result<Vec<Value>, Fault> {
        let filter = json!({"senders": [self.bot], "types": ["m.room.message"]}).to_string();
        let path =
            format!("{CLIENT}/rooms/{}/messages?dir=b&limit=100&filter={}", segment(room), segment(&filter));
        self.chunk(&path).await
    }

    async fn chunk(&self, path: &str) -> Result<Vec<Value>, Fault> {
        let answer = unless_refused(self.ask(Method::GET, path, None).await)?;
        Ok(answer.and_then(|answer| at(&answer, &["chunk"]).as_array().cloned()).unwrap_or_default())
    }

    /// The content of a state event; none where there is none.
    pub(crate) async fn state(&self, room: &str, kind: &str, key: &str) -> Result<Option<Value>, Fault> {
        let path = format!("{CLIENT}/rooms/{}/state/{}/{}", segment(room), segment(kind), segment(key));
        unless_refused(self.ask(Method::GET, &path, None).await)
    }

    /// A state event as a whole; none where there is none.
    pub(crate) async fn event_of_state(&self, room: &str, kind: &str) -> Result<Option<Value>, Fault> {
        let path = format!("{CLIENT}/rooms/{}/state/{}/?format=event", segment(room), segment(kind));
        unless_refused(self.ask(Method::GET, &path, None).await)
    }

    /// The id of the room of an alias; none where there is none.
    pub(crate) async fn resolve(&self, alias: &str) -> Result<Option<String>, Fault> {
        let path = format!("{CLIENT}/directory/room/{}", segment(alias));
        let answer = unless_refused(self.ask(Method::GET, &path, None).await)?;
        Ok(answer.and_then(|answer| at(&answer, &["room_id"]).as_str().map(str::to_owned)))
    }

    /// What the bridge has written down about a room, on the homeserver and for itself alone.
    pub(crate) async fn notes(&self, room: &str, kind: &str) -> Result<Option<Value>, Fault> {
        unless_refused(self.ask(Method::GET, &self.notes_path(room, kind), None).await)
    }

    pub(crate) async fn write_notes(&self, room: &str, kind: &str, notes: Value) -> Result<(), Fault> {
        self.ask(Method::PUT, &self.notes_path(room, kind), Some(notes)).await.map(drop)
    }

    fn notes_path(&self, room: &str, kind: &str) -> String {
        let (bot, room) = (segment(&self.bot), segment(room));
        format!("{CLIENT}/user/{bot}/rooms/{room}/account_data/{}", segment(kind))
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Fault> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = &body {
            request = request.json(body);
        }
        read(web::ask(request).await?)
    }
}

fn read(answer: Answer) -> Result<Value, Fault> {
    let Answer { status, body } = answer;
    if status.is_success() && body.is_object() {
        return Ok(body);
    }
    let code = at(&body, &["errcode"]).as_str();
    let message = at(&body, &["error"]).as_str().unwrap_or_default();
    match code {
        // A token that the homeserver does not know is for the operator to mend.
        Some(code) if is_final(status) && !matches!(code, "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN") => {
            Err(Fault::refused(code, message))
        }
        Some(code) => Err(Fault::Passing(format!("the homeserver answered {status}: {message} ({code})"))),
        None => Err(Fault::Passing(format!("something in front of the homeserver answered {status}"))),
    }
}

fn is_final(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: Value) -> Result<Value, Fault> {
        read(Answer { status: StatusCode::from_u16(status).unwrap(), body })
    }

    #[test]
    fn only_the_homeserver_itself_refuses() {
        let error = |code: &str| json!({"errcode": code, "error": "why"});
        assert_eq!(answer(200, json!({"a": 1})), Ok(json!({"a": 1})));
        assert_eq!(answer(403, error("M_FORBIDDEN")), Err(Fault::refused("M_FORBIDDEN", "why")));
        for (status, body) in [
            (429, error("M_LIMIT_EXCEEDED")),
            (500, error("M_UNKNOWN")),
            (401, error("M_UNKNOWN_TOKEN")),
            (404, Value::Null),
            (200, Value::Null),
            (302, json!({})),
        ] {
            assert!(matches!(answer(status, body), Err(Fault::Passing(_))), "{status}");
        }
    }
}
