//! A connection in any state.

use bytes::Bytes;
use segue::{
    Arc, Canonical, Config, Connection, Error, Event, IcmpKind, Info, Instant, Knob, Path, Secrets, Segment, SeqNum,
    State, TimeWait, Timer,
};

use crate::Host;

#[unsafe(no_mangle)]
pub fn entry_connection_connect(config: Arc<Config>, path: Path, secrets: Secrets, now: Instant) -> Connection {
    Connection::connect_into(config, path, secrets, now, &mut Host)
}

#[unsafe(no_mangle)]
pub fn entry_connection_accept(
    config: Arc<Config>,
    path: Path,
    secrets: Secrets,
    syn: Segment,
    now: Instant,
) -> Connection {
    Connection::accept_into(config, path, secrets, syn, now, &mut Host)
}

#[unsafe(no_mangle)]
pub fn entry_connection_listen(config: Arc<Config>, path: Path, secrets: Secrets) -> Connection {
    Connection::listen(config, path, secrets)
}

#[unsafe(no_mangle)]
pub fn entry_connection_any_event(tcp: &mut Connection, event: Event, now: Instant) -> Result<(), Error> {
    tcp.handle(event, now, &mut Host)
}

#[unsafe(no_mangle)]
pub fn entry_connection_segment(tcp: &mut Connection, segment: Segment, now: Instant) -> Result<(), Error> {
    tcp.handle(Event::Segment(segment), now, &mut Host)
}

#[unsafe(no_mangle)]
pub fn entry_connection_timer(tcp: &mut Connection, timer: Timer, now: Instant) -> Result<(), Error> {
    tcp.handle(Event::Timer(timer), now, &mut Host)
}

#[unsafe(no_mangle)]
pub fn entry_connection_icmp(tcp: &mut Connection, kind: IcmpKind, quoted_seq: SeqNum, mtu: u16) -> Result<(), Error> {
    tcp.handle(Event::Icmp { kind, quoted_seq, mtu }, Instant::ZERO, &mut Host)
}

#[unsafe(no_mangle)]
pub fn entry_connection_set(tcp: &mut Connection, knob: Knob, now: Instant) -> Result<(), Error> {
    tcp.handle(Event::Set(knob), now, &mut Host)
}

#[unsafe(no_mangle)]
pub fn entry_connection_send(tcp: &mut Connection, text: &mut Bytes, now: Instant) -> Result<usize, Error> {
    tcp.batch(now, &mut Host).send(text)
}

#[unsafe(no_mangle)]
pub fn entry_connection_batch(tcp: &mut Connection, segment: Segment, n: usize, now: Instant) -> Result<(), Error> {
    let mut host = Host;
    let mut batch = tcp.batch(now, &mut host);
    batch.segment(segment);
    batch.timer(Timer::Retransmit);
    batch.consume(n);
    batch.close()
}

#[unsafe(no_mangle)]
pub fn entry_connection_readings(tcp: &Connection) -> (State, Option<(Timer, Instant)>, usize, Result<usize, Error>) {
    (tcp.state(), tcp.next_deadline(), tcp.send_room(), tcp.writable())
}

#[unsafe(no_mangle)]
pub fn entry_connection_info(tcp: &Connection) -> Info {
    tcp.info()
}

#[unsafe(no_mangle)]
pub fn entry_connection_clone(tcp: &Connection) -> Connection {
    tcp.clone()
}

#[unsafe(no_mangle)]
pub fn entry_connection_eq(tcp: &Connection, other: &Connection) -> bool {
    tcp == other
}

#[unsafe(no_mangle)]
pub fn entry_connection_canonical(tcp: &Connection, now: Instant) -> Canonical {
    tcp.canonical(now)
}

#[unsafe(no_mangle)]
pub fn entry_connection_drop(tcp: Connection) {
    drop(tcp);
}

#[unsafe(no_mangle)]
pub fn entry_time_wait_of(tcp: Connection) -> Result<TimeWait, Connection> {
    tcp.time_wait()
}

#[unsafe(no_mangle)]
pub fn entry_time_wait_segment(value: &mut TimeWait, segment: Segment, now: Instant, config: &Arc<Config>) {
    value.handle_segment_into(segment, now, config, &mut Host);
}

#[unsafe(no_mangle)]
pub fn entry_time_wait_timer(value: &mut TimeWait, timer: Timer, now: Instant, config: &Arc<Config>) {
    value.handle_timer_into(timer, now, config, &mut Host);
}
