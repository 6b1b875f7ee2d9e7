//! The link: a TUN device, with faults injected at its edge and a capture of what crosses it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use etherparse::{IpEcn, Ipv4Header};
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, PcapError};
use tun_rs::{InterruptEvent, SyncDevice};

/// How much longer a reordered packet waits while others overtake it.
const REORDER_DELAY: Duration = Duration::from_millis(2);

/// A wait of this length is time to write the capture out.
const IDLE: Duration = Duration::from_millis(100);

/// Which way a packet goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Direction {
    In,
    Out,
}

/// Faults to inject, in per cent of the packets of each direction. The seed fixes the sequence of decisions.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Faults {
    /// How many packets vanish.
    pub loss: f64,
    /// How many packets are overtaken by others.
    pub reorder: f64,
    /// How many packets come twice.
    pub duplicate: f64,
    /// How many packets are marked as having met congestion, of those that can be.
    pub mark: f64,
    /// How long every packet takes; the wait for the device counts in whole milliseconds.
    pub delay: Duration,
    /// Where the pseudo-random sequence starts.
    pub seed: u64,
}

/// A device that carries IP packets.
pub struct Link {
    device: SyncDevice,
    wake: Arc<InterruptEvent>,
    mtu: u16,
    faults: Faults,
    random: u64,
    /// Packets on their way, by the time when they go on; those of one time in their order.
    held: BTreeMap<(Instant, u64), (Direction, Bytes)>,
    /// Packets that ever had to wait.
    ever_held: u64,
    capture: Option<Capture>,
    started: Instant,
}

/// A pcap file, and a second handle of what it is written through, to flush it.
struct Capture {
    pcap: PcapWriter<Shared>,
    file: Shared,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<BufWriter<File>>>);

impl Write for Shared {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl Link {
    /// Takes over a device.
    ///
    /// # Errors
    /// When the device cannot be made non-blocking or the pipe behind [`waker`](Self::waker) cannot be made.
    pub fn new(device: SyncDevice, mtu: u16, faults: Faults) -> io::Result<Self> {
        device.set_nonblocking(true)?;
        Ok(Self {
            device,
            wake: Arc::new(InterruptEvent::new()?),
            mtu,
            faults,
            random: faults.seed,
            held: BTreeMap::new(),
            ever_held: 0,
            capture: None,
            started: Instant::now(),
        })
    }

    /// Writes all packets that cross the device from now on to a pcap file of raw IP packets.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn capture_to(&mut self, file: &Path) -> io::Result<()> {
        // The packets are whole: their checksums can be verified.
        let header = PcapHeader { datalink: DataLink::RAW, ..PcapHeader::default() };
        let file = Shared(Arc::new(Mutex::new(BufWriter::new(File::create(file)?))));
        let pcap = PcapWriter::with_header(file.clone(), header).map_err(io_error)?;
        self.capture = Some(Capture { pcap, file });
        Ok(())
    }

    /// Writes out what was captured so far.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush_capture(&mut self) -> io::Result<()> {
        self.capture.as_mut().map_or(Ok(()), |capture| capture.file.flush())
    }

    /// The largest packet the link carries.
    pub fn mtu(&self) -> u16 {
        self.mtu
    }

    /// Ends a [`receive`](Self::receive) that waits, from any thread.
    pub fn waker(&self) -> Arc<InterruptEvent> {
        Arc::clone(&self.wake)
    }

    /// The next packet; `None` when none came until the limit, or when somebody used the waker.
    ///
    /// # Errors
    /// When the device fails.
    pub fn receive(&mut self, limit: Option<Instant>) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(packet) = self.release_held()? {
                return Ok(Some(packet));
            }
            let until = self.held.keys().next().map(|held| held.0).into_iter().chain(limit).min();
            let wait = until.map(|t| t.saturating_duration_since(Instant::now()));
            if wait.is_none_or(|wait| wait >= IDLE) {
                self.flush_capture()?; // whoever interrupts us has it all
            }
            let mut buffer = BytesMut::zeroed(usize::from(self.mtu));
            match self.device.recv_intr_timeout(&mut buffer, &self.wake, wait) {
                Ok(length) => {
                    buffer.truncate(length);
                    if let Some(packet) = self.inject(Direction::In, buffer.freeze())? {
                        return Ok(Some(packet));
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {
                    self.wake.reset()?;
                    return Ok(None);
                }
                Err(e) if e.kind() == ErrorKind::TimedOut => {
                    if limit.is_some_and(|t| t <= Instant::now()) {
                        return Ok(None);
                    }
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Sends a packet. A device without room drops it: to TCP that is loss, nothing worse.
    ///
    /// # Errors
    /// When the device fails.
    pub fn send(&mut self, packet: Bytes) -> io::Result<()> {
        match self.inject(Direction::Out, packet)? {
            Some(packet) => self.write(&packet),
            None => Ok(()),
        }
    }

    /// Decides a packet's fate: it goes on now, or later, or never. What comes in is captured before, what goes out
    /// after it: the capture shows what the peer sent and what it received.
    fn inject(&mut self, direction: Direction, packet: Bytes) -> io::Result<Option<Bytes>> {
        if direction == Direction::In {
            self.record(&packet)?;
        }
        if self.happens(self.faults.loss) {
            return Ok(None);
        }
        let packet = if self.happens(self.faults.mark) { mark(packet) } else { packet };
        let overtaken = self.happens(self.faults.reorder);
        let delay = self.faults.delay + if overtaken { REORDER_DELAY } else { Duration::ZERO };
        if self.happens(self.faults.duplicate) {
            self.hold(delay, direction, packet.clone());
        }
        if delay.is_zero() {
            return Ok(Some(packet));
        }
        self.hold(delay, direction, packet);
        Ok(None)
    }

    fn hold(&mut self, delay: Duration, direction: Direction, packet: Bytes) {
        self.held.insert((Instant::now() + delay, self.ever_held), (direction, packet));
        self.ever_held += 1;
    }

    /// Sends what was held back long enough; gives out what came in.
    fn release_held(&mut self) -> io::Result<Option<Bytes>> {
        while self.held.keys().next().is_some_and(|held| held.0 <= Instant::now()) {
            let Some((_, (direction, packet))) = self.held.pop_first() else { break };
            match direction {
                Direction::In => return Ok(Some(packet)),
                Direction::Out => self.write(&packet)?,
            }
        }
        Ok(None)
    }

    fn write(&mut self, packet: &[u8]) -> io::Result<()> {
        self.record(packet)?;
        match self.device.send(packet) {
            Err(e) if e.kind() != ErrorKind::WouldBlock => Err(e),
            _ => Ok(()),
        }
    }

    fn record(&mut self, packet: &[u8]) -> io::Result<()> {
        let Some(capture) = &mut self.capture else { return Ok(()) };
        let length = u32::try_from(packet.len()).map_err(io::Error::other)?;
        capture.pcap.write_packet(&PcapPacket::new(self.started.elapsed(), length, packet)).map_err(io_error)?;
        Ok(())
    }

    /// True in `percent` per cent of the calls (SplitMix64).
    fn happens(&mut self, percent: f64) -> bool {
        if percent <= 0.0 {
            return false;
        }
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z % 1_000_000) as f64 / 10_000.0 < percent
    }
}

/// Marks a packet as a router does that is about to be congested (RFC 3168 §5): CE, unless its transport knows nothing of
/// it.
pub fn mark(packet: Bytes) -> Bytes {
    let mut octets = BytesMut::from(packet);
    if octets[0] >> 4 == 4 {
        let Ok((mut header, _)) = Ipv4Header::from_slice(&octets) else { return octets.freeze() };
        if header.ecn != IpEcn::ZERO {
            header.ecn = IpEcn::THREE;
            header.header_checksum = header.calc_header_checksum();
            let header = header.to_bytes();
            octets[..header.len()].copy_from_slice(&header);
        }
    } else if octets[1] & 0x30 != 0 {
        octets[1] |= 0x30; // the lower half of the traffic class, in the second octet
    }
    octets.freeze()
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(e) => e,
        e => io::Error::other(e.to_string()),
    }
}
