//! The host names that a demo answers to.
//!
//! A demo gives a key to whoever asks, and most run on somebody's own machine. A page of another site cannot read what
//! is there, unless its name is made to lead there (DNS rebinding). So a request has to be sent to an address, to
//! `localhost`, or to a name that was configured, and a page that sends one has to come from the same place.

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::Service;
use crate::problem::{Kind, Problem};

/// Lets a request through that is meant for this service.
pub(crate) async fn own_names(State(service): State<Service>, request: Request, next: Next) -> Response {
    let names = service.demo().map_or(&[][..], |demo| demo.names());
    match check(&request, names) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(request: &Request, names: &[String]) -> Result<(), Problem> {
    let unknown = || {
        Problem::new(
            Kind::FOREIGN_HOST,
            "this demo answers to addresses, to localhost and to the names in `demo_names`",
        )
    };
    // In HTTP/2 it is part of the URI; HTTP/1 may have it there as well, and then both have to be right.
    let mut sent: Vec<_> = request.uri().authority().cloned().into_iter().collect();
    for host in request.headers().get_all(HOST) {
        sent.push(Authority::try_from(host.as_bytes()).map_err(|_| unknown())?);
    }
    if sent.is_empty() || !sent.iter().all(|authority| is_own(authority, names)) {
        return Err(unknown());
    }
    for origin in request.headers().get_all(ORIGIN) {
        let place = origin.to_str().ok().and_then(place_of);
        if !place.is_some_and(|place| sent.iter().all(|own| own.as_str().eq_ignore_ascii_case(place))) {
            return Err(Problem::new(Kind::FOREIGN_ORIGIN, "a page of another site may not ask this"));
        }
    }
    Ok(())
}

/// Where a page of the web comes from: other programs that speak for themselves are no page of this place.
fn place_of(origin: &str) -> Option<&str> {
    let (scheme, place) = origin.split_once("://")?;
    ["http", "https"].contains(&scheme).then_some(place)
}

/// The host, where nothing stands behind it but a port.
fn host(authority: &str) -> Option<&str> {
    let end = match authority.strip_prefix('[') {
        Some(address) => address.find(']')? + "[]".len(),
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, behind) = authority.split_at_checked(end)?;
    if behind.is_empty() {
        return Some(host);
    }
    let port = behind.strip_prefix(':')?;
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    is_port.then_some(host)
}

fn is_own(authority: &Authority, names: &[String]) -> bool {
    let Some(host) = host(authority.as_str()) else { return false };
    let is_address = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.parse::<std::net::Ipv4Addr>().is_ok(),
    };
    is_address
        || host.eq_ignore_ascii_case("localhost")
        || names.iter().any(|name| host.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn code(uri: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        let request = Request::post(uri);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let names = ["demo.example.org".to_owned()];
        check(&request.body(Body::empty()).unwrap(), &names).err().map(|problem| problem.kind().code)
    }

    #[test]
    fn addresses_localhost_and_configured_names_are_its_own() {
        for host in ["127.0.0.1", "127.0.0.1:8080", "[::1]:8080", "[::1]", "localhost", "LocalHost:1"] {
            assert_eq!(code("/demo/session", &[("host", host)]), None, "{host}");
        }
        assert_eq!(code("/", &[("host", "Demo.Example.org:443")]), None);
        assert_eq!(code("http://192.0.2.1/", &[]), None, "as HTTP/2 has it");
    }

    #[test]
    fn other_names_are_not() {
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "demo.example.org.evil.example",
            "localhost@evil.example",
            "evil.example@localhost",
            "localhost.",
            "2130706433",
            "[evil]",
            "[::1].evil.example",
            "[::1]evil.example:80",
            "127.0.0.1:abc",
            "127.0.0.1:",
            "127.0.0.1:+1",
            "127.0.0.1:65536",
            "localhost:80@evil.example",
            "",
            "a b",
        ] {
            assert_eq!(code("/", &[("host", host)]), Some("foreign-host"), "{host}");
        }
        assert_eq!(code("/", &[]), Some("foreign-host"));
        assert_eq!(code("/", &[("host", "localhost"), ("host", "evil.example")]), Some("foreign-host"));
        assert_eq!(code("http://evil.example/", &[("host", "localhost")]), Some("foreign-host"));
        assert_eq!(
            code("/", &[("host", "evil.example"), ("x-forwarded-host", "localhost")]),
            Some("foreign-host")
        );
    }

    #[test]
    fn a_page_has_to_be_of_the_same_place() {
        let from = |origin| code("/demo/session", &[("host", "127.0.0.1:8080"), ("origin", origin)]);
        for origin in ["http://127.0.0.1:8080", "https://127.0.0.1:8080"] {
            assert_eq!(from(origin), None, "{origin}");
        }
        for origin in [
            "http://evil.example",
            "null",
            "",
            "http://127.0.0.1",
            "http://127.0.0.1:80800",
            "http://localhost:8080",
            "ftp://127.0.0.1:8080",
            "chrome-extension://127.0.0.1:8080",
            "://127.0.0.1:8080",
        ] {
            assert_eq!(from(origin), Some("foreign-origin"), "{origin}");
        }
    }
}
