//! The machine on a path that loses nothing.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use segue::{Config, Event};

use super::{Form, Row, forms, row};
use crate::counted;
use crate::host::{Counting, Pair, Values, Wire, config, established};

/// Octets of text in a full segment: 1500 less the headers and timestamps.
pub(super) const MSS: u32 = 1448;
static TEXT: [u8; 32 * MSS as usize] = [0x5A; 32 * MSS as usize];
/// 32 segments, and enough of a congestion window for them.
pub(super) const BURST: Bytes = Bytes::from_static(&TEXT);
const WINDOW: u32 = 64 * MSS;

const SEGMENTS: Counting = Counting { segments: true, calls: false, consume: false };
const CALLS: Counting = Counting { segments: false, calls: true, consume: false };
const CONSUME: Counting = Counting { segments: false, calls: false, consume: true };

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("nothing: the harness itself", Form::Value, nothing),
        row("receive a segment in order, and half an ACK, Vec form", Form::Value, receive_vec),
    ];
    rows.extend(forms!("receive a segment in order, and half an ACK", receive()));
    rows.push(row("consume a segment", Form::Value, consume));
    rows.extend(forms!("ACK that frees 1, nothing to send", acknowledged(1)));
    rows.extend(forms!("ACK that frees 2, nothing to send", acknowledged(2)));
    rows.extend(forms!("ACK that frees 2 and lets 2 go", released()));
    rows.extend(forms!("Send of one MSS", send_one()));
    rows.extend(forms!("Send of 32 MSS, per segment", send_burst()));
    rows.extend(forms!("whole path of a segment (send, receive, half an ACK)", whole_path()));
    rows.extend(forms!("64 octets there and back", ping_pong()));
    rows.extend(forms!("handshake, both sides", handshake()));
    rows.extend(forms!("life of a pair (open, 1 octet each way, close)", life()));
    for (state, flight) in [("idle", 0), ("32 segments in flight", 32)] {
        rows.push(row(format!("an event with nothing to do, {state}"), Form::Value, move || nothing_to_do(flight)));
        rows.push(row(format!("next_deadline, {state}"), Form::Value, move || next_deadline(flight)));
    }
    rows
}

fn nothing() -> u32 {
    for n in 0..1000 {
        counted(|| black_box(n));
    }
    1000
}

fn receive_vec() -> u32 {
    let mut pair = established::<Values>(&config(), WINDOW, &BURST);
    let mut count = 0;
    while count < 1000 {
        pair.call(0, Event::Send(BURST));
        while let Some(segment) = pair.flying[0].pop_front() {
            pair.now += Duration::from_micros(50);
            let (server, now) = (&mut pair.hosts[1].tcp, pair.now);
            let actions = counted(|| server.handle_segment(segment, now));
            count += 1;
            pair.flying[1].extend(actions.into_iter().filter_map(|action| match action {
                segue::Action::Transmit(segment) => Some(segment),
                _ => None,
            }));
            pair.call(1, Event::Consume(MSS as usize));
        }
        pair.settle();
    }
    count
}

/// Rounds of 32 segments with their acknowledgments, and what of them is counted.
fn rounds<W: Wire>(mut pair: Pair<W>, counting: [Counting; 2]) -> u32 {
    pair.counting = counting;
    while pair.events < 1000 {
        pair.call(0, Event::Send(BURST));
        assert_eq!(pair.flying[0].len(), 32, "all of it leaves");
        pair.settle();
    }
    pair.events
}

fn receive<W: Wire>() -> u32 {
    rounds(established::<W>(&config(), WINDOW, &BURST), [Counting::default(), SEGMENTS])
}

fn consume() -> u32 {
    rounds(established::<Values>(&config(), WINDOW, &BURST), [Counting::default(), CONSUME])
}

fn acknowledged<W: Wire>(ack_every: u8) -> u32 {
    let config = Config::builder().quick_acks(0).ack_every(ack_every).build().expect("within the ranges");
    let pair = established::<W>(&config.into(), WINDOW, &BURST);
    let octets = pair.hosts[0].tcp.info().counters.octets_acked;
    let mut pair = pair;
    pair.counting = [SEGMENTS, Counting::default()];
    while pair.events < 1000 {
        pair.call(0, Event::Send(BURST));
        pair.settle();
    }
    let freed = pair.hosts[0].tcp.info().counters.octets_acked - octets;
    assert_eq!(freed, u64::from(pair.events) * u64::from(ack_every) * u64::from(MSS), "each ACK frees as many");
    pair.events
}

/// The queue never runs dry and the peer's window is the limit: each acknowledgment takes two off and lets two go.
fn released<W: Wire>() -> u32 {
    let config = Config::builder().quick_acks(0).send_buffer(1 << 20).build().expect("within the ranges");
    let mut pair = established::<W>(&config.into(), WINDOW, &BURST);
    let top_up = |pair: &mut Pair<W>| {
        while pair.hosts[0].tcp.send_room() >= TEXT.len() {
            pair.call(0, Event::Send(BURST));
        }
    };
    for _ in 0..1000 {
        top_up(&mut pair);
        pair.step();
    }
    pair.counting[0] = SEGMENTS;
    pair.hosts[0].transmitted = 0;
    let mut sent = 0;
    while pair.events < 1000 {
        top_up(&mut pair);
        pair.hosts[0].transmitted = 0;
        pair.step();
        sent += pair.hosts[0].transmitted;
    }
    assert!((1990..=2010).contains(&sent), "{sent} segments in 1000 ACKs");
    pair.events
}

fn send_one<W: Wire>() -> u32 {
    let mut pair = established::<W>(&config(), WINDOW, &BURST);
    pair.counting = [CALLS, Counting::default()];
    for n in 0..1000 {
        pair.call(0, Event::Send(BURST.slice(..MSS as usize)));
        assert_eq!(pair.flying[0].len(), 1);
        pair.carry(1);
        pair.counting = Default::default();
        if n % 2 == 1 {
            pair.settle(); // every second segment is acknowledged at once
        }
        pair.counting = [CALLS, Counting::default()];
    }
    1000
}

fn send_burst<W: Wire>() -> u32 {
    32 * rounds_of_calls(established::<W>(&config(), WINDOW, &BURST))
}

fn rounds_of_calls<W: Wire>(mut pair: Pair<W>) -> u32 {
    for _ in 0..32 {
        pair.counting = [CALLS, Counting::default()];
        pair.call(0, Event::Send(BURST));
        assert_eq!(pair.flying[0].len(), 32, "all of it leaves");
        pair.counting = Default::default();
        pair.settle();
    }
    32
}

fn whole_path<W: Wire>() -> u32 {
    let mut pair = established::<W>(&config(), WINDOW, &BURST);
    pair.counting = [Counting::ALL; 2];
    for _ in 0..32 {
        pair.call(0, Event::Send(BURST));
        assert_eq!(pair.flying[0].len(), 32, "all of it leaves");
        pair.settle();
    }
    32 * 32
}

fn ping_pong<W: Wire>() -> u32 {
    let mut pair = established::<W>(&config(), WINDOW, &BURST);
    pair.counting = [Counting::ALL; 2];
    for _ in 0..500 {
        for side in 0..2 {
            pair.call(side, Event::Send(BURST.slice(..64)));
            pair.now += Duration::from_micros(50);
            pair.carry(1 - side);
        }
    }
    500
}

fn handshake<W: Wire>() -> u32 {
    for _ in 0..50 {
        Pair::<W>::opening(&config(), true).settle();
    }
    50
}

fn life<W: Wire>() -> u32 {
    for _ in 0..50 {
        let mut pair = Pair::<W>::opening(&config(), true);
        pair.settle();
        for side in 0..2 {
            pair.call(side, Event::Send(BURST.slice(..1)));
            pair.now += Duration::from_micros(50);
            pair.carry(1 - side);
        }
        for side in 0..2 {
            pair.call(side, Event::Close);
            pair.settle();
        }
        assert_eq!(pair.hosts[1].tcp.state(), segue::State::Closed);
        let [client, server] = pair.hosts.map(|host| host.tcp);
        counted(move || drop((client, server)));
    }
    50
}

/// Repetitions inside one counted call, where that call would weigh as much as the work.
const INSIDE: u32 = 100;

/// A connection with this many segments in flight.
fn in_flight(segments: u32) -> Pair<Values> {
    let mut pair = established::<Values>(&config(), WINDOW, &BURST);
    if segments > 0 {
        pair.call(0, Event::Send(BURST.slice(..(segments * MSS) as usize)));
    }
    pair
}

fn nothing_to_do(segments: u32) -> u32 {
    let mut pair = in_flight(segments);
    let (host, now) = (&mut pair.hosts[0], pair.now);
    for _ in 0..10 {
        counted(|| (0..INSIDE).for_each(|_| host.call(black_box(Event::Continue), now)));
    }
    10 * INSIDE
}

fn next_deadline(segments: u32) -> u32 {
    let pair = in_flight(segments);
    let tcp = &pair.hosts[0].tcp;
    for _ in 0..10 {
        counted(|| {
            for _ in 0..INSIDE {
                black_box(black_box(tcp).next_deadline());
            }
        });
    }
    10 * INSIDE
}
