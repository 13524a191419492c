use smallvec::smallvec;

use super::block::CopyA;
use super::cut::{from_the_end, how_to_copy_a};
use super::gather::Scattered;
use super::kernels::{Compute, F32_WIDE, F64_WIDE, Kernels};
use super::normal::Normal;
use super::order::blocks;
use super::pack::Block;
use super::tile::heights;
use super::{MatMul, Side, cut};
use crate::dtype::DType;
use crate::kernels::level::{Level, level};
use crate::kernels::threads::{enter, with_threads};

/// A small generator; the tests need shapes and numbers, not randomness of quality.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n
    }

    fn one_of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn number(&mut self) -> f64 {
        self.below(1 << 20) as f64 / f64::from(1 << 19) - 1.0
    }
}

/// An element type with the one step of a sum.
trait Number: Copy + Default + std::fmt::Debug + Send + Sync + 'static {
    const DTYPE: DType;
    type Sum: Copy + Default;
    fn from_f64(x: f64) -> Self;
    fn step(level: Level, a: Self, b: Self, sum: Self::Sum) -> Self::Sum;
    fn add(a: Self::Sum, b: Self::Sum) -> Self::Sum;
    fn round(sum: Self::Sum) -> Self;
    fn bits(self) -> u64;
    /// As f32 and back; exact for f32.
    fn single(self) -> f32 {
        unreachable!("f32 alone is summed in tiles")
    }
    fn from_single(x: f32) -> Self {
        Self::from_f64(x.into())
    }
}

macro_rules! floats {
    ($($T:ty, $dtype:ident, $sum:ty, $widen:expr, $round:expr;)*) => {
        $(impl Number for $T {
            const DTYPE: DType = DType::$dtype;
            type Sum = $sum;
            fn from_f64(x: f64) -> $T {
                $round(x as $sum)
            }
            fn step(level: Level, a: $T, b: $T, sum: $sum) -> $sum {
                let (a, b): ($sum, $sum) = ($widen(a), $widen(b));
                if level == Level::Baseline { a * b + sum } else { a.mul_add(b, sum) }
            }
            fn add(a: $sum, b: $sum) -> $sum {
                a + b
            }
            fn round(sum: $sum) -> $T {
                $round(sum)
            }
            fn bits(self) -> u64 {
                self.to_bits().into()
            }
            fn single(self) -> f32 {
                f64::from(self) as f32
            }
        })*
    };
}
floats! {
    f32, F32, f32, |x| x, |x| x;
    f64, F64, f64, |x| x, |x| x;
    half::bf16, BF16, f32, half::bf16::to_f32, half::bf16::from_f32;
    half::f16, F16, f32, half::f16::to_f32, half::f16::from_f32;
}

macro_rules! integers {
    ($($T:ty, $dtype:ident;)*) => {
        $(impl Number for $T {
            const DTYPE: DType = DType::$dtype;
            type Sum = $T;
            fn from_f64(x: f64) -> $T {
                (x * 1e6) as i64 as $T
            }
            fn step(_: Level, a: $T, b: $T, sum: $T) -> $T {
                sum.wrapping_add(a.wrapping_mul(b))
            }
            fn add(a: $T, b: $T) -> $T {
                a.wrapping_add(b)
            }
            fn round(sum: $T) -> $T {
                sum
            }
            fn bits(self) -> u64 {
                self as u64
            }
        })*
    };
}
integers! {
    i64, I64;
    i32, I32;
    u8, U8;
}

/// A matrix or a batch of them, somewhere inside a buffer that has no room to spare.
struct Operand<T> {
    values: Vec<T>,
    first: usize,
}

impl<T: Number> Operand<T> {
    fn new(dice: &mut Dice, (least, most): (isize, isize)) -> Operand<T> {
        let values = (0..(most - least + 1)).map(|_| T::from_f64(dice.number())).collect();
        Operand { values, first: -least as usize }
    }

    fn at(&self, offset: isize) -> T {
        self.values[self.first.wrapping_add_signed(offset)]
    }

    fn ptr(&self) -> *const u8 {
        self.values.as_ptr().wrapping_add(self.first).cast()
    }
}

/// Where all rows and columns of both operands lie.
fn offsets(p: &MatMul) -> [[Vec<isize>; 2]; 2] {
    let of = |sides: &[Side; 2], lengths: [usize; 2]| {
        let mut lengths = lengths.into_iter();
        sides.each_ref().map(|side| {
            let axes = side.axes(lengths.next().unwrap());
            axes.iter().fold(vec![0], |outer, &(extent, stride)| {
                outer.iter().flat_map(|at| (0..extent as isize).map(move |i| at + i * stride)).collect()
            })
        })
    };
    [of(&p.a, [p.m, p.k]), of(&p.b, [p.k, p.n])]
}

/// Whether the order of summation is that of the matrix unit.
fn in_tiles(p: &MatMul, level: Level) -> bool {
    #[cfg(target_arch = "x86_64")]
    return level == Level::Amx && p.dtype == DType::F32 && super::amx::takes(p);
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// The three bf16 whose sum is an f32, and what the matrix unit makes of rows of such: see `amx`.
fn sum_in_tiles(x: &[f32], y: &[f32], turned: bool) -> f32 {
    let parts = |x: f32| {
        let nearest = |x: f32| f32::from_bits((x.to_bits() + 0x8000) & 0xffff_0000);
        let (first, second) = (nearest(x), nearest(x - nearest(x)));
        [first, second, x - first - second]
    };
    let order = [(0, 2), (0, 1), (1, 1), (1, 0), (2, 0), (0, 0)];
    let block = |x: &[f32], y: &[f32]| {
        let mut total = 0f32;
        for (x, y) in x.chunks(32).zip(y.chunks(32)) {
            for (p, q) in order {
                let (p, q) = if turned { (q, p) } else { (p, q) };
                let mut sums = [0f32; 2];
                for (i, (x, y)) in x.iter().zip(y).enumerate() {
                    sums[i / 16] = parts(*x)[p].mul_add(parts(*y)[q], sums[i / 16]);
                }
                total += sums[0] + sums[1];
            }
        }
        total
    };
    x.chunks(512).zip(y.chunks(512)).map(|(x, y)| block(x, y)).reduce(|total, block| total + block).unwrap_or(0.0)
}

/// The definition, in the order that `order` describes, or `amx`.
fn reference<T: Number>(p: &MatMul, level: Level, a: &Operand<T>, b: &Operand<T>) -> Vec<T> {
    let tiles = in_tiles(p, level);
    let count: usize = p.batch.iter().map(|axis| axis.0).product();
    let mut c = Vec::with_capacity(count * p.m * p.n);
    for index in 0..count {
        let (mut rest, mut a0, mut b0) = (index, 0, 0);
        for &(extent, sa, sb) in p.batch.iter().rev() {
            a0 += (rest % extent) as isize * sa;
            b0 += (rest % extent) as isize * sb;
            rest /= extent;
        }
        let [[a_rows, a_columns], [b_rows, b_columns]] = offsets(p);
        for row in &a_rows {
            for column in &b_columns {
                if tiles {
                    let x: Vec<f32> = (0..p.k).map(|k| a.at(a0 + row + a_columns[k]).single()).collect();
                    let y: Vec<f32> = (0..p.k).map(|k| b.at(b0 + b_rows[k] + column).single()).collect();
                    c.push(T::from_single(sum_in_tiles(&x, &y, p.turned)));
                    continue;
                }
                let mut total = T::Sum::default();
                for (start, depth) in blocks(p.k) {
                    let mut sum = T::Sum::default();
                    for k in start..start + depth {
                        let x = a.at(a0 + row + a_columns[k]);
                        let y = b.at(b0 + b_rows[k] + column);
                        sum = T::step(level, x, y, sum);
                    }
                    total = if start == 0 { sum } else { T::add(total, sum) };
                }
                c.push(T::round(total));
            }
        }
    }
    c
}

fn computed<T: Number>(p: &MatMul, level: Level, a: &Operand<T>, b: &Operand<T>) -> Vec<T> {
    let count: usize = p.batch.iter().map(|axis| axis.0).product();
    // What was in C before must not matter; what lies behind it must not change.
    let (elements, guard) = (count * p.m * p.n, 64);
    let mut c = vec![T::from_f64(0.7); elements + guard];
    // SAFETY: the operands cover the bounds and C has room.
    unsafe { p.run_on(level, None, a.ptr(), b.ptr(), c.as_mut_ptr().cast()) };
    assert!(c[elements..].iter().all(|x| x.bits() == T::from_f64(0.7).bits()), "wrote behind C: {p:?}");
    c.truncate(elements);
    c
}

fn check<T: Number>(dice: &mut Dice, p: &MatMul) {
    let (a, b) = (Operand::<T>::new(dice, p.a_bounds()), Operand::<T>::new(dice, p.b_bounds()));
    for level in Level::ALL.into_iter().filter(|l| l.is_available()) {
        let expected = reference(p, level, &a, &b);
        for n in [1, 2, 3] {
            let found = with_threads(n, || computed(p, level, &a, &b));
            let differs = found.iter().zip(&expected).position(|(x, y)| x.bits() != y.bits());
            assert_eq!(differs, None, "{p:?} at {level:?} on {n} threads");
            assert_eq!(found.len(), expected.len());
        }
    }
}

/// Strides for `rows` by `cols`, and the extent of the whole.
fn strides(dice: &mut Dice, rows: usize, cols: usize) -> ([isize; 2], isize) {
    let (r, c) = (rows as isize, cols as isize);
    let pad = dice.below(20) as isize;
    match dice.below(12) {
        0..3 => ([c, 1], r * c),
        3..6 => ([1, r], r * c),
        6 => ([c + pad, 1], r * (c + pad)),
        7 => ([1, r + pad], (r + pad) * c),
        8 => ([2 * c + pad, 2], r * (2 * c + pad)),
        9 => ([-c, -1], r * c),
        10 => ([0, 1], c),
        _ => (dice.one_of(&[[1, 0], [0, 0], [c, -1], [-1, r]]), r * c),
    }
}

fn product(dice: &mut Dice, dtype: DType, m: usize, k: usize, n: usize, batched: bool) -> MatMul {
    let ((a, a_all), (b, b_all)) = (strides(dice, m, k), strides(dice, k, n));
    let mut p = MatMul {
        dtype,
        m,
        n,
        k,
        a: a.map(Side::from),
        b: b.map(Side::from),
        batch: smallvec![],
        turned: false,
        unit: None,
    };
    if batched {
        let (inner, outer) = (1 + dice.below(4), 1 + dice.below(3));
        let (sa, sb) = (dice.one_of(&[a_all, 0, a_all + 3]), dice.one_of(&[b_all, 0, 0, -b_all]));
        p.batch = match dice.below(3) {
            0 => smallvec![(inner, sa, sb)],
            1 => smallvec![(outer, sa * inner as isize, sb * inner as isize), (inner, sa, sb)],
            _ => smallvec![(outer, 0, sb), (1, 5, 5), (inner, sa, 0)],
        };
    }
    p
}

#[test]
fn the_geometry_of_avx512_has_the_bits_of_the_order() {
    let mut dice = Dice(12);
    for i in 0..200 {
        let (m, n, k) = (1 + dice.below(60), 1 + dice.below(90), 1 + dice.below(500));
        let p = product(&mut dice, DType::F32, m, k, n, i % 3 == 0);
        check_kernels::<f32>(&mut dice, &p, &F32_WIDE);
        let p = product(&mut dice, DType::F64, m, k, n, i % 3 == 0);
        check_kernels::<f64>(&mut dice, &p, &F64_WIDE);
    }
    let p = product(&mut dice, DType::F32, 300, 410, 200, false);
    check_kernels::<f32>(&mut dice, &p, &F32_WIDE);
}

/// Columns that are a power of two apart are read fewer at a time, and two blocks of k side by side.
#[test]
fn columns_any_distance_apart_have_the_bits_of_the_order() {
    let mut dice = Dice(23);
    for apart in [256, 512, 1000, 1024, 2048, 4096] {
        for k in [3, 399, 401, 777, 801, 1024] {
            let (m, n) = (1 + dice.below(4), 1 + dice.below(70));
            let p = product(&mut dice, DType::F32, m, k, n, false);
            let p = MatMul { b: [1, apart].map(Side::from), ..p };
            check::<f32>(&mut dice, &p);
            check_kernels::<f32>(&mut dice, &p, &F32_WIDE);
            check::<f64>(&mut dice, &MatMul { dtype: DType::F64, ..p });
        }
    }
}

/// Rows of A are read where they lie, or copied where they would share sets of the cache.
#[test]
fn rows_any_distance_apart_have_the_bits_of_the_order() {
    let mut dice = Dice(29);
    let mut ways = [0; 2];
    for apart in [800, 1000, 1024, 2048, 4096] {
        for k in [7, 400, 777] {
            let (m, n) = (5 + dice.below(60), 128 + dice.below(40));
            let p = product(&mut dice, DType::F32, m, k, n, false);
            let p = MatMul { a: [apart, 1].map(Side::from), ..p };
            ways[usize::from(how_to_copy_a::<f32>(&Normal::new(&p), m, n) == CopyA::No)] += 1;
            check::<f32>(&mut dice, &p);
            check_kernels::<f32>(&mut dice, &p, &F32_WIDE);
            check::<f64>(&mut dice, &MatMul { dtype: DType::F64, ..p });
        }
    }
    assert!(ways.iter().all(|&products| products > 0), "both ways are tried: {ways:?}");
}

/// Kernels that no level names; they round like the baseline.
fn check_kernels<T: Number + Compute>(dice: &mut Dice, p: &MatMul, kernels: &'static Kernels<T>) {
    let (a, b) = (Operand::<T>::new(dice, p.a_bounds()), Operand::<T>::new(dice, p.b_bounds()));
    let expected = reference(p, Level::Baseline, &a, &b);
    let mut c = vec![T::from_f64(0.7); expected.len()];
    let normal = Normal::new(p);
    let (x, y) = if normal.swapped { (&b, &a) } else { (&a, &b) };
    // SAFETY: the operands cover the bounds, C has room, and the kernels need no instruction set.
    unsafe { cut::run(&normal, kernels, x.ptr().cast(), y.ptr().cast(), c.as_mut_ptr()) };
    let differs = c.iter().zip(&expected).position(|(x, y)| x.bits() != y.bits());
    assert_eq!(differs, None, "{p:?}");
}

/// Blocks of A and B in the order of the register tiles: every element in its place, and nothing written behind the last one, where another
/// thread's block may lie.
fn check_copies<T: Number + Compute>(kernels: &'static Kernels<T>) {
    let behind = T::from_f64(0.7);
    let compare = |pack: unsafe fn(&Block<T>), [side, along]: [usize; 2], [width, depth]: [usize; 2], wanted: &[T]| {
        let from: Vec<T> = (0..width * depth).map(|i| T::from_f64(i as f64)).collect();
        let mut found = vec![behind; wanted.len() + 64];
        let (side, along) = (side as isize, along as isize);
        // SAFETY: the block is all of the matrix, and there is more than enough room.
        unsafe { pack(&Block { from: from.as_ptr(), side, along, width, depth, to: found.as_mut_ptr(), next: 5 }) };
        let wanted = wanted.iter().chain(std::iter::repeat_n(&behind, 64));
        let differs = found.iter().zip(wanted).position(|(x, y)| x.bits() != y.bits());
        assert_eq!(differs, None, "strides {side} and {along}, width {width}, depth {depth}");
    };
    for width in 1..70 {
        for depth in (1..20).chain([31, 400]) {
            let adjacent = |r: usize, k: usize| T::from_f64((r + k * width) as f64);
            let mut strips = Vec::new();
            let mut start = 0;
            for height in heights(width, kernels.rows) {
                strips.extend((0..depth).flat_map(|k| (start..start + height).map(move |r| adjacent(r, k))));
                start += height;
            }
            compare(kernels.pack_a, [1, width], [width, depth], &strips);
            if width > 2 * kernels.lanes {
                continue;
            }
            let pitch = width.next_multiple_of(kernels.lanes);
            for [side, along] in [[1, width], [depth, 1]] {
                let at = |k: usize, c: usize| match c < width {
                    true => T::from_f64((k * along + c * side) as f64),
                    false => T::from_f64(0.0),
                };
                let rows: Vec<T> = (0..depth).flat_map(|k| (0..pitch).map(move |c| at(k, c))).collect();
                compare(kernels.pack_b, [side, along], [width, depth], &rows);
            }
        }
    }
}

#[test]
fn copies_write_their_own_room_alone() {
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        check_copies(f32::kernels(level));
        check_copies(f64::kernels(level));
    }
    check_copies(&F32_WIDE);
    check_copies(&F64_WIDE);
}

fn check_many<T: Number>(seed: u64, times: usize) {
    let mut dice = Dice(seed);
    let sides = [1, 1, 2, 3, 5, 6, 7, 8, 12, 13, 15, 16, 17, 31, 33, 40, 64];
    let depths = [1, 2, 3, 7, 8, 9, 16, 31, 64, 100, 255, 256, 257, 300, 513];
    for i in 0..times {
        let (m, n, k) = (dice.one_of(&sides), dice.one_of(&sides), dice.one_of(&depths));
        let p = product(&mut dice, T::DTYPE, m, k, n, i % 3 == 0);
        check::<T>(&mut dice, &p);
    }
}

#[test]
fn f32_has_the_bits_of_the_order() {
    check_many::<f32>(1, 500);
}

#[test]
fn f64_has_the_bits_of_the_order() {
    check_many::<f64>(2, 300);
}

/// A side of about this length, of one axis up to four.
fn side(dice: &mut Dice, length: usize) -> (Side, usize) {
    let mut axes = Vec::new();
    let mut left = length;
    for _ in 0..dice.below(4) {
        let extent = dice.one_of(&[1, 2, 3, 4, 8, 9, 17, 24]).min(left);
        axes.insert(0, (extent, dice.one_of(&[1, 1, 1, 2, 3, -1, 7, 40, 0])));
        left = left.div_ceil(extent);
    }
    axes.insert(0, (left, dice.one_of(&[1, 1, 5, 26, 100, -60])));
    let length = axes.iter().map(|axis| axis.0).product();
    (Side::new(axes), length)
}

/// Matrices that are views of arrays with more axes, as windows of images are.
fn check_views<T: Number + Compute>(seed: u64, times: usize, kernels: &'static Kernels<T>) {
    let mut dice = Dice(seed);
    for i in 0..times {
        let wanted =
            [dice.one_of(&[1, 3, 7, 20, 70]), dice.one_of(&[1, 5, 18, 100, 450]), dice.one_of(&[1, 6, 30, 90])];
        let ((a_rows, m), (a_columns, k), (b_columns, n)) =
            (side(&mut dice, wanted[0]), side(&mut dice, wanted[1]), side(&mut dice, wanted[2]));
        let (mut b_rows, along) = side(&mut dice, k);
        if along != k {
            b_rows = Side::Stride(dice.one_of(&[1, 3, n as isize]));
        }
        let (mut a, mut b) = ([a_rows, a_columns], [b_rows, b_columns]);
        match i % 4 {
            0 => a = strides(&mut dice, m, k).0.map(Side::from),
            1 => b = strides(&mut dice, k, n).0.map(Side::from),
            _ => {}
        }
        let mut p = MatMul { dtype: T::DTYPE, m, n, k, a, b, batch: smallvec![], turned: false, unit: None };
        if i % 3 == 0 {
            p.batch = smallvec![(2, dice.one_of(&[0, 11]), 13), (3, 2, dice.one_of(&[0, 1]))];
        }
        check::<T>(&mut dice, &p);
        check_kernels::<T>(&mut dice, &p, kernels);
    }
}

#[test]
fn views_of_more_axes_have_the_bits_of_the_order() {
    check_views::<f32>(13, 400, &F32_WIDE);
    check_views::<f64>(14, 200, &F64_WIDE);
}

#[test]
fn large_convolutions_have_the_bits_of_the_order() {
    let mut dice = Dice(15);
    // Eight kernels of 3 × 3 on 30 images of 3 × 20 × 20: the product, and the one that gives the gradient of the kernels.
    let places = || Side::new([(30, 1200), (18, 20), (18, 1)]);
    let kernel = || Side::new([(3, 400), (3, 20), (3, 1)]);
    let (columns, rows) = (30 * 18 * 18, 27);
    let a = [rows as isize, 1].map(Side::from);
    let batch = smallvec![];
    let p = MatMul {
        dtype: DType::F32,
        m: 8,
        n: columns,
        k: rows,
        a,
        b: [kernel(), places()],
        batch,
        turned: false,
        unit: None,
    };
    check::<f32>(&mut dice, &p);
    let b = [Side::new([(30, 8 * 324), (324, 1)]), Side::from(324)];
    let p = MatMul {
        dtype: DType::F32,
        m: rows,
        n: 8,
        k: columns,
        a: [kernel(), places()],
        b,
        batch: smallvec![],
        turned: false,
        unit: None,
    };
    check::<f32>(&mut dice, &p);
    let flip = |[rows, columns]: [Side; 2]| [columns, rows];
    let p = MatMul { m: 8, n: rows, a: flip(p.b), b: flip(p.a), ..p };
    check::<f32>(&mut dice, &p);
}

#[test]
fn what_is_not_sound_is_not_computed() {
    let p = MatMul {
        dtype: DType::F32,
        m: 2,
        n: 1,
        k: 2,
        a: [2, 1].map(Side::from),
        b: [1, 1].map(Side::from),
        batch: smallvec![],
        turned: false,
        unit: None,
    };
    assert!(p.is_sound());
    let uneven = [Side::new([(2, 7), (2, 1)]), Side::from(1)];
    for p in [
        MatMul { dtype: DType::Bool, ..p.clone() },
        MatMul { a: uneven.clone(), ..p.clone() },
        MatMul { dtype: DType::I32, m: 4, a: uneven, ..p.clone() },
    ] {
        assert!(!p.is_sound(), "{p:?}");
        let mut c = [7u8; 16];
        // SAFETY: nothing is read or written.
        unsafe { p.run(std::ptr::null(), std::ptr::null(), c.as_mut_ptr()) };
        assert_eq!(c, [7; 16]);
    }
}

#[test]
fn half_floats_have_the_bits_of_the_order() {
    check_many::<half::bf16>(3, 200);
    check_many::<half::f16>(4, 200);
}

#[test]
fn integers_wrap() {
    check_many::<i64>(5, 60);
    check_many::<i32>(6, 60);
    check_many::<u8>(7, 60);
}

#[test]
fn large_products_have_the_bits_of_the_order() {
    let mut dice = Dice(8);
    for (m, k, n) in [(300, 70, 200), (130, 300, 530), (1, 784, 515), (700, 5, 90), (515, 300, 1), (64, 256, 1030)] {
        for _ in 0..3 {
            let p = product(&mut dice, DType::F32, m, k, n, false);
            check::<f32>(&mut dice, &p);
            let p = product(&mut dice, DType::F64, m, k, n, false);
            check::<f64>(&mut dice, &p);
            let p = product(&mut dice, DType::BF16, m, k, n, false);
            check::<half::bf16>(&mut dice, &p);
        }
    }
}

/// Strips of few rows, packed by several threads side by side.
#[test]
fn few_rows_of_a_turned_matrix_have_the_bits_of_the_order() {
    let mut dice = Dice(18);
    for m in [1, 2, 3, 4, 5, 6, 7, 15, 29] {
        let (k, n) = (6000 / m + 1 + dice.below(30), 640);
        for b in [[n as isize, 1], [1, k as isize], [0, 0]] {
            let p = product(&mut dice, DType::F32, m, k, n, false);
            let p = MatMul { a: [1, m as isize].map(Side::from), b: b.map(Side::from), ..p };
            check::<f32>(&mut dice, &p);
            check::<f64>(&mut dice, &MatMul { dtype: DType::F64, ..p });
        }
    }
}

/// A large matrix is read to its end, and the next time from there.
#[test]
fn few_rows_go_to_and_fro_over_a_large_matrix() {
    let mut dice = Dice(19);
    for threads in 1..4 {
        for (m, n, k) in [
            (1, 700, 333),
            (2, 170, 784),
            (3, 129, 785),
            (4, 5000, 41),
            (1, 13, 9000),
            (700, 1, 333),
            (2, 1300, 1024),
            (3, 520, 2048),
        ] {
            for turned in [false, true] {
                let mut p = product(&mut dice, DType::F32, m, k, n, false);
                let sides = |rows: usize, cols: usize| if turned { [1, rows as isize] } else { [cols as isize, 1] };
                p.a = [k as isize, 1].map(Side::from);
                p.b = sides(k, n).map(Side::from);
                let (a, b) = (Operand::new(&mut dice, p.a_bounds()), Operand::new(&mut dice, p.b_bounds()));
                for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
                    let wanted = reference::<f32>(&p, level, &a, &b);
                    for turn in 0..3 {
                        let found = with_threads(threads, || enter(|| computed(&p, level, &a, &b)));
                        assert_eq!(found, wanted, "{m} {n} {k} {turned} {level:?} {turn}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_was_read_last_is_read_first_the_next_time() {
    for (units, threads) in [(8, 1), (8, 2), (9, 2), (3, 4), (17, 3), (1, 1)] {
        let order: Vec<usize> = (0..units).map(|unit| from_the_end(unit, units, threads)).collect();
        let front = units / threads;
        assert!(order.iter().take(front).eq((0..front).rev().collect::<Vec<_>>().iter()), "{order:?}");
        assert!(order.iter().skip(front).eq((front..units).rev().collect::<Vec<_>>().iter()), "{order:?}");
    }
}

#[test]
fn the_matrix_unit_has_the_bits_of_its_order() {
    if !Level::Amx.is_available() {
        return println!("skipped: this machine has no matrix unit");
    }
    let mut dice = Dice(17);
    let (sides, depths) = ([48, 96, 100, 113, 130, 161, 200], [32, 33, 64, 95, 128, 384, 385, 1030]);
    let mut taken = 0;
    for i in 0..80 {
        let (m, n, k) = (dice.one_of(&sides), dice.one_of(&sides), dice.one_of(&depths));
        let mut p = product(&mut dice, DType::F32, m, k, n, i % 4 == 0);
        p.turned = i % 3 == 0;
        taken += usize::from(in_tiles(&p, Level::Amx));
        check::<f32>(&mut dice, &p);
    }
    assert!(taken > 30, "{taken}");
}

/// Kernels of `taps` elements (down and along) and `channels` channels, `m` of them, over images with so many windows.
fn windows(m: usize, channels: usize, taps: [usize; 2], places: [usize; 2], batch: usize, dilation: usize) -> MatMul {
    let ([down, along], [rows, run]) = (taps, places);
    let (pitch, apart) = ((run + (along - 1) * dilation) as isize, dilation as isize);
    let image = pitch * (rows + (down - 1) * dilation) as isize;
    MatMul {
        dtype: DType::F32,
        m,
        n: rows * run,
        k: channels * down * along,
        a: [(channels * down * along) as isize, 1].map(Side::from),
        b: [
            Side::new([(down, apart * pitch), (along, apart), (channels, image)]),
            Side::new([(rows, pitch), (run, 1)]),
        ],
        batch: smallvec![(batch, 0, channels as isize * image)],
        turned: false,
        unit: None,
    }
}

#[test]
fn windows_that_overlap_have_the_bits_of_the_order() {
    let mut dice = Dice(21);
    let mut taken = 0;
    for (m, channels, taps, places, batch, dilation) in [
        (64, 32, [3, 3], [6, 24], 3, 1),
        (33, 32, [3, 3], [17, 17], 2, 1),
        (48, 64, [1, 5], [1, 100], 2, 1),
        (40, 32, [3, 3], [40, 33], 1, 2),
        (96, 64, [3, 3], [9, 20], 2, 1),
        (64, 96, [2, 2], [5, 50], 1, 3),
        (130, 32, [5, 4], [12, 16], 1, 1),
        // These are copied: half a chunk of channels, and short rows.
        (64, 48, [3, 3], [6, 24], 2, 1),
        (64, 32, [3, 3], [24, 5], 2, 1),
    ] {
        let p = windows(m, channels, taps, places, batch, dilation);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(super::amx::reads_windows(&p), channels % 32 == 0 && places[1] > 5, "{p:?}");
        taken += usize::from(in_tiles(&p, Level::Amx));
        check::<f32>(&mut dice, &p);
        check::<f32>(&mut dice, &MatMul { turned: true, ..p });
    }
    assert!(!Level::Amx.is_available() || taken >= 6, "{taken}");
}

#[test]
fn few_rows_meet_windows_where_they_lie() {
    let mut dice = Dice(22);
    for (m, channels, taps, places, batch, dilation) in [
        (1, 1, [3, 3], [28, 28], 3, 1),
        (2, 1, [5, 5], [7, 7], 2, 1),
        (3, 50, [3, 3], [5, 33], 1, 2),
        (4, 3, [3, 3], [4, 56], 2, 1),
        (5, 4, [1, 7], [3, 70], 1, 3),
        (8, 8, [3, 3], [28, 28], 2, 1),
        (16, 2, [2, 2], [17, 17], 1, 1),
        (1, 1, [3, 3], [20, 520], 1, 1),
    ] {
        let p = windows(m, channels, taps, places, batch, dilation);
        let kernel = Side::new([(taps[0], places[1] as isize), (taps[1], 1)]);
        // What gives the gradient of a kernel: each window is a row.
        let places = Side::new([(places[0] - taps[0] + 1, places[1] as isize), (places[1] - taps[1] + 1, 1)]);
        let k = places.axes(0).iter().map(|axis| axis.0).product();
        let gradient = MatMul {
            n: taps[0] * taps[1],
            k,
            a: [k as isize, 1].map(Side::from),
            b: [places, kernel],
            batch: smallvec![(batch, 0, 77)],
            ..p.clone()
        };
        for p in [&p, &gradient] {
            assert!(p.is_sound(), "{p:?}");
            check::<f32>(&mut dice, p);
            check_kernels::<f32>(&mut dice, p, &F32_WIDE);
            let p = MatMul { dtype: DType::F64, ..p.clone() };
            check::<f64>(&mut dice, &p);
        }
    }
}

#[test]
fn a_turned_product_has_the_bits_of_the_one_asked_for() {
    let mut dice = Dice(18);
    for (m, k, n) in [(100, 300, 70), (64, 64, 64), (300, 33, 90), (7, 9, 5)] {
        let p = product(&mut dice, DType::F32, m, k, n, false);
        let flip = |[rows, columns]: &[Side; 2]| [columns.clone(), rows.clone()];
        let q = MatMul { m: n, n: m, a: flip(&p.b), b: flip(&p.a), turned: true, ..p.clone() };
        let (a, b) = (Operand::<f32>::new(&mut dice, p.a_bounds()), Operand::<f32>::new(&mut dice, p.b_bounds()));
        for level in Level::ALL.into_iter().filter(|l| l.is_available()) {
            let (x, y) = (computed(&p, level, &a, &b), computed(&q, level, &b, &a));
            assert!((0..m * n).all(|i| x[i].to_bits() == y[i % n * m + i / n].to_bits()), "{p:?} at {level:?}");
        }
    }
}

#[test]
fn what_is_not_for_the_matrix_unit_is_mended() {
    if !Level::Amx.is_available() {
        return println!("skipped: this machine has no matrix unit");
    }
    let mut dice = Dice(19);
    let (m, k, n) = (130, 96, 140);
    let (a, b) = ([k as isize, 1].map(Side::from), [n as isize, 1].map(Side::from));
    mended(&mut dice, &MatMul { dtype: DType::F32, m, n, k, a, b, batch: smallvec![], turned: false, unit: None });
    // In windows that overlap.
    mended(&mut dice, &windows(130, 32, [1, 3], [7, 20], 1, 1));
}

/// Puts odd numbers into a row of A and a column of B: of both only what they touch is for the vectors.
fn mended(dice: &mut Dice, p: &MatMul) {
    let &MatMul { m, n, k, .. } = p;
    assert!(in_tiles(p, Level::Amx));
    let [_, [b_rows, b_columns]] = offsets(p);
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1e20, 2f32.powi(100)];
    for case in 0..odd.len() + 2 {
        let (mut x, mut y) = (Operand::<f32>::new(dice, p.a_bounds()), Operand::<f32>::new(dice, p.b_bounds()));
        let (row, col) = (dice.below(m), dice.below(n));
        // The windows whose elements changed: all of one column, or of those that it overlaps.
        let mut changed: Vec<isize> = b_rows.iter().map(|along| along + b_columns[col]).collect();
        match odd.get(case) {
            Some(&odd) => {
                x.values[row * k + dice.below(k)] = odd;
                changed = vec![changed[dice.below(k)]];
                y.values[changed[0] as usize] = -odd;
            }
            // A row of tiny numbers, and a row and a column that are small together.
            None => {
                let scale = if case % 2 == 0 { 2f32.powi(-120) } else { 2f32.powi(-60) };
                x.values[row * k..][..k].iter_mut().for_each(|x| *x *= scale);
                changed.iter().for_each(|&at| y.values[at as usize] *= scale);
            }
        }
        let reads = |c: usize, all: bool| {
            let mut window = b_rows.iter().map(|along| along + b_columns[c]);
            if all { window.all(|at| changed.contains(&at)) } else { window.any(|at| changed.contains(&at)) }
        };
        let odd_columns: Vec<bool> = (0..n).map(|c| reads(c, case >= odd.len())).collect();
        assert!(odd_columns[col]);
        let (tiles, lanes) = (reference(p, Level::Amx, &x, &y), reference(p, Level::Avx512, &x, &y));
        for threads in [1, 2, 3] {
            let found = with_threads(threads, || computed(p, Level::Amx, &x, &y));
            for (i, z) in found.iter().enumerate() {
                let (r, c) = (i / n, i % n);
                let alone = match case {
                    7 => r == row && odd_columns[c],
                    _ => r == row || odd_columns[c],
                };
                let wanted = if alone { lanes[i] } else { tiles[i] };
                assert!(
                    z.to_bits() == wanted.to_bits() || z.is_nan() && wanted.is_nan(),
                    "case {case}: {z} for {wanted} at {r}, {c}"
                );
            }
        }
    }
}

#[test]
fn large_products_of_every_level_are_as_exact_as_sums_in_f32() {
    let mut dice = Dice(20);
    for (m, k, n) in [(256, 64, 256), (96, 784, 96), (96, 3000, 80), (96, 30_000, 80)] {
        let (a, b) = ([k as isize, 1].map(Side::from), [n as isize, 1].map(Side::from));
        let p = MatMul { dtype: DType::F32, m, n, k, a, b, batch: smallvec![], turned: false, unit: None };
        let (a, b) = (Operand::<f32>::new(&mut dice, p.a_bounds()), Operand::<f32>::new(&mut dice, p.b_bounds()));
        let terms = |i: usize, f: fn(f64) -> f64| {
            let (x, y) = (&a.values[i / n * k..][..k], b.values[i % n..].iter().step_by(n));
            x.iter().zip(y).map(|(&x, &y)| f(f64::from(x) * f64::from(y))).sum::<f64>()
        };
        let exact: Vec<[f64; 2]> = (0..m * n).map(|i| [terms(i, |x| x), terms(i, f64::abs)]).collect();
        // The error beside the sum of magnitudes, in units of the last place: its greatest, and its root mean square.
        let errors = |c: &[f32]| {
            let error =
                |(c, [sum, all]): (&f32, &[f64; 2])| (f64::from(*c) - sum).abs() / (all * f64::from(f32::EPSILON));
            let errors: Vec<f64> = c.iter().zip(&exact).map(error).collect();
            let squares: f64 = errors.iter().map(|error| error * error).sum();
            [errors.iter().copied().fold(0.0, f64::max), (squares / (m * n) as f64).sqrt()]
        };
        let chain = errors(&computed(&p, Level::Baseline, &a, &b));
        assert!(in_tiles(&p, Level::Amx) || cfg!(not(target_arch = "x86_64")), "{p:?} is for the matrix unit");
        for level in Level::ALL.into_iter().filter(|l| l.is_available()) {
            let found = errors(&computed(&p, level, &a, &b));
            println!("{m} {k} {n} {level:?}: {found:.3?}");
            let most = if level == Level::Amx { [1.0, 0.75] } else { [2.0, 1.25] };
            assert!(
                found[0] <= most[0] * chain[0] && found[1] <= most[1] * chain[1],
                "{level:?}: {found:?}, {chain:?}"
            );
        }
    }
}

#[test]
fn nothing_to_sum_is_zero_and_nothing_to_do_is_nothing() {
    let mut dice = Dice(9);
    for (m, k, n) in [(3, 0, 4), (0, 3, 4), (3, 4, 0), (0, 0, 0)] {
        let p = product(&mut dice, DType::F32, m, k, n, true);
        assert_eq!((p.a_bounds(), p.b_bounds(), p.flops()), ((0, -1), (0, -1), 0));
        check::<f32>(&mut dice, &p);
    }
    let mut p = product(&mut dice, DType::F64, 3, 4, 5, false);
    p.batch = smallvec![(2, 12, 20), (0, 1, 1)];
    check::<f64>(&mut dice, &p);
}

#[test]
fn zeros_and_infinities_come_out_as_defined() {
    for level in Level::ALL.into_iter().filter(|l| l.is_available()) {
        let (a, b) = ([2, 1].map(Side::from), [1, 1].map(Side::from));
        let p = MatMul { dtype: DType::F32, m: 1, n: 1, k: 2, a, b, batch: smallvec![], turned: false, unit: None };
        let run = |a: [f32; 2], b: [f32; 2]| {
            let (a, b) = (Operand { values: a.to_vec(), first: 0 }, Operand { values: b.to_vec(), first: 0 });
            computed(&p, level, &a, &b)[0]
        };
        assert!(run([-0.0, -0.0], [1.0, 1.0]).is_sign_positive(), "sums start at +0");
        assert!(run([f32::INFINITY, 1.0], [0.0, 1.0]).is_nan());
        assert_eq!(run([f32::INFINITY, 1.0], [1.0, 1.0]), f32::INFINITY);
    }
}

#[test]
fn agrees_with_gemm() {
    let mut dice = Dice(10);
    for i in 0..60 {
        let (m, n, k) = (1 + dice.below(150), 1 + dice.below(150), 1 + dice.below(600));
        let p = product(&mut dice, DType::F32, m, k, n, false);
        let (a, b) = (Operand::<f32>::new(&mut dice, p.a_bounds()), Operand::<f32>::new(&mut dice, p.b_bounds()));
        let (ours, theirs) = (computed(&p, level(), &a, &b), with_gemm(&p, &a, &b, 1 + i % 2));
        let worst = ours.iter().zip(&theirs).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        assert!(worst <= 1e-6 * k as f32, "{p:?}: {worst}");
    }
}

fn with_gemm(p: &MatMul, a: &Operand<f32>, b: &Operand<f32>, threads: usize) -> Vec<f32> {
    let mut c = vec![0f32; p.m * p.n];
    gemm_into(p, a.ptr().cast(), b.ptr().cast(), &mut c, threads);
    c
}

fn gemm_into(p: &MatMul, a: *const f32, b: *const f32, c: &mut [f32], threads: usize) {
    let parallel = if threads == 1 { gemm::Parallelism::None } else { gemm::Parallelism::Rayon(threads) };
    let strides = |sides: &[Side; 2]| sides.each_ref().map(|side| side.stride().unwrap());
    let ([a_row, a_col], [b_row, b_col]) = (strides(&p.a), strides(&p.b));
    let (c, c_row) = (c.as_mut_ptr(), p.n as isize);
    // SAFETY: the callers' operands cover the bounds of `p` and C is contiguous with room for it.
    unsafe {
        gemm::gemm(
            p.m, p.n, p.k, c, 1, c_row, false, a, a_col, a_row, b, b_col, b_row, 0.0, 1.0, false, false, false,
            parallel,
        );
    }
}

/// Copies lines of runs of neighbours, and finds each element in its place, zeros behind a line, and nothing written behind the last one.
fn check_lines<T: Number + Compute>(dice: &mut Dice, kernels: &Kernels<T>) {
    let from: Vec<T> = (0..1000).map(|i| T::from_f64(f64::from(i + 1))).collect();
    for _ in 0..2000 {
        let mut places: Vec<isize> = Vec::new();
        for _ in 0..=dice.below(6) {
            let start = dice.below(400) as isize;
            places.extend((0..=dice.below(12) as isize).map(|i| start + i));
        }
        let mut lines: Vec<isize> = Vec::new();
        for _ in 0..=dice.below(20) {
            let neighbour = lines.last().map(|line| line + 1).filter(|line| *line < 500);
            lines.push(neighbour.filter(|_| dice.below(2) == 0).unwrap_or(dice.below(500) as isize));
        }
        let pitch = if dice.below(3) == 0 { places.len() } else { places.len().next_multiple_of(kernels.lanes) };
        let ahead = if dice.below(2) == 0 { &places[..] } else { &[] };
        let mark = T::from_f64(-1.0);
        let mut to = vec![mark; lines.len() * pitch + 64];
        // SAFETY: the kernels are ones for this machine, the greatest offset is below 1000, and there is room for all lines.
        unsafe {
            let (from, to) = (from.as_ptr(), to.as_mut_ptr());
            (kernels.gather)(&Scattered { from, lines: &lines, places: &places, to, pitch, ahead });
        }
        let (copied, behind) = to.split_at(lines.len() * pitch);
        for (line, copied) in lines.iter().zip(copied.chunks(pitch)) {
            let wanted = places.iter().map(|place| from[(line + place) as usize].bits()).chain(std::iter::repeat(0));
            assert!(copied.iter().map(|x| x.bits()).eq(wanted.take(pitch)), "{places:?} of {lines:?}, pitch {pitch}");
        }
        assert!(behind.iter().all(|x| x.bits() == mark.bits()), "{places:?} of {lines:?}, pitch {pitch}");
    }
}

#[test]
fn lines_are_copied_and_nothing_behind_them_is_written() {
    let mut dice = Dice(29);
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        check_lines(&mut dice, f32::kernels(level));
        check_lines(&mut dice, f64::kernels(level));
    }
    check_lines(&mut dice, &F32_WIDE);
    check_lines(&mut dice, &F64_WIDE);
}

/// Prints GFLOP/s of ours and of gemm. `cargo test --release -p wengert-tensor -- --ignored speed --nocapture`; with `ONLY="128 784 512"`
/// of one case.
#[test]
#[ignore = "a measurement, not a test"]
fn speed() {
    let cases = [
        (512, 512, 512),
        (128, 784, 512),
        (784, 128, 512),
        (128, 512, 784),
        (128, 512, 256),
        (1024, 1024, 1024),
        (32, 784, 512),
        (32, 64, 64),
        (32, 64, 10),
        (64, 32, 64),
        (6, 2, 8),
        (6, 8, 16),
        (1, 784, 512),
        (784, 512, 1),
        (1, 512, 256),
        (1, 1024, 1024),
        (1, 4096, 4096),
        (2, 784, 512),
        (4, 784, 512),
    ];
    let wanted = std::env::var("ONLY").ok();
    println!("{:>18} form {:>10} {:>8} {:>8} | {:>8} {:>8}", "m k n", "µs", "ours 1", "gemm 1", "ours 2", "gemm 2");
    for (m, k, n) in cases {
        let name = format!("{m} {k} {n}");
        if wanted.as_ref().is_some_and(|w| *w != name) {
            continue;
        }
        for (form, a_strides, b_strides) in [
            ("nn", [k as isize, 1], [n as isize, 1]),
            ("nt", [k as isize, 1], [1, k as isize]),
            ("tn", [1, m as isize], [n as isize, 1]),
            ("tt", [1, m as isize], [1, k as isize]),
        ] {
            let (a, b) = (a_strides.map(Side::from), b_strides.map(Side::from));
            let p = MatMul { dtype: DType::F32, m, n, k, a, b, batch: smallvec![], turned: false, unit: None };
            let mut dice = Dice(11);
            let a = Operand::<f32>::new(&mut dice, p.a_bounds());
            let b = Operand::<f32>::new(&mut dice, p.b_bounds());
            let mut c = vec![0f32; m * n];
            let mut times = Vec::new();
            for threads in [1, 2] {
                let (p, a, b, c) = (&p, &a, &b, &mut c);
                times.extend(with_threads(threads, || {
                    // SAFETY: the operands cover the bounds and C has room.
                    let mut run = || unsafe { p.run(a.ptr(), b.ptr(), c.as_mut_ptr().cast()) };
                    let ours = enter(|| best_of(p, &mut run));
                    let theirs = best_of(p, || gemm_into(p, a.ptr().cast(), b.ptr().cast(), c, threads));
                    [ours, theirs]
                }));
            }
            let rate = |seconds: f64| p.flops() as f64 / seconds * 1e-9;
            println!(
                "{name:>18} {form:>4} {:10.2} {:8.1} {:8.1} | {:8.1} {:8.1}",
                times[0] * 1e6,
                rate(times[0]),
                rate(times[1]),
                rate(times[2]),
                rate(times[3])
            );
        }
    }
}

/// Prints GFLOP/s of a convolution of 64 images with 64 kernels of 3 × 3, and of the products that give its gradients, beside products of
/// the same size with operands that lie in order. `cargo test --release -p wengert-tensor -- --ignored convolutions --nocapture`
#[test]
#[ignore = "a measurement, not a test"]
fn speed_of_convolutions() {
    println!("{:>30} {:>8} {:>8}", "µs", "GFLOP/s 1", "2");
    for (images, inputs, size) in [(64isize, 32isize, 26isize), (16, 64, 14), (16, 128, 9)] {
        let (out, places) = (size - 2, (size - 2) * (size - 2));
        let extent = |n: isize| n as usize;
        let columns = Side::new([(extent(images), inputs * size * size), (extent(out), size), (extent(out), 1)]);
        let rows = Side::new([(extent(inputs), size * size), (3, size), (3, 1)]);
        let (k, n) = (extent(inputs * 9), extent(images * places));
        let wide = size + 2;
        let padded = [
            Side::new([(64, wide * wide), (3, wide), (3, 1)]),
            Side::new([(extent(images), 64 * wide * wide), (extent(size), wide), (extent(size), 1)]),
        ];
        let ct = [Side::from(places), Side::new([(extent(images), 64 * places), (extent(places), 1)])];
        let plain = |_rows: usize, columns: usize| [columns as isize, 1].map(Side::from);
        let product =
            |m, n, k, a, b| MatMul { dtype: DType::F32, m, n, k, a, b, batch: smallvec![], turned: false, unit: None };
        let flip = |[rows, columns]: [Side; 2]| [columns, rows];
        for (name, p) in [
            ("forward", product(64, n, k, plain(64, k), [rows.clone(), columns.clone()])),
            ("forward, in order", product(64, n, k, plain(64, k), plain(k, n))),
            ("weights", product(k, 64, n, [rows.clone(), columns.clone()], flip(ct.clone()))),
            ("weights, in order", product(k, 64, n, plain(k, n), plain(n, 64))),
            ("weights, transposed", product(64, k, n, ct.clone(), flip([rows, columns]))),
            ("input", product(extent(inputs), extent(images * size * size), 576, plain(32, 576), padded)),
            ("windows", product(k, n, 64, flip(plain(64, k)), ct)),
            ("windows, in order", product(k, n, 64, plain(k, 64), plain(64, n))),
        ] {
            let mut dice = Dice(16);
            let a = Operand::<f32>::new(&mut dice, p.a_bounds());
            let b = Operand::<f32>::new(&mut dice, p.b_bounds());
            let mut c = vec![0f32; p.m * p.n];
            let mut rates = [0.0; 2];
            let mut time = 0.0;
            for threads in [2, 1] {
                // SAFETY: the operands cover the bounds and C has room.
                let mut run = || unsafe { p.run(a.ptr(), b.ptr(), c.as_mut_ptr().cast()) };
                time = with_threads(threads, || enter(|| best_of(&p, &mut run)));
                rates[threads - 1] = p.flops() as f64 / time * 1e-9;
            }
            println!("{name:>20} {:9.1} {:8.1} {:8.1}", time * 1e6, rates[0], rates[1]);
        }
    }
}

/// The shortest time of a call, in seconds.
fn best_of(p: &MatMul, mut f: impl FnMut()) -> f64 {
    let calls = (2_000_000 / p.flops().max(1)).clamp(1, 5000) as u32;
    let start = std::time::Instant::now();
    let mut best = f64::MAX;
    while start.elapsed().as_millis() < 150 {
        let now = std::time::Instant::now();
        (0..calls).for_each(|_| f());
        best = best.min(now.elapsed().as_secs_f64() / f64::from(calls));
    }
    best
}
