//! Rows under a head, as wide as what is in them: the first column to the left, figures to the right.

use std::fmt;

/// No line is longer.
const WIDEST: usize = 80;

pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|&word| word.to_owned()).collect()] }
    }

    /// Adds a row; one that is shorter than the head ends with its last cell, which may be long.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Of each column; a cell that stands for the rest of its row does not count.
    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let whole = || self.rows.iter().filter(|row| row.len() == columns);
        let longest = |column: usize| whole().map(|row| row[column].chars().count()).max();
        (0..columns).map(|column| longest(column).unwrap_or(0)).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let cells =
                row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ if row.len() < widths.len() => cell.clone(),
                    _ => format!("{cell:>width$}"),
                });
            let line = cells.collect::<Vec<_>>().join("  ");
            let line = line.trim_end();
            assert!(line.chars().count() <= WIDEST, "wider than {WIDEST} columns: {line}");
            writeln!(to, "{line}")?;
        }
        Ok(())
    }
}

/// A number with so many decimals; `-` for what is not known.
pub(crate) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// A number with three digits that count; `-` for what is not known.
pub(crate) fn significant(value: Option<f64>) -> String {
    let decimals = match value {
        Some(value) if value.abs() >= 100.0 => 0,
        Some(value) if value.abs() >= 10.0 => 1,
        Some(value) if value.abs() >= 1.0 => 2,
        _ => 3,
    };
    number(value, decimals)
}
