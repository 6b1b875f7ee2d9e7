//! The differences that are known: a file of them for each subject beside segue.
//!
//! A row is `states | word | what segue does | what the other does | who | clause | why`, after `#` comes a remark. In the
//! first four columns `*` stands for any text; a comma and a space between states, a space between words and " or " between
//! answers are alternatives. The first row that matches
//! decides. `who` is who deviates from the clause, or `-` where it allows both.

use std::fmt;

/// What differed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Signature {
    /// The state of segue's end before.
    pub state: String,
    pub word: String,
    pub segue: String,
    pub other: String,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {} | {} | {}", self.state, self.word, self.segue, self.other)
    }
}

#[derive(Clone, Debug)]
pub struct Row {
    pub line: usize,
    pub columns: [String; 7],
}

/// Reads a file of differences.
pub fn parse(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (line, raw) in (1..).zip(text.lines()) {
        if raw.is_empty() || raw.starts_with('#') {
            continue;
        }
        let columns: Vec<String> = raw.split('|').map(|column| column.trim().to_owned()).collect();
        let count = columns.len();
        let columns = columns.try_into().map_err(|_| format!("line {line}: seven columns are wanted, not {count}"))?;
        rows.push(Row { line, columns });
    }
    Ok(rows)
}

impl Row {
    pub fn matches(&self, signature: &Signature) -> bool {
        let Self { columns: [states, word, segue, other, ..], .. } = self;
        states.split(", ").any(|state| glob(state, &signature.state))
            && word.split(' ').any(|word| glob(word, &signature.word))
            && segue.split(" or ").any(|said| glob(said, &signature.segue))
            && other.split(" or ").any(|said| glob(said, &signature.other))
    }
}

/// `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, rest)) => {
            let Some(left) = text.strip_prefix(before) else { return false };
            (0..=left.len()).filter(|&at| left.is_char_boundary(at)).any(|at| glob(rest, &left[at..]))
        }
    }
}
