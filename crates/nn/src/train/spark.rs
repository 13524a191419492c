//! A curve in one line of text.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws the values as at most `width` bars between their own minimum and maximum.
///
/// More values than bars are averaged in groups; a value that is not finite is a `×`; a flat curve lies in the middle.
///
/// ```
/// use wengert_nn::train::spark::sparkline;
///
/// assert_eq!(sparkline(&[8.0, 4.0, 2.0, 1.0], 40), "█▄▂▁");
/// ```
pub fn sparkline(values: &[f64], width: usize) -> String {
    let bars = values.len().min(width);
    let groups = (0..bars).map(|bar| {
        let group = values.get(bar * values.len() / bars..(bar + 1) * values.len() / bars).unwrap_or(&[]);
        group.iter().sum::<f64>() / group.len() as f64
    });
    let heights: Vec<f64> = groups.collect();
    let finite = || heights.iter().copied().filter(|height| height.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let bar = |height: f64| {
        if !height.is_finite() {
            return '×';
        }
        // Halves first: the difference of two finite numbers may be infinite.
        let at = if high > low { (height / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) } else { 0.4 };
        BARS.get((at * 8.0) as usize).copied().unwrap_or('█')
    };
    heights.iter().map(|&height| bar(height)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_curve() {
        assert_eq!(sparkline(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 8), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[3.0, 3.0], 8), "▄▄");
        assert_eq!(sparkline(&[], 8), "");
        assert_eq!(sparkline(&[1.0], 0), "");
        assert_eq!(sparkline(&[0.0, f64::NAN, 1.0], 8), "▁×█");
        assert_eq!(sparkline(&[f64::MIN, f64::MAX], 8), "▁█");
        assert_eq!(sparkline(&(0..1000).map(f64::from).collect::<Vec<_>>(), 30).chars().count(), 30);
    }
}
