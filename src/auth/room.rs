//! The room that a signature needs on every segment of a connection (RFC 5925 §7.6).

use crate::codec::NoRoom;
use crate::{Config, Options, Path};

/// What a connection leaves to its host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Room {
    reserved: u8,
    mtu: u16,
    least: u16,
}

impl Room {
    /// This number of octets of the option area.
    pub(super) const fn reserved(octets: u8) -> Self {
        Self { reserved: octets, mtu: u16::MAX, least: 0 }
    }

    /// Octets of the option area.
    pub(super) const fn octets(self) -> u8 {
        self.reserved
    }

    /// That of a connection with this configuration, on this path.
    pub(crate) fn of(config: &Config, path: Path) -> Self {
        Self::of_connection(config, &path.reserving(config.reserved_options()))
    }

    /// The same where the path counts the room already.
    pub(crate) fn of_connection(config: &Config, path: &Path) -> Self {
        Self { reserved: config.option_space(), mtu: path.mtu, least: path.least_mtu() }
    }

    /// Whether each segment has room for a signature of this length.
    pub(crate) fn check(self, space: u8) -> Result<(), NoRoom> {
        let words = |octets: u8| usize::from(octets).next_multiple_of(4);
        if space == 0 {
            return Ok(());
        }
        if words(space) > words(self.reserved).min(Options::MAX_WIRE_LEN) {
            return Err(NoRoom::OptionSpace { needed: space, reserved: self.reserved });
        }
        if self.mtu < self.least {
            return Err(NoRoom::Mtu { needed: self.least, mtu: self.mtu });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(option_space: u8, path: Path, space: u8) -> Result<(), NoRoom> {
        let config = Config::builder().option_space(option_space).build().unwrap();
        Room::of(&config, path).check(space)
    }

    #[test]
    fn a_signature_has_room_in_whole_words_of_the_option_space() {
        for reserved in 0..=40u8 {
            for needed in 0..=u8::MAX {
                let fits = needed == 0 || needed <= 40 && needed.div_ceil(4) <= reserved.div_ceil(4);
                let expected = if fits { Ok(()) } else { Err(NoRoom::OptionSpace { needed, reserved }) };
                assert_eq!(check(reserved, Path::ipv4(1500), needed), expected);
                assert_eq!(Room::reserved(reserved).check(needed), expected);
            }
        }
    }

    #[test]
    fn the_narrowest_path_has_no_room_beside_its_options() {
        for (space, least) in [(4, 72), (16, 84), (18, 88), (20, 88), (40, 108)] {
            for mtu in 68..200 {
                let expected = if mtu < least { Err(NoRoom::Mtu { needed: least, mtu }) } else { Ok(()) };
                assert_eq!(check(space, Path::ipv4(mtu), space), expected);
            }
            assert_eq!(check(space, Path::ipv6(1280), space), Ok(()));
            let path = Path { ip_options: 8, ..Path::ipv4(least) };
            assert_eq!(check(space, path, space), Err(NoRoom::Mtu { needed: least + 8, mtu: least }));
        }
        assert_eq!(check(16, Path::ipv4(68), 0), Ok(()));
    }
}
