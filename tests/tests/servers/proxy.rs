//! Each mode of the proxy, between us and a server that says everything back.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use hongbao_tests::servers::{Mode, Proxy, Redis};

use crate::eventually;

const SHORT: Duration = Duration::from_millis(100);

/// Says everything back, and tells us what it heard.
fn echo() -> (SocketAddr, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, heard) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let tell = tell.clone();
            thread::spawn(move || {
                let mut buffer = vec![0; 65536];
                loop {
                    let length = stream.read(&mut buffer).unwrap_or(0);
                    let _ = tell.send(buffer[..length].to_vec());
                    if length == 0 || stream.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, heard)
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// What comes back for some bytes.
fn ask(mut stream: &TcpStream, bytes: &[u8]) -> Vec<u8> {
    stream.write_all(bytes).unwrap();
    let mut answer = vec![0; bytes.len()];
    stream.read_exact(&mut answer).unwrap();
    answer
}

/// Whether the other side has closed, now or soon.
fn is_closed(mut stream: &TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// Whether nothing comes for a while, and the connection stays open.
fn is_silent(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(SHORT)).unwrap();
    let read = stream.read(&mut [0]);
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    read.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

#[test]
fn passing_changes_nothing() {
    let (server, heard) = echo();
    let proxy = Proxy::start(server);
    let stream = connect(&proxy);
    let bytes: Vec<_> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    thread::scope(|scope| {
        let mut writer = &stream;
        scope.spawn(move || writer.write_all(&[1; 1_000_000]).unwrap());
        let mut answer = vec![0; bytes.len()];
        (&stream).read_exact(&mut answer).unwrap();
        assert!(answer.iter().all(|byte| *byte == 1));
    });
    drop(stream);
    eventually("the end of the connection", || heard.recv().unwrap().is_empty());
}

#[test]
fn a_redis_is_reached_through_a_proxy() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.address());
    assert_eq!(proxy.through(&redis.url()), format!("redis://127.0.0.1:{}", proxy.port()));
    let stream = connect(&proxy);
    (&stream).write_all(b"PING\r\n").unwrap();
    let mut answer = [0; 7];
    (&stream).read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
    redis.kill();
    assert!(is_closed(&stream));
    assert!(is_closed(&connect(&proxy)));
}

#[test]
fn refusing_closes_and_lets_nobody_in() {
    let proxy = Proxy::start(echo().0);
    let stream = connect(&proxy);
    assert_eq!(ask(&stream, b"a"), b"a");
    proxy.set(Mode::Refuse);
    assert!(is_closed(&stream));
    let error = TcpStream::connect(proxy.address()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    proxy.set(Mode::Pass);
    assert_eq!(ask(&connect(&proxy), b"a"), b"a");
}

#[test]
fn a_cut_closes_what_is_open_once() {
    let proxy = Proxy::start(echo().0);
    let streams = [connect(&proxy), connect(&proxy)];
    streams.iter().for_each(|stream| assert_eq!(ask(stream, b"a"), b"a"));
    proxy.cut();
    assert!(streams.iter().all(is_closed));
    assert_eq!(ask(&connect(&proxy), b"a"), b"a");
}

#[test]
fn a_delay_is_in_each_direction_and_takes_no_throughput() {
    let proxy = Proxy::start(echo().0);
    let stream = connect(&proxy);
    proxy.set(Mode::Delay(SHORT));
    let started = Instant::now();
    assert_eq!(ask(&stream, b"a"), b"a");
    assert!(started.elapsed() >= 2 * SHORT);
    // Fifty chunks one after another would take ten seconds.
    let started = Instant::now();
    thread::scope(|scope| {
        let mut writer = &stream;
        scope.spawn(move || {
            for byte in 0..50 {
                writer.write_all(&[byte]).unwrap();
                thread::sleep(Duration::from_millis(2));
            }
        });
        let mut answer = [0; 50];
        (&stream).read_exact(&mut answer).unwrap();
        assert!(answer.into_iter().eq(0..50));
    });
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_delay_ends_for_what_is_under_way() {
    let proxy = Proxy::start(echo().0);
    let mut stream = connect(&proxy);
    proxy.set(Mode::Delay(Duration::from_secs(60)));
    stream.write_all(b"a").unwrap();
    assert!(is_silent(&stream));
    proxy.set(Mode::Pass);
    assert!(ask(&stream, b"").is_empty());
    stream.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_black_hole_swallows_and_stays_open() {
    let (server, heard) = echo();
    let proxy = Proxy::start(server);
    let [old, idle] = [connect(&proxy), connect(&proxy)];
    assert_eq!((ask(&old, b"a"), ask(&idle, b"a")), (b"a".to_vec(), b"a".to_vec()));
    proxy.set(Mode::Blackhole);
    let new = connect(&proxy);
    for mut stream in [&old, &new] {
        stream.write_all(b"lost").unwrap();
        assert!(is_silent(stream));
    }
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [b"a", b"a"]);
    proxy.set(Mode::Pass);
    assert!(is_closed(&old) && is_closed(&new));
    assert_eq!(ask(&idle, b"b"), b"b");
}

#[test]
fn the_end_of_a_connection_is_lost_in_a_black_hole() {
    let (server, heard) = echo();
    let proxy = Proxy::start(server);
    let stream = connect(&proxy);
    assert_eq!((ask(&stream, b"a"), heard.recv().unwrap()), (b"a".to_vec(), b"a".to_vec()));
    proxy.set(Mode::Blackhole);
    drop(stream);
    assert!(heard.recv_timeout(SHORT).is_err());
    proxy.cut();
    assert!(heard.recv_timeout(Duration::from_secs(10)).unwrap().is_empty());
}

#[test]
fn a_dropped_reply_is_to_a_request_that_arrived() {
    let (server, heard) = echo();
    let proxy = Proxy::start(server);
    let mut stream = connect(&proxy);
    assert_eq!((ask(&stream, b"a"), heard.recv().unwrap()), (b"a".to_vec(), b"a".to_vec()));
    proxy.set(Mode::DropReplies);
    stream.write_all(b"commit").unwrap();
    assert!(is_closed(&stream));
    assert_eq!(heard.recv().unwrap(), b"commit");
    proxy.set(Mode::Pass);
    assert_eq!(ask(&connect(&proxy), b"b"), b"b");
}
