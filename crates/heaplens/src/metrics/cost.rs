//! What has to be read for a series.

/// A scrape reads each of these once, however many series come from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// Figures that are kept anyway.
    Counters,
    /// jemalloc's statistics, of all arenas.
    Allocator,
    /// The table of live samples and the sites.
    Samples,
    /// The slots of the live maps and the probed containers.
    Maps,
    /// The live samples once more, by who holds them.
    Held,
    /// A few small files of the kernel.
    Files,
}
