//! The `hongbao-matrix` command, built here so that this package's tests have a process to start and kill.

use std::process::ExitCode;

fn main() -> ExitCode {
    hongbao_matrix::run(std::env::args_os())
}
