//! How long a grab takes while grabs come at their own pace: requests have times at which they are due,
//! and their time counts from there. So a server that stands still for a moment is charged with
//! everybody who waited, which a generator that waits for answers would not do.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant as TokioInstant, sleep_until};

use crate::stage::Stage;
use crate::wrk::Script;

const CONNECTIONS: u32 = 128;
/// So many grab a packet before everybody turns to the next one.
const GRABS: usize = 10_000;

pub async fn measure(name: &str, rate: f64, stage: &Stage, length: Duration) {
    let mut scripts = Vec::new();
    for _ in 0..=(rate * length.as_secs_f64()) as usize / GRABS {
        scripts.push(stage.next().await);
    }
    let scripts = Arc::new(scripts);
    let times = Arc::new(Mutex::new(Histogram::<u64>::new(3).unwrap()));
    let every = Duration::from_secs_f64(f64::from(CONNECTIONS) / rate);
    let begin = TokioInstant::now() + Duration::from_millis(200);
    let mut tasks = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let stream = TcpStream::connect(stage.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (scripts, times) = (Arc::clone(&scripts), Arc::clone(&times));
        let first = begin + every * connection / CONNECTIONS;
        tasks.spawn(async move {
            let mut stream = stream;
            let mut due = first;
            let mut number = connection as usize;
            while due < begin + length {
                sleep_until(due).await;
                let Script { path, key, .. } = &scripts[number / GRABS];
                let body = format!("{{\"user\":\"o{number}\"}}");
                let head = format!(
                    "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
                     content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                answer(&mut stream).await;
                let took = Instant::now().duration_since(due.into_std());
                times.lock().unwrap().record(u64::try_from(took.as_micros()).unwrap()).unwrap();
                due += every;
                number += CONNECTIONS as usize;
            }
        });
    }
    tasks.join_all().await;
    let times = times.lock().unwrap();
    let ms = |quantile: f64| format!("{:.2} ms", times.value_at_quantile(quantile) as f64 / 1000.0);
    let served = times.len() as f64 / length.as_secs_f64();
    println!("{name:<46}{served:>9.0}/s{:>11}{:>11}{:>11}", ms(0.5), ms(0.99), ms(0.999));
}

/// Reads one answer, which must be a success.
async fn answer(stream: &mut TcpStream) {
    let mut read = Vec::with_capacity(1024);
    loop {
        let mut part = [0; 1024];
        let count = stream.read(&mut part).await.unwrap();
        assert!(count > 0, "the server hung up");
        read.extend_from_slice(&part[..count]);
        let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&read[..end]).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if read.len() >= end + 4 + length.parse::<usize>().unwrap() {
            return;
        }
    }
}
