//! The loops of a product for each instruction set.

use super::gather::Scattered;
use super::pack::Block;
use super::pieces::Pieces;
use super::portable::{F32x4, F64x2};
use super::simd::Simd;
use super::tile::Panel;
use super::vector::Few;
#[cfg(target_arch = "x86_64")]
use super::x86::{F32x8, F32x16, F64x4, F64x8};
use super::{gather, pack, pieces, tile, vector};
use crate::kernels::level::Level;

/// The loop of a product of few rows.
pub(super) type FewRows<T> = unsafe fn(&Few<T>);

/// The loops for one element type and one instruction set, which is what makes them unsafe to call: each has the
/// safety contract of the function of the same name.
pub(super) struct Kernels<T> {
    /// Rows of the register tile.
    pub(super) rows: usize,
    /// Elements of a register. A column panel is two registers wide.
    pub(super) lanes: usize,
    pub(super) panel: unsafe fn(&Panel<T>),
    pub(super) pack_a: unsafe fn(&Block<T>),
    pub(super) pack_b: unsafe fn(&Block<T>),
    pub(super) gather: unsafe fn(&Scattered<T>),
    pub(super) along_columns: FewRows<T>,
    pub(super) across_columns: FewRows<T>,
    pub(super) along_pieces: unsafe fn(&Pieces<T>),
}

/// The types that products are computed in.
pub(super) trait Compute: Copy + Default + Send + Sync + 'static {
    /// The loops for `level`, which must be available.
    fn kernels(level: Level) -> &'static Kernels<Self>;
}

macro_rules! kernels {
    ($name:ident: $T:ty, $S:ty, $square:ty, $narrow:ty $(, $feature:literal)?) => {
        pub(super) static $name: Kernels<$T> = {
            $(#[target_feature(enable = $feature)])?
            unsafe fn panel(p: &Panel<$T>) {
                // SAFETY: the features are enabled; the caller promises the rest.
                unsafe { tile::panel::<$S>(p) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn pack_a(p: &Block<$T>) {
                // SAFETY: the features are enabled; the caller promises the rest.
                unsafe { pack::pack_a::<$S>(p) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn pack_b(p: &Block<$T>) {
                // SAFETY: the features are enabled; the caller promises the rest.
                unsafe { pack::pack_b::<$S>(p) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn gather(p: &Scattered<$T>) {
                // SAFETY: the features are enabled; the caller promises the rest.
                unsafe { gather::gather::<$S>(p) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn along_columns(p: &Few<$T>) {
                // SAFETY: the features are enabled; the caller promises the rest.
                unsafe { vector::along_columns::<$S>(p) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn across_columns(p: &Few<$T>) {
                // SAFETY: the features are enabled; the caller promises the rest.
                unsafe { vector::across_columns::<$square, $narrow>(p) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn along_pieces(p: &Pieces<$T>) {
                // SAFETY: the features are enabled; the caller promises the rest.
                unsafe { pieces::along_pieces::<$S>(p) }
            }
            let (rows, lanes) = (<$S>::ROWS, <$S>::LANES);
            Kernels { rows, lanes, panel, pack_a, pack_b, gather, along_columns, across_columns, along_pieces }
        };
    };
}

kernels!(F32_BASELINE: f32, F32x4, F32x4, F32x4);
kernels!(F64_BASELINE: f64, F64x2, F64x2, F64x2);
#[cfg(target_arch = "x86_64")]
kernels!(F32_AVX2: f32, F32x8, F32x8, F32x8, "avx2,fma");
#[cfg(target_arch = "x86_64")]
kernels!(F64_AVX2: f64, F64x4, F64x4, F64x4, "avx2,fma");
#[cfg(target_arch = "x86_64")]
kernels!(F32_AVX512: f32, F32x16, F32x16, F32x8, "avx2,fma,avx512f,avx512vl,avx512bw,avx512dq");
#[cfg(target_arch = "x86_64")]
kernels!(F64_AVX512: f64, F64x8, F64x4, F64x4, "avx2,fma,avx512f,avx512vl,avx512bw,avx512dq");
#[cfg(test)]
kernels!(F32_WIDE: f32, super::portable::WideF32, super::portable::WideF32, F32x4);
#[cfg(test)]
kernels!(F64_WIDE: f64, super::portable::WideF64, F64x2, F64x2);

impl Compute for f32 {
    #[inline]
    fn kernels(level: Level) -> &'static Kernels<f32> {
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Amx => &F32_AVX512,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => &F32_AVX2,
            _ => &F32_BASELINE,
        }
    }
}

impl Compute for f64 {
    #[inline]
    fn kernels(level: Level) -> &'static Kernels<f64> {
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Amx => &F64_AVX512,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => &F64_AVX2,
            _ => &F64_BASELINE,
        }
    }
}
