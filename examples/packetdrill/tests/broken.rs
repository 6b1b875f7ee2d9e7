//! A stack that breaks what no script may excuse: the runner finds it although every line holds.

use std::net::SocketAddr;
use std::time::Duration;

use segue_packetdrill::call::Errno;
use segue_packetdrill::check;
use segue_packetdrill::report::Kind;
use segue_packetdrill::segue_host::Segue;
use segue_packetdrill::setup::Setup;
use segue_packetdrill::stack::{Handle, Send, SocketOption, Stack, Status};

use crate::common::ESTABLISHED;

/// What it breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    /// The checksum of TCP, the checksum of IP.
    Checksum,
    HeaderChecksum,
    /// The octet at this place of a datagram, with its checksums computed anew.
    Payload,
    Source,
    /// What the user reads.
    Read,
    /// A timer that is always due.
    Restless,
    /// The header of a pushed segment: its traffic class, its urgent pointer, CWR.
    TrafficClass,
    UrgentPointer,
    Reduced,
    /// Every segment is pushed.
    Pushed,
}

struct Broken(Segue, Fault);

/// Changes one octet of a datagram with text, and makes the checksums right again.
fn changed(datagram: &[u8], fault: Fault) -> Vec<u8> {
    let mut octets = datagram.to_vec();
    let header = 20 + usize::from(octets[32] >> 4) * 4;
    if octets.len() == header && fault != Fault::Source {
        return octets;
    }
    let pushed = octets[33] >> 3 & 1;
    match fault {
        Fault::Checksum => octets[36] ^= 1,
        Fault::HeaderChecksum => octets[10] ^= 1,
        Fault::Payload => *octets.last_mut().expect("there is text") ^= 1,
        Fault::Source => octets[15] ^= 1,
        Fault::TrafficClass => octets[1] |= 3 * pushed,
        Fault::UrgentPointer => octets[39] |= pushed,
        Fault::Reduced => octets[33] |= 0x80 * pushed,
        Fault::Pushed => octets[33] |= 8,
        Fault::Read | Fault::Restless | Fault::None => return octets,
    }
    if !matches!(fault, Fault::Checksum | Fault::HeaderChecksum) {
        let ip = etherparse::Ipv4Header::from_slice(&octets).expect("IPv4").0;
        octets[10..12].copy_from_slice(&ip.calc_header_checksum().to_be_bytes());
        let tcp = etherparse::TcpSlice::from_slice(&octets[20..]).expect("TCP");
        let sum = tcp.calc_checksum_ipv4(ip.source, ip.destination).expect("it is short");
        octets[36..38].copy_from_slice(&sum.to_be_bytes());
    }
    octets
}

impl Stack for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }
    fn sysctl(&mut self, name: &str, value: &str) -> Result<(), String> {
        self.0.sysctl(name, value)
    }
    fn receive_datagram(&mut self, datagram: &[u8], now: Duration) {
        self.0.receive_datagram(datagram, now);
    }
    fn take_sent(&mut self) -> Vec<Vec<u8>> {
        self.0.take_sent().iter().map(|datagram| changed(datagram, self.1)).collect()
    }
    fn next_deadline(&mut self) -> Option<Duration> {
        if self.1 == Fault::Restless { Some(Duration::ZERO) } else { self.0.next_deadline() }
    }
    fn run_timers(&mut self, now: Duration) {
        self.0.run_timers(now);
    }
    fn listen(&mut self, local: SocketAddr, backlog: usize, options: &[SocketOption]) -> Result<Handle, Errno> {
        self.0.listen(local, backlog, options)
    }
    fn accept(&mut self, listener: Handle) -> Option<(Handle, SocketAddr)> {
        self.0.accept(listener)
    }
    fn connect(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        options: &[SocketOption],
        now: Duration,
    ) -> Result<Handle, Errno> {
        self.0.connect(local, remote, options, now)
    }
    fn send(&mut self, connection: Handle, text: &[u8], how: Send, now: Duration) -> Result<usize, Errno> {
        self.0.send(connection, text, how, now)
    }
    fn receive(&mut self, connection: Handle, most: usize, now: Duration) -> Vec<u8> {
        let mut text = self.0.receive(connection, most, now);
        if let (Fault::Read, Some(octet)) = (self.1, text.last_mut()) {
            *octet ^= 1;
        }
        text
    }
    fn shutdown(&mut self, connection: Handle, now: Duration) -> Result<(), Errno> {
        self.0.shutdown(connection, now)
    }
    fn close(&mut self, handle: Handle, abort: bool, now: Duration) {
        self.0.close(handle, abort, now);
    }
    fn set(&mut self, connection: Handle, option: SocketOption, now: Duration) -> Result<(), Errno> {
        self.0.set(connection, option, now)
    }
    fn status(&mut self, connection: Handle) -> Status {
        self.0.status(connection)
    }
    fn info(&mut self, connection: Handle) -> Vec<(&'static str, i64)> {
        self.0.info(connection)
    }
}

#[test]
fn what_no_script_may_excuse_is_found() {
    let lines = "\
+0 write(4, ..., 10) = 10
+0 > P. 1:11(10) ack 1
+.1 < P. 1:6(5) ack 11 win 10000
* > . 11:11(0) ack 6
+0 read(4, ..., 100) = 5
";
    let text = format!("{ESTABLISHED}{lines}");
    let run = |fault| check(&text, Setup::default(), None, &|setup| Box::new(Broken(Segue::new(setup), fault)));
    run(Fault::None).expect("without a fault it holds");
    for (fault, words) in [
        (Fault::Checksum, "the checksum of TCP is wrong (RFC 9293 MUST-2)"),
        (Fault::HeaderChecksum, "the checksum of the IPv4 header is wrong"),
        (Fault::Payload, "the payload that left is not what the user wrote"),
        (Fault::Source, "a packet left with other addresses"),
        (Fault::Read, "the stack gave its user a wrong octet"),
        (Fault::Restless, "the stack asks for the same timer for ever"),
    ] {
        let failure = run(fault).expect_err("it is broken");
        assert_eq!(failure.kind, Kind::Octets, "{fault:?}");
        let report = failure.report("a.pkt", &text);
        assert!(report.contains(words), "{fault:?}: {words:?} is missing in\n{report}");
    }
}

/// One line stands for several segments only where a device that cuts a large segment would make these of it.
#[test]
fn segments_of_one_line_have_one_header() {
    let run = |lines: &str, fault| {
        let text = format!("{ESTABLISHED}+0 write(4, ..., 3000) = 3000\n{lines}");
        check(&text, Setup::default(), None, &|setup| Box::new(Broken(Segue::new(setup), fault)))
    };
    let whole = "+0 > [noecn] P. 1:3001(3000) ack 1\n";
    run(whole, Fault::None).unwrap_or_else(|failure| panic!("{failure:#?}"));
    for fault in [Fault::TrafficClass, Fault::UrgentPointer, Fault::Reduced, Fault::Pushed] {
        let failure = run(whole, fault).expect_err("the segments have different headers");
        assert_eq!((failure.kind, failure.line), (Kind::Packet, 9), "{fault:?}");
        assert!(failure.problem.ends_with("length"), "{fault:?}: {}", failure.problem);
    }
    let each = "+0 > [noecn] . 1:2001(2000) ack 1\n+0 > [ce] P. 2001:3001(1000) ack 1\n";
    run(each, Fault::TrafficClass).unwrap_or_else(|failure| panic!("{failure:#?}"));
}
