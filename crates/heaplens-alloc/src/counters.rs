//! The profiler's figures on itself: what it holds, what it lost and why.

/// Why something could not be recorded. Each reason has a counter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The table of live samples was full: the sample is lost, estimates are
    /// too low.
    LiveTableFull,
    /// The inner allocator's address does not fit the table's 48 bits: lost.
    AddressRange,
    /// The table of stacks was full: the sample counts under "overflow".
    StackTableFull,
    /// The table of sites was full: the sample counts under its stack's or the
    /// overflow row, without its size class and labels.
    SiteTableFull,
    /// All unwinders were in use by other threads: the sample counts with the
    /// few frames that frame pointers gave.
    WalkersBusy,
    /// No frame could be read at all: the sample counts without a stack.
    NoStack,
    /// Own memory could not be mapped, or the inner allocator had none for the
    /// larger block that a sample takes: the sample is lost.
    NoMemory,
    /// The table of label sets was full: the sample counts under
    /// `heaplens=labels_overflow`.
    LabelSetsFull,
    /// A label was refused, for its key is reserved, it is too long, or one too
    /// many: the sample counts without it.
    LabelRefused,
    /// There was no room for how long a freed block had lived: it is missing in
    /// [`lifetimes`](crate::lifetimes()), and nowhere else.
    LifetimesFull,
}

impl DropReason {
    /// All reasons, in the order of their counters.
    pub const ALL: [DropReason; 10] = [
        DropReason::LiveTableFull,
        DropReason::AddressRange,
        DropReason::StackTableFull,
        DropReason::SiteTableFull,
        DropReason::WalkersBusy,
        DropReason::NoStack,
        DropReason::NoMemory,
        DropReason::LabelSetsFull,
        DropReason::LabelRefused,
        DropReason::LifetimesFull,
    ];

    /// Whether the whole sample is lost, not only its stack, size class or labels.
    pub(crate) const fn loses_sample(self) -> bool {
        match self {
            DropReason::LiveTableFull | DropReason::AddressRange | DropReason::NoMemory => true,
            DropReason::StackTableFull
            | DropReason::SiteTableFull
            | DropReason::WalkersBusy
            | DropReason::NoStack
            | DropReason::LabelSetsFull
            | DropReason::LabelRefused
            | DropReason::LifetimesFull => false,
        }
    }

    /// A stable `snake_case` name, as used for metric labels.
    pub const fn name(self) -> &'static str {
        match self {
            DropReason::LiveTableFull => "live_table_full",
            DropReason::AddressRange => "address_range",
            DropReason::StackTableFull => "stack_table_full",
            DropReason::SiteTableFull => "site_table_full",
            DropReason::WalkersBusy => "walkers_busy",
            DropReason::NoStack => "no_stack",
            DropReason::NoMemory => "no_memory",
            DropReason::LabelSetsFull => "label_sets_full",
            DropReason::LabelRefused => "label_refused",
            DropReason::LifetimesFull => "lifetimes_full",
        }
    }
}

/// How stacks are captured at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Walker {
    /// Nothing was sampled yet.
    #[default]
    Undecided,
    /// The program has frame pointers: their chain agreed with the unwind
    /// tables when both were tried.
    FramePointers,
    /// By the unwind tables (`.eh_frame`) of the loaded objects.
    UnwindTables,
    /// By frame pointers because no unwind table could be read; stacks are
    /// short where code was built without them.
    FramePointersOnly,
}

impl Walker {
    /// A stable `snake_case` name, as used for metric labels.
    pub const fn name(self) -> &'static str {
        match self {
            Walker::Undecided => "undecided",
            Walker::FramePointers => "frame_pointers",
            Walker::UnwindTables => "unwind_tables",
            Walker::FramePointersOnly => "frame_pointers_only",
        }
    }
}

/// The profiler on itself, at one moment. Reading it costs some twenty loads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Whether an [`Alloc`](crate::Alloc) has served this process at all. If
    /// not, it is not the `#[global_allocator]` and nothing is ever sampled.
    pub installed: bool,
    /// Mean bytes between samples; 0 = sampling is off.
    pub sample_interval: u64,
    /// Parts in a million of its time that a thread may spend on sampling; 0 =
    /// no bound. Threads that would spend more sample at larger intervals.
    pub max_overhead_ppm: u32,
    /// Samples taken since the start.
    pub samples: u64,
    /// Sum of the intervals at which they were drawn, in bytes: divided by
    /// their number, the mean interval that was in force.
    pub sample_intervals: u64,
    /// Nanoseconds that all threads together spent on taking samples; 0 if that
    /// is not bounded, and so not measured.
    pub sampling_nanos: u64,
    /// Sampled blocks that are alive.
    pub live_samples: u64,
    /// Distinct stacks recorded.
    pub stacks: u64,
    /// Distinct rows (stack, size class and labels) recorded.
    pub sites: u64,
    /// Bytes of the budget in use.
    pub memory_used: u64,
    /// Bytes that the profiler may use at the most.
    pub memory_budget: u64,
    /// How stacks are captured.
    pub walker: Walker,
    /// Losses, indexed as [`DropReason::ALL`].
    pub drops: [u64; DropReason::ALL.len()],
}

impl Counters {
    /// Each reason for a loss with its count since the start.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.into_iter().zip(self.drops)
    }

    /// Whether samples are being taken.
    pub fn is_sampling(&self) -> bool {
        self.installed && self.sample_interval > 0
    }
}
