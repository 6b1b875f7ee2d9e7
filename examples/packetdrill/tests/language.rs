//! The language: how each construct is read, and its effect in a script.

use segue_packetdrill::call::Value;
use segue_packetdrill::parser::parse;
use segue_packetdrill::script::{Action, Flags, Packet, TcpOption, Time, Tos};

use crate::common::{ESTABLISHED, run};

fn only(text: &str) -> (Time, Action) {
    let mut script = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(script.events.len(), 1, "{text}");
    let event = script.events.remove(0);
    (event.time, event.action)
}

fn outbound(text: &str) -> Packet {
    match only(text) {
        (_, Action::Outbound(packet)) => packet,
        other => panic!("{text} is {other:?}"),
    }
}

#[test]
fn times() {
    for (text, time) in [
        ("0.100 > . 1:1(0)", Time::Absolute(100_000)),
        (".000001 > . 1:1(0)", Time::Absolute(1)),
        ("12 > . 1:1(0)", Time::Absolute(12_000_000)),
        ("+.1 > . 1:1(0)", Time::Relative(100_000)),
        ("+0 > . 1:1(0)", Time::Relative(0)),
        ("0.1~0.2 > . 1:1(0)", Time::AbsoluteRange(100_000, 200_000)),
        ("+0~+.05 > . 1:1(0)", Time::RelativeRange(0, 50_000)),
        ("* > . 1:1(0)", Time::Any),
    ] {
        assert_eq!(only(text).0, time, "{text}");
    }
}

#[test]
fn packets() {
    let all = outbound("0 > [ect0] 80 > 1234 FSRPUEWA. 7:17(10) ack 5 win 6 urg 7 <nop>");
    assert_eq!((all.tos, all.ports, all.flags), (Tos::Ecn(2), Some((80, 1234)), Flags(0x1FF)));
    assert_eq!((all.seq, all.len, all.ack, all.window, all.urgent), (7, 10, 5, Some(6), 7));
    let none = outbound("0 > - 0:0(0)");
    assert_eq!((none.flags, none.ack, none.window, none.options), (Flags(0), 0, None, Some(vec![])));
    assert_eq!(outbound("0 > [tos 0x2c] . 1:1(0)").tos, Tos::All(0x2C));
    assert_eq!(outbound("0 > (ce) . 1:1(0)").tos, Tos::Ecn(3));
    assert_eq!(outbound("0 > . 4294967295:9(10)").seq, u32::MAX); // numbers wrap
    assert_eq!(outbound("0 > . 1:1(0) ack 1 <...>").options, None);
}

#[test]
fn options_of_packets() {
    let text = "<mss 1460,nop,wscale 7,sackOK,eol,sack 1:2 3:4,TS val 5 ecr 6,uto 7,FO a1b2,ECN e0b 1 ceb 0 e1b 2,ECN e1b 3 ceb 4,ECN,raw fd03ff>";
    let packet = outbound(&format!("0 > S 0:0(0) {text}"));
    let expected = vec![
        TcpOption::Mss(1460),
        TcpOption::Nop,
        TcpOption::WindowScale(7),
        TcpOption::SackOk,
        TcpOption::Eol,
        TcpOption::Sack(vec![(1, 2), (3, 4)]),
        TcpOption::Timestamps { value: 5, echo: 6 },
        TcpOption::UserTimeout(7),
        TcpOption::FastOpen(vec![0xA1, 0xB2]),
        TcpOption::AccEcn(false, vec![1, 0, 2]),
        TcpOption::AccEcn(true, vec![3, 4]),
        TcpOption::AccEcn(false, vec![]),
        TcpOption::Raw(vec![0xFD, 3, 0xFF]),
    ];
    assert_eq!(packet.options.as_deref(), Some(&expected[..]));
    assert_eq!(packet.to_string(), format!("S 0:0(0) {text}")); // it is written as it is read
}

#[test]
fn icmp_errors() {
    let (_, Action::Icmp(icmp)) = only("0 < icmp unreachable frag_needed mtu 1200 [1:1001(1000)]") else {
        panic!("ICMP")
    };
    assert_eq!((icmp.kind.as_str(), icmp.code.as_deref()), ("unreachable", Some("frag_needed")));
    assert_eq!((icmp.mtu, icmp.quoted), (Some(1200), Some((1, 1000))));
}

#[test]
fn calls() {
    let (time, Action::Call { call, ends }) = only("+0...0.2 connect(3, ..., ...) = -1 EINPROGRESS (Operation now)")
    else {
        panic!("a call")
    };
    assert_eq!((time, ends, call.name.as_str()), (Time::Relative(0), Some(200_000), "connect"));
    assert_eq!((call.result, call.errno.as_deref()), (Value::Number(-1), Some("EINPROGRESS")));
    let text = r#"0 f(0x10, -1, [1], {onoff=1, linger=0}, A|B, "x" "y", htons(80), ...) = 0"#;
    let (_, Action::Call { call, .. }) = only(text) else { panic!("a call") };
    assert_eq!(call.arguments[0], Value::Number(16));
    assert_eq!(call.arguments[3].field("onoff"), Some(&Value::Number(1)));
    assert!(call.arguments[4].has("B") && !call.arguments[4].has("C"));
    assert_eq!(call.arguments[5], Value::Text("xy".into()));
    assert_eq!(call.arguments.len(), 8);
}

#[test]
fn comments_commands_and_options() {
    let text = "// a comment\n--ip_version=ipv4\n--tolerance_usecs=1\n/* another\n one */\n`true`\n0 `sysctl -q a=1\nsysctl b=2`\n+0 %{\nassert 1 }%\n`true`\n";
    let script = parse(text).expect("a script");
    let lines: Vec<usize> = script.events.iter().map(|event| event.line).collect();
    assert_eq!((script.options.len(), lines), (2, vec![6, 7, 9, 11]));
}

#[test]
fn mistakes_say_what_is_expected_and_where() {
    for (text, line, words) in [
        ("", 1, "the script has no event"),
        ("\n0 ! 1", 2, "< packet, > packet, a call, `command` or %{ }% is missing before \"!\""),
        ("0 > Q 1:1(0)", 1, "'Q' is no flag"),
        ("0 > . 1:5(5)", 1, "1 and 5 octets end at 6"),
        ("0 > . 1:1(0) ack x", 1, "\"x\" is no number for the acknowledgment number"),
        ("0 > . 1:1(0) win 70000", 1, "or out of its range"),
        ("0 > . 1:1(0) <sack>", 1, "the left edge of a block is missing"),
        ("0 > . 1:1(0) <md5 ab>", 1, "the option \"md5\" is not known: mss, wscale"),
        ("0 < . 1:1(0) <...>", 1, "an inbound packet has no <...>"),
        ("0 < udp (8)", 1, "udp packets are not supported"),
        ("* < . 1:1(0)", 1, "only an outbound packet can have a range or *"),
        ("0 > . 1:1(0) badsum", 1, "badsum is for packets that arrive"),
        ("0.2~0.1 > . 1:1(0)", 1, "this range ends before it begins"),
        ("0 `sysctl", 1, "this command has no end"),
        ("/* never", 1, "this comment has no end"),
        ("0 %{ assert", 1, "this block of assertions has no end"),
        ("0 close(3)", 1, "\"=\" is missing before the end of the script"),
        ("0 close(3 = 0", 1, "\",\" is missing before \"=\""),
        ("x > . 1:1(0)", 1, "a time such as 0.100, +.1 or * is missing before \"x\""),
        ("0 > . 1:1(0) <FO abc>", 1, "odd number of hexadecimal digits"),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.problem.contains(words), "{text}: {words:?} is missing in {:?}", error.problem);
    }
}

/// Nothing that anybody writes makes the parser panic.
#[test]
fn cut_and_garbled_scripts_are_refused_or_read() {
    let text = format!(
        "{ESTABLISHED}+0 < icmp unreachable frag_needed mtu 1200 [1:11(10)]\n+0~+.1 > [ect0] P. 1:11(10) ack 1 <nop,TS val 1 ecr 2>\n+0 %{{ assert 1 }}%\n"
    );
    for at in 0..text.len() {
        let _ = parse(&text[..at]);
        for with in ["\u{0}", "9", "<", "\"", "(", "é", "~", "`"] {
            let _ = parse(&format!("{}{with}{}", &text[..at], &text[at + 1..]));
        }
    }
}

#[test]
fn results_that_calls_write_are_compared() {
    let lines = "\
+0 setsockopt(4, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0
+0 fcntl(4, F_GETFL) = 0x2 (flags O_RDWR)
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 read(4, ..., 10) = -1 EAGAIN (Resource temporarily unavailable)
+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1
+0 write(4, ..., 10) = 10
+0 > P. 1:11(10) ack 1
+0 ioctl(4, SIOCOUTQ, [10]) = 0
+0 < P. 1:6(5) ack 11 win 10000
* > . 11:11(0) ack 6
+0 ioctl(4, SIOCINQ, [5]) = 0
+0 recv(4, ..., 3, 0) = 3
+0 recv(4, ..., 3, MSG_DONTWAIT) = 2
+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
+0 < R. 6:6(0) ack 11
+0 poll([{fd=4, events=POLLIN, revents=POLLIN|POLLERR|POLLHUP}], 1, 0) = 1
+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [ECONNRESET], [4]) = 0
+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
+0 close(4) = 0
+0 close(4) = -1 EBADF (Bad file descriptor)
";
    run(&format!("{ESTABLISHED}{lines}")).unwrap_or_else(|failure| panic!("{failure:#?}"));
}

#[test]
fn calls_wait_and_return_when_they_can() {
    let lines = "\
+0...0.200 read(4, ..., 10) = 5
+.2 < P. 1:6(5) ack 1 win 10000
* > . 1:1(0) ack 6
+.1...0.3 poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, -1) = 1
+.1 < P. 6:11(5) ack 1 win 10000
* > . 1:1(0) ack 11
";
    // The second call begins 0.1 s after the packet and ends 0.3 s after it.
    let lines = lines.replace("+.1 < P. 6", "+.2 < P. 6");
    run(&format!("{ESTABLISHED}{lines}")).unwrap_or_else(|failure| panic!("{failure:#?}"));
    let write = "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_SNDBUF, [3000], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 10000 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+0.1 < . 1:1(0) ack 1 win 10000
+0 accept(3, ..., ...) = 4
+0...0.1 write(4, ..., 5000) = 5000
+0 > . 1:1001(1000) ack 1
+0 > . 1001:2001(1000) ack 1
+0 > P. 2001:3001(1000) ack 1
+.1 < . 1:1(0) ack 3001 win 10000
+0 > . 3001:4001(1000) ack 1
+0 > P. 4001:5001(1000) ack 1
";
    run(write).unwrap_or_else(|failure| panic!("{failure:#?}"));
}

/// A line may name several segments at once, as scripts for Linux do, which sends them as one.
#[test]
fn segments_of_one_instant_may_stand_in_one_line() {
    let good = "+0 write(4, ..., 3500) = 3500\n+0 > . 1:2001(2000) ack 1\n+0 > P. 2001:3501(1500) ack 1\n";
    run(&format!("{ESTABLISHED}{good}")).unwrap_or_else(|failure| panic!("{failure:#?}"));
    for bad in ["1:1501(1500)", "1:4001(4000)", "1:3501(3500)"] {
        let bad = format!("{ESTABLISHED}+0 write(4, ..., 3500) = 3500\n+0 > . {bad} ack 1\n");
        let failure = run(&bad).expect_err("these are no whole segments, or their flags are others");
        assert_eq!(failure.line, 9);
    }
}
