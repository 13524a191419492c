//! The laws of the table: every function, on every dtype, on every level that this machine has.

use super::*;
use crate::kernels::scalar::sample::{self, Value};

const REGISTERS: [DType; 6] = [DType::F32, DType::F64, DType::I64, DType::I32, DType::U8, DType::Bool];

/// Each function, the dtype of its operands, and those dtypes.
fn cases() -> impl Iterator<Item = (ScalarFn, DType, [DType; 3])> {
    ScalarFn::ALL.iter().flat_map(|&f| {
        REGISTERS.into_iter().filter(move |&d| f.supports(d)).map(move |d| {
            let first = if f == ScalarFn::Select { DType::Bool } else { d };
            (f, d, [first, d, d])
        })
    })
}

fn levels() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|l| l.is_available())
}

/// Operands of `n` elements.
fn operands(dtypes: [DType; 3], n: usize) -> [Vec<u8>; 3] {
    let mut seed = 0;
    dtypes.map(|dtype| {
        seed += 1;
        sample::bytes(dtype, n, seed)
    })
}

/// Runs a kernel on operands that start at any address which is a multiple of the element's size.
fn run(kernel: TileFn, operands: &[Vec<u8>; 3], sizes: [usize; 3], out_size: usize, n: usize, shift: usize) -> Vec<u8> {
    let moved: Vec<Vec<u8>> = operands
        .iter()
        .zip(sizes)
        .map(|(bytes, size)| {
            let mut at = vec![0u8; bytes.len() + 64 + shift * size];
            let start = start_of(&at, shift * size);
            at[start..start + n * size].copy_from_slice(&bytes[..n * size]);
            at
        })
        .collect();
    let start = |i: usize| start_of(&moved[i], shift * sizes[i]);
    let mut out = vec![0xa5u8; (n + 4) * out_size + 64 + shift * out_size];
    let first = start_of(&out, shift * out_size);
    // SAFETY: every operand holds `n` elements, aligned to their size; nothing overlaps; the level is available.
    unsafe {
        kernel(
            out.as_mut_ptr().add(first),
            moved[0].as_ptr().add(start(0)),
            moved[1].as_ptr().add(start(1)),
            moved[2].as_ptr().add(start(2)),
            n,
        );
    }
    let end = first + n * out_size;
    assert!(out[..first].iter().chain(&out[end..]).all(|&b| b == 0xa5), "wrote outside of the tile");
    out[first..end].to_vec()
}

/// The first index from `bytes` behind a multiple of 64 that is not inside of the allocation's start.
fn start_of(at: &[u8], bytes: usize) -> usize {
    at.as_ptr().align_offset(64) + bytes
}

/// Compares elements: equal bits, or both NaN.
fn assert_same(what: &str, dtype: DType, a: &[u8], b: &[u8]) {
    for (i, (x, y)) in a.chunks(dtype.size()).zip(b.chunks(dtype.size())).enumerate() {
        let (v, w) = (sample::value(dtype, x), sample::value(dtype, y));
        assert!(x == y || (v.is_nan() && w.is_nan()), "{what}: element {i} is {v:?} and {w:?}");
    }
}

#[test]
fn the_table_is_consistent() {
    let mut names: Vec<_> = ScalarFn::ALL.iter().map(|f| f.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ScalarFn::ALL.len());
    for &f in ScalarFn::ALL {
        assert!((1..=3).contains(&f.arity()));
        for dtype in REGISTERS {
            assert_eq!(tile(f, dtype, Level::Baseline).is_some(), f.supports(dtype), "{f:?} {dtype:?}");
            assert!([dtype, DType::Bool].contains(&f.output(dtype)));
        }
        for dtype in [DType::BF16, DType::F16] {
            // The neighbours of a number in 16 bits are not those in f32.
            assert_eq!(f.supports(dtype), f.supports(DType::F32) && f != ScalarFn::NextAfter, "{f:?}");
            assert!(tile(f, dtype, Level::Baseline).is_none(), "{f:?}");
        }
    }
}

#[test]
fn every_function_is_that_of_one_scalar() {
    const N: usize = 2000;
    for (f, dtype, dtypes) in cases() {
        let operands = operands(dtypes, N);
        let (sizes, out) = (dtypes.map(DType::size), f.output(dtype));
        for level in levels() {
            let results = run(tile(f, dtype, level).unwrap(), &operands, sizes, out.size(), N, 0);
            for (i, result) in results.chunks(out.size()).enumerate() {
                let at = |k: usize| sample::value(dtypes[k], &operands[k][i * sizes[k]..][..sizes[k]]);
                let (args, found) = ([at(0), at(1), at(2)], sample::value(out, result));
                let wanted = sample::reference(f, dtype, args);
                let close = match (found, wanted) {
                    (Value::Float(x), Value::Float(y)) => sample::ulps(dtype, x, y) <= f.ulps(dtype),
                    _ => found == wanted,
                };
                let args = &args[..f.arity()];
                assert!(close, "{f:?} {dtype:?} {level:?} of {args:?}: {found:?}, not {wanted:?}");
            }
        }
    }
}

#[test]
fn plain_functions_have_the_same_bits_on_every_level() {
    const N: usize = 2000;
    for (f, dtype, dtypes) in cases().filter(|c| !sample::is_polynomial(c.0, c.1)) {
        let (operands, sizes, out) = (operands(dtypes, N), dtypes.map(DType::size), f.output(dtype));
        let base = run(tile(f, dtype, Level::Baseline).unwrap(), &operands, sizes, out.size(), N, 0);
        for level in levels() {
            let other = run(tile(f, dtype, level).unwrap(), &operands, sizes, out.size(), N, 0);
            assert_same(&format!("{f:?} {dtype:?} {level:?}"), out, &base, &other);
        }
    }
}

#[test]
fn bits_depend_on_neither_length_nor_alignment() {
    for (f, dtype, dtypes) in cases() {
        let (operands, sizes, out) = (operands(dtypes, 200), dtypes.map(DType::size), f.output(dtype));
        for level in levels() {
            let kernel = tile(f, dtype, level).unwrap();
            let whole = run(kernel, &operands, sizes, out.size(), 200, 0);
            for n in 0..200 {
                let part = run(kernel, &operands, sizes, out.size(), n, n % 7);
                assert_same(&format!("{f:?} {dtype:?} {level:?} n {n}"), out, &whole[..n * out.size()], &part);
            }
        }
    }
}

#[test]
fn in_place_gives_the_same_bits() {
    for (f, dtype, dtypes) in cases() {
        let (sizes, out) = (dtypes.map(DType::size), f.output(dtype));
        for n in [1, 15, 16, 100, 256, 777] {
            let operands = operands(dtypes, n);
            for level in levels() {
                let kernel = tile(f, dtype, level).unwrap();
                let apart = run(kernel, &operands, sizes, out.size(), n, 0);
                for target in (0..f.arity()).filter(|&k| sizes[k] == out.size()) {
                    // Words of 8 bytes, for the alignment.
                    let mut words: Vec<Vec<u64>> = operands
                        .iter()
                        .map(|bytes| {
                            let mut bytes = bytes.clone();
                            bytes.resize(bytes.len().next_multiple_of(8), 0);
                            bytes.chunks(8).map(|c| u64::from_ne_bytes(c.try_into().unwrap())).collect()
                        })
                        .collect();
                    let at: Vec<*mut u8> = words.iter_mut().map(|w| w.as_mut_ptr().cast()).collect();
                    // SAFETY: as in `run`, except that the result is exactly one of the operands.
                    let placed = unsafe {
                        kernel(at[target], at[0], at[1], at[2], n);
                        std::slice::from_raw_parts(at[target], n * out.size()).to_vec()
                    };
                    assert_same(&format!("{f:?} {dtype:?} {level:?} onto {target}, n {n}"), out, &apart, &placed);
                }
            }
        }
    }
}

#[test]
fn every_cast_is_that_of_one_scalar() {
    const N: usize = 2000;
    for from in DType::ALL {
        let operands = operands([from; 3], N);
        for to in DType::ALL {
            for level in levels() {
                let results = run(tile_cast(from, to, level), &operands, [from.size(); 3], to.size(), N, 1);
                for (i, result) in results.chunks(to.size()).enumerate() {
                    let value = sample::value(from, &operands[0][i * from.size()..][..from.size()]);
                    let (found, wanted) = (sample::value(to, result), sample::cast(value, from, to));
                    let same = found == wanted || (found.is_nan() && wanted.is_nan());
                    assert!(same, "{from:?} to {to:?} {level:?} of {value:?}: {found:?}, not {wanted:?}");
                }
            }
        }
    }
}

#[test]
fn sixteen_bit_floats_round_as_half_does() {
    // Every half, and what lies between two of them.
    let halves = (0..=u16::MAX).map(half::f16::from_bits).map(f32::from);
    let brains = (0..=u16::MAX).map(half::bf16::from_bits).map(f32::from);
    let values: Vec<f32> = halves
        .chain(brains)
        .flat_map(|x| {
            [-1, 0, 1, 0x800, 0x1000, 0x1001, 0x7fff, 0x8000]
                .map(|d| f32::from_bits(x.to_bits().wrapping_add_signed(d)))
        })
        .collect();
    let n = values.len();
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_ne_bytes()).collect();
    let operands = [bytes.clone(), bytes.clone(), bytes];
    for level in levels() {
        for through in [DType::BF16, DType::F16] {
            let rounded = run(tile_round(through, level).unwrap(), &operands, [4; 3], 4, n, 0);
            for (x, y) in values.iter().zip(rounded.chunks(4)) {
                let y = f32::from_ne_bytes(y.try_into().unwrap());
                let wanted = match through {
                    DType::BF16 => f32::from(half::bf16::from_f32(*x)),
                    _ => f32::from(half::f16::from_f32(*x)),
                };
                assert!(
                    y.to_bits() == wanted.to_bits() || (y.is_nan() && wanted.is_nan()),
                    "{through:?} of {x:e}: {y:e}"
                );
            }
        }
    }
    assert!(tile_round(DType::F64, Level::Baseline).is_none());
}

#[test]
fn sixteen_bit_floats_are_rounded_once() {
    for to in [DType::BF16, DType::F16] {
        let (floats, whole) = (sample::between(to), sample::whole_between(to));
        let small: Vec<i32> = whole.iter().filter_map(|&x| i32::try_from(x).ok()).collect();
        let cases: [(DType, Vec<u8>, Vec<f64>); 3] = [
            (
                DType::F64,
                bytemuck::cast_slice(&floats).to_vec(),
                floats.iter().map(|&x| sample::nearest(to, x)).collect(),
            ),
            (
                DType::I64,
                bytemuck::cast_slice(&whole).to_vec(),
                whole.iter().map(|&x| sample::nearest_whole(to, x)).collect(),
            ),
            (
                DType::I32,
                bytemuck::cast_slice(&small).to_vec(),
                small.iter().map(|&x| sample::nearest_whole(to, i64::from(x))).collect(),
            ),
        ];
        for (from, bytes, wanted) in cases {
            let (n, size) = (wanted.len(), from.size());
            let operands = [bytes.clone(), bytes.clone(), bytes];
            for level in levels() {
                let cast = run(tile_cast(from, to, level), &operands, [size; 3], 2, n, 0);
                let narrow = run(tile_narrow(from, level), &operands, [size; 3], 4, n, 0);
                let inside = [narrow.clone(), narrow.clone(), narrow];
                let inside = run(tile_round(to, level).unwrap(), &inside, [4; 3], 4, n, 0);
                for (i, wanted) in wanted.iter().enumerate() {
                    for (dtype, result) in [(to, &cast[2 * i..][..2]), (DType::F32, &inside[4 * i..][..4])] {
                        let found = sample::value(dtype, result);
                        let same = found == Value::Float(*wanted) || (found.is_nan() && wanted.is_nan());
                        assert!(same, "{from} to {to} as {dtype} {level:?}, {i}: {found:?}, not {wanted:e}");
                    }
                }
            }
        }
    }
}

#[test]
fn fill_repeats_one_element() {
    for size in [1, 2, 4, 8] {
        for n in [0, 1, 33, 200] {
            let one: Vec<u8> = (1..=8).collect();
            let out = run(
                tile_fill(size),
                &[[one.clone(), vec![0; 8 * n]].concat(), vec![0; 8 * n], vec![0; 8 * n]],
                [size; 3],
                size,
                n,
                1,
            );
            assert!(out.chunks(size).all(|c| c == &one[..size]), "size {size}, n {n}");
        }
    }
}

#[test]
fn folds_keep_their_order() {
    for r in ReduceFn::ALL {
        for dtype in REGISTERS.into_iter().filter(|&d| r.supports(d)) {
            let size = dtype.size();
            let join = tile(r.scalar(), dtype, Level::Baseline).unwrap();
            let join = |a: &[u8], b: &[u8]| run(join, &[a.to_vec(), b.to_vec(), vec![]], [size, size, 0], size, 1, 0);
            for n in [0, 1, 36, 63, 64, 65, 100, 200] {
                let source = sample::tame(dtype, n);
                let start = identity(r, dtype)[..size].to_vec();
                let mut lanes = vec![start; LANES];
                for (i, x) in source.chunks(size).enumerate() {
                    lanes[i % LANES] = join(&lanes[i % LANES], x);
                }
                let spread = lanes.concat();
                while lanes.len() > 1 {
                    let (low, high) = lanes.split_at(lanes.len() / 2);
                    lanes = low.iter().zip(high).map(|(a, b)| join(a, b)).collect();
                }
                for level in levels() {
                    let what = format!("{r:?} {dtype:?} {level:?} n {n}");
                    let mut accumulators = identity(r, dtype)[..size].repeat(LANES);
                    let mut one = vec![0; 8];
                    let none = std::ptr::null();
                    // SAFETY: the accumulators are LANES elements, and vectors of bytes this long are aligned to 8.
                    unsafe {
                        let accumulate = tile_accumulate(r, dtype, level).unwrap();
                        accumulate(accumulators.as_mut_ptr(), source.as_ptr(), none, none, n);
                        assert_same(&what, dtype, &spread, &accumulators);
                        let finish = tile_finish(r, dtype, level).unwrap();
                        finish(one.as_mut_ptr(), accumulators.as_ptr(), none, none, LANES);
                    }
                    assert_same(&what, dtype, &lanes[0], &one[..size]);
                    // Three such rows at once.
                    let (start, three) = (identity(r, dtype), source.repeat(3));
                    let mut found = vec![0; 3 * size];
                    // SAFETY: the source has three rows, and the result as many elements.
                    unsafe {
                        let fold = tile_lanes(r, dtype, level).unwrap();
                        fold(found.as_mut_ptr(), three.as_ptr(), start.as_ptr(), 3, n);
                    }
                    found.chunks(size).for_each(|found| assert_same(&what, dtype, &lanes[0], found));
                }
            }
            for (rows, cols) in [(0, 3), (1, 1), (7, 2), (8, 5), (29, 10), (16, 32)] {
                let source = sample::tame(dtype, rows * cols);
                for level in levels() {
                    let mut found = vec![0; rows * size];
                    // SAFETY: the source has rows · cols elements, and the result as many as there are rows.
                    unsafe { tile_rows(r, dtype, level).unwrap()(found.as_mut_ptr(), source.as_ptr(), rows, cols) };
                    for (row, value) in source.chunks(cols * size).zip(found.chunks(size)) {
                        let mut elements = row.chunks(size);
                        let first = elements.next().unwrap().to_vec();
                        let wanted = elements.fold(first, |a, b| join(&a, b));
                        assert_same(&format!("{r:?} {dtype:?} {level:?} {rows}×{cols}"), dtype, &wanted, value);
                    }
                }
            }
            for (rows, cols, stride) in [(0, 5, 5), (1, 3, 3), (4, 2, 6), (6, 16, 16), (9, 45, 47), (3, 100, 100)] {
                let (source, start) = (sample::tame(dtype, rows * stride), sample::tame(dtype, cols));
                for level in levels() {
                    let mut found = start.clone();
                    // SAFETY: the source has so many rows, and the result as many elements as one of them counts.
                    unsafe {
                        let fold = tile_columns(r, dtype, level).unwrap();
                        fold(found.as_mut_ptr(), source.as_ptr(), rows, cols, stride);
                    }
                    for (col, (value, first)) in found.chunks(size).zip(start.chunks(size)).enumerate() {
                        let column = source.chunks(size).skip(col).step_by(stride);
                        let wanted = column.fold(first.to_vec(), |a, b| join(&a, b));
                        assert_same(&format!("{r:?} {dtype:?} {level:?} {rows}×{cols}"), dtype, &wanted, value);
                    }
                }
            }
        }
    }
}
