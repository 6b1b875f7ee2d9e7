//! The TUN device: datagrams in and out, with virtio-net's header, by which the kernel cuts and merges segments and leaves
//! out checksums that nobody needs.

use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::{AsRawFd, RawFd};

use bytes::{Bytes, BytesMut};
use segue::codec::{Packet, PseudoHeader};
use segue::ip::{self, Format, Offload};
use segue_tun::device::{KERNEL_V4, KERNEL_V6};
use tun_rs::{DeviceBuilder, SyncDevice};

/// The longest datagram, with virtio-net's header.
const LONGEST: usize = 10 + 65_535;
/// Packets that the kernel keeps for us: a burst from each of a thousand clients.
const QUEUE: u32 = 10_000;

/// Octets of a short datagram: an acknowledgment, a request; and of the block that these share.
const SHORT: usize = 512;
const BLOCK: usize = 65_536;
/// Text that is longer goes to the device apart from its headers: a copy costs more than a second piece.
const LONG_TEXT: usize = 4096;

/// A TUN device.
pub struct Tun {
    device: SyncDevice,
    format: Format,
    arrived: Vec<u8>,
    /// Short datagrams that arrived, many in one allocation.
    short: BytesMut,
    leaving: Vec<u8>,
}

impl Tun {
    /// Makes a device, which goes when the process goes. The kernel gets the addresses of
    /// [`segue_tun::device`] on it.
    ///
    /// # Errors
    /// There is no TUN driver, or no permission to use it: the message says what to do.
    pub fn open(name: &str, mtu: u16, offload: bool) -> io::Result<Self> {
        let builder = DeviceBuilder::new().name(name).ipv4(KERNEL_V4, 24, None).ipv6(KERNEL_V6, 64).mtu(mtu);
        let builder = builder.with(|linux| {
            linux.offload(offload);
        });
        let device = builder.build_sync().map_err(|error| {
            let advice = match error.kind() {
                ErrorKind::NotFound => {
                    "there is no /dev/net/tun: load the module `tun`, or give the container the device"
                }
                ErrorKind::PermissionDenied => "run as root, or give the program CAP_NET_ADMIN",
                ErrorKind::ResourceBusy => "a device of this name is in use: choose another with --device",
                _ => "the kernel refused",
            };
            io::Error::new(error.kind(), format!("cannot open the TUN device {name}: {advice} ({error})"))
        })?;
        device.set_nonblocking(true)?;
        device.set_tx_queue_len(QUEUE)?;
        let offload = if offload { Offload::VirtioNet } else { Offload::None };
        let (arrived, short, leaving) = (vec![0; LONGEST], BytesMut::new(), Vec::new());
        Ok(Self { device, format: Format { offload, ..Format::default() }, arrived, short, leaving })
    }

    /// For the event loop.
    pub fn fd(&self) -> RawFd {
        self.device.as_raw_fd()
    }

    /// Gives out the datagrams that wait, at most `most`; whether those were all.
    ///
    /// # Errors
    /// The device failed.
    pub fn recv<R>(&mut self, most: usize, mut take: impl FnMut(Bytes, Format) -> R) -> io::Result<bool> {
        for _ in 0..most {
            match self.device.recv(&mut self.arrived) {
                Ok(length) => {
                    let datagram = self.arrived.get(..length).unwrap_or(&[]);
                    take(copy(datagram, &mut self.short), self.format);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Sends a packet. A device without room drops it: to TCP that is loss, nothing worse.
    ///
    /// # Errors
    /// The device failed.
    pub fn send(&mut self, addresses: PseudoHeader, packet: &Packet) -> io::Result<()> {
        let (to, text) = (&mut self.leaving, &packet.segment.payload);
        to.clear();
        let sent = if text.len() > LONG_TEXT {
            ip::encode_headers(addresses, packet, self.format, to).map_err(io::Error::other)?;
            self.device.send_vectored(&[IoSlice::new(to), IoSlice::new(text)])
        } else {
            ip::encode(addresses, packet, self.format, to).map_err(io::Error::other)?;
            self.device.send(to)
        };
        match sent {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

/// A copy: the text of a connection then holds no more memory than came. That of short datagrams is copied again where it
/// waits ([`segue::Config::copy_below`]), so it pins no block.
fn copy(datagram: &[u8], short: &mut BytesMut) -> Bytes {
    if datagram.len() > SHORT {
        return Bytes::copy_from_slice(datagram);
    }
    if short.capacity() < datagram.len() {
        short.reserve(BLOCK); // the same block again, when nobody has a part of it any more
    }
    short.extend_from_slice(datagram);
    short.split().freeze()
}
