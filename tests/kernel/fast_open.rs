//! TCP Fast Open (RFC 7413), with each side as the client. What happens "at once" happens between two steps of segue: it
//! received nothing, or sent nothing, meanwhile.

use std::net::{TcpListener, TcpStream};

use segue::host::{Id, ListenerId};
use segue::{FastOpenRefusal, Report, State};

use super::capture::{self, Captured};
use super::endpoint::{Scene, accepted};
use super::sockets::{counters, states, sysctl};
use super::world::until;
use super::{Leaves, NOTHING, judge, namespace};

/// `net.ipv4.tcp_fastopen`: connections may (1), listeners may (2), and all of these do without a socket option (0x400).
const BOTH: &str = "1027";
const ONLY_CLIENTS: &str = "1";

/// The ports of segue's listeners.
const WEB: u16 = 80;
const PLAIN: u16 = 81;

/// Less than a segment, and more than a window of them.
const LITTLE: u64 = 300;
const MUCH: u64 = 20_000;

/// What tshark remarks: the text on a SYN was taken.
const TAKEN: Leaves = Leaves { remarks: &["TCP SYN with TFO Cookie", "TCP SYN-ACK accepting TFO data"], counters: &[] };
/// It was not, and went again.
const NOT_TAKEN: &[&str] = &[
    "TCP SYN with TFO Cookie",
    "TCP SYN-ACK accepting TFO data", // later
    "TCP SYN-ACK ignoring TFO data",
    "This frame is a (suspected) retransmission",
    "D-SACK Sequence", // segue keeps the text of a SYN, and gets it again
];
const SEGUE_SENDS_AGAIN: Leaves = Leaves { remarks: NOT_TAKEN, counters: &[] };
const KERNEL_SENDS_AGAIN: Leaves = Leaves { remarks: NOT_TAKEN, counters: &["RetransSegs", "TCPDSACKRecv"] };
const KERNEL_TIMES_OUT: Leaves = Leaves { remarks: NOT_TAKEN, counters: &["RetransSegs", "TCPTimeouts"] };

fn run(test: &str, ipv6: bool, leaves: &Leaves, scenario: fn(&mut Scene)) {
    namespace::isolated(test, || {
        if !sysctl("ipv4.tcp_fastopen", BOTH) {
            return namespace::skip(test, "this kernel has no net.ipv4.tcp_fastopen");
        }
        let mut scene = Scene::new(test, ipv6);
        scenario(&mut scene);
        scene.until("the kernel's sockets are gone", |_| states().is_empty().then_some(()));
        scene.flush_capture();
        judge(false, leaves, scene.tail_probes, &scene.capture, &scene.ignored);
    });
}

macro_rules! tests {
    (over $version:ident $ipv6:literal: $($scenario:ident leaves $leaves:ident;)*) => {
        mod $version {
            $(#[test]
            fn $scenario() {
                let test = concat!("fast_open::", stringify!($version), "::", stringify!($scenario));
                super::run(test, $ipv6, &super::$leaves, super::$scenario);
            })*
        }
    };
    ($($scenarios:tt)*) => {
        tests! { over ipv4 false: $($scenarios)* }
        tests! { over ipv6 true: $($scenarios)* }
    };
}

tests! {
    segue_sends_text_on_its_syn leaves TAKEN;
    kernel_without_fast_open_refuses leaves NOTHING;
    kernel_changes_its_key leaves SEGUE_SENDS_AGAIN;
    first_syn_of_segue_is_lost leaves NOTHING;
    kernel_sends_text_on_its_syn leaves TAKEN;
    segue_without_fast_open_gives_no_cookie leaves NOTHING;
    segue_without_fast_open_takes_the_text_later leaves KERNEL_SENDS_AGAIN;
    segue_takes_no_more_than_its_limit_at_once leaves KERNEL_SENDS_AGAIN;
    segue_changes_its_key leaves KERNEL_SENDS_AGAIN;
    first_syn_of_the_kernel_is_lost leaves KERNEL_TIMES_OUT;
}

/// The second connection brings its text with the SYN, and the kernel's answer comes with the SYN,ACK.
fn segue_sends_text_on_its_syn(scene: &mut Scene) {
    let listener = scene.kernel_listens();
    gets_a_cookie(scene, &listener);
    assert_eq!(opens_at_once(scene, &listener, LITTLE), (LITTLE, vec![]));
    let (on_syn, reports) = opens_at_once(scene, &listener, MUCH);
    assert!((LITTLE..1460).contains(&on_syn) && reports.is_empty(), "{on_syn} octets on the SYN, {reports:?}");
    assert_counts(&[("TCPFastOpenCookieReqd", 1), ("TCPFastOpenPassive", 2), ("TCPFastOpenPassiveFail", 0)]);
    let syns = syns(scene);
    assert_eq!(texts(&syns), [0, LITTLE, on_syn]);
    assert_eq!(cookies(&syns), [Some(0), Some(8), Some(8)]);
    assert_eq!(syns[2].ip_length, 1500, "a whole segment");
}

fn kernel_without_fast_open_refuses(scene: &mut Scene) {
    assert!(sysctl("ipv4.tcp_fastopen", ONLY_CLIENTS), "it has it");
    let listener = scene.kernel_listens();
    assert_eq!(opens(scene, &listener, MUCH), [Report::FastOpenRefused(FastOpenRefusal::NoCookie)]);
    assert_eq!(opens(scene, &listener, MUCH), [], "no trial for an hour");
    assert_counts(&[("TCPFastOpenCookieReqd", 1), ("TCPFastOpenPassive", 0)]); // it counts what it refuses
    assert_eq!(cookies(&syns(scene)), [Some(0), None]);
}

/// A cookie by the key before is taken, and replaced; one by a key that the kernel has no longer is replaced alone.
fn kernel_changes_its_key(scene: &mut Scene) {
    let key = |keys: &str| assert!(sysctl("ipv4.tcp_fastopen_key", keys), "the kernel takes {keys}");
    let [first, second, third] = [1, 2, 3].map(|n| format!("{n:08x}-00000000-00000000-00000000"));
    key(&first);
    let listener = scene.kernel_listens();
    gets_a_cookie(scene, &listener);
    key(&format!("{second},{first}"));
    let (on_syn, reports) = opens_at_once(scene, &listener, LITTLE);
    assert!(on_syn == LITTLE && matches!(reports[..], [Report::FastOpenCookie { .. }]), "{reports:?}");
    key(&third);
    let reports = opens(scene, &listener, LITTLE);
    let refused = Report::FastOpenRefused(FastOpenRefusal::NotAcknowledged);
    assert!(matches!(reports[..], [Report::FastOpenCookie { .. }, report] if report == refused), "{reports:?}");
    assert_eq!(opens_at_once(scene, &listener, LITTLE), (LITTLE, vec![]));
    assert_counts(&[("TCPFastOpenPassive", 2), ("TCPFastOpenPassiveAltKey", 1), ("TCPFastOpenPassiveFail", 1)]);
}

fn first_syn_of_segue_is_lost(scene: &mut Scene) {
    let listener = scene.kernel_listens();
    gets_a_cookie(scene, &listener);
    scene.syns_to_lose = 1;
    assert_eq!(opens(scene, &listener, MUCH), [Report::FastOpenRefused(FastOpenRefusal::Timeout)]);
    assert_eq!(scene.syns_to_lose, 0);
    assert_eq!(opens(scene, &listener, MUCH), [], "no trial for an hour");
    assert_counts(&[("TCPFastOpenCookieReqd", 1), ("TCPFastOpenPassive", 0)]);
    let syns = syns(scene); // without the one that was lost
    assert_eq!((cookies(&syns), texts(&syns)), (vec![Some(0), None, None], vec![0, 0, 0]));
}

/// The text of the second connection is at segue's user before the SYN,ACK is sent, and the answer at the kernel's before
/// segue has its ACK.
fn kernel_sends_text_on_its_syn(scene: &mut Scene) {
    let listener = scene.listen(WEB, 8);
    gives_a_cookie(scene, listener);
    assert_eq!(takes_at_once(scene, listener, LITTLE), LITTLE);
    let on_syn = takes_at_once(scene, listener, MUCH);
    assert_counts(&[("TCPFastOpenActive", 2), ("TCPFastOpenActiveFail", 0)]);
    let syns = syns(scene);
    assert_eq!((cookies(&syns), texts(&syns)), (vec![Some(0), Some(8), Some(8)], vec![0, LITTLE, on_syn]));
    assert!((LITTLE..MUCH).contains(&on_syn), "{on_syn} octets on the SYN");
}

fn segue_without_fast_open_gives_no_cookie(scene: &mut Scene) {
    let listener = scene.listen(PLAIN, 0);
    for _ in 0..2 {
        assert_eq!(takes_later(scene, PLAIN, listener, MUCH), 0);
    }
    assert_counts(&[("TCPFastOpenActive", 0), ("TCPFastOpenActiveFail", 0)]);
    assert_eq!(cookies(&syns(scene)), [Some(0), None]); // the second asks by the experimental option, of kind 254
}

/// The kernel has a cookie, which it also uses where it is of no use.
fn segue_without_fast_open_takes_the_text_later(scene: &mut Scene) {
    let (listener, plain) = (scene.listen(WEB, 8), scene.listen(PLAIN, 0));
    gives_a_cookie(scene, listener);
    assert_eq!(takes_later(scene, PLAIN, plain, LITTLE), LITTLE);
    assert_counts(&[("TCPFastOpenActive", 0), ("TCPFastOpenActiveFail", 1)]);
    assert_eq!(cookies(&syns(scene)), [Some(0), Some(8)]);
}

/// A request beyond the limit has an ordinary handshake (RFC 7413 §4.2).
fn segue_takes_no_more_than_its_limit_at_once(scene: &mut Scene) {
    let listener = scene.listen(WEB, 1);
    gives_a_cookie(scene, listener);
    let [first, second] = [(); 2].map(|()| scene.kernel_opens(WEB, LITTLE).0);
    let id = accepts_at_once(scene, listener);
    until("the second SYN is there", || {
        scene.receive();
        (scene.endpoint.len().0 == 2).then_some(())
    });
    assert_eq!(scene.endpoint.accept(listener), None);
    let later = scene.until("its handshake is complete", |scene| scene.endpoint.accept(listener));
    for (id, stream) in [(id, first), (later, second)] {
        scene.segue_reads(id, LITTLE);
        scene.end(id, &stream);
    }
    assert_counts(&[("TCPFastOpenActive", 1), ("TCPFastOpenActiveFail", 1)]);
}

/// A cookie from before a restart is not taken, and replaced.
fn segue_changes_its_key(scene: &mut Scene) {
    let listener = scene.listen(WEB, 8);
    gives_a_cookie(scene, listener);
    scene.restart();
    let listener = scene.listen(WEB, 8);
    assert_eq!(takes_later(scene, WEB, listener, LITTLE), LITTLE);
    assert_eq!(takes_at_once(scene, listener, LITTLE), LITTLE);
    assert_counts(&[("TCPFastOpenActive", 1), ("TCPFastOpenActiveFail", 1)]);
}

fn first_syn_of_the_kernel_is_lost(scene: &mut Scene) {
    let listener = scene.listen(WEB, 8);
    gives_a_cookie(scene, listener);
    scene.syns_to_lose = 1;
    assert!(takes_later(scene, WEB, listener, MUCH) >= LITTLE);
    assert_eq!(scene.syns_to_lose, 0);
    assert_counts(&[("TCPFastOpenActive", 0), ("TCPFastOpenActiveFail", 1)]);
    let syns = syns(scene);
    assert_eq!((cookies(&syns), &texts(&syns)[2..]), (vec![Some(0), Some(8), None], &[0][..]));
}

/// Segue's first connection to the kernel: an ordinary one, which brings a cookie.
fn gets_a_cookie(scene: &mut Scene, listener: &TcpListener) {
    let reports = opens(scene, listener, LITTLE);
    assert!(matches!(reports[..], [Report::FastOpenCookie { .. }]), "{reports:?}");
}

/// Segue opens with this text, which the kernel does not have at once; the answer is long. What segue reported.
fn opens(scene: &mut Scene, listener: &TcpListener, octets: u64) -> Vec<Report> {
    let id = scene.segue_opens(listener, octets);
    let stream = scene.kernel_accepts(listener);
    scene.kernel_reads(&stream, octets);
    scene.kernel_writes(&stream, 0..MUCH);
    scene.segue_reads(id, MUCH);
    scene.end(id, &stream)
}

/// Segue opens with this text. How much of it the kernel has at once, and what segue reported; the answer comes at once.
fn opens_at_once(scene: &mut Scene, listener: &TcpListener, octets: u64) -> (u64, Vec<Report>) {
    let id = scene.segue_opens(listener, octets);
    let stream = until("the kernel has a connection at once", || accepted(listener));
    let on_syn = until("the kernel has text at once", || waiting(&stream));
    scene.kernel_writes(&stream, 0..LITTLE);
    assert_eq!(scene.state(id), State::SynSent);
    until("segue has the answer before it sends its ACK", || {
        scene.receive();
        (scene.readable(id) == LITTLE).then_some(())
    });
    scene.kernel_reads(&stream, octets);
    scene.kernel_writes(&stream, LITTLE..MUCH);
    scene.segue_reads(id, MUCH);
    (on_syn, scene.end(id, &stream))
}

/// The kernel's first connection to segue: an ordinary one, which brings a cookie.
fn gives_a_cookie(scene: &mut Scene, listener: ListenerId) {
    assert_eq!(takes_later(scene, WEB, listener, LITTLE), 0, "the kernel knows no cookie");
}

/// The kernel opens with this text, which segue does not take at once; the answer is long. How much was on the SYN.
fn takes_later(scene: &mut Scene, port: u16, listener: ListenerId, octets: u64) -> u64 {
    let (stream, on_syn) = scene.kernel_opens(port, octets);
    let id = scene.until("segue has a connection", |scene| scene.endpoint.accept(listener));
    assert_eq!(scene.state(id), State::Established);
    scene.kernel_writes(&stream, on_syn..octets);
    scene.segue_reads(id, octets);
    scene.segue_writes(id, MUCH);
    scene.kernel_reads(&stream, MUCH);
    assert_eq!(scene.end(id, &stream), []);
    on_syn
}

/// The kernel opens with this text. How much of it segue has at once; the answer is there at once.
fn takes_at_once(scene: &mut Scene, listener: ListenerId, octets: u64) -> u64 {
    let (stream, on_syn) = scene.kernel_opens(WEB, octets);
    let id = accepts_at_once(scene, listener);
    assert_eq!((scene.readable(id), scene.state(id)), (on_syn, State::SynReceived));
    scene.segue_writes(id, MUCH);
    scene.flush();
    until("the kernel has the answer at once", || waiting(&stream).filter(|octets| *octets > LITTLE));
    assert_eq!(scene.state(id), State::SynReceived);
    scene.kernel_writes(&stream, on_syn..octets);
    scene.segue_reads(id, octets);
    scene.kernel_reads(&stream, MUCH);
    assert_eq!(scene.end(id, &stream), [Report::FastOpenConfirmed]);
    on_syn
}

/// The connection that segue has before it answers anything.
fn accepts_at_once(scene: &mut Scene, listener: ListenerId) -> Id {
    until("segue has a connection at once", || {
        scene.receive();
        scene.endpoint.accept(listener)
    })
}

/// Octets that wait for the kernel's user, up to 4096; none: nothing yet.
fn waiting(stream: &TcpStream) -> Option<u64> {
    stream.peek(&mut [0; 4096]).ok().map(|octets| octets as u64)
}

fn assert_counts(expected: &[(&str, u64)]) {
    let counters = counters();
    for (name, expected) in expected {
        assert_eq!(counters.get(*name), Some(expected), "what the kernel counts of {name}");
    }
}

/// The SYNs of the client that reached the kernel, or that it sent.
fn syns(scene: &mut Scene) -> Vec<Captured> {
    scene.flush_capture();
    let segments = capture::segments(&scene.capture).into_iter();
    segments.filter(|segment| segment.header.syn && !segment.header.ack).collect()
}

fn texts(syns: &[Captured]) -> Vec<u64> {
    syns.iter().map(|syn| syn.text as u64).collect()
}

/// Octets of the cookie in each SYN; 0: a request, `None`: no option of kind 34.
fn cookies(syns: &[Captured]) -> Vec<Option<usize>> {
    syns.iter().map(|syn| cookie(syn.header.options.as_slice())).collect()
}

fn cookie(mut options: &[u8]) -> Option<usize> {
    loop {
        options = match options {
            [] | [0, ..] => return None,
            [1, rest @ ..] => rest,
            [34, length, ..] => return Some(usize::from(*length) - 2),
            [_, length, ..] => &options[usize::from(*length)..],
            [_] => panic!("an option without a length"),
        }
    }
}
