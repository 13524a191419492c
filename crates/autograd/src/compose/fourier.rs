//! Fourier transforms over axes, with their norms; complex numbers as a last axis of 2; convolution by transforms.
//!
//! There is no complex dtype. An array of complex numbers has a last axis of 2: real part, imaginary part. Where a method takes
//! one, its axes count without that last axis: −1 is the last of the others.

use crate::axes::IntoAxes;
use crate::graph::{Tape, Var};
use crate::meta::Meta;
use crate::operand::{Like, Operand};
use crate::ops::fft::{Fft, Irfft, Rfft};
use crate::reals::reals;
use crate::sample::{Entry, Sample};
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{Axes, Shape};
use wengert_tensor::tensor::Tensor;

/// Where the factor 1 / n of a transform and its inverse stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FftNorm {
    /// In the inverse.
    #[default]
    Backward,
    /// Half of it, 1 / √n, in both, which are orthogonal then.
    Ortho,
    /// In the transform.
    Forward,
}

impl FftNorm {
    fn factor(self, size: usize, inverse: bool) -> f64 {
        match (self, inverse) {
            (FftNorm::Ortho, _) => (size as f64).sqrt().recip(),
            (FftNorm::Backward, true) | (FftNorm::Forward, false) => (size as f64).recip(),
            _ => 1.0,
        }
    }
}

/// The shape of the complex numbers of an array.
fn numbers(shape: &Shape) -> Result<Shape> {
    match shape.split_last() {
        Some((2, axes)) => Shape::new(axes),
        _ => Err(Error::shape(format!("the last axis of {shape} is not the two parts of a complex number"))
            .help("of real numbers, .rfft(axis, norm) is the transform; .to_complex() adds imaginary parts of 0")),
    }
}

impl<'t> Var<'t> {
    /// The discrete Fourier transform of complex numbers along an axis: Xₖ = Σₜ xₜ exp(−2πi kt / n). The array has a last axis of 2,
    /// real and imaginary part, which `axis` does not count.
    ///
    /// ```
    /// # use wengert_autograd::{Apply, FftNorm};
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[1.0f64, 0.0], [2.0, 1.0], [0.0, 0.0], [0.0, -1.0]]);
    /// let y = x.apply(|x| x.fft(-1, FftNorm::Backward))?;
    /// assert_eq!(y.to_vec::<f64>()?, [3.0, 0.0, 3.0, -2.0, -1.0, 0.0, -1.0, 2.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn fft(self, axis: isize, norm: FftNorm) -> Var<'t> {
        let _call = self.tape.call("fft");
        self.transformed("fft", [axis], norm, false)
    }

    /// The inverse of [`Var::fft`] of the same norm.
    #[track_caller]
    pub fn ifft(self, axis: isize, norm: FftNorm) -> Var<'t> {
        let _call = self.tape.call("ifft");
        self.transformed("ifft", [axis], norm, true)
    }

    /// [`Var::fft`] along the last two axes.
    #[track_caller]
    pub fn fft2(self, norm: FftNorm) -> Var<'t> {
        let _call = self.tape.call("fft2");
        self.transformed("fft2", [-2, -1], norm, false)
    }

    /// The inverse of [`Var::fft2`].
    #[track_caller]
    pub fn ifft2(self, norm: FftNorm) -> Var<'t> {
        let _call = self.tape.call("ifft2");
        self.transformed("ifft2", [-2, -1], norm, true)
    }

    /// [`Var::fft`] along several axes.
    #[track_caller]
    pub fn fftn(self, axes: impl IntoAxes, norm: FftNorm) -> Var<'t> {
        let _call = self.tape.call("fftn");
        self.transformed("fftn", axes, norm, false)
    }

    /// The inverse of [`Var::fftn`].
    #[track_caller]
    pub fn ifftn(self, axes: impl IntoAxes, norm: FftNorm) -> Var<'t> {
        let _call = self.tape.call("ifftn");
        self.transformed("ifftn", axes, norm, true)
    }

    /// The discrete Fourier transform of real numbers along an axis: the first n / 2 + 1 elements of the spectrum, from which the
    /// others follow. The result has a last axis of 2 more.
    ///
    /// ```
    /// # use wengert_autograd::{Apply, FftNorm};
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([1.0f64, 2.0, 0.0, 0.0]);
    /// let y = x.apply(|x| x.rfft(-1, FftNorm::Backward))?;
    /// assert_eq!(y.to_vec::<f64>()?, [3.0, 0.0, 1.0, -2.0, -1.0, 0.0]);
    /// assert_eq!(y.apply(|y| y.irfft(4, -1, FftNorm::Backward))?.to_vec::<f64>()?, [1.0, 2.0, 0.0, 0.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn rfft(self, axis: isize, norm: FftNorm) -> Var<'t> {
        let _call = self.tape.call("rfft");
        self.rfft_over("rfft", [axis], norm)
    }

    /// The inverse of [`Var::rfft`] of `n` real numbers: n does not follow from its half spectrum. What must be real in it is taken as
    /// real.
    #[track_caller]
    pub fn irfft(self, n: usize, axis: isize, norm: FftNorm) -> Var<'t> {
        let _call = self.tape.call("irfft");
        self.irfft_over("irfft", n, [axis], norm)
    }

    /// [`Var::rfft`] along the last axis, then [`Var::fft`] along the one before.
    #[track_caller]
    pub fn rfft2(self, norm: FftNorm) -> Var<'t> {
        let _call = self.tape.call("rfft2");
        self.rfft_over("rfft2", [-2, -1], norm)
    }

    /// The inverse of [`Var::rfft2`]; the last axis of its result has `n` elements.
    #[track_caller]
    pub fn irfft2(self, n: usize, norm: FftNorm) -> Var<'t> {
        let _call = self.tape.call("irfft2");
        self.irfft_over("irfft2", n, [-2, -1], norm)
    }

    /// [`Var::rfft`] along the last of several axes, then [`Var::fft`] along the others.
    #[track_caller]
    pub fn rfftn(self, axes: impl IntoAxes, norm: FftNorm) -> Var<'t> {
        let _call = self.tape.call("rfftn");
        self.rfft_over("rfftn", axes, norm)
    }

    /// The inverse of [`Var::rfftn`]; the last of the axes has `n` elements in its result.
    #[track_caller]
    pub fn irfftn(self, n: usize, axes: impl IntoAxes, norm: FftNorm) -> Var<'t> {
        let _call = self.tape.call("irfftn");
        self.irfft_over("irfftn", n, axes, norm)
    }

    #[track_caller]
    fn transformed(self, op: &'static str, axes: impl IntoAxes, norm: FftNorm, inverse: bool) -> Var<'t> {
        let shape = self.shape();
        let axes = match numbers(&shape).and_then(|shape| ordered(&shape, axes)) {
            Ok(axes) => axes,
            Err(error) => return self.reject(op, error),
        };
        let size = axes.iter().filter_map(|&axis| shape.get(axis)).product();
        let y = axes.iter().fold(self, |y, &axis| y.then(Fft { axis, inverse }));
        self.named(op, y.times(norm.factor(size, inverse)))
    }

    #[track_caller]
    fn rfft_over(self, op: &'static str, axes: impl IntoAxes, norm: FftNorm) -> Var<'t> {
        let shape = self.shape();
        match ordered(&shape, axes).and_then(last_first) {
            Ok((last, others)) => {
                let size = others.iter().chain([&last]).filter_map(|&axis| shape.get(axis)).product();
                let half = self.then(Rfft { axis: last });
                let y = others.iter().fold(half, |y, &axis| y.then(Fft { axis, inverse: false }));
                self.named(op, y.times(norm.factor(size, false)))
            }
            Err(error) => self.reject(op, error),
        }
    }

    #[track_caller]
    fn irfft_over(self, op: &'static str, n: usize, axes: impl IntoAxes, norm: FftNorm) -> Var<'t> {
        let shape = self.shape();
        match numbers(&shape).and_then(|shape| ordered(&shape, axes)).and_then(last_first) {
            Ok((last, others)) => {
                let size: usize = others.iter().filter_map(|&axis| shape.get(axis)).product();
                let half = others.iter().fold(self, |y, &axis| y.then(Fft { axis, inverse: true }));
                let y = half.then(Irfft { axis: last, size: n });
                self.named(op, y.times(norm.factor(size.saturating_mul(n), true)))
            }
            Err(error) => self.reject(op, error),
        }
    }

    #[track_caller]
    fn times(self, factor: f64) -> Var<'t> {
        if factor == 1.0 || !factor.is_finite() { self } else { self.scaled(factor) }
    }

    /// The frequency 0 in the middle of some axes, which a transform puts first. Here the axes are those of the value as it is: in an
    /// array of complex numbers, the last one is that of the two parts.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([0i64, 1, 2, -2, -1]).apply(|x| x.fftshift(0))?;
    /// assert_eq!(y.to_vec::<i64>()?, [-2, -1, 0, 1, 2]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn fftshift(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape.call("fftshift");
        let Some(axes) = self.resolve("fftshift", axes) else { return self.tape.poison() };
        let half = |axis: usize| (self.dim(axis as isize) / 2) as isize;
        self.named("fftshift", axes.iter().fold(self, |y, &axis| y.roll(half(axis), axis as isize)))
    }

    /// The inverse of [`Var::fftshift`].
    #[track_caller]
    pub fn ifftshift(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape.call("ifftshift");
        let Some(axes) = self.resolve("ifftshift", axes) else { return self.tape.poison() };
        let half = |axis: usize| (self.dim(axis as isize) / 2) as isize;
        self.named("ifftshift", axes.iter().fold(self, |y, &axis| y.roll(-half(axis), axis as isize)))
    }

    /// The convolution of real numbers along an axis, of all places where the two meet: n + m − 1 elements, computed by transforms.
    /// Other axes are broadcast; a vector is convolved with every lane.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f64, 2.0, 3.0]).apply(|x| x.fft_conv(&Tensor::from([1.0f64, 10.0]), 0))?;
    /// let expected = [1.0, 12.0, 23.0, 30.0];
    /// assert!(y.to_vec::<f64>()?.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn fft_conv(self, kernel: impl Operand<'t>, axis: isize) -> Var<'t> {
        let _call = self.tape.call("fft_conv");
        const OP: &str = "fft_conv";
        let kernel = kernel.into_var(self.tape, Like::of(self).single());
        let refuse = |error| self.tape.reject(OP, &[("input", self), ("kernel", kernel)], error);
        let shape = self.shape();
        let at = match shape.axis(axis) {
            Ok(at) => at,
            Err(error) => return refuse(error),
        };
        let kernel = match kernel.rank() {
            1 => kernel.reshape(
                (0..shape.rank()).map(|i| if i == at { kernel.len() } else { 1 }).collect::<SmallVec<[usize; 4]>>(),
            ),
            _ => kernel,
        };
        if kernel.rank() != shape.rank() {
            let error = Error::shape("the kernel has as many axes as the input, or is a vector");
            return refuse(error.help("unsqueeze adds axes of size 1, which are broadcast"));
        }
        let axis = at as isize;
        let (n, m) = (self.dim(axis), kernel.dim(axis));
        let whole = n.saturating_add(m).saturating_sub(1);
        if n == 0 || m == 0 {
            return refuse(Error::value(format!("{n} elements and {m} of the kernel meet nowhere")));
        }
        let size = smooth(whole);
        let spectrum = |x: Var<'t>| x.pad(axis, 0, size - x.dim(axis), 0.0).then(Rfft { axis: at });
        let product = spectrum(self).complex_mul(spectrum(kernel));
        let y = product.then(Irfft { axis: at, size }).scaled((size as f64).recip()).slice(axis, ..whole);
        self.named(OP, y)
    }

    /// Complex numbers with these real parts and imaginary parts of 0.
    #[track_caller]
    pub fn to_complex(self) -> Var<'t> {
        let _call = self.tape.call("to_complex");
        self.named("to_complex", self.tape.stack(&[self, self.filled(0.0)], -1))
    }

    /// The product of complex numbers; other axes are broadcast.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 2.0]).apply(|x| x.complex_mul(&Tensor::from([3.0f32, -1.0])))?;
    /// assert_eq!(y.to_vec::<f32>()?, [5.0, 5.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn complex_mul(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("complex_mul");
        let other = other.into_var(self.tape, Like::of(self).single());
        if let Err(error) = numbers(&self.shape()).and_then(|_| numbers(&other.shape())) {
            return self.tape.reject("complex_mul", &[("left", self), ("right", other)], error);
        }
        let ((a, b), (c, d)) = (self.parts(), other.parts());
        self.named("complex_mul", self.tape.concat(&[a * c - b * d, a * d + b * c], -1))
    }

    /// The magnitude of complex numbers, without their last axis. Its derivative at 0 is taken as 0.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[3.0f32, -4.0]]).apply(|x| x.complex_abs())?;
    /// assert_eq!(y.to_vec::<f32>()?, [5.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn complex_abs(self) -> Var<'t> {
        let _call = self.tape.call("complex_abs");
        match numbers(&self.shape()) {
            Ok(_) => self.named("complex_abs", self.at(-1, 0).hypot(self.at(-1, 1))),
            Err(error) => self.reject("complex_abs", error),
        }
    }

    /// Complex numbers with the sign of their imaginary parts changed.
    #[track_caller]
    pub fn complex_conj(self) -> Var<'t> {
        let _call = self.tape.call("complex_conj");
        match numbers(&self.shape()) {
            Ok(_) => {
                let (re, im) = self.parts();
                self.named("complex_conj", self.tape.concat(&[re, -im], -1))
            }
            Err(error) => self.reject("complex_conj", error),
        }
    }

    fn parts(self) -> (Var<'t>, Var<'t>) {
        (self.slice(-1, ..1), self.slice(-1, 1..))
    }
}

impl Tape {
    /// The frequencies of the elements of a transform of `n` numbers at distances `step`: k / (n · step), from k = 0 up to the middle and
    /// then from −n / 2.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::dtype::DType;
    /// let tape = Tape::new();
    /// assert_eq!(tape.fftfreq(4, 0.5, DType::F64).value()?.to_vec::<f64>()?, [0.0, 0.5, -1.0, -0.5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn fftfreq(&self, n: usize, step: f64, dtype: DType) -> Var<'_> {
        let _call = self.call("fftfreq");
        let start = self.len();
        if let Err(error) = frequencies(n, step, dtype) {
            return self.reject("fftfreq", &[], error);
        }
        let place = self.iota([n], 0, DType::I64);
        let negative = place.ge(n.div_ceil(2) as i64);
        let y = (place - n as i64).select(negative, place).cast(dtype) / (n as f64 * step);
        self.label(y, "fftfreq", start)
    }

    /// As [`Tape::fftfreq`], for the half spectrum of [`Var::rfft`].
    #[track_caller]
    pub fn rfftfreq(&self, n: usize, step: f64, dtype: DType) -> Var<'_> {
        let _call = self.call("rfftfreq");
        let start = self.len();
        if let Err(error) = frequencies(n, step, dtype) {
            return self.reject("rfftfreq", &[], error);
        }
        self.label(self.iota([n / 2 + 1], 0, dtype) / (n as f64 * step), "rfftfreq", start)
    }
}

/// That there are frequencies of so many numbers at these distances.
fn frequencies(n: usize, step: f64, dtype: DType) -> Result<()> {
    reals(&Meta::new(Shape::scalar(), dtype))?;
    match n > 0 && step.is_finite() && step != 0.0 {
        true => Ok(()),
        false => Err(Error::value(format!("the frequencies of {n} numbers at distances of {step}"))
            .help("there is at least one number, and the distance is finite and not 0")),
    }
}

/// The axes in the order in which they were written; each is there, and once.
fn ordered(shape: &Shape, axes: impl IntoAxes) -> Result<Axes> {
    let axes = axes.into_axes();
    shape.axes(&axes)?;
    axes.iter().map(|&axis| shape.axis(axis)).collect()
}

/// The last of the axes, and the others.
fn last_first(mut axes: Axes) -> Result<(usize, Axes)> {
    match axes.pop() {
        Some(last) => Ok((last, axes)),
        None => Err(Error::axis("no axis is named")),
    }
}

/// The least number from `n` on that has no prime factor above 5.
fn smooth(n: usize) -> usize {
    let without = |mut n: usize, p: usize| {
        while n.is_multiple_of(p) {
            n /= p;
        }
        n
    };
    let most = n.max(1).checked_next_power_of_two().unwrap_or(usize::MAX);
    (n.max(1)..=most).find(|&n| without(without(without(n, 2), 3), 5) == 1).unwrap_or(n)
}

pub(super) fn entries() -> Vec<Entry> {
    use FftNorm::{Backward, Forward, Ortho};
    let wave = |dims: &[usize]| {
        Tensor::from_fn(dims, |i| (i as f64 * 1.7 + 0.3).sin()).unwrap_or_else(|_| Tensor::from(0.0f64))
    };
    let entry = |op, samples| Entry::new(op, "fourier.rs", samples);
    let pair = || [Tensor::from([1.0f64, 2.0]), Tensor::from([[3.0f64, -1.0], [0.5, 0.25]])];
    vec![
        entry(
            "ifft",
            vec![
                Sample::new("there and back", pair(), |_, x| x[1].fft(0, Backward).ifft(-1, Backward))
                    .gives([3., -1., 0.5, 0.25]),
                Sample::new("ortho", [wave(&[3, 5, 2])], |_, x| x[0].ifft(0, Ortho).square()),
                Sample::new("forward", [wave(&[3, 5, 2])], |_, x| x[0].fft(0, Forward).square()),
            ],
        ),
        entry(
            "fftn",
            vec![
                Sample::new("three axes", [wave(&[2, 3, 4, 2])], |_, x| x[0].fftn([0, 2, 1], Ortho).square()),
                Sample::new("two", [wave(&[3, 4, 2])], |_, x| x[0].fft2(Forward).square()),
                Sample::new("there and back", [wave(&[3, 4, 2])], |_, x| {
                    x[0].fft2(Ortho).ifftn([0, 1], Ortho) - x[0].ifft2(Backward).fft2(Backward)
                })
                .gives([0.0; 24]),
            ],
        ),
        entry(
            "rfftn",
            vec![
                Sample::new("two axes", [wave(&[3, 4])], |_, x| x[0].rfft2(Ortho).square()),
                Sample::new("one", [wave(&[3, 4])], |_, x| x[0].rfft(0, Forward).square()),
                Sample::new("there and back", [wave(&[3, 5])], |_, x| x[0].rfft2(Ortho).irfft2(5, Ortho) - x[0])
                    .gives([0.0; 15]),
                Sample::new("there and back, three", [wave(&[2, 3, 4])], |_, x| {
                    x[0].rfftn([2, 0, 1], Forward).irfftn(3, [2, 0, 1], Forward) - x[0]
                })
                .gives([0.0; 24]),
                Sample::new("back", [wave(&[3, 3, 2])], |_, x| x[0].irfft2(4, Backward).square()),
            ],
        ),
        entry(
            "fftshift",
            vec![
                Sample::new("odd and even", [Tensor::from([[0.0f64, 1.0, -1.0], [3.0, 4.0, 5.0]])], |_, x| {
                    x[0].fftshift([0, 1])
                })
                .gives([5., 3., 4., -1., 0., 1.]),
                Sample::new("back", [wave(&[5])], |_, x| x[0].fftshift(0).ifftshift(0) - x[0]).gives([0.0; 5]),
            ],
        ),
        entry(
            "fft_conv",
            vec![
                Sample::new("known", [Tensor::from([1.0f64, 2.0, 3.0]), Tensor::from([1.0f64, 10.0])], |_, x| {
                    x[0].fft_conv(x[1], 0)
                })
                .gives([1., 12., 23., 30.])
                .slopes([11., 11., 11.]),
                Sample::new("a vector with columns", [wave(&[5, 2]), wave(&[3])], |_, x| x[0].fft_conv(x[1], 0)),
                Sample::new("lanes with lanes", [wave(&[2, 4]), wave(&[1, 4])], |_, x| x[0].fft_conv(x[1], -1)),
            ],
        ),
        entry(
            "complex_mul",
            vec![
                Sample::new("broadcast", pair(), |_, x| x[0].complex_mul(x[1])).gives([5., 5., 0., 1.25]),
                Sample::new("with itself", pair(), |_, x| x[1].complex_mul(x[1])),
                Sample::new("of a real number", pair(), |_, x| x[0].to_complex().complex_mul(x[1]))
                    .gives([3., -1., 1., 0.5]),
            ],
        ),
        entry(
            "complex_abs",
            vec![
                Sample::new("smooth", pair(), |_, x| x[1].complex_abs()),
                Sample::new("zero", [Tensor::from([[0.0f64, 0.0], [3.0, 4.0]])], |_, x| x[0].complex_abs())
                    .kinked()
                    .gives([0., 5.])
                    .slopes([0., 0., 0.6, 0.8]),
            ],
        ),
        entry(
            "complex_conj",
            vec![
                Sample::new("square", [Tensor::from([3.0f64, -1.0])], |_, x| x[0].complex_conj().square())
                    .slopes([6., -2.]),
            ],
        ),
        entry(
            "fftfreq",
            vec![
                Sample::new("even", [], |tape, _| tape.fftfreq(4, 0.5, DType::F64)).gives([0., 0.5, -1., -0.5]),
                Sample::new("odd", [], |tape, _| tape.fftfreq(5, 1.0, DType::F64)).gives([0., 0.2, 0.4, -0.4, -0.2]),
                Sample::new("half", [], |tape, _| tape.rfftfreq(5, 0.5, DType::F64)).gives([0., 0.4, 0.8]),
            ],
        ),
    ]
}
