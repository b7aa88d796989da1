//! The registration file: what the homeserver and the bridge have to know of each other.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::exit::Failure;

/// A registration, as much of it as the bridge needs.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Registration {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) as_token: String,
    pub(crate) hs_token: String,
    pub(crate) sender_localpart: String,
}

/// What a new registration is made of.
pub(crate) struct New<'a> {
    /// Where the homeserver reaches the bridge.
    pub(crate) url: &'a str,
    pub(crate) server_name: &'a str,
    pub(crate) id: &'a str,
    pub(crate) localpart: &'a str,
}

/// A registration file with fresh tokens.
///
/// # Errors
/// A value that cannot be in one, or a system without random numbers.
pub(crate) fn make(new: &New) -> Result<String, Failure> {
    let New { url, server_name, id, localpart } = new;
    let is_name = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
    };
    let is_server = |text: &str| {
        !text.is_empty()
            && text.len() <= 230
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    address("--url", url)?;
    if !is_server(server_name) {
        return Err(Failure::setting(
            "--server-name",
            "it is no name of a Matrix server, such as example.org",
        ));
    }
    for (option, name) in [("--id", id), ("--localpart", localpart)] {
        if !is_name(name) {
            return Err(Failure::setting(option, "it is made of a-z, 0-9, `.`, `_` and `-`"));
        }
    }
    let (as_token, hs_token) = (token()?, token()?);
    let server = escaped(server_name);
    let user = escaped(localpart);
    Ok(format!(
        "# Both tokens are secrets: who has them speaks for the bridge, or for the homeserver.
id: \"{id}\"
url: \"{url}\"
as_token: \"{as_token}\"
hs_token: \"{hs_token}\"
sender_localpart: \"{localpart}\"
rate_limited: false
namespaces:
  users:
    # The bridge acts by one user. These names are reserved, and nobody is made of them.
    - exclusive: true
      regex: '^@{user}_.*:{server}$'
  aliases:
    - exclusive: true
      regex: '^#{user}_.*:{server}$'
  rooms: []
"
    ))
}

/// A name in a regular expression.
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for one in name.chars() {
        if !one.is_ascii_alphanumeric() && !matches!(one, '_' | ':') {
            escaped.push('\\');
        }
        escaped.push(one);
    }
    escaped
}

fn token() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::internal(format!("there are no random numbers: {error}")))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// The base of URLs, without a slash at its end.
pub(crate) fn address(setting: &str, url: &str) -> Result<String, Failure> {
    let parsed = reqwest::Url::parse(url)
        .map_err(|error| Failure::setting(setting, format!("it is no URL: {error}")))?;
    let is_plain = parsed.query().is_none() && parsed.fragment().is_none() && parsed.username().is_empty();
    if !matches!(parsed.scheme(), "http" | "https")
        || !parsed.has_host()
        || !is_plain
        || url.contains(['"', '\\'])
    {
        return Err(Failure::setting(setting, "it is no URL such as http://127.0.0.1:29318"));
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

/// Reads a registration file.
///
/// # Errors
/// What is missing in it, or wrong.
pub(crate) fn read(file: &str, text: &str) -> Result<Registration, Failure> {
    let read: Registration = serde_saphyr::from_str(text)
        .map_err(|error| Failure::config(format!("{file} is no registration file: {error}")))?;
    let is_token = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token(&read.as_token) || !is_token(&read.hs_token) {
        return Err(Failure::config(format!(
            "{file}: a token is empty, or not made of visible ASCII characters"
        )));
    }
    if read.as_token == read.hs_token {
        return Err(Failure::config(format!("{file}: both tokens are the same; make a new file")));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: New = New {
        url: "http://127.0.0.1:29318",
        server_name: "a-b.example.org",
        id: "hongbao",
        localpart: "hongbao",
    };

    #[test]
    fn what_is_made_is_read_and_no_two_are_alike() {
        let text = make(&NEW).unwrap();
        let read = read("a.yaml", &text).unwrap();
        assert_eq!((read.id.as_str(), read.url.as_str()), ("hongbao", "http://127.0.0.1:29318"));
        assert_eq!((read.as_token.len(), read.hs_token.len()), (64, 64));
        assert_ne!(read.as_token, super::read("b.yaml", &make(&NEW).unwrap()).unwrap().as_token);
        assert!(text.contains(r"regex: '^@hongbao_.*:a\-b\.example\.org$'"), "{text}");
    }

    #[test]
    fn what_cannot_be_in_a_file_is_refused_by_its_option() {
        let refused = |new: &New| make(new).unwrap_err().to_string();
        for url in ["", "127.0.0.1:1", "ftp://a", "http://a/?b", "http://a/\"b", "http://u:p@a"] {
            assert!(refused(&New { url, ..NEW }).starts_with("--url: "), "{url}");
        }
        for server_name in ["", "a b", "a\nb", "@a:b\""] {
            assert!(refused(&New { server_name, ..NEW }).starts_with("--server-name: "), "{server_name}");
        }
        for localpart in ["", "Hong", "红包", "a'b"] {
            assert!(refused(&New { localpart, ..NEW }).starts_with("--localpart: "), "{localpart}");
        }
    }

    #[test]
    fn a_file_that_is_none_is_refused() {
        for text in ["", "[]", "id: hongbao", "a: b: c", "\t"] {
            let error = read("a.yaml", text).unwrap_err().to_string();
            assert!(error.starts_with("a.yaml"), "{error}");
        }
        let same = make(&NEW).unwrap();
        let token = read("a", &same).unwrap();
        let same = same.replace(&token.hs_token, &token.as_token);
        assert!(read("a.yaml", &same).unwrap_err().to_string().contains("the same"));
        let empty = make(&NEW).unwrap().replace(&"0".repeat(0), "");
        let empty =
            empty.lines().map(|line| if line.starts_with("as_token") { "as_token: \"\"" } else { line });
        assert!(read("a.yaml", &empty.collect::<Vec<_>>().join("\n")).is_err());
    }
}
