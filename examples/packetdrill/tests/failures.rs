//! What each kind of failure says, and that each is found.

use segue_packetdrill::check;
use segue_packetdrill::report::{Failure, Kind};
use segue_packetdrill::segue_host::Segue;
use segue_packetdrill::setup::Setup;

use crate::common::{ESTABLISHED, run};

/// The failure of an established connection with these lines.
fn failure(lines: &str) -> Failure {
    run(&format!("{ESTABLISHED}{lines}")).expect_err("this script does not hold")
}

/// The line behind those of `ESTABLISHED`.
const FIRST: usize = 8;

#[test]
fn another_packet_shows_both_and_the_ladder() {
    let text = format!("{ESTABLISHED}+0 write(4, ..., 10) = 10\n+0 > P. 1:12(11) ack 2\n");
    let failure = run(&text).expect_err("another length");
    assert_eq!((failure.kind, failure.line), (Kind::Packet, FIRST + 1));
    let report = failure.report("dir/name.pkt", &text);
    for part in [
        "dir/name.pkt:9: the packet has another length, acknowledgment\n",
        "  line      +0 > P. 1:12(11) ack 2\n",
        "  expected  0.100000  > P. 1:12(11) ack 2\n",
        "  seen      0.100000  > P. 1:11(10) ack 1 win 65535\n",
        "<---- S 0:0(0) win 10000 <mss 1000>",
        "----> S. 0:0(0) ack 1 win 65535 <mss 1460>",
        "0.100000  write(4, ..., 10) = 10",
        "  what to do: ",
    ] {
        assert!(report.contains(part), "{part:?} is missing in\n{report}");
    }
}

#[test]
fn every_field_of_a_packet_counts() {
    for (line, field) in [
        ("+0 > P. 2:12(10) ack 1", "sequence number"),
        ("+0 > . 1:11(10) ack 1", "flags"),
        ("+0 > P. 1:11(10) ack 3", "acknowledgment"),
        ("+0 > P. 1:11(10) ack 1 win 7", "window"),
        ("+0 > P. 1:11(10) ack 1 urg 3", "urgent pointer"),
        ("+0 > P. 1:11(10) ack 1 <nop,nop,sackOK>", "options"),
        ("+0 > [ect0] P. 1:11(10) ack 1", "traffic class"),
    ] {
        let failure = failure(&format!("+0 write(4, ..., 10) = 10\n{line}\n"));
        assert_eq!((failure.kind, failure.problem), (Kind::Packet, format!("the packet has another {field}")));
    }
}

#[test]
fn a_packet_at_another_time() {
    let late = failure("+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+.29 > P. 1:11(10) ack 1\n");
    assert_eq!(late.kind, Kind::Nothing);
    assert_eq!(late.seen, "nothing until 0.394000; then, at 0.400000, > P. 1:11(10) ack 1 win 65535");
    let early = failure("+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+.31 > P. 1:11(10) ack 1\n");
    assert_eq!((early.kind, early.problem.as_str()), (Kind::Timing, "the packet left 0.010000 s too early"));
    let range = failure("+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+.31~+.4 > P. 1:11(10) ack 1\n");
    assert_eq!(range.kind, Kind::Timing);
}

#[test]
fn no_packet_at_all() {
    let failure = failure("+0 > P. 1:11(10) ack 1\n");
    assert_eq!((failure.kind, failure.line), (Kind::Nothing, FIRST));
    assert_eq!(failure.seen, "nothing, and no timer runs that would send anything");
}

#[test]
fn a_packet_that_no_line_expects() {
    let at_the_end = failure("+0 write(4, ..., 10) = 10\n");
    assert_eq!((at_the_end.kind, at_the_end.line), (Kind::Unexpected, FIRST));
    let before = failure("+0 write(4, ..., 10) = 10\n+.1 read(4, ..., 10) = 10\n");
    assert_eq!((before.kind, before.line), (Kind::Unexpected, FIRST + 1));
    assert!(before.seen.contains("> P. 1:11(10) ack 1"));
}

#[test]
fn another_result_of_a_call() {
    let number = failure("+0 write(4, ..., 10) = 11\n");
    assert_eq!((number.kind, number.seen.as_str()), (Kind::Result, "10"));
    let errno = failure("+0 < R. 1:1(0) ack 1\n+0 read(4, ..., 10) = -1 ETIMEDOUT (Connection timed out)\n");
    assert_eq!((errno.kind, errno.seen.as_str()), (Kind::Result, "-1 ECONNRESET"));
    let out = failure("+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1\n");
    assert_eq!((out.kind, out.seen.as_str()), (Kind::Result, "1 with [4] in argument 1"));
    let how = failure("+0 shutdown(4, 77) = 0\n");
    assert_eq!((how.kind, how.seen.as_str()), (Kind::Result, "-1 EINVAL"));
    assert_eq!(failure("+0 shutdown(3, -1) = 0\n").seen, "-1 EINVAL"); // it is no stream
    let closed = failure("+0 read(9, ..., 10) = 10\n");
    assert_eq!(closed.seen, "-1 EBADF");
}

#[test]
fn calls_that_wait() {
    let waits = failure("+0 read(4, ..., 10) = 10\n");
    assert_eq!((waits.kind, waits.problem.as_str()), (Kind::Blocking, "the call waits"));
    let late = failure("+0...0.100 read(4, ..., 10) = 10\n+.2 < P. 1:11(10) ack 1\n* > . 1:1(0) ack 11\n");
    assert_eq!((late.kind, late.line), (Kind::Blocking, FIRST));
    let early = failure("+0...0.100 read(4, ..., 10) = 10\n+.05 < P. 1:11(10) ack 1\n* > . 1:1(0) ack 11\n");
    assert_eq!((early.kind, early.problem.as_str()), (Kind::Blocking, "read returned at another time"));
    let never = failure("+0...0.100 read(4, ..., 10) = 10\n");
    assert_eq!((never.kind, never.line), (Kind::Blocking, FIRST));
    let two = failure("+0...0.100 read(4, ..., 10) = 10\n+0 write(4, ..., 10) = 10\n");
    assert_eq!((two.kind, two.line), (Kind::Blocking, FIRST + 1));
}

#[test]
fn a_false_assertion_shows_its_values() {
    let failure = failure("+0 %{ assert tcpi_snd_cwnd == 4, tcpi_snd_cwnd }%\n");
    assert_eq!((failure.kind, failure.line), (Kind::Assertion, FIRST));
    assert_eq!(failure.seen, "tcpi_snd_cwnd = 10");
}

#[test]
fn mistakes_in_scripts_name_the_line_and_what_is_known() {
    for (text, line, words) in [
        ("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 recvmmsg(3) = 0\n", 2, "the call recvmmsg is not supported"),
        ("--speed=9\n--colour=blue\n0 < S 0:0(0)\n", 2, "--colour is not known; known are --ip_version"),
        ("`sysctl -q net.ipv4.tcp_magic=1`\n0 < S 0:0(0)\n", 1, "known are net.ipv4.tcp_sack"),
        ("`sysctl -q segue.magic=1`\n0 < S 0:0(0)\n", 1, "segue has no setting magic"),
        (
            "`sysctl -q segue.delayed_ack=9s`\n0 < S 0:0(0)\n",
            1,
            "segue refuses this value: delayed_ack is out of range",
        ),
        (
            "0 `true`\n0 `sysctl -q ipv4.tcp_sack=0`\n",
            2,
            "nobody knows the variable ipv4.tcp_sack: the names begin with net.ipv4. segue.",
        ),
        ("`sysctl -q net.ipv4.tcp_sack=0 sgue.delayed_ack=1s`\n0 `true`\n", 1, "the variable sgue.delayed_ack"),
        ("`sysctl -q kernel.=1`\n0 `true`\n", 1, "the variable kernel."),
        ("`sysctl -q garbage=1`\n0 `true`\n", 1, "the variable garbage"),
        ("`rm -rf x`\n0 < S 0:0(0)\n", 1, "no shell runs here"),
        ("0 < S 0:0(0)\n", 0, ""),
        ("1 < S 0:0(0)\n* > R. 0:0(0) ack 1\n0.5 < S 0:0(0)\n", 3, "time goes backward"),
        ("0 %{ assert cwnd == 1 }%\n", 1, "there is none yet"),
        ("0 < icmp unreachable\n", 1, "there is none yet"),
        (
            "0 < S 0:0(0)\n+0 > R. 0:0(0) ack 1\n0 < icmp unreachable nowhere\n",
            3,
            "ICMP has no \"nowhere\" here: name one of",
        ),
        ("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n", 2, "in use"),
        ("0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n", 1, "only TCP is under test"),
        ("--mtu=0\n0 `true`\n", 1, "--mtu=0 is less than every link carries: 68 (RFC 791)"),
        ("--speed=9\n--mtu=67\n0 `true`\n", 2, "--mtu=67 is less"),
        ("--mtu=1279\n--ip_version=ipv6\n0 `true`\n", 1, "1280 (RFC 8200 §5)"),
        ("--local_ip=::1\n0 < S 0:0(0)\n", 1, "different versions"),
    ] {
        match (run(text), line) {
            (Err(failure), 0) => assert_eq!(failure.kind, Kind::Unexpected), // it is a script; the reset is not expected
            (Err(failure), _) => {
                assert_eq!((failure.kind, failure.line), (Kind::Script, line), "{text}");
                assert!(failure.problem.contains(words), "{words:?} is missing in {:?}", failure.problem);
            }
            (Ok(_), _) => panic!("{text} holds"),
        }
    }
}

/// What no header and no memory can hold is a mistake of the script, and the runner goes on.
#[test]
fn what_is_too_large_or_too_deep_is_refused() {
    let deep = |open: &str| format!("+0 close({}\n", open.repeat(200_000));
    for (lines, words) in [
        ("+0 < . 1:65501(65500) ack 1 win 10000\n".to_string(), "65520 octets of headers and payload fit no datagram"),
        ("+0 < icmp unreachable [1:65501(65500)]\n".to_string(), "fit no datagram: 65515 do"),
        ("+0 write(4, ..., 4294967295) = 4294967295\n".to_string(), "a call takes 67108864 at most"),
        ("+0 send(4, ..., 9223372036854775807, 0) = 1\n".to_string(), "a call takes 67108864 at most"),
        (format!("+0 %{{ assert {}1 }}%\n", "(".repeat(200_000)), "nested deeper than 64"),
        ("+0 %{ assert -~9223372036854775807 == 0 }%\n".to_string(), "has no value"),
        (deep("["), "brackets are nested deeper than 64"),
        (deep("f("), "brackets are nested deeper than 64"),
        (deep("{a="), "brackets are nested deeper than 64"),
    ] {
        let failure = failure(&lines);
        assert_eq!((failure.kind, failure.line), (Kind::Script, FIRST), "{}", failure.problem);
        assert!(failure.problem.contains(words), "{words:?} is missing in {:?}", failure.problem);
    }
    let v6 = ESTABLISHED.replace("mss 1460", "mss 1440");
    let v6 = format!("--ip_version=ipv6\n{v6}+0 < . 1:65517(65516) ack 1 win 10000\n");
    let failure = run(&v6).expect_err("it fits no datagram");
    assert_eq!((failure.kind, failure.line), (Kind::Script, FIRST + 1));
}

/// A `.sh` file that calls itself ends as a mistake of the script.
#[test]
fn commands_that_call_themselves_are_refused() {
    let directory = std::env::temp_dir().join(format!("segue-packetdrill-circle-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("again.sh"), "sysctl -q net.ipv4.tcp_sack=0\n./again.sh\n").expect("a file");
    let make: segue_packetdrill::Make<'_> = &|setup| Box::new(Segue::new(setup));
    let checked = check("0 `true`\n+0 `./again.sh`\n", Setup::default(), Some(&directory), make);
    std::fs::remove_dir_all(&directory).expect("the directory is there");
    let failure = checked.expect_err("it never ends");
    assert_eq!((failure.kind, failure.line), (Kind::Script, 2));
    assert!(failure.problem.contains("again.sh is called from 16 files within each other"), "{}", failure.problem);
}

/// Scripts for Linux set what no stack has here, and scripts for several stacks name the settings of each.
#[test]
fn variables_of_others_change_nothing() {
    let others = "kernel.pid_max=4194304 net.core.rmem_max=65536 vm.swappiness=0 smoltcp.magic=1";
    run(&format!("`sysctl -q {others}`\n0 `true`\n")).unwrap_or_else(|failure| panic!("{failure:#?}"));
}
