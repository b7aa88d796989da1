//! A `hongbao serve` that ends with the test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;

pub struct Service {
    child: Child,
    pub url: String,
    /// An operator's API key.
    pub operator: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    /// With everything in memory, on a free port.
    pub fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hongbao-under-test"));
        command.args(["serve", "--demo", "--listen", "127.0.0.1:0"]).env("NO_COLOR", "1");
        for name in ["HONGBAO_LEDGER", "HONGBAO_DATA", "HONGBAO_COUNTER", "HONGBAO_TENANT", "HONGBAO_CONFIG"]
        {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut told = |beginning: &str| {
            let found = lines.find_map(|line| Some(line.split_once(beginning)?.1.trim().to_owned()));
            found.unwrap_or_else(|| panic!("it never said {beginning:?}"))
        };
        let (url, operator) = (told("serves on "), told("operator "));
        // Nobody reads on: it must not fill its pipe.
        thread::spawn(move || lines.for_each(drop));
        Self { child, url, operator }
    }

    /// The body of an answer that needs no key.
    pub fn get(&self, path: &str) -> String {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut line = TcpStream::connect(address).unwrap();
        write!(line, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200") && head.to_lowercase().contains("content-length"), "{head}");
        body.to_owned()
    }
}
