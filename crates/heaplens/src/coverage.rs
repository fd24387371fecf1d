//! How much of the process's memory a heap profile accounts for, for those who ask
//! why it shows so little.

use heaplens_alloc::{AllocatorStats, Snapshot};

use crate::memory::Memory;

/// A comment for a profile of this snapshot; `None` where the system does not tell
/// what is resident. Takes what reading `/proc/self/status` and the allocator's
/// statistics takes, some 100 µs.
pub(crate) fn comment(snapshot: &Snapshot) -> Option<String> {
    let resident = Memory::now().resident?;
    let stats = heaplens_alloc::allocator_stats();
    Some(words(snapshot.totals().inuse.bytes, resident, &stats))
}

fn words(inuse: f64, resident: u64, stats: &AllocatorStats) -> String {
    let percent = 100.0 * inuse / resident.max(1) as f64;
    let of_process =
        format!("coverage: inuse_space is {percent:.0} % of the {resident} bytes resident");
    let (Some(allocated), Some(pages)) = (stats.allocated, stats.resident) else {
        return of_process;
    };
    let rest = resident.saturating_sub(pages);
    format!(
        "{of_process}; the allocator has {allocated} bytes handed out on {pages} bytes of pages, \
         and {rest} bytes are not its: code, stacks, mapped files, other allocators"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_said() {
        let mut stats = AllocatorStats::default();
        assert_eq!(
            words(250.0, 1000, &stats),
            "coverage: inuse_space is 25 % of the 1000 bytes resident"
        );
        (stats.allocated, stats.resident) = (Some(300), Some(600));
        assert_eq!(
            words(250.0, 1000, &stats),
            "coverage: inuse_space is 25 % of the 1000 bytes resident; the allocator has 300 bytes \
             handed out on 600 bytes of pages, and 400 bytes are not its: code, stacks, mapped \
             files, other allocators"
        );
        // Nothing is resident in a process that cannot be.
        assert!(words(1.0, 0, &stats).starts_with("coverage: inuse_space is 100 %"));
    }
}
