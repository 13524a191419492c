//! The sum of blocks into places that are named at run time: what the transposes of picking have in common.

use crate::kernel::with_type;
use wengert_tensor::dtype::{DType, Element};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{TensorView, TensorViewMut};

/// Adds block i of x to the elements of out from `place(i)`, which are `spacing` apart, for all i in order, starting from zeros. A
/// block is `width` elements.
///
/// The 16-bit floats are summed in f32 and rounded once. What would lie beyond the end of `out` is left out.
pub(crate) fn sum_into(
    x: TensorView<'_>,
    out: &mut TensorViewMut<'_>,
    width: usize,
    spacing: usize,
    place: impl Fn(usize) -> usize,
) -> Result<()> {
    macro_rules! sum {
        ($T:ty, $add:expr) => {{
            let (src, dst) = (x.as_slice::<$T>()?, out.as_mut_slice::<$T>()?);
            dst.fill(<$T>::default());
            add_blocks(src, dst, width, spacing, place, $add);
        }};
    }
    match x.dtype() {
        DType::F32 => sum!(f32, |a, b| *a += b),
        DType::F64 => sum!(f64, |a, b| *a += b),
        DType::I64 => sum!(i64, |a, b| *a = a.wrapping_add(b)),
        DType::I32 => sum!(i32, |a, b| *a = a.wrapping_add(b)),
        DType::U8 => sum!(u8, |a, b| *a = a.wrapping_add(b)),
        DType::Bool => return Err(Error::dtype("adds numbers, not bool")),
        half @ (DType::BF16 | DType::F16) => with_type!(half, T => {
            let (src, dst) = (x.as_slice::<T>()?, out.as_mut_slice::<T>()?);
            let mut sums = vec![0f32; dst.len()];
            add_blocks(src, &mut sums, width, spacing, place, |a, b| *a += T::from_stored(b).to_f64() as f32);
            for (to, sum) in dst.iter_mut().zip(sums) {
                *to = T::from_f64(f64::from(sum)).to_stored();
            }
        }),
    }
    Ok(())
}

#[inline(always)]
fn add_blocks<A, B: Copy>(
    src: &[B],
    dst: &mut [A],
    width: usize,
    spacing: usize,
    place: impl Fn(usize) -> usize,
    add: impl Fn(&mut A, B),
) {
    for (i, block) in src.chunks_exact(width.max(1)).enumerate() {
        let to = dst.get_mut(place(i)..).unwrap_or_default();
        match spacing {
            // Neighbours are added many at a time.
            1 => to.iter_mut().zip(block).for_each(|(a, &b)| add(a, b)),
            _ => to.iter_mut().step_by(spacing.max(1)).zip(block).for_each(|(a, &b)| add(a, b)),
        }
    }
}
