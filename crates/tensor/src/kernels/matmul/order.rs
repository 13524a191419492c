//! The order in which k is summed. It depends on k alone, and every path keeps to it.
//!
//! k is cut into blocks of equal length. Inside a block a chain of multiply-adds runs from zero in ascending k; then
//! C is the first block, and each later block is added to it.

/// The longest block of k. A column panel of this depth stays in the L1 cache.
pub(super) const DEPTH: usize = 400;

/// The blocks of `k`, ascending, as start and length.
#[inline]
pub(super) fn blocks(k: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    let depth = depth(k);
    let mut next = 0;
    std::iter::from_fn(move || {
        let start = next;
        next += depth;
        (start < k).then(|| (start, depth.min(k - start)))
    })
}

/// The length of all blocks but the last: even, and a multiple of the squares that are transposed.
#[inline]
pub(super) fn depth(k: usize) -> usize {
    if k <= DEPTH {
        return k.max(1);
    }
    k.div_ceil(k.div_ceil(DEPTH)).next_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_k() {
        for k in 0..2000 {
            let mut end = 0;
            for (start, depth) in blocks(k) {
                assert_eq!(start, end);
                assert!((1..=DEPTH).contains(&depth));
                end += depth;
            }
            assert_eq!(end, k);
            assert_eq!(blocks(k).count(), k.div_ceil(DEPTH));
        }
        assert_eq!(blocks(784).collect::<Vec<_>>(), [(0, 392), (392, 392)]);
    }
}
