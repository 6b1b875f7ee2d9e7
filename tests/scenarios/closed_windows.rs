//! Both ends fill the other's window to the last octet, and nobody reads: the windows close, some of them by rounding of the
//! scale. When the users read again, both sides must go on at once.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use segue::{Action, Arc, Config, Connection, Event, Instant, Path, Secrets, Segment, SeqNum, Timer};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Two ends, each with a link to the other.
struct Two {
    now: Instant,
    delay: Duration,
    /// ACKs come in bursts: what arrives waits for the next multiple of this.
    burst: Duration,
    ends: [Connection; 2],
    links: [VecDeque<(Instant, Segment)>; 2],
    delivered: [usize; 2],
    segments: usize,
}

impl Two {
    fn new(configs: [Config; 2], delay: Duration, burst: Duration) -> Self {
        let [client, server] = configs.map(Arc::new);
        let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
        let (path, now) = (Path::ipv4(1500), Instant::from_millis(1000));
        let (client, actions) = Connection::connect(client, path, secrets(u32::MAX - 70_000), now);
        let server = Connection::listen(server, path, secrets(5));
        let links = [VecDeque::new(), VecDeque::new()];
        let mut two = Self { now, delay, burst, ends: [client, server], links, delivered: [0, 0], segments: 0 };
        two.note(0, actions);
        two.pass(ms(1000));
        two
    }

    fn note(&mut self, from: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Transmit(segment) => {
                    let (at, burst) = ((self.now + self.delay).as_micros(), self.burst.as_micros().max(1) as u64);
                    self.links[from].push_back((Instant::from_micros(at.next_multiple_of(burst)), segment));
                    self.segments += 1;
                }
                Action::Deliver(text) => self.delivered[from] += text.len(),
                Action::Closed(reason) => panic!("{from}: {reason:?}"),
                _ => {}
            }
        }
    }

    fn event(&mut self, end: usize, event: Event) {
        let mut actions = Vec::new();
        self.ends[end].handle(event, self.now, &mut actions).expect("the call is possible");
        self.note(end, actions);
    }

    fn send(&mut self, end: usize, octets: usize) {
        self.event(end, Event::Send(Bytes::from(vec![b'.'; octets])));
    }

    /// Time goes on. Whether anything happened.
    fn pass(&mut self, time: Duration) -> bool {
        let (end, mut any) = (self.now + time, false);
        loop {
            let arrival = |from: usize| self.links[from].front().map(|(at, _)| *at);
            let timer = |end: usize| self.ends[end].next_deadline().map(|(_, at)| at);
            let next = [arrival(0), arrival(1), timer(0), timer(1)];
            let Some((what, at)) =
                next.into_iter().enumerate().filter_map(|(i, at)| Some((i, at?))).min_by_key(|x| x.1)
            else {
                break;
            };
            if at > end {
                break;
            }
            (self.now, any) = (self.now.max(at), true);
            match what {
                0 | 1 => {
                    let (_, segment) = self.links[what].pop_front().expect("it arrives");
                    let actions = self.ends[1 - what].handle_segment(segment, self.now);
                    self.note(1 - what, actions);
                }
                _ => self.event(what - 2, Event::Timer(Timer::Retransmit)),
            }
        }
        self.now = end;
        any
    }
}

/// Both send what fills the window, and a little later a little more; nobody reads until all is quiet but for the timers.
fn fill_and_read(configs: [Config; 2], delay: Duration, burst: Duration, fill: [usize; 2], more: usize) {
    let mut two = Two::new(configs, delay, burst);
    for (end, octets) in fill.into_iter().enumerate() {
        two.send(end, octets);
    }
    let waits = |end: &Connection| end.info().send_queue > end.info().flight as usize;
    while two.ends.iter().any(waits) {
        two.pass(ms(1));
    }
    two.pass(delay * 3 / 2);
    for end in 0..2 {
        two.send(end, more);
    }
    for pause in [delay, delay * 2, ms(3000)] {
        two.pass(pause);
    }
    let before = two.segments;
    for end in 0..2 {
        two.event(end, Event::Consume(usize::MAX));
    }
    for _ in 0..4 {
        two.pass(delay * 5);
        for end in 0..2 {
            two.event(end, Event::Consume(usize::MAX));
        }
    }
    let all = [fill[1] + more, fill[0] + more];
    two.pass(ms(2000));
    assert_eq!(two.delivered, all, "{configs:?}");
    let most = 40 + 4 * (more / 1000);
    assert!(two.segments - before <= most, "{} segments for {more} octets each way", two.segments - before);
    two.pass(ms(60_000));
    assert!(!two.pass(ms(3_600_000)), "the two do not fall silent");
}

/// 131,069 octets of 131,072: the announced window is 0, and 3 octets more fit what was promised.
#[test]
fn two_windows_that_closed_by_rounding_open_again() {
    let config = |challenge: u64| {
        let config = Config::builder().nagle(false).receive_buffer(131_072).challenge_window(ms(challenge));
        config.build().expect("valid")
    };
    for challenge in [5000, 100] {
        for burst in [0, 10, 25, 50] {
            fill_and_read([config(challenge); 2], ms(50), ms(burst), [131_069; 2], 3);
        }
    }
}

/// The same with each shift, with a few octets more or less, and with ends that differ.
#[test]
fn two_windows_open_again_whatever_the_scale_and_the_rest() {
    for shift in [0, 3, 9, 14u8] {
        let unit = 1usize << shift;
        let buffer = 65_535.max(4 * unit) / unit * unit;
        for left in [0, 3, unit - 1] {
            for (other, sack) in [(Some(shift), true), (Some(0), false), (None, true)] {
                let config = |shift: Option<u8>| {
                    let config = Config::builder().nagle(false).sack(sack).window_shift(shift);
                    let size = u32::try_from(buffer).unwrap();
                    config.receive_buffer(size).receive_buffer_initial(size.max(14_600)).build().expect("valid")
                };
                let fill = buffer - left;
                let configs = [config(Some(shift)), config(other)];
                for more in [1, 3, 2 * left + 1] {
                    fill_and_read(configs, ms(50), ms(25), [fill; 2], more);
                }
            }
        }
    }
}
