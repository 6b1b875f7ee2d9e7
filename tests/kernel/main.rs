//! segue against the kernel's TCP, over a TUN device in a network namespace of its own; the host is the one of
//! `examples/tun`, and for Fast Open `host::Endpoint`. Needs root, /dev/net/tun, `unshare`, `ss` and `tshark`; the tests report what they lack, and skip
//! unless `SEGUE_REQUIRE_KERNEL=1`.
#![cfg(target_os = "linux")]

mod capture;
mod endpoint;
mod fast_open;
mod namespace;
mod packets;
mod recovery;
mod scenarios;
mod signed;
mod sockets;
mod trials;
mod world;

use std::collections::BTreeMap;
use std::path::Path;

use capture::Expected;
use world::{Road, Setting, World};

/// What a scenario leaves behind that is not harmless in every scenario.
struct Leaves {
    /// Remarks of tshark.
    remarks: &'static [&'static str],
    /// Counters of the kernel.
    counters: &'static [&'static str],
}

const NOTHING: Leaves = Leaves { remarks: &[], counters: &[] };
const RESETS: Leaves = Leaves {
    remarks: &["Connection reset (RST)"],
    counters: &["EstabResets", "AttemptFails", "OutRsts", "TCPAbortOnData", "TCPAbortOnClose"],
};

/// A closed window is probed. What was sent into it, and refused, is sent again when it opens.
const PROBES: Leaves = Leaves {
    remarks: &[
        "TCP Zero Window Probe",
        "ACK to a TCP Zero Window Probe",
        "TCP keep-alive segment", // what tshark takes the kernel's probe for: no text, one number before the next
    ],
    counters: &[],
};
const RESET_WHILE_PROBING: Leaves = Leaves {
    remarks: &["TCP Zero Window Probe", "ACK to a TCP Zero Window Probe", "Connection reset (RST)"],
    counters: &["EstabResets", "AttemptFails", "OutRsts", "TCPAbortOnData", "TCPAbortOnClose"],
};
const TOO_BIG: Leaves = Leaves {
    remarks: &["This frame is a (suspected) retransmission", "This frame is a (suspected) out-of-order segment"],
    counters: &[],
};
const SAME_PORTS: Leaves = Leaves { remarks: &["A new tcp session is started with the same ports"], counters: &[] };
/// The SYN,ACKs of a simultaneous open repeat the SYNs.
const CROSSED_SYNS: Leaves = Leaves {
    remarks: &["This frame is a (suspected) retransmission", "D-SACK Sequence"],
    counters: &["TCPDSACKOldSent"],
};

/// Counters of the kernel that tell of something wrong in the packets it got, whatever was lost.
const NEVER: &[&str] = &["InCsumErrors", "TCPSACKReneging", "TCPAbortOnTimeout", "TCPAbortFailed"];
/// What the kernel got twice: when nothing is lost, no more often than segue sent tail-loss probes (RFC 8985 §7).
const OF_PROBES: &str = "TCPDSACKOldSent";
/// Counters that stay at zero when nothing is lost, but for the probes.
const NOT_WITHOUT_LOSS: &[&str] = &[
    "InErrs",
    "RetransSegs",
    "TCPTimeouts",
    "TCPOFOQueue",
    "TCPSACKDiscard",
    "TCPDSACKRecv",
    OF_PROBES,
    "PAWSEstab",
    "PAWSActive",
    "TCPChallengeACK",
    "TCPSYNChallenge",
    "AttemptFails",
    "EstabResets",
    "OutRsts",
    "TCPAbortOnData",
    "TCPAbortOnClose",
];

fn run(test: &str, setting: Setting, leaves: &Leaves, scenario: fn(&World)) {
    namespace::isolated(test, || {
        let world = World::new(test, setting);
        scenario(&world);
        let tail_probes = world.tail_probes();
        let (pcap, ignored) = world.stop();
        judge(setting.road.is_lossy(), leaves, tail_probes, &pcap, &ignored);
    });
}

/// Judges what a scenario leaves behind: the kernel's counters, the packets that segue ignored, the capture.
fn judge(lossy: bool, leaves: &Leaves, tail_probes: u64, pcap: &Path, ignored: &BTreeMap<String, u64>) {
    let counters = sockets::counters();
    let quiet = if lossy { &[] } else { NOT_WITHOUT_LOSS };
    for name in NEVER.iter().chain(quiet).filter(|name| !leaves.counters.contains(name)) {
        let count = counters.get(*name).unwrap_or_else(|| panic!("this kernel does not count {name}"));
        let limit = if *name == OF_PROBES { tail_probes } else { 0 };
        assert!(*count <= limit, "the kernel counted {count} {name}; the capture is {}", pcap.display());
    }
    let bad: Vec<_> = ignored.iter().filter(|(why, _)| why.starts_with("TCP")).collect();
    assert!(bad.is_empty(), "the kernel's segments that segue could not decode: {bad:?}");
    capture::judge(pcap, &Expected { lossy, remarks: leaves.remarks, tail_probes });
    if std::env::var_os("SEGUE_KEEP_PCAP").is_none() {
        std::fs::remove_file(pcap).expect("the capture");
    }
}

/// A test for each scenario of a module, in one setting; its name is how the process in the namespace finds it.
macro_rules! tests {
    ($name:ident, $setting:expr, $module:ident { $($scenario:ident leaves $leaves:ident;)* }) => {
        mod $name {
            use super::Road;

            $(#[test]
            fn $scenario() {
                let test = concat!(stringify!($name), "::", stringify!($scenario));
                super::run(test, $setting, &super::$leaves, super::$module::$scenario);
            })*
        }
    };
}

/// The setting of a test: the road, whether IPv6, what controls the kernel's congestion window.
const fn over(road: Road, ipv6: bool, congestion: Option<&'static str>) -> Setting {
    Setting { ipv6, road, congestion }
}

macro_rules! scenarios {
    ($($scenarios:tt)*) => {
        tests! { ipv4, super::over(Road::Clean, false, None), scenarios { $($scenarios)* } }
        tests! { ipv6, super::over(Road::Clean, true, None), scenarios { $($scenarios)* } }
        tests! { ipv4_lossy, super::over(Road::Rough, false, None), scenarios { $($scenarios)* } }
        tests! { ipv6_lossy, super::over(Road::Rough, true, None), scenarios { $($scenarios)* } }
    };
}

macro_rules! trials {
    ($($scenarios:tt)*) => {
        tests! { ipv4_trials, super::over(Road::Clean, false, None), trials { $($scenarios)* } }
        tests! { ipv6_trials, super::over(Road::Clean, true, None), trials { $($scenarios)* } }
    };
}

macro_rules! recoveries {
    ($scenario:ident { $($name:ident: $road:expr, $ipv6:literal, $congestion:expr;)* }) => {
        $(tests! { $name, super::over($road, $ipv6, $congestion), recovery { $scenario leaves NOTHING; } })*
    };
}

scenarios! {
    kernel_connects_and_is_echoed leaves NOTHING;
    segue_connects_and_is_echoed leaves NOTHING;
    options_are_negotiated leaves NOTHING;
    kernel_closes_first leaves NOTHING;
    segue_closes_first leaves NOTHING;
    both_close_at_once leaves NOTHING;
    kernel_resets leaves RESETS;
    segue_resets leaves RESETS;
    nobody_listens leaves RESETS;
}

trials! {
    both_open_at_once leaves CROSSED_SYNS;
    time_wait_is_succeeded leaves SAME_PORTS;
    kernel_stops_reading leaves PROBES;
    kernel_writes_and_does_not_read leaves PROBES;
    segue_resets_into_a_closed_window leaves RESET_WHILE_PROBING;
    segue_stops_reading leaves PROBES;
    router_knows_no_way leaves NOTHING;
    router_has_a_narrow_link leaves TOO_BIG;
}

recoveries! {
    segue_sends {
        ipv4_loss_of_0: Road::Loss(0), false, None;
        ipv4_loss_of_1: Road::Loss(1), false, None;
        ipv4_loss_of_5: Road::Loss(5), false, None;
        ipv4_reordering: Road::Reordering, false, None;
        ipv4_doubling: Road::Doubling, false, None;
        ipv4_marking: Road::Marking, false, None;
        ipv6_loss_of_0: Road::Loss(0), true, None;
        ipv6_loss_of_1: Road::Loss(1), true, None;
        ipv6_loss_of_5: Road::Loss(5), true, None;
        ipv6_reordering: Road::Reordering, true, None;
        ipv6_doubling: Road::Doubling, true, None;
        ipv6_marking: Road::Marking, true, None;
    }
}

recoveries! {
    segue_sends_by_bbr {
        own_bbr_ipv4_loss_of_0: Road::Loss(0), false, None;
        own_bbr_ipv4_loss_of_1: Road::Loss(1), false, None;
        own_bbr_ipv4_reordering: Road::Reordering, false, None;
        own_bbr_ipv6_loss_of_1: Road::Loss(1), true, None;
        own_bbr_ipv6_loss_of_5: Road::Loss(5), true, None;
        own_bbr_ipv6_doubling: Road::Doubling, true, None;
        own_bbr_ipv6_marking: Road::Marking, true, None;
    }
}

recoveries! {
    kernel_sends {
        cubic_loss_of_0: Road::Loss(0), false, Some("cubic");
        cubic_loss_of_1: Road::Loss(1), false, Some("cubic");
        cubic_loss_of_5: Road::Loss(5), false, Some("cubic");
        cubic_reordering: Road::Reordering, false, Some("cubic");
        cubic_doubling: Road::Doubling, false, Some("cubic");
        cubic_marking: Road::Marking, false, Some("cubic");
        reno_loss_of_0: Road::Loss(0), true, Some("reno");
        reno_loss_of_1: Road::Loss(1), true, Some("reno");
        reno_loss_of_5: Road::Loss(5), true, Some("reno");
        reno_reordering: Road::Reordering, true, Some("reno");
        reno_doubling: Road::Doubling, true, Some("reno");
        reno_marking: Road::Marking, true, Some("reno");
        bbr_loss_of_0: Road::Loss(0), true, Some("bbr");
        bbr_loss_of_1: Road::Loss(1), false, Some("bbr");
        bbr_loss_of_5: Road::Loss(5), true, Some("bbr");
        bbr_reordering: Road::Reordering, false, Some("bbr");
    }
}
