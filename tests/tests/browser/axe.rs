//! What `axe-core` says of a page: rules by which everybody can use it.

use std::fs;

use serde_json::Value;

use super::driver::target;
use super::window::Window;

const CHECK: &str = r#"
const done = arguments[arguments.length - 1];
const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
axe.run(document, { runOnly, resultTypes: ["violations"] }).then(
  ({ violations, passes }) => done({
    rules: violations.length + passes.length,
    violations: violations.map(({ id, help, nodes }) =>
      ({ id, help, nodes: nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)}: ${failureSummary}`) })),
  }),
  (error) => done({ rules: 0, error: String(error) }),
);
"#;

/// The rules' program.
pub fn rules() -> String {
    let file = target().join("axe/node_modules/axe-core/axe.min.js");
    fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!("{}: {error}; run `cargo xtask setup`, which installs it", file.display())
    })
}

/// Everything that is wrong with what the window shows now.
pub async fn violations(window: &Window, rules: &str) -> Vec<Value> {
    // Once for each page, which a reload empties.
    if window.script("return !window.axe", &[]).await == true {
        window.script(rules, &[]).await;
    }
    let found = window.later(CHECK, &[]).await;
    assert!(found["rules"].as_u64().is_some_and(|rules| rules > 10), "nothing was judged: {found}");
    found["violations"].as_array().unwrap().clone()
}
