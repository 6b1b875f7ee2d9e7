//! A batch: several events with one flush. What that saves, and that its record replays it.

use bytes::Bytes;
use segue::{
    Action, Arc, Batch, CloseReason, Config, Connection, Error, Event, Flags, Instant, Knob, Path, Secrets, Segment,
    SeqNum, Sink, State, Timer,
};
use segue_kit::settings::{Mixture, config};
use segue_kit::{Rng, STARTS, ms};

type Sent = Vec<Action>;

fn segments(actions: &mut Vec<Action>) -> Vec<Segment> {
    actions.drain(..).filter_map(|a| if let Action::Transmit(segment) = a { Some(segment) } else { None }).collect()
}

/// Two connections of a perfect network, each with the segments on their way to it.
struct Talk {
    ends: [Connection; 2],
    inbox: [Vec<Segment>; 2],
    now: Instant,
    sent: usize,
}

impl Talk {
    /// The SYN is on its way.
    fn begin(config: &Arc<Config>) -> Self {
        let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
        let server = Connection::listen(config.clone(), Path::ipv4(1500), secrets(7_000_000));
        let (client, mut actions) = Connection::connect(config.clone(), Path::ipv4(1500), secrets(1000), Instant::ZERO);
        let syn = segments(&mut actions);
        Self { ends: [client, server], inbox: [Vec::new(), syn], now: Instant::ZERO, sent: 1 }
    }

    /// All that waits for an end, then `then`, in one batch: the actions without segments.
    fn turn(&mut self, end: usize, then: impl FnOnce(&mut Batch<'_, Sent>)) -> Vec<Action> {
        self.now += ms(1);
        let mut actions = Vec::new();
        let mut batch = self.ends[end].batch(self.now, &mut actions);
        self.inbox[end].drain(..).for_each(|segment| batch.segment(segment));
        then(&mut batch);
        drop(batch);
        let rest = actions.iter().filter(|a| !matches!(a, Action::Transmit(_))).cloned().collect();
        let sent = segments(&mut actions);
        self.sent += sent.len();
        self.inbox[1 - end].extend(sent);
        rest
    }

    /// Nobody has anything to say; the delayed acknowledgments leave.
    fn settle(&mut self) {
        for _ in 0..4 {
            self.turn(0, |_| {});
            self.turn(1, |_| {});
        }
        self.now += ms(100);
        for end in [0, 1] {
            self.turn(end, |batch| batch.timer(Timer::DelayedAck));
        }
        assert!(self.inbox.iter().all(Vec::is_empty));
    }
}

/// SYN, SYN,ACK, ACK.
fn established() -> Talk {
    let mut talk = Talk::begin(&Arc::new(Config::default()));
    talk.turn(1, |_| {});
    talk.turn(0, |_| {});
    talk.turn(1, |_| {});
    assert_eq!((talk.sent, talk.ends[1].state()), (3, State::Established));
    talk
}

/// Request, response, acknowledgment: of both sides, data and pure ACKs.
#[test]
fn a_keep_alive_request_costs_three_segments_in_all() {
    let mut talk = established();
    for _ in 0..100 {
        talk.sent = 0;
        talk.turn(0, |batch| assert_eq!(batch.send(&mut "GET /".into()), Ok(5)));
        let actions = talk.turn(1, |batch| {
            batch.consume(5);
            assert_eq!(batch.send(&mut "200 OK".into()), Ok(6));
        });
        assert!(actions.contains(&Action::Deliver("GET /".into())));
        talk.turn(0, |batch| batch.consume(6));
        talk.settle();
        assert!(talk.sent <= 3, "{} segments", talk.sent);
    }
}

/// SYN, SYN,ACK, the request on the ACK, the response with FIN, FIN, ACK.
#[test]
fn a_connection_for_a_request_costs_six_segments_in_all() {
    let mut talk = Talk::begin(&Arc::new(Config::default()));
    talk.turn(1, |_| {});
    talk.turn(0, |batch| assert_eq!(batch.send(&mut "GET /".into()), Ok(5)));
    talk.turn(1, |batch| {
        batch.consume(5);
        assert_eq!(batch.send(&mut "200 OK".into()), Ok(6));
        assert_eq!(batch.close(), Ok(()));
    });
    assert_eq!(talk.inbox[0][0].flags, Flags::ACK | Flags::PSH | Flags::FIN);
    let actions = talk.turn(0, |batch| {
        batch.consume(6);
        assert_eq!(batch.close(), Ok(()));
    });
    assert!(actions.contains(&Action::Deliver("200 OK".into())) && actions.contains(&Action::PeerClosed));
    let actions = talk.turn(1, |_| {});
    assert!(actions.contains(&Action::Flushed));
    let actions = talk.turn(0, |_| {});
    assert_eq!(actions.last(), Some(&Action::Closed(CloseReason::Finished)));
    assert_eq!((talk.sent, talk.ends[1].state()), (6, State::TimeWait));
}

#[test]
fn a_call_that_cannot_proceed_leaves_the_batch_and_its_text_alone() {
    let mut talk = established();
    let room = talk.ends[0].writable().unwrap();
    talk.turn(0, |batch| {
        let mut text = Bytes::from(vec![7; room + 9]);
        assert_eq!(batch.send(&mut text), Ok(room));
        assert_eq!((batch.writable(), text.len()), (Ok(0), 9));
        assert_eq!(batch.send(&mut text), Err(Error::NoRoom { room: 0 }));
        assert_eq!(batch.close(), Ok(()));
        assert_eq!(batch.writable(), Err(Error::Closing));
        assert_eq!(batch.send(&mut text), Err(Error::Closing));
        assert_eq!((batch.close(), text.len()), (Err(Error::Closing), 9));
        assert_eq!(batch.state(), State::FinWait1);
    });
}

#[test]
fn an_empty_batch_changes_nothing_but_the_time() {
    let mut talk = established();
    let before = talk.ends[0].clone();
    assert_eq!(talk.turn(0, |_| {}), []);
    assert_eq!(talk.ends[0].canonical(talk.now), before.canonical(talk.now));
}

/// The retransmission timer is due, but what came before it in the batch acknowledges all.
#[test]
fn a_timer_behind_a_segment_runs_if_it_is_still_due() {
    let mut talk = established();
    talk.turn(0, |batch| assert_eq!(batch.send(&mut "text".into()), Ok(4)));
    talk.turn(1, |batch| batch.consume(4));
    talk.now += ms(5000); // both are late
    let actions = talk.turn(0, |batch| batch.timer(Timer::Retransmit));
    assert!(actions.contains(&Action::Acked(4)));
    assert_eq!(talk.ends[0].info().counters.timeouts, 0);
}

fn draw(rng: &mut Rng, waiting: &mut Vec<Segment>, due: Option<Timer>) -> Event {
    match rng.below(16) {
        0..=4 if !waiting.is_empty() => Event::Segment(waiting.remove(rng.below(waiting.len() as u32) as usize)),
        5 => Event::Segments(std::mem::take(waiting)),
        0..=4 | 6..=8 => Event::Send(vec![b'x'; rng.below(3000) as usize].into()),
        9 => Event::SendMore(vec![b'y'; rng.below(300) as usize].into()),
        10 => Event::Consume(rng.below(4000) as usize),
        11 => due.map_or(Event::Continue, Event::Timer),
        12 => Event::Set(Knob::Cork(rng.chance(500))),
        13 if rng.chance(100) => Event::SendUrgent("!".into()),
        14 if rng.chance(30) => Event::Close,
        15 if rng.chance(2) => Event::Abort,
        15 if rng.chance(2) => Event::Release,
        _ => Event::Continue,
    }
}

/// Random batches over a network that loses and reorders: each proves itself when it is dropped, against its record, with
/// shortcuts and without; here the record of the batch is the event, once more.
#[test]
fn a_record_of_a_batch_gives_the_same_state_and_actions() {
    for seed in 0..400 {
        let rng = &mut Rng::new(seed);
        let mixture = Mixture::draw(rng, [0, 100, 400][(seed % 3) as usize]);
        let policy = Arc::new(config(rng, &mixture, &[]));
        let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 9 };
        let isn = rng.pick(&STARTS);
        let (client, mut first) = Connection::connect(policy.clone(), Path::ipv4(1500), secrets(isn), Instant::ZERO);
        let mut ends = [client, Connection::listen(policy, Path::ipv4(1500), secrets(isn ^ 1))];
        let mut waiting = [Vec::new(), segments(&mut first)];
        let mut now = Instant::ZERO;
        for _ in 0..120 {
            let end = rng.below(2) as usize;
            now += ms(rng.pick(&[0, 1, 20, 300]));
            let (mut twin, mut actions, mut again, mut parts) = (ends[end].clone(), Vec::new(), Vec::new(), Vec::new());
            let mut batch = ends[end].batch(now, &mut actions);
            for _ in 0..rng.below(6) {
                let due = batch.next_deadline().filter(|(_, at)| *at <= now).map(|(timer, _)| timer);
                let event = draw(rng, &mut waiting[end], due);
                parts.push(event.clone()); // also what cannot proceed
                let _ = batch.event(event);
            }
            drop(batch);
            twin.handle(Event::Batch(parts), now, &mut again).expect("a batch never fails");
            assert_eq!((&actions, &ends[end]), (&again, &twin), "seed {seed}");
            let kept = segments(&mut actions).into_iter().filter(|_| !rng.chance(50));
            waiting[1 - end].extend(kept.collect::<Vec<_>>());
        }
    }
}

/// A sink of a host that panics at one of its actions.
struct Mine {
    fuse: usize,
    actions: Vec<Action>,
}

impl Sink for Mine {
    fn push(&mut self, action: Action) {
        self.fuse = self.fuse.checked_sub(1).expect("the host's own mistake");
        self.actions.push(action);
    }
}

/// A panic in a sink, at any action of a part or of the flush, or in the code of the host between two parts, unwinds as any
/// other: the batch, which ends while the stack unwinds, adds none to it.
#[test]
fn a_panic_of_the_host_unwinds_through_a_batch() {
    let mut caught = Vec::new();
    for (fuse, panics_between) in [(0, false), (1, false), (2, false), (99, false), (99, true)] {
        let mut talk = established();
        talk.turn(0, |batch| batch.event(Event::Send("text".into())).unwrap());
        let (segment, now) = (talk.inbox[1].remove(0), talk.now);
        let mut connection = talk.ends[1].clone();
        let mut sink = Mine { fuse, actions: Vec::new() };
        let run = || {
            let mut batch = connection.batch(now, &mut sink);
            batch.segment(segment);
            batch.consume(4);
            batch.send(&mut "more text".into()).unwrap();
            assert!(!panics_between, "between two parts");
            batch.close().unwrap();
        };
        caught.push(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
        let pushed = sink.actions.iter().filter(|action| matches!(action, Action::Transmit(_))).count();
        assert!(fuse < 99 || pushed == 1, "what the parts before the panic owe leaves");
        connection.abort(now);
        assert_eq!(connection.state(), State::Closed);
    }
    assert_eq!(caught, [true, true, true, false, true]);
}
