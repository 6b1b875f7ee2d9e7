//! Segments as the figures of RFC 9293 §3.5 show them: `<SEQ=100><ACK=300><DATA=5><CTL=PSH,ACK>`. The urgent pointer, `<UP=5>`,
//! and the window, `<WIN=1000>`, follow where they matter.

use bytes::Bytes;
use segue::{Flags, Segment, SeqNum};

/// The numbers that count as 0: one of the sender, one of its peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    pub seq: SeqNum,
    pub ack: SeqNum,
}

/// The reset for a segment without ACK has the number 0 in nobody's number space (RFC 9293 §3.10.7.1).
const fn is_unnumbered(flags: Flags) -> bool {
    flags.contains(Flags::RST.union(Flags::ACK))
}

/// How far a number lies behind this one, or before it.
fn relative(number: SeqNum, origin: SeqNum) -> i64 {
    match number.before(origin) {
        true => -i64::from(origin - number),
        false => i64::from(number - origin),
    }
}

/// A segment without its window.
pub fn notation(segment: &Segment, origin: Origin) -> String {
    let seq = if is_unnumbered(segment.flags) { SeqNum::new(0) } else { origin.seq };
    let mut text = format!("<SEQ={}>", relative(segment.seq, seq));
    if segment.flags.contains(Flags::ACK) {
        text += &format!("<ACK={}>", relative(segment.ack, origin.ack));
    }
    if !segment.payload.is_empty() {
        text += &format!("<DATA={}>", segment.payload.len());
    }
    let names: Vec<&str> = segment.flags.iter_names().map(|(name, _)| name).collect();
    text += &format!("<CTL={}>", names.join(","));
    if segment.flags.contains(Flags::URG) {
        text += &format!("<UP={}>", segment.urgent);
    }
    text
}

/// The segment of this notation; its window is 65,535 unless it says otherwise.
pub fn parse(text: &str, origin: Origin) -> Segment {
    let field = |name: &str| text.split(['<', '>']).find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str| field(name).map(|value| value.parse::<u32>().expect("a number"));
    let bits = |name: &str| Flags::from_name(name).unwrap_or_else(|| panic!("{name} is no control bit"));
    let flags: Flags = field("CTL").expect("CTL").split(',').map(bits).collect();
    let seq = number("SEQ").expect("SEQ");
    Segment {
        seq: if is_unnumbered(flags) { SeqNum::new(seq) } else { origin.seq + seq },
        ack: number("ACK").map_or(SeqNum::new(0), |ack| origin.ack + ack),
        flags,
        window: number("WIN").map_or(65_535, |window| u16::try_from(window).expect("a window")),
        payload: Bytes::from(vec![b'.'; number("DATA").unwrap_or(0) as usize]),
        urgent: number("UP").map_or(0, |up| u16::try_from(up).expect("an urgent pointer")),
        ..Segment::default()
    }
}
