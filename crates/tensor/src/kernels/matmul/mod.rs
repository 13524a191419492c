//! Matrix products, packed for the registers and caches of this machine.
//!
//! * `order`: the one order of summation
//! * `normal`: fewer batch axes, rows instead of columns
//! * `cut`: which blocks of C are computed together, by which thread
//! * `side`: where the elements along a side of a matrix lie
//! * `block`: one block: copies of A and B, panel by panel
//! * `pack`, `gather`, `tile`, `vector`, `pieces`: the loops, written once over `simd`; `kernels` lists them by instruction set
//! * `amx`: large products of f32 on the matrix unit, where there is one
//!
//! **The same bits.** An element of C is summed in an order that depends on k alone. So neither the path taken, nor
//! the strides, nor a cut into rows, columns, batches or threads changes a bit. With a matrix unit there are two such orders, and the extents
//! say which it is.

#[cfg(target_arch = "x86_64")]
mod amx;
mod block;
mod cut;
mod gather;
mod half_float;
mod integer;
mod kernels;
mod normal;
mod order;
mod pack;
mod pieces;
mod portable;
mod scratch;
mod side;
mod simd;
mod tile;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use half::{bf16, f16};
use smallvec::SmallVec;

use crate::dtype::DType;
use crate::kernels::level::{Level, level};

use self::kernels::Compute;
use self::normal::Normal;

pub use self::side::Side;

/// A batch of matrix products of one shape: C\[b, i, j\] = Σₖ A\[b, i, k\] · B\[b, k, j\].
///
/// C is contiguous and row-major. A and B may have any strides, 0 and negative ones too; all strides count elements.
/// Matrices of f32 and f64 may also be views of arrays with more axes, see [`Side`].
///
/// f32 and f64 are multiplied and summed in their own type; bf16 and f16 in f32, rounded once at the end; integers
/// wrap around. `bool` has no product.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MatMul {
    /// The dtype of A, B and C.
    pub dtype: DType,
    /// Rows of A and C.
    pub m: usize,
    /// Columns of B and C.
    pub n: usize,
    /// Columns of A and rows of B.
    pub k: usize,
    /// Where the rows and the columns of A lie.
    pub a: [Side; 2],
    /// Where the rows and the columns of B lie.
    pub b: [Side; 2],
    /// The batch axes, outermost first: extent, stride in A, stride in B.
    pub batch: SmallVec<[(usize, isize, isize); 2]>,
    /// That Cᵀ = Bᵀ·Aᵀ was asked for, and has these bits.
    pub turned: bool,
    /// Whether the matrix unit computes it, where there is one; `None`: the extents say. A part of a product has the bits of the whole if
    /// it has this of it.
    pub unit: Option<bool>,
}

/// An operand of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// The left one.
    A,
    /// The right one.
    B,
}

/// Room for a copy of an operand that products share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) of: Which,
    pub(crate) at: *mut u8,
    /// Whether a product has left it there.
    pub(crate) known: bool,
}

impl MatMul {
    /// Whether products of this dtype exist.
    pub fn supports(dtype: DType) -> bool {
        dtype != DType::Bool
    }

    /// Whether this product is computed: one of its dtype exists, and its sides are as long as it says, each at multiples of a stride
    /// but for f32 and f64.
    pub fn is_sound(&self) -> bool {
        let sides = [(&self.a, [self.m, self.k]), (&self.b, [self.k, self.n])];
        let mut sides = sides.into_iter().flat_map(|(sides, lengths)| sides.iter().zip(lengths));
        let uneven = matches!(self.dtype, DType::F32 | DType::F64);
        Self::supports(self.dtype)
            && sides.all(|(side, length)| side.fits(length) && (uneven || side.stride().is_some()))
    }

    /// Whether the matrix unit computes it, on a machine that has one.
    pub fn on_unit(&self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.unit.unwrap_or_else(|| amx::takes(self));
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Computes all products of the batch, on the threads of [`crate::kernels::threads`] where that pays.
    ///
    /// With k = 0, C is zero. Where the product is not [sound](MatMul::is_sound), nothing happens.
    ///
    /// # Safety
    /// `a` and `b` point at element \[0, 0, 0\]; every element within [`MatMul::a_bounds`] and
    /// [`MatMul::b_bounds`] is readable, aligned and not written meanwhile; `c` is aligned and has room for
    /// batch · m · n elements that nobody else touches, so it overlaps neither A nor B.
    pub unsafe fn run(&self, a: *const u8, b: *const u8, c: *mut u8) {
        // SAFETY: promised by the caller; the level is the one of this machine.
        unsafe { self.run_on(level(), None, a, b, c) }
    }

    /// Bytes of a copy of an operand that products of the same one may share; 0 where they read it as it lies.
    pub fn copy_bytes(&self, of: Which) -> usize {
        #[cfg(target_arch = "x86_64")]
        if self.dtype == DType::F32 && self.batch.is_empty() && level() == Level::Amx && self.on_unit() {
            return amx::copy_bytes(if of == Which::A { self.m } else { self.n }, self.k);
        }
        _ = of;
        0
    }

    /// [`MatMul::run`] with room for a copy of an operand, and whether a product of this operand, of these extents, has left it there.
    ///
    /// # Safety
    /// As for [`MatMul::run`]; the room has [`MatMul::copy_bytes`], begins at a cache line, and nobody else touches it.
    pub(crate) unsafe fn run_with_copy(&self, kept: Kept, a: *const u8, b: *const u8, c: *mut u8) {
        let kept = (self.copy_bytes(kept.of) > 0).then_some(kept);
        // SAFETY: promised by the caller; the level is the one of this machine.
        unsafe { self.run_on(level(), kept, a, b, c) }
    }

    /// [`MatMul::run`] on a level of choice.
    ///
    /// # Safety
    /// As for [`MatMul::run`]; the level is available, and the room for a copy what [`MatMul::run_with_copy`] says.
    pub(crate) unsafe fn run_on(&self, level: Level, kept: Option<Kept>, a: *const u8, b: *const u8, c: *mut u8) {
        #[cfg(not(target_arch = "x86_64"))]
        let _ = kept;
        let elements = self.count().saturating_mul(self.m).saturating_mul(self.n);
        if elements == 0 || !self.is_sound() {
            return;
        }
        // SAFETY: promised by the caller.
        unsafe {
            if self.k == 0 {
                return c.write_bytes(0, elements * self.dtype.size());
            }
            let p = Normal::new(self);
            let (a, b) = if p.swapped { (b, a) } else { (a, b) };
            match self.dtype {
                #[cfg(target_arch = "x86_64")]
                DType::F32 if level == Level::Amx && self.on_unit() => {
                    amx::run(&p, self.turned, kept, [a.cast(), b.cast()], c.cast());
                }
                DType::F32 => cut::run(&p, f32::kernels(level), a.cast(), b.cast(), c.cast()),
                DType::F64 => cut::run(&p, f64::kernels(level), a.cast(), b.cast(), c.cast()),
                DType::BF16 => half_float::run::<bf16>(&p, f32::kernels(level), a.cast(), b.cast(), c.cast()),
                DType::F16 => half_float::run::<f16>(&p, f32::kernels(level), a.cast(), b.cast(), c.cast()),
                DType::I64 => integer::run::<i64>(&p, a.cast(), b.cast(), c.cast()),
                DType::I32 => integer::run::<i32>(&p, a.cast(), b.cast(), c.cast()),
                DType::U8 => integer::run::<u8>(&p, a, b, c),
                DType::Bool => {}
            }
        }
    }

    /// Whether it takes long enough to be shared between threads.
    pub fn is_shared(&self) -> bool {
        normal::work(self.m, self.n, self.k).saturating_mul(self.count()) >= cut::ALONE
    }

    /// A rough estimate of the time on one thread: of the multiply-adds, or of the way of the operands where these are few.
    pub fn cost_ns(&self) -> u64 {
        let elements = (self.m as u64 + self.n as u64).saturating_mul(self.k as u64);
        let bytes = elements.saturating_mul((self.count() * self.dtype.size()) as u64);
        (self.flops() / 64).max(bytes / 40)
    }

    /// Floating-point operations: two per multiply-add.
    pub fn flops(&self) -> u64 {
        [self.count(), self.m, self.n, self.k].iter().fold(2u64, |f, &n| f.saturating_mul(n as u64))
    }

    /// The least and the greatest element offset that A is read at; (0, −1) when nothing is read.
    ///
    /// Offsets beyond the range of `isize` are clamped to it, and so lie outside of any buffer.
    pub fn a_bounds(&self) -> (isize, isize) {
        self.bounds([self.m, self.k], &self.a, |axis| axis.1)
    }

    /// The least and the greatest element offset that B is read at; (0, −1) when nothing is read.
    ///
    /// Offsets beyond the range of `isize` are clamped to it, and so lie outside of any buffer.
    pub fn b_bounds(&self) -> (isize, isize) {
        self.bounds([self.k, self.n], &self.b, |axis| axis.2)
    }

    fn count(&self) -> usize {
        self.batch.iter().fold(1, |count: usize, axis| count.saturating_mul(axis.0))
    }

    fn bounds(
        &self,
        lengths: [usize; 2],
        sides: &[Side; 2],
        stride: impl Fn(&(usize, isize, isize)) -> isize,
    ) -> (isize, isize) {
        if self.flops() == 0 {
            return (0, -1);
        }
        let batch = self.batch.iter().map(|axis| (axis.0, stride(axis)));
        let sides = sides.iter().zip(lengths).flat_map(|(side, length)| side.axes(length));
        sides.chain(batch).fold((0isize, 0isize), |(least, most), (extent, stride)| {
            let last = isize::try_from(extent.saturating_sub(1)).unwrap_or(isize::MAX).saturating_mul(stride);
            (least.saturating_add(last.min(0)), most.saturating_add(last.max(0)))
        })
    }
}
