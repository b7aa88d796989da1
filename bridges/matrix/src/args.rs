//! The command line: arguments and their help.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0   success
  64  the command line or a setting is invalid
  66  a file does not exist
  69  it was told a second time to end
  70  the program itself failed
  73  the address cannot be listened on
  74  output cannot be written
  78  the registration, the configuration or a key is wrong

69, 70 and 74 may pass; all others need a change. A homeserver or a Hongbao that does not answer ends nothing: the bridge
waits for it.

Environment: HONGBAO_MATRIX_CONFIG is used if --config is not given, HONGBAO_KEY if neither --key-file nor key_file is.
HONGBAO_LOG filters the log, such as info,hongbao_matrix=debug.";

/// A bridge to Matrix: red packets of Hongbao in rooms, by a command and a reaction.
#[derive(Debug, Parser)]
#[command(name = "hongbao-matrix", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Log more on standard error; repeat to log even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a registration file with fresh tokens to standard output
    #[command(after_help = "Example:
  hongbao-matrix registration --url http://127.0.0.1:29318 --server-name example.org > hongbao.yaml

Name the file in Synapse's homeserver.yaml, in the list app_service_config_files, and restart Synapse.")]
    Registration(RegistrationArgs),

    /// Serve the homeserver, and bring packets into its rooms
    #[command(after_help = "Examples:
  HONGBAO_KEY=… hongbao-matrix run --registration hongbao.yaml \\
    --homeserver http://127.0.0.1:8008 --hongbao http://127.0.0.1:8080
  hongbao-matrix run --config hongbao-matrix.toml

The key needs the scope `member`: hongbao key create --tenant acme --label matrix --scope member …
SIGTERM and Ctrl-C let a transaction finish. Only one bridge at a time can use a registration.")]
    Run(RunArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RegistrationArgs {
    /// Where the homeserver reaches the bridge
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,

    /// The homeserver's name, which stands in its users' ids
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: String,

    /// Identifies this application service to the homeserver
    #[arg(long, value_name = "ID", default_value = "hongbao")]
    pub(crate) id: String,

    /// The name of the bridge's user, in front of the colon
    #[arg(long, value_name = "NAME", default_value = "hongbao")]
    pub(crate) localpart: String,
}

#[derive(Debug, Default, Args)]
pub(crate) struct RunArgs {
    /// Read settings from this file; options take precedence
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The registration file that the homeserver has too
    #[arg(long, value_name = "FILE")]
    pub(crate) registration: Option<PathBuf>,

    /// The homeserver's client API
    #[arg(long, value_name = "URL")]
    pub(crate) homeserver: Option<String>,

    /// Hongbao's HTTP API
    #[arg(long, value_name = "URL")]
    pub(crate) hongbao: Option<String>,

    /// A file with an API key of Hongbao; HONGBAO_KEY if it is absent
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// Listen here [default: 127.0.0.1 and the port of the registration's URL]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,

    /// Let users of this server send and take packets; repeat for several [default: the homeserver's own]
    #[arg(long = "server", value_name = "NAME")]
    pub(crate) servers: Vec<String>,

    /// New users of one server within an hour [default: 100]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) new_users_per_hour: Option<usize>,

    /// The language of answers to a command that does not tell, such as zh [default: en]
    #[arg(long, value_name = "TAG")]
    pub(crate) language: Option<String>,
}
