//! Since when something grows.

use std::time::Duration;

/// This share of the rise above the floor is noise.
const NOISE: f64 = 0.05;

/// The last time at which the size was still near the lowest that is known: so long it has
/// been growing. `points` from the oldest to the newest. `None` if it is there now, or if
/// there are no points.
pub(super) fn growing_since(points: &[(Duration, f64)]) -> Option<Duration> {
    let (_, now) = *points.last()?;
    let floor = points
        .iter()
        .map(|(_, size)| *size)
        .fold(f64::INFINITY, f64::min);
    if now <= floor {
        return None;
    }
    let near = floor + NOISE * (now - floor);
    let last = points.iter().rev().find(|(_, size)| *size <= near)?;
    Some(last.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(sizes: &[f64]) -> Option<u64> {
        let points: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(at, size)| (Duration::from_secs(at as u64), *size))
            .collect();
        growing_since(&points).map(|at| at.as_secs())
    }

    #[test]
    fn the_end_of_the_floor() {
        assert_eq!(since(&[]), None);
        assert_eq!(since(&[3.0]), None);
        assert_eq!(since(&[3.0, 2.0]), None, "it shrinks");
        assert_eq!(since(&[0.0, 10.0, 20.0]), Some(0));
        assert_eq!(since(&[9.0, 10.0, 9.5, 10.0, 20.0, 30.0, 40.0]), Some(3));
        assert_eq!(since(&[50.0, 60.0, 0.0, 10.0, 20.0]), Some(2), "cleared");
    }
}
