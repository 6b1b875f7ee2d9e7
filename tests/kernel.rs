//! segue against the kernel's TCP, over a TUN device in a network namespace of its own; the host is the one of
//! `examples/tun.rs`. Needs root, /dev/net/tun, `unshare`, `ss` and `tshark`; what is missing is said, and skipped unless
//! `SEGUE_REQUIRE_KERNEL=1`.
#![cfg(target_os = "linux")]

#[path = "../examples/tun/host.rs"]
mod host;

mod kernel {
    pub(crate) mod capture;
    pub(crate) mod namespace;
    mod packets;
    pub(crate) mod scenarios;
    pub(crate) mod sockets;
    pub(crate) mod trials;
    pub(crate) mod world;
}

use kernel::world::{Setting, World};
use kernel::{capture, namespace, scenarios, sockets, trials};

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

/// A peer that does not read holds back its acknowledgments, too; then a tail-loss probe asks (RFC 8985 §7), and a D-SACK
/// tells that it was not needed.
const PROBES: Leaves = Leaves {
    remarks: &[
        "This frame is a (suspected) retransmission",
        "D-SACK Sequence",
        "TCP Zero Window Probe",
        "ACK to a TCP Zero Window Probe",
        "TCP keep-alive segment", // what tshark takes the kernel's probe for: no text, one number before the next
    ],
    counters: &["TCPDSACKOldSent"],
};
const RESET_WHILE_PROBING: Leaves = Leaves {
    remarks: &[
        "TCP Zero Window Probe",
        "ACK to a TCP Zero Window Probe",
        "Connection reset (RST)",
        "This frame is a (suspected) retransmission",
        "D-SACK Sequence",
    ],
    counters: &["EstabResets", "AttemptFails", "OutRsts", "TCPAbortOnData", "TCPAbortOnClose", "TCPDSACKOldSent"],
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
/// Counters that stay at zero when nothing is lost.
const NOT_WITHOUT_LOSS: &[&str] = &[
    "InErrs",
    "RetransSegs",
    "TCPTimeouts",
    "TCPOFOQueue",
    "TCPSACKDiscard",
    "TCPDSACKRecv",
    "TCPDSACKOldSent",
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
        let counters = sockets::counters();
        let (pcap, ignored) = world.stop();
        let quiet = if setting.lossy { &[] } else { NOT_WITHOUT_LOSS };
        for name in NEVER.iter().chain(quiet).filter(|name| !leaves.counters.contains(name)) {
            let count = counters.get(*name).unwrap_or_else(|| panic!("this kernel does not count {name}"));
            assert_eq!(*count, 0, "the kernel counted {name}; the capture is {}", pcap.display());
        }
        let bad: Vec<_> = ignored.iter().filter(|(why, _)| why.starts_with("TCP")).collect();
        assert!(bad.is_empty(), "the kernel's segments that segue could not decode: {bad:?}");
        capture::judge(&pcap, setting.lossy, leaves.remarks);
        if std::env::var_os("SEGUE_KEEP_PCAP").is_none() {
            std::fs::remove_file(&pcap).expect("the capture");
        }
    });
}

/// A test for each scenario of a module, in one setting; its name is how the process in the namespace finds it.
macro_rules! tests {
    ($name:ident, ipv6: $ipv6:literal, lossy: $lossy:literal, $module:ident { $($scenario:ident leaves $leaves:ident;)* }) => {
        mod $name {
            $(#[test]
            fn $scenario() {
                let setting = super::Setting { ipv6: $ipv6, lossy: $lossy };
                let test = concat!(stringify!($name), "::", stringify!($scenario));
                super::run(test, setting, &super::$leaves, super::$module::$scenario);
            })*
        }
    };
}

macro_rules! scenarios {
    ($($scenarios:tt)*) => {
        tests! { ipv4, ipv6: false, lossy: false, scenarios { $($scenarios)* } }
        tests! { ipv6, ipv6: true, lossy: false, scenarios { $($scenarios)* } }
        tests! { ipv4_lossy, ipv6: false, lossy: true, scenarios { $($scenarios)* } }
        tests! { ipv6_lossy, ipv6: true, lossy: true, scenarios { $($scenarios)* } }
    };
}

macro_rules! trials {
    ($($scenarios:tt)*) => {
        tests! { ipv4_trials, ipv6: false, lossy: false, trials { $($scenarios)* } }
        tests! { ipv6_trials, ipv6: true, lossy: false, trials { $($scenarios)* } }
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
