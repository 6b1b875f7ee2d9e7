//! Reads a script character by character and knows the line.

use std::fmt;

/// Why a script cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    pub line: usize,
    pub problem: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

/// How deep brackets of any kind may be nested.
pub const DEPTH: usize = 64;

/// The rest of a script.
pub struct Cursor<'a> {
    rest: &'a str,
    line: usize,
    /// Brackets that are open.
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub const fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1, depth: 0 }
    }

    pub const fn line(&self) -> usize {
        self.line
    }

    pub fn error<T>(&self, problem: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError { line: self.line, problem: problem.into() })
    }

    /// Reads what stands inside of a bracket, no deeper than the stack allows.
    pub fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        if self.depth == DEPTH {
            return self.error(format!("brackets are nested deeper than {DEPTH}"));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// What stands here, for a message.
    pub fn here(&self) -> String {
        match self.rest.split_whitespace().next() {
            Some(word) => format!("{:?}", word.chars().take(20).collect::<String>()),
            None => "the end of the script".into(),
        }
    }

    /// Skips space and comments.
    pub fn skip(&mut self) -> Result<(), ParseError> {
        loop {
            let space = self.rest.len() - self.rest.trim_start().len();
            self.advance(space);
            if self.rest.starts_with("//") || self.rest.starts_with("#!") {
                self.advance(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                let Some(end) = self.rest.find("*/") else { return self.error("this comment has no end: add */") };
                self.advance(end + 2);
            } else {
                return Ok(());
            }
        }
    }

    /// Moves on by octets that were looked at, and counts the lines.
    fn advance(&mut self, octets: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(octets);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    pub fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub fn looks_at(&self, text: &str) -> bool {
        self.rest.starts_with(text)
    }

    pub const fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes this text, if it stands here after space.
    pub fn take(&mut self, text: &str) -> Result<bool, ParseError> {
        self.skip()?;
        let here = self.rest.starts_with(text);
        if here {
            self.advance(text.len());
        }
        Ok(here)
    }

    /// Takes this whole word, if it stands here after space.
    pub fn take_word(&mut self, word: &str) -> Result<bool, ParseError> {
        self.skip()?;
        let rest = self.rest.strip_prefix(word);
        let here = rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
        if here {
            self.advance(word.len());
        }
        Ok(here)
    }

    pub fn expect(&mut self, text: &str) -> Result<(), ParseError> {
        match self.take(text)? {
            true => Ok(()),
            false => self.error(format!("{text:?} is missing before {}", self.here())),
        }
    }

    /// The longest piece of these characters that stands here, also an empty one. Skips nothing.
    pub fn run(&mut self, mut of: impl FnMut(char) -> bool) -> &'a str {
        self.advance(self.rest.find(|c| !of(c)).unwrap_or(self.rest.len()))
    }

    /// Letters, digits and underscores.
    pub fn word(&mut self) -> Result<&'a str, ParseError> {
        self.skip()?;
        match self.run(|c| c.is_ascii_alphanumeric() || c == '_') {
            "" => self.error(format!("a name is missing before {}", self.here())),
            word => Ok(word),
        }
    }

    /// Takes all up to `end`, and `end`.
    pub fn until(&mut self, end: &str, what: &str) -> Result<&'a str, ParseError> {
        let Some(octets) = self.rest.find(end) else {
            return self.error(format!("this {what} has no end: add {end}"));
        };
        let text = self.advance(octets);
        self.advance(end.len());
        Ok(text)
    }

    /// A whole number, with a minus or in hexadecimal, in this range.
    pub fn number<T: TryFrom<i64>>(&mut self, what: &str) -> Result<T, ParseError> {
        self.skip()?;
        let line = self.line;
        let sign = if self.take("-")? { -1 } else { 1 };
        let digits = self.run(|c| c.is_ascii_alphanumeric());
        let value = match digits.strip_prefix("0x") {
            Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16),
            None => digits.parse(),
        };
        let number = value.ok().and_then(|value| T::try_from(value * sign).ok());
        number.ok_or_else(|| {
            let problem = match digits {
                "" => format!("{what} is missing before {}", self.here()),
                _ => format!("{digits:?} is no number for {what}, or out of its range"),
            };
            ParseError { line, problem }
        })
    }

    /// Seconds with a fraction, in microseconds.
    pub fn seconds(&mut self) -> Result<u64, ParseError> {
        self.skip()?;
        let whole = self.run(|c| c.is_ascii_digit());
        let fraction = match self.rest.starts_with('.') && !self.rest.starts_with("...") {
            true => {
                self.advance(1);
                self.run(|c| c.is_ascii_digit())
            }
            false => "",
        };
        if whole.is_empty() && fraction.is_empty() {
            return self.error(format!("a time such as 0.100, +.1 or * is missing before {}", self.here()));
        }
        let whole: u64 = if whole.is_empty() { Ok(0) } else { whole.parse() }.unwrap_or(u64::MAX);
        let micros: u64 = format!("{fraction:0<6}")[..6].parse().unwrap_or(0);
        match whole {
            0..=1_000_000_000 => Ok(whole * 1_000_000 + micros),
            _ => self.error("this time is too long"),
        }
    }
}
