//! A method for every layer, of a [`Sequential`](crate::sequential::Sequential) in the making and of a node of a
//! [`Graph`](crate::graph::Graph): one table for both.

use wengert_autograd::{Conv, Padding, PerAxis, Pool, Resize, Var};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::IntoShape;
use wengert_tensor::tensor::Tensor;

use crate::example::Example;
use crate::explain::framed;
use crate::graph::Node;
use crate::layer::Layer;
use crate::layers::activation::{
    Celu, Elu, Exponential, Gelu, Glu, Hardshrink, Hardsigmoid, Hardswish, Hardtanh, Identity, LeakyRelu, LogSigmoid,
    LogSoftmax, Mish, RRelu, Relu, Relu6, Selu, Sigmoid, Silu, Softmax, Softmax2d, Softmin, Softplus, Softshrink,
    Softsign, SparsePlus, SparseSigmoid, Sparsemax, Squareplus, Tanh, Tanhshrink, Threshold,
};
use crate::layers::activity_regularization::ActivityRegularization;
use crate::layers::adaptive_avg_pool::AdaptiveAvgPool;
use crate::layers::adaptive_max_pool::AdaptiveMaxPool;
use crate::layers::alpha_dropout::AlphaDropout;
use crate::layers::avg_pool::AvgPool;
use crate::layers::batch_norm::BatchNorm;
use crate::layers::center_crop::CenterCrop;
use crate::layers::channel_shuffle::ChannelShuffle;
use crate::layers::conv::{Conv1d, Conv2d, Conv3d};
use crate::layers::conv_transpose::{ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
use crate::layers::cropping::Cropping;
use crate::layers::dense::Dense;
use crate::layers::depthwise_conv::{DepthwiseConv1d, DepthwiseConv2d};
use crate::layers::dropout::Dropout;
use crate::layers::embedding::Embedding;
use crate::layers::flatten::Flatten;
use crate::layers::fold::Fold;
use crate::layers::gated_feed_forward::GatedFeedForward;
use crate::layers::gaussian_dropout::GaussianDropout;
use crate::layers::gaussian_noise::GaussianNoise;
use crate::layers::global_avg_pool::GlobalAvgPool;
use crate::layers::global_max_pool::GlobalMaxPool;
use crate::layers::group_norm::GroupNorm;
use crate::layers::gru::Gru;
use crate::layers::instance_norm::InstanceNorm;
use crate::layers::lambda::Lambda;
use crate::layers::layer_norm::LayerNorm;
use crate::layers::learned_positions::LearnedPositions;
use crate::layers::local_response_norm::LocalResponseNorm;
use crate::layers::lp_pool::LpPool;
use crate::layers::lstm::Lstm;
use crate::layers::max_pool::MaxPool;
use crate::layers::maxout::Maxout;
use crate::layers::merge::Merge;
use crate::layers::multi_head_attention::MultiHeadAttention;
use crate::layers::pad::{CircularPad, ConstantPad, ReflectPad, ReplicatePad, ZeroPad};
use crate::layers::parallel::Parallel;
use crate::layers::permute::Permute;
use crate::layers::pixel_shuffle::PixelShuffle;
use crate::layers::pixel_unshuffle::PixelUnshuffle;
use crate::layers::prelu::PRelu;
use crate::layers::repeat_vector::RepeatVector;
use crate::layers::rescaling::Rescaling;
use crate::layers::reshape::Reshape;
use crate::layers::residual::Residual;
use crate::layers::rms_norm::RmsNorm;
use crate::layers::rnn::Rnn;
use crate::layers::separable_conv::{SeparableConv1d, SeparableConv2d};
use crate::layers::sinusoidal_positions::SinusoidalPositions;
use crate::layers::spatial_dropout::SpatialDropout;
use crate::layers::standardize::Standardize;
use crate::layers::transformer::TransformerEncoderLayer;
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
    match framed(method, make(&reached)) {
        Ok(layer) => to.push(Box::new(layer)),
        Err(error) => to.refuse(error),
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
    /// [`Unflatten`]: one axis as several, in which one size may be −1; axis 0 counts the examples.
    unflatten(axis: isize, sizes: impl AsRef<[isize]>) => Unflatten::new(axis, sizes);
    /// A function as a layer; errors and summaries call it `name`.
    lambda(name: &'static str, function: impl for<'t> Fn(Var<'t>) -> Var<'t> + Send + Sync + 'static)
        => Lambda::new(name, function);

    /// [`Embedding`]: whole numbers below `entries` as `features` floats each; the examples are of dtype i64.
    embedding(entries: usize, features: usize) => Embedding::new(entries, features);
    /// [`Maxout`]: the largest of so many dense layers, element by element.
    maxout(outputs: usize, pieces: usize) from at => Maxout::new(at.features()?, outputs, pieces);
    /// [`Reshape`]: examples of another shape, in which one size may be −1.
    reshape(sizes: impl AsRef<[isize]>) => Reshape::new(sizes);
    /// [`Permute`]: the axes of an example, from 1, in another order.
    permute(axes: impl AsRef<[usize]>) => Permute::new(axes);
    /// [`RepeatVector`]: an example so many times along a new axis.
    repeat_vector(times: usize) => RepeatVector::new(times);
    /// [`Rescaling`]: every number times this one.
    rescaling(scale: f64) => Rescaling::new(scale);
    /// [`ActivityRegularization`]: what comes by costs l1 · Σ|x| + l2 · Σx² in the loss.
    activity_regularization(l1: f64, l2: f64) => ActivityRegularization::new(l1, l2);

    /// [`BatchNorm`] of the channels, which are axis 1.
    batch_norm() from at => BatchNorm::new(at.channel()?);
    /// [`LayerNorm`] of the last axis.
    layer_norm() from at => LayerNorm::new(at.features()?);
    /// [`RmsNorm`] of the last axis.
    rms_norm() from at => RmsNorm::new(at.features()?);
    /// [`GroupNorm`] of the channels in so many groups.
    group_norm(groups: usize) from at => GroupNorm::new(groups, at.channel()?);
    /// [`InstanceNorm`] of the channels.
    instance_norm() from at => InstanceNorm::new(at.channel()?);
    /// [`LocalResponseNorm`] over so many channels.
    local_response_norm(size: usize) => LocalResponseNorm::new(size);
    /// [`SpatialDropout`] of whole channels with this probability.
    spatial_dropout(probability: f64) => SpatialDropout::new(probability);
    /// [`AlphaDropout`] with this probability, for networks of [`Selu`].
    alpha_dropout(probability: f64) => AlphaDropout::new(probability);
    /// [`GaussianDropout`] with this probability.
    gaussian_dropout(probability: f64) => GaussianDropout::new(probability);
    /// [`GaussianNoise`] with this standard deviation.
    gaussian_noise(std: f64) => GaussianNoise::new(std);

    /// A [`Rnn`] over `[time, features]`. `.layer(…)` takes one with settings.
    rnn(hidden: usize) from at => Rnn::new(at.features()?, hidden);
    /// A [`Lstm`] over `[time, features]`. `.layer(…)` takes one with settings.
    lstm(hidden: usize) from at => Lstm::new(at.features()?, hidden);
    /// A [`Gru`] over `[time, features]`. `.layer(…)` takes one with settings.
    gru(hidden: usize) from at => Gru::new(at.features()?, hidden);
    /// [`MultiHeadAttention`] of an example's tokens to each other.
    multi_head_attention(heads: usize) from at => MultiHeadAttention::new(at.features()?, heads);
    /// A [`TransformerEncoderLayer`]. `.layer(…)` takes one with settings.
    transformer_encoder_layer(heads: usize) from at => TransformerEncoderLayer::new(at.features()?, heads);
    /// [`SinusoidalPositions`], added to the tokens.
    sinusoidal_positions() => SinusoidalPositions::new();
    /// [`LearnedPositions`] for up to so many tokens, added to them.
    learned_positions(capacity: usize) from at => LearnedPositions::new(capacity, at.features()?);
    /// [`GatedFeedForward`] with so many features inside.
    gated_feed_forward(hidden: usize) from at => GatedFeedForward::new(at.features()?, hidden);

    /// [`Relu`](struct@Relu).
    relu() => Relu;
    /// [`Tanh`].
    tanh() => Tanh;
    /// [`Sigmoid`].
    sigmoid() => Sigmoid;
    /// [`Gelu`](struct@Gelu).
    gelu() => Gelu;
    /// [`Silu`].
    silu() => Silu;
    /// [`Softplus`](struct@Softplus).
    softplus() => Softplus;
    /// [`Softmax`](struct@Softmax).
    softmax() => Softmax;
    /// [`LogSoftmax`](struct@LogSoftmax).
    log_softmax() => LogSoftmax;
    /// [`Identity`].
    identity() => Identity;
    /// [`Exponential`].
    exponential() => Exponential;
    /// [`Relu6`].
    relu6() => Relu6;
    /// [`Selu`].
    selu() => Selu;
    /// [`Mish`].
    mish() => Mish;
    /// [`Softsign`].
    softsign() => Softsign;
    /// [`LogSigmoid`].
    log_sigmoid() => LogSigmoid;
    /// [`Hardsigmoid`].
    hardsigmoid() => Hardsigmoid;
    /// [`Hardswish`].
    hardswish() => Hardswish;
    /// [`Tanhshrink`].
    tanhshrink() => Tanhshrink;
    /// [`SparsePlus`].
    sparse_plus() => SparsePlus;
    /// [`SparseSigmoid`].
    sparse_sigmoid() => SparseSigmoid;
    /// [`Softmax2d`].
    softmax2d() => Softmax2d;
    /// [`Softmin`](struct@Softmin).
    softmin() => Softmin;
    /// [`Sparsemax`](struct@Sparsemax).
    sparsemax() => Sparsemax;
    /// [`Glu`](struct@Glu).
    glu() => Glu;
    /// [`PRelu`] with one slope for all channels.
    prelu() => PRelu::new();
    /// [`LeakyRelu`] with this slope below zero.
    leaky_relu(slope: f64) => LeakyRelu::new(slope);
    /// [`Elu`] with this α.
    elu(alpha: f64) => Elu::new(alpha);
    /// [`Celu`] with this α.
    celu(alpha: f64) => Celu::new(alpha);
    /// [`Hardtanh`] between these bounds.
    hardtanh(low: f64, high: f64) => Hardtanh::new(low, high);
    /// [`Hardshrink`] with this λ.
    hardshrink(lambda: f64) => Hardshrink::new(lambda);
    /// [`Softshrink`] with this λ.
    softshrink(lambda: f64) => Softshrink::new(lambda);
    /// [`Threshold`]: another value where x is not above the threshold.
    threshold(threshold: f64, value: f64) => Threshold::new(threshold, value);
    /// [`Squareplus`] with this b.
    squareplus(b: f64) => Squareplus::new(b);
    /// [`RRelu`] with a slope between these, drawn while training.
    rrelu(low: f64, high: f64) => RRelu::new(low, high);
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
