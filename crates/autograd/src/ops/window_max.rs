//! `window_max`: the largest element of every window of an image, in one walk over it; and `window_share`, which gives each window's
//! number to where its maximum is.
//!
//! * window_max: y[…, i] = max over k of x[…, i · step + k · dilation], for i and k along all spatial axes, the last ones; NaN where one
//!   is NaN
//! * window_share, of x, y and u: Σ uᵢ / cᵢ over the windows i whose maximum an element is, of which window i has cᵢ
//! * shape: ⌊(n − span) / step⌋ + 1 in the place of n, where span = (size − 1) · dilation + 1; window_share has that of x
//! * dtypes: f32, f64; other pools are made of other ops
//! * derivative: window_max sends the cotangent where the maximum is, each equal one gets the same share; window_share is linear in u

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::views;
use crate::meta::{Meta, operands};
use crate::ops::windows::Places;
use crate::sample::{Entry, Sample};
use crate::spatial::FRONT;
use smallvec::SmallVec;
use std::ops::{AddAssign, Div};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::{Axes, Shape};
use wengert_tensor::tensor::Tensor;

/// The windows along the last axes, and how many axes are before these.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WindowMax {
    /// The axes of examples and channels.
    pub front: usize,
    /// The windows of each axis behind them.
    pub all: SmallVec<[Places; 3]>,
}

/// The shares of the elements of windows.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WindowShare(pub WindowMax);

impl WindowMax {
    /// Of images `[examples, channels, n…]`.
    pub(crate) fn new(all: impl IntoIterator<Item = Places>) -> WindowMax {
        WindowMax { front: FRONT, all: all.into_iter().collect() }
    }

    /// Whether it has elements of this type.
    pub(crate) fn takes(dtype: DType) -> bool {
        matches!(dtype, DType::F32 | DType::F64)
    }

    fn of(&self, x: &Meta) -> Result<Meta> {
        if !WindowMax::takes(x.dtype) {
            return Err(Error::dtype(format!("takes f32 and f64, not {}", x.dtype)));
        }
        if x.shape.rank() != self.front + self.all.len() {
            return Err(Error::shape(format!("{} axes of windows in {}", self.all.len(), x.shape)));
        }
        let mut shape = x.shape.clone();
        for (axis, places) in (self.front..).zip(&self.all) {
            let count = places.count(x.shape.get(axis).copied().unwrap_or(0))?;
            shape = shape.with(axis, count)?;
        }
        Ok(x.with_shape(shape))
    }

    fn behind(&self) -> WindowMax {
        WindowMax { front: self.front + 1, all: self.all.clone() }
    }

    /// The windows of a value of the shape of x, with the axes of their elements: `[…, k₁, l₁, k₂, l₂, …]`.
    #[track_caller]
    fn windows<'t>(&self, x: Var<'t>) -> Var<'t> {
        let axis = |i: usize| self.front + 2 * i;
        self.all.iter().enumerate().fold(x, |x, (i, places)| x.windowed(Places { axis: axis(i), ..*places }))
    }
}

impl Op for WindowMax {
    fn name(&self) -> &'static str {
        "window_max"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        self.of(x)
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, _i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        Some(ct.tape.record(WindowShare(self.clone()), &[*x.first()?, y, ct]))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(self.behind())
    }
}

impl Op for WindowShare {
    fn name(&self) -> &'static str {
        "window_share"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["values", "maxima", "shared"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x, y, ct] = operands(inputs)?;
        let of = self.0.of(x)?;
        match *y == of && *ct == of {
            true => Ok(x.clone()),
            false => Err(Error::shape(format!("{} maxima and {} shared numbers of {}", y.shape, ct.shape, x.shape))),
        }
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], _y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        // Which element is the largest does not change where there is a derivative.
        let &[values, maxima, _] = x else { return None };
        let of_shared = || {
            let windows = self.0.windows(values);
            let elements: Vec<isize> = (0..self.0.all.len()).map(|i| (self.0.front + 2 * i) as isize).collect();
            let shape = windows.shape();
            let axes: Axes = elements.iter().map(|&axis| axis as usize).collect();
            let reached = windows.eq(maxima.spread(&shape, &axes));
            let count = reached.cast(ct.dtype()).sum_axes(elements.clone());
            let found = self.0.windows(ct);
            found.select(reached, found.filled(0.0)).sum_axes(elements) / count
        };
        (i == 2).then(of_shared)
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(WindowShare(self.0.behind()))
    }
}

/// Numbers that a pool compares and shares out.
trait Number: Copy + Default + PartialOrd + AddAssign + Div<Output = Self> + Send + Sync {
    const ONE: Self;

    /// The larger one; NaN if one is.
    fn larger(self, other: Self) -> Self {
        #[expect(clippy::eq_op, reason = "NaN alone differs from itself")]
        if other > self || other != other { other } else { self }
    }

    /// 1 where two are equal, else 0.
    fn one_if(equal: bool) -> Self {
        if equal { Self::ONE } else { Self::default() }
    }
}

impl Number for f32 {
    const ONE: f32 = 1.0;
}

impl Number for f64 {
    const ONE: f64 = 1.0;
}

/// Where the windows of a plane lie: rows of it that are windows beside each other.
struct Plane {
    /// Elements of a plane, and of a row along the last axis; the same of the result.
    size: usize,
    row: usize,
    out: usize,
    run: usize,
    /// Where the first row of each row of windows begins,
    starts: Vec<usize>,
    /// and how far behind it the others do.
    rows: Vec<usize>,
    last: Places,
}

impl Plane {
    fn new(of: &WindowMax, x: &Shape, out: &Shape) -> Option<Plane> {
        let (last, outer) = of.all.split_last()?;
        let (sizes, counts) = (x.get(of.front..)?, out.get(of.front..)?);
        let (mut starts, mut rows) = (vec![0], vec![0]);
        for ((places, &n), &count) in outer.iter().zip(sizes).zip(counts) {
            let along = |known: &[usize], len: usize, step: usize| -> Vec<usize> {
                known.iter().flat_map(|at| (0..len).map(move |i| at * n + i * step)).collect()
            };
            (starts, rows) = (along(&starts, count, places.step), along(&rows, places.size, places.dilation));
        }
        let (&row, &run) = (sizes.last()?, counts.last()?);
        starts.iter_mut().chain(&mut rows).for_each(|at| *at *= row);
        let (size, out) = (sizes.iter().product(), counts.iter().product());
        Some(Plane { size, row, out, run, starts, rows, last: *last })
    }

    /// Nanoseconds that a plane takes, about.
    fn ns(&self) -> usize {
        1 + self.out * self.rows.len() * self.last.size / 4
    }

    /// The windows beside each other that begin at a row: the rows that they have.
    fn rows<'a, T>(&'a self, plane: &'a [T], start: usize) -> impl Iterator<Item = &'a [T]> {
        self.rows.iter().filter_map(move |at| plane.get(start + at..start + at + self.row))
    }

    /// The largest element of each window of a plane; `tallest` has room for a row.
    fn largest<T: Number>(&self, plane: &[T], tallest: &mut [T], out: &mut [T]) {
        let Places { size, step, dilation, .. } = self.last;
        for (&start, out) in self.starts.iter().zip(out.chunks_exact_mut(self.run)) {
            for (i, row) in self.rows(plane, start).enumerate() {
                match i {
                    0 => tallest.copy_from_slice(row),
                    _ => tallest.iter_mut().zip(row).for_each(|(x, &y)| *x = x.larger(y)),
                }
            }
            if (size, step, dilation) == (2, 2, 1) {
                for (y, pair) in out.iter_mut().zip(tallest.as_chunks::<2>().0) {
                    *y = pair[0].larger(pair[1]);
                }
                continue;
            }
            for k in 0..size {
                let column = tallest.get(k * dilation..).unwrap_or_default().iter().step_by(step);
                match k {
                    0 => out.iter_mut().zip(column).for_each(|(y, &x)| *y = x),
                    _ => out.iter_mut().zip(column).for_each(|(y, &x)| *y = y.larger(x)),
                }
            }
        }
    }

    /// The shares of the elements of a plane; `shares` has room for a row of windows.
    fn share<T: Number>(&self, [plane, maxima, shared]: [&[T]; 3], shares: &mut [T], out: &mut [T]) {
        let Places { size, step, dilation, .. } = self.last;
        out.fill(T::default());
        let numbers = maxima.chunks_exact(self.run).zip(shared.chunks_exact(self.run));
        for (&start, (maxima, shared)) in self.starts.iter().zip(numbers) {
            shares.fill(T::default());
            let pairs = (size, step, dilation) == (2, 2, 1);
            for row in self.rows(plane, start) {
                if pairs {
                    for ((count, &y), pair) in shares.iter_mut().zip(maxima).zip(row.as_chunks::<2>().0) {
                        *count += T::one_if(pair[0] == y);
                        *count += T::one_if(pair[1] == y);
                    }
                    continue;
                }
                for k in 0..size {
                    let column = row.get(k * dilation..).unwrap_or_default().iter().step_by(step);
                    for ((count, &y), &x) in shares.iter_mut().zip(maxima).zip(column) {
                        *count += T::one_if(x == y);
                    }
                }
            }
            shares.iter_mut().zip(shared).for_each(|(count, &u)| *count = u / *count);
            for at in &self.rows {
                let from = start + at..start + at + self.row;
                let (Some(row), Some(out)) = (plane.get(from.clone()), out.get_mut(from)) else { continue };
                if pairs {
                    let pairs = row.as_chunks::<2>().0.iter().zip(out.as_chunks_mut::<2>().0);
                    for ((&share, &y), (x, out)) in shares.iter().zip(maxima).zip(pairs) {
                        out[0] += if x[0] == y { share } else { T::default() };
                        out[1] += if x[1] == y { share } else { T::default() };
                    }
                    continue;
                }
                for k in 0..size {
                    let column = row.get(k * dilation..).unwrap_or_default().iter().step_by(step);
                    let places = out.get_mut(k * dilation..).unwrap_or_default().iter_mut().step_by(step);
                    for ((&share, &y), (&x, out)) in shares.iter().zip(maxima).zip(column.zip(places)) {
                        *out += if x == y { share } else { T::default() };
                    }
                }
            }
        }
    }
}

/// Evaluates `$body` with `$T` bound to the type of the elements.
macro_rules! with_number {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $T = f32;
                $body
            }
            DType::F64 => {
                type $T = f64;
                $body
            }
            other => Err(Error::state(format!("a pool of {other}"))),
        }
    };
}

/// The elements of a plane.
fn plane<T>(all: &[T], index: usize, size: usize) -> &[T] {
    all.get(index * size..(index + 1) * size).unwrap_or_default()
}

impl Kernel for WindowMax {
    fn by_rows(&self) -> bool {
        self.front > 0
    }

    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let Some(planes) = Plane::new(self, x.shape(), out.shape()) else { return Ok(()) };
        with_number!(x.dtype(), T => {
            let src = x.as_slice::<T>()?;
            in_parts(out.as_mut_slice::<T>()?, planes.out, planes.ns(), |first, part| {
                let mut tallest = vec![T::default(); planes.row];
                for (i, out) in part.chunks_exact_mut(planes.out).enumerate() {
                    planes.largest(plane(src, first + i, planes.size), &mut tallest, out);
                }
                Ok(())
            })
        })
    }

    fn flops(&self, _inputs: &[&Shape], out: &Shape) -> Option<u64> {
        Some(self.all.iter().fold(out.len() as u64, |flops, places| flops.saturating_mul(places.size as u64)))
    }
}

impl Kernel for WindowShare {
    fn by_rows(&self) -> bool {
        self.0.front > 0
    }

    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x, y, u] = views(inputs)?;
        let Some(planes) = Plane::new(&self.0, x.shape(), y.shape()) else { return Ok(()) };
        with_number!(x.dtype(), T => {
            let (x, y, u) = (x.as_slice::<T>()?, y.as_slice::<T>()?, u.as_slice::<T>()?);
            in_parts(out.as_mut_slice::<T>()?, planes.size, 2 * planes.ns(), |first, part| {
                let mut shares = vec![T::default(); planes.run];
                for (i, out) in part.chunks_exact_mut(planes.size).enumerate() {
                    let of = first + i;
                    let (y, u) = (plane(y, of, planes.out), plane(u, of, planes.out));
                    planes.share([plane(x, of, planes.size), y, u], &mut shares, out);
                }
                Ok(())
            })
        })
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        let shared = inputs.get(1).map_or(0, |shape| shape.len() as u64);
        let windows = self.0.all.iter().fold(shared, |n, places| n.saturating_mul(places.size as u64));
        Some(windows.saturating_mul(2).saturating_add(shared))
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let wave =
        |dims: &[usize]| Tensor::from_fn(dims, |i| (i as f64 * 1.7).sin()).unwrap_or_else(|_| Tensor::from(0.0f64));
    fn places(size: usize, step: usize, dilation: usize) -> Places {
        Places { axis: 0, size, step, dilation }
    }
    fn pooled<'t>(x: Var<'t>, all: &[Places]) -> Var<'t> {
        x.then(WindowMax::new(all.iter().copied()))
    }
    let line = || [Tensor::from([[[1.0f64, 5.0, 5.0, 2.0, 4.0, 4.0]]])];
    fn shares<'t>(u: Var<'t>, values: Var<'t>) -> Var<'t> {
        let values = values.stop_gradient();
        let op = WindowShare(WindowMax::new([places(2, 2, 1)]));
        u.tape.record(op, &[values, pooled(values, &[places(2, 2, 1)]), u])
    }
    vec![
        Entry::new(
            "window_max",
            "window_max.rs",
            vec![
                Sample::new("pairs", line(), |_, x| pooled(x[0], &[places(2, 2, 1)]))
                    .kinked()
                    .gives([5., 5., 4.])
                    .slopes([0., 1., 1., 0., 0.5, 0.5]),
                Sample::new("overlapping", line(), |_, x| pooled(x[0], &[places(3, 1, 1)]))
                    .kinked()
                    .gives([5., 5., 5., 4.])
                    .slopes([0., 1.0, 2.0, 0., 0.5, 0.5]),
                Sample::new("apart", line(), |_, x| pooled(x[0], &[places(2, 3, 2)])).gives([5., 4.]),
                Sample::new("image", [wave(&[2, 2, 4, 5])], |_, x| {
                    pooled(x[0], &[places(2, 2, 1), places(2, 2, 1)]).square()
                }),
                Sample::new("odd windows", [wave(&[1, 2, 5, 6])], |_, x| {
                    pooled(x[0], &[places(3, 2, 1), places(2, 1, 3)]).square()
                }),
                Sample::new("volume", [wave(&[1, 1, 3, 2, 4])], |_, x| {
                    pooled(x[0], &[places(2, 1, 1), places(2, 1, 1), places(2, 2, 1)]).square()
                }),
            ],
        ),
        Entry::new(
            "window_share",
            "window_max.rs",
            vec![
                Sample::new("ties", [wave(&[1, 1, 3])].into_iter().chain(line()).collect::<Vec<_>>(), |_, x| {
                    shares(x[0], x[1]).slice(2, 1..5)
                })
                .kinked()
                .slopes([1., 1., 0.5]),
                Sample::new("pairs", [wave(&[2, 1, 3]), wave(&[2, 1, 6])], |_, x| shares(x[0], x[1]).square()),
            ],
        ),
    ]
}
