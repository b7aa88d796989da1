//! The entry point of the command `hongbao-matrix`.

use std::process::ExitCode;

fn main() -> ExitCode {
    hongbao_matrix::run(std::env::args_os())
}
