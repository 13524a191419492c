//! Writing at places that are named at run time: set, extremes, products; and slices that start where a value says.

use crate::graph::Var;
use crate::meta::indices;
use crate::operand::{Like, Operand};
use crate::ops::winner::{Stays, Winner};
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Axes;
use wengert_tensor::tensor::Tensor;

/// The operands of a scatter: the axis, the indices, and the source.
type Parts<'t> = (usize, Var<'t>, Var<'t>);

impl<'t> Var<'t> {
    #[track_caller]
    fn scattered(
        self,
        name: &'static str,
        axis: isize,
        index: impl Operand<'t>,
        source: impl Operand<'t>,
        f: impl FnOnce(Parts<'t>) -> Var<'t>,
    ) -> Var<'t> {
        let index = index.into_var(self.tape, Like::of(self).with_dtype(DType::I64).single());
        let source = source.into_var(self.tape, Like::of(self));
        if self.tape.failed.get() {
            return self.tape.poison();
        }
        match fits(self, axis, index, source) {
            Ok(axis) => {
                let start = self.tape.len();
                self.tape.label(f((axis, index, source)), name, start)
            }
            Err(error) => self.tape.reject(name, &[("values", self), ("indices", index), ("source", source)], error),
        }
    }

    /// For each place of this value the source element that stays there, and whether there is one.
    #[track_caller]
    fn stays(self, (axis, index, source): Parts<'t>, stays: Stays) -> (Var<'t>, Var<'t>) {
        let size = self.shape().get(axis).copied().unwrap_or_default();
        let winner = self.tape.record(Winner { axis, size, stays }, &[source, index]);
        let some = winner.ge(0);
        match source.shape().get(axis) {
            Some(0) | None => (self, some),
            _ => (source.take_along(axis as isize, winner.maximum(0)), some),
        }
    }

    /// This value, with every element of `source` in place of the one that its index along an axis names. Of several for one place the
    /// last stays.
    ///
    /// Index and source have one shape, which is that of this value but for the axis. Gradients flow to what stays, of both.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let (index, source) = (Tensor::from([2i64, 0, 2]), Tensor::from([1.0f32, 2.0, 3.0]));
    /// let y = Tensor::from([0.0f32, 7.0, 0.5]).apply(|x| x.scatter(0, &index, &source))?;
    /// assert_eq!(y.to_vec::<f32>()?, [2.0, 7.0, 3.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn scatter(self, axis: isize, index: impl Operand<'t>, source: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("scatter");
        self.scattered("scatter", axis, index, source, |parts| {
            let (new, some) = self.stays(parts, Stays::Last);
            new.select(some, self)
        })
    }

    /// The larger of each element and the elements of `source` that its index along an axis sends there. Gradients flow to the largest:
    /// half to this value where it is equal, the rest to the first of the source.
    #[track_caller]
    pub fn scatter_max(self, axis: isize, index: impl Operand<'t>, source: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("scatter_max");
        self.scattered("scatter_max", axis, index, source, |parts| {
            let (new, some) = self.stays(parts, Stays::Largest);
            new.maximum(self).select(some, self)
        })
    }

    /// As [`Var::scatter_max`], the smaller.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let (index, source) = (Tensor::from([2i64, 0, 2]), Tensor::from([1.0f32, 2.0, 3.0]));
    /// let y = Tensor::from([0.0f32, 7.0, 1.5]).apply(|x| x.scatter_min(0, &index, &source))?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.0, 7.0, 1.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn scatter_min(self, axis: isize, index: impl Operand<'t>, source: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("scatter_min");
        self.scattered("scatter_min", axis, index, source, |parts| {
            let (new, some) = self.stays(parts, Stays::Smallest);
            new.minimum(self).select(some, self)
        })
    }

    /// Each element times the elements of `source` that its index along an axis sends there. Zeros are no hindrance to the gradient.
    ///
    /// It compares every place with every index: work and memory grow with the size of the axis times the number of indices.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let (index, source) = (Tensor::from([2i64, 0, 2]), Tensor::from([1.5f32, 2.0, 3.0]));
    /// let y = Tensor::from([4.0f32, 7.0, 2.0]).apply(|x| x.scatter_mul(0, &index, &source))?;
    /// assert_eq!(y.to_vec::<f32>()?, [8.0, 7.0, 9.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn scatter_mul(self, axis: isize, index: impl Operand<'t>, source: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("scatter_mul");
        self.scattered("scatter_mul", axis, index, source, |(axis, index, source)| {
            let size = self.shape().get(axis).copied().unwrap_or_default();
            let axis = axis as isize;
            let index = index.check_index(size, "index").unsqueeze(axis);
            let places = self.tape.iota([size], 0, DType::I64);
            let ones = [1usize].repeat(index.rank() - axis as usize - 1);
            let sent = index.eq(places.reshape([&[size], &ones[..]].concat()));
            self * source.unsqueeze(axis).select(sent, 1.0).prod_axes(axis + 1)
        })
    }

    /// This value, with the blocks of `source` in place of those that the indices of an axis name: the axis of `source` is numbered by the
    /// rank-1 index. Of several for one place the last stays.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let rows = Tensor::from([[9.0f32, 8.0]]);
    /// let y = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]).apply(|x| x.index_set(0, &Tensor::from([1i64]), &rows))?;
    /// assert_eq!(y.to_vec::<f32>()?, [1.0, 2.0, 9.0, 8.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "index_copy")]
    #[track_caller]
    pub fn index_set(self, axis: isize, index: impl Operand<'t>, source: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("index_set");
        let index = index.into_var(self.tape, Like::of(self).with_dtype(DType::I64).single());
        let source = source.into_var(self.tape, Like::of(self));
        let shape = source.shape();
        match shape.axis(axis) {
            Ok(at) if index.rank() == 1 && shape.get(at) == index.shape().first() => {
                let ones = [1usize].repeat(shape.rank() - at - 1);
                let every = index.reshape([&[index.len()], &ones[..]].concat()).broadcast_to(&shape);
                let start = self.tape.len();
                self.tape.label(self.scatter(axis, every, source), "index_set", start)
            }
            Ok(_) => {
                let error = Error::shape(format!("{} indices for a source of {shape}", index.shape()));
                self.tape.reject("index_set", &[("indices", index), ("source", source)], error)
            }
            Err(error) => self.reject("index_set", error),
        }
    }

    /// `size` elements of an axis from where `start` says, an i64 of rank 0. A start outside is moved inside, so that all elements exist.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 2.0, 3.0]).apply(|x| x.dynamic_slice(0, x.tape().input(&Tensor::from(1i64)), 2))?;
    /// assert_eq!(y.to_vec::<f32>()?, [2.0, 3.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn dynamic_slice(self, axis: isize, start: Var<'t>, size: usize) -> Var<'t> {
        let _call = self.tape.call("dynamic_slice");
        match self.places(axis, start, size) {
            Ok(places) => self.gather(axis, places),
            Err(error) => self.tape.reject("dynamic_slice", &[("values", self), ("start", start)], error),
        }
    }

    /// This value, with `patch` in place of the elements of an axis from where `start` says, an i64 of rank 0. A start outside is moved
    /// inside, so that all of the patch has a place.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let patch = Tensor::from([8.0f32, 9.0]);
    /// let y = Tensor::from([1.0f32, 2.0, 3.0]).apply(|x| x.dynamic_update(0, x.tape().input(&Tensor::from(5i64)), &patch))?;
    /// assert_eq!(y.to_vec::<f32>()?, [1.0, 8.0, 9.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "dynamic_update_slice")]
    #[track_caller]
    pub fn dynamic_update(self, axis: isize, start: Var<'t>, patch: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("dynamic_update");
        let patch = patch.into_var(self.tape, Like::of(self));
        let size = patch.shape().axis(axis).map(|axis| patch.dim(axis as isize));
        match size.and_then(|size| self.places(axis, start, size)) {
            Ok(places) => self.index_set(axis, places, patch),
            Err(error) => self.tape.reject("dynamic_update", &[("values", self), ("start", start)], error),
        }
    }

    /// The indices of a slice that starts where a value says.
    #[track_caller]
    fn places(self, axis: isize, start: Var<'t>, size: usize) -> Result<Var<'t>> {
        let shape = self.shape();
        let count = shape.get(shape.axis(axis)?).copied().unwrap_or_default();
        indices(&start.meta())?;
        if start.rank() != 0 {
            return Err(Error::shape(format!("a start is one number, not {}", start.meta())));
        }
        let last = count.checked_sub(size).ok_or_else(|| Error::shape(format!("{size} elements of {count}")))?;
        Ok(start.maximum(0).minimum(last as i64) + self.tape.iota([size], 0, DType::I64))
    }

    /// The elements at places of the flattened value.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]).apply(|x| x.take(&Tensor::from([3i64, 0])))?;
    /// assert_eq!(y.to_vec::<f32>()?, [4.0, 1.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn take(self, index: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("take");
        self.named("take", self.flatten().gather(0, index))
    }

    /// The elements where the mask is true, in order, in front of a vector as long as this value, zeros behind; and how many they are.
    /// What is computed has a shape that is known before, so the rest stays.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([3.0f32, -1.0, 2.0]));
    /// let (kept, count) = x.masked_select(x.gt(0.0));
    /// assert_eq!(kept.value()?.to_vec::<f32>()?, [3.0, 2.0, 0.0]);
    /// assert_eq!(count.item::<i64>()?, 2);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias("boolean_mask", "compress"))]
    #[track_caller]
    pub fn masked_select(self, mask: impl Operand<'t>) -> (Var<'t>, Var<'t>) {
        let _call = self.tape.call("masked_select");
        let mask = mask.into_var(self.tape, Like::of(self).with_dtype(DType::Bool)).broadcast_to(self.shape());
        let (values, mask) = (self.flatten(), mask.flatten());
        let count = mask.cast(DType::I64).sum();
        let order = mask.logical_not().cast(DType::I64).argsort(0, false);
        let kept = self.tape.iota([values.len()], 0, DType::I64).lt(count);
        (values.gather(0, order).select(kept, values.zeros_like()), count)
    }

    /// The distinct elements of the flattened value, rising, how often each comes, and how many there are. Both vectors are as long as the
    /// value; behind the distinct elements the last is repeated, with counts of 0.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (values, counts, distinct) = tape.input(&Tensor::from([3i64, 1, 3, 3])).unique();
    /// assert_eq!(values.value()?.to_vec::<i64>()?, [1, 3, 3, 3]);
    /// assert_eq!(counts.value()?.to_vec::<i64>()?, [1, 3, 0, 0]);
    /// assert_eq!(distinct.item::<i64>()?, 2);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn unique(self) -> (Var<'t>, Var<'t>, Var<'t>) {
        let _call = self.tape.call("unique");
        let (tape, n) = (self.tape, self.len());
        let none = || tape.constant([n], 0i64);
        let sorted = self.flatten().sort(0);
        if n == 0 || tape.failed.get() {
            return (sorted, none(), tape.constant([], 0i64));
        }
        let new = sorted.slice(0, 1..).ne(sorted.slice(0, ..n - 1)).cast(DType::I64);
        let number = tape.concat(&[tape.constant([1], 0i64), new], 0).cumsum(0);
        let counts = none().index_add(0, number, tape.constant([n], 1i64));
        let distinct = number.at(0, n - 1) + 1;
        // The last place of each element in the sorted list.
        let ends = counts.cumsum(0) - 1;
        (sorted.gather(0, ends), counts, distinct)
    }

    /// How often each of the classes 0..n comes among i64 labels.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([2i64, 0, 2]).apply(|x| x.bincount(4))?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, 0, 2, 0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn bincount(self, classes: usize) -> Var<'t> {
        let _call = self.tape.call("bincount");
        let ones = self.tape.constant([self.len()], 1i64);
        self.named("bincount", self.tape.constant([classes], 0i64).index_add(0, self.flatten(), ones))
    }
}

fn fits<'t>(x: Var<'t>, axis: isize, index: Var<'t>, source: Var<'t>) -> Result<usize> {
    let shape = x.shape();
    let at = shape.axis(axis)?;
    indices(&index.meta())?;
    if source.dtype() != x.dtype() {
        return Err(Error::dtype(format!("{} into {}", source.dtype(), x.dtype()))
            .help("nothing is converted silently; convert one side first: .cast(DType::…)"));
    }
    let others = |shape: &wengert_tensor::shape::Shape| -> Axes {
        shape.iter().enumerate().filter(|(axis, _)| *axis != at).map(|(_, &size)| size).collect()
    };
    let (i, s) = (index.shape(), source.shape());
    if i != s || i.rank() != shape.rank() || others(&i) != others(&shape) {
        return Err(Error::shape(format!("indices {i} and source {s} for {shape} along axis {at}"))
            .help("index and source have one shape: that of the value, but for the axis"));
    }
    Ok(at)
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || {
        [
            Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]]),
            Tensor::from([[1.5f64, -2.5, 3.5, 0.3], [7.0, 8.0, 0.0, -2.0]]),
        ]
    };
    let index = || Tensor::from([[2i64, 2, 0, 2], [0, 2, 1, 1]]);
    let with_index = || x().into_iter().chain([index()]).collect::<Vec<_>>();
    let entry = |name, samples: Vec<Sample>| Entry::new(name, "scatter.rs", samples);
    vec![
        entry(
            "scatter",
            vec![
                Sample::new("rows", with_index(), |_, x| x[0].scatter(1, x[2], x[1]) * x[0].sin()),
                Sample::new("last stays", with_index(), |_, x| x[0].scatter(1, x[2], x[1]))
                    .gives([3.5, 2., 0.3, 7., -2., 8.])
                    .slopes([0., 1., 0., 0., 0., 0.]),
                Sample::new("nothing", x(), |tape, x| x[0].scatter(1, tape.constant([2, 0], 0i64), x[1].slice(1, ..0)))
                    .gives([1., 2., 3., 4., 5., 6.]),
            ],
        ),
        entry(
            "scatter_max",
            vec![
                Sample::new("rows", with_index(), |_, x| x[0].scatter_max(1, x[2], x[1]))
                    .gives([3.5, 2., 3., 7., 5., 8.]),
            ],
        ),
        entry(
            "scatter_min",
            vec![
                Sample::new("rows", with_index(), |_, x| x[0].scatter_min(1, x[2], x[1]))
                    .gives([1., 2., -2.5, 4., -2., 6.]),
            ],
        ),
        entry(
            "scatter_mul",
            vec![Sample::new("rows, with a zero", with_index(), |_, x| x[0].scatter_mul(1, x[2], x[1])).gives([
                3.5,
                2.,
                3. * 1.5 * -2.5 * 0.3,
                28.,
                0.,
                48.,
            ])],
        ),
        entry(
            "index_set",
            vec![Sample::new("columns", x(), |_, x| {
                x[0].index_set(1, Tensor::from([2i64, 0]), x[1].slice(1, ..2)).square()
            })],
        ),
        entry(
            "dynamic_slice",
            vec![Sample::new("inside and outside", x(), |tape, x| {
                let at = |start: i64| tape.input(&Tensor::from(start));
                x[0].dynamic_slice(1, at(1), 2) * x[1].dynamic_slice(1, at(9), 2)
            })],
        ),
        entry(
            "dynamic_update",
            vec![Sample::new("a patch", x(), |tape, x| {
                x[1].dynamic_update(1, tape.input(&Tensor::from(1i64)), x[0].exp())
            })],
        ),
        entry("take", vec![Sample::new("flat", x(), |_, x| x[0].take(Tensor::from([5i64, 0, 5])))]),
        entry("masked_select", vec![Sample::new("positive", x(), |_, x| x[1].masked_select(x[1].gt(0.2)).0)]),
        entry(
            "unique",
            vec![
                Sample::new("values and counts", [Tensor::from([2.0f64, 1.0, 2.0, 0.5])], |_, x| {
                    let (values, counts, distinct) = x[0].unique();
                    values * (counts + distinct).cast(DType::F64)
                })
                .kinked()
                .gives([2., 4., 10., 6.]),
            ],
        ),
        entry("bincount", vec![Sample::new("labels", [index()], |_, x| x[0].bincount(3)).gives([2., 2., 4.])]),
    ]
}
