//! The guide is followed word by word: its commands are run in their order, and show what it says.
//!
//! The home is a temporary folder, so that `~/thirds` is nobody's. Only the first command works on the
//! repository itself, and builds what is mostly built already.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::tempdir;

use crate::build::{program, root, scratch};

/// Printed between blocks, so that what each of them shows is told apart.
const MARK: &str = "=== block ===";

/// Commands, and the lines that they show; `…` stands for whatever it may be.
struct Step {
    commands: String,
    shows: Vec<String>,
}

fn guide() -> String {
    fs::read_to_string(root().join("docs/plugin-guide.md")).unwrap()
}

fn steps(guide: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match kind {
            "sh" => steps.push(Step { commands: block.join("\n"), shows: Vec::new() }),
            "text" => {
                steps.last_mut().unwrap().shows = block.iter().map(|line| (*line).to_owned()).collect();
            }
            _ => {}
        }
    }
    steps
}

/// The first of these lines that does not stand in the text, behind those before it.
fn missing<'a>(shows: &'a [String], text: &str) -> Option<&'a String> {
    let mut lines = text.lines();
    shows.iter().find(|line| !lines.any(|found| fits(found, line)))
}

fn fits(found: &str, pattern: &str) -> bool {
    let mut rest = found;
    for (index, part) in pattern.split('…').enumerate() {
        match rest.find(part) {
            Some(at) if index > 0 || at == 0 => rest = &rest[at + part.len()..],
            _ => return false,
        }
    }
    pattern.ends_with('…') || rest.trim_end().is_empty()
}

/// Rust's own folders stay where they are when the home is another.
fn own(variable: &str, folder: &str) -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(folder);
    std::env::var_os(variable).map_or_else(home, PathBuf::from)
}

#[test]
fn the_guide_is_followed_word_by_word() {
    let steps = steps(&guide());
    assert!(steps.len() >= 8, "the guide was not understood");
    let home = tempdir().unwrap();
    // What the last run of this test compiled is not compiled again.
    fs::create_dir(home.path().join(".cargo")).unwrap();
    let config = format!("[build]\nbuild-dir = {:?}\n", scratch().join("build"));
    fs::write(home.path().join(".cargo/config.toml"), config).unwrap();
    let script: String = steps.iter().map(|step| format!("{}\necho '{MARK}'\n", step.commands)).collect();
    let script_file = home.path().join("guide.sh");
    fs::File::create(&script_file).unwrap().write_all(script.as_bytes()).unwrap();

    let mut shell = program("sh");
    shell.arg("-eu").arg(&script_file).current_dir(root()).stdin(Stdio::null());
    shell.env("CARGO_HOME", own("CARGO_HOME", ".cargo")).env("RUSTUP_HOME", own("RUSTUP_HOME", ".rustup"));
    let output = shell.env("HOME", home.path()).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}:\n{out}\n{err}", output.status);

    for (step, shown) in steps.iter().zip(out.split(MARK)) {
        if let Some(line) = missing(&step.shows, shown) {
            panic!("the guide says {line:?}, and this is shown by\n{}\n\n{shown}", step.commands);
        }
    }
}

#[test]
fn the_guide_quotes_what_the_host_says() {
    let guide = guide();
    let (_, table) = guide.split_once("| the host says | because |").unwrap();
    let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| `")?.split('`').next());
    let sentences: Vec<&str> = rows.collect();
    assert!(sentences.len() > 15, "the table was not understood");
    let mut source = String::new();
    gather(&root().join("host"), &mut source);
    // A sentence may stand on two lines, and have words in backticks, which a table cannot show.
    let source: String = source.split("\\\n").map(str::trim_start).collect::<String>().replace('`', "");
    for sentence in sentences {
        // The beginning and the rest of these stand in two places.
        let ends = ["the plugin's answer has ", "the plugin reached for ", "the plugin told of "];
        let cut = ends.iter().find_map(|end| Some((*end, sentence.strip_prefix(end)?)));
        let halves = cut.map_or_else(|| vec![sentence], |(begin, rest)| vec![begin, rest]);
        for part in halves.iter().flat_map(|half| half.split('…')).filter(|part| part.len() > 2) {
            assert!(source.contains(part), "the host does not say {part:?}");
        }
    }
}

fn gather(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn what_is_shown_otherwise_is_found() {
    let shown = "one 12 KiB, two\n  three\n";
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert_eq!(missing(&lines(&["one … KiB, two", "  three"]), shown), None);
    assert_eq!(missing(&lines(&["one …"]), shown), None);
    for wrong in [&["  three", "one …"][..], &["one"], &["one … two, …"], &["three"]] {
        assert!(missing(&lines(wrong), shown).is_some(), "{wrong:?}");
    }
}
