//! Facts about a server from `INFO`.

use redis::Value;

use super::OLDEST;
use super::fault::{Fault, NODE_OF_A_CLUSTER, SENTINEL};

/// The answer to `INFO`.
pub(super) struct Info(String);

impl Info {
    /// Empty where it is no text.
    pub(super) fn of(answer: Value) -> Self {
        Self(redis::from_redis_value(answer).unwrap_or_default())
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    /// Whether this server will do, if it tells.
    pub(super) fn recognise(&self, is_cluster: bool) -> Result<(), Fault> {
        match self.find("redis_mode") {
            Some("sentinel") => return Err(SENTINEL),
            Some("cluster") if !is_cluster => return Err(NODE_OF_A_CLUSTER),
            _ => {}
        }
        match self.find("redis_version") {
            Some(found) if is_older(found) => Err(Fault::TooOld(found.to_owned())),
            _ => Ok(()),
        }
    }

    /// How this server's memory policy can make it refuse writes, in a sentence with the remedy.
    ///
    /// All that is kept here has a time to live, so `volatile-…` frees memory as well as `allkeys-…` does,
    /// unless the memory is full of what others keep for ever.
    pub(super) fn memory_risk(&self) -> Option<String> {
        let limit = self.find("maxmemory").and_then(|bytes| bytes.parse::<u64>().ok()).unwrap_or(0);
        let policy = self.find("maxmemory_policy")?;
        if limit == 0 {
            return None;
        }
        let reason = match policy {
            "noeviction" => "refuses writes when it is full",
            policy if policy.starts_with("volatile-") && self.keys_kept_for_ever() > 0 => {
                "refuses writes when it is full of keys without a time to live, and it holds some that are \
                 not of Hongbao"
            }
            _ => return None,
        };
        Some(format!(
            "Redis {reason} (maxmemory {limit}, maxmemory-policy {policy}): grabs would be contended. Set \
             maxmemory-policy volatile-ttl, or allkeys-lru where other keys may go too"
        ))
    }

    /// Keys without a time to live, in all databases.
    fn keys_kept_for_ever(&self) -> u64 {
        let databases = self.0.lines().filter(|line| line.starts_with("db") && line.contains(":keys="));
        let number = |line: &str, name: &str| -> u64 {
            let value = line.split([':', ',']).find_map(|part| part.trim().strip_prefix(name));
            value.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        databases.map(|line| number(line, "keys=").saturating_sub(number(line, "expires="))).sum()
    }
}

/// Whether a version is below [`OLDEST`], by its first two numbers.
fn is_older(version: &str) -> bool {
    let numbers = |text: &str| {
        let mut parts = text.split('.').map_while(|part| part.parse::<u32>().ok());
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    };
    numbers(version) < numbers(OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(lines: &[&str]) -> Info {
        Info(lines.iter().map(|line| format!("{line}\r\n")).collect())
    }

    #[test]
    fn a_server_is_recognised_by_its_mode_and_its_version() {
        let code = |lines: &[&str]| info(lines).recognise(false).err().map(|fault| fault.code());
        assert_eq!(code(&["redis_version:7.0.15", "redis_mode:standalone"]), None);
        assert_eq!(code(&["redis_version:6.0.0"]), None);
        assert_eq!(code(&["redis_version:5.0.14"]), Some("too-old"));
        assert_eq!(code(&["redis_version:10.1"]), None);
        assert_eq!(code(&["redis_version:7.2.4", "redis_mode:cluster"]), Some("topology"));
        assert_eq!(code(&["redis_version:7.2.4", "redis_mode:sentinel"]), Some("topology"));
        assert_eq!(code(&[]), None, "who says nothing is not turned away");
        assert!(info(&["redis_mode:cluster"]).recognise(true).is_ok());
    }

    #[test]
    fn a_memory_policy_that_can_refuse_writes_is_told() {
        let risk = |limit: &str, policy: &str, keys: &str| {
            let lines = [
                format!("maxmemory:{limit}"),
                format!("maxmemory_policy:{policy}"),
                "maxmemory_human:x".into(),
                keys.into(),
            ];
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            info(&lines).memory_risk()
        };
        let others = "db0:keys=5,expires=5,avg_ttl=0\r\ndb3:keys=7,expires=6,avg_ttl=0";
        let own = "db0:keys=5,expires=5,avg_ttl=0,subexpiry=0";
        assert!(risk("1024", "noeviction", "").unwrap().contains("maxmemory-policy volatile-ttl"));
        assert!(risk("1024", "volatile-lru", others).unwrap().contains("without a time to live"));
        assert_eq!(risk("1024", "volatile-ttl", own), None);
        assert_eq!(risk("1024", "allkeys-lru", others), None);
        assert_eq!(risk("0", "noeviction", others), None, "without a limit nothing is full");
        assert_eq!(info(&[]).memory_risk(), None);
    }
}
