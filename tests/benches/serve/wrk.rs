//! wrk (<https://github.com/wg/wrk>): as many requests as are answered, each by another user.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Command;

use hongbao_tests::servers::program;

const CONNECTIONS: &str = "64";
const SECONDS: &str = "8s";

/// What is asked: a grab of this packet with this key, each time by somebody else.
pub struct Script {
    pub path: String,
    pub key: String,
    /// Part of every user's name, so that nobody comes twice.
    pub round: usize,
}

/// Requests a second. Every answer must be a success.
pub fn run(address: SocketAddr, script: &Script) -> f64 {
    let mut file = tempfile::NamedTempFile::with_suffix(".lua").unwrap();
    let Script { path, key, round } = script;
    write!(
        file,
        "local n = 0\n\
         local headers = {{ ['Content-Type'] = 'application/json', ['Authorization'] = 'Bearer {key}' }}\n\
         function request()\n  n = n + 1\n  \
         return wrk.format('POST', '{path}', headers, '{{\"user\":\"u{round}-' .. n .. '\"}}')\nend\n"
    )
    .unwrap();
    let output = Command::new(program("wrk"))
        .args(["--threads", "1", "--connections", CONNECTIONS, "--duration", SECONDS, "--script"])
        .arg(file.path())
        .arg(format!("http://{address}"))
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}");
    assert!(!told.contains("Non-2xx") && !told.contains("Socket errors"), "{told}");
    let rate = told.lines().find_map(|line| line.strip_prefix("Requests/sec:")).unwrap();
    rate.trim().parse().unwrap()
}
