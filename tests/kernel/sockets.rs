//! What the kernel says of its TCP in this network namespace.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// A state of the kernel's TCP (`enum` in include/net/tcp_states.h).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum KernelState {
    Established = 1,
    SynSent,
    SynReceived,
    FinWait1,
    FinWait2,
    TimeWait,
    Close,
    CloseWait,
    LastAck,
    Listen,
    Closing,
    NewSynReceived,
}

impl KernelState {
    fn parse(hex: &str) -> Self {
        use KernelState::*;
        let all = [
            Established,
            SynSent,
            SynReceived,
            FinWait1,
            FinWait2,
            TimeWait,
            Close,
            CloseWait,
            LastAck,
            Listen,
            Closing,
            NewSynReceived,
        ];
        let number = u8::from_str_radix(hex, 16).expect("a hexadecimal state");
        all.into_iter()
            .find(|state| *state as u8 == number)
            .unwrap_or_else(|| panic!("a new state of the kernel: {hex}"))
    }
}

/// The states of all TCP sockets of the kernel that do not listen, sorted.
pub(crate) fn states() -> Vec<KernelState> {
    let mut states: Vec<_> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(parse)
        .collect();
    states.retain(|state| *state != KernelState::Listen);
    states.sort_unstable();
    states
}

fn parse(table: String) -> Vec<KernelState> {
    let state = |row: &str| KernelState::parse(row.split_whitespace().nth(3).expect("the fourth column is the state"));
    table.lines().skip(1).map(state).collect()
}

/// The kernel's TCP counters (`Tcp` and `TcpExt`, over both versions of IP), by name.
pub(crate) fn counters() -> BTreeMap<String, u64> {
    let mut counters = BTreeMap::new();
    for file in ["/proc/net/snmp", "/proc/net/netstat"] {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let lines: Vec<_> =
            text.lines().filter(|line| line.starts_with("Tcp:") || line.starts_with("TcpExt:")).collect();
        for pair in lines.chunks_exact(2) {
            let values = pair[1].split_whitespace().skip(1).map(|value| value.parse().unwrap_or(0)); // MaxConn is -1
            counters.extend(pair[0].split_whitespace().skip(1).map(str::to_owned).zip(values));
        }
    }
    counters
}

/// What a socket of the kernel has negotiated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Negotiated {
    /// The peer's window scale and the kernel's.
    pub(crate) window_scale: Option<(u8, u8)>,
    pub(crate) timestamps: bool,
    pub(crate) sack: bool,
}

/// What the kernel's only established connection has negotiated (TCP_INFO, as `ss` shows it).
///
/// # Errors
/// When `ss` cannot be run.
pub(crate) fn negotiated() -> Result<Negotiated, String> {
    let words = told_by_ss()?;
    let scale = |word: &String| {
        let (peer, own) = word.strip_prefix("wscale:")?.split_once(',')?;
        Some((peer.parse().ok()?, own.parse().ok()?))
    };
    Ok(Negotiated {
        window_scale: words.iter().find_map(scale),
        timestamps: words.iter().any(|word| word == "ts"),
        sack: words.iter().any(|word| word == "sack"),
    })
}

/// What `ss` tells of the kernel's established connections.
///
/// # Errors
/// When `ss` cannot be run.
pub(crate) fn told_by_ss() -> Result<Vec<String>, String> {
    let ss = Command::new("ss")
        .args(["--tcp", "--info", "--options", "--numeric", "--no-header", "state", "established"])
        .output();
    let ss = ss.map_err(|error| format!("`ss` (package iproute2) cannot be run: {error}"))?;
    Ok(String::from_utf8_lossy(&ss.stdout).split_whitespace().map(str::to_owned).collect())
}

/// Gives the routes over the device a congestion control, which loads the module where there is one: a namespace may not
/// make each of them its default, but a route may name each. Returns what stands against it, if anything does.
///
/// # Errors
/// When `ip` cannot be run.
pub(crate) fn use_congestion_control(name: &str) -> Result<Option<String>, String> {
    let v4 = ["route", "replace", "192.0.2.0/24", "dev", "segue0", "congctl", name];
    let v6 = ["-6", "route", "replace", "2001:db8::/64", "dev", "segue0", "metric", "256", "congctl", name];
    for arguments in [&v4[..], &v6[..]] {
        let ip = Command::new("ip").args(arguments).output();
        let ip = ip.map_err(|error| format!("`ip` (package iproute2) cannot be run: {error}"))?;
        if !ip.status.success() {
            let why = String::from_utf8_lossy(&ip.stderr);
            let known = fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap_or_default();
            return Ok(Some(format!("this kernel does not take it ({}); it has: {}", why.trim(), known.trim())));
        }
    }
    Ok(None)
}

/// Sets a parameter of this namespace's network; false when this kernel does not have it.
pub(crate) fn sysctl(name: &str, value: &str) -> bool {
    fs::write(format!("/proc/sys/net/{}", name.replace('.', "/")), value).is_ok()
}
