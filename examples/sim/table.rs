//! The table for people.

use super::rows::{Figure, Row, Unit, Want};

/// How a figure stands to what it must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing is required.
    Free,
    Reached,
    /// Not quite, but within one percent, which counts as reached.
    Nearly,
    Missed,
}

impl Verdict {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Free => "",
            Self::Reached => "yes",
            Self::Nearly => "within 1 %",
            Self::Missed => "NO",
        }
    }
}

/// One percent.
const NEAR: f64 = 0.01;

pub fn verdict(want: Want, value: f64) -> Verdict {
    let (low, high) = match want {
        Want::More | Want::Less => return Verdict::Free,
        Want::AtLeast(low) => (low, f64::INFINITY),
        Want::AtMost(high) => (f64::NEG_INFINITY, high),
        Want::Between(low, high) => (low, high),
    };
    let (near_low, near_high) = (low - low.abs() * NEAR, high + high.abs() * NEAR);
    if (low..=high).contains(&value) {
        Verdict::Reached
    } else if (near_low..=near_high).contains(&value) {
        Verdict::Nearly
    } else {
        Verdict::Missed
    }
}

pub fn value(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => format!("{value:.4}"),
        Unit::Percent => format!("{:.2} %", value * 100.0),
        Unit::Milliseconds => format!("{value:.1} ms"),
        Unit::Count => format!("{value:.0}"),
    }
}

pub fn wanted(figure: &Figure) -> String {
    let number = |n: f64| match figure.unit {
        Unit::Share | Unit::Count => format!("{n}"),
        Unit::Percent => format!("{} %", (n * 10_000.0).round() / 100.0),
        Unit::Milliseconds => format!("{n} ms"),
    };
    match figure.want {
        Want::More | Want::Less => String::new(),
        Want::AtLeast(low) => format!("≥ {}", number(low)),
        Want::AtMost(high) => format!("≤ {}", number(high)),
        Want::Between(low, high) => format!("{} to {}", number(low), number(high)),
    }
}

/// The table as Markdown with aligned columns: a line for each figure, two columns for each set of seeds. A set has its
/// name and, for each row, its values.
pub fn table(rows: &[Row], sets: &[(String, Vec<Vec<f64>>)]) -> String {
    let mut head = vec!["path".to_string(), "figure".to_string(), "required".to_string()];
    for (seeds, _) in sets {
        head.push(format!("seeds {seeds}"));
        head.push("reached".to_string());
    }
    let mut lines = vec![head];
    for (r, row) in rows.iter().enumerate() {
        for (f, figure) in row.figures.iter().enumerate() {
            let label = if f == 0 { row.title() } else { String::new() };
            let mut line = vec![label, figure.name.to_string(), wanted(figure)];
            for (_, values) in sets {
                let got = values[r][f];
                let known = !got.is_nan();
                line.push(if known { value(figure.unit, got) } else { "not recorded".to_string() });
                line.push(if known { verdict(figure.want, got).text().to_string() } else { String::new() });
            }
            lines.push(line);
        }
    }
    aligned(&lines)
}

pub fn aligned(lines: &[Vec<String>]) -> String {
    let count = lines.first().map_or(0, Vec::len);
    let width = |c: usize| lines.iter().map(|line| line[c].chars().count()).max().unwrap_or(0).max(3);
    let widths = (0..count).map(width).collect::<Vec<_>>();
    let mut text = String::new();
    for (n, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            text += &format!("| {cell}{} ", " ".repeat(width - cell.chars().count()));
        }
        text += "|\n";
        if n == 0 {
            let rules = widths.iter().map(|width| format!("|{}", "-".repeat(width + 2)));
            text += &rules.collect::<String>();
            text += "|\n";
        }
    }
    text
}
