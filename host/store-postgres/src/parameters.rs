//! Parameters of libpq that the driver does not know, taken out of a URL or a list of keywords.

use std::collections::BTreeMap;

use super::open::OpenError;

/// What the driver would refuse, or reads in a narrower sense.
const OURS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

/// What is left for the driver, and the parameters of ours by their names.
pub(super) type Split = (String, BTreeMap<String, String>);

/// Takes our parameters out of what names a database.
pub(super) fn split(named: &str) -> Result<Split, OpenError> {
    let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| named.starts_with(scheme));
    if is_url {
        return split_url(named);
    }
    match named.split_once("://") {
        // Else the driver would look for keywords in it, and say where they end.
        Some((scheme, _))
            if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) =>
        {
            Err(OpenError::Url(format!("it must begin with postgres:// and not with {scheme}://")))
        }
        _ => split_keywords(named),
    }
}

fn split_url(url: &str) -> Result<Split, OpenError> {
    let Some((place, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), BTreeMap::new()));
    };
    let (mut rest, mut ours) = (Vec::new(), BTreeMap::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match OURS.contains(&name) {
            true => keep(&mut ours, name, decoded(value)?)?,
            false => rest.push(pair),
        }
    }
    let joint = if rest.is_empty() { "" } else { "?" };
    Ok((format!("{place}{joint}{}", rest.join("&")), ours))
}

fn keep(ours: &mut BTreeMap<String, String>, name: &str, value: String) -> Result<(), OpenError> {
    match ours.insert(name.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(OpenError::Url(format!("it has {name} twice"))),
    }
}

/// With each `%41` as what it stands for.
fn decoded(text: &str) -> Result<String, OpenError> {
    let wrong =
        || OpenError::Url(format!("`{text}` has a % that no two hexadecimal digits follow, or is no UTF-8"));
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, others) = rest.split_at_checked(2).ok_or_else(wrong)?;
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = others;
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// Of `host=one sslkey='/a path' …`: a value may stand in quotes, and a backslash takes the next character as it is.
fn split_keywords(list: &str) -> Result<Split, OpenError> {
    let (mut rest, mut ours) = (String::new(), BTreeMap::new());
    let mut left = list.trim_start();
    while !left.is_empty() {
        let Some((name, value)) = left.split_once('=') else {
            // Whatever this is, the driver says what is wrong with it.
            rest.push_str(left);
            break;
        };
        let begins = value.trim_start();
        let (value, length) = keyword_value(begins);
        let whole = left.len() - begins.len() + length;
        match OURS.contains(&name.trim()) {
            true => keep(&mut ours, name.trim(), value)?,
            false => {
                rest.push_str(left.get(..whole).unwrap_or_default());
                rest.push(' ');
            }
        }
        left = left.get(whole..).unwrap_or_default().trim_start();
    }
    Ok((rest, ours))
}

/// A value at the beginning of a text, and how many bytes of the text it takes.
fn keyword_value(text: &str) -> (String, usize) {
    let is_quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut is_taken = false;
    for (place, character) in text.char_indices().skip(usize::from(is_quoted)) {
        match character {
            _ if is_taken => {
                value.push(character);
                is_taken = false;
            }
            '\\' => is_taken = true,
            '\'' if is_quoted => return (value, place + 1),
            _ if !is_quoted && character.is_whitespace() => return (value, place),
            _ => value.push(character),
        }
    }
    (value, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(named: &str) -> (String, Vec<(String, String)>) {
        let (rest, ours) = split(named).unwrap();
        (rest, ours.into_iter().collect())
    }

    fn ours(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn parameters_are_taken_out_of_a_url_and_the_rest_stays_as_it_is() {
        let url = "postgres://me:s%3Fcret@one,two/books?sslmode=verify-full&application_name=a%20b&sslkey=%2Fa%20key";
        let rest = "postgres://me:s%3Fcret@one,two/books?application_name=a%20b".to_owned();
        assert_eq!(parts(url), (rest, ours(&[("sslkey", "/a key"), ("sslmode", "verify-full")])));
        assert_eq!(
            parts("postgres://one/books?sslmode=disable"),
            ("postgres://one/books".into(), ours(&[("sslmode", "disable")]))
        );
        assert_eq!(parts("postgres://one/books"), ("postgres://one/books".into(), vec![]));
    }

    #[test]
    fn parameters_are_taken_out_of_keywords() {
        let list = r"host=one sslmode = require password='it\'s \\ secret' sslcert='/a path/it.pem' port=5";
        let (rest, ours_of) = parts(list);
        assert_eq!(rest.trim_end(), r"host=one password='it\'s \\ secret' port=5");
        assert_eq!(ours_of, ours(&[("sslcert", "/a path/it.pem"), ("sslmode", "require")]));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for url in [
            "postgres://one?sslkey=%4",
            "postgres://one?sslkey=%zz",
            "postgres://one?sslkey=%ff",
            "postgres://one?sslmode=require&sslmode=disable",
        ] {
            assert!(matches!(split(url), Err(OpenError::Url(_))), "{url}");
        }
        for url in ["mysql://a@b/c", "redis://localhost", "://a", "Postgres://a"] {
            let told = split(url).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(told.contains("it must begin with postgres://"), "{url}: {told}");
        }
        assert!(split("host=one password='a://b'").is_ok());
    }
}
