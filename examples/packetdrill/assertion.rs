//! Assertions of `%{ }%`: the simple part of Python that scripts use on `tcp_info`. No Python runs.
//!
//! ```text
//! assert tcpi_snd_cwnd == 10 and tcpi_unacked <= 4, tcpi_snd_cwnd
//! ```

use crate::call::constant;
use crate::cursor::DEPTH;

/// Why an assertion does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Problem {
    /// It cannot be read, or names what the stack does not know.
    Unreadable(String),
    /// It is false: its text, and each name in it with its value.
    False { text: String, values: Vec<(String, i64)> },
}

/// Checks each statement of a block.
///
/// # Errors
/// The first statement that does not hold.
pub fn check(code: &str, info: &[(&'static str, i64)]) -> Result<(), Problem> {
    let mut open: i64 = 0;
    let mut statement = String::new();
    let mut statements = Vec::new();
    for line in code.lines() {
        let line = line.split('#').next().unwrap_or("").trim();
        open += line.chars().map(|c| i64::from(c == '(') - i64::from(c == ')')).sum::<i64>();
        let (line, goes_on) = line.strip_suffix('\\').map_or((line, open > 0), |line| (line, true));
        statement += line;
        statement.push(' ');
        if !goes_on {
            statements.push(std::mem::take(&mut statement));
        }
    }
    statements.push(statement);
    let all = statements.iter().flat_map(|line| line.split(';')).map(str::trim);
    all.filter(|statement| !statement.is_empty()).try_for_each(|statement| hold(statement, info))
}

fn hold(statement: &str, info: &[(&'static str, i64)]) -> Result<(), Problem> {
    let Some(text) = statement.strip_prefix("assert").filter(|rest| rest.starts_with([' ', '('])) else {
        return Err(Problem::Unreadable(format!("{statement:?} is no assertion: only assert is supported")));
    };
    let tokens = tokens(text).map_err(Problem::Unreadable)?;
    let mut reader = Reader { tokens: &tokens, at: 0, depth: 0, info, values: Vec::new() };
    let value = reader.either().map_err(Problem::Unreadable)?;
    // What Python would print when it is false.
    match reader.peek() {
        None | Some(",") => {}
        Some(other) => return Err(Problem::Unreadable(format!("{other:?} has no place in {text:?}"))),
    }
    match value {
        0 => Err(Problem::False { text: text.trim().to_string(), values: reader.values }),
        _ => Ok(()),
    }
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    const OPERATORS: [&str; 20] =
        ["==", "!=", "<=", ">=", "<<", ">>", "//", "<", ">", "(", ")", "+", "-", "*", "/", "%", "&", "|", "~", ","];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let len = if first.is_ascii_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if matches!(first, '"' | '\'') {
            rest[1..].find(first).ok_or_else(|| format!("a text in {text:?} has no end"))? + 2
        } else {
            let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
            operator.ok_or_else(|| format!("{first:?} is not supported in {text:?}"))?.len()
        };
        tokens.push(rest[..len].to_string());
        rest = rest[len..].trim_start();
    }
    Ok(tokens)
}

/// Reads by precedence: or, and, not, comparisons, |, &, shifts, sums, products, signs.
struct Reader<'a> {
    tokens: &'a [String],
    at: usize,
    /// Parentheses and signs that are open.
    depth: usize,
    info: &'a [(&'static str, i64)],
    values: Vec<(String, i64)>,
}

type Number = Result<i64, String>;

impl Reader<'_> {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn take(&mut self, token: &str) -> bool {
        let here = self.peek() == Some(token);
        self.at += usize::from(here);
        here
    }

    /// Reads what stands inside of something, no deeper than the stack allows.
    fn inside(&mut self, read: fn(&mut Self) -> Number) -> Number {
        if self.depth == DEPTH {
            return Err(format!("parentheses and signs are nested deeper than {DEPTH}"));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn either(&mut self) -> Number {
        let mut value = self.both()?;
        while self.take("or") {
            let other = self.both()?;
            value = i64::from(value != 0 || other != 0);
        }
        Ok(value)
    }

    fn both(&mut self) -> Number {
        let mut value = self.negated()?;
        while self.take("and") {
            let other = self.negated()?;
            value = i64::from(value != 0 && other != 0);
        }
        Ok(value)
    }

    fn negated(&mut self) -> Number {
        match self.take("not") {
            true => Ok(i64::from(self.inside(Self::negated)? == 0)),
            false => self.comparison(),
        }
    }

    /// Comparisons may follow each other, as in `1 <= x <= 3`.
    fn comparison(&mut self) -> Number {
        let mut left = self.binary(0)?;
        let mut compared = None;
        while let Some(operator) = self.peek().filter(|own| ["==", "!=", "<", "<=", ">", ">="].contains(own)) {
            let operator = operator.to_string();
            self.at += 1;
            let right = self.binary(0)?;
            let holds = match operator.as_str() {
                "==" => left == right,
                "!=" => left != right,
                "<" => left < right,
                "<=" => left <= right,
                ">" => left > right,
                _ => left >= right,
            };
            compared = Some(compared.unwrap_or(true) && holds);
            left = right;
        }
        Ok(compared.map_or(left, i64::from))
    }

    /// Operators between numbers, by levels.
    fn binary(&mut self, level: usize) -> Number {
        const LEVELS: [&[&str]; 5] = [&["|"], &["&"], &["<<", ">>"], &["+", "-"], &["*", "//", "/", "%"]];
        let Some(operators) = LEVELS.get(level) else { return self.signed() };
        let mut value = self.binary(level + 1)?;
        while let Some(operator) = self.peek().filter(|own| operators.contains(own)) {
            let operator = operator.to_string();
            self.at += 1;
            let other = self.binary(level + 1)?;
            let shift = u32::try_from(other).ok();
            let result = match operator.as_str() {
                "|" => Some(value | other),
                "&" => Some(value & other),
                "<<" => shift.and_then(|shift| value.checked_shl(shift).filter(|all| all >> shift == value)),
                ">>" => shift.and_then(|shift| value.checked_shr(shift)),
                "+" => value.checked_add(other),
                "-" => value.checked_sub(other),
                "*" => value.checked_mul(other),
                "%" => value.checked_rem_euclid(other),
                _ => value.checked_div_euclid(other),
            };
            value = result.ok_or_else(|| format!("{value} {operator} {other} has no value"))?;
        }
        Ok(value)
    }

    fn signed(&mut self) -> Number {
        match () {
            () if self.take("-") => {
                let value = self.inside(Self::signed)?;
                value.checked_neg().ok_or_else(|| format!("-({value}) has no value"))
            }
            () if self.take("+") => self.inside(Self::signed),
            () if self.take("~") => Ok(!self.inside(Self::signed)?),
            () => self.atom(),
        }
    }

    fn atom(&mut self) -> Number {
        if self.take("(") {
            let value = self.inside(Self::either)?;
            return if self.take(")") { Ok(value) } else { Err("a ) is missing".into()) };
        }
        let Some(token) = self.peek().map(str::to_string) else { return Err("a value is missing at the end".into()) };
        self.at += 1;
        let digits = token.strip_prefix("0x").map_or_else(|| token.parse(), |hex| i64::from_str_radix(hex, 16));
        if let Ok(number) = digits {
            return Ok(number);
        }
        match token.as_str() {
            "True" => return Ok(1),
            "False" => return Ok(0),
            _ => {}
        }
        if let Some(number) = constant(&token) {
            return Ok(number);
        }
        let Some((_, value)) = self.info.iter().find(|(name, _)| *name == token) else {
            let known: Vec<&str> = self.info.iter().map(|(name, _)| *name).collect();
            return Err(format!("{token} is not known of this connection; known are {}", known.join(" ")));
        };
        if !self.values.iter().any(|(name, _)| *name == token) {
            self.values.push((token, *value));
        }
        Ok(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: [(&str, i64); 2] = [("tcpi_snd_cwnd", 10), ("tcpi_state", 1)];

    fn holds(code: &str) -> bool {
        check(code, &INFO) == Ok(())
    }

    #[test]
    fn operators_bind_as_in_python() {
        for (code, expected) in [
            ("assert tcpi_snd_cwnd == 10", true),
            ("assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd", true),
            ("assert tcpi_snd_cwnd != 10", false),
            ("assert 1 <= tcpi_snd_cwnd <= 9", false),
            ("assert 1 <= tcpi_snd_cwnd <= 10 and tcpi_state == TCP_ESTABLISHED", true),
            ("assert not tcpi_snd_cwnd == 10 or tcpi_state == 1", true),
            ("assert 1 + 2 * 3 == 7 and (1 + 2) * 3 == 9", true),
            ("assert 7 // 2 == 3 and 7 % 4 == 3 and 1 << 4 == 16 and -2 + 3 == 1", true),
            ("assert 6 & 3 == 2", true), // `&` binds more than `==`
            ("assert (tcpi_snd_cwnd ==\n 10)\nassert tcpi_state == 1; assert 0x10 == 16", true),
            ("assert (tcpi_snd_cwnd ==\n 10)\nassert tcpi_state == 2", false),
        ] {
            assert_eq!(holds(code), expected, "{code}");
        }
    }

    #[test]
    fn a_false_assertion_shows_its_values() {
        let Err(Problem::False { text, values }) = check("assert tcpi_snd_cwnd == 4, 'cwnd'", &INFO) else {
            panic!("it is false")
        };
        assert_eq!(text, "tcpi_snd_cwnd == 4, 'cwnd'");
        assert_eq!(values, [("tcpi_snd_cwnd".to_string(), 10)]);
    }

    #[test]
    fn what_is_not_simple_is_refused_with_words() {
        for code in
            ["assert tcpi_unknown == 1", "print(1)", "assert", "assert (1", "assert 1 @ 2", "assert 1 1", "x = 3"]
        {
            assert!(matches!(check(code, &INFO), Err(Problem::Unreadable(_))), "{code}");
        }
        for (code, words) in [
            ("assert -~9223372036854775807 == 0", "has no value"),
            ("assert 1 << 63 == 0", "1 << 63 has no value"),
            ("assert 1 << 64 == 0", "1 << 64 has no value"),
            ("assert 9223372036854775807 + 1", "has no value"),
            ("assert (~9223372036854775807) // -1", "has no value"),
            ("assert 1 % 0", "1 % 0 has no value"),
        ] {
            let Err(Problem::Unreadable(own)) = check(code, &INFO) else { panic!("{code} has a value") };
            assert!(own.contains(words), "{code}: {own}");
        }
        for open in ["(", "-", "~", "not "] {
            assert!(holds(&format!(
                "assert {}1{} == 1 or 1",
                open.repeat(DEPTH),
                if open == "(" { ")" } else { "" }.repeat(DEPTH)
            )));
            let deep = check(&format!("assert {}1", open.repeat(200_000)), &INFO);
            assert!(matches!(deep, Err(Problem::Unreadable(words)) if words.contains("deeper than 64")), "{open}");
        }
        let Err(Problem::Unreadable(words)) = check("assert tcpi_unknown == 1", &INFO) else { panic!("not known") };
        assert!(words.contains("known are tcpi_snd_cwnd tcpi_state"));
    }
}
