//! HTTP/2 by hand, for what no client would send.

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame of this type: 1 is HEADERS, 4 SETTINGS, 6 PING.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A whole GET: END_HEADERS and END_STREAM.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    // `:method: GET` and `:scheme: http` of the static table, then `:path` and `:authority` as literals.
    let (path_length, host) = (u8::try_from(path.len()).unwrap(), b"localhost");
    let host_length = u8::try_from(host.len()).unwrap();
    let block = [&[0x82, 0x86, 0x04, path_length], path.as_bytes(), &[0x01, host_length], host].concat();
    frame(1, 0x5, stream, &block)
}
