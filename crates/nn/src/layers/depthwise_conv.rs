//! Depthwise convolutions: every channel with kernels of its own.

use wengert_autograd::{Conv, PadMode, Padding, PerAxis, Var};
use wengert_tensor::error::Error;

use super::case::Case;
use super::conv::{ConvNd, with_bias};
use crate::init::Init;
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut};
use crate::param::Param;

/// Every channel convolved with m kernels of its own: output c · m + i is channel c with its kernel i. No channel sees another.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, channels, n…]` |
/// | `weight` | `[channels · m, 1, kernel…]` |
/// | `bias` | `[channels · m]` |
/// | y | `[batch, channels · m, ⌊(n + padding − span) / stride⌋ + 1…]`, span = (kernel − 1) · dilation + 1 |
///
/// Keras's `DepthwiseConv1D` and `DepthwiseConv2D`, with the parameters of a PyTorch convolution in as many groups as channels. The weight
/// starts from [`Init::GlorotUniform`], the bias from zeros.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::depthwise_conv::DepthwiseConv2d, module::Module};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let conv = DepthwiseConv2d::new(3, 5).multiplier(2).stride(2).padding(2).init(Seed(1))?;
/// let images = Tensor::zeros([10, 3, 32, 32], DType::F32)?;
/// assert_eq!(conv.predict(&images)?.shape().dims(), [10, 6, 16, 16]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DepthwiseConvNd<const AXES: usize> {
    conv: ConvNd<AXES>,
    channels: usize,
    kernel: PerAxis,
    options: Conv,
    init: Option<Init>,
}

/// A depthwise convolution of sequences `[batch, channels, n]`. See [`DepthwiseConvNd`].
pub type DepthwiseConv1d = DepthwiseConvNd<1>;
/// A depthwise convolution of images `[batch, channels, height, width]`. See [`DepthwiseConvNd`].
pub type DepthwiseConv2d = DepthwiseConvNd<2>;
/// A depthwise convolution of volumes `[batch, channels, depth, height, width]`. See [`DepthwiseConvNd`].
pub type DepthwiseConv3d = DepthwiseConvNd<3>;

impl<const AXES: usize> DepthwiseConvNd<AXES> {
    /// One kernel of this size for each of so many channels. What is wrong is reported by the first use.
    #[track_caller]
    pub fn new(channels: usize, kernel: impl Into<PerAxis>) -> DepthwiseConvNd<AXES> {
        let (kernel, options) = (kernel.into(), Conv::new().groups(channels));
        let conv = ConvNd::new(channels, channels, kernel.clone()).options(&options);
        DepthwiseConvNd { conv, channels, kernel, options, init: None }
    }

    /// So many kernels for each channel: Keras's `depth_multiplier`. Draws the weight anew.
    #[must_use]
    #[track_caller]
    pub fn multiplier(mut self, multiplier: usize) -> DepthwiseConvNd<AXES> {
        let outputs = self.channels.saturating_mul(multiplier);
        let bias = self.conv.bias.as_ref().map(|bias| bias.drawn_from().cloned());
        self.conv = ConvNd::new(self.channels, outputs, self.kernel.clone()).options(&self.options);
        if let Some(init) = &self.init {
            self.conv = self.conv.weight_init(init.clone());
        }
        self.conv = match bias {
            None => self.conv.without_bias(),
            Some(None) => self.conv,
            Some(Some(init)) => self.conv.bias_init(init),
        };
        self
    }

    /// Sets all options at once; the groups are the channels, whatever they say.
    #[must_use]
    #[track_caller]
    pub fn options(mut self, options: impl Into<Conv>) -> DepthwiseConvNd<AXES> {
        self.options = options.into().groups(self.channels);
        self.conv = self.conv.options(&self.options);
        self
    }

    /// How far the next window is.
    #[must_use]
    #[track_caller]
    pub fn stride(self, stride: impl Into<PerAxis>) -> DepthwiseConvNd<AXES> {
        let options = self.options.clone().stride(stride);
        self.options(options)
    }

    /// How many zeros surround the input: a number for both sides, `[(before, after), …]`, [`Padding::Same`].
    #[must_use]
    #[track_caller]
    pub fn padding(self, padding: impl Into<Padding>) -> DepthwiseConvNd<AXES> {
        let options = self.options.clone().padding(padding);
        self.options(options)
    }

    /// The padding is made of the input's own elements, not of zeros.
    #[must_use]
    #[track_caller]
    pub fn pad_mode(self, mode: PadMode) -> DepthwiseConvNd<AXES> {
        let options = self.options.clone().pad_mode(mode);
        self.options(options)
    }

    /// How far the next element of a window is.
    #[must_use]
    #[track_caller]
    pub fn dilation(self, dilation: impl Into<PerAxis>) -> DepthwiseConvNd<AXES> {
        let options = self.options.clone().dilation(dilation);
        self.options(options)
    }

    /// Without the offset, for a layer that is followed by a norm with one of its own.
    #[must_use]
    pub fn without_bias(mut self) -> DepthwiseConvNd<AXES> {
        self.conv = self.conv.without_bias();
        self
    }

    /// Draws the weight from another distribution.
    #[must_use]
    pub fn weight_init(mut self, init: Init) -> DepthwiseConvNd<AXES> {
        self.init = Some(init.clone());
        self.conv = self.conv.weight_init(init);
        self
    }

    /// Draws the bias from another distribution.
    #[must_use]
    pub fn bias_init(mut self, init: Init) -> DepthwiseConvNd<AXES> {
        self.conv = self.conv.bias_init(init);
        self
    }

    /// The kernels, `[channels · m, 1, kernel…]`.
    pub fn weight(&self) -> &Param {
        &self.conv.weight
    }

    /// The offsets, `[channels · m]`, if there are any.
    pub fn bias(&self) -> Option<&Param> {
        self.conv.bias.as_ref()
    }

    /// The number of output channels.
    pub(super) fn outputs(&self) -> usize {
        self.conv.weight.shape().first().copied().unwrap_or(0)
    }
}

impl<const AXES: usize> Module for DepthwiseConvNd<AXES> {
    fn type_name(&self) -> &'static str {
        match AXES {
            1 => "DepthwiseConv1d",
            2 => "DepthwiseConv2d",
            3 => "DepthwiseConv3d",
            _ => "DepthwiseConv",
        }
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        self.conv.visit(at);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        self.conv.visit_mut(at);
    }
}

impl<const AXES: usize> Layer for DepthwiseConvNd<AXES> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let (tape, name, shape) = (x.tape(), self.type_name(), x.shape());
        let _scope = self.scope(tape);
        let weight = self.conv.weight.on(tape);
        if shape.rank() == AXES + 2 && shape.get(1) != Some(&self.channels) {
            let error = Error::shape(format!("takes {} channels, not {}", self.channels, x.dim(1)))
                .help("an image is [batch, channels, n…]");
            return tape.reject(name, &[("input", x), ("weight", weight)], error);
        }
        with_bias(x.conv(weight, &self.options), self.conv.bias.as_ref(), AXES)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    fn case<const AXES: usize>(name: &'static str, layer: DepthwiseConvNd<AXES>, shapes: [&[usize]; 2]) -> Case {
        let names: &[&str] = if layer.bias().is_some() { &["weight", "bias"] } else { &["weight"] };
        Case::new("depthwise_conv", name, layer, shapes, names)
    }
    let two = DepthwiseConv2d::new(2, [3, 2]).padding(1).stride([2, 1]).multiplier(2);
    let plain = DepthwiseConv2d::new(3, 2).without_bias().multiplier(1).dilation(2);
    vec![
        case("line", DepthwiseConv1d::new(3, 3), [&[2, 3, 6], &[2, 3, 4]]),
        case("multiplied", two, [&[2, 2, 5, 4], &[2, 4, 3, 5]]),
        case("plain", plain, [&[1, 3, 4, 3], &[1, 3, 2, 1]]),
        case("volume", DepthwiseConv3d::new(2, 2), [&[1, 2, 2, 3, 2], &[1, 2, 1, 2, 1]]),
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
        let text = |layer: DepthwiseConv1d| layer.predict(&x).map_or_else(|error| error.to_string(), |_| String::new());
        let has = |text: String, words: &str| assert!(text.contains(words), "{text}");
        has(text(DepthwiseConv1d::new(0, 2)), "0 to 0 channels");
        has(text(DepthwiseConv1d::new(2, 0)), "no weights");
        has(text(DepthwiseConv1d::new(2, 2).multiplier(0)), "2 to 0 channels");
        has(text(DepthwiseConv1d::new(2, 5)), "window of 5");
        has(text(DepthwiseConv1d::new(3, 2)), "takes 3 channels, not 2");
        has(text(DepthwiseConv1d::new(2, 2).stride(0)), "conv");
        has(text(DepthwiseConv1d::new(2, [2, 2])), "spatial axes");
        has(text(DepthwiseConv1d::new(2, 2).multiplier(usize::MAX)), "channels");
        Ok(())
    }

    #[test]
    fn the_order_of_settings_does_not_matter() -> Result<()> {
        let a = DepthwiseConv2d::new(2, 3).weight_init(Init::Ones).stride(2).without_bias().multiplier(3);
        let b = DepthwiseConv2d::new(2, 3).multiplier(3).without_bias().stride(2).weight_init(Init::Ones);
        let x = Tensor::ones([1, 2, 5, 5], DType::F32)?;
        assert!(a.predict(&x)?.equals(&b.predict(&x)?));
        assert_eq!((a.outputs(), a.weight().shape().dims()), (6, &[6, 1, 3, 3][..]));
        Ok(())
    }
}
