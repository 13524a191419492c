//! Layers one after another, and the builder that infers their sizes.

use std::fmt;
use std::panic::Location;

use wengert_autograd::{Conv, PerAxis, Pool, Resize, Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Seed;
use wengert_tensor::shape::{IntoShape, Shape};
use wengert_tensor::tensor::Tensor;

use crate::explain::{blame, explain};
use crate::layer::Layer;
use crate::layers::activation::{
    Elu, Gelu, Identity, LeakyRelu, LogSoftmax, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh,
};
use crate::layers::adaptive_avg_pool::AdaptiveAvgPool;
use crate::layers::adaptive_max_pool::AdaptiveMaxPool;
use crate::layers::avg_pool::AvgPool;
use crate::layers::conv::ConvNd;
use crate::layers::conv_transpose::ConvTransposeNd;
use crate::layers::dense::Dense;
use crate::layers::dropout::Dropout;
use crate::layers::flatten::Flatten;
use crate::layers::lambda::Lambda;
use crate::layers::max_pool::MaxPool;
use crate::layers::pixel_shuffle::PixelShuffle;
use crate::layers::standardize::Standardize;
use crate::layers::upsample::Upsample;
use crate::module::{Module, Visit, VisitMut, each};
use crate::summary::{Row, Summary, rows};

/// Layers one after another. Their parameters are named by the place of the layer, as in PyTorch: `2.weight`.
///
/// ```
/// use wengert_nn::{layer::Layer, sequential::Sequential};
/// use wengert_tensor::{random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let x = Tensor::from([[150f32, 67.0], [130.0, 60.0], [200.0, 65.0]]);
/// let model = Sequential::input([2]).standardize(&x).dense(8).relu().dense(2).build(Seed(1))?;
/// assert_eq!(model.predict(&x)?.shape().dims(), [3, 2]);
/// println!("{}", model.summary()?);
/// # Ok(())
/// # }
/// ```
pub struct Sequential {
    layers: Vec<Box<dyn Layer>>,
    input: Option<Input>,
}

/// What one example looks like.
#[derive(Clone, Debug)]
struct Input {
    shape: Shape,
    dtype: DType,
    /// Whether the dtype is that of the weights, and stays it when these are cast.
    follows: bool,
}

impl Sequential {
    /// Starts a model whose examples have this shape: `[2]` for two features, `[28, 28]` for small images. The axis that
    /// counts the examples is not part of it.
    pub fn input(shape: impl IntoShape) -> Builder {
        let (shape, fault) = match shape.into_shape() {
            Ok(shape) => (shape, None),
            Err(error) => (Shape::scalar(), Some(error.op("Sequential::input"))),
        };
        let input = Input { shape, dtype: DType::F32, follows: false };
        Builder { layers: Vec::new(), reached: input.clone(), input, fault }
    }

    /// A model of given layers, with sizes of one's own choice.
    pub fn of(layers: impl IntoIterator<Item = Box<dyn Layer>>) -> Sequential {
        Sequential { layers: layers.into_iter().collect(), input: None }
    }

    /// The layers in order.
    pub fn layers(&self) -> &[Box<dyn Layer>] {
        &self.layers
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// True without any layer; such a model gives its input back.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// A table of the layers: place, type, shape of the output, parameters.
    ///
    /// # Errors
    /// A model whose layers do not fit together; [`Sequential::of`] does not know its input: use
    /// [`Sequential::summary_of`].
    #[track_caller]
    pub fn summary(&self) -> Result<Summary> {
        match &self.input {
            Some(input) => self.table(input),
            None => Err(Error::state("the model does not say what its input is")
                .op("summary")
                .help("`model.summary_of([28, 28])` takes the shape of one example")),
        }
    }

    /// [`Sequential::summary`] for examples of this shape, in the dtype of the weights.
    ///
    /// # Errors
    /// Layers that do not fit together or do not take this input.
    #[track_caller]
    pub fn summary_of(&self, shape: impl IntoShape) -> Result<Summary> {
        self.table(&Input { shape: shape.into_shape()?, dtype: DType::F32, follows: true })
    }

    #[track_caller]
    fn table(&self, input: &Input) -> Result<Summary> {
        let (tape, here) = (Tape::new(), Location::caller());
        let dtype = if input.follows { float_of(self).unwrap_or(input.dtype) } else { input.dtype };
        let mut x = probe(&tape, &Input { dtype, ..input.clone() })?;
        let mut outputs = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            x = through(index, &**layer, x);
            outputs.push(x.shape());
        }
        tape.check().map_err(|error| blame(explain(self, &tape, error), here))?;
        let mut table = Vec::new();
        for (index, (layer, output)) in self.layers.iter().zip(outputs).enumerate() {
            table.push(Row::of(index.to_string(), &**layer, Some(batched(&output))));
            // A layer made of layers is followed by its parts, whose outputs are its own business.
            table.extend(rows(&**layer, &index.to_string()));
        }
        Ok(Summary::new(self, table))
    }
}

/// The dtype of the first weight or buffer that holds floats.
fn float_of<M: Module + ?Sized>(model: &M) -> Option<DType> {
    let mut found = None;
    each(model, &mut |_, param| found = found.or(Some(param.dtype()).filter(|dtype| dtype.is_float())));
    found
}

/// Runs a layer of a sequence within its scope.
#[track_caller]
fn through<'t>(index: usize, layer: &dyn Layer, x: Var<'t>) -> Var<'t> {
    let _scope = x.tape().scope((index, layer.type_name()));
    layer.forward(x)
}

/// Two examples without values, to ask layers for their shapes.
fn probe<'t>(tape: &'t Tape, input: &Input) -> Result<Var<'t>> {
    Ok(tape.full(input.shape.insert(0, PROBES)?, 0.0, input.dtype))
}

/// Two, since with one example a layer that loses the first axis would go unnoticed.
const PROBES: usize = 2;

/// `[*, 8]`: a shape whose first axis counts the examples.
fn batched(shape: &Shape) -> String {
    match shape.split_first() {
        Some((&PROBES, rest)) => {
            let sizes = rest.iter().map(|size| format!(", {size}")).collect::<String>();
            format!("[*{sizes}]")
        }
        _ => shape.to_string(),
    }
}

impl Module for Sequential {
    fn type_name(&self) -> &'static str {
        "Sequential"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        for (index, layer) in self.layers.iter().enumerate() {
            at.item(index, layer);
        }
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        for (index, layer) in self.layers.iter_mut().enumerate() {
            at.item(index, layer);
        }
    }
}

impl Layer for Sequential {
    #[track_caller]
    fn forward<'t>(&self, mut x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        if tape.error().is_some() {
            return x;
        }
        let _scope = tape.scope("Sequential");
        // One example is a batch of one, without the axis.
        let single = self.input.as_ref().is_some_and(|input| x.shape() == input.shape);
        if single {
            x = x.unsqueeze(0);
        }
        if let Some(input) = &self.input
            && x.shape().split_first().is_none_or(|(_, example)| *example != *input.shape)
        {
            let wanted = input.shape.iter().map(|size| format!(", {size}")).collect::<String>();
            let error = Error::shape(format!("the model takes [examples{wanted}], not {}", x.shape()));
            return tape.reject("Sequential", &[("input", x)], error);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            x = through(index, &**layer, x);
        }
        let here = Location::caller();
        tape.amend(|error| blame(error, here));
        if single { x.squeeze(0) } else { x }
    }
}

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.layers.iter().map(|layer| layer.type_name())).finish()
    }
}

/// A [`Sequential`] in the making: knows the shape that it has reached, so that every layer is given its output size
/// only. What is wrong is reported by [`Builder::build`].
pub struct Builder {
    layers: Vec<Box<dyn Layer>>,
    input: Input,
    /// One example after the last layer.
    reached: Input,
    fault: Option<Error>,
}

impl Builder {
    /// Says that examples hold another dtype than f32: i64 for an embedding, u8 for images before `standardize`.
    ///
    /// Call it first, before any layer.
    #[must_use]
    pub fn dtype(mut self, dtype: DType) -> Builder {
        if !self.layers.is_empty() {
            self.fail(|_| Error::state("comes before the first layer").op("dtype"));
        }
        self.input.dtype = dtype;
        self.reached.dtype = dtype;
        self
    }

    /// A [`Dense`] layer with this many outputs; its inputs are the last axis of what comes in.
    #[must_use]
    #[track_caller]
    pub fn dense(mut self, outputs: usize) -> Builder {
        match self.reached.shape.last().copied() {
            Some(inputs) => self.layer(Dense::new(inputs, outputs)),
            None => {
                self.fail(|_| {
                    Error::shape("needs an axis of features, and an example is a scalar here")
                        .op("dense")
                        .help("start with `Sequential::input([1])`")
                });
                self
            }
        }
    }

    /// [`Standardize`] with mean and deviation of this data, the inputs of the training set.
    #[must_use]
    #[track_caller]
    pub fn standardize(mut self, data: &Tensor) -> Builder {
        let reached = &self.reached.shape;
        if data.shape().split_first().is_none_or(|(_, example)| *example != **reached) {
            let sizes = reached.iter().map(|size| format!(", {size}")).collect::<String>();
            let error = Error::shape(format!("takes data [examples{sizes}], not {}", data.shape())).op("standardize");
            self.fail(|_| error);
            return self;
        }
        match Standardize::of(data) {
            Ok(layer) => self.layer(layer),
            Err(error) => {
                self.fail(|_| error);
                self
            }
        }
    }

    /// How many channels an example has, if it is an image with so many spatial axes.
    fn channels(&mut self, op: &'static str, axes: usize) -> Option<usize> {
        match self.reached.shape.split_first() {
            Some((&channels, sizes)) if sizes.len() == axes => Some(channels),
            _ => {
                self.fail(|reached| {
                    let error =
                        Error::shape(format!("takes [channels] and {axes} spatial axes, not {}", reached.shape));
                    error.op(op).help("`.lambda(…)` may reshape; the axis of the examples stays")
                });
                None
            }
        }
    }

    #[track_caller]
    fn conv<const AXES: usize>(
        mut self,
        op: &'static str,
        outputs: usize,
        kernel: impl Into<PerAxis>,
        options: impl Into<Conv>,
    ) -> Builder {
        match self.channels(op, AXES) {
            Some(inputs) => self.layer(ConvNd::<AXES>::new(inputs, outputs, kernel).options(options)),
            None => self,
        }
    }

    #[track_caller]
    fn conv_transpose<const AXES: usize>(
        mut self,
        op: &'static str,
        outputs: usize,
        kernel: impl Into<PerAxis>,
        options: impl Into<Conv>,
    ) -> Builder {
        match self.channels(op, AXES) {
            Some(inputs) => self.layer(ConvTransposeNd::<AXES>::new(inputs, outputs, kernel).options(options)),
            None => self,
        }
    }

    /// [`MaxPool`]: `.max_pool(2)`.
    #[must_use]
    #[track_caller]
    pub fn max_pool(self, options: impl Into<Pool>) -> Builder {
        self.layer(MaxPool::new(options))
    }

    /// [`AvgPool`]: `.avg_pool(2)`.
    #[must_use]
    #[track_caller]
    pub fn avg_pool(self, options: impl Into<Pool>) -> Builder {
        self.layer(AvgPool::new(options))
    }

    /// [`AdaptiveMaxPool`]: images of any size to so many parts.
    #[must_use]
    #[track_caller]
    pub fn adaptive_max_pool(self, parts: impl Into<PerAxis>) -> Builder {
        self.layer(AdaptiveMaxPool::new(parts))
    }

    /// [`AdaptiveAvgPool`]: images of any size to so many parts; `.adaptive_avg_pool(1)` is the mean of each channel.
    #[must_use]
    #[track_caller]
    pub fn adaptive_avg_pool(self, parts: impl Into<PerAxis>) -> Builder {
        self.layer(AdaptiveAvgPool::new(parts))
    }

    /// [`Upsample`]: images in another size.
    #[must_use]
    #[track_caller]
    pub fn upsample(self, resize: Resize) -> Builder {
        self.layer(Upsample::new(resize))
    }

    /// [`PixelShuffle`]: r² channels become r × r elements.
    #[must_use]
    #[track_caller]
    pub fn pixel_shuffle(self, factor: usize) -> Builder {
        self.layer(PixelShuffle::new(factor))
    }

    /// [`Dropout`] with this probability.
    #[must_use]
    #[track_caller]
    pub fn dropout(self, probability: f64) -> Builder {
        self.layer(Dropout::new(probability))
    }

    /// [`Flatten`]: one axis of features per example.
    #[must_use]
    #[track_caller]
    pub fn flatten(self) -> Builder {
        self.layer(Flatten)
    }

    /// A function as a layer; errors and summaries call it `name`.
    #[must_use]
    #[track_caller]
    pub fn lambda(
        self,
        name: &'static str,
        function: impl for<'t> Fn(Var<'t>) -> Var<'t> + Send + Sync + 'static,
    ) -> Builder {
        self.layer(Lambda::new(name, function))
    }

    /// [`LeakyRelu`] with this slope below zero.
    #[must_use]
    #[track_caller]
    pub fn leaky_relu(self, slope: f64) -> Builder {
        self.layer(LeakyRelu::new(slope))
    }

    /// [`Elu`] with this α.
    #[must_use]
    #[track_caller]
    pub fn elu(self, alpha: f64) -> Builder {
        self.layer(Elu::new(alpha))
    }

    /// Any layer. Its output shape is found by recording its `forward`; nothing is computed.
    #[must_use]
    #[track_caller]
    pub fn layer(mut self, layer: impl Layer + 'static) -> Builder {
        let index = self.layers.len();
        self.layers.push(Box::new(layer));
        if self.fault.is_some() {
            return self;
        }
        let reached =
            self.layers.last().map_or(Ok(self.reached.clone()), |layer| after(index, &**layer, &self.reached));
        match reached {
            Ok(reached) => self.reached = reached,
            Err(error) => self.fault = Some(blame(error, Location::caller())),
        }
        self
    }

    /// The model, with weights drawn from `seed`.
    ///
    /// # Errors
    /// The first thing that was wrong in the chain of calls.
    pub fn build(self, seed: Seed) -> Result<Sequential> {
        match self.fault {
            Some(error) => Err(error),
            None => {
                let mut model = Sequential { layers: self.layers, input: None };
                let follows = float_of(&model) == Some(self.input.dtype);
                model.input = Some(Input { follows, ..self.input });
                model.init(seed)
            }
        }
    }

    fn fail(&mut self, error: impl FnOnce(&Input) -> Error) {
        if self.fault.is_none() {
            self.fault = Some(error(&self.reached));
        }
    }
}

/// The builder's methods for convolutions of one, two and three spatial axes.
macro_rules! convolutions {
    ($($conv:ident $transpose:ident $axes:literal)+) => {
        impl Builder {$(
            /// A [`ConvNd`] with this many outputs; its inputs are the channels of what comes in.
            #[must_use]
            #[track_caller]
            pub fn $conv(self, outputs: usize, kernel: impl Into<PerAxis>, options: impl Into<Conv>) -> Builder {
                self.conv::<$axes>(stringify!($conv), outputs, kernel, options)
            }

            /// A [`ConvTransposeNd`] with this many outputs; its inputs are the channels of what comes in.
            #[must_use]
            #[track_caller]
            pub fn $transpose(self, outputs: usize, kernel: impl Into<PerAxis>, options: impl Into<Conv>) -> Builder {
                self.conv_transpose::<$axes>(stringify!($transpose), outputs, kernel, options)
            }
        )+}
    };
}
convolutions! {
    conv1d conv_transpose1d 1
    conv2d conv_transpose2d 2
    conv3d conv_transpose3d 3
}

/// The builder's method for every activation without settings.
macro_rules! activations {
    ($($method:ident => $layer:ident),+ $(,)?) => {
        impl Builder {$(
            #[doc = concat!("[`struct@", stringify!($layer), "`].")]
            #[must_use]
            #[track_caller]
            pub fn $method(self) -> Builder {
                self.layer($layer)
            }
        )+}
    };
}
activations! {
    relu => Relu,
    tanh => Tanh,
    sigmoid => Sigmoid,
    gelu => Gelu,
    silu => Silu,
    softplus => Softplus,
    softmax => Softmax,
    log_softmax => LogSoftmax,
    identity => Identity,
}

/// One example after `layer`.
fn after(index: usize, layer: &dyn Layer, before: &Input) -> Result<Input> {
    let tape = Tape::new();
    let y = {
        let _scope = tape.scope("Sequential");
        through(index, layer, probe(&tape, before)?)
    };
    each(layer, &mut |path, param| tape.note(param.id(), format!("{index}.{path}")));
    tape.check()?;
    match y.shape().split_first() {
        Some((&PROBES, example)) => Ok(Input { shape: Shape::new(example)?, dtype: y.dtype(), follows: false }),
        _ => Err(Error::shape(format!(
            "the first axis counts the examples and must stay; {PROBES} became {}",
            y.shape()
        ))
        .op(layer.type_name())
        .within(format!("Sequential › {index} ({})", layer.type_name()))),
    }
}
