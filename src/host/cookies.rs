//! SYN cookies (RFC 4987 §3.6): a SYN,ACK whose numbers remember the SYN, so that the host need not.
//!
//! The ISS holds an MSS out of eight, the parity of the period, and two keyed hashes: 16 bits over everything, and 12 over
//! all but the number of the SYN. These tell segments that come before the one with the cookie from strays. The window
//! scale and SACK-permitted stand in the low bits of the timestamp, which the peer echoes. Without timestamps, the
//! connection has neither.

use super::flow::Flow;
use super::keys::Keys;
use crate::ecn::{ACCURATE, agreed_accurate, asks_accurate};
use crate::timestamps::clock;
use crate::{Action, Arc, Config, Connection, Flags, Instant, Options, Path, Secrets, Segment, SeqNum, Timestamps};
use core::time::Duration;

/// A cookie is good for one to two of these, in microseconds: longer than a peer repeats the last ACK of a handshake.
const PERIOD: u64 = 64_000_000;
/// The MSS that a cookie can hold. A smaller one than the first has no cookie.
const MSS: [u16; 8] = [216, 536, 1220, 1300, 1360, 1400, 1440, 1460];
/// Bits of the timestamp that hold options: the shift, and SACK-permitted.
const BITS: u32 = 0x3F;
const NO_SCALE: u8 = 15;
const SACK: u8 = 0x10;

/// What a valid cookie tells: the SYN as far as it is remembered, and the secrets of the SYN,ACK.
///
/// Give `syn` and `secrets` to [`Connection::accept`] with the time `sent`, drop its SYN,ACK, and hand over the segment
/// with the cookie: the connection is established.
///
/// ```
/// use segue::host::{Flow, Keys, Redeemed};
/// use segue::{Arc, Config, Connection, Path, Segment};
/// /// What a host does with a segment of no connection, when it has sent cookies.
/// fn open(found: Redeemed, segment: Segment, config: Arc<Config>, path: Path) -> Connection {
///     let (mut connection, _) = Connection::accept(config, path, found.secrets, found.syn, found.sent);
///     connection.handle_segment(segment, found.sent);
///     connection
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Redeemed {
    /// The SYN: its number, MSS, and with timestamps window scale and SACK-permitted.
    pub syn: Segment,
    /// The numbers of the SYN,ACK with the cookie.
    pub secrets: Secrets,
    /// When the SYN,ACK left, by its timestamp to 64 ms; without one, so that the first RTO is that of RFC 6298 (2.1).
    pub sent: Instant,
}

impl Keys {
    /// The SYN,ACK that answers `syn` and remembers it; nothing has to be kept. `None`: the SYN opens nothing, or its
    /// MSS is below 216.
    ///
    /// `config` and `path` are those that the connection will have.
    ///
    /// ```
    /// use segue::host::{Flow, Keys};
    /// use segue::{Action, Arc, Config, Connection, Instant, Path, State};
    /// # let keys = Keys::new(*b"drawn at startup");
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::from_millis(90));
    /// # let flow = Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?).expect("unicast");
    /// # let sent = |actions: &[Action]| {
    /// #     actions.iter().find_map(|a| if let Action::Transmit(s) = a { Some(s.clone()) } else { None }).unwrap()
    /// # };
    /// let (mut client, actions) = Connection::connect(config.clone(), path, keys.secrets(&flow, now, None), now);
    /// let syn_ack = keys.cookie(&flow, &sent(&actions), &config, path, now).expect("a SYN");
    /// let ack = sent(&client.handle_segment(syn_ack, now));
    ///
    /// let found = keys.redeem(&flow, &ack, now).expect("our cookie");
    /// let (mut server, _) = Connection::accept(config, path, found.secrets, found.syn, found.sent);
    /// server.handle_segment(ack, now);
    /// assert_eq!(server.state(), State::Established);
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn cookie(
        &self,
        flow: &Flow,
        syn: &Segment,
        config: &Arc<Config>,
        path: Path,
        now: Instant,
    ) -> Option<Segment> {
        let options = syn.options.get();
        let (index, mss) = mss_below(options.mss.unwrap_or(path.ip.default_mss()))?;
        let timestamps = options.timestamps.filter(|_| config.timestamps());
        let bits = timestamps.map(|_| {
            let shift = options.window_scale.map_or(NO_SCALE, |shift| shift.min(14));
            shift | if options.sack_permitted { SACK } else { 0 }
        });
        let period = now.as_micros() / PERIOD;
        let iss = self.cookie_iss(flow, syn.seq, (index, bits), period);
        let secrets = Secrets { iss, ts_offset: self.secrets(flow, now, None).ts_offset };
        let mut known = remembered(syn.seq, mss, timestamps, bits);
        if asks_accurate(syn.flags, config.ecn()) {
            // The SYN,ACK tells how the SYN arrived (RFC 9768 §5.1); the ACE field of its ACK will remember the mode.
            known.flags |= syn.flags.intersection(ACCURATE);
            known.ecn = syn.ecn;
        }
        let mut syn_ack = None;
        Connection::accept_into(config.clone(), path, secrets, known, now, &mut |action| {
            if let Action::Transmit(segment) = action {
                syn_ack = Some(segment);
            }
        });
        let mut syn_ack = syn_ack?;
        if let Some(bits) = bits {
            syn_ack.options.update(|options| {
                if let Some(ts) = &mut options.timestamps {
                    ts.value = with_bits(ts.value, bits);
                }
            });
        }
        Some(syn_ack)
    }

    /// What the cookie that this segment acknowledges remembers; `None`: there is none that is ours and not too old.
    ///
    /// ```
    /// # use segue::host::Keys;
    /// # let keys = Keys::new(*b"drawn at startup");
    /// # use segue::host::Flow;
    /// # let flow = Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?).expect("unicast");
    /// # use segue::{Arc, Config, Flags, Instant, Path, Segment, SeqNum};
    /// # let now = Instant::from_millis(90);
    /// let syn = Segment { seq: SeqNum::new(7), flags: Flags::SYN, ..Segment::default() };
    /// let answer = keys.cookie(&flow, &syn, &Arc::new(Config::default()), Path::ipv4(1500), now).expect("a SYN");
    /// let ack = Segment { seq: syn.seq + 1, ack: answer.seq + 1, flags: Flags::ACK, ..Segment::default() };
    /// assert_eq!(keys.redeem(&flow, &ack, now).map(|found| found.syn.seq), Some(syn.seq));
    /// let guessed = Segment { ack: answer.seq + 2, ..ack };
    /// assert!(keys.redeem(&flow, &guessed, now).is_none());
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn redeem(&self, flow: &Flow, segment: &Segment, now: Instant) -> Option<Redeemed> {
        if segment.flags.intersection(Flags::SYN | Flags::ACK | Flags::RST) != Flags::ACK {
            return None;
        }
        let (iss, irs, timestamps) = (segment.ack - 1, segment.seq - 1, segment.options.timestamps());
        let Claim { index, bits, period } = Claim::of(segment, now)?;
        if self.cookie_iss(flow, irs, (index, bits), period) != iss {
            return None;
        }
        let ts_offset = self.secrets(flow, now, None).ts_offset;
        let ago = match timestamps {
            Some(ts) => Duration::from_millis(clock(ts_offset, now).wrapping_sub(ts.echo).min(120_000).into()),
            None => Duration::from_millis(333), // SRTT + 4 * SRTT / 2 is a second
        };
        let sent = now - ago;
        let mut syn = remembered(irs, *MSS.get(index)?, timestamps, bits);
        syn.window = segment.window;
        if agreed_accurate(segment.flags) {
            syn.flags |= ACCURATE;
        }
        Some(Redeemed { syn, secrets: Secrets { iss, ts_offset }, sent })
    }

    /// Whether the segment acknowledges a cookie of ours, though [`redeem`](Self::redeem) may not find it: then the segment
    /// has overtaken the one that brings the cookie, which comes again. Drop it: a reset would end a good connection.
    ///
    /// ```
    /// # use segue::host::{Flow, Keys};
    /// # use segue::{Arc, Config, Flags, Instant, Path, Segment, SeqNum};
    /// # let (keys, now) = (Keys::new(*b"drawn at startup"), Instant::from_millis(90));
    /// # let flow = Flow::new("192.0.2.1:80".parse()?, "198.51.100.7:49152".parse()?).expect("unicast");
    /// let syn = Segment { seq: SeqNum::new(7), flags: Flags::SYN, ..Segment::default() };
    /// let answer = keys.cookie(&flow, &syn, &Arc::new(Config::default()), Path::ipv4(1500), now).expect("a SYN");
    /// let later = Segment { seq: syn.seq + 1461, ack: answer.seq + 1, flags: Flags::ACK, ..Segment::default() };
    /// assert!(keys.redeem(&flow, &later, now).is_none() && keys.acknowledges_cookie(&flow, &later, now));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn acknowledges_cookie(&self, flow: &Flow, segment: &Segment, now: Instant) -> bool {
        let known = |claim: Claim| self.cookie_of_flow(flow, (claim.index, claim.bits), claim.period);
        let has_ack = segment.flags.intersection(Flags::SYN | Flags::ACK | Flags::RST) == Flags::ACK;
        has_ack && Claim::of(segment, now).map(known) == Some((segment.ack - 1).value() & 0xFFFF)
    }

    /// The ISS that is the cookie.
    fn cookie_iss(&self, flow: &Flow, irs: SeqNum, about: (usize, Option<u8>), period: u64) -> SeqNum {
        let low = self.cookie_of_flow(flow, about, period);
        let [a, b, c, d] = irs.value().to_be_bytes();
        let [e, f, g, h] = low.to_be_bytes();
        let [i, j, k, l, m, n, o, p] = period.to_be_bytes();
        SeqNum::new(self.cookie_hash(flow, &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]) << 16 | low)
    }

    /// The low 16 bits of the cookie: what it is about, and a hash that does not depend on the number of the SYN.
    fn cookie_of_flow(&self, flow: &Flow, (index, bits): (usize, Option<u8>), period: u64) -> u32 {
        let index = u8::try_from(index & 7).unwrap_or(0);
        let [a, b, c, d, e, f, g, h] = period.to_be_bytes();
        let hash = self.cookie_hash(flow, &[a, b, c, d, e, f, g, h, index, bits.unwrap_or(0xFF)]) & 0xFFF;
        hash << 4 | u32::from(period & 1 == 1) << 3 | u32::from(index)
    }
}

/// What the cookie that a segment acknowledges would be about, if it is one.
struct Claim {
    /// The MSS.
    index: usize,
    /// The options.
    bits: Option<u8>,
    period: u64,
}

impl Claim {
    fn of(segment: &Segment, now: Instant) -> Option<Self> {
        let iss = (segment.ack - 1).value();
        let index = usize::try_from(iss & 7).unwrap_or(0);
        let this = now.as_micros() / PERIOD;
        let period = if this & 1 == u64::from(iss >> 3 & 1) { this } else { this.checked_sub(1)? };
        let bits = segment.options.timestamps().map(|ts| u8::try_from(ts.echo & BITS).unwrap_or(0));
        Some(Self { index, bits, period })
    }
}

/// The largest MSS of the table that is not larger, and its place.
fn mss_below(mss: u16) -> Option<(usize, u16)> {
    MSS.into_iter().enumerate().rfind(|(_, known)| *known <= mss)
}

/// The SYN as far as a cookie remembers it: without text, without classic ECN.
fn remembered(seq: SeqNum, mss: u16, timestamps: Option<Timestamps>, bits: Option<u8>) -> Segment {
    let shift = bits.map(|bits| bits & NO_SCALE).filter(|shift| *shift != NO_SCALE);
    let options = Options {
        mss: Some(mss),
        window_scale: shift,
        sack_permitted: bits.is_some_and(|bits| bits & SACK != 0),
        timestamps: timestamps.map(|ts| Timestamps { echo: 0, ..ts }),
        ..Options::default()
    };
    Segment { seq, flags: Flags::SYN, window: u16::MAX, options: options.into(), ..Segment::default() }
}

/// The latest timestamp not after `value` whose low bits are these.
fn with_bits(value: u32, bits: u8) -> u32 {
    let with = value & !BITS | u32::from(bits);
    if with > value { with.wrapping_sub(BITS + 1) } else { with }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_with_bits_is_at_most_64_ms_old() {
        for value in [0, 1, 63, 64, 65, 0x7FFF_FFFF, 0x8000_0000, u32::MAX] {
            for bits in 0..64 {
                let with = with_bits(value, bits);
                assert!(value.wrapping_sub(with) < 64 && with & BITS == u32::from(bits), "{value} {bits}");
            }
        }
    }

    #[test]
    fn the_largest_mss_that_fits_is_remembered() {
        assert_eq!(mss_below(215), None);
        assert_eq!(mss_below(216), Some((0, 216)));
        assert_eq!(mss_below(1459), Some((6, 1440)));
        assert_eq!(mss_below(9000), Some((7, 1460)));
    }
}
