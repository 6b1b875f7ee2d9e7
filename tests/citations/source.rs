//! A source as far as the checker reads it: what is code in it, in which blocks an item stands, and under which attributes.

use std::ops::Range;

pub(super) struct Source {
    text: String,
    /// The text with blanks for comments, strings and characters, octet for octet.
    code: String,
}

/// An item: its attributes, and the heads of the blocks around it, the outermost first.
pub(super) struct Item {
    pub(super) attributes: Vec<String>,
    pub(super) blocks: Vec<Head>,
}

/// What stands before the name of an item, or before the brace of a block.
pub(super) struct Head {
    pub(super) attributes: Vec<String>,
    pub(super) words: String,
}

impl Source {
    pub(super) fn new(text: String) -> Self {
        Self { code: code(&text), text }
    }

    /// The functions of this name.
    pub(super) fn functions(&self, name: &str) -> Vec<Item> {
        self.items(&format!("fn {name}"), |rest| rest.starts_with(['(', '<']))
    }

    /// The lines that declare a file as a module of this name.
    pub(super) fn modules(&self, name: &str) -> Vec<Item> {
        self.items(&format!("mod {name}"), |rest| rest.trim_start().starts_with(';'))
    }

    fn items(&self, words: &str, goes_on: impl Fn(&str) -> bool) -> Vec<Item> {
        let is_whole =
            |at: &usize| !self.code[..*at].ends_with(is_of_a_word) && goes_on(&self.code[at + words.len()..]);
        let found = self.code.match_indices(words).map(|(at, _)| at).filter(is_whole);
        found.map(|at| self.item(at)).collect()
    }

    fn item(&self, at: usize) -> Item {
        let (mut blocks, mut start) = (Vec::new(), 0);
        for (here, octet) in self.code[..at].bytes().enumerate() {
            match octet {
                b'{' => blocks.push(start..here),
                b'}' => drop(blocks.pop()),
                b';' => {}
                _ => continue,
            }
            start = here + 1;
        }
        let blocks = blocks.into_iter().map(|block| self.head(block)).collect();
        Item { attributes: self.head(start..at).attributes, blocks }
    }

    fn head(&self, range: Range<usize>) -> Head {
        let (mut attributes, mut at) = (Vec::new(), range.start);
        while let Some(found) = self.code[at..range.end].find("#[").or_else(|| self.code[at..range.end].find("#![")) {
            let end = self.closing(at + found).min(range.end);
            attributes.push(self.text[at + found..end].to_string());
            at = end;
        }
        Head { attributes, words: self.code[at..range.end].trim().to_string() }
    }

    /// Where the bracket that opens after this place is closed.
    fn closing(&self, at: usize) -> usize {
        let mut depth = 0;
        for (here, octet) in self.code.bytes().enumerate().skip(at) {
            match octet {
                b'[' => depth += 1,
                b']' if depth == 1 => return here + 1,
                b']' => depth -= 1,
                _ => {}
            }
        }
        self.code.len()
    }

    /// The attributes `#![…]`, wherever they stand.
    pub(super) fn inner_attributes(&self) -> Vec<String> {
        let starts = self.code.match_indices("#![").map(|(at, _)| at);
        starts.map(|at| self.text[at..self.closing(at)].replacen("#!", "#", 1)).collect()
    }

    pub(super) fn has_code(&self, words: &str) -> bool {
        self.code.contains(words)
    }
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn code(text: &str) -> String {
    let (mut code, mut at) = (String::with_capacity(text.len()), 0);
    while let Some(next) = text[at..].chars().next() {
        let hidden = hidden(&text[at..], text[..at].ends_with(is_of_a_word));
        if hidden == 0 {
            code.push(next);
            at += next.len_utf8();
        } else {
            code.extend(std::iter::repeat_n(' ', hidden));
            at += hidden;
        }
    }
    code
}

/// How many octets the comment, the string or the character takes that begins here.
fn hidden(rest: &str, after_a_word: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if let Some(inside) = rest.strip_prefix('"') {
        return rest.len() - inside.len() + string(inside);
    }
    if let Some(inside) = rest.strip_prefix('\'') {
        return character(inside);
    }
    if after_a_word || !rest.starts_with(['r', 'b', 'c']) {
        return 0;
    }
    let Some(inside) = rest.trim_start_matches(['b', 'c']).strip_prefix('r') else { return 0 };
    let signs = inside.len() - inside.trim_start_matches('#').len();
    let Some(inside) = inside[signs..].strip_prefix('"') else { return 0 };
    let end = format!("\"{}", "#".repeat(signs));
    rest.len() - inside.len() + inside.find(&end).map_or(inside.len(), |at| at + end.len())
}

/// Block comments stand within each other.
fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        let (open, close) = (rest[at..].find("/*"), rest[at..].find("*/"));
        let Some(end) = close else { return rest.len() };
        depth = if open.is_some_and(|open| open < end) { depth + 1 } else { depth - 1 };
        at += open.map_or(end, |open| open.min(end)) + 2;
    }
    at
}

fn string(inside: &str) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    inside.len()
}

/// The length of a character with both its quotes; 0 where a lifetime begins.
fn character(inside: &str) -> usize {
    if inside.starts_with('\\') {
        return inside.get(2..).and_then(|rest| rest.find('\'')).map_or(0, |at| at + 4);
    }
    let first = inside.chars().next().map_or(0, char::len_utf8);
    if inside[first..].starts_with('\'') { first + 2 } else { 0 }
}

#[test]
fn comments_strings_and_characters_are_no_code() {
    for (text, left) in [
        ("a /* b /* c */ d */ e // f", "a e"),
        ("a \"b \\\" { c\" d", "a d"),
        ("a r#\"b \" { c\"# d br\"{\" e", "a d e"),
        ("a '{' b '\\'' c '\\u{7d}' d<'e> 'é'", "a b c d<'e>"),
        ("for\"x\" r#fn r", "for r#fn r"),
    ] {
        assert_eq!(code(text).split_whitespace().collect::<Vec<_>>().join(" "), left);
        assert_eq!(code(text).len(), text.len());
    }
}
