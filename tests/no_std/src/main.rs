//! Two connections shake hands, exchange text and close, without std, libc or an operating system's allocator.
#![no_std]
#![no_main]

#[cfg(feature = "host")]
mod endpoints;
mod runtime;

extern crate alloc;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;
use segue::{Action, Arc, CloseReason, Config, Connection, Instant, Path, Secrets, Segment, SeqNum, State};

const TEXT: &[u8] = b"a state machine needs no operating system";

/// One side and what came out of it.
struct Side {
    connection: Connection,
    out: VecDeque<Segment>,
    received: Vec<u8>,
    closed: Option<CloseReason>,
}

impl Side {
    fn new((connection, actions): (Connection, Vec<Action>), now: Instant) -> Self {
        let mut side = Self { connection, out: VecDeque::new(), received: Vec::new(), closed: None };
        side.carry_out(actions, now);
        side
    }

    fn carry_out(&mut self, actions: Vec<Action>, now: Instant) {
        for action in actions {
            match action {
                Action::Transmit(segment) => self.out.push_back(segment),
                Action::Deliver(text) => {
                    self.received.extend_from_slice(&text);
                    let more = self.connection.consume(text.len(), now);
                    self.carry_out(more, now);
                }
                Action::Closed(reason) => self.closed = Some(reason),
                _ => {}
            }
        }
    }

    fn take(&mut self, segment: Segment, now: Instant) {
        let actions = self.connection.handle_segment(segment, now);
        self.carry_out(actions, now);
    }

    fn run_timer(&mut self, now: Instant) {
        if let Some((timer, _)) = self.connection.next_deadline().filter(|&(_, at)| at <= now) {
            let actions = self.connection.handle_timer(timer, now);
            self.carry_out(actions, now);
        }
    }
}

/// Lets both sides talk until neither has anything to do; virtual time moves from deadline to deadline.
fn converse(client: &mut Side, server: &mut Side, now: &mut Instant) {
    for _ in 0..1000 {
        while !(client.out.is_empty() && server.out.is_empty()) {
            if let Some(segment) = client.out.pop_front() {
                server.take(segment, *now);
            }
            if let Some(segment) = server.out.pop_front() {
                client.take(segment, *now);
            }
        }
        let deadlines = [client.connection.next_deadline(), server.connection.next_deadline()];
        let Some(next) = deadlines.into_iter().flatten().map(|(_, at)| at).min() else { return };
        *now = next;
        client.run_timer(next);
        server.run_timer(next);
    }
}

fn conversation() -> bool {
    #[cfg(feature = "host")]
    if !endpoints::conversation() {
        return false;
    }
    let config = Arc::new(Config::default());
    let path = Path::ipv4(1500);
    let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    let mut now = Instant::ZERO;

    let mut client = Side::new(Connection::connect(config.clone(), path, secrets(u32::MAX), now), now);
    let Some(syn) = client.out.pop_front() else { return false };
    let mut server = Side::new(Connection::accept(config, path, secrets(300), syn, now), now);

    let mut text = Bytes::from_static(TEXT);
    let Ok(actions) = client.connection.send(&mut text, now) else { return false };
    client.carry_out(actions, now);
    converse(&mut client, &mut server, &mut now); // the SYN is answered, the queued text goes
    let Ok(actions) = client.connection.close(now) else { return false };
    client.carry_out(actions, now);
    converse(&mut client, &mut server, &mut now);

    if server.connection.state() != State::CloseWait {
        return false;
    }
    let Ok(actions) = server.connection.close(now) else { return false };
    server.carry_out(actions, now);
    converse(&mut client, &mut server, &mut now);

    server.received == TEXT
        && client.closed == Some(CloseReason::Finished)
        && server.closed == Some(CloseReason::Finished)
}
