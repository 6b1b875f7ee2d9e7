//! Signed connections with the kernel: TCP MD5 (`CONFIG_TCP_MD5SIG`) and TCP-AO (`CONFIG_TCP_AO`), with the keys of
//! `examples/tcp-ao`. A program in Python has the kernel's sockets, since their options need C structures.

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant as Wall};

use bytes::Bytes;
use segue::auth::Refusal;
use segue::host::{Flow, Id, Listen};
use segue::{Clock, CloseReason};
use segue_tcp_ao::world::{Host, User, policy};
use segue_tcp_ao::{Algorithm, Keys, MasterKeyTuple, Peers, TcpAo, TcpMd5};
use segue_tun::device;
use tun_rs::SyncDevice;

use crate::namespace::{isolated, say_skipped, skip};
use crate::sockets::counters;

const PORT: u16 = 179;
/// Octets that the kernel sends, and reads.
const SENDS: u64 = 300_000;
const READS: u64 = 200_000;
/// What `signed.py` ends with where the kernel has no such option.
const UNSUPPORTED: i32 = 3;

/// Our end: the device and the host.
struct End {
    device: SyncDevice,
    host: Host,
    clock: Clock,
}

impl End {
    fn new(kind: &str, key: &str) -> Self {
        let device = device::open("segue0", 1500, device::KERNEL_V4, device::KERNEL_V6);
        let device = device.unwrap_or_else(|error| panic!("{error}"));
        device.set_nonblocking(true).expect("a TUN device");
        let keys = match kind {
            "md5" => Some(Keys::Md5(TcpMd5::new(key))),
            "ao" => {
                let (key, algorithm) = (key.into(), Algorithm::HmacSha1);
                Some(Keys::Ao(TcpAo::new(MasterKeyTuple {
                    send_id: 61,
                    recv_id: 84,
                    algorithm,
                    covers_options: true,
                    key,
                })))
            }
            _ => None,
        };
        let kernel = [IpAddr::V4(device::KERNEL_V4), IpAddr::V6(device::KERNEL_V6)];
        let keys = keys.iter().flat_map(|keys| kernel.map(|kernel| (kernel, Some(PORT), keys.clone()))).collect();
        let config = policy(20, |config| config.connect_timeout(Some(Duration::from_secs(3))));
        let mut host = Host::new(7, config, Peers { keys, ..Peers::default() });
        host.accepted = User { octets: READS, ..User::default() };
        Self { device, host, clock: Clock::new() }
    }

    /// Packets cross until this holds.
    fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Host) -> bool) {
        let limit = Wall::now() + Duration::from_secs(20);
        let mut octets = vec![0; 65_536];
        while !holds(&mut self.host) {
            assert!(Wall::now() < limit, "it takes too long until {what}");
            let now = self.clock.now();
            match self.device.recv(&mut octets) {
                Ok(length) => drop(self.host.receive(Bytes::copy_from_slice(&octets[..length]), now)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(Duration::from_millis(1)),
                Err(error) => panic!("{error}"),
            }
            for datagram in self.host.turn(now) {
                drop(self.device.send(&datagram));
            }
        }
    }

    fn connect(&mut self, ipv6: bool) -> Id {
        let ends = [addresses(ipv6).1, addresses(ipv6).0];
        let flow = Flow::new(SocketAddr::new(ends[0], 50_000), SocketAddr::new(ends[1], PORT)).expect("valid");
        let id = self.host.endpoint.connect_from(flow, self.clock.now()).expect("free");
        self.host.users.insert(id, User { octets: READS, ..User::default() });
        id
    }
}

/// The kernel's and ours.
fn addresses(ipv6: bool) -> (IpAddr, IpAddr) {
    let kernel = if ipv6 { IpAddr::V6(device::KERNEL_V6) } else { IpAddr::V4(device::KERNEL_V4) };
    (kernel, device::HOST[usize::from(ipv6)])
}

/// The kernel's end.
fn kernel(role: &str, address: IpAddr, kind: &str, key: &str) -> Option<Child> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("signed.py");
    let mut python = Command::new("python3");
    python.arg("-B").arg(script).args([role, &address.to_string(), &PORT.to_string(), kind, key]);
    python.args([SENDS.to_string(), READS.to_string()]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()
}

fn wait_for_address(ipv6: bool) {
    let limit = Wall::now() + Duration::from_secs(10);
    while std::net::TcpListener::bind((addresses(ipv6).0, 0)).is_err() {
        assert!(Wall::now() < limit, "the kernel cannot use its address");
        sleep(Duration::from_millis(10));
    }
}

/// One connection, opened by either side; `false` where the kernel has no such option.
fn converse(test: &str, role: &str, kind: &str, ipv6: bool) {
    isolated(test, || {
        let mut end = End::new(kind, "a password");
        wait_for_address(ipv6);
        let (kernel_address, ours) = addresses(ipv6);
        let address = if role == "connect" { ours } else { kernel_address };
        end.host.listen(Listen::port(PORT));
        let Some(mut child) = kernel(role, address, kind, "a password") else {
            return skip(test, "python3 cannot be run");
        };
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        if role == "listen" {
            let mut line = String::new();
            said.read_line(&mut line).expect("its output");
            if line.is_empty() {
                return end_of(test, child);
            }
            end.connect(ipv6);
        }
        let mut status = None;
        end.until("the kernel's program ends", |_| {
            status = child.try_wait().expect("a child");
            status.is_some()
        });
        if status.and_then(|status| status.code()) != Some(0) {
            return end_of(test, child);
        }
        end.until("our connection is closed", |host| host.users.values().all(|user| user.closed.is_some()));
        for user in end.host.users.values() {
            assert_eq!((user.read, user.closed), (SENDS, Some(CloseReason::Finished)));
        }
        for refusal in [Refusal::Missing, Refusal::Signature, Refusal::UnknownKey, Refusal::OtherKind, Refusal::Length]
        {
            assert_eq!(end.host.associations.refused(refusal), 0, "{refusal}");
        }
        let counters = counters();
        for name in ["TCPMD5NotFound", "TCPMD5Unexpected", "TCPMD5Failure", "InCsumErrors"] {
            assert_eq!(counters[name], 0, "{name}");
        }
    });
}

/// The kernel's program has ended otherwise than it should.
fn end_of(test: &str, child: Child) {
    let output = child.wait_with_output().expect("a child");
    if output.status.code() == Some(UNSUPPORTED) {
        return say_skipped(test, "this kernel has no TCP-AO (CONFIG_TCP_AO, Linux 6.7 or later)");
    }
    panic!("{}", String::from_utf8_lossy(&output.stderr));
}

macro_rules! conversations {
    ($($test:ident: $role:literal $kind:literal $ipv6:literal;)*) => {
        $(#[test]
        fn $test() {
            converse(concat!("signed::", stringify!($test)), $role, $kind, $ipv6);
        })*
    };
}
conversations! {
    kernel_connects_with_md5: "connect" "md5" false;
    kernel_connects_with_md5_over_ipv6: "connect" "md5" true;
    segue_connects_with_md5: "listen" "md5" false;
    segue_connects_with_md5_over_ipv6: "listen" "md5" true;
    kernel_connects_with_ao: "connect" "ao" false;
    kernel_connects_with_ao_over_ipv6: "connect" "ao" true;
    segue_connects_with_ao: "listen" "ao" false;
    segue_connects_with_ao_over_ipv6: "listen" "ao" true;
}

/// SYNs of the kernel with another key, and without: they have no answer.
#[test]
fn kernel_with_another_key_has_no_answer() {
    isolated("signed::kernel_with_another_key_has_no_answer", || {
        let mut end = End::new("md5", "a password");
        wait_for_address(false);
        end.host.listen(Listen::port(PORT));
        for (kind, refusal) in [("md5", Refusal::Signature), ("none", Refusal::Missing)] {
            let Some(mut child) = kernel("connect", addresses(false).1, kind, "another password") else {
                return skip("signed::kernel_with_another_key_has_no_answer", "python3 cannot be run");
            };
            end.until("the kernel gives up", |_| child.try_wait().expect("a child").is_some());
            let output = child.wait_with_output().expect("a child");
            assert!(String::from_utf8_lossy(&output.stderr).contains("timed out"), "{output:?}");
            assert!(end.host.associations.refused(refusal) >= 2, "{refusal}");
        }
        assert_eq!((end.host.sent, end.host.endpoint.len(), end.host.associations.len()), (0, (0, 0), 0));
    });
}

/// Our SYNs with another key, and without: the kernel counts them and does not answer.
#[test]
fn kernel_refuses_another_key() {
    isolated("signed::kernel_refuses_another_key", || {
        for (kind, counter) in [("md5", "TCPMD5Failure"), ("none", "TCPMD5NotFound")] {
            let mut end = End::new(kind, "another password");
            wait_for_address(false);
            let Some(mut child) = kernel("listen", addresses(false).0, "md5", "a password") else {
                return skip("signed::kernel_refuses_another_key", "python3 cannot be run");
            };
            let mut line = String::new();
            BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("its output");
            let id = end.connect(false);
            end.until("we give up", |host| host.users[&id].closed.is_some());
            assert_eq!(end.host.users[&id].closed, Some(CloseReason::ConnectTimeout));
            assert!(counters()[counter] >= 1);
            child.kill().expect("a child");
            child.wait().expect("a child");
        }
    });
}
