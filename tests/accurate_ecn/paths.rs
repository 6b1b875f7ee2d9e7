//! Two ends over paths with middleboxes: marks, bleaching, re-marking, options stripped, acknowledgments thinned, loss.

use std::collections::VecDeque;

use bytes::Bytes;
use segue::{Action, Arc, ConfigBuilder, Connection, Ecn, Event, Instant, Path, Secrets, Segment, SeqNum, State};
use segue_kit::{Rng, ms, secs};

use super::accurate;

/// One end, and what it has sent.
pub(super) struct End {
    pub(super) connection: Connection,
    pub(super) out: VecDeque<Segment>,
    pub(super) delivered: u64,
    now: Instant,
}

impl End {
    fn new(connection: Connection, actions: Vec<Action>) -> Self {
        let mut end = Self { connection, out: VecDeque::new(), delivered: 0, now: Instant::from_millis(1) };
        end.note(actions);
        end
    }

    fn note(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Transmit(segment) => self.out.push_back(segment),
                Action::Deliver(text) => {
                    self.delivered += text.len() as u64;
                    let more = self.perform(Event::Consume(text.len()));
                    self.note(more);
                }
                _ => {}
            }
        }
    }

    fn perform(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.connection.handle(event, self.now, &mut actions).expect("it can proceed");
        actions
    }

    pub(super) fn does(&mut self, event: Event) {
        let actions = self.perform(event);
        self.note(actions);
    }

    /// All that was sent arrives at the other end, as `path` has it.
    pub(super) fn pass_all(&mut self, to: &mut Self, mut path: impl FnMut(Segment) -> Option<Segment>) {
        for segment in std::mem::take(&mut self.out).into_iter().filter_map(&mut path) {
            to.does(Event::Segment(segment));
        }
    }
}

/// Two ends.
pub(super) struct Pair;

impl Pair {
    /// ESTABLISHED, both of them, over a path without faults.
    pub(super) fn connected(client: &ConfigBuilder, server: &ConfigBuilder) -> (End, End) {
        let mut one = Self::client(client);
        let mut other = Self::server(server, one.out.pop_front().expect("a SYN"));
        other.pass_all(&mut one, Some);
        one.pass_all(&mut other, Some);
        (one, other)
    }

    fn client(config: &ConfigBuilder) -> End {
        let config = Arc::new(config.build().expect("valid"));
        let secrets = Secrets { iss: SeqNum::new(77), ts_offset: 5 };
        let (connection, actions) = Connection::connect(config, Path::ipv4(1500), secrets, Instant::from_millis(1));
        End::new(connection, actions)
    }

    fn server(config: &ConfigBuilder, syn: Segment) -> End {
        let config = Arc::new(config.build().expect("valid"));
        let secrets = Secrets { iss: SeqNum::new(0xFFFF_F000), ts_offset: 9 };
        let (connection, actions) = Connection::accept(config, Path::ipv4(1500), secrets, syn, Instant::from_millis(1));
        End::new(connection, actions)
    }
}

/// What happens on the way, in packets of a thousand; all seeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Middlebox {
    /// CE on ECN-capable packets: what a queue does.
    marks: u32,
    lose: u32,
    /// The IP-ECN field is cleared (bleaching), or set to this codepoint.
    clears: bool,
    remarks: Option<Ecn>,
    /// AccECN options are taken out.
    strips: bool,
    /// Packets with an AccECN option are dropped.
    drops_options: bool,
    /// The three flags are cleared on SYNs, or on everything.
    clears_syns: bool,
    clears_flags: bool,
    /// The number of pure ACKs, of those that leave together, that give way to the next.
    thins: u32,
    /// Of the first packets, those of these bits are lost.
    loses: u8,
}

/// A direction: what is on its way, and what became of it.
struct Way {
    middlebox: Middlebox,
    /// When each arrives.
    queue: VecDeque<(Instant, Segment)>,
    thinned: u32,
    sent: u32,
    /// Packets and octets that arrived with CE, SYNs apart.
    ce: (u64, u64),
}

const TRIP: u64 = 10;

impl Way {
    fn new(middlebox: Middlebox) -> Self {
        Self { middlebox, queue: VecDeque::new(), thinned: 0, sent: 0, ce: (0, 0) }
    }

    fn takes(&mut self, mut segment: Segment, now: Instant, rng: &mut Rng) {
        let Middlebox { marks, lose, clears, remarks, strips, drops_options, clears_syns, clears_flags, thins, loses } =
            self.middlebox;
        let syn = segment.flags.contains(segue::Flags::SYN);
        let nth = self.sent;
        self.sent += 1;
        if loses.checked_shr(nth).is_some_and(|bits| bits & 1 != 0)
            || rng.chance(lose)
            || (drops_options && segment.options.acc_ecn().is_some())
        {
            return;
        }
        if segment.ecn != Ecn::NotEct && rng.chance(marks) {
            segment.ecn = Ecn::Ce;
        }
        if clears {
            segment.ecn = Ecn::NotEct;
        }
        if let Some(codepoint) = remarks {
            segment.ecn = codepoint;
        }
        if strips {
            segment.options.update(|options| options.acc_ecn = None);
        }
        if clears_flags || (clears_syns && syn) {
            segment.flags.remove(segue::Flags::AE | segue::Flags::CWR | segue::Flags::ECE);
        }
        let at = now + ms(TRIP);
        let pure = |segment: &Segment| segment.is_empty() && segment.flags.contains(segue::Flags::ACK);
        if self.thinned < thins
            && pure(&segment)
            && self.queue.back().is_some_and(|(due, last)| *due == at && pure(last))
        {
            self.thinned += 1;
            self.queue.pop_back();
        } else {
            self.thinned = 0;
        }
        self.queue.push_back((at, segment));
    }
}

/// A transfer: `octets` from the client, and what became of it.
struct Run {
    ends: [End; 2],
    ways: [Way; 2],
    finished: Option<Instant>,
}

fn run(seed: u64, configs: [&ConfigBuilder; 2], octets: [usize; 2], middleboxes: [Middlebox; 2]) -> Run {
    let mut rng = Rng::new(seed);
    let mut ways = middleboxes.map(Way::new);
    let mut client = Pair::client(configs[0]);
    let mut now = Instant::from_millis(1);
    let mut server: Option<End> = None;
    let mut left = octets;
    let mut closed = [false; 2];
    let end_of_time = now + secs(900);
    loop {
        // what each end sent
        let mut ends: Vec<&mut End> = [Some(&mut client), server.as_mut()].into_iter().flatten().collect();
        for (n, end) in ends.iter_mut().enumerate() {
            let synchronized = end.connection.state() == State::Established;
            while left[n] > 0 && synchronized && end.connection.info().send_queue < 100_000 {
                let some = left[n].min(20_000);
                left[n] -= some;
                end.does(Event::Send(Bytes::from(vec![7; some])));
            }
            if left[n] == 0 && synchronized && !closed[n] {
                closed[n] = true;
            }
            while let Some(segment) = end.out.pop_front() {
                ways[n].takes(segment, now, &mut rng);
            }
        }
        let done = |end: &End, sends: usize, gets: usize| {
            let info = end.connection.info();
            end.delivered == gets as u64 && info.counters.octets_acked == sends as u64
        };
        let finished = server.as_ref().is_some_and(|server| {
            done(&client, octets[0], octets[1]) && done(server, octets[1], octets[0]) && left == [0, 0]
        });
        let over = client.connection.state() == State::Closed;
        if finished || over || now >= end_of_time {
            let server = server.unwrap_or_else(|| panic!("no SYN got through"));
            return Run { ends: [client, server], ways, finished: finished.then_some(now) };
        }
        // what happens next
        let arrival = ways.iter().filter_map(|way| way.queue.front().map(|(at, _)| *at)).min();
        let timers = [Some(&client), server.as_ref()].into_iter().flatten();
        let timer = timers.filter_map(|end| end.connection.next_deadline().map(|(_, at)| at)).min();
        now = now.max([arrival, timer].into_iter().flatten().min().expect("something is due"));
        client.now = now;
        if let Some(server) = &mut server {
            server.now = now;
        }
        for (n, way) in ways.iter_mut().enumerate() {
            while way.queue.front().is_some_and(|(at, _)| *at <= now) {
                let (_, segment) = way.queue.pop_front().expect("there is one");
                if segment.ecn == Ecn::Ce && !segment.flags.contains(segue::Flags::SYN) {
                    way.ce.0 += 1;
                    way.ce.1 += segment.payload.len() as u64;
                }
                match (n, &mut server) {
                    (0, Some(server)) => server.does(Event::Segment(segment)),
                    (0, None) => {
                        let mut end = Pair::server(configs[1], segment);
                        end.now = now;
                        server = Some(end);
                    }
                    (_, _) => client.does(Event::Segment(segment)),
                }
            }
        }
        for end in [Some(&mut client), server.as_mut()].into_iter().flatten() {
            while let Some((timer, _)) = end.connection.next_deadline().filter(|(_, at)| *at <= now) {
                end.does(Event::Timer(timer));
            }
        }
    }
}

fn arrives(run: &Run, what: &dyn std::fmt::Debug) {
    let delivered = [run.ends[0].delivered, run.ends[1].delivered];
    assert!(run.finished.is_some(), "{what:?}: {delivered:?} {:?}", run.ends[0].connection.info());
}

/// An honest path: the sender counts what arrived marked, packet by packet and octet by octet; where acknowledgments are
/// thinned out, no more than that; and it responds.
#[test]
fn rfc_9768_an_honest_path_is_counted_exactly() {
    for marks in [0, 5, 20, 100, 300] {
        for thins in [0, 1, 3, 7, 20, 44] {
            for seed in 0..3 {
                let data = Middlebox { marks, ..Middlebox::default() };
                let acks = Middlebox { thins, ..Middlebox::default() };
                let run = run(seed, [&accurate(), &accurate()], [400_000, 0], [data, acks]);
                arrives(&run, &(marks, thins, seed));
                let sender = run.ends[0].connection.info();
                let receiver = run.ends[1].connection.info().accurate_ecn.unwrap();
                let (packets, octets) = run.ways[0].ce;
                assert_eq!((receiver.ce_packets_in, receiver.ce_octets_in), (packets, octets));
                let told = sender.accurate_ecn.unwrap();
                assert!(told.options);
                // the last acknowledgments may have been thinned out
                assert!(told.ce_packets_out <= packets && told.ce_octets_out <= octets, "{marks} {thins}: {told:?}");
                if thins == 0 {
                    assert_eq!((told.ce_packets_out, told.ce_octets_out), (packets, octets), "{marks} {seed}");
                }
                assert_eq!(sender.counters.ecn_reductions > 0, told.ce_packets_out > 0, "{marks} {thins} {seed}");
                assert!(sender.counters.retransmissions == 0 || thins > 0);
            }
        }
    }
}

/// The same without options: with hardly an acknowledgment missing, hardly a mark is hidden or made up. Where many are
/// missing, the safest case counts (App. A.2.1) until it shows that long acknowledgments are usual; after that the marks of a path
/// with few are counted, twice at the most. Where nothing is marked, nothing is counted, whatever comes of the acknowledgments.
#[test]
fn rfc_9768_3_2_2_5_without_options_thinned_acks_hide_little() {
    for marks in [0, 20, 100, 300] {
        for thins in [0, 1, 3, 7, 20, 44] {
            for seed in 0..3 {
                let data = Middlebox { marks, ..Middlebox::default() };
                let acks = Middlebox { thins, strips: true, ..Middlebox::default() };
                let run = run(seed, [&accurate(), &accurate()], [400_000, 0], [data, acks]);
                arrives(&run, &(marks, thins, seed));
                let sender = run.ends[0].connection.info();
                let told = sender.accurate_ecn.unwrap();
                let (packets, octets) = run.ways[0].ce;
                assert!(!told.options);
                if marks == 0 {
                    assert_eq!((told.ce_packets_out, told.ce_octets_out), (0, 0));
                    assert_eq!(sender.counters.ecn_reductions, 0);
                }
                if thins <= 1 {
                    assert!(packets.abs_diff(told.ce_packets_out) <= 1, "{marks} {thins} {seed}: {told:?} {packets}");
                    assert!(octets.abs_diff(told.ce_octets_out) <= 1460 + octets / 4, "{told:?} {octets}");
                }
                if marks <= 20 {
                    let first = 2 * (u64::from(thins) + 1);
                    let most = 2 * packets + first;
                    assert!(told.ce_packets_out <= most, "{marks} {thins} {seed}: {told:?} {packets}");
                    assert!(told.ce_packets_out + 8 >= packets, "{marks} {thins} {seed}: {told:?} {packets}");
                }
                if packets > 8 {
                    assert!(sender.counters.ecn_reductions > 0, "{marks} {thins} {seed}: the flow responds");
                }
            }
        }
    }
}

/// All middleboxes, alone and together, on both ways, with losses: everything arrives, and nothing panics.
#[test]
fn rfc_9768_whatever_a_middlebox_does_everything_arrives() {
    let mut draw = Rng::new(0xACC);
    for seed in 0..400u64 {
        let mut middlebox = || {
            let remarks = [Ecn::Ect0, Ecn::Ect1, Ecn::Ce, Ecn::NotEct];
            Middlebox {
                marks: draw.pick(&[0, 0, 30, 200, 1000]),
                lose: draw.pick(&[0, 0, 10, 50]),
                clears: draw.chance(150),
                remarks: draw.chance(150).then(|| draw.pick(&remarks)),
                strips: draw.chance(200),
                drops_options: draw.chance(100),
                clears_syns: draw.chance(100),
                clears_flags: draw.chance(100),
                thins: draw.pick(&[0, 0, 0, 2, 9, 30]),
                loses: 0,
            }
        };
        let middleboxes = [middlebox(), middlebox()];
        // thinning that takes the acknowledgment of the last text must leave the timer a chance
        let octets = [80_000, if draw.chance(500) { 60_000 } else { 0 }];
        let mode = |draw: &mut Rng| {
            let modes = [segue::EcnMode::Accurate, segue::EcnMode::Passive, segue::EcnMode::Active];
            accurate().ecn(draw.pick(&modes)).sack(draw.chance(800)).timestamps(draw.chance(700))
        };
        let configs = [accurate(), mode(&mut draw)];
        let run = run(seed, [&configs[0], &configs[1]], octets, middleboxes);
        arrives(&run, &(seed, middleboxes));
        for end in &run.ends {
            end.connection.check_invariants();
        }
    }
}

/// Bleaching: no mark arrives, and none is told of. Re-marking of SYNs: no ECT.
#[test]
fn rfc_9768_bleaching_and_remarking() {
    for remarks in [Ecn::Ect0, Ecn::Ect1, Ecn::Ce] {
        let bad = Middlebox { remarks: Some(remarks), ..Middlebox::default() };
        let run = run(1, [&accurate(), &accurate()], [100_000, 0], [bad, Middlebox::default()]);
        arrives(&run, &remarks);
        let info = run.ends[0].connection.info();
        assert!(!info.ecn, "{remarks:?}");
        let told = info.accurate_ecn.unwrap();
        assert_eq!(told.ce_packets_out > 0, remarks == Ecn::Ce, "{told:?}");
        assert_eq!(info.counters.ecn_reductions > 0, remarks == Ecn::Ce);
    }
    let bleach = Middlebox { clears: true, marks: 300, ..Middlebox::default() };
    let run = run(1, [&accurate(), &accurate()], [100_000, 0], [bleach, Middlebox::default()]);
    arrives(&run, &"bleached");
    assert_eq!(run.ends[0].connection.info().accurate_ecn.unwrap().ect_octets_out, (0, 0));
    assert_eq!(run.ends[0].connection.info().counters.ecn_reductions, 0);
}

/// §3.2.3.2.2: every acknowledgment with an option is dropped: what they acknowledge comes again each time, until they have none.
#[test]
fn rfc_9768_3_2_3_2_2_acknowledgments_lost_for_their_option() {
    let acks = Middlebox { drops_options: true, ..Middlebox::default() };
    for timestamps in [false, true] {
        let config = accurate().timestamps(timestamps);
        // the SYN,ACK with the option is lost, and no other has one
        let run1 = run(1, [&config, &config], [300_000, 0], [Middlebox::default(), acks]);
        arrives(&run1, &"to the client");
        assert!(run1.finished.unwrap() < Instant::from_millis(8000));
        // only what the client says meets the middlebox
        let run2 = run(1, [&config, &config], [0, 300_000], [acks, Middlebox::default()]);
        arrives(&run2, &"to the server");
        assert!(run2.finished.unwrap() < Instant::from_millis(40_000), "{:?}", run2.finished);
        let server = run2.ends[1].connection.info();
        assert!(server.counters.timeouts <= 8, "{:?}", server.counters);
    }
    // a path that loses many acknowledgments for other reasons keeps them
    let lossy = Middlebox { lose: 100, ..Middlebox::default() };
    let run = run(3, [&accurate(), &accurate()], [0, 300_000], [lossy, Middlebox::default()]);
    arrives(&run, &"lossy");
    assert!(run.ends[1].connection.info().accurate_ecn.unwrap().ect_octets_out.0 > 250_000);
}

/// §3.1.4, §3.1.5: any of the first four packets of each end are lost, which calls for every kind of fall-back. Everything
/// arrives; a client in AccECN mode has a server in that mode; what was marked is told.
#[test]
fn rfc_9768_3_1_4_whatever_is_lost_of_the_handshake() {
    let mut modes = std::collections::BTreeSet::new();
    for loses in 0..=0xFFu8 {
        let marking = |loses| Middlebox { marks: 100, loses, ..Middlebox::default() };
        let ways = [marking(loses & 0x0F), marking(loses >> 4)];
        let run =
            run(u64::from(loses), [&accurate(), &accurate().ecn(segue::EcnMode::Passive)], [60_000, 60_000], ways);
        arrives(&run, &loses);
        let [client, server] = run.ends.each_ref().map(|end| end.connection.info());
        modes.insert((client.accurate_ecn.is_some(), server.accurate_ecn.is_some(), client.ecn, server.ecn));
        assert!(client.accurate_ecn.is_none() || server.accurate_ecn.is_some(), "{loses:#010b}");
        for (from, to, way) in [(&client, &server, &run.ways[0]), (&server, &client, &run.ways[1])] {
            let (Some(from), Some(to)) = (from.accurate_ecn, to.accurate_ecn) else { continue };
            assert!(to.ce_packets_in <= way.ce.0, "what is not acceptable does not count");
            assert!(from.ce_packets_out <= to.ce_packets_in + 40, "{loses:#010b}: {from:?} {to:?}");
        }
    }
    // both with ECT; the server without, since a plain SYN or SYN,ACK was sent; the client alone knows no ECN
    assert!(modes.contains(&(true, true, true, true)) && modes.contains(&(true, true, true, false)), "{modes:?}");
}
