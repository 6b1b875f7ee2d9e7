//! What an association learns of the initial sequence numbers, and when.

use segue::auth::{Association, Refusal, Rejected};
use segue::codec::{Fill, Packet, Verify};
use segue::{Flags, Segment, SeqNum};

use super::options::{Sum, there};

const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);

#[derive(Clone, PartialEq, Debug)]
struct Ends([Association<Sum>; 2]);

impl Ends {
    fn new() -> Self {
        Self([0, 1].map(|_| Association::new(Sum::new(7, 16))))
    }

    /// The octets of a segment of this end.
    fn sends(&mut self, end: usize, flags: Flags, seq: u32, ack: u32) -> Vec<u8> {
        let (addresses, ports) = Self::way(end);
        let segment = Segment { seq: SeqNum::new(seq), ack: SeqNum::new(ack), flags, ..Segment::default() };
        let packet = Packet { src_port: ports.0, dst_port: ports.1, segment };
        self.0[end].header(addresses, &packet, Fill::Now(addresses)).unwrap().as_slice().to_vec()
    }

    fn way(end: usize) -> (segue::codec::PseudoHeader, (u16, u16)) {
        if end == 0 { (there(false), (50_000, 179)) } else { (there(false).reversed(), (179, 50_000)) }
    }

    fn takes(&mut self, end: usize, octets: &[u8]) -> Result<(), Refusal> {
        let (addresses, _) = Self::way(1 - end);
        let before = self.clone();
        match self.0[end].decode(addresses, octets.to_vec().into(), Verify::Now(addresses)) {
            Ok(_) => Ok(()),
            Err(Rejected::Refused(refusal)) => {
                let judged = before.0[end].authenticator().judged;
                assert!(self.0[end].authenticator().judged - judged <= 1);
                self.0[end].authenticator_mut().judged = judged;
                assert_eq!(*self, before, "a segment that is refused changes nothing");
                Err(refusal)
            }
            Err(Rejected::Malformed(error)) => panic!("{error}"),
        }
    }

    fn isns(&self, end: usize) -> (Option<u32>, Option<u32>) {
        let isn = |extension: Option<&segue::auth::Extension>| extension.map(|extension| extension.isn().value());
        (isn(self.0[end].ours()), isn(self.0[end].theirs()))
    }
}

#[test]
fn a_handshake_tells_both_numbers() {
    let mut ends = Ends::new();
    let syn = ends.sends(0, Flags::SYN, 10, 0);
    assert_eq!(ends.isns(0), (Some(10), None));
    assert_eq!(ends.takes(1, &syn), Ok(()));
    assert_eq!(ends.isns(1), (None, None), "a SYN may be one of many that cookies answer");
    let syn_ack = ends.sends(1, SYN_ACK, 20, 11);
    assert_eq!(ends.isns(1), (Some(20), Some(10)));
    assert_eq!(ends.takes(0, &syn_ack), Ok(()));
    assert_eq!(ends.isns(0), (Some(10), Some(20)));
    let ack = ends.sends(0, Flags::ACK, 11, 21);
    assert_eq!(ends.takes(1, &ack), Ok(()));
    assert_eq!([ends.isns(0), ends.isns(1)], [(Some(10), Some(20)), (Some(20), Some(10))]);
}

/// RFC 5925 §7.5: the SYN has a key of its own, whatever is known of a connection: another SYN changes nothing.
#[test]
fn rfc_5925_7_5_a_syn_is_judged_by_its_own_number() {
    let mut ends = Ends::new();
    let syn = ends.sends(0, Flags::SYN, 10, 0);
    ends.takes(1, &syn).unwrap();
    let syn_ack = ends.sends(1, SYN_ACK, 20, 11);
    ends.takes(0, &syn_ack).unwrap();
    let ack = ends.sends(0, Flags::ACK, 11, 21);
    ends.takes(1, &ack).unwrap();
    let mut restarted = Ends::new();
    let syn = restarted.sends(0, Flags::SYN, 777, 0);
    let known = ends.isns(1);
    assert_eq!(ends.takes(1, &syn), Ok(()));
    assert_eq!(ends.isns(1), known);
    let ack = ends.sends(0, Flags::ACK, 12, 21);
    assert_eq!(ends.takes(1, &ack), Ok(()), "the connection goes on");
    // Its acknowledgment, by the keys of the connection, means nothing to the peer that has restarted.
    let challenge = ends.sends(1, Flags::ACK, 21, 12);
    assert_eq!(restarted.takes(0, &challenge), Err(Refusal::UnknownConnection));
    // When the connection is over, a SYN,ACK begins another.
    let syn_ack = ends.sends(1, SYN_ACK, 30, 778);
    assert_eq!(ends.isns(1), (Some(30), Some(777)));
    assert_eq!(restarted.takes(0, &syn_ack), Ok(()));
}

/// A SYN,ACK of another number of ours, or with an old number of the peer, has other keys.
#[test]
fn syn_acks_of_other_connections_are_refused() {
    let mut ends = Ends::new();
    let _ = ends.sends(0, Flags::SYN, 10, 0);
    let mut other = Ends::new();
    let old = other.sends(1, SYN_ACK, 20, 91); // it answers a SYN with the number 90
    assert_eq!(ends.takes(0, &old), Err(Refusal::Signature));
    let good = other.sends(1, SYN_ACK, 20, 11);
    assert_eq!(ends.takes(0, &good), Ok(()));
    let second = other.sends(1, SYN_ACK, 40, 11);
    assert_eq!(ends.takes(0, &second), Err(Refusal::Signature), "with another number than the one that is known");
}

/// Cookies: of several SYN,ACKs that left, any may come back; what acknowledges none is refused. Then both are fixed.
#[test]
fn any_syn_cookie_may_come_back_until_one_has() {
    for forgets in [false, true] {
        let mut ends = Ends::new();
        let syn = ends.sends(0, Flags::SYN, 10, 0);
        ends.takes(1, &syn).unwrap();
        let first = ends.sends(1, SYN_ACK, 20, 11);
        let _second = ends.sends(1, SYN_ACK, 60, 11);
        if forgets {
            ends.0[1] = Association::new(Sum::new(7, 16));
        }
        ends.takes(0, &first).unwrap();
        let mut wrong = ends.sends(0, Flags::ACK, 11, 21);
        wrong[30] ^= 1;
        wrong[16..18].fill(0);
        let sum = segue::codec::checksum(there(false), &wrong).unwrap();
        wrong[16..18].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(ends.takes(1, &wrong), Err(Refusal::Signature));
        let ack = ends.sends(0, Flags::ACK, 11, 21);
        assert_eq!(ends.takes(1, &ack), Ok(()));
        assert_eq!(ends.isns(1), (Some(20), Some(10)));
        let later = ends.sends(0, Flags::ACK, 11, 61); // as if it were of the other
        assert_eq!(ends.takes(1, &later), Ok(()), "the acknowledgment is no matter of the keys any more");
        assert_eq!(ends.isns(1), (Some(20), Some(10)));
    }
}

/// RFC 5925 §7.7: a reset where a number is unknown leaves without signature; where both are known, it has one.
#[test]
fn rfc_5925_7_7_resets_without_state_have_no_signature() {
    let mut ends = Ends::new();
    let unsigned = ends.sends(1, Flags::RST, 5, 0);
    assert_eq!(unsigned.len(), 20);
    assert_eq!(ends.takes(0, &unsigned), Err(Refusal::Missing));
    let _ = ends.sends(0, Flags::SYN, 10, 0);
    assert_eq!(ends.sends(0, Flags::RST, 5, 0).len(), 20);
    let syn_ack = ends.sends(1, SYN_ACK, 20, 11);
    ends.takes(0, &syn_ack).unwrap();
    let signed = ends.sends(0, Flags::RST, 11, 0);
    assert_eq!(signed.len(), 36);
    assert_eq!(ends.takes(1, &signed), Ok(()));
}

/// SYNs that cross: each end learns the other's number by the SYN,ACK that it sends.
#[test]
fn rfc_5925_3_2_crossing_syns() {
    let mut ends = Ends::new();
    let syns = [ends.sends(0, Flags::SYN, 10, 0), ends.sends(1, Flags::SYN, 20, 0)];
    assert_eq!([ends.takes(1, &syns[0]), ends.takes(0, &syns[1])], [Ok(()), Ok(())]);
    let syn_acks = [ends.sends(0, SYN_ACK, 10, 21), ends.sends(1, SYN_ACK, 20, 11)];
    assert_eq!([ends.takes(1, &syn_acks[0]), ends.takes(0, &syn_acks[1])], [Ok(()), Ok(())]);
    let ack = ends.sends(0, Flags::ACK, 11, 21);
    assert_eq!(ends.takes(1, &ack), Ok(()));
}
