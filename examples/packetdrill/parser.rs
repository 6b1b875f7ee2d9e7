//! The parser: recursive descent over the grammar of packetdrill's `parser.y`.

use crate::call::{Call, Value};
use crate::cursor::{Cursor, ParseError};
use crate::packet_parser::{icmp, packet};
use crate::script::{Action, Event, Script, Time};

/// Reads a script.
///
/// # Errors
/// The line of the first mistake, and the text expected there.
pub fn parse(text: &str) -> Result<Script, ParseError> {
    let mut at = Cursor::new(text);
    let mut script = Script::default();
    at.skip()?;
    while at.looks_at("--") {
        script.options.push(option(&mut at)?);
        at.skip()?;
    }
    while !at.is_over() {
        let line = at.line();
        // The commands before and behind the events have no time.
        let time = if at.peek() == Some('`') { Time::Relative(0) } else { time(&mut at)? };
        let action = action(&mut at)?;
        check(line, time, &action)?;
        script.events.push(Event { line, time, action });
        at.skip()?;
    }
    match script.events.is_empty() {
        true => at.error("the script has no event: add one, such as 0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3"),
        false => Ok(script),
    }
}

fn option(at: &mut Cursor<'_>) -> Result<(usize, String, Option<String>), ParseError> {
    let line = at.line();
    at.expect("--")?;
    let name = at.word()?.to_string();
    let value = match at.looks_at("=") {
        true => {
            at.expect("=")?;
            Some(at.run(|c| !c.is_whitespace()).trim_matches('"').to_string())
        }
        false => None,
    };
    Ok((line, name, value))
}

fn time(at: &mut Cursor<'_>) -> Result<Time, ParseError> {
    if at.take("*")? {
        return Ok(Time::Any);
    }
    let relative = at.take("+")?;
    let begin = at.seconds()?;
    if !at.take("~")? {
        return Ok(if relative { Time::Relative(begin) } else { Time::Absolute(begin) });
    }
    if relative {
        at.expect("+")?;
    }
    let end = at.seconds()?;
    match (end < begin, relative) {
        (true, _) => at.error("this range ends before it begins"),
        (false, true) => Ok(Time::RelativeRange(begin, end)),
        (false, false) => Ok(Time::AbsoluteRange(begin, end)),
    }
}

/// Ranges and `*` are for packets that leave.
fn check(line: usize, time: Time, action: &Action) -> Result<(), ParseError> {
    let exact = matches!(time, Time::Absolute(_) | Time::Relative(_));
    if exact || matches!(action, Action::Outbound(_)) {
        return Ok(());
    }
    Err(ParseError { line, problem: "only an outbound packet can have a range or * as its time".into() })
}

fn action(at: &mut Cursor<'_>) -> Result<Action, ParseError> {
    at.skip()?;
    match at.peek() {
        Some('<') => {
            at.expect("<")?;
            if at.take_word("icmp")? {
                return icmp(at).map(Action::Icmp);
            }
            let line = at.line();
            let packet = packet(at)?;
            match packet.options {
                Some(_) => Ok(Action::Inbound(packet)),
                None => Err(ParseError { line, problem: "an inbound packet has no <...>: name its options".into() }),
            }
        }
        Some('>') => {
            at.expect(">")?;
            let line = at.line();
            let packet = packet(at)?;
            match packet.bad_checksum {
                false => Ok(Action::Outbound(packet)),
                true => Err(ParseError { line, problem: "badsum is for packets that arrive".into() }),
            }
        }
        Some('`') => {
            at.expect("`")?;
            Ok(Action::Command(at.until("`", "command")?.to_string()))
        }
        Some('%') => {
            at.expect("%{")?;
            Ok(Action::Code(at.until("}%", "block of assertions")?.to_string()))
        }
        _ => call(at),
    }
}

fn call(at: &mut Cursor<'_>) -> Result<Action, ParseError> {
    let ends = match at.take("...")? {
        true => Some(at.seconds()?),
        false => None,
    };
    at.skip()?;
    if !at.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
        return at.error(format!("< packet, > packet, a call, `command` or %{{ }}% is missing before {}", at.here()));
    }
    let name = at.word()?.to_string();
    at.expect("(")?;
    let arguments = values(at, ")")?;
    at.expect("=")?;
    let result = value(at)?;
    at.skip()?;
    let errno = match at.peek() {
        Some('E') => Some(at.word()?.to_string()),
        _ => None,
    };
    if at.take("(")? {
        at.until(")", "note")?;
    }
    Ok(Action::Call { call: Call { name, arguments, result, errno }, ends })
}

fn values(at: &mut Cursor<'_>, end: &str) -> Result<Vec<Value>, ParseError> {
    let mut values = Vec::new();
    if at.take(end)? {
        return Ok(values);
    }
    loop {
        values.push(value(at)?);
        if at.take(end)? {
            return Ok(values);
        }
        at.expect(",")?;
    }
}

fn value(at: &mut Cursor<'_>) -> Result<Value, ParseError> {
    let first = single(at)?;
    let mut parts = vec![first];
    while at.take("|")? {
        parts.push(single(at)?);
    }
    match parts.len() {
        1 => Ok(parts.remove(0)),
        _ => Ok(Value::Or(parts)),
    }
}

fn single(at: &mut Cursor<'_>) -> Result<Value, ParseError> {
    if at.take("...")? {
        return Ok(Value::Any);
    }
    if at.take("[")? {
        return at.inside(|at| values(at, "]")).map(Value::List);
    }
    if at.take("{")? {
        return at.inside(fields);
    }
    match at.peek() {
        Some('"') => text(at),
        Some(c) if c.is_ascii_digit() || c == '-' => Ok(Value::Number(at.number("a value")?)),
        Some(c) if c.is_ascii_alphabetic() || c == '_' => {
            let name = at.word()?.to_string();
            match at.take("(")? {
                true => Ok(Value::Function(name, at.inside(|at| values(at, ")"))?)),
                false => Ok(Value::Word(name)),
            }
        }
        _ => at.error(format!("a value is missing before {}", at.here())),
    }
}

/// Texts that stand beside each other are one.
fn text(at: &mut Cursor<'_>) -> Result<Value, ParseError> {
    let mut all = String::new();
    while at.take("\"")? {
        all += at.until("\"", "text")?;
    }
    at.take("...")?; // the text goes on as it will
    Ok(Value::Text(all))
}

fn fields(at: &mut Cursor<'_>) -> Result<Value, ParseError> {
    let mut fields = Vec::new();
    loop {
        let name = at.word()?.to_string();
        at.expect("=")?;
        fields.push((name, value(at)?));
        if at.take("}")? {
            return Ok(Value::Struct(fields));
        }
        at.expect(",")?;
    }
}
