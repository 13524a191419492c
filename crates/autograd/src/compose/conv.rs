//! Convolutions of any number of spatial axes: the windows of the input as columns of a matrix, and a product with the weights.
//!
//! What is called so here, as everywhere in the field, is the cross-correlation: the kernel is not reversed.

use crate::compose::surround::PadMode;
use crate::graph::{Tape, Var};
use crate::meta::Meta;
use crate::operand::{Like, Operand};
use crate::ops::convolved::Convolved;
use crate::sample::{Entry, Sample};
use crate::spatial::{Along, Dims, FRONT, Padding, PerAxis, along, spatial};
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Where an example has so many windows, each has a product of its own; fewer would leave too much of the last panel of columns empty.
const MANY_PLACES: usize = 256;

/// How a convolution goes over its input. Every number is for all spatial axes, or there is one for each.
///
/// ```
/// use wengert_autograd::{Conv, Padding};
/// let halved = Conv::new().stride(2).padding(1);
/// let wide = Conv::new().dilation([1, 2]).padding(Padding::Same);
/// assert_ne!(halved, wide);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conv {
    stride: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    groups: usize,
    output_padding: PerAxis,
    pub(super) pad_mode: Option<PadMode>,
}

impl Conv {
    /// Window by window, without padding, in one group.
    pub fn new() -> Conv {
        let (one, none) = (PerAxis::All(1), PerAxis::All(0));
        Conv {
            stride: one.clone(),
            padding: Padding::Valid,
            dilation: one,
            groups: 1,
            output_padding: none,
            pad_mode: None,
        }
    }

    /// How far the next window is.
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis>) -> Conv {
        Conv { stride: stride.into(), ..self }
    }

    /// How many zeros surround the input: a number for both sides, `[(before, after), …]`, [`Padding::Same`].
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding>) -> Conv {
        Conv { padding: padding.into(), ..self }
    }

    /// How far the next element of a window is.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<PerAxis>) -> Conv {
        Conv { dilation: dilation.into(), ..self }
    }

    /// In how many groups the channels fall; each output sees the inputs of its own group.
    #[must_use]
    pub fn groups(self, groups: usize) -> Conv {
        Conv { groups, ..self }
    }

    /// How many elements a transposed convolution has more at the end: a convolution with a stride takes inputs of several sizes
    /// to one.
    #[must_use]
    pub fn output_padding(self, more: impl Into<PerAxis>) -> Conv {
        Conv { output_padding: more.into(), ..self }
    }

    /// The padding is made of the input's own elements, not of zeros.
    #[must_use]
    pub fn pad_mode(self, mode: PadMode) -> Conv {
        Conv { pad_mode: Some(mode), ..self }
    }

    /// The number of groups.
    pub fn group_count(&self) -> usize {
        self.groups
    }

    /// The windows of an input with spatial axes of these sizes.
    pub(super) fn along(&self, sizes: &[usize], kernel: &[usize]) -> Result<SmallVec<[Along; 3]>> {
        if self.output_padding.of("the output padding", sizes.len())?.iter().any(|&more| more > 0) {
            return Err(Error::value("only a transposed convolution has an output padding"));
        }
        let all = along(sizes, kernel, &self.stride, &self.dilation, &self.padding)?;
        all.iter().try_for_each(|along| along.count().map(|_| ()))?;
        Ok(all)
    }

    /// The windows of an output for which an input has windows at all places of these sizes.
    fn transposed(&self, sizes: &[usize], kernel: &[usize]) -> Result<SmallVec<[Along; 3]>> {
        let axes = sizes.len();
        let more = self.output_padding.of("the output padding", axes)?;
        if let Some(mode) = self.pad_mode {
            let error = Error::value(format!("a transposed convolution has no padding of mode {mode:?}"));
            return Err(error.help("its padding takes away from the output"));
        }
        if let Some(i) = sizes.iter().position(|&size| size == 0) {
            return Err(Error::shape(format!("spatial axis {i} has no elements")));
        }
        let stride = self.stride.of("the stride", axes)?;
        let overflow = || Error::shape("the size of the output overflows");
        if matches!(self.padding, Padding::Same) {
            if more.iter().any(|&more| more > 0) {
                return Err(Error::value("an output padding beside Padding::Same")
                    .help("the size is n · stride then, without a choice"));
            }
            let whole = sizes.iter().zip(&stride).map(|(&n, &stride)| n.checked_mul(stride));
            let whole: Dims = whole.collect::<Option<_>>().ok_or_else(overflow)?;
            return along(&whole, kernel, &self.stride, &self.dilation, &self.padding);
        }
        let mut all = along(sizes, kernel, &self.stride, &self.dilation, &self.padding)?;
        for (along, more) in all.iter_mut().zip(more) {
            if more >= along.places.step.max(along.places.dilation) {
                let error = Error::value(format!("an output padding of {more}"));
                return Err(error.help("it is less than the stride or the dilation: more is no choice of the size"));
            }
            let full = along.places.covered(along.n)?.checked_add(more).ok_or_else(overflow)?;
            let left = along.before.checked_add(along.after).and_then(|cut| full.checked_sub(cut));
            along.n = match left {
                Some(n) if n > 0 => n,
                _ => {
                    let (before, after) = (along.before, along.after);
                    return Err(Error::shape(format!("a padding of {before} and {after} leaves nothing of {full}")));
                }
            };
        }
        Ok(all)
    }
}

impl Default for Conv {
    fn default() -> Conv {
        Conv::new()
    }
}

impl From<&Conv> for Conv {
    fn from(options: &Conv) -> Conv {
        options.clone()
    }
}

/// The sizes of a convolution.
struct Sizes {
    examples: usize,
    groups: usize,
    /// Channels of the input and of the output in a group.
    inputs: usize,
    outputs: usize,
    kernel: Dims,
    all: SmallVec<[Along; 3]>,
}

impl Sizes {
    fn new(x: &Meta, w: &Meta, options: &Conv, transposed: bool) -> Result<Sizes> {
        if x.dtype != w.dtype {
            return Err(Error::dtype(format!("{} beside {}", x.dtype, w.dtype))
                .help("nothing is converted silently; convert one side first: .cast(DType::…)"));
        }
        if x.dtype == DType::Bool {
            return Err(Error::dtype("multiplies numbers, not bool").help("convert first: .cast(DType::F32)"));
        }
        let groups = options.groups;
        let axes =
            if transposed { "[inputs, outputs / groups, kernel…]" } else { "[outputs, inputs / groups, kernel…]" };
        let (first, second, kernel) = match w.shape.dims() {
            [first, second, kernel @ ..] if !kernel.is_empty() => (*first, *second, kernel),
            _ => return Err(Error::shape(format!("a weight is {axes}, not {}", w.shape))),
        };
        let sizes = spatial(&x.shape, Some(kernel.len()))?;
        let (examples, channels) = match x.shape.dims() {
            [examples, channels, ..] => (*examples, *channels),
            _ => return Err(Error::shape("no channels")),
        };
        let mut shares = [if transposed { channels } else { first }, channels].into_iter();
        if groups == 0 || shares.any(|count| count % groups != 0) {
            let error = Error::value(format!("{groups} groups of {channels} channels and a weight of {}", w.shape));
            return Err(error.help("the number of groups divides those of the channels that come in and go out"));
        }
        let wanted = if transposed { first } else { second.saturating_mul(groups) };
        if wanted != channels {
            return Err(Error::shape(format!("the input has {channels} channels, and the weight takes {wanted}"))
                .help(format!("a weight is {axes}")));
        }
        let (inputs, outputs) = match transposed {
            true => (first / groups, second),
            false => (second, first / groups),
        };
        let all = match transposed {
            true => options.transposed(sizes, kernel)?,
            false => options.along(sizes, kernel)?,
        };
        Ok(Sizes { examples, groups, inputs, outputs, kernel: Dims::from_slice(kernel), all })
    }

    /// The number of elements of a window.
    fn window(&self) -> usize {
        self.kernel.iter().product()
    }

    /// The number of windows along each axis.
    fn counts(&self) -> Result<Dims> {
        self.all.iter().map(|along| along.count()).collect()
    }

    /// The convolution with the reversed kernel that is the transpose of one with these windows, of which there are so many; if it is
    /// one, and does not multiply many more numbers than the product whose windows are added up.
    fn reversed(&self, counts: &[usize]) -> Option<Conv> {
        let mut sides: SmallVec<[(usize, usize); 3]> = SmallVec::new();
        let (mut here, mut there) = (1usize, 1usize);
        for (along, &count) in self.all.iter().zip(counts) {
            let before = along.places.span().ok()?.checked_sub(along.before + 1)?;
            let after = along.n.checked_add(along.before)?.checked_sub(count)?;
            if along.places.step != 1 || along.beyond != 0 {
                return None;
            }
            sides.push((before, after));
            (here, there) = (here.checked_mul(along.n)?, there.checked_mul(count)?);
        }
        let dilation = PerAxis::Each(self.all.iter().map(|along| along.places.dilation).collect());
        let options = Conv { padding: Padding::Sides(sides), dilation, groups: self.groups, ..Conv::new() };
        (here <= there.saturating_mul(2) && there > 0).then_some(options)
    }

    /// Axes from [groups, outputs, inputs, kernel…] to [groups, outputs, kernel…, inputs], and from [examples, groups, inputs,
    /// kernel₁, places₁, …] to [examples, groups, kernel…, inputs, places…].
    fn by_example(&self) -> [SmallVec<[isize; 8]>; 2] {
        let axes = self.kernel.len();
        let signed = |axis: usize| axis as isize;
        let weight = [0, 1].into_iter().chain(3..3 + axes).chain([2]).map(signed);
        let (kernel, places) = ((0..axes).map(|i| 3 + 2 * i), (0..axes).map(|i| 4 + 2 * i));
        let windows = [0, 1].into_iter().chain(kernel).chain([2]).chain(places).map(signed);
        [weight.collect(), windows.collect()]
    }

    /// Axes from [channels, kernel…, examples, places…] to [examples, channels, kernel₁, places₁, …], and the other way round.
    fn order(&self) -> [SmallVec<[isize; 8]>; 2] {
        let axes = self.kernel.len();
        let examples = 1 + axes;
        let pairs = (0..axes).flat_map(|i| [1 + i, examples + 1 + i]);
        let out: SmallVec<[isize; 8]> = [examples, 0].into_iter().chain(pairs).map(|axis| axis as isize).collect();
        let mut back: SmallVec<[isize; 8]> = (0..out.len() as isize).collect();
        back.sort_by_key(|&i| out.get(i as usize).copied());
        [out, back]
    }
}

fn joined(parts: &[&[usize]]) -> Dims {
    parts.iter().copied().flatten().copied().collect()
}

impl<'t> Var<'t> {
    /// The convolution of images with kernels: the sum of products of every window with the weights.
    ///
    /// y[n, o, p] = Σ x[n, c, p · stride + k · dilation − padding] · w[o, c, k] over the channels c of o's group and all places k of
    /// the kernel; p and k have an index for every spatial axis.
    ///
    /// | | shape |
    /// |---|---|
    /// | this value | `[examples, channels, n…]` |
    /// | `weight` | `[outputs, channels / groups, kernel…]`: as many spatial axes |
    /// | result | `[examples, outputs, ⌊(n + padding − span) / stride⌋ + 1…]`, span = (kernel − 1) · dilation + 1 |
    ///
    /// ```
    /// # use wengert_autograd::{Apply, Conv};
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[[1.0f32, 2.0, 3.0, 4.0]]]);
    /// let difference = Tensor::from([[[-1.0f32, 1.0]]]);
    /// assert_eq!(x.apply(|x| x.conv(&difference, Conv::new()))?.to_vec::<f32>()?, [1.0, 1.0, 1.0]);
    /// assert_eq!(x.apply(|x| x.conv(&difference, Conv::new().padding(1).stride(2)))?.to_vec::<f32>()?, [1.0, 1.0, -4.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn conv(self, weight: impl Operand<'t>, options: impl Into<Conv>) -> Var<'t> {
        let _call = self.tape.call("conv");
        let weight = weight.into_var(self.tape, Like::of(self).single());
        match self.convolved(weight, &options.into()) {
            Ok(y) => self.named("conv", y),
            Err(error) => self.tape.reject("conv", &[("input", self), ("weight", weight)], error),
        }
    }

    /// The transpose of [`Var::conv`] with the same weight and options: every element of the input puts its multiple of the kernel
    /// into the output, where they add up.
    ///
    /// | | shape |
    /// |---|---|
    /// | this value | `[examples, channels, n…]` |
    /// | `weight` | `[channels, outputs / groups, kernel…]` |
    /// | result | `[examples, outputs, (n − 1) · stride + span − padding + output_padding…]`; n · stride for [`Padding::Same`] |
    ///
    /// ```
    /// # use wengert_autograd::{Apply, Conv};
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[[1.0f32, 2.0]]]);
    /// let y = x.apply(|x| x.conv_transpose(&Tensor::from([[[1.0f32, 10.0, 100.0]]]), Conv::new().stride(2)))?;
    /// assert_eq!(y.to_vec::<f32>()?, [1.0, 10.0, 102.0, 20.0, 200.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn conv_transpose(self, weight: impl Operand<'t>, options: impl Into<Conv>) -> Var<'t> {
        let _call = self.tape.call("conv_transpose");
        let weight = weight.into_var(self.tape, Like::of(self).single());
        match self.convolved_back(weight, &options.into()) {
            Ok(y) => self.named("conv_transpose", y),
            Err(error) => self.tape.reject("conv_transpose", &[("input", self), ("weight", weight)], error),
        }
    }

    #[track_caller]
    fn convolved(self, weight: Var<'t>, options: &Conv) -> Result<Var<'t>> {
        if self.tape.failed.get() {
            return Ok(self.tape.poison());
        }
        let sizes = Sizes::new(&self.meta(), &weight.meta(), options, false)?;
        let Sizes { examples, groups, outputs, .. } = sizes;
        let counts = sizes.counts()?;
        let dims = joined(&[&[examples, groups * outputs], &counts]);
        let places = Shape::new(counts.clone())?.len();
        let y = if places >= MANY_PLACES {
            // The result of a product for each example is in order as it is.
            // Channels stand behind the elements of the kernel: a product finds many of them at one distance.
            let (rows, kernel) = (sizes.inputs * sizes.window(), &sizes.kernel);
            let [of_weight, of_windows] = sizes.by_example();
            let weight = weight.reshape(joined(&[&[groups, outputs, sizes.inputs], kernel])).permute(&of_weight);
            let windows = self.conv_windows(options, &sizes.all)?;
            let axes = windows.shape();
            let axes = joined(&[&[examples, groups, sizes.inputs], axes.get(FRONT..).unwrap_or_default()]);
            let windows = windows.reshape(axes).permute(&of_windows);
            let (weight, windows) = match groups {
                1 => (weight.reshape([1, outputs, rows]), windows.reshape([examples, rows, places])),
                _ => (weight.reshape([1, groups, outputs, rows]), windows.reshape([examples, groups, rows, places])),
            };
            weight.matmul(windows).reshape(dims)
        } else {
            let (windows, [rows, columns]) = self.window_columns(options, &sizes)?;
            let product = grouped(groups, weight, [outputs, rows], windows, [rows, columns]);
            let channels: [isize; 3] = [2, 0, 1];
            let order: SmallVec<[isize; 8]> =
                channels.into_iter().chain((0..counts.len()).map(|i| 3 + i as isize)).collect();
            let y = product.reshape(joined(&[&[groups, outputs, examples], &counts])).permute(&order);
            y.reshape(dims)
        };
        // What surrounds the input by a mode of its own is differentiated step by step.
        match options.pad_mode {
            None => Ok(self.tape.record(Convolved { options: options.clone(), batches: 0 }, &[y, self, weight])),
            Some(_) => Ok(y),
        }
    }

    /// The windows as `[groups · channels, kernel…, examples, places…]`, and how many elements a group has in a window, and how many
    /// windows there are.
    #[track_caller]
    fn window_columns(self, options: &Conv, sizes: &Sizes) -> Result<(Var<'t>, [usize; 2])> {
        let columns = Shape::new(joined(&[&[sizes.examples], &sizes.counts()?]))?.len();
        let [_, back] = sizes.order();
        let windows = self.conv_windows(options, &sizes.all)?.permute(&back);
        Ok((windows, [sizes.inputs * sizes.window(), columns]))
    }

    /// The cotangent of the input of a convolution, which is this value.
    #[track_caller]
    pub(crate) fn conv_input_cotangent(self, weight: Var<'t>, ct: Var<'t>, options: &Conv) -> Var<'t> {
        let found = Sizes::new(&self.meta(), &weight.meta(), options, false).and_then(|sizes| {
            let Sizes { inputs, outputs, .. } = sizes;
            ct.folded_back(weight, &Sizes { inputs: outputs, outputs: inputs, ..sizes })
        });
        found.unwrap_or_else(|error| self.reject("convolved", error))
    }

    /// The cotangent of the weight of a convolution of this value.
    #[track_caller]
    pub(crate) fn conv_weight_cotangent(self, weight: Var<'t>, ct: Var<'t>, options: &Conv) -> Var<'t> {
        let found = Sizes::new(&self.meta(), &weight.meta(), options, false).and_then(|sizes| {
            let Sizes { groups, outputs, .. } = sizes;
            let (windows, [rows, columns]) = self.window_columns(options, &sizes)?;
            let windows = windows.reshape([groups, rows, columns]).t();
            let product = grouped(groups, ct.transpose(0, 1), [outputs, columns], windows, [columns, rows]);
            Ok(product.reshape(weight.shape()))
        });
        found.unwrap_or_else(|error| self.reject("convolved", error))
    }

    /// The windows of all spatial axes, with the padding that the options want: `[N, C, k₁, l₁, k₂, l₂, …]`.
    #[track_caller]
    pub(super) fn conv_windows(self, options: &Conv, all: &[Along]) -> Result<Var<'t>> {
        let Some(mode) = options.pad_mode else { return Ok(self.all_windows(all, 0.0)) };
        let (mut x, mut whole) = (self, SmallVec::<[Along; 3]>::new());
        for (axis, along) in all.iter().enumerate() {
            x = x.pad_with(mode, (FRONT + axis) as isize, along.before, along.after);
            whole.push(Along { n: along.padded()?, before: 0, after: 0, ..*along });
        }
        Ok(x.all_windows(&whole, 0.0))
    }

    #[track_caller]
    fn convolved_back(self, weight: Var<'t>, options: &Conv) -> Result<Var<'t>> {
        if self.tape.failed.get() {
            return Ok(self.tape.poison());
        }
        let sizes = Sizes::new(&self.meta(), &weight.meta(), options, true)?;
        self.folded_back(weight, &sizes)
    }

    /// The transposed convolution of this value to an output with these windows.
    #[track_caller]
    fn folded_back(self, weight: Var<'t>, sizes: &Sizes) -> Result<Var<'t>> {
        let &Sizes { examples, groups, inputs, outputs, .. } = sizes;
        let shape = self.shape();
        let counts = shape.get(FRONT..).unwrap_or_default();
        if let Some(options) = sizes.reversed(counts) {
            let dims = |a, b| joined(&[&[groups, a, b], &sizes.kernel]);
            let turned = weight.reshape(dims(inputs, outputs)).transpose(1, 2);
            let weight = turned.reshape(joined(&[&[groups * outputs, inputs], &sizes.kernel]));
            let axes: SmallVec<[isize; 4]> = (FRONT..FRONT + counts.len()).map(|axis| axis as isize).collect();
            return self.convolved(axes.iter().fold(weight, |weight, &axis| weight.flip(axis)), &options);
        }
        let (rows, columns) = (outputs * sizes.window(), Shape::new(joined(&[&[examples], counts]))?.len());
        let kernels = weight.reshape([groups, inputs, rows]).t();
        let product = grouped(groups, kernels, [rows, inputs], self.transpose(0, 1), [inputs, columns]);
        let [order, _] = sizes.order();
        let windows =
            product.reshape(joined(&[&[groups * outputs], &sizes.kernel, &[examples], counts])).permute(&order);
        windows.fold_all(&sizes.all)
    }
}

/// The products of the groups, of matrices with these sizes. One group is one product.
#[track_caller]
fn grouped<'t>(groups: usize, a: Var<'t>, left: [usize; 2], b: Var<'t>, right: [usize; 2]) -> Var<'t> {
    match groups {
        1 => a.reshape(left).matmul(b.reshape(right)),
        _ => a.reshape([groups, left[0], left[1]]).matmul(b.reshape([groups, right[0], right[1]])),
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let wave =
        |dims: &[usize]| Tensor::from_fn(dims, |i| (i as f64 * 1.7).sin()).unwrap_or_else(|_| Tensor::from(0.0f64));
    let line = || [Tensor::from([[[1.0f64, 2.0, 3.0, 4.0]]]), Tensor::from([[[1.0f64, 10.0, 100.0]]])];
    let image = || [wave(&[2, 2, 4, 3]), wave(&[4, 1, 3, 2])];
    // The transpose with the same options is what sends the gradient back.
    fn transposed<'t>(tape: &'t Tape, x: Var<'t>, w: Var<'t>, options: Conv) -> Var<'t> {
        let y = x.conv(w, &options);
        let [dx] = tape.grad_with(y, y, [x]);
        dx - y.conv_transpose(w, options)
    }
    let entry = |op, samples| Entry::new(op, "conv.rs", samples);
    vec![
        entry(
            "conv",
            vec![
                Sample::new("line", line(), |_, x| x[0].conv(x[1], Conv::new()))
                    .gives([321., 432.])
                    .slopes([1., 11., 110., 100.]),
                Sample::new("the same size", line(), |_, x| x[0].conv(x[1], Conv::new().padding(Padding::Same)))
                    .gives([210., 321., 432., 43.]),
                Sample::new("half the size", line(), |_, x| {
                    x[0].conv(x[1], Conv::new().stride(2).padding(Padding::Same))
                })
                .gives([321., 43.]),
                Sample::new("sides", line(), |_, x| x[0].conv(x[1], Conv::new().padding([(2, 0)]).stride(3)))
                    .gives([100., 432.]),
                // As PyTorch has it.
                Sample::new("groups, strides, dilations", image(), |_, x| {
                    let options = Conv::new().stride([2, 1]).padding([2, 1]).dilation([1, 2]).groups(2);
                    x[0].conv(x[1], options).at(0, 1).sum_axes(-1)
                })
                .gives([
                    -1.0949717455795958,
                    0.7908739187391702,
                    -1.372271170149284,
                    1.0347466965828616,
                    -0.18389551464196607,
                    0.08720787103943223,
                    -1.4319095718088555,
                    0.7913339926128972,
                    -1.271142972544392,
                    1.307640044444256,
                    -0.13566618089601667,
                    0.21517634902591454,
                ])
                .slopes([
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    -1.167158828334491,
                    -0.14414304330976424,
                    1.0230157850247268,
                    0.6036207128296646,
                    0.07454660363254584,
                    -0.5290741091971187,
                    -1.167158828334491,
                    -0.14414304330976424,
                    1.0230157850247268,
                    0.6036207128296646,
                    0.07454660363254584,
                    -0.5290741091971187,
                    0.85603359246154,
                    1.9206878454200198,
                    1.06465425295848,
                    -0.44271575962383947,
                    -0.9933240774351965,
                    -0.550608317811357,
                    0.85603359246154,
                    1.9206878454200198,
                    1.06465425295848,
                    -0.44271575962383947,
                    -0.9933240774351965,
                    -0.550608317811357,
                ]),
                Sample::new("one group", image(), |_, x| x[0].conv(x[1].reshape([2, 2, 3, 2]), Conv::new()).square()),
                Sample::new("around", line(), |_, x| {
                    x[0].conv(x[1], Conv::new().padding(1).pad_mode(PadMode::Circular))
                })
                .gives([214., 321., 432., 143.])
                .slopes([111.; 4]),
                Sample::new("volume", [wave(&[1, 1, 2, 3, 2]), wave(&[2, 1, 2, 2, 1])], |_, x| {
                    x[0].conv(x[1], Conv::new().padding([0, 1, 0])).square()
                }),
                Sample::new("i64", line(), |_, x| {
                    x[0].cast(DType::I64).conv(x[1].cast(DType::I64), Conv::new().padding(1))
                })
                .gives([210., 321., 432., 43.]),
                Sample::new("bf16", line(), |_, x| {
                    x[0].cast(DType::BF16).conv(x[1].cast(DType::BF16), Conv::new().stride(2))
                })
                .kinked()
                .gives([320.]),
                Sample::new("no examples", line(), |_, x| x[0].slice(0, ..0).conv(x[1], Conv::new())).gives([]),
                Sample::new("no channels", line(), |_, x| x[0].slice(1, ..0).conv(x[1].slice(1, ..0), Conv::new()))
                    .gives([0., 0.]),
            ],
        ),
        entry(
            "conv_transpose",
            vec![
                Sample::new("line", line(), |_, x| x[0].slice(2, ..2).conv_transpose(x[1], Conv::new()))
                    .gives([1., 12., 120., 200.])
                    .slopes([111., 111., 0., 0.]),
                Sample::new("with a stride", line(), |_, x| {
                    x[0].slice(2, ..2).conv_transpose(x[1], Conv::new().stride(2).padding(1).output_padding(1))
                })
                .gives([10., 102., 20., 200.]),
                Sample::new("the same size", line(), |_, x| {
                    x[0].slice(2, ..2).conv_transpose(x[1], Conv::new().stride(4).padding(Padding::Same))
                })
                .gives([1., 10., 100., 0., 2., 20., 200., 0.]),
                // As PyTorch has it.
                Sample::new("groups, strides, dilations", [wave(&[1, 4, 2, 3]), wave(&[4, 1, 3, 2])], |_, x| {
                    let options = Conv::new().stride([2, 1]).padding([2, 1]).dilation([1, 2]).groups(2);
                    x[0].conv_transpose(x[1], options.output_padding([1, 0])).sum_axes(-1)
                })
                .gives([1.8182928475385576, -1.1086697131135632, -3.0869025668514816, 1.6203833018504987])
                .slopes([
                    0.7984871126234903,
                    1.2926004637620985,
                    0.49411335113860816,
                    0.06585012812473612,
                    -0.1896909739020951,
                    -0.2555411020268312,
                    -0.1489990258141988,
                    -1.1103965176937556,
                    -0.9613974918795568,
                    -0.2213965391064196,
                    -0.062109411843466134,
                    0.15928712726295347,
                    -0.5856373399742976,
                    0.2936357216764267,
                    0.8792730616507243,
                    0.25042175859809207,
                    0.27841621299689795,
                    0.02799445439880588,
                    0.985600298790633,
                    0.6909286972903754,
                    -0.2946716015002576,
                    -0.13633878226730456,
                    -0.3356168639788766,
                    -0.19927808171157202,
                ]),
                Sample::new("transposed", image(), |tape, x| {
                    transposed(tape, x[0], x[1], Conv::new().stride([1, 2]).padding([(1, 0), (2, 1)]).groups(2))
                })
                .gives([0.; 48]),
                Sample::new("transposed, the same size", image(), |tape, x| {
                    transposed(tape, x[0], x[1], Conv::new().stride([2, 3]).padding(Padding::Same).groups(2))
                })
                .gives([0.; 48]),
                Sample::new("curved", [wave(&[1, 2, 2, 2]), wave(&[2, 1, 2, 3])], |_, x| {
                    x[0].conv_transpose(x[1], Conv::new().stride(2)).square()
                }),
                Sample::new("f16", line(), |_, x| {
                    x[0].cast(DType::F16).conv_transpose(x[1].cast(DType::F16), Conv::new())
                })
                .kinked()
                .gives([1., 12., 123., 234., 340., 400.]),
            ],
        ),
    ]
}
