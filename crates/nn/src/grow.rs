//! A method for every layer, of a [`Sequential`](crate::sequential::Sequential) in the making and of a node of a
//! [`Graph`](crate::graph::Graph): one table for both.

use std::panic::Location;

use wengert_autograd::{Conv, Padding, PerAxis, Pool, Resize, Var};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::IntoShape;
use wengert_tensor::tensor::Tensor;

use crate::example::Example;
use crate::graph::Node;
use crate::layer::Layer;
use crate::layers::activation::{
    Elu, Gelu, Identity, LeakyRelu, LogSoftmax, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh,
};
use crate::layers::adaptive_avg_pool::AdaptiveAvgPool;
use crate::layers::adaptive_max_pool::AdaptiveMaxPool;
use crate::layers::avg_pool::AvgPool;
use crate::layers::center_crop::CenterCrop;
use crate::layers::channel_shuffle::ChannelShuffle;
use crate::layers::conv::{Conv1d, Conv2d, Conv3d};
use crate::layers::conv_transpose::{ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
use crate::layers::cropping::Cropping;
use crate::layers::dense::Dense;
use crate::layers::depthwise_conv::{DepthwiseConv1d, DepthwiseConv2d};
use crate::layers::dropout::Dropout;
use crate::layers::flatten::Flatten;
use crate::layers::fold::Fold;
use crate::layers::global_avg_pool::GlobalAvgPool;
use crate::layers::global_max_pool::GlobalMaxPool;
use crate::layers::lambda::Lambda;
use crate::layers::lp_pool::LpPool;
use crate::layers::max_pool::MaxPool;
use crate::layers::merge::Merge;
use crate::layers::pad::{CircularPad, ConstantPad, ReflectPad, ReplicatePad, ZeroPad};
use crate::layers::parallel::Parallel;
use crate::layers::pixel_shuffle::PixelShuffle;
use crate::layers::pixel_unshuffle::PixelUnshuffle;
use crate::layers::residual::Residual;
use crate::layers::separable_conv::{SeparableConv1d, SeparableConv2d};
use crate::layers::standardize::Standardize;
use crate::layers::unflatten::Unflatten;
use crate::layers::unfold::Unfold;
use crate::layers::upsample::Upsample;
use crate::sequential::Builder;

/// Something to which layers are added.
pub(crate) trait Grow: Sized {
    /// One example of what the next layer takes; nothing when something was wrong before.
    fn reached(&self) -> Option<Example>;

    /// With this layer at the end.
    #[track_caller]
    fn push(self, layer: Box<dyn Layer>) -> Self;

    /// With a fault, which the end of building reports. The first one stays.
    fn refuse(self, error: Error) -> Self;
}

/// With the layer that is made for what was reached.
#[track_caller]
fn grow<G: Grow, L: Layer + 'static>(to: G, method: &'static str, make: impl FnOnce(&Example) -> Result<L>) -> G {
    let Some(reached) = to.reached() else { return to };
    match make(&reached) {
        Ok(layer) => to.push(Box::new(layer)),
        Err(error) => {
            let error = if error.op_name().is_none() { error.op(method) } else { error };
            to.refuse(if error.location().is_none() { error.at(Location::caller()) } else { error })
        }
    }
}

/// One row a method: its documentation, its name and arguments, and the layer, made `from` what one example is by then.
macro_rules! methods {
    ($to:ty, $($(#[$doc:meta])* $name:ident$(<$kind:ident: $bound:path>)?($($arg:ident: $type:ty),*) $(from $at:ident)? => $layer:expr;)+) => {
        impl $to {$(
            $(#[$doc])*
            #[must_use]
            #[track_caller]
            pub fn $name$(<$kind: $bound>)?(self, $($arg: $type),*) -> Self {
                grow(self, stringify!($name), |reached| {
                    $(let $at = reached;)?
                    let _ = reached;
                    Ok($layer)
                })
            }
        )+}
    };
}

/// The rows, for both.
macro_rules! both {
    ($($rows:tt)+) => {
        methods! { Builder, $($rows)+ }
        methods! { Node<'_>, $($rows)+ }
    };
}

both! {
    /// A [`Dense`] layer with this many outputs; its inputs are the last axis of what comes in.
    dense(outputs: usize) from at => Dense::new(at.features()?, outputs);
    /// [`Standardize`] with mean and deviation of this data, the inputs of the training set.
    standardize(data: &Tensor) from at => standardize(at, data)?;

    /// A [`Conv1d`] with this many outputs; its inputs are the channels of what comes in.
    conv1d(outputs: usize, kernel: impl Into<PerAxis>, options: impl Into<Conv>) from at
        => Conv1d::new(at.channels(1)?, outputs, kernel).options(options);
    /// A [`Conv2d`] with this many outputs; its inputs are the channels of what comes in.
    conv2d(outputs: usize, kernel: impl Into<PerAxis>, options: impl Into<Conv>) from at
        => Conv2d::new(at.channels(2)?, outputs, kernel).options(options);
    /// A [`Conv3d`] with this many outputs; its inputs are the channels of what comes in.
    conv3d(outputs: usize, kernel: impl Into<PerAxis>, options: impl Into<Conv>) from at
        => Conv3d::new(at.channels(3)?, outputs, kernel).options(options);
    /// A [`ConvTranspose1d`] with this many outputs; its inputs are the channels of what comes in.
    conv_transpose1d(outputs: usize, kernel: impl Into<PerAxis>, options: impl Into<Conv>) from at
        => ConvTranspose1d::new(at.channels(1)?, outputs, kernel).options(options);
    /// A [`ConvTranspose2d`] with this many outputs; its inputs are the channels of what comes in.
    conv_transpose2d(outputs: usize, kernel: impl Into<PerAxis>, options: impl Into<Conv>) from at
        => ConvTranspose2d::new(at.channels(2)?, outputs, kernel).options(options);
    /// A [`ConvTranspose3d`] with this many outputs; its inputs are the channels of what comes in.
    conv_transpose3d(outputs: usize, kernel: impl Into<PerAxis>, options: impl Into<Conv>) from at
        => ConvTranspose3d::new(at.channels(3)?, outputs, kernel).options(options);

    /// A [`DepthwiseConv1d`] with one kernel for every channel of what comes in.
    depthwise_conv1d(kernel: impl Into<PerAxis>, options: impl Into<Conv>) from at
        => DepthwiseConv1d::new(at.channels(1)?, kernel).options(options);
    /// A [`DepthwiseConv2d`] with one kernel for every channel of what comes in.
    depthwise_conv2d(kernel: impl Into<PerAxis>, options: impl Into<Conv>) from at
        => DepthwiseConv2d::new(at.channels(2)?, kernel).options(options);
    /// A [`SeparableConv1d`] with this many outputs; its inputs are the channels of what comes in.
    separable_conv1d(outputs: usize, kernel: impl Into<PerAxis>, options: impl Into<Conv>) from at
        => SeparableConv1d::new(at.channels(1)?, outputs, kernel).options(options);
    /// A [`SeparableConv2d`] with this many outputs; its inputs are the channels of what comes in.
    separable_conv2d(outputs: usize, kernel: impl Into<PerAxis>, options: impl Into<Conv>) from at
        => SeparableConv2d::new(at.channels(2)?, outputs, kernel).options(options);

    /// [`MaxPool`]: `.max_pool(2)`.
    max_pool(options: impl Into<Pool>) => MaxPool::new(options);
    /// [`AvgPool`]: `.avg_pool(2)`.
    avg_pool(options: impl Into<Pool>) => AvgPool::new(options);
    /// [`LpPool`] with this p.
    lp_pool(p: f64, options: impl Into<Pool>) => LpPool::new(p, options);
    /// [`GlobalMaxPool`]: the largest element of every channel.
    global_max_pool() => GlobalMaxPool::new();
    /// [`GlobalAvgPool`]: the mean of every channel.
    global_avg_pool() => GlobalAvgPool::new();
    /// [`AdaptiveMaxPool`]: images of any size to so many parts.
    adaptive_max_pool(parts: impl Into<PerAxis>) => AdaptiveMaxPool::new(parts);
    /// [`AdaptiveAvgPool`]: images of any size to so many parts; `.adaptive_avg_pool(1)` is the mean of each channel.
    adaptive_avg_pool(parts: impl Into<PerAxis>) => AdaptiveAvgPool::new(parts);
    /// [`Upsample`]: images in another size.
    upsample(resize: Resize) => Upsample::new(resize);
    /// [`PixelShuffle`]: r² channels become r × r elements.
    pixel_shuffle(factor: usize) => PixelShuffle::new(factor);
    /// [`PixelUnshuffle`]: r × r elements become r² channels.
    pixel_unshuffle(factor: usize) => PixelUnshuffle::new(factor);
    /// [`ChannelShuffle`]: the channels of so many groups in turn.
    channel_shuffle(groups: usize) => ChannelShuffle::new(groups);
    /// [`ZeroPad`]: `.zero_pad(1)`, `.zero_pad([(1, 0), (2, 2)])`.
    zero_pad(padding: impl Into<Padding>) => ZeroPad::new(padding);
    /// [`ConstantPad`] with this value.
    constant_pad(padding: impl Into<Padding>, value: f64) => ConstantPad::new(padding, value);
    /// [`ReflectPad`].
    reflect_pad(padding: impl Into<Padding>) => ReflectPad::new(padding);
    /// [`ReplicatePad`].
    replicate_pad(padding: impl Into<Padding>) => ReplicatePad::new(padding);
    /// [`CircularPad`].
    circular_pad(padding: impl Into<Padding>) => CircularPad::new(padding);
    /// [`Cropping`]: so many elements less at the sides.
    cropping(sides: impl Into<Padding>) => Cropping::new(sides);
    /// [`CenterCrop`]: the middle of images.
    center_crop(size: impl Into<PerAxis>) => CenterCrop::new(size);
    /// [`Unfold`]: patches as columns.
    unfold(kernel: impl Into<PerAxis>, options: impl Into<Conv>) => Unfold::new(kernel, options);
    /// [`Fold`]: columns back into images of these sizes.
    fold(sizes: impl IntoShape, kernel: impl Into<PerAxis>, options: impl Into<Conv>)
        => Fold::new(sizes, kernel, options);

    /// [`Residual`]: adds what these layers give to what comes in: `.residual(|x| x.dense(8).relu().dense(8))`.
    residual(body: impl FnOnce(Builder) -> Builder) from at => Residual::new(body(at.start()).finish()?);
    /// [`Parallel`]: branches of what comes in, merged: `.parallel(Concat::new(1), |start| [start().dense(3), start().dense(5)])`.
    parallel<B: IntoIterator<Item = Builder>>(merge: impl Merge + 'static, branches: impl FnOnce(&dyn Fn() -> Builder) -> B)
        from at => branched(merge, branches(&|| at.start()))?;

    /// [`Dropout`] with this probability.
    dropout(probability: f64) => Dropout::new(probability);
    /// [`Flatten`]: one axis of features per example.
    flatten() => Flatten;
    /// [`Unflatten`]: one axis as several; axis 0 counts the examples.
    unflatten(axis: isize, sizes: impl IntoShape) => Unflatten::new(axis, sizes);
    /// A function as a layer; errors and summaries call it `name`.
    lambda(name: &'static str, function: impl for<'t> Fn(Var<'t>) -> Var<'t> + Send + Sync + 'static)
        => Lambda::new(name, function);

    /// [`Relu`].
    relu() => Relu;
    /// [`Tanh`].
    tanh() => Tanh;
    /// [`Sigmoid`].
    sigmoid() => Sigmoid;
    /// [`Gelu`].
    gelu() => Gelu;
    /// [`Silu`].
    silu() => Silu;
    /// [`Softplus`].
    softplus() => Softplus;
    /// [`Softmax`].
    softmax() => Softmax;
    /// [`LogSoftmax`].
    log_softmax() => LogSoftmax;
    /// [`Identity`].
    identity() => Identity;
    /// [`LeakyRelu`] with this slope below zero.
    leaky_relu(slope: f64) => LeakyRelu::new(slope);
    /// [`Elu`] with this α.
    elu(alpha: f64) => Elu::new(alpha);
}

/// From data of the shape that was reached.
fn standardize(at: &Example, data: &Tensor) -> Result<Standardize> {
    match at.is_batch(data.shape()) {
        true => Standardize::of(data),
        false => Err(Error::shape(format!("takes data {at}, not {}", data.shape()))),
    }
}

/// The branches, merged.
fn branched(merge: impl Merge + 'static, branches: impl IntoIterator<Item = Builder>) -> Result<Parallel> {
    branches.into_iter().try_fold(Parallel::new(merge), |parallel, branch| Ok(parallel.branch(branch.finish()?)))
}
