//! `fft`, `rfft`, `irfft`: discrete Fourier transforms along an axis, not normalized.
//!
//! fft: Xₖ = Σₜ xₜ exp(∓2πi kt / n), where the inverse has the plus. rfft gives the first ⌊n / 2⌋ + 1 elements of the same for
//! real numbers; irfft sums the whole spectrum, whose second half follows from the first.
//!
//! There is no complex dtype: a complex number is a last axis of 2, its real and its imaginary part. The axis of a transform
//! counts without it.
//!
//! * shape: fft leaves `[…, n, …, 2]`; rfft takes `[…, n, …]` to `[…, n / 2 + 1, …, 2]`; irfft takes that back, for a given n
//! * dtypes: f32 and f64
//! * convention: irfft takes no notice of the imaginary part of element 0 and, where n is even, of element n / 2
//! * derivative: linear. As real maps, the transpose of fft is its inverse; those of rfft and irfft are each other, where the
//!   elements that stand for two weigh a half, or twice

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{Blocks, views};
use crate::meta::{Meta, operands};
use crate::reals::{reals, with_real};
use crate::sample::{Accuracy, Entry, Sample};
use wengert_numerics::fourier::Wave;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Of complex numbers, to complex numbers.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Fft {
    /// The axis.
    pub axis: usize,
    /// Whether the exponent is positive.
    pub inverse: bool,
}

/// Of real numbers, to half a spectrum.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Rfft {
    /// The axis.
    pub axis: usize,
}

/// Of half a spectrum, to real numbers.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Irfft {
    /// The axis.
    pub axis: usize,
    /// How many there are.
    pub size: usize,
}

/// Checks that the last axis is a complex number, and `axis` another one.
fn complex(x: &Meta, axis: usize) -> Result<()> {
    reals(x)?;
    match x.shape.split_last() {
        Some((2, axes)) if axis < axes.len() => Ok(()),
        Some((2, axes)) => Err(Error::axis(format!("axis {axis} is out of range for {axes:?} complex numbers"))),
        _ => Err(Error::shape(format!("the last axis of {} is not the two parts of a complex number", x.shape))
            .help("of real numbers, .rfft(axis, norm) is the transform; .to_complex() adds imaginary parts of 0")),
    }
}

impl Op for Fft {
    fn name(&self) -> &'static str {
        "fft"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        complex(x, self.axis)?;
        Ok(x.clone())
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, _i: usize, _x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        Some(ct.then(Fft { axis: self.axis, inverse: !self.inverse }))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Fft { axis: self.axis + 1, ..*self })
    }
}

impl Op for Rfft {
    fn name(&self) -> &'static str {
        "rfft"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        reals(x)?;
        match x.shape.get(self.axis) {
            Some(0) => Err(Error::value(format!("axis {} of {} has no elements", self.axis, x.shape))),
            Some(size) => Ok(x.with_shape(x.shape.with(self.axis, size / 2 + 1)?.insert(x.shape.rank(), 2)?)),
            None => Err(Error::axis(format!("axis {} is out of range for {}", self.axis, x.shape))),
        }
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, _i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        let (axis, size) = (self.axis, x[0].shape().get(self.axis).copied()?);
        Some(weighed(ct, axis, size, 0.5).then(Irfft { axis, size }))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Rfft { axis: self.axis + 1 })
    }
}

impl Op for Irfft {
    fn name(&self) -> &'static str {
        "irfft"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        let &Irfft { axis, size } = self;
        complex(x, axis)?;
        match x.shape.get(axis) {
            Some(&half) if size > 0 && half == size / 2 + 1 => {
                Ok(x.with_shape(x.shape.without(&[x.shape.rank() - 1]).with(axis, size)?))
            }
            _ => Err(Error::shape(format!("{size} real numbers have a spectrum of {}, not {}", size / 2 + 1, x.shape))
                .help("a slice, or a pad with zeros, gives it that size")),
        }
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, _i: usize, _x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        let &Irfft { axis, size } = self;
        Some(weighed(ct.then(Rfft { axis }), axis, size, 2.0))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Irfft { axis: self.axis + 1, ..*self })
    }
}

/// Half a spectrum with its elements that stand for two of the whole times `weight`.
fn weighed(half: Var<'_>, axis: usize, size: usize, weight: f64) -> Var<'_> {
    let place = half.tape.iota(half.shape(), axis as isize, DType::I64);
    let first = place.eq(place.filled(0.0));
    let alone = match size % 2 {
        0 => first.or(place.eq(place.filled((size / 2) as f64))),
        _ => first,
    };
    half.select(alone, half.scaled(weight))
}

/// The sizes of the axis and of those behind it, of a shape of complex numbers or of real ones.
fn around(shape: &Shape, axis: usize, parts: usize) -> Blocks {
    let Blocks { size, inner } = Blocks::around(shape, axis, 1);
    Blocks { size, inner: inner / parts }
}

/// `cost` · n log₂ n for each n of these elements: 5 for complex numbers, and half of it for real ones, as is custom.
fn transforms(elements: f64, n: usize, cost: f64) -> Option<u64> {
    Some((cost * elements * (n.max(1) as f64).log2()).round() as u64)
}

impl Kernel for Fft {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let Blocks { size, inner } = around(x.shape(), self.axis, 2);
        with_real!(x.dtype(), T => T::fft(x.as_slice::<T>()?, out.as_mut_slice::<T>()?, size, inner, self.inverse));
        Ok(())
    }

    fn flops(&self, _inputs: &[&Shape], out: &Shape) -> Option<u64> {
        transforms(out.len() as f64 / 2.0, Blocks::around(out, self.axis, 1).size, 5.0)
    }
}

impl Kernel for Rfft {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let Blocks { size, inner } = around(x.shape(), self.axis, 1);
        with_real!(x.dtype(), T => T::rfft(x.as_slice::<T>()?, out.as_mut_slice::<T>()?, size, inner));
        Ok(())
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        let x = inputs.first()?;
        transforms(x.len() as f64, Blocks::around(x, self.axis, 1).size, 2.5)
    }
}

impl Kernel for Irfft {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let Blocks { inner, .. } = around(x.shape(), self.axis, 2);
        with_real!(x.dtype(), T => T::irfft(x.as_slice::<T>()?, out.as_mut_slice::<T>()?, self.size, inner));
        Ok(())
    }

    fn flops(&self, _inputs: &[&Shape], out: &Shape) -> Option<u64> {
        transforms(out.len() as f64, self.size, 2.5)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let wave = |dims: &[usize]| {
        Tensor::from_fn(dims, |i| (i as f64 * 1.7 + 0.3).sin()).unwrap_or_else(|_| Tensor::from(0.0f64))
    };
    let accuracy = Accuracy::Stated("ε·log₂ 2n of the norm of the input");
    let entry = |op, samples| Entry::new(op, "fft.rs", samples).accuracy(accuracy);
    let known = || [Tensor::from([[1.0f64, 0.0], [2.0, 1.0], [0.0, 0.0], [0.0, -1.0]])];
    vec![
        entry(
            "fft",
            vec![
                Sample::new("known", known(), |_, x| x[0].then(Fft { axis: 0, inverse: false }))
                    .gives([3., 0., 3., -2., -1., 0., -1., 2.])
                    .slopes([4., 4., 0., 0., 0., 0., 0., 0.]),
                Sample::new("inverse", [wave(&[5, 2])], |_, x| x[0].then(Fft { axis: 0, inverse: true }).square()),
                Sample::new("middle axis, prime", [wave(&[2, 7, 3, 2])], |_, x| {
                    x[0].then(Fft { axis: 1, inverse: false }).square()
                }),
                Sample::new("size 1", [wave(&[1, 2])], |_, x| x[0].then(Fft { axis: 0, inverse: false }).square()),
                Sample::new("nothing", [wave(&[3, 2])], |_, x| {
                    x[0].slice(0, ..0).then(Fft { axis: 0, inverse: false })
                })
                .gives([]),
                Sample::new("f32", [wave(&[6, 2])], |_, x| x[0].cast(DType::F32).then(Fft { axis: 0, inverse: false }))
                    .kinked(),
            ],
        ),
        entry(
            "rfft",
            vec![
                Sample::new("known", [Tensor::from([1.0f64, 2.0, 0.0, 0.0])], |_, x| x[0].then(Rfft { axis: 0 }))
                    .gives([3., 0., 1., -2., -1., 0.])
                    .slopes([3., -1., 1., 1.]),
                Sample::new("odd", [wave(&[2, 5])], |_, x| x[0].then(Rfft { axis: 1 }).square()),
                Sample::new("even, first axis", [wave(&[6, 2])], |_, x| x[0].then(Rfft { axis: 0 }).square()),
                Sample::new("size 1", [wave(&[1])], |_, x| x[0].then(Rfft { axis: 0 }).square()),
                Sample::new("size 2", [wave(&[2])], |_, x| x[0].then(Rfft { axis: 0 }).square()),
                Sample::new("empty batch", [wave(&[2, 3])], |_, x| x[0].slice(0, ..0).then(Rfft { axis: 1 })).gives([]),
                Sample::new("f32", [wave(&[6])], |_, x| x[0].cast(DType::F32).then(Rfft { axis: 0 })).kinked(),
            ],
        ),
        entry(
            "irfft",
            vec![
                Sample::new("known", [Tensor::from([[3.0f64, 9.0], [1.0, -2.0], [-1.0, 9.0]])], |_, x| {
                    x[0].then(Irfft { axis: 0, size: 4 })
                })
                .gives([4., 8., 0., 0.])
                .slopes([4., 0., 0., 0., 0., 0.]),
                Sample::new("odd", [wave(&[2, 3, 2])], |_, x| x[0].then(Irfft { axis: 1, size: 5 }).square()),
                Sample::new("even, first axis", [wave(&[4, 2, 2])], |_, x| {
                    x[0].then(Irfft { axis: 0, size: 6 }).square()
                }),
                Sample::new("size 1", [wave(&[1, 2])], |_, x| x[0].then(Irfft { axis: 0, size: 1 }).square()),
                Sample::new("f32", [wave(&[4, 2])], |_, x| x[0].cast(DType::F32).then(Irfft { axis: 0, size: 6 }))
                    .kinked(),
            ],
        ),
    ]
}
