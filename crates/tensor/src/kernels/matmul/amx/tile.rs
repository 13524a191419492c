//! Tiles of C in the registers of the matrix unit: the one place where its instructions stand.

use core::arch::x86_64::{__mmask16, _mm512_add_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps};
use std::arch::asm;
use std::mem::MaybeUninit;

use super::windows::Segment;
use super::{CHUNK, SIDE, TILE};
use crate::kernels::memory::prefetch;

/// Bytes of a row of a tile.
const ROW: usize = 64;

/// What the registers are: eight tiles of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIG: Config = Config {
    palette: 1,
    start: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// The registers of this thread, configured until it is dropped.
pub(super) struct Unit(());

impl Unit {
    /// # Safety
    /// The level is [`Level::Amx`](crate::kernels::level::Level::Amx) at least.
    pub(super) unsafe fn begin() -> Unit {
        // SAFETY: the instruction exists, and reads the 64 bytes of the configuration.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, preserves_flags)) }
        Unit(())
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // SAFETY: a unit exists only where the instruction does.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags)) }
    }
}

/// Chunks of a panel of rows of A and of a panel of columns of B, one after another, to be multiplied.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub(super) a: *const u8,
    pub(super) b: *const u8,
    pub(super) chunks: usize,
    /// Whether the six products of parts stand in the order of the transposed product.
    pub(super) turned: bool,
    /// The first chunks set C, later ones add to it.
    pub(super) first: bool,
}

/// The place of up to 32 rows and 32 columns in C.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) c: *mut f32,
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) cols: usize,
}

/// Multiplies the panels into C.
///
/// # Safety
/// The panels have as many chunks as they say, in order; C is writable, and readable unless the panels are the first; the registers of the
/// thread are configured, which `_unit` stands for.
pub(super) unsafe fn multiply(_unit: &Unit, p: &Panels, at: &Place) {
    const HALF: usize = SIDE / 2;
    let half = |n: usize| n <= HALF;
    // SAFETY: promised by the caller; the first whole tiles are written where they belong, others beside, and copied or added.
    unsafe {
        // C comes to the cache while the chunks are multiplied.
        for row in 0..at.rows {
            let line = at.c.wrapping_add(row * at.stride);
            prefetch(line.cast());
            prefetch(line.wrapping_add(HALF).cast());
        }
        if p.first && at.rows.is_multiple_of(HALF) && at.cols.is_multiple_of(HALF) {
            return whole(p, at.c, at.stride, half(at.rows), half(at.cols));
        }
        let mut beside = MaybeUninit::<Beside>::uninit();
        let from: *mut f32 = beside.as_mut_ptr().cast();
        whole(p, from, SIDE, half(at.rows), half(at.cols));
        match p.first {
            true => put::<false>(at, from),
            false => put::<true>(at, from),
        }
    }
}

/// Chunks of a panel of rows of A, and where the tiles of B begin.
#[derive(Clone, Copy)]
pub(super) struct WindowPanels<'a> {
    pub(super) a: *const u8,
    pub(super) b: *const u8,
    /// For each chunk, behind `b`, the tiles of each part.
    pub(super) chunks: &'a [[usize; 3]],
    /// From one row of a tile of B to the next.
    pub(super) across: usize,
    /// The first chunks set C, later ones add to it.
    pub(super) first: bool,
}

/// As [`multiply`], for windows: of the columns, those of the segments belong to C.
///
/// # Safety
/// As for [`multiply`]; the tiles of B are readable, as wide as the columns.
pub(super) unsafe fn multiply_windows(_unit: &Unit, p: &WindowPanels<'_>, at: &Place, segments: &[Segment]) {
    const HALF: usize = SIDE / 2;
    if p.chunks.is_empty() {
        return;
    }
    let (one_row, one_col) = (at.rows <= HALF, at.cols <= HALF);
    // SAFETY: promised by the caller; whole tiles are written beside, and what belongs to C is copied or added.
    unsafe {
        if let ([segment], true) = (segments, p.first && at.rows.is_multiple_of(HALF))
            && segment.len == at.cols
            && at.cols.is_multiple_of(HALF)
        {
            return whole_windows(p, at.c.add(segment.to), at.stride, one_row, one_col);
        }
        for row in 0..at.rows {
            for segment in segments {
                let line = at.c.wrapping_add(row * at.stride + segment.to);
                prefetch(line.cast());
                prefetch(line.wrapping_add(segment.len - 1).cast());
            }
        }
        let mut beside = MaybeUninit::<Beside>::uninit();
        let from: *mut f32 = beside.as_mut_ptr().cast();
        whole_windows(p, from, SIDE, one_row, one_col);
        for segment in segments {
            let place = Place { c: at.c.add(segment.to), cols: segment.len, ..*at };
            match p.first {
                true => put::<false>(&place, from.add(segment.from)),
                false => put::<true>(&place, from.add(segment.from)),
            }
        }
    }
}

/// # Safety
/// As for [`multiply_windows`], where C has whole tiles: one or two beside and above each other.
unsafe fn whole_windows(p: &WindowPanels<'_>, c: *mut f32, stride: usize, one_row: bool, one_col: bool) {
    let below = c.wrapping_add(SIDE / 2 * stride);
    // SAFETY: promised by the caller.
    unsafe {
        match (one_row, one_col) {
            (false, false) => windows_two_by_two(p, c, below, stride * 4),
            (true, false) => windows_one_by_two(p, c, below, stride * 4),
            (false, true) => windows_two_by_one(p, c, below, stride * 4),
            (true, true) => windows_one_by_one(p, c, below, stride * 4),
        }
    }
}

/// Copies what lies beside to C, or adds it.
///
/// # Safety
/// The level is AMX; C is writable, and readable if it is added to, and `from` readable for its rows and columns.
#[target_feature(enable = "avx512f")]
unsafe fn put<const ADD: bool>(at: &Place, from: *const f32) {
    const LANES: usize = 16;
    for r in 0..at.rows {
        for col in (0..at.cols).step_by(LANES) {
            let lanes = ((1u32 << LANES.min(at.cols - col)) - 1) as __mmask16;
            // SAFETY: the lanes of the mask lie within the row.
            unsafe {
                let to = at.c.add(r * at.stride + col);
                let x = _mm512_maskz_loadu_ps(lanes, from.add(r * SIDE + col));
                let x = if ADD { _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, to), x) } else { x };
                _mm512_mask_storeu_ps(to, lanes, x);
            }
        }
    }
}

/// Room for tiles of which C has only a part.
#[repr(C, align(64))]
pub(super) struct Beside([[f32; SIDE]; SIDE]);

/// # Safety
/// As for [`multiply`], where C has whole tiles: one or two beside and above each other.
unsafe fn whole(p: &Panels, c: *mut f32, stride: usize, one_row: bool, one_col: bool) {
    let below = c.wrapping_add(SIDE / 2 * stride);
    // SAFETY: promised by the caller.
    unsafe {
        match (one_row, one_col, p.turned) {
            (false, false, false) => two_by_two(p, c, below, stride * 4),
            (false, false, true) => two_by_two_turned(p, c, below, stride * 4),
            (true, false, false) => one_by_two(p, c, below, stride * 4),
            (true, false, true) => one_by_two_turned(p, c, below, stride * 4),
            (false, true, false) => two_by_one(p, c, below, stride * 4),
            (false, true, true) => two_by_one_turned(p, c, below, stride * 4),
            (true, true, false) => one_by_one(p, c, below, stride * 4),
            (true, true, true) => one_by_one_turned(p, c, below, stride * 4),
        }
    }
}

// Tiles 0 to 3 are C, row by row; 4 and 5 are of A, 6 and 7 of B.
#[rustfmt::skip]
macro_rules! a {
    (2, $part:literal) => { concat!("tileloadd tmm4, [{a} + {row} + ", $part, "*2048]\n tileloadd tmm5, [{a} + {row} + ", $part, "*2048 + 1024]\n") };
    (1, $part:literal) => { concat!("tileloadd tmm4, [{a} + {row} + ", $part, "*2048]\n") };
}
#[rustfmt::skip]
macro_rules! b {
    (2, $part:literal) => { concat!("tileloadd tmm6, [{b} + {row} + ", $part, "*2048]\n tileloadd tmm7, [{b} + {row} + ", $part, "*2048 + 1024]\n") };
    (1, $part:literal) => { concat!("tileloadd tmm6, [{b} + {row} + ", $part, "*2048]\n") };
}
#[rustfmt::skip]
macro_rules! window {
    (2, $part:literal) => { concat!("tileloadd tmm6, [{b", $part, "} + {across}]\n tileloadd tmm7, [{b", $part, "} + {across} + 64]\n") };
    (1, $part:literal) => { concat!("tileloadd tmm6, [{b", $part, "} + {across}]\n") };
}
#[rustfmt::skip]
macro_rules! dot {
    (2, 2) => { "tdpbf16ps tmm0, tmm4, tmm6\n tdpbf16ps tmm1, tmm4, tmm7\n tdpbf16ps tmm2, tmm5, tmm6\n tdpbf16ps tmm3, tmm5, tmm7\n" };
    (1, 2) => { "tdpbf16ps tmm0, tmm4, tmm6\n tdpbf16ps tmm1, tmm4, tmm7\n" };
    (2, 1) => { "tdpbf16ps tmm0, tmm4, tmm6\n tdpbf16ps tmm2, tmm5, tmm6\n" };
    (1, 1) => { "tdpbf16ps tmm0, tmm4, tmm6\n" };
}
#[rustfmt::skip]
macro_rules! zero {
    (2, 2) => { "tilezero tmm0\n tilezero tmm1\n tilezero tmm2\n tilezero tmm3\n" };
    (1, 2) => { "tilezero tmm0\n tilezero tmm1\n" };
    (2, 1) => { "tilezero tmm0\n tilezero tmm2\n" };
    (1, 1) => { "tilezero tmm0\n" };
}
#[rustfmt::skip]
macro_rules! store {
    (2, 2) => { "tilestored [{c} + {stride}], tmm0\n tilestored [{c} + {stride} + 64], tmm1\n tilestored [{below} + {stride}], tmm2\n tilestored [{below} + {stride} + 64], tmm3\n" };
    (1, 2) => { "tilestored [{c} + {stride}], tmm0\n tilestored [{c} + {stride} + 64], tmm1\n" };
    (2, 1) => { "tilestored [{c} + {stride}], tmm0\n tilestored [{below} + {stride}], tmm2\n" };
    (1, 1) => { "tilestored [{c} + {stride}], tmm0\n" };
}

/// One chunk: six products of parts, ordered so that from one to the next one operand stays.
macro_rules! chunk {
    ($r:tt, $c:tt, in_order) => {
        chunk!($r, $c, b)
    };
    ($r:tt, $c:tt, windows) => {
        chunk!($r, $c, window)
    };
    ($r:tt, $c:tt, turned) => {
        concat!(
            b!($c, "0"),
            a!($r, "2"),
            dot!($r, $c),
            a!($r, "1"),
            dot!($r, $c),
            b!($c, "1"),
            dot!($r, $c),
            a!($r, "0"),
            dot!($r, $c),
            b!($c, "2"),
            dot!($r, $c),
            b!($c, "0"),
            dot!($r, $c),
        )
    };
    ($r:tt, $c:tt, $b:ident) => {
        concat!(
            a!($r, "0"),
            $b!($c, "2"),
            dot!($r, $c),
            $b!($c, "1"),
            dot!($r, $c),
            a!($r, "1"),
            dot!($r, $c),
            $b!($c, "0"),
            dot!($r, $c),
            a!($r, "2"),
            dot!($r, $c),
            a!($r, "0"),
            dot!($r, $c),
        )
    };
}

macro_rules! kernel {
    ($name:ident, $r:tt, $c:tt, $order:tt) => {
        /// # Safety
        /// As for [`whole`].
        unsafe fn $name(p: &Panels, c: *mut f32, below: *mut f32, stride: usize) {
            const { assert!(TILE == 1024 && CHUNK == 6144) }
            // SAFETY: promised by the caller: the loads and stores of tiles lie within the panels and C.
            unsafe {
                asm!(
                    // Not every form has a row below.
                    "/* {below} */",
                    zero!($r, $c),
                    "2:",
                    chunk!($r, $c, $order),
                    "add {a}, 6144",
                    "add {b}, 6144",
                    "dec {chunks}",
                    "jnz 2b",
                    store!($r, $c),
                    a = inout(reg) p.a => _,
                    b = inout(reg) p.b => _,
                    chunks = inout(reg) p.chunks => _,
                    c = in(reg) c,
                    below = in(reg) below,
                    stride = in(reg) stride,
                    row = in(reg) ROW,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

kernel!(two_by_two, 2, 2, in_order);
kernel!(two_by_two_turned, 2, 2, turned);
kernel!(one_by_two, 1, 2, in_order);
kernel!(one_by_two_turned, 1, 2, turned);
kernel!(two_by_one, 2, 1, in_order);
kernel!(two_by_one_turned, 2, 1, turned);
kernel!(one_by_one, 1, 1, in_order);
kernel!(one_by_one_turned, 1, 1, turned);

macro_rules! window_kernel {
    ($name:ident, $r:tt, $c:tt) => {
        /// # Safety
        /// As for [`whole_windows`].
        unsafe fn $name(p: &WindowPanels<'_>, c: *mut f32, below: *mut f32, stride: usize) {
            const { assert!(TILE == 1024 && CHUNK == 6144) }
            // SAFETY: promised by the caller: the loads and stores of tiles lie within the panel, the planes and C.
            unsafe {
                asm!(
                    "/* {below} */",
                    zero!($r, $c),
                    "2:",
                    "mov {b0}, {b}",
                    "mov {b1}, {b}",
                    "mov {b2}, {b}",
                    "add {b0}, [{table}]",
                    "add {b1}, [{table} + 8]",
                    "add {b2}, [{table} + 16]",
                    "add {table}, 24",
                    chunk!($r, $c, windows),
                    "add {a}, 6144",
                    "dec {chunks}",
                    "jnz 2b",
                    store!($r, $c),
                    a = inout(reg) p.a => _,
                    b = in(reg) p.b,
                    table = inout(reg) p.chunks.as_ptr() => _,
                    chunks = inout(reg) p.chunks.len() => _,
                    b0 = out(reg) _,
                    b1 = out(reg) _,
                    b2 = out(reg) _,
                    across = in(reg) p.across,
                    c = in(reg) c,
                    below = in(reg) below,
                    stride = in(reg) stride,
                    row = in(reg) ROW,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

window_kernel!(windows_two_by_two, 2, 2);
window_kernel!(windows_one_by_two, 1, 2);
window_kernel!(windows_two_by_one, 2, 1);
window_kernel!(windows_one_by_one, 1, 1);
