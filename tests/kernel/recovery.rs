//! Loss, reordering and doubled packets, one direction at a time: what the sender does about them, what the receiver
//! says of them, and what it costs.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use segue::codec::Flow;
use segue::congestion::Bbr;
use segue::{Algorithm, CloseReason, Info};

use super::capture::{self, Captured};
use super::scenarios::{KERNEL_ECHO, MUCH, accept, connect, read_pattern, write_pattern};
use super::sockets::{self, KernelState};
use super::world::{ECHO, Road, World};
use segue_tun::Socket;
use segue_tun::apps::{App, News, Tell, pattern};

/// What it takes on a road.
struct Limits {
    octets: u64,
    /// Retransmission timeouts that bad luck may cost: a segment, its retransmission and the probes lost.
    timeouts: u64,
    /// Segments sent again for no loss, tail-loss probes aside.
    needless: u64,
    /// Far more than it takes, and far less than a retransmission timeout for each loss would.
    time: Duration,
}

fn limits(road: Road) -> Limits {
    let smooth = Limits { octets: MUCH, timeouts: 0, needless: 0, time: Duration::from_secs(8) };
    match road {
        Road::Clean | Road::Loss(0) | Road::Doubling | Road::Marking => smooth,
        Road::Loss(1) => Limits { timeouts: 3, needless: 5, ..smooth },
        Road::Loss(_) | Road::Rough => Limits { octets: MUCH / 5, timeouts: 10, needless: 10, ..smooth },
        Road::Reordering => Limits { needless: 35, ..smooth }, // a quarter of the overtaken segments
    }
}

/// The same with BBR.
pub(crate) fn segue_sends_by_bbr(world: &World) {
    world.on_host(|host| host.set_algorithm(Algorithm::Bbr(Bbr::default())));
    segue_sends(world);
}

/// Segue sends, the kernel receives.
pub(crate) fn segue_sends(world: &World) {
    let limits = limits(world.setting.road);
    let listener = TcpListener::bind(world.kernel(KERNEL_ECHO)).expect("a port of the kernel");
    let began = Instant::now();
    world.talk(world.kernel(KERNEL_ECHO), limits.octets);
    let stream = accept(&listener);
    read_pattern(&stream, limits.octets);
    let took = began.elapsed();
    drop(stream);
    world.await_heard(0);
    let info = world.await_closed(CloseReason::Finished);
    world.await_kernel(&[]);

    let counters = &info.counters;
    println!("segue sent for {took:?}: {counters:?}");
    assert!(took < limits.time, "it took {took:?}");
    assert!(counters.timeouts <= limits.timeouts, "{} timeouts where RACK-TLP repairs", counters.timeouts);
    let segments = capture::segments(&world.capture_now());
    has_timestamps(&segments);
    reports(world.setting.road, &segments, false);
    sends_in_vain(world.setting.road, &segments, &info, &limits);
    if world.setting.road == Road::Marking {
        has_ecn(&segments, true, counters.tail_probes);
        let marked = segments.iter().filter(|s| s.by_segue && s.ecn == CE).count() as u64;
        assert!((1..=marked).contains(&counters.ecn_reductions), "{marked} marks: {counters:?}");
    }
}

/// What segue sent for nothing.
fn sends_in_vain(road: Road, segments: &[Captured], info: &Info, limits: &Limits) {
    let counters = &info.counters;
    let again = counters.retransmissions;
    match road {
        Road::Clean | Road::Loss(0) | Road::Doubling | Road::Marking => {
            assert!(again <= counters.tail_probes, "{again} retransmissions, and nothing lost");
            assert_eq!((counters.fast_retransmits, counters.spurious_recoveries), (0, 0), "and nothing lost");
        }
        Road::Reordering => assert!(again <= limits.needless, "{again} retransmissions, and nothing lost"),
        Road::Loss(_) | Road::Rough => {
            assert!(counters.fast_retransmits > 0, "lost segments are found by acknowledgments");
            let needless = capture::needless(segments.iter().filter(|s| s.by_segue));
            let bound = limits.needless + counters.tail_probes;
            let undone = counters.spurious_recoveries;
            assert!(
                undone <= needless,
                "{undone} reductions undone, though only {needless} retransmissions were needless"
            );
            assert!(needless <= bound, "{needless} of {again} retransmissions were of what had arrived");
        }
    }
}

/// The kernel sends, segue receives.
pub(crate) fn kernel_sends(world: &World) {
    let limits = limits(world.setting.road);
    world.serve(|tell| Box::new(Sink { heard: 0, wrong_at: None, closed: false, tell }));
    let began = Instant::now();
    let stream = connect(world, ECHO);
    if let Some(congestion) = world.setting.congestion {
        let told = sockets::told_by_ss().expect("`ip` is here, so is `ss`");
        assert!(told.iter().any(|word| word == congestion), "the kernel's socket uses {congestion}: {told:?}");
    }
    let writer = write_pattern(&stream, limits.octets);
    read_pattern(&stream, 0);
    let took = began.elapsed();
    writer.join().expect("the writer");
    drop(stream);
    world.await_heard(limits.octets);
    let info = world.await_closed(CloseReason::Finished);
    world.await_kernel(&[KernelState::TimeWait]);

    let counters = sockets::counters();
    println!("the kernel sent for {took:?}: {:?}", told_of(&counters));
    assert!(took < limits.time, "it took {took:?}");
    let timeouts = counters["TCPTimeouts"];
    assert!(timeouts <= limits.timeouts, "{timeouts} timeouts of the kernel: segue's reports came too late, or not");
    let segments = capture::segments(&world.capture_now());
    has_timestamps(&segments);
    reports(world.setting.road, &segments, true);
    acknowledges(world.setting.road, &segments);
    match world.setting.road {
        Road::Clean | Road::Loss(0) => {}
        Road::Marking => {
            has_ecn(&segments, false, 0);
            assert!(info.counters.ecn_marks > 0 && counters["TCPDeliveredCE"] > 0, "both ends count the marks");
        }
        Road::Doubling => assert!(counters["TCPDSACKRecv"] > 0, "the kernel takes segue's word for duplicates"),
        Road::Reordering => assert!(counters["RetransSegs"] <= limits.needless, "the kernel does not take it for loss"),
        Road::Loss(_) | Road::Rough => assert!(counters["TCPFastRetrans"] > 0, "segue's reports tell of the loss"),
    }
}

/// Of the kernel's counters, those that are not zero.
fn told_of(counters: &BTreeMap<String, u64>) -> Vec<(&String, &u64)> {
    counters.iter().filter(|(_, count)| **count > 0).collect()
}

/// RFC 7323 §3.2: on every segment, resets perhaps excepted.
fn has_timestamps(segments: &[Captured]) {
    let without = segments.iter().position(|segment| !segment.has_timestamps() && !segment.header.rst);
    assert_eq!(without, None, "a segment without timestamps");
}

/// The receiver reports gaps and duplicates, and only where there are any.
fn reports(road: Road, segments: &[Captured], by_segue: bool) {
    let of_receiver = || segments.iter().filter(|segment| segment.by_segue == by_segue);
    let sack = of_receiver().any(Captured::has_sack_blocks);
    let dsack = of_receiver().any(Captured::has_dsack);
    match road {
        Road::Clean | Road::Loss(0) | Road::Marking => assert_eq!(sack, dsack, "no gaps, but perhaps a probe in vain"),
        Road::Doubling => assert!(dsack, "what came twice is reported"),
        Road::Loss(_) | Road::Reordering | Road::Rough => assert!(sack, "gaps are reported"),
    }
}

/// CE of RFC 3168 §5, and ECT(0).
const CE: u8 = 3;
const ECT_0: u8 = 2;

/// Who sends opens, too: a handshake that agrees on ECN, text that can be marked and nothing else, marks, their echo and
/// the answer to it (RFC 3168 §6.1).
fn has_ecn(segments: &[Captured], segue_sends: bool, tail_probes: u64) {
    let of = |by_segue: bool| segments.iter().filter(move |segment| segment.by_segue == by_segue);
    let (sent, answers) = (|| of(segue_sends), || of(!segue_sends));
    let setup = |syn: Option<&Captured>| syn.map(|syn| (syn.header.ece, syn.header.cwr));
    assert_eq!(setup(sent().find(|s| s.header.syn)), Some((true, true)), "ECN-setup SYN");
    assert_eq!(setup(answers().find(|s| s.header.syn)), Some((true, false)), "ECN-setup SYN,ACK");
    assert!(segments.iter().all(|s| s.text > 0 || s.ecn == 0), "what carries no text is not marked");
    let not_capable = sent().filter(|s| s.text > 0 && ![ECT_0, CE].contains(&s.ecn)).count() as u64;
    assert!(not_capable <= tail_probes, "{not_capable} segments cannot be marked, and {tail_probes} probes were sent");
    assert!(answers().any(|s| !s.header.syn && s.header.ece), "marks are echoed");
    assert!(sent().any(|s| !s.header.syn && s.header.cwr && s.text > 0), "the echo is answered");
    assert!(!answers().any(|s| !s.header.syn && s.header.cwr), "the receiver has nothing to answer");
    if segue_sends {
        assert!(sent().any(|s| s.ecn == CE), "the link marks"); // what the kernel sends is captured before
    }
}

/// How segue acknowledges, and what it promises.
fn acknowledges(road: Road, segments: &[Captured]) {
    let text: Vec<_> = segments.iter().filter(|s| !s.by_segue && s.text > 0).collect();
    let acks: Vec<_> = segments.iter().filter(|s| s.by_segue && !s.header.syn && !s.header.rst).collect();
    let window = |s: &Captured| u32::from(s.header.window_size) << scale_of(segments);
    assert!(acks.iter().map(|ack| window(ack)).max() > Some(INITIAL_BUFFER), "a fast sender is promised more");
    if road != Road::Reordering {
        let edges = acks.iter().map(|ack| ack.header.acknowledgment_number.wrapping_add(window(ack)));
        let unit = 1 << scale_of(segments);
        let shrinks = edges.clone().zip(edges.skip(1)).position(|(a, b)| (a.wrapping_sub(b) as i32) >= unit);
        assert_eq!(shrinks, None, "the window shrinks with this acknowledgment");
    }
    if matches!(road, Road::Clean | Road::Loss(0) | Road::Marking) {
        let end = |s: &Captured| s.header.sequence_number.wrapping_add(s.text as u32);
        let prompt = |s: &&Captured| acks.iter().any(|ack| ack.header.acknowledgment_number == end(s));
        assert!(text[..QUICK].iter().all(prompt), "each of the first {QUICK} segments is acknowledged");
        let full = text.iter().map(|s| s.text).max().expect("segments") as u32;
        let numbers: Vec<_> = acks.iter().map(|ack| ack.header.acknowledgment_number).collect();
        let widest = numbers.windows(2).map(|two| two[1].wrapping_sub(two[0])).max().expect("acknowledgments");
        assert!(widest <= 2 * full, "every second full-sized segment is acknowledged, not {widest} octets");
    }
}

/// Half of the default of `Config::quick_acks`.
const QUICK: usize = 16;
/// The default of `Config::receive_buffer_initial`.
const INITIAL_BUFFER: u32 = 131_072;

fn scale_of(segments: &[Captured]) -> u8 {
    let syn = segments.iter().find(|segment| segment.by_segue && segment.header.syn).expect("segue's SYN");
    syn.window_scale().expect("window scaling")
}

/// Reads, compares, and closes when the peer does.
struct Sink {
    heard: u64,
    wrong_at: Option<u64>,
    closed: bool,
    tell: Tell,
}

impl App for Sink {
    fn wake(&mut self, socket: &mut Socket<'_>) {
        while let Some(text) = socket.read() {
            let next = self.heard + text.len() as u64;
            if !text.iter().copied().eq(pattern(self.heard..next)) {
                self.wrong_at.get_or_insert(self.heard);
            }
            self.heard = next;
        }
        if socket.at_end() && !self.closed {
            self.closed = socket.close().is_ok();
            (self.tell)(&socket.flow(), News::Heard { octets: self.heard, wrong_at: self.wrong_at });
        }
    }

    fn told(&mut self, flow: &Flow, news: News) {
        (self.tell)(flow, news);
    }
}
