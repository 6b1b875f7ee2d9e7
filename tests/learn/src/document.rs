//! The tables of `docs/differences.md`, written from the files of differences.

use std::fmt::Write as _;

use crate::differences::Row;

/// The document with the table of each file put between its marks.
pub fn with_tables(document: &str, files: &[(&str, &[Row])]) -> Result<String, String> {
    let mut text = document.to_owned();
    for (name, rows) in files {
        let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
        let from = text.find(&begin).ok_or_else(|| format!("the mark {begin} is missing"))? + begin.len();
        let to = from + text[from..].find(&end).ok_or_else(|| format!("the mark {end} is missing"))?;
        text.replace_range(from..to, &format!("\n{}\n", table(name, rows)));
    }
    Ok(text)
}

fn table(name: &str, rows: &[Row]) -> String {
    let mut text = format!("| state | word | segue | {name} | deviates | clause | |\n|---|---|---|---|---|---|---|\n");
    for Row { columns: [states, word, segue, other, who, clause, why], .. } in rows {
        let words: Vec<String> = word.split(' ').map(|word| format!("`{word}`")).collect();
        let who = if who == "-" { "nobody" } else { who };
        writeln!(
            text,
            "| {} | {} | {} | {} | {who} | {clause} | {why} |",
            every(states),
            words.join(", "),
            answers(segue),
            answers(other)
        )
        .expect("memory");
    }
    text
}

/// All states in few words.
fn every(states: &str) -> &str {
    if states.split(", ").count() == 11 { "every state" } else { states }
}

fn answers(text: &str) -> String {
    let each: Vec<String> = text
        .split(" or ")
        .map(|answer| if answer == "-" { "nothing".to_owned() } else { format!("`{answer}`") })
        .collect();
    each.join(" / ")
}
