//! The frames below a workload.

/// As many as below a handler of a web service: what a stack capture walks.
const DEPTH: u32 = 33;

/// Runs the work below some 33 frames.
pub fn at_depth<F: FnOnce()>(work: F) {
    descend(DEPTH, work);
}

#[inline(never)]
fn descend<F: FnOnce()>(depth: u32, work: F) {
    if depth == 0 {
        work();
    } else {
        descend(depth - 1, work);
    }
    // Keeps the call above from being a tail call, which would leave one frame only.
    std::hint::black_box(depth);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frames_are_there() {
        let here = std::backtrace::Backtrace::force_capture();
        let mut below = None;
        at_depth(|| below = Some(std::backtrace::Backtrace::force_capture()));
        let frames =
            |trace: &std::backtrace::Backtrace| trace.to_string().matches("descend").count();
        assert_eq!(frames(&here), 0);
        assert!(below.is_some_and(|trace| frames(&trace) > 30));
    }
}
