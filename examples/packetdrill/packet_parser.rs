//! Parses packets and ICMP errors.

use crate::cursor::{Cursor, ParseError};
use crate::script::{Flags, Icmp, Packet, TcpOption, Tos};

/// What follows `<` or `>`.
pub(crate) fn packet(at: &mut Cursor<'_>) -> Result<Packet, ParseError> {
    for kind in ["udp", "ipv4", "ipv6", "gre", "mpls"] {
        if at.take_word(kind)? {
            return at.error(format!("{kind} packets are not supported: TCP and icmp are"));
        }
    }
    let tos = tos(at)?;
    let ports = ports(at)?;
    let flags = flags(at)?;
    let (seq, len) = range(at)?;
    let ack = if at.take_word("ack")? { at.number("the acknowledgment number")? } else { 0 };
    let window = if at.take_word("win")? { Some(at.number("the window")?) } else { None };
    let urgent = if at.take_word("urg")? { at.number("the urgent pointer")? } else { 0 };
    let bad_checksum = at.take_word("badsum")?;
    let options = options(at)?;
    Ok(Packet { ports, tos, flags, seq, len, ack, window, urgent, bad_checksum, options })
}

fn tos(at: &mut Cursor<'_>) -> Result<Tos, ParseError> {
    let end = match (at.take("[")?, at.looks_at("(")) {
        (true, _) => "]",
        (false, true) => {
            at.expect("(")?;
            ")"
        }
        (false, false) => return Ok(Tos::Unchecked),
    };
    let tos = match at.word()? {
        "noecn" => Tos::Ecn(0),
        "ect1" => Tos::Ecn(1),
        "ect0" => Tos::Ecn(2),
        "ce" => Tos::Ecn(3),
        "ect01" => Tos::Ect,
        "tos" => Tos::All(at.number("the traffic class")?),
        other => return at.error(format!("{other:?} is none of noecn, ect0, ect1, ect01, ce, tos")),
    };
    at.expect(end)?;
    Ok(tos)
}

/// `1234 > 80`, before the flags.
fn ports(at: &mut Cursor<'_>) -> Result<Option<(u16, u16)>, ParseError> {
    at.skip()?;
    if !at.peek().is_some_and(|c| c.is_ascii_digit()) {
        return Ok(None);
    }
    let source = at.number("the source port")?;
    at.expect(">")?;
    Ok(Some((source, at.number("the destination port")?)))
}

fn flags(at: &mut Cursor<'_>) -> Result<Flags, ParseError> {
    at.skip()?;
    let letters = at.run(|c| c.is_ascii_alphabetic() || matches!(c, '.' | '-'));
    let mut flags = 0;
    for letter in letters.chars().filter(|&letter| letter != '-') {
        let Some((bit, _)) = Flags::LETTERS.iter().find(|(_, own)| *own == letter) else {
            return at.error(format!("{letter:?} is no flag: F S R P . U E W A are, and - for none"));
        };
        flags |= bit;
    }
    match letters {
        "" => at.error(format!("flags such as S. are missing before {}", at.here())),
        _ => Ok(Flags(flags)),
    }
}

/// `1:1001(1000)`.
fn range(at: &mut Cursor<'_>) -> Result<(u32, u16), ParseError> {
    let first: u32 = at.number("the sequence number")?;
    at.expect(":")?;
    let end: u32 = at.number("the sequence number behind the payload")?;
    at.expect("(")?;
    let len: u16 = at.number("the length of the payload")?;
    at.expect(")")?;
    match first.wrapping_add(u32::from(len)) == end {
        true => Ok((first, len)),
        false => at.error(format!("{first}:{end}({len}) contradicts itself: {first} and {len} octets end at {}", {
            first.wrapping_add(u32::from(len))
        })),
    }
}

/// The options in angle brackets. None there: an empty list.
fn options(at: &mut Cursor<'_>) -> Result<Option<Vec<TcpOption>>, ParseError> {
    let mut options = Vec::new();
    at.skip()?;
    // A `<` on the next line begins a packet only after a time, so this one is of the options.
    if !at.take("<")? {
        return Ok(Some(options));
    }
    if at.take("...")? {
        at.expect(">")?;
        return Ok(None);
    }
    loop {
        options.push(tcp_option(at)?);
        if at.take(">")? {
            return Ok(Some(options));
        }
        at.expect(",")?;
    }
}

fn tcp_option(at: &mut Cursor<'_>) -> Result<TcpOption, ParseError> {
    Ok(match at.word()? {
        "nop" => TcpOption::Nop,
        "eol" => TcpOption::Eol,
        "mss" => TcpOption::Mss(at.number("the MSS")?),
        "wscale" => TcpOption::WindowScale(at.number("the shift")?),
        "sackOK" => TcpOption::SackOk,
        "sack" => TcpOption::Sack(sack(at)?),
        "TS" => {
            at.expect("val")?;
            let value = at.number("the timestamp")?;
            at.expect("ecr")?;
            TcpOption::Timestamps { value, echo: at.number("the echo")? }
        }
        "uto" => TcpOption::UserTimeout(at.number("the user timeout")?),
        "FO" => TcpOption::FastOpen(octets(at)?),
        "ECN" => acc_ecn(at)?,
        "raw" => TcpOption::Raw(octets(at)?),
        other => {
            let known = "mss, wscale, nop, eol, sackOK, sack, TS, FO, ECN, uto, raw";
            return at.error(format!("the option {other:?} is not known: {known} are"));
        }
    })
}

fn sack(at: &mut Cursor<'_>) -> Result<Vec<(u32, u32)>, ParseError> {
    let mut blocks = Vec::new();
    loop {
        let left = at.number("the left edge of a block")?;
        at.expect(":")?;
        blocks.push((left, at.number("the right edge of a block")?));
        at.skip()?;
        if !at.peek().is_some_and(|c| c.is_ascii_digit()) {
            return Ok(blocks);
        }
    }
}

/// `e0b 1 ceb 0 e1b 1`, or the same from the other end; as many fields as there are.
fn acc_ecn(at: &mut Cursor<'_>) -> Result<TcpOption, ParseError> {
    at.skip()?;
    let order_1 = at.looks_at("e1b");
    let names = if order_1 { ["e1b", "ceb", "e0b"] } else { ["e0b", "ceb", "e1b"] };
    let mut fields = Vec::new();
    for name in names {
        if !at.take_word(name)? {
            break;
        }
        let field: u32 = at.number("the octets of a codepoint")?;
        if field >= 1 << 24 {
            return at.error(format!("{field} has more than 24 bits"));
        }
        fields.push(field);
    }
    Ok(TcpOption::AccEcn(order_1, fields))
}

/// Octets as pairs of hexadecimal digits; none is an empty list.
fn octets(at: &mut Cursor<'_>) -> Result<Vec<u8>, ParseError> {
    at.skip()?;
    let digits = at.run(|c| c.is_ascii_hexdigit());
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    match digits.as_bytes().chunks(2).map(|two| pair(two).filter(|_| two.len() == 2)).collect() {
        Some(octets) => Ok(octets),
        None => at.error(format!("{digits:?} has an odd number of hexadecimal digits")),
    }
}

/// What follows `< icmp`.
pub(crate) fn icmp(at: &mut Cursor<'_>) -> Result<Icmp, ParseError> {
    let kind = at.word()?.to_string();
    let mut icmp = Icmp { kind, code: None, mtu: None, quoted: None };
    at.skip()?;
    if at.peek().is_some_and(|c| c.is_ascii_alphabetic()) && !at.looks_at("mtu") {
        icmp.code = Some(at.word()?.to_string());
    }
    if at.take_word("mtu")? {
        icmp.mtu = Some(at.number("the MTU")?);
    }
    if at.take("[")? {
        icmp.quoted = Some(range(at)?);
        at.expect("]")?;
    }
    Ok(icmp)
}
