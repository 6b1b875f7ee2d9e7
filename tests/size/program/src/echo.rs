//! The host: one connection that sends back what it receives. It can hand every kind of event to it.

extern crate alloc;

use alloc::vec::Vec;
use core::hint::black_box;
use core::net::Ipv4Addr;

use bytes::Bytes;
use segue::codec::{self, Fill, Packet, PseudoHeader, Verify};
use segue::{Action, Arc, Config, Connection, Event, IcmpKind, Instant, Knob, Path, Secrets, Segment, SeqNum};

use crate::device;

const PORT: u16 = 7;

struct Host {
    connection: Connection,
    remote_port: u16,
}

pub fn serve() {
    let Some(syn) = receive() else { return };
    let secrets = black_box(Secrets { iss: SeqNum::new(0), ts_offset: 0 });
    let (config, path) = (Arc::new(Config::default()), Path::ipv4(1500));
    let remote_port = syn.src_port;
    let (connection, actions) = if black_box(true) {
        Connection::accept(config, path, secrets, syn.segment, now())
    } else {
        Connection::connect(config, path, secrets, now())
    };
    let mut host = Host { connection, remote_port };
    host.carry_out(actions);
    while let Some(event) = next_event() {
        host.take(event);
    }
}

impl Host {
    fn take(&mut self, event: Event) {
        let mut actions = Vec::new();
        if self.connection.handle(event, now(), &mut actions).is_ok() {
            self.carry_out(actions);
        }
        black_box(self.connection.next_deadline());
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Transmit(segment) => self.transmit(segment),
                Action::Deliver(text) => {
                    let octets = text.len();
                    self.take(Event::Send(text));
                    self.take(Event::Consume(octets));
                }
                Action::PeerClosed => self.take(Event::Close),
                Action::Successor { .. } | Action::Closed(_) => return,
                other => drop(black_box(other)),
            }
        }
    }

    fn transmit(&self, segment: Segment) {
        let mut octets = Vec::new();
        let packet = Packet { src_port: PORT, dst_port: self.remote_port, segment };
        if codec::encode(&packet, Fill::Now(addresses()), &mut octets).is_ok() {
            device::transmit(&octets);
        }
    }
}

fn receive() -> Option<Packet> {
    codec::decode(Bytes::copy_from_slice(device::receive()?), Verify::Now(addresses())).ok()
}

fn addresses() -> PseudoHeader {
    PseudoHeader::V4 { src: black_box(Ipv4Addr::LOCALHOST), dst: black_box(Ipv4Addr::LOCALHOST) }
}

fn now() -> Instant {
    Instant::from_micros(device::now())
}

/// Any event there is.
#[inline(never)]
fn next_event() -> Option<Event> {
    let text = || Bytes::copy_from_slice(device::receive().unwrap_or_default());
    let segment = || receive().map(|packet| packet.segment);
    Some(match black_box(0u8) {
        0 => Event::Segment(segment()?),
        1 => Event::Segments([segment()?, segment()?].into()),
        2 => Event::Timer(black_box(segue::Timer::Idle)),
        3 => Event::Send(text()),
        4 => Event::SendMore(text()),
        5 => Event::SendUrgent(text()),
        6 => Event::Consume(black_box(0)),
        7 => Event::Close,
        8 => Event::Release,
        9 => Event::Abort,
        10 => Event::Continue,
        11 => Event::Set(black_box(Knob::Nagle(true))),
        12 => Event::Mtu(black_box(0)),
        13 => Event::Icmp {
            kind: black_box(IcmpKind::PacketTooBig),
            quoted_seq: black_box(SeqNum::new(0)),
            mtu: black_box(0),
        },
        14 => Event::Rearm(black_box(Secrets { iss: SeqNum::new(0), ts_offset: 0 })),
        _ => return None,
    })
}
