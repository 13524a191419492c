//! Transposed convolutions: every element puts its multiple of the kernel into a larger image.

use wengert_autograd::{Conv, Padding, PerAxis, Var};

use super::case::Case;
use super::conv::{Made, named, with_bias};
use crate::init::Init;
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut};
use crate::param::Param;

/// y = x ∗ᵀ W + b: the transpose of [`ConvNd`](super::conv::ConvNd), which goes from its outputs to its inputs, plus b.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, inputs, n…]` |
/// | `weight` W | `[inputs, outputs / groups, kernel…]` |
/// | `bias` b | `[outputs]` |
/// | y | `[batch, outputs, (n − 1) · stride + span − padding + output_padding…]`, span = (kernel − 1) · dilation + 1 |
///
/// The names and shapes are those of PyTorch's `ConvTranspose1d`, `ConvTranspose2d` and `ConvTranspose3d`. The weight starts from
/// [`Init::GlorotUniform`], the bias from zeros. The function itself is [`Var::conv_transpose`].
///
/// ```
/// use wengert_nn::{layer::Layer, layers::conv_transpose::ConvTranspose2d, module::Module};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let double = ConvTranspose2d::new(16, 3, 4).stride(2).padding(1).init(Seed(1))?;
/// let images = Tensor::zeros([10, 16, 8, 8], DType::F32)?;
/// assert_eq!(double.predict(&images)?.shape().dims(), [10, 3, 16, 16]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ConvTransposeNd<const AXES: usize> {
    /// W, `[inputs, outputs / groups, kernel…]`.
    pub weight: Param,
    /// b, `[outputs]`, unless the layer was made [`without_bias`](ConvTransposeNd::without_bias).
    pub bias: Option<Param>,
    options: Conv,
    made: Made,
}

/// A transposed convolution along one axis: of sequences `[batch, channels, n]`. See [`ConvTransposeNd`].
pub type ConvTranspose1d = ConvTransposeNd<1>;
/// A transposed convolution of images `[batch, channels, height, width]`. See [`ConvTransposeNd`].
pub type ConvTranspose2d = ConvTransposeNd<2>;
/// A transposed convolution of volumes `[batch, channels, depth, height, width]`. See [`ConvTransposeNd`].
pub type ConvTranspose3d = ConvTransposeNd<3>;

impl<const AXES: usize> ConvTransposeNd<AXES> {
    /// A layer from `inputs` to `outputs` channels with a kernel of this size, a number for all axes or one for each. What is wrong
    /// is reported by the first use.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<PerAxis>) -> ConvTransposeNd<AXES> {
        let made = Made { inputs, outputs, kernel: kernel.into(), init: Init::GlorotUniform };
        let bias = Some(Param::draw([outputs], Init::Zeros));
        ConvTransposeNd { weight: made.transposed(named(true, AXES), AXES, 1), bias, options: Conv::new(), made }
    }

    /// Sets all options at once.
    #[must_use]
    #[track_caller]
    pub fn options(mut self, options: impl Into<Conv>) -> ConvTransposeNd<AXES> {
        let groups = self.options.group_count();
        self.options = options.into();
        // The number of groups is in the shape of the weight.
        if self.options.group_count() != groups {
            self.weight = self.made.transposed(named(true, AXES), AXES, self.options.group_count());
        }
        self
    }

    /// How far the next element of the input reaches into the output.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<PerAxis>) -> ConvTransposeNd<AXES> {
        self.options = self.options.stride(stride);
        self
    }

    /// How much is taken away from the output: a number for both sides, `[(before, after), …]`, [`Padding::Same`].
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> ConvTransposeNd<AXES> {
        self.options = self.options.padding(padding);
        self
    }

    /// How many elements the output has more at the end.
    #[must_use]
    pub fn output_padding(mut self, more: impl Into<PerAxis>) -> ConvTransposeNd<AXES> {
        self.options = self.options.output_padding(more);
        self
    }

    /// How far the next element of a window is.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<PerAxis>) -> ConvTransposeNd<AXES> {
        self.options = self.options.dilation(dilation);
        self
    }

    /// In how many groups the channels fall; each output sees the inputs of its own group. Draws the weight anew.
    #[must_use]
    #[track_caller]
    pub fn groups(self, groups: usize) -> ConvTransposeNd<AXES> {
        let options = self.options.clone().groups(groups);
        self.options(options)
    }

    /// y = x ∗ᵀ W, for a layer that is followed by a norm with an offset of its own.
    #[must_use]
    pub fn without_bias(mut self) -> ConvTransposeNd<AXES> {
        self.bias = None;
        self
    }

    /// Draws the weight from another distribution.
    #[must_use]
    pub fn weight_init(mut self, init: Init) -> ConvTransposeNd<AXES> {
        self.made.init = init.clone();
        self.weight.set_init(init);
        self
    }

    /// Draws the bias from another distribution.
    #[must_use]
    pub fn bias_init(mut self, init: Init) -> ConvTransposeNd<AXES> {
        if let Some(bias) = &mut self.bias {
            bias.set_init(init);
        }
        self
    }
}

impl<const AXES: usize> Module for ConvTransposeNd<AXES> {
    fn type_name(&self) -> &'static str {
        named(true, AXES)
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

impl<const AXES: usize> Layer for ConvTransposeNd<AXES> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        with_bias(x.conv_transpose(&self.weight, &self.options), self.bias.as_ref(), AXES)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    fn case<const AXES: usize>(name: &'static str, layer: ConvTransposeNd<AXES>, shapes: [&[usize]; 2]) -> Case {
        let names: &[&str] = if layer.bias.is_some() { &["weight", "bias"] } else { &["weight"] };
        Case::new("conv_transpose", name, layer, shapes, names)
    }
    let groups = ConvTranspose2d::new(2, 4, 3).stride(2).padding(1).output_padding([1, 0]).groups(2);
    let same = ConvTranspose2d::new(1, 1, 2).stride(2).padding(Padding::Same);
    vec![
        case("line", ConvTranspose1d::new(2, 3, 3), [&[4, 2, 5], &[4, 3, 7]]),
        case("groups", groups, [&[2, 2, 3, 2], &[2, 4, 6, 3]]),
        case("same", same, [&[1, 1, 3, 2], &[1, 1, 6, 4]]),
        case("volume", ConvTranspose3d::new(1, 2, 2).without_bias(), [&[2, 1, 2, 1, 2], &[2, 2, 3, 2, 3]]),
    ]
}
