//! The entry point of the command `hongbao`.

use std::process::ExitCode;

fn main() -> ExitCode {
    hongbao_cli::run(std::env::args_os())
}
