//! The command line of Hongbao.

use std::process::ExitCode;

fn main() -> ExitCode {
    hongbao_cli::run(std::env::args_os())
}
