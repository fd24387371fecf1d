//! How much is watched within the memory that there is for the history.

/// At most so many of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Groups of maps with a series of their own.
    pub(super) maps: usize,
    /// Call sites with one.
    pub(super) sites: usize,
    /// Call sites that are told apart.
    pub(super) places: usize,
}

/// What a series takes with its judge when it reaches a day back and grows.
const SUBJECT: usize = 13 << 10;
/// What the name of a call site takes, and what is known of it.
const PLACE: usize = 512;

impl Room {
    /// Two thirds of it for series, a quarter for names at the most; the rest, and what is
    /// not taken, is for snapshots. With 8 MiB that is all there may be.
    pub(super) fn within(bytes: usize) -> Self {
        Room {
            maps: (bytes / 3 / SUBJECT).min(heaplens_maps::MAX_GROUPS + 1),
            sites: (bytes / 3 / SUBJECT).min(192),
            places: (bytes / 4 / PLACE).min(4096),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_there_is_room_for_all() {
        let room = Room::within(crate::DEFAULT_HISTORY_BYTES);
        assert_eq!(room.maps, heaplens_maps::MAX_GROUPS + 1);
        assert_eq!((room.sites, room.places), (192, 4096));
        assert_eq!(Room::within(1 << 30), room);
    }

    #[test]
    fn with_less_there_is_less() {
        for bytes in [64 << 10, 256 << 10, 1 << 20] {
            let room = Room::within(bytes);
            assert!(
                room.maps >= 1 && room.sites >= 1 && room.places >= 32,
                "{room:?}"
            );
            let taken = (room.maps + room.sites) * SUBJECT + room.places * PLACE;
            assert!(taken <= bytes, "{room:?}");
        }
    }
}
