//! The shortcut before the eight steps: what takes it, and that it takes nothing else. In debug builds every step with a
//! shortcut is repeated by a twin without (`Connection::prove_step`); so each test here, as any other, is a proof by value
//! of the segments that it gives.

use quickcheck::{Arbitrary, Gen, quickcheck};
use segue::congestion::{Acked, Congestion, Controller};
use segue::{
    Action, Arc, Config, Connection, Ecn, Event, Flags, Instant, Knob, Options, Path, SackBlock, SackBlocks, Secrets,
    Segment, SeqNum, State, Timer, Timestamps,
};
use segue_kit::ms;
use segue_kit::rig::{At, Rig, everywhere};

fn predicted(rig: &Rig) -> u64 {
    rig.connection.info().counters.segments_predicted
}

/// Whether this segment would take the shortcut.
fn takes_it(rig: &Rig, segment: Segment) -> bool {
    let mut rig = rig.clone();
    let before = predicted(&rig);
    rig.arrives(segment);
    predicted(&rig) > before
}

/// 4000 octets in flight, 100 received.
fn steady(at: At) -> Rig {
    let mut rig = at.established();
    rig.send(4000);
    rig.arrives(rig.octets(1, 1, 100));
    rig
}

#[test]
fn established_text_and_acknowledgments_in_order_take_the_shortcut() {
    everywhere(|at| {
        let mut rig = steady(at);
        let pushed = Segment { flags: Flags::ACK | Flags::PSH, ..rig.text(107, 2001, "g") };
        let expected = [rig.text(101, 1, "abc"), rig.ack(104, 1001), rig.text(104, 2001, "def"), pushed];
        for segment in expected {
            assert!(takes_it(&rig, segment.clone()), "{segment}");
            rig.arrives(segment);
        }
    });
}

type Change = Box<dyn Fn(Segment) -> Segment>;
type Enter = fn(&mut Rig);

/// Each differs in one thing from a segment that takes the shortcut.
#[test]
fn established_anything_else_takes_the_eight_steps() {
    let with = |flags| move |segment: Segment| Segment { flags: segment.flags | flags, ..segment };
    let blocks = |rig: &Rig| {
        let mut sack = SackBlocks::new();
        let left = rig.connection.info().snd_una + 1000;
        sack.push(SackBlock { left, right: left + 1000 });
        sack
    };
    let same = |change: fn(Segment) -> Segment| Box::new(change) as Change;
    let changes: Vec<(&str, Change)> = vec![
        ("FIN", Box::new(with(Flags::FIN))),
        ("SYN", Box::new(with(Flags::SYN))),
        ("RST", Box::new(with(Flags::RST))),
        ("URG", Box::new(with(Flags::URG))),
        ("ECE", Box::new(with(Flags::ECE))),
        ("CWR", Box::new(with(Flags::CWR))),
        ("no ACK", same(|segment| Segment { flags: Flags::empty(), ..segment })),
        ("a mark", same(|segment| Segment { ecn: Ecn::Ce, ..segment })),
        ("a hole before it", same(|segment| Segment { seq: segment.seq + 1, ..segment })),
        ("an octet that came before", same(|segment| Segment { seq: segment.seq - 1, ..segment })),
        ("an acknowledgment of what was not sent", same(|segment| Segment { ack: segment.ack + 4001, ..segment })),
        ("an acknowledgment that came before", same(|segment| Segment { ack: segment.ack - 1, ..segment })),
        ("more than the window", same(|segment| Segment { payload: vec![0; 300_000].into(), ..segment })),
        ("nothing", same(|segment| Segment { payload: Default::default(), ..segment })),
        (
            "another option",
            same(|segment| {
                let options = Options { user_timeout: Some(100), ..segment.options.get() };
                Segment { options: options.into(), ..segment }
            }),
        ),
    ];
    everywhere(|at| {
        let rig = steady(at);
        let expected = rig.text(101, 1, "abc");
        for (name, change) in &changes {
            assert!(!takes_it(&rig, change(expected.clone())), "{name}");
        }
        let reports = Options { sack: blocks(&rig), ..expected.options.get() };
        assert!(!takes_it(&rig, Segment { options: reports.into(), ..expected.clone() }), "SACK blocks");
        assert!(takes_it(&rig, expected));
    });
}

#[test]
fn established_a_timestamp_that_is_old_or_missing_takes_the_eight_steps() {
    let rig = At::default().with(|config| config.timestamps(true)).established();
    let segment = rig.text(1, 1, "abc");
    let Some(sent) = segment.options.timestamps() else { panic!("the peer of the rig sends none") };
    let stamped = |value: u32| Segment { options: Some(Timestamps { value, ..sent }).into(), ..segment.clone() };
    for (value, expected) in [(sent.value, true), (sent.value + 1, true), (sent.value.wrapping_sub(1 << 30), false)] {
        assert_eq!(takes_it(&rig, stamped(value)), expected, "{value}");
    }
    assert!(!takes_it(&rig, Segment { options: Options::default().into(), ..segment.clone() }));
}

/// States of the connection in which nothing is predicted.
#[test]
fn where_something_is_missing_lost_or_closing_nothing_is_predicted() {
    everywhere(|at| {
        let states: [(&str, Enter); 7] = [
            ("text is missing", |rig| drop(rig.arrives(rig.text(201, 1, "later")))),
            ("text in flight timed out", |rig| {
                rig.fire(Timer::DelayedAck);
                rig.fire(Timer::Retransmit);
            }),
            ("the user has closed", |rig| drop(rig.does(Event::Close))),
            ("the user is gone", |rig| drop(rig.does(Event::Release))),
            ("the peer has closed", |rig| {
                let fin = Segment { flags: Flags::ACK | Flags::FIN, ..rig.ack(101, 1) };
                rig.arrives(fin);
            }),
            ("urgent text waits", |rig| drop(rig.does(Event::SendUrgent(b"!".as_slice().into())))),
            ("urgent text is to come", |rig| {
                let urgent = Segment { flags: Flags::ACK | Flags::URG, urgent: 500, ..rig.ack(101, 1) };
                rig.arrives(urgent);
            }),
        ];
        for (name, enter) in states {
            let mut rig = steady(at);
            enter(&mut rig);
            let next = i64::from(rig.connection.info().rcv_nxt - rig.connection.info().irs);
            assert!(!takes_it(&rig, rig.text(next, 1, "abc")), "{name}");
        }
    });
}

/// One step of a conversation that is mostly steady.
#[derive(Clone, Debug)]
enum Step {
    Text { len: u16, push: bool, behind: i8 },
    Ack { octets: u16, window: u16, with_text: bool },
    Send(u16),
    Consume(u16),
    Wait(u16),
    Continue,
    Nagle(bool),
    Ece,
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let rare = |g: &mut Gen, n: i8| if u8::arbitrary(g) < 12 { n } else { 0 };
        let sign = i8::arbitrary(g) % 3;
        match u8::arbitrary(g) % 16 {
            0..=3 => Self::Text { len: u16::arbitrary(g) % 1400 + 1, push: bool::arbitrary(g), behind: rare(g, sign) },
            4..=7 => {
                Self::Ack { octets: u16::arbitrary(g) % 4000, window: u16::arbitrary(g), with_text: bool::arbitrary(g) }
            }
            8..=11 => Self::Send(u16::arbitrary(g) % 9000),
            12 => Self::Consume(u16::arbitrary(g)),
            13 => Self::Wait(u16::arbitrary(g)),
            14 if u8::arbitrary(g) < 30 => Self::Ece,
            14 => Self::Continue,
            _ => Self::Nagle(bool::arbitrary(g)),
        }
    }
}

fn take(rig: &mut Rig, step: &Step) {
    let info = rig.connection.info();
    let (next, una) = (i64::from(info.rcv_nxt - info.irs), i64::from(info.snd_una - info.iss));
    match *step {
        Step::Text { len, push, behind } => {
            let mut segment = rig.octets(next + i64::from(behind), una, len.into());
            segment.flags.set(Flags::PSH, push);
            rig.arrives(segment);
        }
        Step::Ack { octets, window, with_text } => {
            let ack = una + i64::from(u32::from(octets).min(info.flight));
            let segment = rig.text(next, ack, if with_text { "and text" } else { "" });
            rig.arrives(Segment { window, ..segment });
        }
        Step::Send(octets) => drop(rig.send(usize::from(octets).min(rig.connection.send_room()))),
        Step::Consume(octets) => drop(rig.does(Event::Consume(octets.into()))),
        Step::Wait(millis) => {
            rig.wait(ms(u64::from(millis) % 300));
            if let Some((timer, at)) = rig.connection.next_deadline() {
                if at <= rig.now {
                    rig.call_timer(timer);
                }
            }
        }
        Step::Continue => drop(rig.does(Event::Continue)),
        Step::Nagle(on) => drop(rig.does(Event::Set(Knob::Nagle(on)))),
        Step::Ece => {
            let segment = rig.ack(next, una);
            rig.arrives(Segment { flags: segment.flags | Flags::ECE, ..segment });
        }
    }
}

quickcheck! {
    /// The twin judges every step: of connections of any kind, steady for long stretches, with settings of all kinds.
    fn the_shortcuts_change_nothing(steps: Vec<Step>, settings: u16, more: u8) -> bool {
        let bit = |n: u16| settings & (1 << n) != 0;
        let mut rig = At::default()
            .with(|config| {
                config.timestamps(bit(0)).sack(bit(1)).rack(bit(2)).dsack(bit(3)).nagle(bit(4)).minshall(bit(5))
                    .pacing(bit(6)).ack_full_sized(bit(7)).window_scaling(bit(8)).quick_acks(if bit(9) { 0 } else { 5 })
                    .keep_alive(bit(10)).ack_every(1 + u8::from(bit(11))).max_burst(u16::from(more % 4))
                    .max_transmit(if bit(12) { 5000 } else { 0 }).mtu_probing(bit(13))
                    .preserve_window(bit(14).then(|| ms(2000)))
            })
            .established();
        steps.iter().for_each(|step| {
            if rig.connection.state() == State::Established {
                take(&mut rig, step);
            }
        });
        true
    }
}

/// SHLD-17: while the peer has taken back a part of the window, each of its answers is progress, and the user timeout starts
/// anew. So it is with text that acknowledges nothing new, which takes the shortcut.
#[test]
fn a_window_that_shrank_restarts_the_user_timeout_with_expected_text() {
    everywhere(|at| {
        let mut rig = at.established();
        rig.send(500);
        let before = rig.connection.deadline(Timer::UserTimeout).unwrap();
        rig.pass(ms(100));
        let shrinks = Segment { window: 200, ..rig.octets(1, 1, 100) };
        assert!(takes_it(&rig, shrinks.clone()), "{shrinks}");
        rig.arrives(shrinks);
        assert!(rig.connection.info().snd_nxt.after(rig.connection.info().snd_una + 200), "300 octets lie beyond it");
        assert_eq!(rig.connection.deadline(Timer::UserTimeout), Some(before + ms(100)));
    });
}

/// A window that halves with each segment sent.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Halving(u32);

impl Controller for Halving {
    fn works_by_rates(&self) -> bool {
        false
    }
    fn start(&mut self, _: u32, _: u32, _: Instant) {}
    fn on_ack(&mut self, _: &Acked) {}
    fn on_congestion(&mut self, _: &Congestion) {}
    fn window(&self) -> u32 {
        self.0
    }
    fn on_sent(&mut self, _: u32, _: u32, _: Instant) {
        self.0 /= 2;
    }
}

/// A controller may change its window when text is sent: a burst asks for it before each segment, as the long way does.
#[test]
fn a_burst_heeds_a_window_that_changes_with_each_segment() {
    for (window, segments) in [(3, 1), (4, 2), (8, 2), (12, 3), (40, 4)] {
        let (config, now) = (Arc::new(Config::default()), Instant::from_millis(1));
        let secrets = Secrets { iss: SeqNum::new(99), ts_offset: 0 };
        let controller = Halving(window * 536);
        let (mut tcp, _) = Connection::connect_with(controller, config, Path::ipv4(1500), secrets, now);
        let (seq, ack, flags) = (SeqNum::new(999), SeqNum::new(100), Flags::SYN | Flags::ACK);
        tcp.handle_segment(Segment { seq, ack, flags, window: u16::MAX, ..Segment::default() }, now);
        let mut actions = Vec::new();
        tcp.handle(Event::Send(vec![0; 50 * 536].into()), now, &mut actions).unwrap();
        let sent = actions.iter().filter(|action| matches!(action, Action::Transmit(_))).count();
        assert_eq!(sent, segments, "a window of {window} segments");
    }
}
