//! A PostgreSQL server that keeps what it acknowledged, and a standby of it.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::account::Account;
use super::keeper::{Keeper, directory};
use super::{ports, printed, program, wait_for};

/// What every server is configured with: as durable as PostgreSQL is by default, and fit to have a
/// standby. Dynamic shared memory is in the directory, so that a kill leaves none behind.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
timezone = 'UTC'
max_connections = 200
shared_buffers = 128MB
fsync = on
full_page_writes = on
synchronous_commit = on
wal_level = replica
max_wal_senders = 10
wal_keep_size = 256MB
";

/// What a server shows, and whom it trusts, in PEM.
pub struct TlsFiles {
    /// Its certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// Who signs certificates of clients, if it asks for these.
    pub authority: Option<String>,
}

/// A PostgreSQL server with one superuser, `postgres`, who needs no password.
pub struct Postgres {
    keeper: Keeper,
    port: u16,
    options: Vec<String>,
    password: OnceLock<String>,
}

impl Postgres {
    /// A server with nothing in it.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server with more options, such as `["-c", "password_encryption=md5"]`.
    #[must_use]
    #[track_caller]
    pub fn start_with(options: &[&str]) -> Self {
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        Self::launch(&options, copy_template)
    }

    /// A server with TLS, and with rules of its own about who may connect, as in `pg_hba.conf`.
    #[must_use]
    #[track_caller]
    pub fn start_tls(files: &TlsFiles, rules: &str) -> Self {
        let authority = files.authority.as_ref().map(|_| "ssl_ca_file=authority.crt");
        let settings = ["fsync=off", "ssl=on", "ssl_cert_file=own.crt", "ssl_key_file=own.key"];
        let settings = settings.into_iter().chain(authority);
        let options: Vec<_> = settings.flat_map(|setting| ["-c".to_owned(), setting.to_owned()]).collect();
        Self::launch(&options, |account, data| {
            copy_template(account, data);
            let authority = files.authority.as_deref().unwrap_or_default();
            for (name, text) in [
                ("own.crt", files.certificate.as_str()),
                ("own.key", &files.key),
                ("authority.crt", authority),
                ("pg_hba.conf", rules),
            ] {
                let file = data.join(name);
                fs::write(&file, text).expect("a file of ours");
                fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("a file of ours");
                account.own(&file);
            }
        })
    }

    /// A server that follows this one, which from now on lets no commit return before the standby
    /// has it on its disk. It can be read from, until it is promoted. Several may follow one server:
    /// a commit waits for any of them that was connected first.
    #[must_use]
    #[track_caller]
    pub fn standby(primary: &Self) -> Self {
        let standby = Self::launch(&primary.options, |account, data| {
            let mut copy = account.command(program("pg_basebackup"));
            primary.connect(&mut copy).args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
            must(copy.arg("--pgdata").arg(data));
            // The copy of a primary that waits for standbys would wait for its own once it is promoted.
            let settings = data.join("postgresql.auto.conf");
            let text = fs::read_to_string(&settings).expect("every server has one");
            fs::write(settings, text + "synchronous_standby_names = ''\n").expect("a file of ours");
        });
        if let Some(password) = primary.password.get() {
            standby.password.get_or_init(|| password.clone());
        }
        primary.commits_wait_for("*");
        wait_for("a standby in sync", || {
            let states = primary.psql("postgres", "SELECT DISTINCT state FROM pg_stat_replication");
            let sync = "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'";
            (states == "streaming" && primary.psql("postgres", sync) == "t").then_some(())
        });
        standby
    }

    /// A server on a free port whose directory, which is empty, is filled by `fill`.
    #[track_caller]
    fn launch(options: &[String], fill: impl Fn(Account, &Path)) -> Self {
        ports::on_a_free_port(|port| {
            let directory = directory();
            let account = Account::unprivileged(directory.path());
            let data = directory.path().join("data").display().to_string();
            let mut server = vec![program("postgres").display().to_string()];
            server.extend(["-D", &data, "-p", &port.to_string()].map(str::to_owned));
            server.extend_from_slice(options);
            let keeper = Keeper::new(directory, account, &server);
            fill(account, &keeper.data());
            let postgres = Self { keeper, port, options: options.to_vec(), password: OnceLock::new() };
            postgres.keeper.start(|pid| postgres.is_ready(pid)).map(|()| postgres)
        })
    }

    /// PostgreSQL writes there which process runs, and whether it takes connections.
    fn is_ready(&self, pid: u32) -> bool {
        let state = fs::read_to_string(self.keeper.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = state.lines().map(str::trim);
        lines.next() == Some(&pid.to_string()) && lines.nth(6) == Some("ready")
    }

    /// Such as `postgres://postgres@127.0.0.1:12345/database`, with the password if there is one.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let password = self.password.get().map(|password| format!(":{password}")).unwrap_or_default();
        format!("postgres://postgres{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database; gives its URL.
    #[track_caller]
    pub fn fresh_database(&self) -> String {
        // Of the process and not of the server: a standby has its primary's databases.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = format!("fresh_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The port, which stays the same over a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Address and port, as a [`Proxy`](super::Proxy) wants them.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ports::local(self.port)
    }

    /// Where its data are.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.keeper.data()
    }

    /// Kills the server and its backends by SIGKILL, and waits until they are gone.
    pub fn kill(&self) {
        self.keeper.end();
    }

    /// Starts the server again, on the same port and directory; kills it first if it runs. It has
    /// recovered from its crash when this returns.
    #[track_caller]
    pub fn restart(&self) {
        self.keeper.restart(|pid| self.is_ready(pid));
    }

    /// Stops the server and its backends where they are, by SIGSTOP: connections stay open, nothing is
    /// answered.
    pub fn pause(&self) {
        self.keeper.signal_all("STOP");
    }

    /// Lets a paused server go on, with the statements that were under way.
    pub fn resume(&self) {
        self.keeper.signal_all("CONT");
    }

    /// From now on nobody connects without this password, which [`url`](Self::url) has from now on.
    /// It goes into URLs and SQL as it is, so letters and digits are best.
    #[track_caller]
    pub fn require_password(&self, password: &str) {
        self.psql("postgres", &format!("ALTER ROLE postgres PASSWORD '{password}'"));
        let rules = "host all,replication all 127.0.0.1/32 scram-sha-256\n";
        fs::write(self.directory().join("pg_hba.conf"), rules).expect("a file of ours");
        self.keeper.signal("HUP");
        wait_for("a server that wants a password", || self.try_psql("postgres", "SELECT 1").err());
        self.password.get_or_init(|| password.to_owned());
    }

    /// Sets `synchronous_standby_names`: `*` for any standby, nothing to wait for none, which frees
    /// the commits that are waiting.
    #[track_caller]
    pub fn commits_wait_for(&self, names: &str) {
        self.psql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"));
        self.keeper.signal("HUP");
        wait_for("a server with new settings", || {
            (self.psql("postgres", "SHOW synchronous_standby_names") == names).then_some(())
        });
    }

    /// A standby receives nothing any more; waits until that is so.
    #[track_caller]
    pub fn stop_following(&self) {
        self.psql("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
        self.keeper.signal("HUP");
        wait_for("a standby that receives nothing", || {
            (self.psql("postgres", "SELECT count(*) FROM pg_stat_wal_receiver") == "0").then_some(())
        });
    }

    /// Makes a standby a server of its own; waits until it is one.
    #[track_caller]
    pub fn promote(&self) {
        self.psql("postgres", "SELECT pg_promote(wait => false)");
        wait_for("a standby that was promoted", || (!self.is_in_recovery()).then_some(()));
    }

    /// Whether the server is a standby.
    #[must_use]
    #[track_caller]
    pub fn is_in_recovery(&self) -> bool {
        self.psql("postgres", "SELECT pg_is_in_recovery()") == "t"
    }

    /// What `psql` prints for some SQL: a line for each row, `|` between columns.
    ///
    /// # Panics
    ///
    /// When it fails.
    #[track_caller]
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.try_psql(database, sql).unwrap_or_else(|error| panic!("psql {sql:?}: {error}"))
    }

    /// The same where it may fail.
    ///
    /// # Errors
    ///
    /// What `psql` complains about.
    pub fn try_psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let mut psql = Account::OWN.command(program("psql"));
        self.connect(&mut psql).args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"]);
        printed(psql.args(["--set=ON_ERROR_STOP=1", "--dbname", database, "--command", sql]))
    }

    /// Restores a dump of our schema in one of these databases into one of another server.
    ///
    /// # Panics
    ///
    /// When a program fails.
    #[track_caller]
    pub fn dump_into(&self, database: &str, other: &Self, copy: &str) {
        let mut dump = Account::OWN.command(program("pg_dump"));
        let dumped = self.connect(&mut dump).args(["--schema=hongbao", "--dbname", database]).output();
        let dumped = dumped.expect("pg_dump runs");
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        let mut psql = Account::OWN.command(program("psql"));
        other.connect(&mut psql).args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", copy]);
        let mut restoring = psql.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("psql runs");
        let mut input = restoring.stdin.take().expect("it was asked for");
        input.write_all(&dumped.stdout).expect("psql reads");
        drop(input);
        assert!(restoring.wait().expect("psql ends").success());
    }

    /// Tells one of PostgreSQL's programs where to connect.
    fn connect<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        if let Some(password) = self.password.get() {
            command.env("PGPASSWORD", password);
        }
        let port = self.port.to_string();
        command.args(["--host=127.0.0.1", "--username=postgres", "--no-password", "--port", &port])
    }
}

/// A directory as `initdb` makes it, with our settings; made once for each process, since a copy
/// takes less time.
#[track_caller]
fn template(account: Account) -> &'static Keeper {
    static TEMPLATE: OnceLock<Keeper> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let keeper = Keeper::new(directory(), account, &[]);
        let mut initdb = account.command(program("initdb"));
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        must(initdb.arg("--pgdata").arg(keeper.data()));
        let settings = keeper.data().join("postgresql.conf");
        let text = fs::read_to_string(&settings).expect("initdb has made it");
        fs::write(settings, text + SETTINGS).expect("a file of ours");
        keeper
    })
}

/// Fills a server's directory.
#[track_caller]
fn copy_template(account: Account, data: &Path) {
    let mut copy = account.command("cp");
    copy.arg("-a").arg(template(account).data().join(".")).arg(data);
    must(&mut copy);
}

#[track_caller]
fn must(command: &mut Command) {
    if let Err(error) = printed(command) {
        panic!("{command:?}: {error}");
    }
}
