//! Settings as people write them: trimmed, or refused in one line that names them.

use std::fs;

use tempfile::tempdir;

use crate::process::{Ended, hongbao};

/// A command with these variables in its environment.
fn run(args: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = hongbao(args);
    for name in ["HONGBAO_LEDGER", "HONGBAO_DATA", "HONGBAO_COUNTER", "HONGBAO_TENANT", "HONGBAO_CONFIG"] {
        command.env_remove(name);
    }
    let output =
        command.envs(environment.iter().copied()).stdin(std::process::Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Ends with 64, and one line that names the setting and tells no secret.
#[track_caller]
fn refused(ended: &Ended, setting: &str, code: &str) {
    assert_eq!((ended.code, ended.out.as_str()), (Some(64), ""), "{ended:?}");
    assert!(ended.err.starts_with(&format!("hongbao: {code}: {setting}: ")), "{ended:?}");
    assert_eq!((ended.err.lines().count(), ended.err.contains("secret")), (1, false), "{ended:?}");
}

#[test]
fn what_surrounds_a_setting_is_cut_off_wherever_it_stands() {
    let home = tempdir().unwrap();
    let data = home.path().join("books");
    let data = data.to_str().unwrap();
    let made = run(&["migrate"], &[("HONGBAO_DATA", &format!(" {data}\n"))]);
    assert_eq!((made.code, made.out.as_str()), (Some(0), "The books are made.\n"), "{made:?}");
    let names: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["books"]);
    let audit = |args: &[&str], environment: &[(&str, &str)]| {
        let ended = run(&[&["audit"], args].concat(), environment);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    };
    audit(&["--data", &format!("{data}\r\n"), "--tenant", " default\n"], &[]);
    audit(
        &["--data", data],
        &[("HONGBAO_TENANT", "default\n"), ("HONGBAO_LEDGER", ""), ("HONGBAO_CONFIG", "")],
    );
    let file = home.path().join("hongbao.toml");
    fs::write(&file, "data = \" books\\n\"\ntenant = \"acme\\n\"\n[tenants.acme]").unwrap();
    let file = format!("{}\n", file.display());
    audit(&["--config", &file], &[]);
    audit(&[], &[("HONGBAO_CONFIG", &file)]);
}

#[test]
fn what_is_unusable_is_refused_by_its_name_before_anything_is_asked() {
    let home = tempdir().unwrap();
    let file = home.path().join("hongbao.toml");
    let config = file.to_str().unwrap();
    let at = |key: &str| format!("{key} in {config}");
    let audit = |environment: &[(&str, &str)]| run(&["audit"], environment);
    for (name, value, code) in [
        ("HONGBAO_LEDGER", "postgres:/", "ledger-url"),
        ("HONGBAO_LEDGER", "mysql://me:secret@localhost", "ledger-url"),
        ("HONGBAO_LEDGER", "postgres://me:secret@localhost/a\nb", "usage"),
        ("HONGBAO_LEDGER", "postgres://me:secret@localhost/a?nonsense=1", "ledger-url"),
        ("HONGBAO_LEDGER", "postgres://me:secret@localhost/a?sslnegotiation=direct", "ledger-url"),
        ("HONGBAO_COUNTER", "http://:secret@localhost", "counter-url"),
        ("HONGBAO_COUNTER", "redis://:secret@localhost\u{1b}[2J", "usage"),
        ("HONGBAO_DATA", "a\tb", "usage"),
        ("HONGBAO_TENANT", &"x".repeat(300), "invalid-argument"),
    ] {
        refused(&audit(&[(name, value)]), name, code);
        let key = name.strip_prefix("HONGBAO_").unwrap().to_lowercase();
        refused(&run(&["audit", &format!("--{key}"), value], &[]), &format!("--{key}"), code);
        fs::write(&file, format!("{key} = {value:?}").replace("\\u{1b}", "\\u001b")).unwrap();
        refused(&run(&["audit", "--config", config], &[]), &at(&key), code);
    }
    for key in ["ledger", "counter", "data", "tenant", "config"] {
        refused(&run(&["audit", &format!("--{key}"), " "], &[]), &format!("--{key}"), "usage");
    }
    fs::write(&file, "ledger = ''").unwrap();
    refused(&run(&["audit", "--config", config], &[]), &at("ledger"), "usage");
    refused(&audit(&[("TOKIO_WORKER_THREADS", "many")]), "TOKIO_WORKER_THREADS", "usage");
    refused(&audit(&[("TOKIO_WORKER_THREADS", "0")]), "TOKIO_WORKER_THREADS", "usage");
    let both = run(&["audit"], &[("HONGBAO_DATA", "a"), ("HONGBAO_LEDGER", "postgres://b")]);
    refused(&both, "HONGBAO_DATA and HONGBAO_LEDGER", "usage");
    fs::write(&file, "ledger = 'postgres://b'\ndata = 'a'").unwrap();
    let both = format!("{} and {}", at("data"), at("ledger"));
    refused(&run(&["audit", "--config", config], &[]), &both, "usage");
    // The same for a service, which must not be started again for ever.
    refused(&run(&["serve"], &[("HONGBAO_LEDGER", "postgres://")]), "HONGBAO_LEDGER", "ledger-url");
}

#[cfg(unix)]
#[test]
fn what_is_no_text_is_refused_and_not_passed_over() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    for name in ["HONGBAO_LEDGER", "HONGBAO_COUNTER", "HONGBAO_TENANT"] {
        let output = hongbao(&["audit"]).env(name, OsStr::from_bytes(b"postgres://\xff")).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{err}");
        assert!(err.starts_with(&format!("hongbao: usage: {name}: ")), "{err}");
    }
}

#[test]
fn a_mistake_in_a_file_is_one_line_with_its_place() {
    let home = tempdir().unwrap();
    let file = home.path().join("hongbao.toml");
    let config = file.to_str().unwrap();
    for (text, place) in [
        ("data = 'a'\nledgre = 'b'", "line 2, column 1: unknown field `ledgre`"),
        ("data = [", "line 1, column "),
        ("[serve]\nlisten = 'here'", "line 2, column "),
    ] {
        fs::write(&file, text).unwrap();
        let ended = run(&["audit", "--config", config], &[]);
        assert_eq!(ended.code, Some(65), "{ended:?}");
        assert!(ended.err.contains(place) && ended.err.lines().count() == 1, "{ended:?}");
    }
    // A name with a line feed in it does not make another line of the log.
    let odd = run(&["audit", "--config", "no\nwhere\u{1b}.toml"], &[]);
    assert_eq!((odd.code, odd.err.lines().count()), (Some(64), 1), "{odd:?}");
    let odd = run(&["plugin", "inspect", "no\nwhere\u{202e}.wasm"], &[]);
    assert_eq!((odd.code, odd.err.lines().count()), (Some(66), 1), "{odd:?}");
    assert!(odd.err.contains("no\\nwhere\\u{202e}.wasm"), "{odd:?}");
}

#[test]
fn a_filter_of_the_log_that_cannot_be_used_is_said() {
    let home = tempdir().unwrap();
    let data = home.path().to_str().unwrap();
    run(&["migrate", "--data", data], &[]);
    for value in ["verbose", "hongbao_host=loud", "a=b=c"] {
        let ended = run(&["audit", "--data", data], &[("HONGBAO_LOG", value)]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended.err.contains("HONGBAO_LOG") && ended.err.contains("the default, warn, is used"),
            "{ended:?}"
        );
    }
    for value in ["", " \n", "error", "hongbao_host=error\n", "off"] {
        assert_eq!(run(&["audit", "--data", data], &[("HONGBAO_LOG", value)]).err, "", "{value:?}");
    }
}

#[test]
fn a_file_that_a_url_names_is_no_mistake_in_the_url() {
    let home = tempdir().unwrap();
    let file = home.path().join("empty.pem");
    fs::write(&file, "").unwrap();
    let url = |file: &str| format!("postgres://me:secret@localhost/a?sslmode=verify-ca&sslrootcert={file}");
    for (file, code, exit) in [
        ("/nowhere/root.pem", "ledger-tls-file", 66),
        (file.to_str().unwrap(), "ledger-tls-file-invalid", 78),
    ] {
        let ended = run(&["audit"], &[("HONGBAO_LEDGER", &url(file))]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(exit), ""), "{ended:?}");
        let told =
            ended.err.starts_with(&format!("hongbao: {code}: HONGBAO_LEDGER: ")) && ended.err.contains(file);
        assert!(told && !ended.err.contains("secret"), "{ended:?}");
    }
}

#[test]
fn a_url_of_another_database_is_told_how_to_begin() {
    let ended = run(&["audit", "--ledger", "mysql://me:secret@localhost/a"], &[]);
    refused(&ended, "--ledger", "ledger-url");
    assert!(ended.err.contains("it must begin with postgres:// and not with mysql://"), "{ended:?}");
}

#[test]
fn what_is_not_what_it_should_be_is_told_in_plain_words() {
    let home = tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    for place in [file.to_owned(), format!("{file}/below")] {
        let ended = run(&["serve", "--listen", "127.0.0.1:0", "--data", &place], &[]);
        assert_eq!(ended.code, Some(73), "{ended:?}");
        assert!(ended.err.contains(&format!("{file} is a file and no directory")), "{ended:?}");
    }
    let ended = run(&["audit", "--data", file], &[]);
    assert!(ended.code == Some(66) && ended.err.contains("that is a file"), "{ended:?}");
    let ended = run(&["serve", "--listen", "localhost:8080"], &[]);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.err.contains("numeric address and a port, such as 127.0.0.1:8080"), "{ended:?}");
}
