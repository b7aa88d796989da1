//! Columns on a terminal.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

/// A table with one line of headings. Columns whose heading starts with `>` are right-aligned.
pub(super) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(headings: &[&str]) -> Self {
        Self { headings: headings.iter().map(|&heading| heading.to_owned()).collect(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(super) fn render(&self, indent: &str) -> String {
        let names: Vec<String> = self.headings.iter().map(|h| h.trim_start_matches('>').to_owned()).collect();
        let widths: Vec<usize> = (0..names.len()).map(|column| self.width(column)).collect();
        let mut text = self.line(indent, &names, &widths);
        for row in &self.rows {
            text.push_str(&self.line(indent, row, &widths));
        }
        text
    }

    fn width(&self, column: usize) -> usize {
        let heading = self.headings.get(column).map_or(0, |h| h.trim_start_matches('>').width());
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
        cells.max().unwrap_or(0).max(heading)
    }

    fn line(&self, indent: &str, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), heading) in cells.iter().zip(widths).zip(&self.headings) {
            // Chinese characters take two columns, which the formatter's own padding does not know.
            let pad = " ".repeat(width.saturating_sub(cell.width()));
            let _ = match heading.starts_with('>') {
                true => write!(line, "{pad}{cell}  "),
                false => write!(line, "{cell}{pad}  "),
            };
        }
        format!("{indent}{}\n", line.trim_end())
    }
}

/// Minor units as people write them.
pub(super) fn money(currency: &str, minor: i128) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let (whole, cents) = (minor.unsigned_abs() / 100, minor.unsigned_abs() % 100);
    match currency {
        "CNY" => format!("{sign}¥{whole}.{cents:02}"),
        other => format!("{sign}{whole}.{cents:02} {other}"),
    }
}
