//! The command line: arguments and their help.

mod plugin;
mod webhook;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;

pub(super) use plugin::{FileArgs, PackArgs, PluginArgs, PluginCommand, RunArgs};
pub(super) use webhook::{Reaction, WebhookArgs, WebhookCommand};

use hongbao_domain::{MoneyEventId, Strategy};

const EXIT_CODES: &str = "\
Exit codes:
  0   success
  1   the ledger or the counters are inconsistent (audit, reconcile, demo, play, plugin run)
  64  the command line or a setting is invalid
  65  input is malformed: a line of a log or a script, an impossible packet, a file that is not a plugin
  66  an input file or a ledger does not exist
  69  a store is unavailable at the moment
  70  the plugin or the program itself failed
  73  the data directory cannot be used or is in use, or an output file exists
  74  output cannot be written, or input cannot be read
  78  a store is misconfigured: its password, rights, version or schema

69 may pass without intervention, and a retry may help after 70 and 74; all others need a change.

Environment: HONGBAO_LEDGER, HONGBAO_DATA, HONGBAO_COUNTER, HONGBAO_TENANT and HONGBAO_CONFIG are used
if the option of the same name is not given. HONGBAO_LOG filters the log, such as info,plugin=debug.
Spaces and line feeds around a value are removed; an empty variable counts as not set.";

/// A red packet (微信红包) system: a WebAssembly plugin and the host that runs it.
#[derive(Debug, Parser)]
#[command(name = "hongbao", version, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,

    /// Load this component instead of the embedded plugin
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) plugin: Option<PathBuf>,

    /// Log more on standard error; repeat to log even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the HTTP API; with --demo, also a chat page to try it
    #[command(after_help = "Examples:
  hongbao serve --demo                 # then open the printed address
  hongbao serve --demo --demo-public --listen 0.0.0.0:8080   # reachable from other machines
  hongbao serve --data ./books
  hongbao serve --config /etc/hongbao/hongbao.toml
  hongbao serve --counter redis://localhost --ledger postgres://localhost/books

Without --data or --ledger, the ledger is in ./hongbao-data, or in memory with --demo.
SIGTERM and Ctrl-C let requests finish; with TLS, SIGHUP reloads the certificate.
Only one service at a time can use a data directory.")]
    Serve(ServeArgs),

    /// Create, list and revoke API keys of a service
    #[command(after_help = "Examples:
  hongbao key create --label ops --operator --data ./hongbao-data
  hongbao key create --label backend --scope member --scope fund --tenant acme --data ./hongbao-data
  hongbao key list --tenant acme --data ./hongbao-data
  hongbao key revoke 0123456789abcdef --tenant acme --data ./hongbao-data")]
    Key(KeyArgs),

    /// Check a configuration file
    #[command(after_help = "Examples:
  hongbao config check hongbao.toml
  hongbao config check hongbao.toml --connect   # also connects to the stores")]
    Config(ConfigArgs),

    /// Simulate hundreds of users who grab and open several packets at once, then audit the ledger
    #[command(after_help = "Examples:
  hongbao demo
  hongbao demo --users 2000 --seed 8
  hongbao demo --data ./books     # keeps the ledger; run it again and it continues
  hongbao demo --json | jq .audit
  hongbao demo --counter redis://localhost --ledger postgres://localhost/books

The demo moves the clock. On servers it therefore uses the tenant `sandbox` and the namespace `hongbao-sandbox`.")]
    Demo(DemoArgs),

    /// Replay a log of chat events, one JSON object per line
    #[command(after_help = "Examples:
  hongbao play events.jsonl
  hongbao play events.jsonl --data ./books --seed 8
  echo '{\"op\":\"fund\",\"user\":\"alice\",\"amount\":10000}' | hongbao play -

Events: fund, send, grab, open, details, together, advance, settle, balance, withdraw, complete,
cancel, lose-cache, reconcile, audit. The clock only moves with `advance`. On servers `play` therefore uses the tenant
`sandbox` and the namespace `hongbao-sandbox`.")]
    Play(PlayArgs),

    /// Simulate many packets with the plugin and show the amounts by position
    #[command(after_help = "Examples:
  hongbao simulate --strategy double-average --total 1000 --shares 10 --packets 20000
  hongbao simulate --strategy wechat-observed --total 60 --shares 15 --packets 5000 --json")]
    Simulate(SimulateArgs),

    /// Audit a ledger: recompute all sums and report whether money was created or lost
    #[command(after_help = "Examples:
  hongbao audit --data ./books
  hongbao audit --ledger postgres://localhost/books --tenant acme")]
    Audit(AuditArgs),

    /// Compare counters, packets, claims, movements and balances with each other
    #[command(after_help = "Examples:
  hongbao reconcile --data ./books --json
  hongbao reconcile --ledger postgres://localhost/books --counter redis://localhost --repair")]
    Reconcile(ReconcileArgs),

    /// Settle pending claims, or list those that could not be credited
    #[command(after_help = "Examples:
  hongbao settle --ledger postgres://localhost/books
  hongbao settle --ledger postgres://localhost/books --parked
  hongbao settle --ledger postgres://localhost/books --retry")]
    Settle(SettleArgs),

    /// Print what happened to a tenant's money, one JSON object per line, the earliest first
    #[command(after_help = "Examples:
  hongbao events --data ./books
  hongbao events --ledger postgres://localhost/books --tenant acme --follow
  hongbao events --data ./books --after 1024-a17-5f3a09c2   # the `id` of the last line that you have

The lines are those of GET /v1/events.")]
    Events(EventsArgs),

    /// Create the ledger's schema in a database, or migrate it to the version of this program
    #[command(after_help = "Example:\n  hongbao migrate --ledger postgres://localhost/books")]
    Migrate(MigrateArgs),

    /// Inspect, validate, pack and run plugins
    #[command(after_help = "Examples:
  hongbao plugin inspect plugin.wasm
  hongbao plugin validate ./plugins/hongbao
  hongbao plugin pack my_plugin.wasm -o my_plugin/
  hongbao plugin run ./my_plugin")]
    Plugin(PluginArgs),

    /// Receive webhooks while developing
    #[command(after_help = "Examples:
  hongbao webhook listen --secret whsec_…
  hongbao webhook listen --answer 500          # what the service does when nobody takes its messages
  hongbao webhook listen --json | jq .message

The service sends to this machine if it is told --webhooks-allow-http and --webhooks-allow-private-addresses.")]
    Webhook(WebhookArgs),

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
    /// Number of users who tap
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
    /// Address to listen on; port 0 picks a free port [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) listen: Option<SocketAddr>,

    /// Serve a chat page where anybody may join under any name
    #[arg(long)]
    pub(super) demo: bool,

    /// Allow the demo on an address that other machines can reach
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

    /// Private key of the certificate, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(super) tls_key: Option<PathBuf>,

    /// Let webhooks be at private addresses, such as 127.0.0.1: who administers a tenant can then send requests into
    /// the network of this host
    #[arg(long)]
    pub(super) webhooks_allow_private_addresses: bool,

    /// Let webhooks be without TLS
    #[arg(long)]
    pub(super) webhooks_allow_http: bool,

    /// Format of the log
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
    /// Create a key; it is printed once and cannot be shown again
    Create {
        /// Name by which people tell keys apart
        #[arg(long, value_name = "TEXT")]
        label: String,

        /// Create an operator's key, which manages tenants and the service
        #[arg(long, conflicts_with_all = ["scope", "tenant"])]
        operator: bool,

        /// Scope of the tenant's key: member, fund, withdraw or admin; may be repeated
        #[arg(long, value_name = "SCOPE", required_unless_present = "operator")]
        scope: Vec<String>,

        /// Days until the key expires; without it, the key never does
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
        /// Public part of the key: the 16 digits after hb_
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
    /// Read a configuration file as `hongbao serve` does, and print its stores and tenants
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// Also connect to the stores and check that they can be used
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

    /// Print only JSON: no summary on standard error
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// Strategy of the plugin, such as double-average, wechat-observed, line-cut or equal
    #[arg(long, value_name = "NAME")]
    pub(super) strategy: Strategy,

    /// Total of each packet, in minor units
    #[arg(long, value_name = "T")]
    pub(super) total: u64,

    /// Number of shares of each packet
    #[arg(long, value_name = "N")]
    pub(super) shares: u32,

    /// Number of packets
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

    /// Delete counters that differ from the ledger, and refund packets that are overdue
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

    /// Only list the claims that could not be credited
    #[arg(long, conflicts_with = "retry")]
    pub(super) parked: bool,

    /// First put parked claims back into the queue
    #[arg(long)]
    pub(super) retry: bool,

    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// Begin after this event, instead of with the first
    #[arg(long, value_name = "ID")]
    pub(super) after: Option<MoneyEventId>,

    /// Go on with what happens next, until interrupted
    #[arg(long)]
    pub(super) follow: bool,

    #[command(flatten)]
    pub(super) stores: StoreArgs,
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

    /// Keep counters in Redis: redis://, redis+sentinel:// or redis+cluster://; with TLS, rediss in place of redis
    #[arg(long, value_name = "URL")]
    pub(super) counter: Option<String>,

    /// Tenant that the command works on
    #[arg(long, value_name = "NAME")]
    pub(super) tenant: Option<String>,

    /// TOML file for settings that are not given here: data or ledger, counter, tenant, and the tables plugins and tenants
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}
