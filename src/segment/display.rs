//! A segment in the style of tcpdump.

use core::fmt;

use super::{CompactOptions, Flags, Options, Segment};

/// `Flags [S.], seq 300, ack 101, win 65535, options [mss 1460,sackOK], length 0`: what tcpdump prints after the ports,
/// with the absolute numbers of `tcpdump -S`. Like tcpdump it leaves out the number of a bare ACK.
impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flags [")?;
        write_flags(f, self.flags)?;
        f.write_str("]")?;
        if !self.payload.is_empty() {
            let text = self.payload_len();
            write!(f, ", seq {}:{}", self.seq, self.seq + text)?;
        } else if self.flags.intersects(Flags::SYN | Flags::FIN | Flags::RST) || !self.flags.contains(Flags::ACK) {
            write!(f, ", seq {}", self.seq)?;
        }
        if self.flags.contains(Flags::ACK) {
            write!(f, ", ack {}", self.ack)?;
        }
        write!(f, ", win {}", self.window)?;
        if self.flags.contains(Flags::URG) {
            write!(f, ", urg {}", self.urgent)?;
        }
        if self.options != CompactOptions::default() {
            write!(f, ", options [{}]", self.options)?;
        }
        write!(f, ", length {}", self.payload.len())?;
        if self.segment_size != 0 {
            write!(f, " in segments of {}", self.segment_size)?;
        }
        Ok(())
    }
}

/// tcpdump's letters: F S R P, a dot for ACK, U E W, and `e` for AE; `none` when no bit is set.
fn write_flags(f: &mut fmt::Formatter<'_>, flags: Flags) -> fmt::Result {
    const LETTERS: [(Flags, &str); 9] = [
        (Flags::FIN, "F"),
        (Flags::SYN, "S"),
        (Flags::RST, "R"),
        (Flags::PSH, "P"),
        (Flags::ACK, "."),
        (Flags::URG, "U"),
        (Flags::ECE, "E"),
        (Flags::CWR, "W"),
        (Flags::AE, "e"),
    ];
    if flags.is_empty() {
        return f.write_str("none");
    }
    LETTERS.iter().filter(|(flag, _)| flags.contains(*flag)).try_for_each(|(_, letter)| f.write_str(letter))
}

impl fmt::Display for CompactOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut item = |f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>| {
            let lead = separator;
            separator = ",";
            write!(f, "{lead}{text}")
        };
        if let Some(mss) = self.mss {
            item(f, format_args!("mss {mss}"))?;
        }
        if self.sack_permitted {
            item(f, format_args!("sackOK"))?;
        }
        if let Some(ts) = self.timestamps {
            item(f, format_args!("TS val {} ecr {}", ts.value, ts.echo))?;
        }
        if let Some(shift) = self.window_scale {
            item(f, format_args!("wscale {shift}"))?;
        }
        if !self.sack.is_empty() {
            item(f, format_args!("sack {} ", self.sack.len()))?;
            self.sack.as_slice().iter().try_for_each(|b| write!(f, "{{{}:{}}}", b.left, b.right))?;
        }
        if let Some(cookie) = self.fast_open {
            item(f, format_args!("tfo "))?;
            match cookie.as_slice() {
                [] => f.write_str("cookiereq")?,
                octets => octets.iter().try_for_each(|o| write!(f, "{o:02x}"))?,
            }
        }
        if let Some(uto) = self.user_timeout {
            let unit = if uto & 0x8000 == 0 { "s" } else { "min" };
            item(f, format_args!("uto {}{unit}", uto & 0x7FFF))?;
        }
        if let Some(option) = self.acc_ecn {
            item(f, format_args!("{option}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SackBlock, SeqNum, Timestamps};
    use alloc::string::ToString;
    use bytes::Bytes;

    #[test]
    fn reads_like_tcpdump() {
        let mut segment = Segment {
            seq: SeqNum::new(300),
            ack: SeqNum::new(101),
            flags: Flags::PSH | Flags::ACK,
            window: 502,
            payload: Bytes::from_static(b"hello"),
            ..Segment::default()
        };
        assert_eq!(segment.to_string(), "Flags [P.], seq 300:305, ack 101, win 502, length 5");
        segment.options.update(|options| {
            options.timestamps = Some(Timestamps { value: 7, echo: 9 });
            options.sack.push(SackBlock { left: SeqNum::new(1), right: SeqNum::new(2) });
        });
        assert_eq!(
            segment.to_string(),
            "Flags [P.], seq 300:305, ack 101, win 502, options [TS val 7 ecr 9,sack 1 {1:2}], length 5"
        );
        let ack = Segment { ack: SeqNum::new(9), flags: Flags::ACK, ..Segment::default() };
        assert_eq!(ack.to_string(), "Flags [.], ack 9, win 0, length 0");
        let fin = Segment { flags: Flags::FIN | Flags::ACK, ..segment };
        assert!(fin.to_string().starts_with("Flags [F.], seq 300:305, ack 101"));
        assert_eq!(Segment::default().to_string(), "Flags [none], seq 0, win 0, length 0");
    }
}
