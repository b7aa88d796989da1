//! Documents lead somewhere.
//!
//! Simplifications. Links are read one line at a time; headings behind a `#` are not looked up.

use std::path::Path;

use crate::tree::{assert_none, file, files, root};

/// How a newcomer tries the project, and how they check it.
const COMMANDS: &[&str] = &["cargo xtask demo", "cargo xtask test"];

fn command_breaches(readme: &str) -> Vec<String> {
    let missing = COMMANDS.iter().filter(|command| !readme.contains(**command));
    missing.map(|command| format!("README.md: name `{command}`")).collect()
}

/// `exists` is asked for paths from the repository's root.
fn link_breaches(path: &str, text: &str, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let folder = Path::new(path).parent().unwrap();
    let mut found = Vec::new();
    let mut fenced = false;
    for (line, number) in text.lines().zip(1..) {
        fenced ^= line.trim_start().starts_with("```");
        let targets = if fenced { Vec::new() } else { targets(line) };
        let dead = targets.into_iter().filter(|target| !exists(&folder.join(target)));
        found.extend(dead.map(|target| format!("{path}:{number}: `{target}` is not there")));
    }
    found
}

/// Relative targets of `[text](target)` and `[name]: target`, without the heading.
fn targets(line: &str) -> Vec<&str> {
    // Every second part stands between backticks, and is code.
    let prose = line.split('`').step_by(2);
    let inline = prose.flat_map(|part| part.split("](").skip(1)).map(|rest| rest.split(')').next().unwrap());
    let named = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target);
    let targets = inline.chain(named).filter_map(|target| target.split_whitespace().next());
    let targets = targets.map(|target| target.trim_matches(['<', '>']).split('#').next().unwrap());
    targets
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// The suites that the section about tests says nothing of.
fn suite_breaches<'a>(contributing: &str, suites: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let section = contributing.split("\n## ").find(|section| section.starts_with("Where a test belongs"));
    let section = section.expect("a section about where a test belongs");
    let missing = suites.into_iter().filter(|suite| !section.contains(&format!("`{suite}`")));
    missing.map(|suite| format!("CONTRIBUTING.md: say what belongs into `{suite}`")).collect()
}

#[test]
fn contributing_says_what_belongs_into_each_suite() {
    let sources = files("tests/tests", &["rs"]);
    let suites = sources.iter().filter_map(|source| source.path.strip_suffix("/main.rs")?.rsplit('/').next());
    assert_none(&suite_breaches(&file("CONTRIBUTING.md").text, suites));
}

#[test]
fn a_suite_that_is_not_explained_is_found() {
    let text = "`money`\n## Where a test belongs\n`rules`\n## Later\n`cli`";
    assert_eq!(suite_breaches(text, ["rules", "cli", "money"]).len(), 2);
}

#[test]
fn the_readme_names_the_first_commands() {
    assert_none(&command_breaches(&file("README.md").text));
}

#[test]
fn every_relative_link_leads_to_a_file() {
    let documents = files("", &["md"]);
    let exists = |path: &Path| root().join(path).exists();
    assert_none(
        &documents.iter().flat_map(|one| link_breaches(&one.path, &one.text, exists)).collect::<Vec<_>>(),
    );
}

#[test]
fn a_readme_without_its_commands_is_found() {
    assert_eq!(command_breaches("Run `cargo xtask demo`.").len(), 1);
    assert!(command_breaches(&COMMANDS.join("\n")).is_empty());
}

#[test]
fn a_dead_link_is_found() {
    let exists = |path: &Path| path == Path::new("docs/a.md");
    let check = |text: &str| link_breaches("docs/b.md", text, exists);
    assert!(check("[a](a.md) ![a](<a.md#b> \"c\") [d](#e) [f](https://example.org/g) `[h](i)`").is_empty());
    assert!(check("```\n[a](gone.md)\n```\n[b]: a.md").is_empty());
    assert_eq!(
        check("[a](a.md) and [b](gone.md), [c](/a.md)"),
        ["docs/b.md:1: `gone.md` is not there", "docs/b.md:1: `/a.md` is not there"]
    );
    assert_eq!(check("[b]: gone.md").len(), 1);
    assert_eq!(check("```\n```\n[a](gone.md)").len(), 1);
}
