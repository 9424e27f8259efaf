//! How far apart two distributions are, from counts in the same bins.

/// Bins of [`psi`] over numbers: each holds about a tenth of the baseline.
const BINS: usize = 10;

/// The least share that a bin counts as, so that an empty one gives no infinity.
const LEAST_SHARE: f64 = 1e-4;

/// The statistic of Kolmogorov and Smirnov: the greatest distance of the two cumulative shares, looked at where
/// bins end. The bins are in order. None if either side is empty.
pub(crate) fn ks(bins: &[(u64, u64)]) -> Option<f64> {
    let (all_now, all_before) = totals(bins)?;
    let (mut now, mut before) = (0_u64, 0_u64);
    let distances = bins.iter().map(|(more_now, more_before)| {
        (now, before) = (now + more_now, before + more_before);
        (now as f64 / all_now - before as f64 / all_before).abs()
    });
    Some(distances.fold(0.0, f64::max))
}

/// The population stability index: the sum over bins of (now − before) · ln(now / before) of the shares, each at
/// least 0.0001. None if either side is empty.
pub(crate) fn psi(bins: &[(u64, u64)]) -> Option<f64> {
    let (all_now, all_before) = totals(bins)?;
    let share = |count: u64, all: f64| (count as f64 / all).max(LEAST_SHARE);
    let terms = bins.iter().map(|(now, before)| {
        let (now, before) = (share(*now, all_now), share(*before, all_before));
        (now - before) * (now / before).ln()
    });
    Some(terms.sum())
}

/// Takes neighbouring bins together until there are about ten that hold as many values of the baseline each.
pub(crate) fn tenths(bins: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let all: u64 = bins.iter().map(|(_, before)| before).sum();
    let (mut wide, mut open, mut passed) = (Vec::new(), (0, 0), 0_u64);
    for (now, before) in bins {
        open = (open.0 + now, open.1 + before);
        passed += before;
        // The last bin takes what lies beyond the baseline, the first what lies before.
        if wide.len() + 1 < BINS && open.1 > 0 && passed * BINS as u64 >= all * (wide.len() as u64 + 1) {
            wide.push(open);
            open = (0, 0);
        }
    }
    match wide.last_mut() {
        Some(last) if open.1 == 0 => *last = (last.0 + open.0, last.1),
        _ => wide.extend((open != (0, 0)).then_some(open)),
    }
    wide
}

fn totals(bins: &[(u64, u64)]) -> Option<(f64, f64)> {
    let now: u64 = bins.iter().map(|(now, _)| now).sum();
    let before: u64 = bins.iter().map(|(_, before)| before).sum();
    (now > 0 && before > 0).then_some((now as f64, before as f64))
}
