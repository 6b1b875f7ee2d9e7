//! The machine when segments are missing, on the receiving and on the sending side.

use std::time::Duration;

use bytes::Bytes;
use segue::{Arc, Config, Flags, Instant, Options, SackBlock, Segment, Timestamps};

use super::machine::MSS;
use super::{Row, forms};
use crate::counted;
use crate::host::{Host, Wire, established};

static TEXT: [u8; 64 * MSS as usize] = [0x5A; 64 * MSS as usize];
const BURST: Bytes = Bytes::from_static(&TEXT);

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for holes in [1, 10, 100, 1000] {
        rows.extend(forms!(
            format!("receive out of order, {}, the last range grows", plural(holes)),
            at_the_top(holes)
        ));
    }
    for holes in [1, 10, 100, 1000] {
        rows.extend(forms!(format!("receive out of order, {}, anywhere", plural(holes)), anywhere(holes)));
    }
    rows.extend(forms!("fill a hole before 1000 segments, per segment", fill(1000)));
    for holes in [1, 10, 100, 1000] {
        rows.extend(forms!(format!("ACK with SACK, {}, and what it lets go", plural(holes)), selective(holes)));
    }
    rows
}

fn plural(holes: u32) -> String {
    format!("{holes} hole{}", if holes == 1 { "" } else { "s" })
}

/// Buffers on both sides that hold all that is in flight here.
fn config() -> Arc<Config> {
    const OCTETS: u32 = 16 << 20;
    let buffers = Config::builder().receive_buffer(OCTETS).receive_buffer_initial(OCTETS).send_buffer(OCTETS);
    Arc::new(buffers.quick_acks(0).build().expect("within the ranges"))
}

/// A peer whose segments are made by hand.
struct Peer<W: Wire> {
    host: Host<W>,
    now: Instant,
    /// The template of its segments: the next in order, with an acknowledgment of all.
    segment: Segment,
}

impl<W: Wire> Peer<W> {
    /// The peer of the client (0) or the server (1).
    fn of(side: usize, cwnd: u32) -> Self {
        let pair = established::<W>(&config(), cwnd, &BURST);
        let now = pair.now + Duration::from_millis(2);
        let host = pair.hosts.into_iter().nth(side).expect("two");
        let info = host.tcp.info();
        let segment =
            Segment { seq: info.rcv_nxt, ack: info.snd_nxt, flags: Flags::ACK, window: u16::MAX, ..Segment::default() };
        Self { host, now, segment }
    }

    fn stamped(&mut self, segment: Segment) -> W::Frame {
        self.now += Duration::from_micros(10);
        let value = u32::try_from(self.now.as_micros() / 1000).expect("early");
        let timestamps = Some(Timestamps { value, echo: value });
        let options = Options { timestamps, ..segment.options.get() }.into();
        self.host.wire.frame_for(Segment { options, ..segment })
    }

    /// A full segment that starts this many segments after the next one in order.
    fn text(&mut self, ahead: u32) -> W::Frame {
        let seq = self.segment.seq + ahead * MSS;
        self.stamped(Segment { seq, payload: BURST.slice(..MSS as usize), ..self.segment.clone() })
    }

    fn arrives(&mut self, frame: W::Frame) {
        self.host.arrives(frame, self.now);
        self.host.wire.sent();
    }

    fn arrives_counted(&mut self, frame: W::Frame) {
        let (host, now) = (&mut self.host, self.now);
        counted(|| host.arrives(frame, now));
        self.host.wire.sent();
    }
}

/// Holes of one segment with one segment between them; then more arrive behind the last.
fn at_the_top<W: Wire>(holes: u32) -> u32 {
    let mut peer = Peer::<W>::of(1, 0);
    for n in 0..holes {
        let frame = peer.text(2 * n + 1);
        peer.arrives(frame);
    }
    for n in 0..200 {
        let frame = peer.text(2 * holes + n);
        peer.arrives_counted(frame);
    }
    assert_eq!(peer.host.tcp.info().held_ranges, holes as usize);
    200
}

/// Holes of three segments; what arrives makes one of them smaller, here and there.
fn anywhere<W: Wire>(holes: u32) -> u32 {
    let mut peer = Peer::<W>::of(1, 0);
    for n in 0..holes {
        let frame = peer.text(4 * n + 3);
        peer.arrives(frame);
    }
    let base = peer.host.tcp.clone();
    for n in 0..200 {
        // 7 has no factor in common with a number of holes; a round of all holes, then the same again.
        if n % holes == 0 {
            peer.host.tcp = base.clone();
            // The copy has no spare memory. In a connection that has held text for a while, it grows seldom.
            let frame = peer.text(4 * holes);
            peer.arrives(frame);
        }
        let frame = peer.text(4 * (n * 7 % holes) + 2);
        peer.arrives_counted(frame);
        assert_eq!(peer.host.tcp.info().held_ranges, holes as usize);
    }
    200
}

fn fill<W: Wire>(held: u32) -> u32 {
    let mut peer = Peer::<W>::of(1, 0);
    for n in 0..held {
        let frame = peer.text(n + 1);
        peer.arrives(frame);
    }
    let full = peer.host.tcp.clone();
    for _ in 0..10 {
        peer.host.tcp = full.clone();
        peer.host.delivered = 0;
        let frame = peer.text(0);
        peer.arrives_counted(frame);
        assert_eq!(peer.host.delivered, (held as usize + 1) * MSS as usize);
    }
    10 * held
}

/// Of the flight the peer misses a segment here and there, and reports one more segment with each ACK. The
/// recovery goes on meanwhile: some of these let a retransmission go.
fn selective<W: Wire>(holes: u32) -> u32 {
    let flight = 2 * holes + 200;
    let mut peer = Peer::<W>::of(0, (flight + 64) * MSS);
    let una = peer.segment.ack;
    let mut queued = 0;
    while queued < flight {
        peer.host.call(segue::Event::Send(BURST.slice(..8 * MSS as usize)), peer.now);
        peer.host.wire.sent();
        queued += 8;
    }
    assert!(peer.host.tcp.info().flight >= flight * MSS, "all of it is in flight");
    peer.now += Duration::from_millis(1);
    let block = |n: u32, len: u32| SackBlock { left: una + (2 * n + 1) * MSS, right: una + (2 * n + 1 + len) * MSS };
    let ack = |peer: &mut Peer<W>, last: u32, len: u32| {
        let mut segment = Segment { ack: una, ..peer.segment.clone() };
        segment.options.update(|options| {
            options.sack.push(block(last, len));
            for before in (0..last).rev().take(2) {
                options.sack.push(block(before, 1));
            }
        });
        peer.stamped(segment)
    };
    for n in 0..holes {
        let frame = ack(&mut peer, n, 1);
        peer.arrives(frame);
    }
    for n in 0..200 {
        let frame = ack(&mut peer, holes - 1, n + 2);
        peer.arrives_counted(frame);
    }
    assert_eq!(peer.host.tcp.info().snd_una, una);
    200
}
