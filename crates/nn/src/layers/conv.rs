//! Convolutions: y = x ∗ W + b.

use std::panic::Location;

use wengert_autograd::{Conv, PadMode, Padding, PerAxis, Var};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Axes;

use super::case::Case;
use crate::init::Init;
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut};
use crate::param::Param;

/// y = x ∗ W + b: the sum of products of every window of an image with the weights, for as many spatial axes as `AXES` says.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, inputs, n…]` |
/// | `weight` W | `[outputs, inputs / groups, kernel…]` |
/// | `bias` b | `[outputs]` |
/// | y | `[batch, outputs, ⌊(n + padding − span) / stride⌋ + 1…]`, span = (kernel − 1) · dilation + 1 |
///
/// The names and shapes are those of PyTorch's `Conv1d`, `Conv2d` and `Conv3d`. The weight starts from [`Init::GlorotUniform`],
/// the bias from zeros. The function itself is [`Var::conv`].
///
/// ```
/// use wengert_nn::{layer::Layer, layers::conv::Conv2d, module::Module};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let conv = Conv2d::new(3, 16, 5).stride(2).padding(2).init(Seed(1))?;
/// let images = Tensor::zeros([10, 3, 32, 32], DType::F32)?;
/// assert_eq!(conv.predict(&images)?.shape().dims(), [10, 16, 16, 16]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ConvNd<const AXES: usize> {
    /// W, `[outputs, inputs / groups, kernel…]`.
    pub weight: Param,
    /// b, `[outputs]`, unless the layer was made [`without_bias`](ConvNd::without_bias).
    pub bias: Option<Param>,
    options: Conv,
    made: Made,
}

/// A convolution along one axis: of sequences `[batch, channels, n]`. See [`ConvNd`].
pub type Conv1d = ConvNd<1>;
/// A convolution of images `[batch, channels, height, width]`. See [`ConvNd`].
pub type Conv2d = ConvNd<2>;
/// A convolution of volumes `[batch, channels, depth, height, width]`. See [`ConvNd`].
pub type Conv3d = ConvNd<3>;

impl<const AXES: usize> ConvNd<AXES> {
    /// A layer from `inputs` to `outputs` channels with a kernel of this size, a number for all axes or one for each. What is wrong
    /// is reported by the first use.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<PerAxis>) -> ConvNd<AXES> {
        let made = Made { inputs, outputs, kernel: kernel.into(), init: Init::GlorotUniform };
        let bias = Some(Param::draw([outputs], Init::Zeros));
        ConvNd { weight: made.weight(named(false, AXES), AXES, 1), bias, options: Conv::new(), made }
    }

    /// Sets all options at once.
    #[must_use]
    #[track_caller]
    pub fn options(mut self, options: impl Into<Conv>) -> ConvNd<AXES> {
        let groups = self.options.group_count();
        self.options = options.into();
        // The number of groups is in the shape of the weight.
        if self.options.group_count() != groups {
            self.weight = self.made.weight(named(false, AXES), AXES, self.options.group_count());
        }
        self
    }

    /// How far the next window is.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<PerAxis>) -> ConvNd<AXES> {
        self.options = self.options.stride(stride);
        self
    }

    /// How many zeros surround the input: a number for both sides, `[(before, after), …]`, [`Padding::Same`].
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> ConvNd<AXES> {
        self.options = self.options.padding(padding);
        self
    }

    /// The padding is made of the input's own elements, not of zeros.
    #[must_use]
    pub fn pad_mode(mut self, mode: PadMode) -> ConvNd<AXES> {
        self.options = self.options.pad_mode(mode);
        self
    }

    /// How far the next element of a window is.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<PerAxis>) -> ConvNd<AXES> {
        self.options = self.options.dilation(dilation);
        self
    }

    /// In how many groups the channels fall; each output sees the inputs of its own group. Draws the weight anew.
    #[must_use]
    #[track_caller]
    pub fn groups(self, groups: usize) -> ConvNd<AXES> {
        let options = self.options.clone().groups(groups);
        self.options(options)
    }

    /// y = x ∗ W, for a layer that is followed by a norm with an offset of its own.
    #[must_use]
    pub fn without_bias(mut self) -> ConvNd<AXES> {
        self.bias = None;
        self
    }

    /// Draws the weight from another distribution.
    #[must_use]
    pub fn weight_init(mut self, init: Init) -> ConvNd<AXES> {
        self.made.init = init.clone();
        self.weight.set_init(init);
        self
    }

    /// Draws the bias from another distribution.
    #[must_use]
    pub fn bias_init(mut self, init: Init) -> ConvNd<AXES> {
        if let Some(bias) = &mut self.bias {
            bias.set_init(init);
        }
        self
    }
}

/// `Conv2d`, `ConvTranspose2d`.
pub(super) fn named(transposed: bool, axes: usize) -> &'static str {
    const NAMES: [[&str; 4]; 2] = [
        ["Conv", "Conv1d", "Conv2d", "Conv3d"],
        ["ConvTranspose", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"],
    ];
    let [plain, back] = NAMES;
    let names = if transposed { back } else { plain };
    names.get(axes).copied().unwrap_or(names[0])
}

/// What a layer was asked for.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) kernel: PerAxis,
    pub(super) init: Init,
}

impl Made {
    /// The weight of a convolution with so many groups.
    #[track_caller]
    pub(super) fn weight(&self, layer: &'static str, axes: usize, groups: usize) -> Param {
        self.drawn(layer, axes, groups, [self.outputs, self.inputs / groups.max(1)])
    }

    /// The weight of a transposed one.
    #[track_caller]
    pub(super) fn transposed(&self, layer: &'static str, axes: usize, groups: usize) -> Param {
        self.drawn(layer, axes, groups, [self.inputs, self.outputs / groups.max(1)])
    }

    #[track_caller]
    fn drawn(&self, layer: &'static str, axes: usize, groups: usize, channels: [usize; 2]) -> Param {
        let &Made { inputs, outputs, .. } = self;
        let dims = || -> Result<Axes> {
            let kernel = self.kernel.of("the kernel", axes)?;
            if inputs == 0 || outputs == 0 || kernel.contains(&0) {
                let error = Error::value(format!("{inputs} to {outputs} channels, kernel {kernel:?}: no weights"));
                return Err(error.help("all sizes are at least 1"));
            }
            if groups == 0 || inputs % groups != 0 || outputs % groups != 0 {
                let error = Error::value(format!("{groups} groups of {inputs} and of {outputs} channels"));
                return Err(error.help("the number of groups divides both"));
            }
            Ok(channels.into_iter().chain(kernel).collect())
        };
        match dims() {
            Ok(dims) => Param::draw(dims, self.init.clone()),
            Err(error) => Param::faulty(error.op(layer).at(Location::caller())),
        }
    }
}

/// y + b for every channel.
#[track_caller]
pub(super) fn with_bias<'t>(y: Var<'t>, bias: Option<&Param>, axes: usize) -> Var<'t> {
    match bias {
        Some(bias) => y + (0..axes).fold(bias.on(y.tape()), |bias, _| bias.unsqueeze(-1)),
        None => y,
    }
}

impl<const AXES: usize> Module for ConvNd<AXES> {
    fn type_name(&self) -> &'static str {
        named(false, AXES)
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        at.field("weight", &self.weight);
        at.field("bias", &self.bias);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        at.field("weight", &mut self.weight);
        at.field("bias", &mut self.bias);
    }
}

impl<const AXES: usize> Layer for ConvNd<AXES> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        with_bias(x.conv(&self.weight, &self.options), self.bias.as_ref(), AXES)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    fn case<const AXES: usize>(name: &'static str, layer: ConvNd<AXES>, shapes: [&[usize]; 2]) -> Case {
        let names: &[&str] = if layer.bias.is_some() { &["weight", "bias"] } else { &["weight"] };
        Case::new("conv", name, layer, shapes, names)
    }
    let causal = Conv1d::new(2, 1, 2).padding([(1, 0)]).dilation(1).without_bias();
    let groups = Conv2d::new(2, 4, [3, 2]).stride([2, 1]).padding(1).groups(2);
    let reflect = Conv2d::new(1, 2, 3).padding(Padding::Same).pad_mode(PadMode::Reflect);
    vec![
        case("line", Conv1d::new(2, 3, 3), [&[4, 2, 7], &[4, 3, 5]]),
        case("causal", causal, [&[2, 2, 4], &[2, 1, 4]]),
        case("groups", groups, [&[2, 2, 5, 4], &[2, 4, 3, 5]]),
        case("reflect", reflect, [&[2, 1, 4, 4], &[2, 2, 4, 4]]),
        case("volume", Conv3d::new(1, 2, 2).bias_init(Init::Ones), [&[2, 1, 3, 3, 2], &[2, 2, 2, 2, 1]]),
    ]
}
