//! AVX2 with FMA, and AVX-512.

use core::arch::x86_64::*;

use super::simd::{Simd, Square};

/// Eight f32 of AVX2.
pub(super) struct F32x8;
/// Four f64 of AVX2.
pub(super) struct F64x4;
/// Sixteen f32 of AVX-512.
pub(super) struct F32x16;
/// Eight f64 of AVX-512.
pub(super) struct F64x8;

/// A window of this table, read from `TABLE - n`, is a mask of the first n lanes.
static LANES_32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
static LANES_64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

macro_rules! common {
    ($elem:ty, $vector:ty, $lanes:literal, $rows:literal, $side:literal,
     $zero:ident, $splat:ident, $fma:ident, $add:ident, $load:ident, $store:ident) => {
        type Elem = $elem;
        type Vector = $vector;
        const LANES: usize = $lanes;
        const ROWS: usize = $rows;
        const SIDE: usize = $side;

        #[inline(always)]
        unsafe fn zero() -> $vector {
            // SAFETY: the caller has the instruction set.
            unsafe { $zero() }
        }
        #[inline(always)]
        unsafe fn splat(x: $elem) -> $vector {
            // SAFETY: the caller has the instruction set.
            unsafe { $splat(x) }
        }
        #[inline(always)]
        unsafe fn fma(a: $vector, b: $vector, c: $vector) -> $vector {
            // SAFETY: the caller has the instruction set.
            unsafe { $fma(a, b, c) }
        }
        #[inline(always)]
        unsafe fn add(a: $vector, b: $vector) -> $vector {
            // SAFETY: the caller has the instruction set.
            unsafe { $add(a, b) }
        }
        #[inline(always)]
        unsafe fn load(p: *const $elem) -> $vector {
            // SAFETY: the caller has the instruction set and a readable address.
            unsafe { $load(p) }
        }
        #[inline(always)]
        unsafe fn store(p: *mut $elem, v: $vector) {
            // SAFETY: the caller has the instruction set and a writable address.
            unsafe { $store(p, v) }
        }
    };
}

impl Simd for F32x8 {
    common! {
        f32, __m256, 8, 6, 8,
        _mm256_setzero_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps, _mm256_loadu_ps, _mm256_storeu_ps
    }
    type Mask = usize;

    #[inline(always)]
    unsafe fn mask(n: usize) -> usize {
        n.min(8)
    }
    #[inline(always)]
    unsafe fn load_masked(p: *const f32, mask: usize) -> __m256 {
        // SAFETY: the window of the table starts at 8 - n, from 0 to 8; the first n elements are readable, and the
        // others are not touched.
        unsafe {
            let lanes = _mm256_loadu_si256(LANES_32.as_ptr().add(8 - mask).cast());
            _mm256_maskload_ps(p, lanes)
        }
    }
    #[inline(always)]
    unsafe fn store_masked(p: *mut f32, v: __m256, mask: usize) {
        // Masked stores are slow on AMD; the same few stores for each row are not.
        // SAFETY: the pieces add up to the first n elements, which are writable.
        unsafe {
            if mask >= 8 {
                return _mm256_storeu_ps(p, v);
            }
            let (mut p, mut v) = (p, v);
            let mut low = _mm256_castps256_ps128(v);
            if mask & 4 != 0 {
                _mm_storeu_ps(p, low);
                p = p.add(4);
                v = _mm256_permute2f128_ps::<1>(v, v);
                low = _mm256_castps256_ps128(v);
            }
            if mask & 2 != 0 {
                _mm_storel_pd(p.cast(), _mm_castps_pd(low));
                p = p.add(2);
                low = _mm_movehl_ps(low, low);
            }
            if mask & 1 != 0 {
                _mm_store_ss(p, low);
            }
        }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
        // SAFETY: eight rows of eight are readable and writable.
        unsafe {
            let mut columns = [_mm256_setzero_ps(); 8];
            for half in [0, 4] {
                Self::columns(from.add(half), from_stride, &mut columns);
                for (r, v) in columns.iter().enumerate().take(4) {
                    _mm256_storeu_ps(to.add((half + r) * to_stride), *v);
                }
            }
        }
    }
}

impl Simd for F64x4 {
    common! {
        f64, __m256d, 4, 6, 4,
        _mm256_setzero_pd, _mm256_set1_pd, _mm256_fmadd_pd, _mm256_add_pd, _mm256_loadu_pd, _mm256_storeu_pd
    }
    type Mask = usize;

    #[inline(always)]
    unsafe fn mask(n: usize) -> usize {
        n.min(4)
    }
    #[inline(always)]
    unsafe fn load_masked(p: *const f64, mask: usize) -> __m256d {
        // SAFETY: the window of the table starts at 4 - n, from 0 to 4; the first n elements are readable, and the
        // others are not touched.
        unsafe {
            let lanes = _mm256_loadu_si256(LANES_64.as_ptr().add(4 - mask).cast());
            _mm256_maskload_pd(p, lanes)
        }
    }
    #[inline(always)]
    unsafe fn store_masked(p: *mut f64, v: __m256d, mask: usize) {
        // Masked stores are slow on AMD; the same few stores for each row are not.
        // SAFETY: the pieces add up to the first n elements, which are writable.
        unsafe {
            if mask >= 4 {
                return _mm256_storeu_pd(p, v);
            }
            let (mut p, mut low) = (p, _mm256_castpd256_pd128(v));
            if mask & 2 != 0 {
                _mm_storeu_pd(p, low);
                p = p.add(2);
                low = _mm256_extractf128_pd::<1>(v);
            }
            if mask & 1 != 0 {
                _mm_store_sd(p, low);
            }
        }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f64, from_stride: isize, to: *mut f64, to_stride: usize) {
        // SAFETY: four rows of four are readable and writable.
        unsafe {
            let mut columns = [_mm256_setzero_pd(); 8];
            for half in [0, 2] {
                Self::columns(from.add(half), from_stride, &mut columns);
                for (r, v) in columns.iter().enumerate().take(2) {
                    _mm256_storeu_pd(to.add((half + r) * to_stride), *v);
                }
            }
        }
    }
}

impl Simd for F32x16 {
    common! {
        f32, __m512, 16, 14, 8,
        _mm512_setzero_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_add_ps, _mm512_loadu_ps, _mm512_storeu_ps
    }
    type Mask = __mmask16;

    #[inline(always)]
    unsafe fn mask(n: usize) -> __mmask16 {
        ((1u32 << n.min(16)) - 1) as __mmask16
    }
    #[inline(always)]
    unsafe fn load_masked(p: *const f32, mask: __mmask16) -> __m512 {
        // SAFETY: the lanes of the mask are readable, the others are not touched.
        unsafe { _mm512_maskz_loadu_ps(mask, p) }
    }
    #[inline(always)]
    unsafe fn store_masked(p: *mut f32, v: __m512, mask: __mmask16) {
        // SAFETY: the lanes of the mask are writable, the others are not touched.
        unsafe { _mm512_mask_storeu_ps(p, mask, v) }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
        // SAFETY: the same square, and AVX-512 includes AVX2.
        unsafe { F32x8::transpose(from, from_stride, to, to_stride) }
    }
}

impl Simd for F64x8 {
    common! {
        f64, __m512d, 8, 14, 4,
        _mm512_setzero_pd, _mm512_set1_pd, _mm512_fmadd_pd, _mm512_add_pd, _mm512_loadu_pd, _mm512_storeu_pd
    }
    type Mask = __mmask8;

    #[inline(always)]
    unsafe fn mask(n: usize) -> __mmask8 {
        ((1u32 << n.min(8)) - 1) as __mmask8
    }
    #[inline(always)]
    unsafe fn load_masked(p: *const f64, mask: __mmask8) -> __m512d {
        // SAFETY: the lanes of the mask are readable, the others are not touched.
        unsafe { _mm512_maskz_loadu_pd(mask, p) }
    }
    #[inline(always)]
    unsafe fn store_masked(p: *mut f64, v: __m512d, mask: __mmask8) {
        // SAFETY: the lanes of the mask are writable, the others are not touched.
        unsafe { _mm512_mask_storeu_pd(p, mask, v) }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f64, from_stride: isize, to: *mut f64, to_stride: usize) {
        // SAFETY: the same square, and AVX-512 includes AVX2.
        unsafe { F64x4::transpose(from, from_stride, to, to_stride) }
    }
}

impl Square for F32x8 {
    const COLUMNS: usize = 4;

    #[inline(always)]
    unsafe fn columns(from: *const f32, stride: isize, to: &mut [__m256; 8]) {
        // SAFETY: promised by the caller.
        unsafe {
            let from = opaque(from);
            // Halves come from memory to their final place, so that only shuffles within halves remain.
            let mut rows = [_mm256_setzero_ps(); 4];
            for (r, row) in rows.iter_mut().enumerate() {
                let low = _mm_loadu_ps(from.offset(r as isize * stride));
                let high = _mm_loadu_ps(from.offset((r as isize + 4) * stride));
                *row = _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high);
            }
            let [r0, r1, r2, r3] = rows;
            let (t0, t1) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
            let (t2, t3) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
            let (d0, d1) = (_mm256_castps_pd(t0), _mm256_castps_pd(t1));
            let (d2, d3) = (_mm256_castps_pd(t2), _mm256_castps_pd(t3));
            to[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(d0, d2));
            to[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(d0, d2));
            to[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(d1, d3));
            to[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(d1, d3));
        }
    }
    #[inline(always)]
    unsafe fn gather(from: *const f32, stride: isize) -> __m256 {
        let lanes: [f32; 8] = core::array::from_fn(|i| {
            // SAFETY: eight elements at multiples of the stride are readable.
            unsafe { *from.offset(i as isize * stride) }
        });
        // SAFETY: the array fills a register.
        unsafe { _mm256_loadu_ps(lanes.as_ptr()) }
    }
}

impl Square for F32x16 {
    const COLUMNS: usize = 8;

    #[inline(always)]
    unsafe fn columns(from: *const f32, stride: isize, to: &mut [__m512; 8]) {
        // SAFETY: promised by the caller.
        unsafe {
            let from = opaque(from);
            // Two rows, four apart, in a register: of the first eight rows, and of the others.
            let mut rows = [_mm512_setzero_pd(); 8];
            for (r, row) in rows.iter_mut().enumerate() {
                let r = (r % 4 + r / 4 * 8) as isize;
                let low = _mm256_loadu_pd(from.offset(r * stride).cast());
                let high = _mm256_loadu_pd(from.offset((r + 4) * stride).cast());
                *row = _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(low), high);
            }
            let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
            let (first, others) = (quarters([r0, r1, r2, r3]), quarters([r4, r5, r6, r7]));
            for (c, (first, other)) in first.into_iter().zip(others).enumerate() {
                to[c] = _mm512_shuffle_f32x4::<0x88>(first, other);
                to[c + 4] = _mm512_shuffle_f32x4::<0xdd>(first, other);
            }
        }
    }
    #[inline(always)]
    unsafe fn gather(from: *const f32, stride: isize) -> __m512 {
        let lanes: [f32; 16] = core::array::from_fn(|i| {
            // SAFETY: sixteen elements at multiples of the stride are readable.
            unsafe { *from.offset(i as isize * stride) }
        });
        // SAFETY: the array fills a register.
        unsafe { _mm512_loadu_ps(lanes.as_ptr()) }
    }
}

impl Square for F64x4 {
    const COLUMNS: usize = 2;

    #[inline(always)]
    unsafe fn columns(from: *const f64, stride: isize, to: &mut [__m256d; 8]) {
        // SAFETY: promised by the caller.
        unsafe {
            let from = opaque(from);
            let mut rows = [_mm256_setzero_pd(); 2];
            for (r, row) in rows.iter_mut().enumerate() {
                let low = _mm_loadu_pd(from.offset(r as isize * stride));
                let high = _mm_loadu_pd(from.offset((r as isize + 2) * stride));
                *row = _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(low), high);
            }
            let [r0, r1] = rows;
            to[0] = _mm256_unpacklo_pd(r0, r1);
            to[1] = _mm256_unpackhi_pd(r0, r1);
        }
    }
    #[inline(always)]
    unsafe fn gather(from: *const f64, stride: isize) -> __m256d {
        let lanes: [f64; 4] = core::array::from_fn(|i| {
            // SAFETY: four elements at multiples of the stride are readable.
            unsafe { *from.offset(i as isize * stride) }
        });
        // SAFETY: the array fills a register.
        unsafe { _mm256_loadu_pd(lanes.as_ptr()) }
    }
}

/// Turns the squares of four within the quarters of four registers. A quarter of register `c` then holds column `c` of four rows, the next one
/// column `c + 4` of the same.
///
/// # Safety
/// AVX-512 is available.
#[inline(always)]
unsafe fn quarters([r0, r1, r2, r3]: [__m512d; 4]) -> [__m512; 4] {
    // SAFETY: promised by the caller.
    unsafe {
        let (r0, r1, r2, r3) = (_mm512_castpd_ps(r0), _mm512_castpd_ps(r1), _mm512_castpd_ps(r2), _mm512_castpd_ps(r3));
        let (t0, t1) = (_mm512_castps_pd(_mm512_unpacklo_ps(r0, r1)), _mm512_castps_pd(_mm512_unpackhi_ps(r0, r1)));
        let (t2, t3) = (_mm512_castps_pd(_mm512_unpacklo_ps(r2, r3)), _mm512_castps_pd(_mm512_unpackhi_ps(r2, r3)));
        [
            _mm512_castpd_ps(_mm512_unpacklo_pd(t0, t2)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(t0, t2)),
            _mm512_castpd_ps(_mm512_unpacklo_pd(t1, t3)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(t1, t3)),
        ]
    }
}

/// The same pointer, of unknown origin: else each row of a square gets its own induction variable, on the stack.
#[inline(always)]
#[allow(clippy::pointers_in_nomem_asm_block)] // there is no instruction that could read it
fn opaque<T>(mut p: *const T) -> *const T {
    // SAFETY: no instruction at all.
    unsafe { core::arch::asm!("/* {0} */", inout(reg) p, options(nomem, nostack, preserves_flags)) };
    p
}
