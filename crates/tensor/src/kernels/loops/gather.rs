//! Strided reads into a contiguous register, and writes past the caches.

use super::turn::{Panel, Turn};
use crate::kernels::axes::Odometer;
use crate::kernels::level::Level;
use crate::kernels::memory::copy;
use crate::program::loops::Dims;

/// Innermost axes at least this long are walked run by run.
const LONG: usize = 64;
/// Short axes are walked by a table of the places of at most so many elements.
const TABLE: usize = 1024;
/// Elements that are read together.
const GROUP: usize = 8;

/// A walk over memory, element by element, in the order of its axes.
#[derive(Debug)]
pub(super) struct Walk {
    /// Bytes of an element.
    size: usize,
    /// Whether the processor has AVX2.
    wide: bool,
    /// Extents and strides, outermost first, of all axes but the inner ones.
    outer: Dims,
    inner: Inner,
    /// How it is read through a panel, if that pays.
    turn: Option<Turn>,
}

/// The innermost axes.
#[derive(Debug)]
enum Inner {
    /// One axis: extent and stride.
    Run(usize, isize),
    /// Several short ones: the places of their elements, and how every eight of them lie.
    Table(Box<[i32]>, Box<[Group]>),
}

/// How [`GROUP`] elements lie.
#[derive(Clone, Copy, Debug)]
struct Group {
    lie: Lie,
    /// The first in memory.
    first: i32,
    /// The last in memory, less the lanes of a register but one.
    last: i32,
    /// For each its lane in the register that begins with the first, or 8 more than its lane in the one that ends with the last.
    lanes: [u8; GROUP],
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    /// Side by side, in order.
    Adjacent,
    /// Within one register.
    Within,
    /// Within two.
    Near,
    /// Anywhere.
    Far,
}

impl Group {
    fn new(places: &[i32; GROUP]) -> Group {
        let first = places.iter().copied().min().unwrap_or(0);
        let span = i64::from(places.iter().copied().max().unwrap_or(0)) - i64::from(first);
        let last = first.wrapping_add(span as i32 - (GROUP as i32 - 1));
        let lane = |place: i32| match place - first {
            at if at < GROUP as i32 => at as u8,
            _ => (place - last) as u8 + GROUP as u8,
        };
        let lie = match span {
            7 if places.windows(2).all(|pair| pair[1] == pair[0] + 1) => Lie::Adjacent,
            0..8 => Lie::Within,
            8..16 => Lie::Near,
            _ => Lie::Far,
        };
        let lanes = match lie {
            Lie::Far => [0; GROUP],
            _ => places.map(lane),
        };
        Group { lie, first, last, lanes }
    }
}

impl Walk {
    /// A walk over elements of `size` bytes along these axes, of which there is one at least, none of them empty.
    pub(super) fn new(dims: &[(usize, isize)], size: usize, level: Level) -> Walk {
        let wide = cfg!(target_arch = "x86_64") && level >= Level::Avx2;
        let split = dims.split_last();
        let (&(extent, stride), outer) = split.unwrap_or((&(1, 0), &[]));
        let run = || {
            let turn = Turn::new(dims, size, wide);
            Walk { size, wide, outer: outer.iter().copied().collect(), inner: Inner::Run(extent, stride), turn }
        };
        if extent >= LONG || outer.is_empty() {
            return run();
        }
        let mut outer: Dims = dims.iter().copied().collect();
        let mut table = vec![0isize];
        while let Some((extent, stride)) = outer.pop() {
            // As much of the axis as the table takes.
            let part = (1..=TABLE / table.len()).rev().find(|part| extent.is_multiple_of(*part)).unwrap_or(1);
            let part = if table.len() >= LONG && part < extent { 1 } else { part };
            let places = |i| table.iter().map(move |at| at + i as isize * stride);
            table = (0..part).flat_map(places).collect();
            if part < extent {
                outer.push((extent / part, stride * part as isize));
                break;
            }
        }
        let Ok(table) = table.into_iter().map(i32::try_from).collect::<Result<Box<[i32]>, _>>() else { return run() };
        let groups = match wide && size != 2 {
            true => table.as_chunks().0.iter().map(Group::new).collect(),
            false => Box::default(),
        };
        Walk { size, wide, outer, inner: Inner::Table(table, groups), turn: None }
    }

    /// Whether it is read through a panel.
    pub(super) fn turns(&self) -> bool {
        self.turn.is_some()
    }

    /// As [`Walk::copy`], through the panel, if it is read so.
    ///
    /// # Safety
    /// As for [`Walk::copy`]; the panel has been read through for this walk over this memory alone since it was forgotten.
    pub(super) unsafe fn copy_through(&self, panel: &mut Panel, dst: *mut u8, base: *const u8, start: usize, n: usize) {
        // SAFETY: promised by the caller.
        unsafe {
            match &self.turn {
                Some(turn) => turn.copy(panel, dst, base, start, n),
                None => self.copy(dst, base, start, n),
            }
        }
    }

    /// Copies `n` elements from logical index `start` of the walk over `base` on, to `dst`.
    ///
    /// # Safety
    /// `base + place·size` is readable for every place of the walk, of which there are as many, and `dst` has room for `n` elements.
    pub(super) unsafe fn copy(&self, dst: *mut u8, base: *const u8, start: usize, n: usize) {
        // SAFETY: promised by the caller, for each width.
        unsafe {
            match self.size {
                1 => self.elements::<u8>(dst, base, start, n),
                2 => self.elements::<u16>(dst, base, start, n),
                4 => self.elements::<u32>(dst, base, start, n),
                _ => self.elements::<u64>(dst, base, start, n),
            }
        }
    }

    /// # Safety
    /// As for [`Walk::copy`].
    unsafe fn elements<T: Wide>(&self, dst: *mut u8, base: *const u8, start: usize, n: usize) {
        let (mut dst, base) = (dst.cast::<T>(), base.cast::<T>());
        let inner = match &self.inner {
            Inner::Run(extent, _) => *extent,
            Inner::Table(table, _) => table.len(),
        };
        let (mut line, mut at) = (Odometer::new(&self.outer, start / inner), start % inner);
        let mut left = n;
        while left > 0 {
            let run = left.min(inner - at);
            // SAFETY: the elements at..at + run lie within the walk, and dst has room for what is left.
            unsafe {
                let src = base.offset(line.offset());
                match &self.inner {
                    #[cfg(target_arch = "x86_64")]
                    Inner::Run(_, stride) if self.wide => {
                        strided_wide(dst, src.offset(at as isize * stride), *stride, run);
                    }
                    Inner::Run(_, stride) => strided(dst, src.offset(at as isize * stride), *stride, run),
                    #[cfg(target_arch = "x86_64")]
                    Inner::Table(table, groups) if self.wide => T::grouped(dst, src, table, groups, at, run),
                    Inner::Table(table, _) => tabled(dst, src, &table[at..at + run]),
                }
                dst = dst.add(run);
            }
            (left, at) = (left - run, 0);
            line.advance();
        }
    }
}

/// # Safety
/// `n` elements at multiples of the stride are readable, and `dst` has room for them.
#[inline(always)]
unsafe fn strided<T: Copy>(dst: *mut T, src: *const T, stride: isize, n: usize) {
    // SAFETY: promised by the caller.
    unsafe {
        match stride {
            1 => copy(src.cast(), dst.cast(), n * size_of::<T>()),
            0 => {
                let value = src.read_unaligned();
                for i in 0..n {
                    dst.add(i).write_unaligned(value);
                }
            }
            // Steps that are known become shuffles of vectors.
            -1 => steps::<T, -1>(dst, src, n),
            2 => steps::<T, 2>(dst, src, n),
            3 => steps::<T, 3>(dst, src, n),
            4 => steps::<T, 4>(dst, src, n),
            _ => {
                for i in 0..n {
                    dst.add(i).write_unaligned(src.offset(i as isize * stride).read_unaligned());
                }
            }
        }
    }
}

/// # Safety
/// As for [`strided`].
#[inline(always)]
unsafe fn steps<T: Copy, const STEP: isize>(dst: *mut T, src: *const T, n: usize) {
    for i in 0..n {
        // SAFETY: promised by the caller.
        unsafe { dst.add(i).write_unaligned(src.offset(i as isize * STEP).read_unaligned()) };
    }
}

/// As [`strided`].
///
/// # Safety
/// As for [`strided`], and the processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn strided_wide<T: Copy>(dst: *mut T, src: *const T, stride: isize, n: usize) {
    // SAFETY: promised by the caller.
    unsafe { strided(dst, src, stride, n) }
}

/// # Safety
/// The elements at these places are readable, and `dst` has room for them.
#[inline(always)]
unsafe fn tabled<T: Copy>(dst: *mut T, src: *const T, places: &[i32]) {
    for (i, &place) in places.iter().enumerate() {
        // SAFETY: promised by the caller.
        unsafe { dst.add(i).write_unaligned(src.offset(place as isize).read_unaligned()) };
    }
}

/// Elements that AVX2 gathers, or not.
trait Wide: Copy {
    /// Copies `n` elements at the places from `at` on.
    ///
    /// # Safety
    /// The processor has AVX2, the elements at these places are readable, `dst` has room for `n`, and there is a group for every eight
    /// places where [`Walk::new`] makes them.
    #[cfg(target_arch = "x86_64")]
    unsafe fn grouped(dst: *mut Self, src: *const Self, table: &[i32], groups: &[Group], at: usize, n: usize);
}

#[cfg(target_arch = "x86_64")]
macro_rules! wide {
    ($($T:ty: $group:expr;)*) => {
        $(impl Wide for $T {
            #[target_feature(enable = "avx2")]
            unsafe fn grouped(dst: *mut $T, src: *const $T, table: &[i32], groups: &[Group], at: usize, n: usize) {
                let end = at + n;
                let (first, last) = (at.next_multiple_of(GROUP).min(end), end / GROUP * GROUP);
                // SAFETY: promised by the caller; whole groups lie between the first and the last place.
                unsafe {
                    if groups.is_empty() || last <= first {
                        return tabled(dst, src, &table[at..end]);
                    }
                    tabled(dst, src, &table[at..first]);
                    let places = table[first..last].as_chunks().0;
                    for (i, (group, places)) in groups[first / GROUP..].iter().zip(places).enumerate() {
                        $group(dst.add(first - at + i * GROUP), src, group, places);
                    }
                    tabled(dst.add(last - at), src, &table[last..end]);
                }
            }
        })*
    };
}

#[cfg(target_arch = "x86_64")]
wide! {
    u8: |dst, src, group, places| one_byte(dst, src, group, places);
    u16: |_, _, _, _: &[i32; GROUP]| {};
    u32: |dst, src, group, places| four_bytes(dst, src, group, places);
    u64: |dst, src, group, places| eight_bytes(dst, src, group, places);
}

#[cfg(not(target_arch = "x86_64"))]
impl<T: Copy> Wide for T {}

/// # Safety
/// As for [`four_bytes`].
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn one_byte(dst: *mut u8, src: *const u8, group: &Group, places: &[i32; GROUP]) {
    use std::arch::x86_64::*;
    // SAFETY: eight bytes from the first place in memory and eight that end with the last one lie between these two.
    unsafe {
        let first = src.wrapping_offset(group.first as isize);
        let x = match group.lie {
            Lie::Adjacent => _mm_loadl_epi64(first.cast()),
            Lie::Near => {
                let last = src.wrapping_offset(group.last as isize);
                let both = _mm_unpacklo_epi64(_mm_loadl_epi64(first.cast()), _mm_loadl_epi64(last.cast()));
                _mm_shuffle_epi8(both, _mm_loadl_epi64(group.lanes.as_ptr().cast()))
            }
            _ => return tabled(dst, src, places),
        };
        _mm_storel_epi64(dst.cast(), x);
    }
}

/// # Safety
/// The processor has AVX2, the places of the group are readable, and `dst` has room for a group.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn four_bytes(dst: *mut u32, src: *const u32, group: &Group, places: &[i32; GROUP]) {
    use std::arch::x86_64::*;
    // SAFETY: nothing is read but what lies between the first place in memory and the last, and masked lanes are not touched.
    unsafe {
        let lanes = || _mm256_cvtepu8_epi32(_mm_loadl_epi64(group.lanes.as_ptr().cast()));
        let first = src.offset(group.first as isize).cast::<i32>();
        let last = src.wrapping_offset(group.last as isize).cast::<i32>();
        let x = match group.lie {
            Lie::Adjacent => _mm256_loadu_si256(first.cast()),
            Lie::Within => {
                // As many lanes as there are places up to the last one.
                let count = _mm256_set1_epi32(group.last - group.first + GROUP as i32);
                let mask = _mm256_cmpgt_epi32(count, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
                _mm256_permutevar8x32_epi32(_mm256_maskload_epi32(first, mask), lanes())
            }
            Lie::Near => {
                let lanes = lanes();
                let low = _mm256_permutevar8x32_epi32(_mm256_loadu_si256(first.cast()), lanes);
                let high = _mm256_permutevar8x32_epi32(_mm256_loadu_si256(last.cast()), lanes);
                // Bit 3 of the lane says which register.
                let which = _mm256_castsi256_ps(_mm256_slli_epi32::<28>(lanes));
                _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high), which))
            }
            Lie::Far => {
                let [a, b, c, d, e, f, g, h] =
                    places.map(|place| src.offset(place as isize).cast::<i32>().read_unaligned());
                _mm256_setr_epi32(a, b, c, d, e, f, g, h)
            }
        };
        _mm256_storeu_si256(dst.cast(), x);
    }
}

/// # Safety
/// As for [`four_bytes`].
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn eight_bytes(dst: *mut u64, src: *const u64, group: &Group, places: &[i32; GROUP]) {
    use std::arch::x86_64::*;
    // SAFETY: promised by the caller.
    unsafe {
        match group.lie {
            Lie::Adjacent => {
                let first = src.offset(group.first as isize);
                let (low, high) = (_mm256_loadu_si256(first.cast()), _mm256_loadu_si256(first.add(4).cast()));
                _mm256_storeu_si256(dst.cast(), low);
                _mm256_storeu_si256(dst.add(4).cast(), high);
            }
            _ => tabled(dst, src, places),
        }
    }
}

/// Copies `bytes` past the caches where the destination is aligned for it.
///
/// # Safety
/// `src` is readable and `dst` writable for `bytes` bytes, and they do not overlap.
pub(super) unsafe fn stream(dst: *mut u8, src: *const u8, bytes: usize, wide: bool) {
    #[cfg(target_arch = "x86_64")]
    if wide && (dst as usize).is_multiple_of(32) {
        let whole = bytes & !31;
        // SAFETY: promised by the caller; `wide` says that the processor has AVX.
        unsafe {
            stream_avx(dst, src, whole);
            std::ptr::copy_nonoverlapping(src.add(whole), dst.add(whole), bytes - whole);
        }
        return;
    }
    let _ = wide;
    // SAFETY: promised by the caller.
    unsafe { std::ptr::copy_nonoverlapping(src, dst, bytes) }
}

/// Orders streaming stores before what follows.
pub(super) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn stream_avx(dst: *mut u8, src: *const u8, bytes: usize) {
    use std::arch::x86_64::{__m256i, _mm256_loadu_si256, _mm256_stream_si256};
    for i in (0..bytes).step_by(32) {
        // SAFETY: the caller promises `bytes` (a multiple of 32) on both sides and an aligned destination.
        unsafe { _mm256_stream_si256(dst.add(i).cast::<__m256i>(), _mm256_loadu_si256(src.add(i).cast::<__m256i>())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Copy + PartialEq + std::fmt::Debug>(dims: &[(usize, isize)], level: Level, from: impl Fn(usize) -> T) {
        let (mut low, mut high, mut places) = (0, 0, vec![0isize]);
        for &(extent, stride) in dims {
            let reach = (extent as isize - 1) * stride;
            (low, high) = (low + reach.min(0), high + reach.max(0));
            places = places.iter().flat_map(|at| (0..extent as isize).map(move |i| at + i * stride)).collect();
        }
        // A buffer that has no room to spare.
        let memory: Box<[T]> = (0..(high - low + 1) as usize).map(&from).collect();
        let base = memory.as_ptr().wrapping_offset(-low);
        let walk = Walk::new(dims, size_of::<T>(), level);
        let mut panel = Panel::default();
        let total = places.len();
        for (start, n) in [(0, total), (1, total - 1), (total / 3, total / 2), (total - 1, 1), (total / 2, 0), (3, 9)] {
            let n = n.min(total - start.min(total));
            let mut found = vec![from(7777); n + 1];
            // SAFETY: the memory covers the walk, and there is room for the elements.
            unsafe { walk.copy(found.as_mut_ptr().cast(), base.cast(), start, n) };
            let wanted = places.iter().skip(start).take(n).map(|at| memory[(at - low) as usize]);
            let wanted: Vec<T> = wanted.chain([from(7777)]).collect();
            assert!(found == wanted, "{dims:?} from {start}, {n} at {level:?}");
            let mut found = vec![from(7777); n + 1];
            // SAFETY: as above; the panel is of this walk.
            unsafe { walk.copy_through(&mut panel, found.as_mut_ptr().cast(), base.cast(), start, n) };
            assert!(found == wanted, "{dims:?} from {start}, {n} through a panel");
        }
    }

    #[test]
    fn walks_find_their_elements() {
        let walks: [&[(usize, isize)]; 22] = [
            &[(300, 1)],
            &[(70, 2)],
            &[(10, -3)],
            &[(5, 24), (12, 2)],
            &[(4, 576), (2, 24), (12, 48), (2, 1), (12, 2)],
            &[(3, 144), (12, 12), (2, 0), (12, 1), (2, 0)],
            &[(7, 24), (12, 1), (2, 12)],
            &[(40, 20), (3, 1)],
            &[(40, 0), (3, 1)],
            &[(9, 1), (11, 9)],
            &[(20, 1), (30, 20)],
            &[(5, -1), (16, 5)],
            &[(3, 7), (26, -1)],
            &[(1021, 3), (3, 1)],
            &[(2048, 2), (2, -1)],
            &[(2, 1 << 33), (1, 5)],
            &[(6, 100), (5, 1), (4, 5), (4, 20)],
            // Read through panels.
            &[(64, 1), (128, 64)],
            &[(3, 20_000), (37, 1), (531, 37)],
            &[(2, -1), (3, 70_000), (100, 1), (600, 101)],
            &[(70, 1), (1030, -77)],
            &[(4, 1), (129, 1000)],
        ];
        for level in Level::ALL.into_iter().filter(|l| l.is_available()) {
            for dims in walks.iter().filter(|dims| dims.iter().all(|axis| axis.1.abs() < 1 << 30)) {
                check(dims, level, |i| i as u8);
                check(dims, level, |i| i as u16);
                check(dims, level, |i| i as u32);
                check(dims, level, |i| i as u64);
            }
        }
        assert!(walks[17..21].iter().all(|dims| Walk::new(dims, 4, Level::Baseline).turns()));
        assert!(matches!(Walk::new(walks[15], 4, Level::Baseline).inner, Inner::Run(..)), "places beyond 32 bits");
        assert!(matches!(Walk::new(walks[4], 4, Level::Baseline).inner, Inner::Table(..)));
    }
}
