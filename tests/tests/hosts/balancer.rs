//! HAProxy with the configuration that is deployed, but for addresses and times.

use std::fs;
use std::path::Path;

use hongbao_tests::servers::program;

use crate::process::{Process, free_port};

const DEPLOYED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/haproxy.cfg");

pub struct Balancer {
    pub url: String,
    _process: Process,
}

impl Balancer {
    /// In front of hosts on these ports.
    pub fn start(folder: &Path, hosts: &[u16]) -> Self {
        let (port, stats) = (free_port(), free_port());
        let file = folder.join("haproxy.cfg");
        fs::write(&file, configuration(port, stats, hosts)).unwrap();
        let args = |first: &str| [first, "-f", file.to_str().unwrap()].map(str::to_owned);
        let mut check = Process::start(program("haproxy"), &args("-c"), folder.join("haproxy-check.log"));
        assert_eq!(check.wait(), 0, "{}", check.said());
        let process = Process::start(program("haproxy"), &args("-db"), folder.join("haproxy.log"));
        Self { url: format!("http://127.0.0.1:{port}"), _process: process }
    }
}

/// The deployed file, with its lines that name a machine written for this one.
fn configuration(port: u16, stats: u16, hosts: &[u16]) -> String {
    let deployed = fs::read_to_string(DEPLOYED).unwrap();
    let mut changed = 0;
    let lines = deployed.lines().filter_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        changed += 1;
        match words[..] {
            ["maxconn", _] => Some("    maxconn 1000".into()),
            ["bind", ":443", ..] => Some(format!("    bind 127.0.0.1:{port}")),
            ["bind", "127.0.0.1:8404"] => Some(format!("    bind 127.0.0.1:{stats}")),
            ["default-server", ..] => Some(line.replace("inter 1s", "inter 100ms")),
            ["server", name, _] => {
                let number: usize = name.strip_prefix("host").unwrap().parse().unwrap();
                hosts.get(number - 1).map(|port| format!("    server {name} 127.0.0.1:{port}"))
            }
            _ => {
                changed -= 1;
                Some(line.to_owned())
            }
        }
    });
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    assert_eq!(changed, 5 + 2 * 3, "the deployed file has other lines than this knows:\n{deployed}");
    text
}
