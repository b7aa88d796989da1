//! What may stand on the command line.

mod plugin;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;

pub(super) use plugin::{FileArgs, PackArgs, PluginArgs, PluginCommand, RunArgs};

use hongbao_domain::Strategy;

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   the books or the counters do not agree (audit, reconcile, demo, play, plugin run)
  64  the command line or a setting is wrong
  65  input is malformed: a line of a log or a script, a packet that cannot be, a file that is no plugin
  66  a file or a ledger that should be read is not there
  69  a store does not answer now, and may later
  70  the plugin or the program itself failed
  73  the data directory cannot be used or is in use, or a file is there already
  74  output cannot be written, or input cannot be read
  78  a store cannot be used until somebody mends it: its password, rights, version or schema

69 may pass by itself, and after 70 and 74 another try may do; the others stay until somebody changes something.

Environment: HONGBAO_LEDGER, HONGBAO_DATA, HONGBAO_COUNTER, HONGBAO_TENANT and HONGBAO_CONFIG are used
where the options of the same names are not given. HONGBAO_LOG filters the log, such as info,plugin=debug.
Spaces and line feeds around a value are cut off, and an empty variable is not set.";

/// A red packet (微信红包) system: a WebAssembly plugin and the host that runs it.
#[derive(Debug, Parser)]
#[command(name = "hongbao", version, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,

    /// Load this component instead of the embedded plugin
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) plugin: Option<PathBuf>,

    /// Say more on standard error; repeat for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the HTTP API, and with --demo a chat page to try it
    #[command(after_help = "Examples:
  hongbao serve --demo                 # then open the page that it names
  hongbao serve --demo --demo-public --listen 0.0.0.0:8080   # for everybody around
  hongbao serve --data ./books
  hongbao serve --config /etc/hongbao/hongbao.toml
  hongbao serve --counter redis://localhost --ledger postgres://localhost/books

Without a ledger of its own it keeps one in ./hongbao-data, and with --demo in memory.
SIGTERM and Ctrl-C let requests finish; with TLS, SIGHUP reads the certificate again.
A data directory is used by one service at a time.")]
    Serve(ServeArgs),

    /// Make, list and revoke API keys of a service
    #[command(after_help = "Examples:
  hongbao key create --label ops --operator --data ./hongbao-data
  hongbao key create --label backend --scope member --scope fund --tenant acme --data ./hongbao-data
  hongbao key list --tenant acme --data ./hongbao-data
  hongbao key revoke 0123456789abcdef --tenant acme --data ./hongbao-data")]
    Key(KeyArgs),

    /// Look whether a configuration file is right
    #[command(after_help = "Examples:
  hongbao config check hongbao.toml
  hongbao config check hongbao.toml --connect   # also asks the stores")]
    Config(ConfigArgs),

    /// Hundreds of users grab and open several packets at once; every cent is accounted for
    #[command(after_help = "Examples:
  hongbao demo
  hongbao demo --users 2000 --seed 8
  hongbao demo --data ./books     # keeps the ledger; run it again and it continues
  hongbao demo --json | jq .audit
  hongbao demo --counter redis://localhost --ledger postgres://localhost/books

On servers it keeps to the tenant `sandbox` and the namespace `hongbao-sandbox`, since it moves the clock.")]
    Demo(DemoArgs),

    /// Replay a log of chat events, one JSON object a line
    #[command(after_help = "Examples:
  hongbao play events.jsonl
  hongbao play events.jsonl --data ./books --seed 8
  echo '{\"op\":\"fund\",\"user\":\"alice\",\"amount\":10000}' | hongbao play -

Events: fund, send, grab, open, details, together, advance, settle, balance, lose-cache,
reconcile, audit. The clock of a play stands still until `advance` moves it. On servers a play keeps
to the tenant `sandbox` and the namespace `hongbao-sandbox` for that reason.")]
    Play(PlayArgs),

    /// Draw many packets through the plugin and show what each position gets
    #[command(after_help = "Examples:
  hongbao simulate --strategy double-average --total 1000 --shares 10 --packets 20000
  hongbao simulate --strategy wechat-observed --total 60 --shares 15 --packets 5000 --json")]
    Simulate(SimulateArgs),

    /// Add up the books
    #[command(after_help = "Examples:
  hongbao audit --data ./books
  hongbao audit --ledger postgres://localhost/books --tenant acme")]
    Audit(AuditArgs),

    /// Compare everything that should agree: counters, packets, claims, movements, balances
    #[command(after_help = "Examples:
  hongbao reconcile --data ./books --json
  hongbao reconcile --ledger postgres://localhost/books --counter redis://localhost --repair")]
    Reconcile(ReconcileArgs),

    /// Credit the claims that wait, or list those that could not be credited
    #[command(after_help = "Examples:
  hongbao settle --ledger postgres://localhost/books
  hongbao settle --ledger postgres://localhost/books --parked
  hongbao settle --ledger postgres://localhost/books --retry")]
    Settle(SettleArgs),

    /// Make the books of a database, or bring them to this program's version
    #[command(after_help = "Example:\n  hongbao migrate --ledger postgres://localhost/books")]
    Migrate(MigrateArgs),

    /// Look at plugin files, judge them, make them, and try them
    #[command(after_help = "Examples:
  hongbao plugin inspect plugin.wasm
  hongbao plugin validate ./plugins/hongbao
  hongbao plugin pack my_plugin.wasm -o my_plugin/
  hongbao plugin run ./my_plugin")]
    Plugin(PluginArgs),

    /// Compile a plugin for the process that starts this one
    #[command(hide = true)]
    CompilePlugin(CompilePluginArgs),
}

/// What one compilation may take.
#[derive(Debug, Args)]
pub(super) struct CompilePluginArgs {
    #[arg(long, value_name = "N")]
    pub(super) seconds: u64,

    #[arg(long, value_name = "N")]
    pub(super) memory_bytes: u64,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// How many users tap
    #[arg(long, default_value_t = 300, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub(super) users: u32,

    #[command(flatten)]
    pub(super) stores: StoreArgs,

    /// Draw from this seed instead of the system's randomness
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,

    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) listen: Option<SocketAddr>,

    /// Serve a chat page, on which anybody may join as whoever they like
    #[arg(long)]
    pub(super) demo: bool,

    /// Let the demo listen on an address that others can reach
    #[arg(long, requires = "demo")]
    pub(super) demo_public: bool,

    /// Open the page, or the documentation, in a browser
    #[arg(long)]
    pub(super) open: bool,

    #[command(flatten)]
    pub(super) stores: StoreArgs,

    /// Certificate for TLS, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_certificate: Option<PathBuf>,

    /// Its private key, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(super) tls_key: Option<PathBuf>,

    /// How the log is written
    #[arg(long, value_enum, value_name = "FORM")]
    pub(super) log: Option<LogForm>,
}

/// An address to listen on. Names are not looked up: one may stand for several addresses, of which others can
/// reach some.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let why = "it must be a numeric address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080";
    text.parse().map_err(|_| why.to_owned())
}

/// How a log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LogForm {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    pub(super) command: KeyCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key; it is shown this once
    Create {
        /// For people, to tell keys apart
        #[arg(long, value_name = "TEXT")]
        label: String,

        /// The operator's, for tenants and the service itself
        #[arg(long, conflicts_with_all = ["scope", "tenant"])]
        operator: bool,

        /// What the tenant's key may be used for: member, fund, admin
        #[arg(long, value_name = "SCOPE", required_unless_present = "operator")]
        scope: Vec<String>,

        /// Days until it is refused; never by default
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=36_500))]
        days: Option<u64>,

        #[command(flatten)]
        stores: StoreArgs,
    },
    /// List keys, without their secrets
    List {
        /// The operator's
        #[arg(long, conflicts_with = "tenant")]
        operator: bool,

        #[command(flatten)]
        stores: StoreArgs,
    },
    /// Revoke a key; hosts refuse it within five seconds
    Revoke {
        /// Its public part: the 16 digits after hb_
        #[arg(value_name = "ID")]
        id: String,

        /// The operator's
        #[arg(long, conflicts_with = "tenant")]
        operator: bool,

        #[command(flatten)]
        stores: StoreArgs,
    },
}

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    pub(super) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Read a configuration file as serve would, and say what it means
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// Also ask the stores whether they can be used
        #[arg(long)]
        connect: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct PlayArgs {
    /// The log, or - for standard input
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,

    #[command(flatten)]
    pub(super) stores: StoreArgs,

    /// Draw from this seed instead of the system's randomness
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,

    /// Print nothing but JSON: no closing sentence on standard error
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// How shares are drawn: one of the plugin's strategies, such as double-average, wechat-observed, line-cut or
    /// equal
    #[arg(long, value_name = "NAME")]
    pub(super) strategy: Strategy,

    /// Total of each packet, in minor units
    #[arg(long, value_name = "T")]
    pub(super) total: u64,

    /// Shares of each packet
    #[arg(long, value_name = "N")]
    pub(super) shares: u32,

    /// How many packets
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) packets: u64,

    /// Draw from this seed instead of the system's randomness
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,

    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    pub(super) stores: StoreArgs,

    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReconcileArgs {
    #[command(flatten)]
    pub(super) stores: StoreArgs,

    /// Forget counters that do not agree, and refund packets that are overdue
    #[arg(long)]
    pub(super) repair: bool,

    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SettleArgs {
    #[command(flatten)]
    pub(super) stores: StoreArgs,

    /// List the claims that could not be credited, and settle nothing
    #[arg(long, conflicts_with = "retry")]
    pub(super) parked: bool,

    /// Put parked claims back in the queue first
    #[arg(long)]
    pub(super) retry: bool,

    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    pub(super) stores: StoreArgs,
}

/// Where the stores are. Each may also stand in the environment or in the configuration file.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Stores")]
pub(super) struct StoreArgs {
    /// Keep the ledger in this directory (SQLite)
    #[arg(long, value_name = "DIR", conflicts_with = "ledger")]
    pub(super) data: Option<PathBuf>,

    /// Keep the ledger in PostgreSQL: postgres://user:password@host:5432/database
    #[arg(long, value_name = "URL")]
    pub(super) ledger: Option<String>,

    /// Keep counters in Redis: redis://, redis+sentinel:// or redis+cluster://, by TLS with rediss
    /// in place of redis
    #[arg(long, value_name = "URL")]
    pub(super) counter: Option<String>,

    /// Whose packets these are
    #[arg(long, value_name = "NAME")]
    pub(super) tenant: Option<String>,

    /// Read what is not named here from a TOML file: data or ledger, counter, tenant, and the
    /// tables plugins and tenants
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}
