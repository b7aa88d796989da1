//! Classification of Redis failures.
//!
//! One list for everybody who asks: whoever opens a counter, whoever has to know whether writes are
//! taken, the log, `/readyz` and the metrics. A sentence names neither addresses nor passwords.
//!
//! **The words differ between servers.** Redis 7 and Valkey answer a script's failed command with the
//! command's own code (`OOM …`); Redis 6, KeyDB and Dragonfly put it in the middle of a sentence that begins
//! with `ERR Error running script`. So a code counts at the beginning, and inside of an `ERR` anywhere.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::tls_fault::TlsFault;

/// What is wrong. The order within a server's answer does not matter: there is one at a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    // It answers and takes no writes.
    #[error("Redis refuses writes: its memory is full and its maxmemory-policy evicts nothing")]
    OutOfMemory,
    #[error("Redis refuses writes: it cannot save to its disk (MISCONF)")]
    DiskFailure,
    #[error("Redis refuses writes: it is a read-only replica")]
    ReadOnly,
    #[error("Redis refuses writes: it has fewer replicas than min-replicas-to-write demands")]
    TooFewReplicas,
    #[error("Redis refuses writes: its cluster is down")]
    ClusterDown,
    #[error("Redis refuses what the counter needs: {0}")]
    Forbidden(String),
    #[error("Redis refuses writes: {0}")]
    Refused(String),

    // It takes no calls at all, and may do so again.
    #[error("Redis does not answer: {0}")]
    Unreachable(String),
    #[error("Redis takes too long to answer")]
    Slow,
    #[error("Redis is loading its data")]
    Loading,
    #[error("Redis is busy with somebody's script")]
    BusyScript,
    #[error("Redis has as many clients as its maxclients allows")]
    TooManyClients,

    // Only a person can put it right.
    #[error("Redis asks for a password, and the URL has none")]
    PasswordMissing,
    #[error("Redis refuses the user or the password")]
    PasswordWrong,
    #[error("Redis has no password, and the URL has one")]
    PasswordUnwanted,
    #[error("Redis has no database of the number that the URL names")]
    NoDatabase,
    #[error("Redis is in protected mode and takes no clients from other machines")]
    Protected,
    #[error("no sentinel knows the master")]
    UnknownMaster,
    #[error("Redis is version {0}, and {oldest} or later is needed", oldest = super::OLDEST)]
    TooOld(String),
    #[error("the Redis server {0}")]
    Topology(&'static str),
    #[error("what answers is no Redis server: {0}")]
    NotRedis(String),
    #[error("TLS with Redis fails: {0}")]
    Tls(TlsFault),
    #[error("the certificates for Redis cannot be used: {0}")]
    Certificate(String),
}

/// A node of a cluster that was taken for a single server.
pub(super) const NODE_OF_A_CLUSTER: Fault =
    Fault::Topology("is a node of a cluster, which needs a URL that begins with redis+cluster://");
/// A single server that was taken for a cluster.
pub(super) const NO_CLUSTER: Fault =
    Fault::Topology("is in no cluster, so its URL has to begin with redis://");
/// A server that was taken for a sentinel.
pub(super) const NO_SENTINEL: Fault = Fault::Topology("is looked for through a server that is no sentinel");
/// A sentinel that was taken for a server.
pub(super) const SENTINEL: Fault =
    Fault::Topology("is a sentinel, which needs a URL that begins with redis+sentinel://");

impl Fault {
    /// The code in metrics.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::OutOfMemory => "out-of-memory",
            Self::DiskFailure => "disk-failure",
            Self::ReadOnly => "read-only",
            Self::TooFewReplicas => "too-few-replicas",
            Self::ClusterDown => "cluster-down",
            Self::Forbidden(_) => "forbidden",
            Self::Refused(_) => "refused",
            Self::Unreachable(_) => "unreachable",
            Self::Slow => "slow",
            Self::Loading => "loading",
            Self::BusyScript => "busy-script",
            Self::TooManyClients => "too-many-clients",
            Self::PasswordMissing | Self::PasswordWrong | Self::PasswordUnwanted => "password",
            Self::NoDatabase => "database",
            Self::Protected => "protected-mode",
            Self::UnknownMaster => "master",
            Self::TooOld(_) => "too-old",
            Self::Topology(_) => "topology",
            Self::NotRedis(_) => "not-redis",
            Self::Tls(_) => "tls",
            Self::Certificate(_) => "certificate",
        }
    }

    /// Whether the server answers and does not take writes.
    pub(super) const fn refuses_writes(&self) -> bool {
        matches!(
            self,
            Self::OutOfMemory
                | Self::DiskFailure
                | Self::ReadOnly
                | Self::TooFewReplicas
                | Self::ClusterDown
                | Self::Forbidden(_)
                | Self::Refused(_)
        )
    }

    /// A few words that strangers may read: a server's own may name a user or a key.
    pub(super) fn public_reason(&self) -> String {
        match self {
            Self::Forbidden(_) => "its user lacks a permission".into(),
            Self::Refused(_) => "see the log".into(),
            Self::Unreachable(_) => "it does not answer".into(),
            Self::Tls(_) => "TLS with it fails".into(),
            Self::Certificate(_) => "the certificates for it cannot be used".into(),
            fault => {
                let told = fault.to_string();
                told.strip_prefix("Redis refuses writes: ").unwrap_or(&told).to_owned()
            }
        }
    }

    /// Whether it can only be a mistake: found while starting, the process does not start.
    pub(super) const fn is_mistake(&self) -> bool {
        match self {
            Self::Tls(fault) => fault.is_mistake(),
            Self::Forbidden(_)
            | Self::PasswordMissing
            | Self::PasswordWrong
            | Self::PasswordUnwanted
            | Self::NoDatabase
            | Self::Protected
            | Self::UnknownMaster
            | Self::TooOld(_)
            | Self::Topology(_)
            | Self::NotRedis(_)
            | Self::Certificate(_) => true,
            _ => false,
        }
    }

    /// What to do about it.
    pub(super) const fn remedy(&self) -> &'static str {
        match self {
            Self::OutOfMemory => "raise maxmemory, or set maxmemory-policy to volatile-ttl",
            Self::DiskFailure => "look at Redis's log and its disk",
            Self::ReadOnly => "name the primary in the URL, or use sentinels",
            Self::TooFewReplicas => "bring its replicas back, or lower min-replicas-to-write",
            Self::ClusterDown => "bring the nodes back that hold the missing slots",
            Self::Forbidden(_) => "give the user the commands and keys that docs/configuration.md lists",
            Self::Refused(_) => "look at Redis's log",
            Self::Unreachable(_) | Self::Slow | Self::Loading | Self::BusyScript => {
                "bring Redis back; nothing has to be done here"
            }
            Self::TooManyClients => "raise maxclients",
            Self::PasswordMissing | Self::PasswordWrong => "correct the login in the URL or in Redis",
            Self::PasswordUnwanted => "take the password out of the URL, or set one in Redis (requirepass)",
            Self::NoDatabase => "correct the number behind the host in the URL, or raise databases in Redis",
            Self::Protected => "set a password, or protected-mode no",
            Self::UnknownMaster => "correct the name of the master in the URL",
            Self::TooOld(_) => "use a newer server",
            Self::Topology(_) | Self::NotRedis(_) => "correct the URL",
            Self::Tls(_) | Self::Certificate(_) => "correct the certificates, or the URL",
        }
    }

    /// Whether somebody should look at what answers there: the client does not say it.
    pub(super) fn is_vague(error: &RedisError, is_tls: bool) -> bool {
        match error.kind() {
            ErrorKind::Parse | ErrorKind::AuthenticationFailed => true,
            // A server without TLS may wait for more of what it takes for a command.
            ErrorKind::Io if error.is_timeout() => is_tls,
            ErrorKind::Io => !error.is_connection_refusal(),
            _ => false,
        }
    }

    /// By what the server says, or by how the way to it fails.
    pub(super) fn of(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::Io if error.is_timeout() => return Self::Slow,
            ErrorKind::Io | ErrorKind::ClusterConnectionNotFound => {
                return Self::Unreachable(plain(error));
            }
            ErrorKind::AuthenticationFailed => return Self::PasswordWrong,
            ErrorKind::Parse => return Self::NotRedis("it speaks another protocol".into()),
            ErrorKind::Server(ServerErrorKind::BusyLoading) => return Self::Loading,
            _ => {}
        }
        let said = |words: &[&str]| words.iter().any(|word| says(error, word));
        match () {
            () if said(&["OOM", "Out of memory"]) => Self::OutOfMemory,
            () if said(&["MISCONF", "No space left on device"]) => Self::DiskFailure,
            () if said(&["READONLY"]) => Self::ReadOnly,
            () if said(&["NOREPLICAS"]) => Self::TooFewReplicas,
            () if said(&["CLUSTERDOWN", "MASTERDOWN"]) => Self::ClusterDown,
            // The client cuts the code off what SELECT is answered.
            () if said(&["NOPERM", "The user executing the script", "has no permissions to run"]) => {
                Self::Forbidden(plain(error))
            }
            () if said(&["NOAUTH"]) => Self::PasswordMissing,
            () if said(&["WRONGPASS"]) => Self::PasswordWrong,
            () if said(&["DENIED"]) => Self::Protected,
            () if said(&["LOADING"]) => Self::Loading,
            () if said(&["BUSY"]) => Self::BusyScript,
            () if said(&["max number of clients"]) => Self::TooManyClients,
            () if said(&["DB index is out of range", "invalid DB index"]) => Self::NoDatabase,
            () if said(&["MOVED", "SELECT is not allowed in cluster mode"]) => NODE_OF_A_CLUSTER,
            () if said(&["cluster support disabled"]) => NO_CLUSTER,
            () if said(&["SENTINEL"]) => NO_SENTINEL,
            () if said(&["unknown command", "Unknown Redis command", "Unknown command"]) => {
                Self::Forbidden(plain(error))
            }
            () => Self::Refused(plain(error)),
        }
    }
}

/// Whether the error is of this code or has these words. Codes are in capitals; inside of a script, older
/// servers put them in the middle of a sentence.
pub(super) fn says(error: &RedisError, words: &str) -> bool {
    let is_code = words.bytes().all(|byte| byte.is_ascii_uppercase());
    match error.code() {
        Some(code) if code == words => true,
        // Another code is the answer; what stands behind it may be somebody's text.
        Some(code) if is_code && code != "ERR" => false,
        _ => {
            let detail = error.detail().unwrap_or_default();
            match is_code {
                true => detail.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == words),
                false => detail.contains(words),
            }
        }
    }
}

/// What the server says, without where in the script it says it, and no longer than a line.
pub(super) fn plain(error: &RedisError) -> String {
    const LONGEST: usize = 160;
    let text = error.detail().map_or_else(|| error.to_string(), str::to_owned);
    let text = text.split(" script: ").next().unwrap_or_default();
    let text = text.lines().next().unwrap_or_default();
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error as the client makes it from the server's line.
    fn answered(line: &str) -> RedisError {
        let answer = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        let redis::Value::ServerError(error) = answer else { panic!("an error") };
        error.into()
    }

    #[test]
    fn what_servers_say_is_understood_whatever_their_version() {
        let script = "ERR Error running script (call to f_0123): @user_script:28: @user_script: 28: ";
        let cases = [
            // Redis 7 and Valkey, alone and in a script.
            ("OOM command not allowed when used memory > 'maxmemory'.", "out-of-memory"),
            (
                "OOM command not allowed when used memory > 'maxmemory'. script: 01ab, on @user_script:28.",
                "out-of-memory",
            ),
            (
                "MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist to disk.",
                "disk-failure",
            ),
            ("MISCONF Errors writing to the AOF file: No space left on device", "disk-failure"),
            (
                "READONLY You can't write against a read only replica. script: 01ab, on @user_script:1.",
                "read-only",
            ),
            ("NOREPLICAS Not enough good replicas to write.", "too-few-replicas"),
            ("NOPERM User bob has no permissions to run the 'hset' command", "forbidden"),
            (
                "NOPERM ACL failure in script: User bob has no permissions to run the 'hset' command script: 01ab, on @user_script:1.",
                "forbidden",
            ),
            ("CLUSTERDOWN The cluster is down and only accepts read commands", "cluster-down"),
            (
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
                "cluster-down",
            ),
            // Redis 6 and KeyDB, in a script.
            (&format!("{script}-OOM command not allowed when used memory > 'maxmemory'."), "out-of-memory"),
            (
                &format!(
                    "{script}-MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk."
                ),
                "disk-failure",
            ),
            (&format!("{script}-READONLY You can't write against a read only replica."), "read-only"),
            (&format!("{script}-NOREPLICAS Not enough good replicas to write."), "too-few-replicas"),
            (
                &format!("{script}The user executing the script can't run this command or subcommand"),
                "forbidden",
            ),
            (&format!("{script}Unknown Redis command called from script"), "forbidden"),
            // Dragonfly.
            ("OOM Out of memory", "out-of-memory"),
            (&format!("{script}Out of memory"), "out-of-memory"),
            // Others, and what is no refusal.
            ("ERR unknown command 'EVALSHA', with args beginning with: 'x'", "forbidden"),
            ("ERR DB capacity quota exceeded", "refused"),
            ("ERR max number of clients reached", "too-many-clients"),
            ("LOADING Redis is loading the dataset in memory", "loading"),
            (
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
                "busy-script",
            ),
            ("NOAUTH Authentication required.", "password"),
            ("DENIED Redis is running in protected mode", "protected-mode"),
            ("ERR DB index is out of range", "database"),
            ("ERR SELECT is not allowed in cluster mode", "topology"),
        ];
        for (line, code) in cases {
            let fault = Fault::of(&answered(line));
            assert_eq!(fault.code(), code, "{line}");
            assert!(!fault.to_string().contains("@user_script:1."), "{fault}");
        }
    }

    #[test]
    fn what_stands_behind_another_code_is_no_code() {
        // Somebody's name, in a sentence about something else.
        let error = answered("NOPERM User OOM has no permissions to access one of the keys");
        assert_eq!(Fault::of(&error).code(), "forbidden");
        assert_eq!(Fault::of(&answered("ERR BOOM")).code(), "refused");
    }

    #[test]
    fn a_mistake_is_what_time_does_not_mend() {
        for fault in [Fault::OutOfMemory, Fault::ReadOnly, Fault::Loading, Fault::Unreachable("x".into())] {
            assert!(!fault.is_mistake(), "{fault}");
        }
        for fault in [Fault::PasswordWrong, Fault::NoDatabase, NO_CLUSTER, Fault::NotRedis("HTTP".into())] {
            assert!(fault.is_mistake() && !fault.refuses_writes(), "{fault}");
        }
    }
}
