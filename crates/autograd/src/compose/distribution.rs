//! Distributions: random numbers that follow from a key, and that carry gradients to their parameters where these exist.

use crate::graph::{Tape, Var};
use crate::ops::random::{Distribution, Random, no_key};
use crate::ops::random_gamma::RandomGamma;
use crate::ops::random_poisson::RandomPoisson;
use crate::reals::reals;
use crate::sample::{Entry, Sample};
use std::cell::Cell;
use std::f64::consts::FRAC_1_SQRT_2;
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::shape::{IntoShape, Shape};
use wengert_tensor::tensor::Tensor;

/// A source of random numbers on a tape: [`Tape::random`], [`Tape::random_from`].
///
/// The same key and the same calls in the same order give the same numbers, on any number of threads. Draws that move smoothly with
/// their parameters carry gradients to them.
///
/// ```
/// # use wengert_autograd::Tape;
/// # use wengert_tensor::random::Key;
/// # use wengert_tensor::tensor::Tensor;
/// let tape = Tape::new();
/// let alpha = tape.input(&Tensor::from([0.5f64, 2.0, 9.0]));
/// let draws = tape.random_from(Key::new(7));
/// let z = draws.gamma(alpha);
/// let slopes = tape.grad(z.sum(), alpha);
/// let counts = draws.poisson(alpha);
/// # tape.eval([z, slopes, counts])?;
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Draws<'t> {
    tape: &'t Tape,
    key: Option<Var<'t>>,
    /// The number of the next op, where the key is not the tape's.
    own: Option<Cell<u64>>,
}

impl Tape {
    /// Random numbers from the key of this tape, which [`Tape::training`] and [`Tape::with_key`] have.
    #[track_caller]
    pub fn random(&self) -> Draws<'_> {
        Draws { tape: self, key: self.key_var(), own: None }
    }

    /// Random numbers from a key of one's own: [`Key::fold`] and [`Key::split`] make more of them. Another key runs the same plan.
    ///
    /// Inside of `vmap` and of loops every example and every turn draws numbers of its own, as from the key of the tape;
    /// [`Randomness::Same`](crate::Randomness::Same) is for examples that are to draw the same.
    #[track_caller]
    pub fn random_from(&self, key: Key) -> Draws<'_> {
        let key = self.slot(Shape::scalar(), Scalar::of(key.0 as i64));
        Draws { tape: self, key: Some(key), own: Some(Cell::new(0)) }
    }
}

impl<'t> Draws<'t> {
    /// The key and the number of the next op.
    #[track_caller]
    fn next(&self, op: &'static str) -> Option<(Var<'t>, u64)> {
        let Some(key) = self.key else {
            self.tape.reject(op, &[], no_key());
            return None;
        };
        let stream = match &self.own {
            Some(own) => {
                let stream = own.get();
                own.set(stream + 1);
                stream
            }
            None => self.tape.next_stream(),
        };
        Some((key, stream))
    }

    #[track_caller]
    fn draw(&self, op: &'static str, distribution: Distribution, shape: Result<Shape>, dtype: DType) -> Var<'t> {
        let shape = match shape {
            Ok(shape) => shape,
            Err(error) => return self.tape.reject(op, &[], error),
        };
        match self.next(op) {
            Some((key, stream)) => self.tape.record(Random { distribution, shape, dtype, stream }, &[key]),
            None => self.tape.poison(),
        }
    }

    /// Evenly in `[0, 1)`.
    #[track_caller]
    pub fn uniform(&self, shape: impl IntoShape, dtype: DType) -> Var<'t> {
        let _call = self.tape.call("uniform");
        self.draw("uniform", Distribution::Uniform, shape.into_shape(), dtype)
    }

    /// Mean 0, variance 1.
    #[track_caller]
    pub fn normal(&self, shape: impl IntoShape, dtype: DType) -> Var<'t> {
        let _call = self.tape.call("normal");
        self.draw("normal", Distribution::Normal, shape.into_shape(), dtype)
    }

    /// The normal distribution, of what lies within `low` and `high`; by the inverse of its distribution function, in f64, and beyond 36
    /// deviations by the exponential distribution that its tail tends to. Gradients flow to both ends. They are of one shape; shift and
    /// scale the result for another mean and deviation.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::with_key(1);
    /// let low = tape.input(&Tensor::from([-2.0f64; 100]));
    /// let x = tape.random().truncated_normal(low, -low * 0.5);
    /// assert!(x.value()?.to_vec::<f64>()?.iter().all(|x| (-2.0..=1.0).contains(x)));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn truncated_normal(&self, low: Var<'t>, high: Var<'t>) -> Var<'t> {
        let _call = self.tape.call("truncated_normal");
        const NAME: &str = "truncated_normal";
        if let Err(error) = reals(&low.meta()) {
            return low.reject(NAME, error);
        }
        let start = self.tape.len();
        let u = self.draw(NAME, Distribution::Uniform, Ok(low.shape()), low.dtype()).cast(DType::F64);
        let ends = [low, high].map(|end| end.cast(DType::F64));
        // Above 0 the distribution function has no digits left: there the interval is turned over.
        let turned = ends[0].gt(0.0);
        let [a, b] = [(-ends[1]).select(turned, ends[0]), (-ends[0]).select(turned, ends[1])];
        let [from, to] = [a, b].map(|end| (end * -FRAC_1_SQRT_2).erfc());
        let x = (from + u * (to - from)).erfcinv() / -FRAC_1_SQRT_2;
        // From b down, with the rate |b|.
        let rate = -b;
        let step = -(u * (rate * (a - b)).expm1()).log1p() / rate;
        let x = (b - step).select(b.lt(-36.0), x);
        let x = (-x).select(turned, x).cast(low.dtype());
        self.tape.label(x.maximum(low).minimum(high), NAME, start)
    }

    /// p(x) = e⁻ˣ.
    #[track_caller]
    pub fn exponential(&self, shape: impl IntoShape, dtype: DType) -> Var<'t> {
        let _call = self.tape.call("exponential");
        let u = self.draw("exponential", Distribution::Uniform, shape.into_shape(), dtype);
        -(-u).log1p()
    }

    /// The extreme value distribution, −ln(−ln u): the largest of many.
    #[track_caller]
    pub fn gumbel(&self, shape: impl IntoShape, dtype: DType) -> Var<'t> {
        let _call = self.tape.call("gumbel");
        let tiny = if dtype == DType::F64 { f64::MIN_POSITIVE } else { f64::from(f32::MIN_POSITIVE) };
        -self.exponential(shape, dtype).maximum(tiny).log()
    }

    /// p(x) = e^(−|x|) / 2.
    #[track_caller]
    pub fn laplace(&self, shape: impl IntoShape, dtype: DType) -> Var<'t> {
        let _call = self.tape.call("laplace");
        let u = self.draw("laplace", Distribution::Uniform, shape.into_shape(), dtype) - 0.5;
        -u.sign() * (-(u.abs() * 2.0)).log1p()
    }

    /// True with the probability `p`, element by element.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::with_key(1);
    /// let p = tape.input(&Tensor::from([0.0f32, 1.0]));
    /// assert_eq!(tape.random().bernoulli(p).value()?.to_vec::<bool>()?, [false, true]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn bernoulli(&self, p: Var<'t>) -> Var<'t> {
        let _call = self.tape.call("bernoulli");
        if let Err(error) = reals(&p.meta()) {
            return p.reject("bernoulli", error);
        }
        self.draw("bernoulli", Distribution::Uniform, Ok(p.shape()), p.dtype()).lt(p)
    }

    /// For each lane of an axis of logits the place of one, i64, with the probabilities of their softmax: the largest of the logits after
    /// Gumbel noise (Gumbel 1954). The axis is not in the result.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::with_key(1);
    /// let logits = tape.input(&Tensor::from([[0.0f32, 100.0, 0.0]; 4]));
    /// assert_eq!(tape.random().categorical(logits, -1).value()?.to_vec::<i64>()?, [1; 4]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn categorical(&self, logits: Var<'t>, axis: isize) -> Var<'t> {
        let _call = self.tape.call("categorical");
        if let Err(error) = reals(&logits.meta()) {
            return logits.reject("categorical", error);
        }
        let start = self.tape.len();
        let place = (logits + self.gumbel(logits.shape(), logits.dtype())).argmax(axis);
        self.tape.label(place, "categorical", start)
    }

    /// p(z) = z^(α−1) e⁻ᶻ / Γ(α), for shapes α > 0, element by element. Gradients flow to α, by implicit reparameterisation (Figurnov et
    /// al. 2018), to any order. Divide by a rate for another scale.
    #[track_caller]
    pub fn gamma(&self, alpha: Var<'t>) -> Var<'t> {
        let _call = self.tape.call("gamma");
        match self.next("gamma") {
            Some((key, stream)) => self.tape.record(RandomGamma { stream, period: None }, &[key, alpha]),
            None => self.tape.poison(),
        }
    }

    /// p(x) ∝ x^(α−1) (1 − x)^(β−1): the part of one gamma number in the sum of two. Gradients flow to both.
    #[track_caller]
    pub fn beta(&self, alpha: Var<'t>, beta: Var<'t>) -> Var<'t> {
        let _call = self.tape.call("beta");
        let start = self.tape.len();
        let (a, b) = (self.gamma(alpha), self.gamma(beta));
        self.tape.label(a / (a + b), "beta", start)
    }

    /// Parts of 1 along the last axis, p(x) ∝ Π xᵢ^(αᵢ−1). Gradients flow to α.
    #[track_caller]
    pub fn dirichlet(&self, alpha: Var<'t>) -> Var<'t> {
        let _call = self.tape.call("dirichlet");
        let start = self.tape.len();
        let z = self.gamma(alpha);
        self.tape.label(z / z.sum_keep(-1), "dirichlet", start)
    }

    /// Counts of events at the rates λ, i64: P(k) = λᵏ e^(−λ) / k!.
    #[track_caller]
    pub fn poisson(&self, rate: Var<'t>) -> Var<'t> {
        let _call = self.tape.call("poisson");
        match self.next("poisson") {
            Some((key, stream)) => self.tape.record(RandomPoisson { stream, period: None }, &[key, rate]),
            None => self.tape.poison(),
        }
    }

    /// Whole numbers, evenly in `low..high`, i64. The range has at most 2⁵² numbers.
    #[track_caller]
    pub fn integers(&self, shape: impl IntoShape, low: i64, high: i64) -> Var<'t> {
        let _call = self.tape.call("integers");
        let width = i128::from(high) - i128::from(low);
        if !(1..=1 << 52).contains(&width) {
            let error = Error::value(format!("a range from {low} to below {high}"));
            return self.tape.reject("integers", &[], error.help("it has between 1 and 2⁵² numbers"));
        }
        let u = self.draw("integers", Distribution::Uniform, shape.into_shape(), DType::F64);
        (u * width as f64).floor().cast(DType::I64) + low
    }

    /// The numbers 0..n in random order, i64: for shuffling by [`Var::gather`].
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// let tape = Tape::with_key(1);
    /// let mut order = tape.random().permutation(100).value()?.to_vec::<i64>()?;
    /// order.sort();
    /// assert_eq!(order, (0..100).collect::<Vec<_>>());
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn permutation(&self, n: usize) -> Var<'t> {
        let _call = self.tape.call("permutation");
        self.draw("permutation", Distribution::Uniform, Shape::new([n]), DType::F64).argsort(0, false)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([0.5f64, 1.5, 4.0])];
    let entry = |name, samples: Vec<Sample>| Entry::new(name, "distribution.rs", samples);
    vec![
        entry(
            "truncated_normal",
            vec![Sample::new("f64", x(), |tape, x| tape.random_from(Key::new(1)).truncated_normal(-x[0], x[0] * 0.5))],
        ),
        entry("exponential", vec![Sample::new("f32", [], |tape, _| tape.random().exponential([3, 2], DType::F32))]),
        entry("gumbel", vec![Sample::new("f64", [], |tape, _| tape.random().gumbel([5], DType::F64))]),
        entry("laplace", vec![Sample::new("f64", [], |tape, _| tape.random().laplace([5], DType::F64))]),
        entry("bernoulli", vec![Sample::new("f64", x(), |tape, x| tape.random().bernoulli(x[0] * 0.2))]),
        entry("categorical", vec![Sample::new("f64", x(), |tape, x| tape.random().categorical(x[0], 0))]),
        entry(
            "beta",
            vec![Sample::new("f64", x(), |tape, x| tape.random_from(Key::new(1)).beta(x[0], x[0] + 1.0)).kinked()],
        ),
        entry(
            "dirichlet",
            vec![Sample::new("f64", x(), |tape, x| tape.random_from(Key::new(1)).dirichlet(x[0])).kinked()],
        ),
        entry("integers", vec![Sample::new("i64", [], |tape, _| tape.random().integers([20], -3, 4))]),
        entry("permutation", vec![Sample::new("i64", [], |tape, _| tape.random().permutation(20))]),
    ]
}
