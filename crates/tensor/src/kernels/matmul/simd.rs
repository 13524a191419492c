//! What the loops of a product need from an instruction set.

/// Vectors of one element type in one instruction set.
///
/// The implementors are names, never values. All functions are inlined into a kernel that is compiled for the
/// instruction set.
pub(super) trait Simd: 'static {
    /// The type that is multiplied and summed.
    type Elem: Copy + Default + PartialEq + Send + Sync + 'static;
    /// A register of elements.
    type Vector: Copy;
    /// Which lanes of a register take part in a load or a store.
    type Mask: Copy;

    /// Elements in a register.
    const LANES: usize;
    /// Rows of the widest register tile; it is two registers wide.
    const ROWS: usize;
    /// The side of the square that [`Simd::transpose`] turns.
    const SIDE: usize;

    /// # Safety
    /// The instruction set is available. The same holds for all functions below.
    unsafe fn zero() -> Self::Vector;

    /// # Safety
    /// See [`Simd::zero`].
    unsafe fn splat(x: Self::Elem) -> Self::Vector;

    /// a·b + c, rounded once where the instruction set fuses, else twice.
    ///
    /// # Safety
    /// See [`Simd::zero`].
    unsafe fn fma(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;

    /// # Safety
    /// See [`Simd::zero`].
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// # Safety
    /// `p` is readable for a register of elements.
    unsafe fn load(p: *const Self::Elem) -> Self::Vector;

    /// # Safety
    /// `p` is writable for a register of elements.
    unsafe fn store(p: *mut Self::Elem, v: Self::Vector);

    /// The first `n` lanes, at most all.
    ///
    /// # Safety
    /// See [`Simd::zero`].
    unsafe fn mask(n: usize) -> Self::Mask;

    /// The lanes of the mask; zero in the others.
    ///
    /// # Safety
    /// `p` is readable for the lanes of the mask.
    unsafe fn load_masked(p: *const Self::Elem, mask: Self::Mask) -> Self::Vector;

    /// # Safety
    /// `p` is writable for the lanes of the mask.
    unsafe fn store_masked(p: *mut Self::Elem, v: Self::Vector, mask: Self::Mask);

    /// Writes the transpose of a square: `to[r * to_stride + c] = from[c * from_stride + r]`.
    ///
    /// # Safety
    /// `from` is readable for [`Simd::SIDE`] rows of as many elements, `to` is writable for the same.
    unsafe fn transpose(from: *const Self::Elem, from_stride: isize, to: *mut Self::Elem, to_stride: usize);
}

/// Vectors whose lanes are rows that are turned in registers.
pub(super) trait Square: Simd {
    /// How many columns are turned at once: at most 8.
    const COLUMNS: usize;

    /// Sets the first columns of the rows that start at multiples of `stride`, one register each.
    ///
    /// # Safety
    /// The columns are readable, and the instruction set is available.
    unsafe fn columns(from: *const Self::Elem, stride: isize, to: &mut [Self::Vector; 8]);

    /// One column.
    ///
    /// # Safety
    /// A register of elements at multiples of `stride` is readable.
    unsafe fn gather(from: *const Self::Elem, stride: isize) -> Self::Vector;
}
