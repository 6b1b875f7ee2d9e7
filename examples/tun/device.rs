//! The TUN device: a point-to-point network between the kernel and this process.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tun_rs::{DeviceBuilder, SyncDevice};

/// The kernel's address over IPv4 (the network of RFC 5737, which no real host is in).
pub const KERNEL_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The kernel's address over IPv6 (the network of RFC 3849).
pub const KERNEL_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
/// The addresses of the host in this process.
pub const HOST: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2))];

/// Makes a device and gives the kernel these addresses on it, in networks of /24 and /64. The device goes when the
/// process goes.
///
/// # Errors
/// When there is no TUN driver, or no permission to use it: the message says what to do.
pub fn open(name: &str, mtu: u16, v4: Ipv4Addr, v6: Ipv6Addr) -> io::Result<SyncDevice> {
    DeviceBuilder::new().name(name).ipv4(v4, 24, None).ipv6(v6, 64).mtu(mtu).build_sync().map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::NotFound => "there is no /dev/net/tun: load the module `tun`, or give the container the device",
            ErrorKind::PermissionDenied => "making a network device needs the capability CAP_NET_ADMIN: run as root",
            ErrorKind::ResourceBusy => "a device of this name is in use: choose another with --device",
            _ => "the kernel refused",
        };
        io::Error::new(error.kind(), format!("cannot open the TUN device {name}: {advice} ({error})"))
    })
}
