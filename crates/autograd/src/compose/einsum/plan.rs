//! In which order the products of an `einsum` are taken, two operands at a time.
//!
//! A product costs as many multiplications as the sizes of all its axes make. For up to [`EXACT`] operands the order with
//! the smallest sum is found: the best way to a set of operands is a best way to two parts of it. Beyond that the next
//! product is the one that makes memory grow least, as in opt_einsum (<https://doi.org/10.21105/joss.00753>).

/// A set of axes: bit i is axis i.
pub(super) type Set = u128;

/// Up to so many operands, the best order is found.
const EXACT: usize = 5;

/// The pairs to multiply: operands have the numbers 0, 1, …, and each product gets the next one.
pub(super) fn plan(operands: &[Set], result: Set, sizes: &[usize]) -> Vec<(usize, usize)> {
    match operands.len() {
        0 | 1 => Vec::new(),
        n if n <= EXACT => best(operands, result, sizes),
        _ => greedy(operands, result, sizes),
    }
}

/// The number of elements of a value with these axes.
fn volume(axes: Set, sizes: &[usize]) -> f64 {
    sizes.iter().enumerate().filter(|(i, _)| axes >> i & 1 == 1).map(|(_, &size)| size as f64).product()
}

/// What is known of the best way to a set of operands.
#[derive(Clone, Copy)]
struct Way {
    /// Multiplications, then elements of what lies between.
    cost: (f64, f64),
    axes: Set,
    /// One of its two parts; the other is the rest. Zero for an operand.
    part: usize,
}

fn best(operands: &[Set], result: Set, sizes: &[usize]) -> Vec<(usize, usize)> {
    let all = (1usize << operands.len()) - 1;
    // The axes that are still needed when the operands of a set were multiplied.
    let needed = |set: usize| {
        let outside = operands.iter().enumerate().filter(|(i, _)| set >> i & 1 == 0);
        outside.fold(result, |axes, (_, operand)| axes | operand)
    };
    let mut ways: Vec<Option<Way>> = vec![None; all + 1];
    for set in 1..=all {
        let mut found = match set.is_power_of_two() {
            true => operands.get(set.trailing_zeros() as usize).map(|&axes| Way { cost: (0.0, 0.0), axes, part: 0 }),
            false => None,
        };
        let mut part = set & set.wrapping_sub(1);
        while part > 0 {
            // Each pair of parts is seen once.
            if let (true, Some(Some(a)), Some(Some(b))) = (part > set ^ part, ways.get(part), ways.get(set ^ part)) {
                let (union, axes) = (a.axes | b.axes, (a.axes | b.axes) & needed(set));
                let cost = (a.cost.0 + b.cost.0 + volume(union, sizes), a.cost.1 + b.cost.1 + volume(axes, sizes));
                if found.is_none_or(|found| cost < found.cost) {
                    found = Some(Way { cost, axes, part });
                }
            }
            part = part.wrapping_sub(1) & set;
        }
        if let Some(way) = ways.get_mut(set) {
            *way = found;
        }
    }

    // The sets on the best way, from the last to the first; a product follows its parts.
    let mut sets = vec![all];
    let mut at = 0;
    while let Some(&set) = sets.get(at) {
        if let Some(Some(Way { part: part @ 1.., .. })) = ways.get(set) {
            sets.extend([*part, set ^ part].into_iter().filter(|part| !part.is_power_of_two()));
        }
        at += 1;
    }
    let products: Vec<usize> = sets.into_iter().rev().collect();
    let number = |set: usize| match set.is_power_of_two() {
        true => set.trailing_zeros() as usize,
        false => operands.len() + products.iter().position(|&product| product == set).unwrap_or_default(),
    };
    let pair = |&set: &usize| {
        let part = ways.get(set).copied().flatten().map_or(0, |way| way.part);
        let (a, b) = (number(part), number(set ^ part));
        (a.min(b), a.max(b))
    };
    products.iter().map(pair).collect()
}

/// A product that may come next.
struct Next {
    /// How much memory grows, then multiplications.
    cost: (f64, f64),
    pair: (usize, usize),
    axes: Set,
}

fn greedy(operands: &[Set], result: Set, sizes: &[usize]) -> Vec<(usize, usize)> {
    let mut open: Vec<(usize, Set)> = operands.iter().copied().enumerate().collect();
    let mut pairs = Vec::new();
    while open.len() > 1 {
        let mut found: Option<Next> = None;
        for (i, a) in open.iter().enumerate() {
            for (j, b) in open.iter().enumerate().skip(i + 1) {
                let others = open.iter().enumerate().filter(|&(k, _)| k != i && k != j);
                let needed = others.fold(result, |axes, (_, (_, other))| axes | other);
                let (union, axes) = (a.1 | b.1, (a.1 | b.1) & needed);
                let growth = volume(axes, sizes) - volume(a.1, sizes) - volume(b.1, sizes);
                let cost = (growth, volume(union, sizes));
                if found.as_ref().is_none_or(|found| cost < found.cost) {
                    found = Some(Next { cost, pair: (i, j), axes });
                }
            }
        }
        let Some(Next { pair: (i, j), axes, .. }) = found else { return pairs };
        let (b, a) = (open.remove(j), open.remove(i));
        open.push((operands.len() + pairs.len(), axes));
        pairs.push((a.0, b.0));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Operands as words, axes as letters.
    fn planned(operands: &[&str], result: &str, size: impl Fn(u8) -> usize) -> Vec<(usize, usize)> {
        let set = |word: &str| word.bytes().fold(0, |set: Set, c| set | 1 << (c - b'a'));
        let sizes: Vec<usize> = (b'a'..=b'z').map(size).collect();
        plan(&operands.iter().map(|word| set(word)).collect::<Vec<_>>(), set(result), &sizes)
    }

    #[test]
    fn a_chain_is_multiplied_from_its_thin_end() {
        // 100 × 100, 100 × 100, 100 × 1: the vector first.
        let size = |c| if c == b'd' { 1 } else { 100 };
        assert_eq!(planned(&["ab", "bc", "cd"], "ad", size), [(1, 2), (0, 3)]);
        let size = |c| if c == b'a' { 1 } else { 100 };
        assert_eq!(planned(&["ab", "bc", "cd"], "ad", size), [(0, 1), (2, 3)]);
    }

    #[test]
    fn every_operand_is_used_once() {
        for n in 1..9usize {
            let words: Vec<String> =
                (0..n as u8).map(|i| String::from_utf8(vec![b'a' + i, b'b' + i]).unwrap()).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let mut used: Vec<usize> =
                planned(&words, "a", |c| c as usize).into_iter().flat_map(|(a, b)| [a, b]).collect();
            used.sort_unstable();
            assert_eq!(used, (0..2 * n - 2).collect::<Vec<_>>(), "{n} operands");
        }
    }

    #[test]
    fn greed_finds_the_thin_end_of_a_long_chain() {
        let size = |c| if c == b'g' { 1 } else { 50 };
        let pairs = planned(&["ab", "bc", "cd", "de", "ef", "fg"], "ag", size);
        assert_eq!(pairs, [(4, 5), (3, 6), (2, 7), (1, 8), (0, 9)]);
    }
}
