//! Folds with a fixed order: element i of a row goes to accumulator i mod [`LANES`], and the accumulators meet in a
//! halving tree. The order follows from the length of the row alone, so neither tiles, threads nor instruction sets
//! change a bit.

use crate::kernels::level::Level;
use crate::kernels::tile::lane::{self, Lane, Machine};
use crate::kernels::tile::{ColumnsFn, LanesFn, Map, RowsFn, TileFn};

/// How many accumulators a row is folded into.
pub const LANES: usize = 64;

/// As many elements at a time behind the last whole chunk: a vector or more.
const STEP: usize = 8;

/// The formula of a fold: two values of a type make one.
pub(crate) trait Fold: Map<A = Self::T, B = Self::T, C = (), Out = Self::T> {
    type T: Lane;
}

impl<T: Lane, K: Map<A = T, B = T, C = (), Out = T>> Fold for K {
    type T = T;
}

/// One kernel for each level.
macro_rules! by_level {
    ($entry:ident -> $fn:ty: $body:ident, $avx2:ident, $avx512:ident, ($($arg:ident: $t:ty),*)) => {
        /// The kernel of the fold `K` on `level`.
        pub(crate) fn $entry<K: Fold>(level: Level) -> $fn {
            unsafe fn baseline<K: Fold>($($arg: $t),*) {
                // SAFETY: the caller keeps the contract of the pointer's type.
                unsafe { $body::<K, lane::Baseline>($($arg),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn $avx2<K: Fold>($($arg: $t),*) {
                // SAFETY: the caller keeps the contract of the pointer's type.
                unsafe { $body::<K, lane::Wide>($($arg),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
            unsafe fn $avx512<K: Fold>($($arg: $t),*) {
                // SAFETY: the caller keeps the contract of the pointer's type.
                unsafe { $body::<K, lane::Wide>($($arg),*) }
            }

            match level {
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => $avx2::<K>,
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 | Level::Amx => $avx512::<K>,
                _ => baseline::<K>,
            }
        }
    };
}

by_level!(accumulate -> TileFn: accumulate_tile, avx2, avx512,
    (dst: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize));
by_level!(finish -> TileFn: finish_tile, avx2, avx512,
    (dst: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize));
by_level!(lanes -> LanesFn: fold_lanes, avx2, avx512,
    (dst: *mut u8, src: *const u8, identity: *const u8, rows: usize, cols: usize));
by_level!(rows -> RowsFn: fold_rows, avx2, avx512, (dst: *mut u8, src: *const u8, rows: usize, cols: usize));
by_level!(columns -> ColumnsFn: fold_columns, avx2, avx512,
    (dst: *mut u8, src: *const u8, rows: usize, cols: usize, stride: usize));

/// # Safety
/// As for [`TileFn`], but `dst` is valid for [`LANES`] elements whatever `n` is.
#[inline(always)]
unsafe fn accumulate_tile<K: Fold, M: Machine>(dst: *mut u8, a: *const u8, _b: *const u8, _c: *const u8, n: usize) {
    let (dst, mut a) = (dst.cast::<K::T>(), a.cast::<K::T>());
    // SAFETY: the accumulators are a full chunk, and the source is read within its `n` elements.
    unsafe {
        let mut lanes = dst.cast::<[K::T; LANES]>().read();
        for _ in 0..n / LANES {
            let values = &*a.cast::<[K::T; LANES]>();
            for i in 0..LANES {
                lanes[i] = K::map::<M>(lanes[i], values[i], ());
            }
            a = a.add(LANES);
        }
        for (i, lane) in lanes.iter_mut().enumerate().take(n % LANES) {
            *lane = K::map::<M>(*lane, a.add(i).read(), ());
        }
        dst.cast::<[K::T; LANES]>().write(lanes);
    }
}

/// # Safety
/// `a` is valid for [`LANES`] elements and `dst` for one.
#[inline(always)]
unsafe fn finish_tile<K: Fold, M: Machine>(dst: *mut u8, a: *const u8, _b: *const u8, _c: *const u8, _n: usize) {
    // SAFETY: as above.
    let mut lanes = unsafe { a.cast::<[K::T; LANES]>().read() };
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = K::map::<M>(lanes[i], lanes[i + half], ());
        }
        half /= 2;
    }
    // SAFETY: as above.
    unsafe { dst.cast::<K::T>().write(lanes[0]) }
}

/// What [`accumulate_tile`] and [`finish_tile`] do to each row, without a way through memory between the two.
///
/// # Safety
/// As for [`LanesFn`].
#[inline(always)]
unsafe fn fold_lanes<K: Fold, M: Machine>(dst: *mut u8, src: *const u8, identity: *const u8, rows: usize, cols: usize) {
    let (dst, src) = (dst.cast::<K::T>(), src.cast::<K::T>());
    // SAFETY: the rows lie within the source and the destination, and the identity is one element.
    unsafe {
        let identity = identity.cast::<K::T>().read_unaligned();
        for r in 0..rows {
            let row = src.add(r * cols);
            let mut lanes = [identity; LANES];
            for chunk in 0..cols / LANES {
                let values = &*row.add(chunk * LANES).cast::<[K::T; LANES]>();
                for i in 0..LANES {
                    lanes[i] = K::map::<M>(lanes[i], values[i], ());
                }
            }
            let rest = cols % LANES;
            if rest > 0 {
                lanes = fold_rest::<K, M>(lanes, row.add(cols - rest), rest);
            }
            dst.add(r).write(tree::<K, M>(&lanes));
        }
    }
}

/// Folds the elements behind the last whole chunk into the first accumulators.
///
/// # Safety
/// `rest` has `n` elements, fewer than [`LANES`].
#[inline(always)]
unsafe fn fold_rest<K: Fold, M: Machine>(mut lanes: [K::T; LANES], rest: *const K::T, n: usize) -> [K::T; LANES] {
    let whole = n - n % STEP;
    // SAFETY: the elements lie within the source.
    unsafe {
        for start in (0..whole).step_by(STEP) {
            let values = &*rest.add(start).cast::<[K::T; STEP]>();
            for (lane, value) in lanes[start..start + STEP].iter_mut().zip(values) {
                *lane = K::map::<M>(*lane, *value, ());
            }
        }
        for (i, lane) in lanes[whole..n].iter_mut().enumerate() {
            *lane = K::map::<M>(*lane, rest.add(whole + i).read(), ());
        }
    }
    lanes
}

/// The halving tree, step by step: the compiler keeps arrays of known length in registers.
#[inline(always)]
fn tree<K: Fold, M: Machine>(lanes: &[K::T; LANES]) -> K::T {
    macro_rules! halve {
        ($lanes:expr, $half:literal $($rest:literal)*) => {{
            let lanes = $lanes;
            let half: [K::T; $half] = std::array::from_fn(|i| K::map::<M>(lanes[i], lanes[i + $half], ()));
            halve!(half, $($rest)*)
        }};
        ($lanes:expr,) => {
            $lanes[0]
        };
    }
    halve!(lanes, 32 16 8 4 2 1)
}

/// # Safety
/// As for [`RowsFn`], and `cols` is not zero.
#[inline(always)]
unsafe fn fold_rows<K: Fold, M: Machine>(dst: *mut u8, src: *const u8, rows: usize, cols: usize) {
    /// Rows folded side by side: the machine need not wait for the one to go on with the other.
    const ABREAST: usize = 8;
    let (dst, src) = (dst.cast::<K::T>(), src.cast::<K::T>());
    let at = |r: usize, c: usize| {
        // SAFETY: the rows lie within the source.
        unsafe { src.add(r * cols + c).read() }
    };
    let whole = rows - rows % ABREAST;
    for r in (0..whole).step_by(ABREAST) {
        let mut values = [at(r, 0); ABREAST];
        for (i, value) in values.iter_mut().enumerate() {
            *value = at(r + i, 0);
        }
        for c in 1..cols {
            for (i, value) in values.iter_mut().enumerate() {
                *value = K::map::<M>(*value, at(r + i, c), ());
            }
        }
        // SAFETY: the rows lie within the destination.
        unsafe { dst.add(r).cast::<[K::T; ABREAST]>().write(values) }
    }
    for r in whole..rows {
        let value = (1..cols).fold(at(r, 0), |value, c| K::map::<M>(value, at(r, c), ()));
        // SAFETY: the row lies within the destination.
        unsafe { dst.add(r).write(value) }
    }
}

/// # Safety
/// As for [`ColumnsFn`].
#[inline(always)]
unsafe fn fold_columns<K: Fold, M: Machine>(dst: *mut u8, src: *const u8, rows: usize, cols: usize, stride: usize) {
    let (dst, src) = (dst.cast::<K::T>(), src.cast::<K::T>());
    let mut col = 0;
    // SAFETY: the columns lie within the rows of the source, and in the destination.
    unsafe {
        // Several vectors at a time, so that the machine need not wait for the sum of one.
        while cols - col >= 4 * STEP {
            fold_block::<K, M, { 4 * STEP }>(dst.add(col), src.add(col), rows, stride);
            col += 4 * STEP;
        }
        while cols - col >= STEP {
            fold_block::<K, M, STEP>(dst.add(col), src.add(col), rows, stride);
            col += STEP;
        }
        while col < cols {
            fold_block::<K, M, 1>(dst.add(col), src.add(col), rows, stride);
            col += 1;
        }
    }
}

/// Some columns side by side, row after row.
///
/// # Safety
/// As for [`ColumnsFn`], for `N` columns.
#[inline(always)]
unsafe fn fold_block<K: Fold, M: Machine, const N: usize>(
    dst: *mut K::T,
    src: *const K::T,
    rows: usize,
    stride: usize,
) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut sums = dst.cast::<[K::T; N]>().read();
        for r in 0..rows {
            let values = &*src.add(r * stride).cast::<[K::T; N]>();
            for i in 0..N {
                sums[i] = K::map::<M>(sums[i], values[i], ());
            }
        }
        dst.cast::<[K::T; N]>().write(sums);
    }
}
