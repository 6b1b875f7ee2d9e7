//! Packets as scripts write them.

use std::fmt;

use crate::script::{Flags, Packet, TcpOption, Tos};

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("-"),
            bits => Self::LETTERS.iter().filter(|(bit, _)| bits & bit != 0).try_for_each(|(_, c)| write!(f, "{c}")),
        }
    }
}

impl fmt::Display for Tos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchecked | Self::All(0) => Ok(()),
            Self::All(bits @ 1..4) => Self::Ecn(*bits).fmt(f),
            Self::Ecn(0) => f.write_str("[noecn] "),
            Self::Ecn(1) => f.write_str("[ect1] "),
            Self::Ecn(2) => f.write_str("[ect0] "),
            Self::Ecn(_) => f.write_str("[ce] "),
            Self::Ect => f.write_str("[ect01] "),
            Self::All(tos) => write!(f, "[tos {tos:#04x}] "),
        }
    }
}

impl fmt::Display for TcpOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nop => f.write_str("nop"),
            Self::Eol => f.write_str("eol"),
            Self::Mss(mss) => write!(f, "mss {mss}"),
            Self::WindowScale(shift) => write!(f, "wscale {shift}"),
            Self::SackOk => f.write_str("sackOK"),
            Self::Sack(blocks) => {
                f.write_str("sack")?;
                blocks.iter().try_for_each(|(left, right)| write!(f, " {left}:{right}"))
            }
            Self::Timestamps { value, echo } => write!(f, "TS val {value} ecr {echo}"),
            Self::UserTimeout(timeout) => write!(f, "uto {timeout}"),
            Self::AccEcn(order_1, fields) => {
                f.write_str("ECN")?;
                let names = if *order_1 { ["e1b", "ceb", "e0b"] } else { ["e0b", "ceb", "e1b"] };
                names.iter().zip(fields).try_for_each(|(name, field)| write!(f, " {name} {field}"))
            }
            Self::FastOpen(cookie) => hexadecimal(f, "FO", cookie),
            Self::Raw(octets) => hexadecimal(f, "raw", octets),
        }
    }
}

fn hexadecimal(f: &mut fmt::Formatter<'_>, name: &str, octets: &[u8]) -> fmt::Result {
    write!(f, "{name} ")?;
    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.tos)?;
        if let Some((source, destination)) = self.ports {
            write!(f, "{source} > {destination} ")?;
        }
        let end = self.seq.wrapping_add(u32::from(self.len));
        write!(f, "{} {}:{end}({})", self.flags, self.seq, self.len)?;
        if self.flags.contains(Flags::ACK) || self.ack != 0 {
            write!(f, " ack {}", self.ack)?;
        }
        if let Some(window) = self.window {
            write!(f, " win {window}")?;
        }
        if self.urgent != 0 {
            write!(f, " urg {}", self.urgent)?;
        }
        if self.bad_checksum {
            f.write_str(" badsum")?;
        }
        match self.options.as_deref() {
            None => f.write_str(" <...>"),
            Some([]) => Ok(()),
            Some(options) => {
                f.write_str(" <")?;
                for (place, option) in options.iter().enumerate() {
                    write!(f, "{}{option}", if place > 0 { "," } else { "" })?;
                }
                f.write_str(">")
            }
        }
    }
}
