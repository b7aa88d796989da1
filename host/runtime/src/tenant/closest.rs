//! Suggestions for mistyped commands.

use super::Tenant;
use hongbao_domain::command;

impl Tenant {
    /// The command of its plugin that is closest to one which the plugin does not know, if one is close: `/hongbao`
    /// to `/hognbao 5 2`, and `/红包` to `/红包封面`.
    #[must_use]
    pub fn closest_command(&self, text: &str) -> Option<String> {
        let typed = command(text, &[])?;
        let typed = name(&typed)?;
        let manifest = self.manifest();
        let known = manifest.commands.iter().filter_map(|usage| name(&usage.form));
        let close = known.filter_map(|known| Some((distance(typed, known)?, known)));
        close.min_by_key(|(distance, _)| *distance).map(|(_, known)| known.to_owned())
    }
}

/// The first word, with its slash.
fn name(text: &str) -> Option<&str> {
    text.split_whitespace().next()
}

/// How many slips of the finger lie between two commands; None where that is too many to mean the same.
fn distance(typed: &str, known: &str) -> Option<usize> {
    let letters = known.chars().count() - 1;
    if letters > 0 && typed.starts_with(known) {
        return Some(1);
    }
    let slips = strsim::damerau_levenshtein(typed, &known.to_lowercase());
    // Of two letters one may be wrong, of seven two.
    (slips <= letters.div_ceil(4).min(3)).then_some(slips)
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn few_slips_are_close() {
        for (typed, known, slips) in [
            ("/hognbao", "/hongbao", Some(1)),
            ("/hongba", "/hongbao", Some(1)),
            ("/honbgoa", "/hongbao", Some(2)),
            ("/hongbaox", "/hongbao", Some(1)),
            ("/红色", "/红包", Some(1)),
            ("/红包封面", "/红包", Some(1)),
            ("/weather", "/hongbao", None),
            ("/", "/hongbao", None),
            ("/x", "/", None),
        ] {
            assert_eq!(distance(typed, known), slips, "{typed}");
        }
        assert_eq!(distance(&format!("/{}", "x".repeat(4000)), "/hongbao"), None);
    }
}
