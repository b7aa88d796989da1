//! Settings of a running bridge: options, then the file, then defaults.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde::Deserialize;

use crate::args::RunArgs;
use crate::exit::Failure;
use crate::registration::{self, Registration, address};

const NEW_USERS_PER_HOUR: usize = 100;

/// The file, with the same names as the options.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    registration: Option<PathBuf>,
    homeserver: Option<String>,
    hongbao: Option<String>,
    key_file: Option<PathBuf>,
    listen: Option<SocketAddr>,
    servers: Vec<String>,
    new_users_per_hour: Option<usize>,
    language: Option<String>,
}

/// Everything that a bridge is told.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) registration: Registration,
    pub(crate) homeserver: String,
    pub(crate) hongbao: String,
    pub(crate) key: String,
    pub(crate) listen: SocketAddr,
    /// Empty for the homeserver's own name.
    pub(crate) servers: Vec<String>,
    pub(crate) new_users_per_hour: usize,
    pub(crate) language: String,
}

impl Config {
    /// # Errors
    /// What is missing, or cannot be used.
    pub(crate) fn read(args: RunArgs) -> Result<Self, Failure> {
        let named = args.config.or_else(|| env::var_os("HONGBAO_MATRIX_CONFIG").map(PathBuf::from));
        let file = named.as_deref().map(file).transpose()?.unwrap_or_default();
        let needed = |name: &str, value: Option<String>| {
            value.ok_or_else(|| {
                Failure::setting(name, "it is needed, as an option or in the file of --config")
            })
        };
        let path = args.registration.or(file.registration);
        let path = path.ok_or_else(|| {
            Failure::setting("--registration", "it is needed; `hongbao-matrix registration` makes one")
        })?;
        let registration = registration::read(&path.display().to_string(), &text(&path)?)?;
        let homeserver = needed("--homeserver", args.homeserver.or(file.homeserver))?;
        let hongbao = needed("--hongbao", args.hongbao.or(file.hongbao))?;
        let listen = match args.listen.or(file.listen) {
            Some(listen) => listen,
            None => own_port(&registration)?,
        };
        let language = args.language.or(file.language).unwrap_or_else(|| "en".into());
        if language.len() > 64 || language.chars().any(char::is_control) {
            return Err(Failure::setting("--language", "it is no language tag, such as en or zh-Hant"));
        }
        Ok(Self {
            homeserver: address("--homeserver", &homeserver)?,
            hongbao: address("--hongbao", &hongbao)?,
            key: key(args.key_file.or(file.key_file).as_deref())?,
            registration,
            listen,
            servers: if args.servers.is_empty() { file.servers } else { args.servers },
            new_users_per_hour: args
                .new_users_per_hour
                .or(file.new_users_per_hour)
                .unwrap_or(NEW_USERS_PER_HOUR),
            language,
        })
    }
}

fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::file(&path.display().to_string(), &error))
}

/// Paths in it are relative to where it is.
fn file(path: &Path) -> Result<File, Failure> {
    let text = text(path)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut file: File = toml::from_str(text)
        .map_err(|error| Failure::config(format!("{}: {}", path.display(), error.to_string().trim_end())))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for path in [&mut file.registration, &mut file.key_file].into_iter().flatten() {
        *path = folder.join(&*path);
    }
    Ok(file)
}

fn own_port(registration: &Registration) -> Result<SocketAddr, Failure> {
    let url = reqwest::Url::parse(&registration.url).ok();
    let port = url.and_then(|url| url.port_or_known_default());
    let port = port
        .ok_or_else(|| Failure::setting("--listen", "it is needed: the registration's URL names no port"))?;
    Ok((Ipv4Addr::LOCALHOST, port).into())
}

fn key(file: Option<&Path>) -> Result<String, Failure> {
    let (name, key) = match file {
        Some(path) => (path.display().to_string(), text(path)?),
        None => ("HONGBAO_KEY".into(), env::var("HONGBAO_KEY").unwrap_or_default()),
    };
    let key = key.trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::setting(
            &name,
            "it is no API key; `hongbao key create --scope member` makes one",
        ));
    }
    Ok(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The failure of a bridge that is told this, in a folder with a registration and a key.
    fn read(toml: &str, args: RunArgs) -> Result<Config, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let new = registration::New {
            url: "http://a:29318",
            server_name: "a.org",
            id: "hongbao",
            localpart: "hongbao",
        };
        fs::write(folder.path().join("r.yaml"), registration::make(&new).unwrap()).unwrap();
        fs::write(folder.path().join("key"), "hb_key\n").unwrap();
        let config = folder.path().join("c.toml");
        fs::write(&config, toml).unwrap();
        Config::read(RunArgs { config: Some(config), ..args })
    }

    const WHOLE: &str =
        "registration = 'r.yaml'\nkey_file = 'key'\nhomeserver = 'http://h/'\nhongbao = 'http://b:1'\n";

    #[test]
    fn a_file_says_everything_and_options_take_precedence() {
        let config = read(WHOLE, RunArgs::default()).unwrap();
        assert_eq!((config.homeserver.as_str(), config.hongbao.as_str()), ("http://h", "http://b:1"));
        assert_eq!((config.key.as_str(), config.listen.to_string()), ("hb_key", "127.0.0.1:29318".into()));
        assert_eq!((config.new_users_per_hour, config.language.as_str()), (NEW_USERS_PER_HOUR, "en"));
        let more = format!(
            "{WHOLE}servers = ['a.org']\nnew_users_per_hour = 3\nlanguage = 'zh'\nlisten = '0.0.0.0:1'"
        );
        let args =
            RunArgs { servers: vec!["b.org".into()], new_users_per_hour: Some(4), ..RunArgs::default() };
        let config = read(&more, args).unwrap();
        assert_eq!((config.servers, config.new_users_per_hour), (vec!["b.org".to_owned()], 4));
        assert_eq!((config.language.as_str(), config.listen.port()), ("zh", 1));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let named = |toml: &str| read(toml, RunArgs::default()).unwrap_err().to_string();
        for (without, name) in
            [("registration", "--registration"), ("homeserver", "--homeserver"), ("hongbao", "--hongbao")]
        {
            let toml: String = WHOLE
                .lines()
                .filter(|line| !line.starts_with(without))
                .map(|line| format!("{line}\n"))
                .collect();
            assert!(named(&toml).starts_with(name), "{}", named(&toml));
        }
        assert!(named(&format!("{WHOLE}sever = 1")).contains("sever"));
        assert!(named(&WHOLE.replace("r.yaml", "gone.yaml")).contains("gone.yaml cannot be read"));
        assert!(named(&WHOLE.replace("http://b:1", "b")).starts_with("--hongbao: "));
        assert!(named(&format!("{WHOLE}language = 'a\\nb'").replace('\'', "\"")).starts_with("--language: "));
    }
}
