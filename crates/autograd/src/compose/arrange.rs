//! The same elements at other places, or several times; and grids.

use crate::graph::{Tape, Var};
use crate::meta::{Meta, floats};
use crate::sample::{Entry, Sample};
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{IntoShape, Shape};
use wengert_tensor::tensor::Tensor;

type Dims = SmallVec<[usize; 4]>;

impl<'t> Var<'t> {
    /// Every element of an axis `n` times, one after another, as NumPy's `repeat` and PyTorch's `repeat_interleave`.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1i64, 2]).apply(|x| x.repeat(3, 0))?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, 1, 1, 2, 2, 2]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "repeat_interleave")]
    #[track_caller]
    pub fn repeat(self, n: usize, axis: isize) -> Var<'t> {
        let _call = self.tape.call("repeat");
        let shape = self.shape();
        let resized = shape.axis(axis).and_then(|at| {
            let apart = shape.insert(at + 1, n)?;
            Ok((shape.insert(at + 1, 1)?, apart, shape.with(at, shape[at].saturating_mul(n))?))
        });
        match resized {
            Ok((single, apart, whole)) => self.named("repeat", self.reshape(single).broadcast_to(apart).reshape(whole)),
            Err(error) => self.reject("repeat", error),
        }
    }

    /// The whole value `reps[i]` times along axis i, as NumPy's `tile` and PyTorch's `repeat`. Of the two, what has fewer
    /// axes gets ones in front.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1i64, 2]).apply(|x| x.tile(&[2, 2]))?;
    /// assert_eq!(y.shape().dims(), [2, 4]);
    /// assert_eq!(y.to_vec::<i64>()?, [1, 2, 1, 2, 1, 2, 1, 2]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn tile(self, reps: &[usize]) -> Var<'t> {
        let _call = self.tape.call("tile");
        match tiled(&self.shape(), reps) {
            Ok([single, apart, whole]) => self.named("tile", self.reshape(single).broadcast_to(apart).reshape(whole)),
            Err(error) => self.reject("tile", error),
        }
    }
}

/// The shapes on the way to a tiled value: with a 1 before every axis, with the repetitions there, and with both as one.
fn tiled(shape: &Shape, reps: &[usize]) -> Result<[Shape; 3]> {
    let rank = shape.rank().max(reps.len());
    let sized =
        |dims: &[usize]| -> Dims { std::iter::repeat_n(1, rank - dims.len()).chain(dims.iter().copied()).collect() };
    let (dims, reps) = (sized(shape), sized(reps));
    let pairs = || reps.iter().zip(&dims);
    let single: Dims = dims.iter().flat_map(|&dim| [1, dim]).collect();
    let apart: Dims = pairs().flat_map(|(&n, &dim)| [n, dim]).collect();
    let whole: Dims = pairs().map(|(&n, &dim)| n.saturating_mul(dim)).collect();
    Ok([single.into_shape()?, apart.into_shape()?, whole.into_shape()?])
}

impl Tape {
    /// The coordinates of all points of a grid: output i holds what vector i says along axis i (indexing "ij").
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (x, y) = (tape.input(&Tensor::from([1i64, 2])), tape.input(&Tensor::from([5i64, 6, 7])));
    /// let grid = tape.meshgrid(&[x, y]);
    /// assert_eq!(grid[0].value()?.to_vec::<i64>()?, [1, 1, 1, 2, 2, 2]);
    /// assert_eq!(grid[1].value()?.to_vec::<i64>()?, [5, 6, 7, 5, 6, 7]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn meshgrid<'t>(&'t self, vectors: &[Var<'t>]) -> Vec<Var<'t>> {
        let _call = self.call("meshgrid");
        let whole = vectors.iter().map(|vector| vector.len()).collect::<Dims>().into_shape();
        let refused = match (vectors.iter().find(|vector| vector.rank() != 1), whole) {
            _ if self.failed.get() => return vectors.to_vec(),
            (None, Ok(whole)) => {
                let along = |(i, vector): (usize, &Var<'t>)| {
                    let dims: Dims = (0..whole.rank()).map(|axis| if axis == i { whole[i] } else { 1 }).collect();
                    vector.named("meshgrid", vector.reshape(dims).broadcast_to(&whole))
                };
                return vectors.iter().enumerate().map(along).collect();
            }
            (Some(vector), _) => Error::shape(format!("takes vectors, not {}", vector.shape()))
                .help("flatten makes a vector of any value"),
            (None, Err(error)) => error,
        };
        let none = self.reject("meshgrid", &[], refused);
        vec![none; vectors.len()]
    }

    /// `n` numbers from `start` to `end`, both included, at equal distances. The ends are slots and no part of a plan's key.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::dtype::DType;
    /// let tape = Tape::new();
    /// assert_eq!(tape.linspace(0.0, 1.0, 5, DType::F32).value()?.to_vec::<f32>()?, [0.0, 0.25, 0.5, 0.75, 1.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn linspace(&self, start: f64, end: f64, n: usize, dtype: DType) -> Var<'_> {
        let _call = self.call("linspace");
        if let Err(error) = floats(&Meta::new(Shape::scalar(), dtype)) {
            return self.reject("linspace", &[], error);
        }
        if let Some(odd) = [start, end].into_iter().find(|end| !end.is_finite()) {
            let error = Error::value(format!("from {start} to {end}: there are no equal distances to {odd}"));
            return self.reject("linspace", &[], error.help("the ends are finite"));
        }
        let first = self.len();
        let place = self.iota(n, 0, DType::F64);
        let gaps = n.saturating_sub(1).max(1) as f64;
        if !(end - start).is_finite() {
            // The distance of the ends is no number, but their weighted mean is one.
            let share = place.div(gaps);
            let y = share.mul(end).add(share.neg().add(1.0).mul(start));
            return self.label(y.cast(dtype), "linspace", first);
        }
        let step = (end - start) / gaps;
        // Each half counts from its own end, so that both ends are exact.
        let (up, down) = (place.mul(step).add(start), place.sub(n.saturating_sub(1) as f64).mul(step).add(end));
        let y = up.select(place.lt(n.div_ceil(2) as f64), down);
        self.label(y.cast(dtype), "linspace", first)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]])];
    let pair = || [Tensor::from([1.0f64, 2.0]), Tensor::from([3.0f64])];
    let entry = |op, samples| Entry::new(op, "arrange.rs", samples);
    vec![
        entry(
            "repeat",
            vec![
                Sample::new("rows", x(), |_, x| x[0].repeat(2, 0))
                    .gives([1., 2., 3., 1., 2., 3., 4., 5., 6., 4., 5., 6.])
                    .slopes([2.0; 6]),
                Sample::new("last axis", x(), |_, x| x[0].slice(0, ..1).repeat(2, -1).square())
                    .gives([1., 1., 4., 4., 9., 9.]),
                Sample::new("never", x(), |_, x| x[0].repeat(0, 1)).gives([]).slopes([0.0; 6]),
            ],
        ),
        entry(
            "tile",
            vec![
                Sample::new("more axes", pair(), |_, x| x[0].tile(&[2, 1, 2]).square())
                    .gives([1., 4., 1., 4., 1., 4., 1., 4.])
                    .slopes([8., 16.]),
                Sample::new("fewer axes", x(), |_, x| x[0].tile(&[2]))
                    .gives([1., 2., 3., 1., 2., 3., 4., 5., 6., 4., 5., 6.]),
                Sample::new("scalar", [Tensor::from(3.0f64)], |_, x| x[0].tile(&[2])).gives([3., 3.]),
                Sample::new("never", x(), |_, x| x[0].tile(&[0, 2])).gives([]),
            ],
        ),
        entry(
            "meshgrid",
            vec![
                Sample::new("first", pair(), |tape, x| tape.meshgrid(&[x[0], x[1], x[0]])[0]).gives([1., 1., 2., 2.]),
                Sample::new("product", pair(), |tape, x| {
                    tape.meshgrid(&[x[0], x[1]]).into_iter().reduce(|a, b| a * b).unwrap_or(x[0])
                })
                .gives([3., 6.]),
            ],
        ),
        entry(
            "linspace",
            vec![
                Sample::new("down", [], |tape, _| tape.linspace(3.0, -1.0, 5, DType::F64)).gives([3., 2., 1., 0., -1.]),
                Sample::new("ends", [], |tape, _| tape.linspace(0.1, 0.7, 7, DType::F64).slice_step(0, .., 6))
                    .gives([0.1, 0.7]),
                Sample::new("one", [], |tape, _| tape.linspace(2.0, 5.0, 1, DType::BF16)).gives([2.]),
                Sample::new("none", [], |tape, _| tape.linspace(2.0, 5.0, 0, DType::F32)).gives([]),
            ],
        ),
    ]
}
