//! A loss that a tail-loss probe repaired shows by nothing but the missing second answer (RFC 8985 §7.4.2): a controller by rates
//! hears of it as of any other loss. Text counts in segments of 1000 octets.

use std::time::Duration;

use segue::congestion::{Acked, Algorithm, Bbr, Congestion, Controller, Delivery, Lost};
use segue::{
    Action, Arc, Config, Connection, Event, Flags, Instant, Options, Path, SackBlock, Secrets, Segment, SeqNum, Timer,
};

const ISS: SeqNum = SeqNum::new(99);

/// A fixed window, and what it heard of losses.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Log(Vec<String>);

impl Controller for Log {
    fn start(&mut self, _: u32, _: u32, _: Instant) {}
    fn on_ack(&mut self, _: &Acked) {}
    fn on_congestion(&mut self, congestion: &Congestion) {
        self.0.push(format!("{:?}", congestion.signal));
    }
    fn window(&self) -> u32 {
        10_000
    }
    fn on_lost(&mut self, lost: &Lost) {
        let &Lost { octets, tx_in_flight, lost, delivered, application_limited, .. } = lost;
        let limited = if application_limited { ", application-limited" } else { "" };
        self.0.push(format!("lost {octets} of {tx_in_flight}, {lost} since, {delivered} delivered{limited}"));
    }
    fn on_delivery(&mut self, delivery: &Delivery) {
        if delivery.lost > 0 {
            self.0.push(format!("delivery of {}, {} lost", delivery.octets, delivery.lost));
        }
    }
}

pub(super) struct Tcp<C: Controller> {
    pub(super) tcp: Connection<C>,
    pub(super) now: Instant,
}

impl<C: Controller> Tcp<C> {
    /// Established; a round trip takes 100 ms.
    pub(super) fn new(controller: C, start: Instant) -> Self {
        let config = Config::builder().timestamps(false).send_buffer(1 << 20).build().expect("a configuration");
        let secrets = Secrets { iss: ISS, ts_offset: 0 };
        let (tcp, _) = Connection::connect_with(controller, Arc::new(config), Path::ipv4(1500), secrets, start);
        let options = Options { mss: Some(1000), sack_permitted: true, ..Options::default() };
        let flags = Flags::SYN | Flags::ACK;
        let syn =
            Segment { seq: ISS, ack: ISS + 1, flags, window: 60_000, options: options.into(), ..Segment::default() };
        let mut tcp = Self { tcp, now: start };
        tcp.wait(100);
        tcp.tcp.handle_segment(syn, tcp.now);
        tcp
    }

    pub(super) fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    pub(super) fn send(&mut self, segments: usize) {
        self.tcp.handle(Event::Send(vec![0; 1000 * segments].into()), self.now, &mut Vec::new()).expect("it proceeds");
    }

    /// The peer has all before this segment; `report` is the first SACK block.
    pub(super) fn acknowledges(&mut self, segments: u32, report: Option<(u32, u32)>) {
        let place = |segment: u32| ISS + 1 + 1000 * segment;
        let (ack, flags) = (place(segments), Flags::ACK);
        let mut ack = Segment { seq: ISS + 1, ack, flags, window: 60_000, ..Segment::default() };
        if let Some((first, last)) = report {
            let block = SackBlock { left: place(first), right: place(last) };
            ack.options.update(|options| assert!(options.sack.push(block)));
        }
        self.tcp.handle_segment(ack, self.now);
    }

    /// The tail-loss probe is due. Returns the number of the segment that goes.
    fn probes(&mut self) -> u32 {
        let (timer, at) = self.tcp.next_deadline().expect("something is in flight");
        assert_eq!(timer, Timer::TailLossProbe);
        self.now = at;
        let actions = self.tcp.handle_timer(timer, at);
        let sent = |action: &Action| if let Action::Transmit(segment) = action { Some(segment.seq) } else { None };
        let seq = actions.iter().find_map(sent).expect("a probe");
        (seq - (ISS + 1)) / 1000
    }

    /// Two of three segments arrive, and the probe brings the third again; then two more are sent.
    fn probed(controller: C, start: Instant) -> Self {
        let mut tcp = Self::new(controller, start);
        tcp.send(3);
        tcp.wait(100);
        tcp.acknowledges(2, None);
        assert_eq!(tcp.probes(), 2);
        tcp
    }
}

impl Tcp<Log> {
    fn heard(&self) -> Vec<String> {
        self.tcp.controller().expect("it has one").0.clone()
    }
}

pub(super) const START: Instant = Instant::from_millis(1000);

/// With what was in flight when it was first sent; and it is told before the congestion.
#[test]
fn rfc_8985_7_4_2_what_a_probe_repaired_is_told_as_lost() {
    let mut tcp = Tcp::probed(Log::default(), START);
    tcp.wait(100);
    tcp.acknowledges(3, None);
    tcp.send(2);
    assert_eq!(tcp.heard(), [""; 0], "both copies may have arrived");
    tcp.wait(100);
    tcp.acknowledges(4, None);
    let expected = ["lost 1000 of 3000, 1000 since, 4001 delivered", "delivery of 1000, 1000 lost", "Loss"];
    assert_eq!(tcp.heard(), expected);
    tcp.acknowledges(5, None);
    assert_eq!(tcp.heard(), expected, "and it is told once");
    assert_eq!(tcp.tcp.info().counters.fast_retransmits, 0, "nothing was sent again for it");
}

/// Whether the application limited the sending is of when the segment was first sent, not of the probe.
#[test]
fn rfc_8985_7_4_2_the_first_sending_counts() {
    let mut tcp = Tcp::new(Log::default(), START);
    tcp.send(3);
    tcp.wait(10);
    tcp.send(1); // after a pause of the application
    tcp.wait(90);
    tcp.acknowledges(3, None);
    assert_eq!(tcp.probes(), 3);
    tcp.wait(100);
    tcp.acknowledges(4, None);
    tcp.send(2);
    tcp.wait(100);
    tcp.acknowledges(6, None);
    let told = "lost 1000 of 4000, 1000 since, 6001 delivered, application-limited";
    assert_eq!(tcp.heard(), [told, "delivery of 2000, 1000 lost", "Loss"]);
}

/// Case 1, a report of the duplicate; case 2, a bare duplicate; and new text as the probe.
#[test]
fn rfc_8985_7_4_2_where_both_copies_arrived_nothing_is_told() {
    for report in [Some((2, 3)), None] {
        let mut tcp = Tcp::probed(Log::default(), START);
        tcp.wait(5);
        tcp.acknowledges(3, None); // the original, late
        tcp.wait(95);
        tcp.acknowledges(3, report);
        tcp.send(2);
        tcp.wait(100);
        tcp.acknowledges(5, None);
        assert_eq!(tcp.heard(), [""; 0], "{report:?}");
    }
    let mut tcp = Tcp::new(Log::default(), START);
    tcp.send(12);
    assert_eq!(tcp.probes(), 10);
    tcp.wait(100);
    tcp.acknowledges(12, None);
    tcp.send(2);
    tcp.wait(100);
    tcp.acknowledges(14, None);
    assert_eq!(tcp.heard(), [""; 0]);
}

/// What was sent under another controller is no measure; that something was lost is congestion all the same.
#[test]
fn rfc_8985_7_4_2_a_controller_that_took_over_since_hears_of_the_congestion_alone() {
    let mut tcp = Tcp::probed(Log::default(), START);
    tcp.tcp.replace_controller(Log::default(), tcp.now, &mut Vec::new());
    tcp.wait(100);
    tcp.acknowledges(3, None);
    tcp.send(2);
    tcp.wait(100);
    tcp.acknowledges(5, None);
    assert_eq!(tcp.heard(), ["Loss"]);
}

/// With a probe out the value is the same at another time, and goes on in the same way.
#[test]
fn what_a_probe_sent_again_is_remembered_relative_to_the_time() {
    let ends = [START, Instant::from_secs(77)].map(|start| {
        let mut tcp = Tcp::probed(Log::default(), start);
        let out = tcp.tcp.canonical(tcp.now);
        tcp.wait(100);
        tcp.acknowledges(3, None);
        tcp.send(1);
        tcp.wait(100);
        tcp.acknowledges(4, None);
        (out, tcp.tcp.canonical(tcp.now), tcp.heard())
    });
    assert!(ends[0] == ends[1] && ends[0].2.len() == 3);
}

/// BBR slows down for it as for others (§5.5.10.3 of its draft: "whether in fast recovery, RTO recovery, TLP recovery").
#[test]
fn bbr_notes_the_loss_that_a_probe_repaired() {
    let mut tcp = Tcp::probed(Algorithm::Bbr(Bbr::default()), START);
    tcp.wait(100);
    tcp.acknowledges(3, None);
    tcp.send(2);
    let noted = |tcp: &Tcp<Algorithm>| {
        let Some(Algorithm::Bbr(bbr)) = tcp.tcp.controller() else { panic!("BBR it is") };
        bbr.info().is_loss_in_round
    };
    assert!(!noted(&tcp));
    tcp.wait(100);
    tcp.acknowledges(4, None);
    assert!(noted(&tcp));
}
