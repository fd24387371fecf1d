"""What is measured: builds, allocators, workloads."""

import os
from dataclasses import dataclass, field

CORES = os.cpu_count() or 1
PROFILING = "prof:true,prof_active:true,lg_prof_sample:19"
NO_DECAY = "dirty_decay_ms:-1,muzzy_decay_ms:-1"


@dataclass(frozen=True)
class Build:
    name: str
    package: str
    features: str = ""
    manifest: str = "bench/Cargo.toml"
    rustflags: str = ""

    def command(self):
        command = ["cargo", "build", "--locked", "--release", "--manifest-path", self.manifest]
        command += ["--package", self.package]
        return command + (["--features", self.features] if self.features else [])


@dataclass(frozen=True)
class Allocator:
    """A build with its settings. `base` is what its ratios are against: the allocator that is
    inside it, without a profiler."""

    key: str
    label: str
    build: str
    base: str | None = None
    environment: dict = field(default_factory=dict, hash=False)
    # What the program must say of itself after a run, so that nothing else is measured unawares.
    expected: dict = field(default_factory=dict, hash=False)
    # Part of the work that it is given, where the whole would take minutes.
    share: float = 1.0
    # Of another project.
    peer: bool = False
    note: str = ""


@dataclass(frozen=True)
class Case:
    workload: str
    threads: int
    # Units of work: in each thread, in each pair of threads (channel), or in all (axum).
    count: int
    # "stress" does nothing but allocate; "application" does what programs do.
    kind: str
    unit: str
    what: str = ""
    # How often it is run in a round: more than once if it is short.
    turns: int = 1

    @property
    def key(self):
        return f"{self.workload}/{self.threads}"

    def units(self, count):
        """In all, where each thread was given that many."""
        return count * {"axum": 1, "channel": (self.threads + 1) // 2}.get(
            self.workload, self.threads)

    @property
    def label(self):
        return self.workload if self.threads == 1 else f"{self.workload} × {self.threads}"


FRAME_POINTERS = "-C force-frame-pointers=yes"

BUILDS = [
    Build("jemalloc", "bench-plain", "jemalloc"),
    Build("heaplens", "bench-heaplens", "jemalloc"),
    Build("jemalloc-prof", "bench-plain", "profiling"),
    Build("heaplens-stats", "bench-heaplens", "stats"),
    Build("jemalloc-fp", "bench-plain", "jemalloc", rustflags=FRAME_POINTERS),
    Build("heaplens-fp", "bench-heaplens", "jemalloc", rustflags=FRAME_POINTERS),
    Build("system", "bench-plain"),
    Build("heaplens-system", "bench-heaplens"),
    Build("mimalloc", "bench-plain", "mimalloc"),
    Build("heaplens-mimalloc", "bench-heaplens", "mimalloc"),
    Build("stoolap", "bench-stoolap"),
    Build("mimalloc-pprof-plain", "bench-mimalloc-pprof",
          manifest="bench/allocators/mimalloc-pprof/Cargo.toml"),
    Build("mimalloc-pprof", "bench-mimalloc-pprof", "pprof",
          manifest="bench/allocators/mimalloc-pprof/Cargo.toml"),
    Build("rpprof", "bench-rpprof"),
    Build("pprof-alloc", "bench-pprof-alloc"),
    Build("pprof-alloc-native", "bench-pprof-alloc", "native"),
    Build("dhat", "bench-dhat"),
]

NO_PROFILER = {"config.prof": "false", "config.stats": "false"}
ON = {"installed": "true", "interval": "524288", "max_overhead_ppm": "10000"}


def heaplens(key, label, build="heaplens", base="jemalloc", expected=None, environment=None):
    return Allocator(key, label, build, base, environment or {}, ON | (expected or {}))


ALLOCATORS = [
    Allocator("jemalloc", "tikv-jemallocator", "jemalloc", expected=NO_PROFILER),
    Allocator("again", "tikv-jemallocator once more", "jemalloc", "jemalloc",
              expected=NO_PROFILER, note="the noise: this ratio is 1 in truth"),
    heaplens("off", "Heaplens, sampling off", expected=NO_PROFILER | {"interval": "0"},
             environment={"HEAPLENS_SAMPLE_INTERVAL": "0"}),
    heaplens("on", "Heaplens", expected=NO_PROFILER),
    heaplens("unbounded", "Heaplens, no bound on its time",
             expected=NO_PROFILER | {"max_overhead_ppm": "0"},
             environment={"HEAPLENS_MAX_OVERHEAD": "0"}),
    heaplens("on64k", "Heaplens at 64 KiB", expected=NO_PROFILER | {"interval": "65536"},
             environment={"HEAPLENS_SAMPLE_INTERVAL": "64KiB"}),
    heaplens("stats", "Heaplens, jemalloc with statistics", build="heaplens-stats",
             expected={"config.prof": "false", "config.stats": "true"}),
    Allocator("jemalloc-fp", "tikv-jemallocator, frame pointers", "jemalloc-fp",
              expected=NO_PROFILER),
    heaplens("on-fp", "Heaplens, frame pointers", build="heaplens-fp", base="jemalloc-fp",
             expected=NO_PROFILER),
    Allocator("system", "System (glibc)", "system"),
    heaplens("on-system", "Heaplens over System", build="heaplens-system", base="system"),
    Allocator("mimalloc", "mimalloc", "mimalloc"),
    heaplens("on-mimalloc", "Heaplens over mimalloc", build="heaplens-mimalloc", base="mimalloc"),
    Allocator("jemalloc-prof", "jemalloc's own profiler", "jemalloc-prof", "jemalloc",
              {"_RJEM_MALLOC_CONF": PROFILING},
              {"config.prof": "true", "opt.prof": "true", "prof.active": "true"}, peer=True,
              note="what `jemalloc_pprof` reads"),
    Allocator("stoolap-off", "stoolap-jemalloc, not profiling", "stoolap",
              expected={"active": "false"}),
    Allocator("stoolap", "stoolap-jemalloc", "stoolap", "stoolap-off", {"BENCH_PROFILE": "on"},
              {"active": "true", "interval": "524288"}, peer=True),
    Allocator("mimalloc-pprof-plain", "mimalloc-pprof without its profiler",
              "mimalloc-pprof-plain", expected={"active": "false"}),
    Allocator("mimalloc-pprof", "mimalloc-pprof", "mimalloc-pprof", "mimalloc-pprof-plain",
              {"BENCH_PROFILE": "on"}, {"active": "true", "interval": "524288"}, peer=True),
    Allocator("rpprof", "rpprof", "rpprof", "system", {"BENCH_PROFILE": "on"},
              {"active": "true", "interval": "524288"}, share=1 / 8, peer=True,
              note="over System, as its documentation has it; its profile is not read, for that deadlocks"),
    Allocator("pprof-alloc", "pprof-alloc, wrapper", "pprof-alloc", "system",
              expected={"capture": "FramePointer"}, share=1 / 2, peer=True,
              note="over System; walks frame pointers, of which an ordinary build has few, so its "
                   "stacks are cut short"),
    Allocator("pprof-alloc-native", "pprof-alloc over jemalloc's profiler", "pprof-alloc-native",
              "jemalloc", {"_RJEM_MALLOC_CONF": "prof:true,prof_active:false,lg_prof_sample:19"},
              {"opt.prof": "true", "prof.active": "true"}, share=1 / 2, peer=True),
    Allocator("dhat", "dhat", "dhat", "system", share=1 / 100, peer=True,
              note="records every block, and is meant for tests"),
]

QUICK_ALLOCATORS = ["jemalloc", "again", "off", "on", "unbounded", "on64k", "jemalloc-prof"]


def cases(workload, count, kind, unit, what, threads, turns=1):
    return [Case(workload, number, count, kind, unit, what, turns) for number in threads]


SINGLE = [1]
BOTH = sorted({1, CORES})

CASES = [
    *cases("pair64", 20_000_000, "stress", "pair", "64 bytes, allocated and freed", BOTH,
           turns=3),
    *cases("lifo", 30_000, "stress", "batch",
           "batches of 256 blocks of 8 to 4096 bytes, log-uniform, last in first out", BOTH),
    *cases("fifo", 30_000, "stress", "batch", "the same, first in first out", BOTH),
    *cases("grow8k", 150_000, "stress", "vector", "`Vec<u64>` pushed to 8 KiB", SINGLE),
    *cases("grow32k", 40_000, "stress", "vector", "the same to 32 KiB", BOTH),
    *cases("grow4m", 200, "stress", "vector", "the same to 4 MiB", SINGLE),
    *cases("map", 80, "application", "map",
           "`HashMap<u64, String>` grown to 20,000 entries and drained", BOTH),
    *cases("channel", 1_500_000, "application", "message",
           "strings made in one thread and dropped in another", sorted({2, CORES})),
    *cases("json", 12, "application", "document",
           "2 MB parsed into `serde_json::Value` and dropped", BOTH),
    *cases("tokens", 12, "application", "text", "1 MB split into words, and these counted", BOTH),
    *cases("cache", 60_000, "application", "entry",
           "a map of 80,000 entries, 100 MB, in which new ones replace old ones", SINGLE),
    *cases("axum", 8_000, "application", "request",
           "an axum service that takes orders in JSON, 16 connections", BOTH),
]

QUICK_CASES = ["pair64/1", "lifo/1", "grow32k/1", "map/1", "json/1", "tokens/1",
               f"axum/{CORES}"]

# Units for counting instructions: some 100 million instructions each. A task runs five times that.
COUNTED = {"pair64": 1_000_000, "lifo": 3_000, "grow8k": 8_000, "grow32k": 3_000, "map": 5,
           "json": 2, "tokens": 2}
COUNTED_ALLOCATORS = ["jemalloc", "off", "unbounded", "stats", "jemalloc-fp", "on-fp",
                      "jemalloc-prof"]
# Only these for the rest.
COUNTED_FOR_ALL = ["pair64", "json"]

# In which a pair is measured.
ORDERS = 6

INTERVALS = [64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20]
HELD = [(10_000_000, 100), (100_000_000, 40), (1_000_000_000, 12)]
