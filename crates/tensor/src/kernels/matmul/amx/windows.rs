//! Products whose second operand are windows that overlap, as those of a convolution: the memory under them is split once, and tiles are
//! read from its parts where they lie, without a panel of copies.
//!
//! A column is a window, which begins a step behind the one before it. Along k it has elements here and there (*taps*), and at each of
//! them one of every channel, a fixed distance apart. So 32 channels of a tap in 16 windows beside each other are a tile, if pairs of
//! channels are woven into one *plane* of memory. Rows of windows do not follow each other, but the memory between them may as well be
//! computed as if they did, and be left out of C.
//!
//! Chunks and their order are those of the panels, so the bits are the same.

use core::arch::x86_64::*;
use smallvec::SmallVec;

use super::super::block::Part;
use super::super::normal::Normal;
use super::super::scratch::{Room, with_room};
use super::split::{LANES, magnitude, mask, pairs, parts};
use super::tile::{Place, Unit, WindowPanels, multiply_windows};
use super::{CHUNK, DEPTH, Pointers, SHARED_BYTES, SIDE, STEP, UNIT, is_plain, mend};
use crate::kernels::threads;

/// Windows of fewer taps do not overlap enough.
const TAPS: usize = 3;
/// Bytes of the planes of a unit of work, so that they stay in the L2 cache.
const PLANES: usize = 640 << 10;
/// Elements along k in a block that is summed from zero, in chunks.
const BLOCK: usize = DEPTH / STEP;
/// Parts of an element.
const PARTS: usize = 3;

/// Where the windows of each product lie.
pub(super) struct Windows {
    /// Rows of windows, and how far apart they are.
    rows: usize,
    pitch: usize,
    /// Windows in a row.
    run: usize,
    /// The offsets of the taps, in order.
    taps: Box<[usize]>,
    /// The farthest of them.
    reach: usize,
    channels: usize,
    /// From one channel to the next.
    apart: isize,
}

impl Windows {
    /// The windows that the second operand is, if it is read in this way.
    pub(super) fn new(p: &Normal<'_>) -> Option<Windows> {
        let [along, across] = p.b_sides?;
        let (rows, pitch, run) = match *across.axes(p.n).as_slice() {
            [(run, 1)] => (1, run, run),
            [(rows, pitch), (run, 1)] => (rows, usize::try_from(pitch).ok()?, run),
            _ => return None,
        };
        let axes = along.axes(p.k);
        let &(channels, apart) = axes.last()?;
        if !channels.is_multiple_of(STEP) || p.k / channels < TAPS || run > pitch || run * 4 < pitch * 3 {
            return None;
        }
        let mut taps: Box<[usize]> = vec![0; p.k / channels].into();
        for (i, tap) in taps.iter_mut().enumerate() {
            let mut offset = [0];
            along.offsets(i * channels, &mut offset);
            *tap = usize::try_from(offset[0]).ok()?;
        }
        let reach = taps.iter().copied().max()?;
        // A band of rows is split again where the next one begins.
        (reach < 16 * pitch).then_some(Windows { rows, pitch, run, taps, reach, channels, apart })
    }

    /// Whether the copy of the first operand is one for all products, and not too large.
    pub(super) fn shares(&self, p: &Normal<'_>, a_count: usize) -> bool {
        let panels = p.m.div_ceil(SIDE);
        a_count == 1 && panels.saturating_mul(p.k / STEP).saturating_mul(CHUNK) <= SHARED_BYTES
    }

    /// Computes all products.
    ///
    /// # Safety
    /// As for [`super::run`]; the first operand is copied for all, and the windows are those of the second.
    pub(super) unsafe fn compute(&self, p: &Normal<'_>, all: &Pointers<'_>) {
        // A band has all channels.
        let wide = |rows: usize| (rows - 1) * self.pitch + self.run;
        let bytes = |rows: usize| self.channels / 2 * PARTS * self.plane(wide(rows));
        let enough = 2 * threads::threads();
        let mut bands = 1;
        let rows = |bands: usize| self.rows.div_ceil(bands);
        while rows(bands) > 1
            && (bytes(rows(bands)) > PLANES || (p.count() * bands < enough && p.work() / bands > 2 * UNIT))
        {
            bands += 1;
        }
        let tall = rows(bands);
        let bands = self.rows.div_ceil(tall);
        threads::parallel(p.count() * bands, &|unit| {
            let all = &all;
            let (index, first) = (unit / bands, unit % bands * tall);
            // SAFETY: promised by the caller; the rows lie within the product.
            unsafe { self.band(p, all, index, [first, tall.min(self.rows - first)]) }
        });
    }

    /// Bytes of a plane for so many columns: whole panels and what they reach. Planes lie at different places of the lines of the cache.
    fn plane(&self, wide: usize) -> usize {
        let lines = (wide.next_multiple_of(SIDE) + self.reach).div_ceil(LANES);
        (lines | 1) * 64
    }

    /// Computes some rows of windows of a product.
    ///
    /// # Safety
    /// As for [`Windows::compute`].
    unsafe fn band(&self, p: &Normal<'_>, all: &Pointers<'_>, index: usize, [first, rows]: [usize; 2]) {
        let (start_a, start_b) = p.start(index);
        let wide = (rows - 1) * self.pitch + self.run;
        let plane = self.plane(wide);
        let (groups, part) = (self.channels / STEP, self.channels / 2 * plane);
        let cols = rows * self.run;
        let part_of_c = Part { row: 0, col: first * self.run, rows: p.m, cols };
        let largest = plane / 4 + cols;
        with_room(Room::Unit, PARTS * part + largest * size_of::<u32>(), |planes| {
            let magnitudes: *mut u32 = planes.wrapping_add(PARTS * part).cast();
            let largest = magnitudes.wrapping_add(plane / 4);
            // SAFETY: the rows lie within the operand, the room holds their planes, and the unit is configured.
            unsafe {
                let from = all.b.at.offset(start_b).add(first * self.pitch);
                self.split(from, wide + self.reach, planes, [plane, part], magnitudes);
                self.largest(magnitudes, rows, largest);
                // For each chunk, where its tiles begin in the planes of each part.
                let chunks: SmallVec<[[usize; PARTS]; 64]> = (self.taps.iter())
                    .flat_map(|tap| (0..groups).map(move |group| tap * 4 + group * LANES * plane))
                    .map(|offset| [offset, offset + part, offset + 2 * part])
                    .collect();
                let Some(shared) = &all.shared[0] else { return };
                let c = all.c.add(index * p.m * p.n + part_of_c.col);
                let unit = Unit::begin();
                for (block, chunks) in chunks.chunks(BLOCK).enumerate() {
                    for at in (0..wide).step_by(SIDE) {
                        let width = SIDE.min(wide - at);
                        let segments = self.segments(at, width);
                        for panel in 0..p.m.div_ceil(SIDE) {
                            let row = panel * SIDE;
                            let panels = WindowPanels {
                                a: shared.panel(0, panel, block * BLOCK),
                                b: planes.add(at * 4),
                                chunks,
                                across: plane,
                                first: block == 0,
                            };
                            let place =
                                Place { c: c.add(row * p.n), stride: p.n, rows: SIDE.min(p.m - row), cols: width };
                            multiply_windows(&unit, &panels, &place, &segments);
                        }
                    }
                }
                drop(unit);
                let rows = std::slice::from_raw_parts(shared.largest(0, 0), p.m);
                let cols = std::slice::from_raw_parts(largest, cols);
                if !is_plain(rows, cols) {
                    mend(
                        p,
                        part_of_c,
                        [rows, cols],
                        all.a.at.offset(start_a),
                        all.b.at.offset(start_b),
                        all.c.add(index * p.m * p.n),
                    );
                }
            }
        });
    }

    /// Which of the columns of a panel belong to C, and where.
    fn segments(&self, at: usize, width: usize) -> SmallVec<[Segment; 4]> {
        let mut segments = SmallVec::new();
        let mut from = 0;
        while from < width {
            let (row, column) = ((at + from) / self.pitch, (at + from) % self.pitch);
            if column < self.run {
                let len = (self.run - column).min(width - from);
                segments.push(Segment { from, to: row * self.run + column, len });
            }
            from += self.pitch - column;
        }
        segments
    }

    /// Splits `len` elements of every channel into planes, and notes the largest magnitude at each place.
    ///
    /// # Safety
    /// The level is AMX; the elements are readable, and the planes and `magnitudes` writable.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
    unsafe fn split(&self, from: *const f32, len: usize, to: *mut u8, [plane, part]: [usize; 2], largest: *mut u32) {
        // SAFETY: promised by the caller; what is masked is not read.
        unsafe {
            largest.write_bytes(0, plane / 4);
            for pair in 0..self.channels / 2 {
                let channel = pair / LANES * STEP + pair % LANES;
                let x = from.offset(channel as isize * self.apart);
                let y = x.offset(LANES as isize * self.apart);
                let to = to.add(pair * plane);
                for at in (0..len).step_by(LANES) {
                    let lanes = mask(len - at);
                    let x = _mm512_maskz_loadu_ps(lanes, x.add(at));
                    let y = _mm512_maskz_loadu_ps(lanes, y.add(at));
                    let known = largest.add(at);
                    let most = _mm512_max_epu32(magnitude(x), magnitude(y));
                    _mm512_store_si512(known.cast(), _mm512_max_epu32(_mm512_load_si512(known.cast()), most));
                    let ([x0, x1, x2], [y0, y1, y2]) = (parts(x), parts(y));
                    let to = to.add(at * 4);
                    _mm512_store_si512(to.cast(), pairs(x0, y0));
                    _mm512_store_si512(to.add(part).cast(), pairs(x1, y1));
                    _mm512_store_si512(to.add(2 * part).cast(), pairs(x2, y2));
                }
            }
        }
    }

    /// The largest magnitude of each window.
    ///
    /// # Safety
    /// The level is AMX; there are magnitudes for all that the windows read, and room for a number for each of them.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
    unsafe fn largest(&self, magnitudes: *const u32, rows: usize, to: *mut u32) {
        for row in 0..rows {
            for column in (0..self.run).step_by(LANES) {
                let lanes = mask(self.run - column);
                let mut most = _mm512_setzero_si512();
                for tap in &self.taps {
                    // SAFETY: promised by the caller; what is masked is not touched.
                    let known = unsafe {
                        _mm512_maskz_loadu_epi32(lanes, magnitudes.add(row * self.pitch + column + tap).cast())
                    };
                    most = _mm512_max_epu32(most, known);
                }
                // SAFETY: as above.
                unsafe { _mm512_mask_storeu_epi32(to.add(row * self.run + column).cast(), lanes, most) }
            }
        }
    }
}

/// Columns of a panel that follow each other in C.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// The first in the panel.
    pub(super) from: usize,
    /// The same in C.
    pub(super) to: usize,
    pub(super) len: usize,
}
