//! The parts of `docs/differences.md` that are written from data: the tables of differences, and an automaton.

use std::fmt::Write as _;

use crate::differences::Row;

/// The document with each part put between its marks.
pub fn with_parts(document: &str, parts: &[(&str, String)]) -> Result<String, String> {
    let mut text = document.to_owned();
    for (name, part) in parts {
        let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
        let from = text.find(&begin).ok_or_else(|| format!("the mark {begin} is missing"))? + begin.len();
        let to = from + text[from..].find(&end).ok_or_else(|| format!("the mark {end} is missing"))?;
        text.replace_range(from..to, &format!("\n{part}\n"));
    }
    Ok(text)
}

/// The differences from one of the others.
pub fn table(name: &str, rows: &[Row]) -> String {
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
