//! Lines of equal height on a grid, by marching squares.

use std::collections::HashMap;

/// The border between two neighbouring nodes: its lower node, and whether the other one lies in the next row.
type Edge = (usize, usize, bool);

/// The lines on which a grid of `(rows, columns)` nodes has the height `level`, as lists of (row, column) places.
///
/// Cells with a value that is not finite have no line.
pub(super) fn contour(
    value: impl Fn(usize, usize) -> f64,
    (rows, columns): (usize, usize),
    level: f64,
) -> Vec<Vec<(f64, f64)>> {
    let mut pieces: Vec<(Edge, Edge)> = Vec::new();
    for row in 0..rows.saturating_sub(1) {
        for column in 0..columns.saturating_sub(1) {
            // Around the cell: the corner k and the edge from it to the corner after it.
            let corners = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)];
            let [bottom, right, top, left] =
                [(row, column, false), (row, column + 1, true), (row + 1, column, false), (row, column, true)];
            let heights = corners.map(|(r, c)| value(r, c));
            if heights.iter().any(|height| !height.is_finite()) {
                continue;
            }
            let above = heights.map(|height| height > level);
            let crossed = |a: bool, b: bool, edge: Edge| (a != b).then_some(edge);
            let [a, b, c, d] = above;
            let edges = [crossed(a, b, bottom), crossed(b, c, right), crossed(c, d, top), crossed(d, a, left)];
            let found: Vec<Edge> = edges.into_iter().flatten().collect();
            match *found.as_slice() {
                [from, to] => pieces.push((from, to)),
                // Two opposite corners are above: the height in the middle says which of them are joined.
                [bottom, right, top, left] => {
                    let middle = heights.iter().sum::<f64>() / 4.0 > level;
                    if middle == a {
                        pieces.extend([(bottom, right), (top, left)]);
                    } else {
                        pieces.extend([(left, bottom), (right, top)]);
                    }
                }
                _ => {}
            }
        }
    }
    let place = |(row, column, up): Edge| {
        let (from, to) = (value(row, column), if up { value(row + 1, column) } else { value(row, column + 1) });
        let share = ((level - from) / (to - from)).clamp(0.0, 1.0);
        if up { (row as f64 + share, column as f64) } else { (row as f64, column as f64 + share) }
    };
    chains(&pieces).into_iter().map(|chain| chain.into_iter().map(place).collect()).collect()
}

/// Joins pieces that share an end into long lines. An edge belongs to at most two pieces.
fn chains(pieces: &[(Edge, Edge)]) -> Vec<Vec<Edge>> {
    let mut at_edge: HashMap<Edge, Vec<usize>> = HashMap::new();
    for (piece, &(from, to)) in pieces.iter().enumerate() {
        at_edge.entry(from).or_default().push(piece);
        at_edge.entry(to).or_default().push(piece);
    }
    let mut used = vec![false; pieces.len()];
    let mut next = |end: Edge| -> Option<Edge> {
        let piece = at_edge.get(&end)?.iter().copied().find(|&piece| used.get(piece) == Some(&false))?;
        if let Some(mark) = used.get_mut(piece) {
            *mark = true;
        }
        let &(from, to) = pieces.get(piece)?;
        Some(if from == end { to } else { from })
    };
    // Open lines first, from their ends; what is left are rings.
    let ends =
        pieces.iter().flat_map(|&(from, to)| [from, to]).filter(|edge| at_edge.get(edge).is_some_and(|n| n.len() == 1));
    let rings = pieces.iter().map(|&(from, _)| from);
    let mut lines = Vec::new();
    for start in ends.chain(rings) {
        let mut line = vec![start];
        let mut end = start;
        while let Some(edge) = next(end) {
            line.push(edge);
            end = edge;
        }
        if line.len() > 1 {
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_one_closed_line() {
        let height = |row: usize, column: usize| {
            let (y, x) = (row as f64 / 10.0 - 2.0, column as f64 / 10.0 - 2.0);
            x * x + y * y
        };
        let lines = contour(height, (41, 41), 1.0);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last());
        for &(row, column) in &lines[0] {
            let radius = ((row / 10.0 - 2.0).powi(2) + (column / 10.0 - 2.0).powi(2)).sqrt();
            assert!((radius - 1.0).abs() < 0.01, "{radius}");
        }
        assert!(contour(height, (41, 41), 100.0).is_empty());
        assert!(contour(height, (0, 0), 1.0).is_empty());
    }

    #[test]
    fn a_slope_is_one_open_line() {
        let lines = contour(|_, column| column as f64, (5, 5), 1.5);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].len(), 5);
        assert!(lines[0].iter().all(|&(_, column)| column == 1.5));
    }

    #[test]
    fn a_saddle_is_two_lines() {
        let lines = contour(|row, column| (row as f64 - 2.5) * (column as f64 - 2.5), (6, 6), 0.1);
        assert_eq!(lines.len(), 2);
        assert!(contour(|row, column| if row == column { 1.0 } else { f64::NAN }, (4, 4), 0.5).is_empty());
    }
}
