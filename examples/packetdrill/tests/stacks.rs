//! Other stacks behind the trait: segue by way of its host layer, and smoltcp's sockets.

use segue_packetdrill::check;
#[cfg(feature = "smoltcp")]
use segue_packetdrill::report::Kind;
use segue_packetdrill::segue_host::OverEndpoint;
use segue_packetdrill::setup::Setup;
#[cfg(feature = "smoltcp")]
use segue_packetdrill::smoltcp_host::Smoltcp;

use crate::common::{all, directory};

/// Scripts that do not hold by way of the host layer, and why.
const NOT_OVER_ENDPOINT: [(&str, &str); 7] = [
    ("rfc6093/3_1_pointer_semantics.pkt", "a socket sends no urgent text"),
    ("rfc6093/5_urgent_mechanism_is_supported.pkt", "a socket sends no urgent text"),
    ("rfc9293/must_30_urgent_text.pkt", "a socket sends no urgent text"),
    ("rfc9293/must_31_urgent_text_of_any_length.pkt", "a socket sends no urgent text"),
    ("rfc9293/must_32_user_is_told_of_urgent_text.pkt", "a socket tells of no urgent text"),
    ("rfc9293/must_60_nothing_is_buffered_for_ever.pkt", "every write of a socket is pushed"),
    ("rfc9293/must_66_urgent_pointer_at_a_closed_window.pkt", "a socket tells of no urgent text"),
];

/// The host layer has the same rules: all other scripts hold, and these do not.
#[test]
fn the_suite_holds_over_an_endpoint() {
    for (name, text) in all() {
        let make: segue_packetdrill::Make<'_> = &|setup| Box::new(OverEndpoint::new(setup));
        let checked = check(&text, Setup::default(), Some(&directory(&name)), make);
        let excused = NOT_OVER_ENDPOINT.iter().any(|(own, _)| *own == name);
        match checked {
            Ok(_) => assert!(!excused, "{name} holds over an endpoint: take it off the list"),
            Err(failure) => assert!(excused, "{}", failure.report(&name, &text)),
        }
    }
}

/// Scripts of the suite that hold with smoltcp, too. It is a list of what holds, no judgment of the others.
#[cfg(feature = "smoltcp")]
const HOLD: [&str; 19] = [
    "rfc5961/3_2_exact_reset.pkt",
    "rfc6298/2_1_initial_rto.pkt",
    "rfc6298/5_2_timer_stops.pkt",
    "rfc7323/3_2_no_timestamps_without_an_offer.pkt",
    "rfc7413/4_1_1_option_of_another_length.pkt",
    "rfc7413/4_1_1_option_without_syn.pkt",
    "rfc7413/4_2_cookies_are_ignored.pkt",
    "rfc9293/figure_6_handshake.pkt",
    "rfc9293/figure_8_old_duplicate_syn.pkt",
    "rfc9293/figure_10_text_for_a_half_open_connection.pkt",
    "rfc9293/figure_12_close.pkt",
    "rfc9293/figure_13_simultaneous_close.pkt",
    "rfc9293/must_12_reset_is_told.pkt",
    "rfc9293/must_19_back_off_is_exponential.pkt",
    "rfc9293/must_6_unknown_options.pkt",
    "rfc9293/must_59_one_acknowledgment_for_a_filled_hole.pkt",
    "rfc9293/must_67_mss_follows_from_the_mtu_ipv6.pkt",
    "rfc9293/shld_7_nagle.pkt",
    "rfc9293/syn_sent_wrong_ack.pkt",
];

#[cfg(feature = "smoltcp")]
#[test]
fn scripts_of_the_suite_hold_with_smoltcp() {
    let scripts = all();
    for name in HOLD {
        let (_, text) = scripts.iter().find(|(own, _)| own == name).unwrap_or_else(|| panic!("there is no {name}"));
        let checked = check(text, Setup::default(), Some(&directory(name)), &|setup| Box::new(Smoltcp::new(setup)));
        checked.unwrap_or_else(|failure| panic!("{}", failure.report(name, text)));
    }
}

/// The same script finds the difference: smoltcp does not challenge a reset in the window (RFC 5961 §3.2).
#[cfg(feature = "smoltcp")]
#[test]
fn a_rule_that_smoltcp_does_not_have_is_found() {
    let name = "rfc5961/3_2_reset_in_the_window_is_challenged.pkt";
    let (_, text) = all().into_iter().find(|(own, _)| own == name).expect("the script is there");
    let failure =
        check(&text, Setup::default(), None, &|setup| Box::new(Smoltcp::new(setup))).expect_err("a difference");
    assert_eq!(failure.kind, Kind::Nothing, "{}", failure.report(name, &text));
}

/// A variable of Linux that smoltcp does not have is told; one of segue alone does not concern it.
#[cfg(feature = "smoltcp")]
#[test]
fn variables_that_smoltcp_does_not_have() {
    let make: segue_packetdrill::Make<'_> = &|setup| Box::new(Smoltcp::new(setup));
    let linux =
        check("`sysctl -q net.ipv4.tcp_sack=0`\n0 `true`\n", Setup::default(), None, make).expect_err("it has none");
    assert!(linux.problem.contains("smoltcp has no variable net.ipv4.tcp_sack"));
    check("`sysctl -q segue.quick_acks=0`\n0 `true`\n", Setup::default(), None, make).expect("it is for segue");
}

/// smoltcp panics, or never ends, at what it is not made for; its host refuses that before.
#[cfg(feature = "smoltcp")]
#[test]
fn smoltcp_neither_panics_nor_hangs_at_a_setting() {
    let make: segue_packetdrill::Make<'_> = &|setup| Box::new(Smoltcp::new(setup));
    let run = |text: &str| check(text, Setup::default(), None, make);
    for mtu in [0, 20, 67] {
        let failure = run(&format!("--mtu={mtu}\n0 `true`\n")).expect_err("no link is so small");
        assert_eq!((failure.kind, failure.line), (Kind::Script, 1));
    }
    let open = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n";
    run(&format!("--mtu=68\n{open}+0 listen(3, 1) = 0\n+0 < S 0:0(0) win 9\n* > S. 0:0(0) ack 1 <...>\n"))
        .unwrap_or_else(|failure| panic!("{failure:#?}"));
    // An interface has no broadcast address: nothing answers there (RFC 9293 MUST-57).
    for address in ["255.255.255.255", "224.0.0.1", "0.0.0.0"] {
        run(&format!("--local_ip={address}\n{open}+0 listen(3, 1) = 0\n+0 < S 0:0(0) win 9\n+9 `true`\n"))
            .unwrap_or_else(|failure| panic!("{address}: {failure:#?}"));
    }
    for (option, value) in [
        ("SO_RCVBUF", "4294967295"),
        ("SO_SNDBUF", "4294967295"),
        ("TCP_KEEPIDLE", "0"),
        ("TCP_KEEPIDLE", "9223372036854775807"),
        ("TCP_USER_TIMEOUT", "9223372036854775807"),
    ] {
        let set = format!("{open}+0 setsockopt(3, IPPROTO_TCP, {option}, [{value}], 4) = 0\n");
        run(&format!("{set}+0 listen(3, 1) = -1 EINVAL\n"))
            .unwrap_or_else(|failure| panic!("{option} {value}: {failure:#?}"));
    }
}

/// smoltcp repeats a SYN-ACK for ever; a script of years ends nevertheless.
#[cfg(feature = "smoltcp")]
#[test]
fn a_flood_of_packets_ends_the_script() {
    let text = "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 10000 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+1000000000 close(3) = 0
";
    let failure =
        check(text, Setup::default(), None, &|setup| Box::new(Smoltcp::new(setup))).expect_err("it goes on for years");
    assert_eq!((failure.kind, failure.line), (Kind::Unexpected, 5));
    assert_eq!(failure.problem, "10000 packets left that no line expects");
}
