//! Digits of the scripts that are read.

/// The digit zero of each script whose digits are read; the others follow it.
const ZEROS: [char; 4] = ['0', '\u{660}', '\u{6f0}', '\u{966}'];

/// The value of a digit with the zero of its script.
#[inline(never)]
pub(super) fn digit(one: char) -> Option<(char, u8)> {
    ZEROS.iter().find_map(|&zero| {
        let value = u32::from(one).checked_sub(u32::from(zero))?;
        if value < 10 { Some((zero, value as u8)) } else { None }
    })
}

/// Whether a text looks like a number: whether a digit of any known script is in it.
pub(super) fn has_digit(text: &str) -> bool {
    text.chars().any(|one| digit(one).is_some())
}

/// Whether a character is a digit of a known script.
pub(super) fn is_digit(one: char) -> bool {
    digit(one).is_some()
}
