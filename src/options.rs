//! What the two SYNs agree on: MSS, window scale, SACK, timestamps.

use crate::recv::own_shift;
use crate::timestamps::clock;
use crate::{Config, Instant, Options, Path, Timestamps};

/// The largest shift (RFC 7323 §2.3).
const MAX_SHIFT: u8 = 14;

/// The MSS we announce: what the path gives, or the interface where probes look for more, at most `max_mss` (MUST-67).
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn announced_mss(config: &Config, path: &Path) -> u16 {
    let mtu = path.mtu.max(config.mtu_probe_max());
    Path { mtu, ..*path }.mss().min(config.max_mss())
}

/// The options of our SYN; the MSS is one of them, and stands on SYNs only (MUST-14, MUST-65).
pub(crate) fn of_syn(config: &Config, path: &Path, ts_offset: u32, user_timeout: Option<u16>, now: Instant) -> Options {
    let value = || clock(ts_offset, now);
    fitting(config, Options { mss: Some(announced_mss(config, path)), user_timeout, ..offered(config, value) })
}

/// What the SYNs can agree on, as far as the configuration has it.
fn offered(config: &Config, clock: impl FnOnce() -> u32) -> Options {
    Options {
        window_scale: config.window_scaling().then(|| own_shift(config)),
        sack_permitted: config.sack(),
        timestamps: config.timestamps().then(|| Timestamps { value: clock(), echo: 0 }),
        ..Options::default()
    }
}

/// The options of a SYN that have room beside those of the host, `option_space`. What has none is not offered; the most
/// useful stays.
pub(crate) fn fitting(config: &Config, mut options: Options) -> Options {
    let room = usize::from(config.option_room());
    let drops: [fn(&mut Options); 5] = [
        |options| options.user_timeout = None,
        |options| options.timestamps = None,
        |options| options.sack_permitted = false,
        |options| options.window_scale = None,
        |options| options.mss = None,
    ];
    for drop in drops {
        if options.wire_len() <= room {
            break;
        }
        drop(&mut options);
    }
    options
}

/// Those of which our SYN may have all: the peer's SYN decides about the others.
fn ours(config: &Config) -> Options {
    let all = offered(config, || 0);
    if config.option_room() >= ALL_OFFERED { all } else { fitting(config, Options { mss: Some(0), ..all }) }
}

/// Octets of the MSS, timestamps with SACK-permitted, and the window scale.
const ALL_OFFERED: u16 = 20;

/// The options in force after both SYNs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Agreed {
    /// SendMSS (RFC 9293 §3.7.1).
    pub(crate) send_mss: u16,
    /// Window scaling: the shifts of (their windows, ours). Both SYNs must carry the option (RFC 7323 §2.2).
    pub(crate) shifts: Option<(u8, u8)>,
    pub(crate) sack: bool,
    pub(crate) timestamps: Option<Timestamps>,
}

impl Agreed {
    /// Our policy and the options of the peer's SYN.
    pub(crate) fn new(config: &Config, path: &Path, peer: &Options) -> Self {
        let send_mss = match peer.mss {
            None | Some(0) => path.ip.default_mss(), // MUST-15
            Some(mss) => mss.max(config.min_mss()),
        };
        let ours = ours(config);
        Self {
            send_mss: send_mss.min(config.max_mss()),
            shifts: peer.window_scale.map(|theirs| theirs.min(MAX_SHIFT)).zip(ours.window_scale),
            sack: ours.sack_permitted && peer.sack_permitted,
            timestamps: peer.timestamps.filter(|_| ours.timestamps.is_some()),
        }
    }
}

/// What every path takes beside the headers of IP and TCP and IP options: the smallest MTU less these.
/// IP cuts what a narrower link does not take, and each host takes packets of 576 octets (RFC 791 §3.1).
const LEAST_MSS: u16 = 28;

/// Octets of text that a segment can carry beside `options` octets of options: Eff.snd.MSS (MUST-16). Never 0.
pub(crate) fn eff_snd_mss(path: &Path, send_mss: u16, options: u16) -> u16 {
    let by_path = path.mss().saturating_sub(path.ip_options).max(LEAST_MSS);
    send_mss.saturating_sub(path.ip_options).min(by_path).saturating_sub(options).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_of_peer_and_path_limits_a_segment() {
        let mut path = Path::ipv4(1500);
        assert_eq!(eff_snd_mss(&path, 1460, 0), 1460);
        assert_eq!(eff_snd_mss(&path, 1460, 12), 1448);
        assert_eq!(eff_snd_mss(&path, 536, 12), 524);
        path.ip_options = 8;
        assert_eq!(eff_snd_mss(&path, 1460, 12), 1440);
        assert_eq!(eff_snd_mss(&Path::ipv4(68), 1460, 40), 1);
        path.ip_options = 40;
        assert_eq!((eff_snd_mss(&path, 64, 0), eff_snd_mss(&path, 64, 12)), (24, 12)); // the peer's MSS is no matter of the path
        assert_eq!(eff_snd_mss(&path, 48, 12), 1);
        assert_eq!(eff_snd_mss(&Path { mtu: 68, ..path }, 1460, 12), 16);
        assert_eq!(eff_snd_mss(&Path { mtu: 108, ..path }, 1460, 12), 16);
        assert_eq!(eff_snd_mss(&Path { mtu: 109, ..path }, 1460, 12), 17);
    }

    #[test]
    fn options_count_only_when_both_syns_carry_them() {
        let config = Config::default();
        let none = Agreed::new(&config, &Path::ipv4(1500), &Options::default());
        assert_eq!((none.send_mss, none.shifts, none.sack, none.timestamps), (536, None, false, None));
        let peer = Options { mss: Some(9), window_scale: Some(200), sack_permitted: true, ..Options::default() };
        let some = Agreed::new(&config, &Path::ipv6(1500), &peer);
        assert_eq!((some.send_mss, some.shifts, some.sack), (64, Some((14, 3)), config.sack()));
        let off = Config::builder().window_scaling(false).sack(false).build().unwrap();
        let some = Agreed::new(&off, &Path::ipv6(1500), &peer);
        assert_eq!((some.shifts, some.sack), (None, false));
    }
}
