//! Tables that stand nearly empty, and for how long.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use heaplens_maps::GroupReport;

/// A table that has stood nearly empty for so long will not fill up again soon.
pub(crate) const LASTING: Duration = Duration::from_secs(15 * 60);

/// Bytes that shrinking the tables to twice their entries would give back; 0
/// unless they take 1 MiB and are less than one eighth full.
pub(crate) fn bytes(group: &GroupReport) -> u64 {
    if !group.wastes_capacity() || group.capacity == 0 {
        return 0;
    }
    let kept = 2.0 * group.entries as f64 / group.capacity as f64;
    (group.table_bytes as f64 * (1.0 - kept)) as u64
}

/// Since when each group has been seen to waste capacity at every look. As many
/// places as there are such groups.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<HashMap<String, Instant>>);

impl Watch {
    /// One for the process: whoever looks at the maps looks for all.
    pub(crate) fn shared() -> &'static Watch {
        static SHARED: std::sync::OnceLock<Watch> = std::sync::OnceLock::new();
        SHARED.get_or_init(Watch::default)
    }

    /// Notes how the groups are found, and tells for how long each one of them
    /// has wasted capacity without a break.
    pub(crate) fn look(&self, now: Instant, groups: &[GroupReport]) -> Vec<Option<Duration>> {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *since);
        groups
            .iter()
            .map(|group| {
                if bytes(group) == 0 {
                    return None;
                }
                let begun = before.get(&group.name).copied().unwrap_or(now);
                since.insert(group.name.clone(), begun);
                Some(now.saturating_duration_since(begun))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(entries: u64, capacity: u64, table_bytes: u64) -> GroupReport {
        let mut group = GroupReport::default();
        group.name = "waste".to_owned();
        (group.entries, group.capacity) = (entries, capacity);
        group.table_bytes = table_bytes;
        group
    }

    #[test]
    fn what_a_shrink_would_give_back() {
        let table = 2 << 20;
        assert_eq!(bytes(&group(0, 1000, table)), table);
        assert_eq!(bytes(&group(125, 1000, table)), table / 4 * 3);
        assert_eq!(bytes(&group(126, 1000, table)), 0, "full enough");
        assert_eq!(bytes(&group(0, 1000, 1000)), 0, "small");
        assert_eq!(bytes(&group(0, 0, table)), 0);
    }

    #[test]
    fn a_break_begins_anew() {
        let (watch, start) = (Watch::default(), Instant::now());
        let (empty, full) = (group(1, 1000, 2 << 20), group(999, 1000, 2 << 20));
        let after = |seconds, group: &GroupReport| {
            let now = start + Duration::from_secs(seconds);
            let found = watch.look(now, std::slice::from_ref(group));
            found[0].map(|lasting| lasting.as_secs())
        };
        assert_eq!(after(0, &empty), Some(0));
        assert_eq!(after(500, &empty), Some(500));
        assert_eq!(after(1000, &empty), Some(1000));
        assert_eq!(after(1010, &full), None);
        assert_eq!(after(1020, &empty), Some(0));
        assert!(watch.look(start, &[]).is_empty());
        assert!(
            watch.0.lock().unwrap().is_empty(),
            "gone groups leave nothing"
        );
    }
}
