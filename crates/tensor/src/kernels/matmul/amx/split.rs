//! Copies of panels of A and B as the matrix unit reads them: every f32 as the sum of three bf16.

use core::arch::x86_64::*;

use super::{CHUNK, PART, STEP, TILE};
use crate::kernels::memory::prefetch;

/// Floats of a register.
pub(super) const LANES: usize = 16;

/// Where a panel of at most 32 rows of A, or columns of B, lies: elements along one of its two sides are adjacent.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    pub(super) from: *const f32,
    /// From one line of adjacent elements to the next.
    pub(super) stride: isize,
    /// Rows of A or columns of B.
    pub(super) width: usize,
    pub(super) depth: usize,
    /// For each chunk of k, a tile of 16 rows (of A) or columns (of B) for each part and half of the panel.
    pub(super) to: *mut u8,
    /// The largest magnitude of each row or column so far, as bits.
    pub(super) largest: *mut u32,
}

/// The parts of 16 floats, each as an f32 whose lower half is zero: the nearest bf16, that of what is left, and the rest.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
pub(super) fn parts(x: __m512) -> [__m512i; 3] {
    // Half of the last place is added to the magnitude, and what is behind it cut off.
    let (half, upper) = (_mm512_set1_epi32(0x8000), _mm512_set1_epi32(0xffff_0000_u32 as i32));
    let nearest = |x| _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(x), half), upper);
    let first = nearest(x);
    let rest = _mm512_sub_ps(x, _mm512_castsi512_ps(first));
    let second = nearest(rest);
    let third = _mm512_sub_ps(rest, _mm512_castsi512_ps(second));
    [first, second, _mm512_castps_si512(third)]
}

/// The upper halves of the floats of two registers, those of `x` below those of `y`.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
pub(super) fn pairs(x: __m512i, y: __m512i) -> __m512i {
    _mm512_mask_blend_epi16(0xaaaa_aaaa, _mm512_srli_epi32::<16>(x), y)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
pub(super) fn magnitude(x: __m512) -> __m512i {
    _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(i32::MAX))
}

pub(super) fn mask(n: usize) -> __mmask16 {
    ((1u32 << n.min(LANES)) - 1) as __mmask16
}

/// The tile of a part and half of a panel in a chunk.
fn tile(to: *mut u8, chunk: usize, part: usize, half: usize) -> *mut u8 {
    to.wrapping_add(chunk * CHUNK + part * PART + half * TILE)
}

/// A line of a panel, and zeros behind its last k.
///
/// # Safety
/// The elements of the mask are readable, if the line is there.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
unsafe fn line(from: *const f32, there: bool, lanes: __mmask16) -> __m512 {
    // The next panel lies beside this one.
    prefetch(from.wrapping_add(2 * LANES).cast());
    // SAFETY: promised by the caller; what is masked is not read.
    unsafe { _mm512_maskz_loadu_ps(if there { lanes } else { 0 }, from) }
}

/// Columns of B that are adjacent, or rows of A, whose tiles are then turned.
///
/// # Safety
/// The level is AMX; `depth` lines of `width` elements are readable, `to` is writable for the chunks, and `largest` for a panel.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
pub(super) unsafe fn adjacent_sides<const TURN: bool>(p: &Panel) {
    for half in 0..p.width.div_ceil(LANES) {
        let lanes = mask(p.width - half * LANES);
        // SAFETY: promised by the caller; what is not there is not read, and zero.
        unsafe {
            let from = p.from.add(half * LANES);
            let mut largest = _mm512_loadu_si512(p.largest.add(half * LANES).cast());
            for chunk in 0..p.depth.div_ceil(STEP) {
                let to = tile(p.to, chunk, 0, half);
                for pair in 0..LANES {
                    let k = chunk * STEP + pair;
                    let x = line(from.wrapping_offset(k as isize * p.stride), k < p.depth, lanes);
                    let k = k + LANES;
                    let y = line(from.wrapping_offset(k as isize * p.stride), k < p.depth, lanes);
                    largest = _mm512_max_epu32(largest, _mm512_max_epu32(magnitude(x), magnitude(y)));
                    let ([x0, x1, x2], [y0, y1, y2]) = (parts(x), parts(y));
                    let to = to.add(pair * 64);
                    _mm512_store_si512(to.cast(), pairs(x0, y0));
                    _mm512_store_si512(to.add(PART).cast(), pairs(x1, y1));
                    _mm512_store_si512(to.add(2 * PART).cast(), pairs(x2, y2));
                }
                if TURN {
                    (0..3).for_each(|part| turn(to.add(part * PART)));
                }
            }
            _mm512_storeu_si512(p.largest.add(half * LANES).cast(), largest);
        }
    }
}

/// Rows of A whose k are adjacent, or columns of B, whose tiles are then turned.
///
/// # Safety
/// As for [`adjacent_sides`], for `width` lines of `depth` elements.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
pub(super) unsafe fn adjacent_depth<const TURN: bool>(p: &Panel) {
    let chunks = p.depth.div_ceil(STEP);
    // Line after line, from end to end: so memory is read as it can be read fastest.
    for side in 0..p.width.next_multiple_of(LANES) {
        let (half, line) = (side / LANES, side % LANES);
        // SAFETY: promised by the caller; what is not there is not read, and zero.
        unsafe {
            let from = p.from.wrapping_offset(side as isize * p.stride);
            let mut largest = _mm512_setzero_si512();
            for chunk in 0..chunks {
                let to = tile(p.to, chunk, 0, half).wrapping_add(line * 64);
                let k = chunk * STEP;
                let there = if side < p.width { p.depth - k } else { 0 };
                let x = _mm512_maskz_loadu_ps(mask(there), from.wrapping_add(k));
                let y = _mm512_maskz_loadu_ps(mask(there.saturating_sub(LANES)), from.wrapping_add(k + LANES));
                largest = _mm512_max_epu32(largest, _mm512_max_epu32(magnitude(x), magnitude(y)));
                let ([x0, x1, x2], [y0, y1, y2]) = (parts(x), parts(y));
                _mm512_store_si512(to.cast(), pairs(x0, y0));
                _mm512_store_si512(to.add(PART).cast(), pairs(x1, y1));
                _mm512_store_si512(to.add(2 * PART).cast(), pairs(x2, y2));
            }
            if side < p.width {
                let known = p.largest.add(side);
                *known = (*known).max(_mm512_reduce_max_epu32(largest));
            }
            if TURN && line == LANES - 1 {
                for (chunk, part) in (0..chunks).flat_map(|chunk| (0..3).map(move |part| (chunk, part))) {
                    turn(tile(p.to, chunk, part, half));
                }
            }
        }
    }
}

/// Transposes a tile: 16 × 16 pairs.
///
/// # Safety
/// The tile is readable and writable.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
unsafe fn turn(tile: *mut u8) {
    let mut x = [_mm512_setzero_si512(); LANES];
    for (i, line) in x.iter_mut().enumerate() {
        // SAFETY: 16 rows of 64 bytes are the tile.
        *line = unsafe { _mm512_load_si512(tile.add(i * 64).cast()) };
    }
    let mut y = x;
    for i in 0..8 {
        y[2 * i] = _mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
        y[2 * i + 1] = _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
    }
    // In each lane of 128 bits stand now four lines of a column.
    for i in 0..4 {
        let (a, b, c, d) = (y[4 * i], y[4 * i + 1], y[4 * i + 2], y[4 * i + 3]);
        x[4 * i] = _mm512_unpacklo_epi64(a, c);
        x[4 * i + 1] = _mm512_unpackhi_epi64(a, c);
        x[4 * i + 2] = _mm512_unpacklo_epi64(b, d);
        x[4 * i + 3] = _mm512_unpackhi_epi64(b, d);
    }
    // What is left is a transpose of 4 × 4 such lanes, for each of four columns.
    for column in 0..4 {
        let (a, b, c, d) = (x[column], x[4 + column], x[8 + column], x[12 + column]);
        let (ab_low, ab_high) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
        let (cd_low, cd_high) = (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
        let rows = [
            _mm512_shuffle_i32x4::<0x88>(ab_low, cd_low),
            _mm512_shuffle_i32x4::<0x88>(ab_high, cd_high),
            _mm512_shuffle_i32x4::<0xdd>(ab_low, cd_low),
            _mm512_shuffle_i32x4::<0xdd>(ab_high, cd_high),
        ];
        for (lane, row) in rows.into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { _mm512_store_si512(tile.add((4 * lane + column) * 64).cast(), row) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::level::Level;
    use crate::kernels::matmul::amx::SIDE;

    /// The first bf16 of a chunk's tile: `parts` of the element at a side and a k.
    fn found(chunks: &[u8], columns: bool, side: usize, k: usize) -> [f32; 3] {
        let (half, lane) = (side / 16, side % 16);
        let (pair, second) = (k % 16, k % 32 / 16);
        let place = second * 2 + if columns { pair * 64 + lane * 4 } else { lane * 64 + pair * 4 };
        [0, 1, 2].map(|part| {
            let at = k / 32 * CHUNK + part * PART + half * TILE + place;
            f32::from_bits(u32::from(u16::from_le_bytes([chunks[at], chunks[at + 1]])) << 16)
        })
    }

    #[repr(C, align(64))]
    struct Room([u8; 3 * CHUNK]);

    #[test]
    fn every_element_is_the_sum_of_its_parts() {
        if !Level::Amx.is_available() {
            println!("skipped: no matrix unit");
            return;
        }
        let values: Vec<f32> =
            (0..96 * 40).map(|i| ((i * 7919 % 10007) as f32 - 5000.0) * 1.000_123 * 2f32.powi(i % 30 - 15)).collect();
        for (width, depth) in [(32, 96), (31, 95), (17, 33), (16, 32), (5, 3), (1, 64)] {
            for (columns, along) in [(true, true), (true, false), (false, true), (false, false)] {
                let mut room = Box::new(Room([0xff; 3 * CHUNK]));
                let mut largest = [0u32; SIDE];
                let stride = if along { 96 } else { 40 };
                let panel = Panel {
                    from: values.as_ptr(),
                    stride,
                    width,
                    depth,
                    to: room.0.as_mut_ptr(),
                    largest: largest.as_mut_ptr(),
                };
                // SAFETY: the values and the rooms are large enough, and the level is available.
                unsafe {
                    match (along, columns) {
                        (true, true) => adjacent_depth::<true>(&panel),
                        (true, false) => adjacent_depth::<false>(&panel),
                        (false, true) => adjacent_sides::<false>(&panel),
                        (false, false) => adjacent_sides::<true>(&panel),
                    }
                }
                for (side, &largest) in largest.iter().enumerate().take(width.next_multiple_of(16)) {
                    let mut most = 0f32;
                    for k in 0..depth.next_multiple_of(32) {
                        let at = if along { side * 96 + k } else { k * 40 + side };
                        let wanted = if side < width && k < depth { values[at] } else { 0.0 };
                        let [x, y, z] = found(&room.0, columns, side, k);
                        assert_eq!(f64::from(x) + f64::from(y) + f64::from(z), f64::from(wanted), "{side} {k}");
                        assert!(y.abs() <= x.abs() / 256.0 && z.abs() <= y.abs() / 128.0, "{x} {y} {z}");
                        most = most.max(wanted.abs());
                    }
                    assert_eq!(f32::from_bits(largest), most);
                }
            }
        }
    }
}
