//! Iteration over all keys of a namespace, on every master.

use std::sync::Arc;

use redis::{Cmd, RedisError};

use super::error::Failure;
use super::link::{Link, Master};

/// So many keys are looked at before there is an answer: a fraction of a millisecond of the server.
const PAGE: usize = 500;

/// A scan that is under way. What is there from its beginning to its end is met at least once.
pub(super) struct Scan {
    link: Arc<Link>,
    /// Those that are left; the last is the present one.
    masters: Vec<Master>,
    cursor: u64,
    pattern: String,
    /// None for keys of every type.
    kind: Option<&'static str>,
}

impl Scan {
    pub(super) async fn begin(
        link: &Arc<Link>,
        pattern: String,
        kind: Option<&'static str>,
    ) -> Result<Self, Failure> {
        let masters = link.masters().await?;
        Ok(Self { link: Arc::clone(link), masters, cursor: 0, pattern, kind })
    }

    /// The next page, which may be empty; none after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<String>>, Failure> {
        let command = self.command();
        let Some(master) = self.masters.last_mut() else { return Ok(None) };
        let page = self.link.ask(master, &command).await?;
        let keys;
        (self.cursor, keys) = redis::from_redis_value(page).map_err(RedisError::from)?;
        if self.cursor == 0 {
            self.masters.pop();
        }
        Ok(Some(keys))
    }

    fn command(&self) -> Cmd {
        let mut command = redis::cmd("SCAN");
        command.arg(self.cursor).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(PAGE);
        if let Some(kind) = self.kind {
            command.arg("TYPE").arg(kind);
        }
        command
    }
}
