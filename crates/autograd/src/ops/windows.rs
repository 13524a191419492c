//! `windows`: the windows of an axis, which may overlap; and `fold_windows`, which puts them back and adds up.
//!
//! windows: y[…, k, i, …] = x[…, i · step + k · dilation, …]; fold_windows: y[…, j, …] = Σ x[…, k, i, …] over all k and i with
//! i · step + k · dilation = j
//!
//! * shape: windows puts `size` and ⌊(n − span) / step⌋ + 1 in the place of n, where span = (size − 1) · dilation + 1;
//!   fold_windows puts one axis of the given size in the place of two
//! * evaluation: windows is a view, without a copy
//! * dtypes: windows moves any, fold_windows adds numbers; bf16 and f16 are summed in f32 and rounded once
//! * derivative: each is the transpose of the other

use crate::batch::Batch;
use crate::class::{Class, View};
use crate::cost::per_element;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{Blocks, views};
use crate::meta::{Meta, operands};
use crate::sample::{Accuracy, Entry, Sample};
use crate::sum_into::sum_into;
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The places of windows along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Places {
    /// The axis.
    pub axis: usize,
    /// How many elements a window has.
    pub size: usize,
    /// How far the next window is.
    pub step: usize,
    /// How far the next element of a window is.
    pub dilation: usize,
}

impl Places {
    /// How many neighbouring elements a window covers.
    pub(crate) fn span(&self) -> Result<usize> {
        let &Places { size, step, dilation, .. } = self;
        if size == 0 || step == 0 || dilation == 0 {
            let error = Error::value(format!("windows of size {size}, step {step} and dilation {dilation}"));
            return Err(error.help("each is at least 1"));
        }
        let gaps = (size - 1).checked_mul(dilation).and_then(|gaps| gaps.checked_add(1));
        gaps.ok_or_else(|| Error::shape(format!("{size} elements {dilation} apart overflow")))
    }

    /// How many windows there are in `n` elements.
    pub(crate) fn count(&self, n: usize) -> Result<usize> {
        let span = self.span()?;
        match n.checked_sub(span) {
            Some(rest) => Ok(rest / self.step + 1),
            None => {
                let (size, apart) = (self.size, self.dilation);
                let error = Error::shape(match apart {
                    1 => format!("a window of {span} in an axis of {n}"),
                    _ => format!("a window of {size} elements {apart} apart covers {span}, and the axis has {n}"),
                });
                Err(error.help(format!("pad the axis to {span} or more, or make the window smaller")))
            }
        }
    }

    /// How many elements `count` windows cover.
    pub(crate) fn covered(&self, count: usize) -> Result<usize> {
        let span = self.span()?;
        let Some(steps) = count.checked_sub(1) else { return Ok(0) };
        let covered = steps.checked_mul(self.step).and_then(|start| start.checked_add(span));
        covered.ok_or_else(|| Error::shape(format!("{count} windows {} apart overflow", self.step)))
    }

    fn batched(self) -> Places {
        Places { axis: self.axis + 1, ..self }
    }
}

/// The windows of an axis: its place is taken by one axis for the elements of a window and one for the windows.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Windows(pub Places);

/// The sum of windows where they overlap.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FoldWindows {
    /// Of the windows.
    pub places: Places,
    /// The size of the axis of the result.
    pub n: usize,
}

impl Op for Windows {
    fn name(&self) -> &'static str {
        "windows"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        let Places { axis, size, .. } = self.0;
        let Some(&n) = x.shape.get(axis) else {
            return Err(Error::axis(format!("axis {axis} is out of range for {}", x.shape)));
        };
        let count = self.0.count(n)?;
        Ok(x.with_shape(x.shape.with(axis, count)?.insert(axis, size)?))
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::View(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, _i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        let n = x.first()?.shape().get(self.0.axis).copied()?;
        Some(ct.folded(self.0, n))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Windows(self.0.batched()))
    }
}

impl View for Windows {
    fn view(&self, input: &Layout, out: &Shape) -> Option<Layout> {
        let Places { axis, step, dilation, .. } = self.0;
        let mut strides: SmallVec<[isize; 4]> = SmallVec::from_slice(input.strides());
        let stride = strides.get(axis).copied()?;
        // Where the product overflows there is one index only, and the stride has no meaning.
        let apart = |by: usize| isize::try_from(by).ok().and_then(|by| stride.checked_mul(by)).unwrap_or_default();
        *strides.get_mut(axis)? = apart(step);
        strides.insert(axis, apart(dilation));
        Layout::new(out.clone(), &strides, input.offset()).ok()
    }
}

impl Op for FoldWindows {
    fn name(&self) -> &'static str {
        "fold_windows"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        if x.dtype == DType::Bool {
            return Err(Error::dtype("adds numbers, not bool").help("convert first: .cast(DType::I64)"));
        }
        let Places { axis, size, .. } = self.places;
        let Some(&[elements, count]) = x.shape.get(axis..).and_then(|rest| rest.first_chunk()) else {
            return Err(Error::axis(format!("{} has no windows at axis {axis}", x.shape)));
        };
        if elements != size {
            return Err(Error::shape(format!("the windows have {elements} elements, not {size}")));
        }
        let covered = self.places.covered(count)?;
        if covered > self.n {
            return Err(Error::shape(format!("{count} windows cover {covered} elements, more than {}", self.n)));
        }
        Ok(x.with_shape(x.shape.without(&[axis]).with(axis, self.n)?))
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
        let axis = self.places.axis + 1;
        let count = x.first()?.shape().get(axis).copied()?;
        match count {
            0 => Some(x.first()?.filled(0.0)),
            // There is room for more windows where the axis ends later than the last one.
            _ => Some(ct.windowed(self.places).slice(axis as isize, ..count)),
        }
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(FoldWindows { places: self.places.batched(), n: self.n })
    }
}

impl Kernel for FoldWindows {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let Places { axis, size, step, dilation } = self.places;
        let Blocks { size: count, inner } = Blocks::around(x.shape(), axis + 1, 1);
        // Neighbouring windows at a distance of 1 are added as one run, single elements by their distance, others one by one.
        let (run, spacing, blocks) = match (step, inner) {
            (1, _) => (count * inner, 1, 1),
            (_, 1) => (count, step, 1),
            _ => (inner, 1, count),
        };
        sum_into(x, out, run, spacing, |block| {
            let (k, i) = (block / blocks % size, block % blocks);
            (block / blocks / size * self.n + i * step + k * dilation) * inner
        })
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        inputs.first().and_then(|x| per_element(x, 1))
    }
}

impl<'t> Var<'t> {
    /// [`Windows`]. Those that lie side by side are the same elements in another order, whose transpose adds nothing up.
    #[track_caller]
    pub(crate) fn windowed(self, places: Places) -> Var<'t> {
        match self.side_by_side(places) {
            Ok(Some((whole, apart))) => {
                let axis = places.axis as isize;
                self.slice(axis, ..whole).reshape(apart).transpose(axis, axis + 1)
            }
            _ => self.then(Windows(places)),
        }
    }

    /// [`FoldWindows`], with nothing to add up for windows that lie side by side.
    #[track_caller]
    pub(crate) fn folded(self, places: Places, n: usize) -> Var<'t> {
        let op = FoldWindows { places, n };
        let axis = places.axis as isize;
        match (places.step == places.size && places.dilation == 1, op.infer(&[&self.meta()])) {
            (true, Ok(meta)) => {
                let side_by_side = self.transpose(axis, axis + 1);
                let shape = side_by_side.shape();
                let covered = shape.iter().skip(places.axis).take(2).product();
                match meta.shape.with(places.axis, covered) {
                    Ok(whole) => side_by_side.reshape(whole).pad(axis, 0, n.saturating_sub(covered), 0.0),
                    Err(_) => self.then(op),
                }
            }
            _ => self.then(op),
        }
    }

    /// Of windows that lie side by side: how many elements they have together, and the shape with them apart.
    fn side_by_side(self, places: Places) -> Result<Option<(usize, Shape)>> {
        let Places { axis, size, step, dilation } = places;
        let shape = self.shape();
        match shape.get(axis) {
            Some(&n) if step == size && dilation == 1 => {
                let count = places.count(n)?;
                Ok(Some((count * size, shape.with(axis, count)?.insert(axis + 1, size)?)))
            }
            _ => Ok(None),
        }
    }

    /// The windows of `size` elements along an axis, `step` apart, as a view: the axis counts the windows, and their elements,
    /// which are neighbours `dilation` apart, are a new last axis.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([1i64, 2, 3, 4, 5]);
    /// assert_eq!(x.apply(|x| x.windows(0, 2, 1, 1))?.to_vec::<i64>()?, [1, 2, 2, 3, 3, 4, 4, 5]);
    /// assert_eq!(x.apply(|x| x.windows(0, 2, 2, 2))?.to_vec::<i64>()?, [1, 3, 3, 5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "sliding_window_view")]
    #[track_caller]
    pub fn windows(self, axis: isize, size: usize, step: usize, dilation: usize) -> Var<'t> {
        let _call = self.tape.call("windows");
        match self.shape().axis(axis) {
            Ok(axis) => {
                let y = self.then(Windows(Places { axis, size, step, dilation }));
                self.named("windows", y.moved_axis(axis as isize, -1))
            }
            Err(error) => self.reject("windows", error),
        }
    }

    /// The transpose of [`Var::windows`]: adds the windows, whose elements are the last axis, up to an axis of `n` elements.
    /// `axis` is that of the result.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1i64, 2], [30, 40]]).apply(|x| x.fold_windows(0, 4, 1, 1))?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, 32, 40, 0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn fold_windows(self, axis: isize, n: usize, step: usize, dilation: usize) -> Var<'t> {
        let _call = self.tape.call("fold_windows");
        let shape = self.shape();
        let found = match shape.split_last() {
            Some((&size, windows)) => Shape::new(windows).and_then(|windows| Ok((size, windows.axis(axis)?))),
            None => Err(Error::shape("a single number is no window").help("reshape([1, 1]) makes it one")),
        };
        match found {
            Ok((size, axis)) => {
                let places = Places { axis, size, step, dilation };
                let y = self.moved_axis(-1, axis as isize).then(FoldWindows { places, n });
                self.named("fold_windows", y)
            }
            Err(error) => self.reject("fold_windows", error),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]])];
    let empty = || [Tensor::from([[0.0f64; 0]; 2])];
    vec![
        Entry::new(
            "windows",
            "windows.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].slice(0, ..1).windows(1, 3, 1, 1).square())
                    .gives([1., 4., 9., 4., 9., 16., 9., 16., 25.])
                    .slopes([2., 8., 18., 16., 10., 0., 0., 0., 0., 0.]),
                Sample::new("columns", x(), |_, x| x[0].windows(0, 2, 1, 1).square()),
                Sample::new("apart, with a rest", x(), |_, x| x[0].windows(-1, 2, 3, 1))
                    .gives([1., 2., 4., 5., 6., 7., 9., 10.])
                    .slopes([1., 1., 0., 1., 1., 1., 1., 0., 1., 1.]),
                Sample::new("dilated", x(), |_, x| x[0].windows(1, 2, 1, 3).square())
                    .gives([1., 16., 4., 25., 36., 81., 49., 100.]),
                Sample::new("whole", x(), |_, x| x[0].windows(1, 5, 9, 1).square()),
                Sample::new("of windows", x(), |_, x| x[0].windows(1, 3, 2, 1).windows(1, 2, 1, 1).square()),
                Sample::new("of what is repeated", x(), |_, x| {
                    x[0].slice(1, ..1).broadcast_to([2, 3]).windows(1, 2, 1, 1).square()
                })
                .slopes([8., 0., 0., 0., 0., 48., 0., 0., 0., 0.]),
                Sample::new("nothing", empty(), |_, x| x[0].t().windows(1, 2, 1, 1)).gives([]),
                Sample::new("mask", [Tensor::from([true, false, true])], |_, x| x[0].windows(0, 2, 1, 1))
                    .gives([1., 0., 0., 1.]),
            ],
        ),
        Entry::new(
            "fold_windows",
            "windows.rs",
            vec![
                Sample::new("neighbours", x(), |_, x| x[0].fold_windows(0, 6, 1, 1))
                    .gives([1., 8., 10., 12., 14., 10.]),
                Sample::new("apart", x(), |_, x| x[0].fold_windows(0, 8, 2, 1).square())
                    .gives([1., 4., 81., 121., 169., 81., 100., 0.])
                    .slopes([2., 4., 18., 22., 26., 18., 22., 26., 18., 20.]),
                Sample::new("first axis", x(), |_, x| x[0].reshape([1, 5, 2]).fold_windows(0, 3, 1, 2))
                    .gives([1., 3., 5., 7., 9., 0., 0., 0., 0., 0., 2., 4., 6., 8., 10.]),
                Sample::new("blocks apart", x(), |_, x| x[0].reshape([2, 1, 5]).fold_windows(0, 9, 4, 1).square()),
                Sample::new("rows of blocks", x(), |_, x| {
                    x[0].reshape([5, 1, 2]).transpose(0, 2).fold_windows(0, 7, 2, 1).square()
                }),
                Sample::new("room for more windows", x(), |_, x| x[0].fold_windows(0, 100, 3, 1).square()),
                Sample::new("no windows", empty(), |_, x| x[0].t().fold_windows(0, 2, 1, 1)).gives([0., 0.]),
                Sample::new("bf16", x(), |_, x| x[0].cast(DType::BF16).fold_windows(0, 6, 1, 1))
                    .kinked()
                    .gives([1., 8., 10., 12., 14., 10.]),
                Sample::new("u8", [Tensor::from([[200u8, 100], [100, 1]])], |_, x| x[0].fold_windows(0, 3, 1, 1))
                    .gives([200., 200., 1.]),
            ],
        )
        .accuracy(Accuracy::Sum),
    ]
}
