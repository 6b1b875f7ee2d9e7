//! Public values by themselves: how they read, and what they are made from.

use bytes::Bytes;
use segue::codec::{BadOption, Fill, Header, Packet, PseudoHeader};
use segue::congestion::RateSample;
use segue::{
    CloseReason, Config, ConfigError, Ecn, Error, FastOpenCookie, Flags, IcmpKind, Options, Segment, SeqNum, State,
};
use segue_kit::ms;

#[test]
fn errors_say_what_to_do() {
    for (error, words) in [
        (Error::NotConnected, "connection does not exist"),
        (Error::RemoteUnspecified, "remote socket unspecified: the value listens, wait for `Connected`"),
        (Error::Closing, "connection closing: CLOSE was already called"),
        (Error::NoRoom { room: 0 }, "insufficient resources: the send buffer is full, wait for `Writable`"),
        (
            Error::NoRoom { room: 7 },
            "insufficient resources: the send buffer has room for 7 octets, send that many first",
        ),
        (Error::NotWaiting, "the connection does not wait for new secrets"),
        (Error::InvalidSetting, "the setting does not take this value: `check_knob` says why"),
    ] {
        assert_eq!(error.to_string(), words);
    }
    let error = Config::builder().ack_every(9).build().unwrap_err();
    assert_eq!(error.to_string(), "ack_every is out of range: give 1..=2");
    let error = ConfigError::Order { lower: "min_mss", upper: "max_mss" };
    assert_eq!(error.to_string(), "min_mss must not exceed max_mss");
    let known = BadOption { kind: 8, len: Some(1), offset: 3 };
    assert_eq!(known.to_string(), "option of kind 8 with length 1 at octet 3");
    assert_eq!(BadOption { len: None, ..known }.to_string(), "option of kind 8 without a length at octet 3");
}

#[test]
fn each_reason_of_an_end_has_words_of_its_own() {
    let reasons = [
        (CloseReason::Finished, "finished: both sides closed"),
        (CloseReason::Cancelled, "cancelled before it was established"),
        (CloseReason::Refused, "connection refused"),
        (CloseReason::Reset, "connection reset by the peer"),
        (CloseReason::Aborted, "aborted"),
        (CloseReason::Unread, "reset: the user was gone and text was unread"),
        (CloseReason::ConnectTimeout, "no answer to the SYN"),
        (CloseReason::UserTimeout, "aborted due to user timeout"),
        (CloseReason::KeepAliveTimeout, "no answer to keep-alives"),
        (CloseReason::FinWait2Timeout, "the peer did not close in time"),
        (CloseReason::Unreachable(IcmpKind::PortUnreachable), "ICMP error: port unreachable"),
        (CloseReason::Unreachable(IcmpKind::ProtocolUnreachable), "ICMP error: protocol unreachable"),
        (CloseReason::NotSyn, "the segment opens no connection"),
    ];
    for (reason, words) in reasons {
        assert_eq!(reason.to_string(), words);
    }
}

/// They stand in columns, too.
#[test]
fn states_read_as_in_the_rfc() {
    let names = State::ALL.map(|state| state.to_string()).join(" ");
    assert_eq!(
        names,
        "CLOSED LISTEN SYN-SENT SYN-RECEIVED ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 CLOSE-WAIT CLOSING LAST-ACK TIME-WAIT"
    );
    assert_eq!(format!("{:>8}|{:<8}|", State::Closed, State::Listen), "  CLOSED|LISTEN  |");
}

#[test]
fn segments_read_like_tcpdumps() {
    let cookie = FastOpenCookie::new(&[0xde, 0xad, 0xbe, 0xef]).expect("four octets");
    let with = |fast_open, user_timeout| Options { fast_open, user_timeout, ..Options::default() }.to_string();
    assert_eq!(with(Some(cookie), Some(300)), "tfo deadbeef,uto 300s");
    assert_eq!(with(Some(FastOpenCookie::default()), Some(0x8000 | 547)), "tfo cookiereq,uto 547min");
    assert_eq!(format!("{cookie:?}"), "FastOpenCookie(deadbeef)");
    let large =
        Segment { flags: Flags::ACK, segment_size: 1448, payload: Bytes::from_static(b"text"), ..Segment::default() };
    assert!(large.to_string().ends_with(", length 4 in segments of 1448"), "{large}");
}

/// RFC 3168 §5: the two bits of the IP header.
#[test]
fn ecn_codepoints_are_the_bits_of_ip() {
    for (codepoint, bits) in [(Ecn::NotEct, 0), (Ecn::Ect1, 1), (Ecn::Ect0, 2), (Ecn::Ce, 3)] {
        assert_eq!(codepoint.bits(), bits);
        for above in [0, 0x04, 0xB8, 0xFC] {
            assert_eq!(Ecn::from_bits(bits | above), codepoint); // the DSCP does not matter
        }
    }
}

/// SHLD-26: protocol and port unreachable alone.
#[test]
fn two_icmp_errors_are_hard() {
    use IcmpKind::{
        PacketTooBig, ParameterProblem, PortUnreachable, ProtocolUnreachable, SourceQuench, TimeExceeded, Unreachable,
    };
    let all =
        [Unreachable, ProtocolUnreachable, PortUnreachable, TimeExceeded, ParameterProblem, PacketTooBig, SourceQuench];
    let hard: Vec<_> = all.into_iter().filter(|kind| kind.is_hard()).collect();
    assert_eq!(hard, [ProtocolUnreachable, PortUnreachable]);
}

#[test]
fn a_header_is_its_octets() {
    let segment = Segment { seq: SeqNum::new(0x0102_0304), flags: Flags::SYN, window: 9, ..Segment::default() };
    let home = std::net::Ipv4Addr::LOCALHOST;
    let fill = Fill::Now(PseudoHeader::V4 { src: home, dst: home });
    let header = Header::new(&Packet { src_port: 80, dst_port: 443, segment }, fill).expect("no options");
    let octets: &[u8] = header.as_ref();
    assert_eq!(octets[..16], [0, 80, 1, 187, 1, 2, 3, 4, 0, 0, 0, 0, 0x50, 2, 0, 9]);
    assert_eq!(octets, header.as_slice());
}

/// What a test of a controller starts from.
#[test]
fn a_rate_sample_says_what_was_delivered() {
    let sample = RateSample::new(30_000, ms(10));
    assert_eq!((sample.delivered, sample.interval), (30_000, ms(10)));
    assert_eq!((sample.prior_delivered, sample.application_limited), (0, false));
}
