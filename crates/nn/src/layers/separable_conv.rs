//! Separable convolutions: first every channel on its own, then all channels at every place.

use wengert_autograd::{Conv, PadMode, Padding, PerAxis, Var};

use super::case::Case;
use super::conv::ConvNd;
use super::depthwise_conv::DepthwiseConvNd;
use crate::init::Init;
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut};

/// A depthwise convolution with m kernels a channel, and then a convolution with a kernel of size 1: far fewer weights than a full one.
/// Chollet 2017, "Xception".
///
/// | | shape |
/// |---|---|
/// | x | `[batch, inputs, n…]` |
/// | `depthwise.weight` | `[inputs · m, 1, kernel…]` |
/// | `pointwise.weight` | `[outputs, inputs · m, 1…]` |
/// | `pointwise.bias` | `[outputs]` |
/// | y | `[batch, outputs, ⌊(n + padding − span) / stride⌋ + 1…]`, span = (kernel − 1) · dilation + 1 |
///
/// Keras's `SeparableConv1D` and `SeparableConv2D`; the parameters are those of two PyTorch convolutions. The weights start from
/// [`Init::GlorotUniform`], the bias from zeros.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::separable_conv::SeparableConv2d, module::Module};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let conv = SeparableConv2d::new(3, 16, 5).stride(2).padding(2).init(Seed(1))?;
/// assert_eq!(conv.parameter_count(), 3 * 5 * 5 + 3 * 16 + 16);
/// let images = Tensor::zeros([10, 3, 32, 32], DType::F32)?;
/// assert_eq!(conv.predict(&images)?.shape().dims(), [10, 16, 16, 16]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SeparableConvNd<const AXES: usize> {
    /// Every channel on its own.
    pub depthwise: DepthwiseConvNd<AXES>,
    /// All channels at every place.
    pub pointwise: ConvNd<AXES>,
    outputs: usize,
}

/// A separable convolution of sequences `[batch, channels, n]`. See [`SeparableConvNd`].
pub type SeparableConv1d = SeparableConvNd<1>;
/// A separable convolution of images `[batch, channels, height, width]`. See [`SeparableConvNd`].
pub type SeparableConv2d = SeparableConvNd<2>;
/// A separable convolution of volumes `[batch, channels, depth, height, width]`. See [`SeparableConvNd`].
pub type SeparableConv3d = SeparableConvNd<3>;

impl<const AXES: usize> SeparableConvNd<AXES> {
    /// A layer from `inputs` to `outputs` channels with a kernel of this size. What is wrong is reported by the first use.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<PerAxis>) -> SeparableConvNd<AXES> {
        let depthwise = DepthwiseConvNd::new(inputs, kernel).without_bias();
        SeparableConvNd { depthwise, pointwise: ConvNd::new(inputs, outputs, 1), outputs }
    }

    /// So many kernels for each channel: Keras's `depth_multiplier`. Draws the weights anew: call it before the other settings of the
    /// pointwise part.
    #[must_use]
    #[track_caller]
    pub fn multiplier(mut self, multiplier: usize) -> SeparableConvNd<AXES> {
        let has_bias = self.pointwise.bias.is_some();
        self.depthwise = self.depthwise.multiplier(multiplier);
        self.pointwise = ConvNd::new(self.depthwise.outputs(), self.outputs, 1);
        if has_bias { self } else { self.without_bias() }
    }

    /// Sets all options of the depthwise part at once; its groups are the channels, whatever they say.
    #[must_use]
    #[track_caller]
    pub fn options(mut self, options: impl Into<Conv>) -> SeparableConvNd<AXES> {
        self.depthwise = self.depthwise.options(options);
        self
    }

    /// How far the next window is.
    #[must_use]
    #[track_caller]
    pub fn stride(mut self, stride: impl Into<PerAxis>) -> SeparableConvNd<AXES> {
        self.depthwise = self.depthwise.stride(stride);
        self
    }

    /// How many zeros surround the input: a number for both sides, `[(before, after), …]`, [`Padding::Same`].
    #[must_use]
    #[track_caller]
    pub fn padding(mut self, padding: impl Into<Padding>) -> SeparableConvNd<AXES> {
        self.depthwise = self.depthwise.padding(padding);
        self
    }

    /// The padding is made of the input's own elements, not of zeros.
    #[must_use]
    #[track_caller]
    pub fn pad_mode(mut self, mode: PadMode) -> SeparableConvNd<AXES> {
        self.depthwise = self.depthwise.pad_mode(mode);
        self
    }

    /// How far the next element of a window is.
    #[must_use]
    #[track_caller]
    pub fn dilation(mut self, dilation: impl Into<PerAxis>) -> SeparableConvNd<AXES> {
        self.depthwise = self.depthwise.dilation(dilation);
        self
    }

    /// Without the offset, for a layer that is followed by a norm with one of its own.
    #[must_use]
    pub fn without_bias(mut self) -> SeparableConvNd<AXES> {
        self.pointwise = self.pointwise.without_bias();
        self
    }

    /// Draws both weights from another distribution.
    #[must_use]
    pub fn weight_init(mut self, init: Init) -> SeparableConvNd<AXES> {
        self.depthwise = self.depthwise.weight_init(init.clone());
        self.pointwise = self.pointwise.weight_init(init);
        self
    }

    /// Draws the bias from another distribution.
    #[must_use]
    pub fn bias_init(mut self, init: Init) -> SeparableConvNd<AXES> {
        self.pointwise = self.pointwise.bias_init(init);
        self
    }
}

impl<const AXES: usize> Module for SeparableConvNd<AXES> {
    fn type_name(&self) -> &'static str {
        match AXES {
            1 => "SeparableConv1d",
            2 => "SeparableConv2d",
            3 => "SeparableConv3d",
            _ => "SeparableConv",
        }
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        at.field("depthwise", &self.depthwise);
        at.field("pointwise", &self.pointwise);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        at.field("depthwise", &mut self.depthwise);
        at.field("pointwise", &mut self.pointwise);
    }
}

impl<const AXES: usize> Layer for SeparableConvNd<AXES> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        self.pointwise.forward(self.depthwise.forward(x))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    fn case<const AXES: usize>(name: &'static str, layer: SeparableConvNd<AXES>, shapes: [&[usize]; 2]) -> Case {
        let both: &[&str] = &["depthwise.weight", "pointwise.weight"];
        let all: &[&str] = &["depthwise.weight", "pointwise.weight", "pointwise.bias"];
        let names = if layer.pointwise.bias.is_some() { all } else { both };
        Case::new("separable_conv", name, layer, shapes, names)
    }
    let two = SeparableConv2d::new(2, 3, 3).multiplier(2).padding(1).stride(2);
    vec![
        case("line", SeparableConv1d::new(2, 3, 3).without_bias(), [&[2, 2, 5], &[2, 3, 3]]),
        case("multiplied", two, [&[2, 2, 5, 4], &[2, 3, 3, 2]]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::tensor::Tensor;

    use super::*;

    #[test]
    fn impossible_sizes_are_told() -> Result<()> {
        let x = Tensor::zeros([1, 2, 4], DType::F32)?;
        let text = |layer: SeparableConv1d| layer.predict(&x).map_or_else(|error| error.to_string(), |_| String::new());
        let has = |text: String, words: &str| assert!(text.contains(words), "{text}");
        has(text(SeparableConv1d::new(2, 0, 2)), "2 to 0 channels");
        has(text(SeparableConv1d::new(2, 3, 0)), "no weights");
        has(text(SeparableConv1d::new(2, 3, 5)), "window of 5");
        has(text(SeparableConv1d::new(4, 3, 2)), "takes 4 channels, not 2");
        Ok(())
    }
}
