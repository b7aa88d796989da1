//! Aligned tables for a terminal.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::terminal;

/// A table with one line of headings. Columns whose heading starts with `>` are right-aligned.
pub(super) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(headings: &[&str]) -> Self {
        Self { headings: headings.iter().map(|&heading| heading.to_owned()).collect(), rows: Vec::new() }
    }

    /// Names and whatever else people write may stand in a cell.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| terminal::line(cell)).collect());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_whatever_is_in_it() {
        let mut table = Table::new(&["user", ">amount"]);
        table.row(vec!["bob\n\u{1b}[31m\u{202e}".into(), "¥5.00".into()]);
        table.row(vec!["卡罗".into(), "¥1,000.00".into()]);
        assert_eq!(table.render(""), "user          amount\nbob  [31m      ¥5.00\n卡罗       ¥1,000.00\n");
    }
}
