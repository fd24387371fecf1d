//! What does not depend on what was run.

pub(super) const INTRODUCTION: &str = "\
# How well verdicts tell what leaks

Printed by `scripts/evaluate`. All but the last section, which is on cost, comes out the same each
time; `scripts/evaluate --check` shows that it does, and `scripts/evaluate --quick` compares the
first days of each scenario.

Each program has a map whose entries come, are sampled as the allocator samples, and go, one by
one, on simulated time: a day of 24 hours, a point every 15 s, a look every 5 min. The judge is that
of the agent (`heaplens::leaks`), and is told what the agent would know. *Flagged* means that the
verdict was `leak` at least once within the day, and for a leak that the first such verdict was not
before it leaked. Sound programs that are flagged at any time are false alarms. Intervals are
Wilson's, 95 %.

For each day are drawn, evenly: 5-50 requests/s; 200-1,000 B an entry; a daily wave of 30-80 %, or
bursts of a fifth of every 10-60 min, with 10 % noise; mean lifetimes of some minutes to an hour.
The memory limit is 4 GB, and one in 512 KiB is sampled. Programs do not declare their bounds unless
it says so. Of the five cases of `examples/leaky-service` both forms are here, leaking and fixed;
the same cases in real time, with short windows and the real agent, are in `scripts/e2e-verdicts`.

Scenarios are split by *family* into a tuning part, on which rules and parameters were chosen, and a
held-out part, which decides. Parameters are frozen: the evaluation refuses to run the held-out part
with others. Their first values came from an earlier, coarser simulation, in which some families had
a like that are held out here; what is held out without those is told by itself.

";

pub(super) const LIMITS: &str = "\
## What this does not show

- Programs are simulated, one map each: their load is not shared, as it is within one process, and
  their allocations have no structure below the entry. Ranks and call sites are therefore easier to
  get right here than in a service whose maps all follow the same traffic.
- No restarts, no gaps in the series, no groups of several maps, no memory that is handed back late.
- Lifetimes, rates and sizes are drawn from ranges that were thought to be typical; a service outside
  of them may be judged better or worse.
- Precision depends on how many of the programs leak. Here it is two of five days; where leaks are
  rare, the share of false alarms among sound programs is the figure to look at.
- What fills up to a bound that nobody declares cannot be told from a leak by anybody who looks at it
  from outside. Declare it: `max_entries`, `expected_ttl`.
- A tight memory limit makes growth that levels off late look like harm sooner: see the rows of
  0.5 GB above.
- `suspect` is no alarm. It says where to look first, and is often wrong.

";
