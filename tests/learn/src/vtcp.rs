//! pktkit's vtcp as a subject. It reads the system's clock: the program has one of its own (`clock.c`), on which a sleep
//! takes no time.

use std::thread::sleep;
use std::time::{Duration, Instant};

use pktkit::vtcp::{Conn, ConnConfig, State};
use segue::Segment;
use segue::codec::{Verify, decode};

use crate::datagram::{SUBJECT, TESTER, to_subject};
use crate::subject::{Out, RECEIVE_BUFFER, Subject};
use crate::tester::SENT;
use crate::word::{Call, Due};

const LONG: Duration = Duration::from_secs(3600);

pub struct Vtcp {
    tcp: Conn,
    peer_closed: bool,
}

impl Default for Vtcp {
    fn default() -> Self {
        let mut tcp = fresh();
        drop(tcp.connect());
        drop(tcp.abort());
        Self { tcp, peer_closed: false }
    }
}

fn fresh() -> Conn {
    let mut config = ConnConfig::default().local_port(SUBJECT.1).remote_port(TESTER.1).pacing(false);
    config.enable_timestamps = false;
    config.enable_sack = false;
    config.no_window_scaling = true;
    config.autotune = false;
    config.recv_buf_size = RECEIVE_BUFFER as usize;
    config.time_wait = Duration::from_secs(1200);
    Conn::new(config)
}

fn synchronized(state: State) -> bool {
    state.is_synchronized()
}

impl Vtcp {
    fn facts(&self) -> (State, u64) {
        (self.tcp.state(), self.tcp.info().bytes_acked)
    }

    fn work(&mut self, (state, acked): (State, u64), sent: Vec<Vec<u8>>) -> Vec<Out> {
        let mut seen = Vec::new();
        let (mut text, mut delivered) = ([0; 2048], 0);
        loop {
            match self.tcp.read(&mut text) {
                0 => break,
                taken => delivered += taken,
            }
        }
        let more = self.tcp.take_outgoing();
        let (after, now_acked) = self.facts();
        let ended = self.tcp.fin_received() && after != State::Closed;
        seen.extend((!synchronized(state) && synchronized(after)).then_some(Out::Connected));
        seen.extend((delivered > 0).then_some(Out::Delivered(delivered)));
        seen.extend((ended && !self.peer_closed).then_some(Out::PeerClosed));
        self.peer_closed = ended;
        let acked = usize::try_from(now_acked.saturating_sub(acked)).unwrap_or(0);
        seen.extend((acked > 0 && after != State::Closed).then_some(Out::Acked(acked)));
        seen.extend(sent.into_iter().chain(more).map(|octets| Out::Sent(parse(octets))));
        seen.extend((state != State::Closed && after == State::Closed).then(|| Out::Closed(String::new())));
        seen
    }

    fn until(&mut self, limit: Duration, enough: impl Fn(&[Out]) -> bool) -> Vec<Out> {
        let end = Instant::now() + limit;
        let mut seen = Vec::new();
        while let Some(at) = self.tcp.next_deadline().filter(|at| *at <= end) {
            sleep(at.saturating_duration_since(Instant::now()));
            let facts = self.facts();
            let sent = self.tcp.tick();
            seen.extend(self.work(facts, sent));
            if enough(&seen) {
                return seen;
            }
        }
        sleep(end.saturating_duration_since(Instant::now()));
        seen
    }
}

fn parse(octets: Vec<u8>) -> Segment {
    decode(octets.into(), Verify::ByHardware).expect("a segment").segment
}

impl Subject for Vtcp {
    fn open(&mut self, call: Call, syn: Option<&Segment>) -> Vec<Out> {
        self.tcp = fresh();
        self.peer_closed = false;
        let facts = (State::Closed, 0);
        let sent = match (call, syn) {
            (Call::Connect, _) => self.tcp.connect(),
            (_, Some(syn)) => self.tcp.accept_syn(&theirs(syn)),
            (_, None) => Vec::new(),
        };
        self.work(facts, sent)
    }

    fn call(&mut self, call: Call) -> Vec<Out> {
        let facts = self.facts();
        let sent = match call {
            Call::Send => self.tcp.write(&[b'o'; SENT]).1,
            Call::Close => self.tcp.close(),
            Call::Release => self.tcp.release(),
            Call::Abort => self.tcp.abort(),
            Call::Connect | Call::Listen | Call::Accept | Call::Rearm => Vec::new(),
        };
        self.work(facts, sent)
    }

    fn segment(&mut self, segment: &Segment) -> Vec<Out> {
        let facts = self.facts();
        let sent = self.tcp.handle_segment(&theirs(segment));
        self.work(facts, sent)
    }

    fn due(&mut self, due: Due) -> Vec<Out> {
        let state = self.tcp.state();
        match due {
            Due::Retransmission if state == State::TimeWait => Vec::new(),
            Due::Retransmission => self.until(LONG, |seen| seen.iter().any(|out| matches!(out, Out::Sent(_)))),
            Due::TimeWait if state == State::TimeWait => self.until(LONG, |_| false),
            Due::TimeWait | Due::KeepAlive | Due::FinWait2 | Due::UserTimeout => Vec::new(),
        }
    }

    fn state(&self) -> Option<segue::State> {
        Some(match self.tcp.state() {
            State::Closed => segue::State::Closed,
            State::Listen => segue::State::Listen,
            State::SynSent => segue::State::SynSent,
            State::SynReceived => segue::State::SynReceived,
            State::Established => segue::State::Established,
            State::FinWait1 => segue::State::FinWait1,
            State::FinWait2 => segue::State::FinWait2,
            State::CloseWait => segue::State::CloseWait,
            State::Closing => segue::State::Closing,
            State::LastAck => segue::State::LastAck,
            State::TimeWait => segue::State::TimeWait,
        })
    }

    fn pass(&mut self, time: Duration) -> Vec<Out> {
        self.until(time, |_| false)
    }
}

fn theirs(segment: &Segment) -> pktkit::vtcp::Segment {
    const IPV4: usize = 20;
    pktkit::vtcp::Segment::parse(&to_subject(segment, SUBJECT.1)[IPV4..]).expect("a segment")
}
