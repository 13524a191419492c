//! A tensor that belongs to a model: a trained weight or a kept buffer.

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use wengert_autograd::{LeafId, Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::shape::{IntoShape, Shape};
use wengert_tensor::tensor::Tensor;

use crate::init::Init;

/// The key below which the draws without a seed lie.
const UNSEEDED: u64 = 0x5745_4e47_4552_5421;

/// A weight: a tensor with an identity, which optimizers replace by its next value.
///
/// In a formula a `&Param` stands where a `Var` may stand: `x.matmul(&self.w) + &self.b`. Its gradient is
/// `grads[&model.w]`.
///
/// The value is drawn when it is first needed, so a model whose weights are loaded or seeded afterwards draws nothing
/// in vain. **Without a seed** the draw depends on how many parameters the process has made before: the same program
/// gives the same weights as long as it makes its models in the same order on one thread. With
/// [`Module::init`](crate::module::Module::init) it depends on the seed and the parameter's name alone.
///
/// A `clone` is another parameter with the same value and an identity of its own.
///
/// ```
/// use wengert_nn::{init::Init, param::Param};
/// let w = Param::draw([3, 2], Init::GlorotUniform);
/// assert_eq!(w.shape().dims(), [3, 2]);
/// assert!(w.is_trainable());
/// assert!(w.clone().id() != w.id());
/// ```
pub struct Param {
    id: LeafId,
    shape: Shape,
    dtype: DType,
    role: Role,
    frozen: bool,
    /// A cast to 16 bits makes it f32.
    wide: bool,
    draw: Option<(Init, Key)>,
    /// The value, or why it could not be drawn; empty until it is needed.
    value: OnceLock<Drawn>,
    /// What was wrong when the parameter was made: no later setting mends it.
    fault: Option<Error>,
}

#[derive(Clone)]
struct Drawn {
    /// 0 where the draw failed.
    tensor: Tensor,
    fault: Option<Error>,
}

impl From<Tensor> for Drawn {
    fn from(tensor: Tensor) -> Drawn {
        Drawn { tensor, fault: None }
    }
}

/// What a parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Trained by an optimizer.
    Weight,
    /// Kept with the model but never trained: a running mean, a fixed scale.
    Buffer,
}

impl Param {
    /// A weight with this value. [`Module::init`](crate::module::Module::init) leaves it as it is.
    pub fn new(value: impl Into<Tensor>) -> Param {
        Param::with(value.into(), Role::Weight)
    }

    /// A weight of this shape drawn from `init` as f32.
    ///
    /// A shape that overflows is not reported here, since layers are built without `?`, but by the first use.
    pub fn draw(shape: impl IntoShape, init: Init) -> Param {
        let id = fresh();
        let (shape, fault) = match shape.into_shape() {
            Ok(shape) => (shape, None),
            Err(error) => (Shape::scalar(), Some(error)),
        };
        let draw = Some((init, Key::new(UNSEEDED).fold(id.0)));
        Param {
            id,
            shape,
            dtype: DType::F32,
            role: Role::Weight,
            frozen: false,
            wide: false,
            draw,
            value: OnceLock::new(),
            fault,
        }
    }

    /// A parameter that carries an error to its first use: how a layer's constructor reports bad arguments without `?`.
    pub fn faulty(error: Error) -> Param {
        Param { fault: Some(error), ..Param::draw((), Init::Zeros) }
    }

    fn with(value: Tensor, role: Role) -> Param {
        Param {
            id: fresh(),
            shape: value.shape().clone(),
            dtype: value.dtype(),
            role,
            frozen: false,
            wide: false,
            draw: None,
            value: OnceLock::from(Drawn::from(value)),
            fault: None,
        }
    }

    /// The identity under which tapes and optimizers know this parameter.
    pub fn id(&self) -> LeafId {
        self.id
    }

    /// The value, drawn now if it was not needed before. A faulty parameter has the value 0; see [`Param::check`].
    pub fn value(&self) -> &Tensor {
        &self.drawn().tensor
    }

    fn drawn(&self) -> &Drawn {
        self.value.get_or_init(|| match &self.draw {
            Some((init, key)) => match init.draw(*key, &self.shape, self.dtype) {
                Ok(tensor) => Drawn::from(tensor),
                Err(error) => Drawn { tensor: Tensor::from(0f32), fault: Some(error) },
            },
            None => Drawn::from(Tensor::from(0f32)),
        })
    }

    /// Replaces the value, also one that could not be drawn.
    ///
    /// # Errors
    /// Another shape or dtype than this parameter's; a parameter that was made with bad arguments. The old value then
    /// stays.
    pub fn set(&mut self, value: Tensor) -> Result<()> {
        self.accepts(&value)?;
        self.value = OnceLock::from(Drawn::from(value));
        Ok(())
    }

    /// Exchanges the value: [`Param::set`] that gives the old value in place of the new one, if there was an old one.
    pub(crate) fn swap(&mut self, value: &mut Tensor) -> Result<()> {
        self.accepts(value)?;
        match self.value.get_mut() {
            Some(drawn) => {
                std::mem::swap(&mut drawn.tensor, value);
                drawn.fault = None;
            }
            None => self.value = OnceLock::from(Drawn::from(value.clone())),
        }
        Ok(())
    }

    /// Whether [`Param::set`] would take this value.
    ///
    /// # Errors
    /// As [`Param::set`].
    pub fn accepts(&self, value: &Tensor) -> Result<()> {
        self.made()?;
        if value.shape() != &self.shape {
            return Err(Error::shape(format!("a parameter of shape {} cannot become {}", self.shape, value.shape())));
        }
        if value.dtype() != self.dtype {
            return Err(Error::dtype(format!("a parameter of dtype {} cannot become {}", self.dtype, value.dtype()))
                .help(format!("cast it first: `value.cast(DType::{:?})`", self.dtype)));
        }
        Ok(())
    }

    /// Draws the value anew with `key`, when it is next needed. A parameter that was given its value keeps it.
    pub fn redraw(&mut self, key: Key) {
        if let Some((_, old)) = &mut self.draw {
            *old = key;
            self.value = OnceLock::new();
        }
    }

    /// What the value is drawn with; nothing for a parameter that was given its value.
    pub(crate) fn key(&self) -> Option<Key> {
        self.draw.as_ref().map(|(_, key)| *key)
    }

    /// Chooses another distribution and draws anew; that the old one failed is forgotten. The key stays.
    pub fn set_init(&mut self, init: Init) {
        if let Some((old, _)) = &mut self.draw {
            *old = init;
            self.value = OnceLock::new();
        }
    }

    /// The distribution that it is drawn from, if it was not given its value.
    pub(crate) fn drawn_from(&self) -> Option<&Init> {
        self.draw.as_ref().map(|(init, _)| init)
    }

    /// Casts the value, and all later draws, to another dtype; a [wide](Buffer::wide) buffer to f32 where it has 16 bits.
    ///
    /// # Errors
    /// A parameter that was made with bad arguments; the memory cannot be had. The old value then stays.
    pub fn cast(&mut self, dtype: DType) -> Result<()> {
        self.made()?;
        let dtype = match dtype {
            DType::BF16 | DType::F16 if self.wide => DType::F32,
            dtype => dtype,
        };
        // What could not be drawn in the old dtype is tried in the new one.
        self.value = match self.value.get() {
            Some(Drawn { tensor, fault: None }) => OnceLock::from(Drawn::from(tensor.cast(dtype)?)),
            _ => OnceLock::new(),
        };
        self.dtype = dtype;
        Ok(())
    }

    /// The shape; known before the value is drawn.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The dtype; known before the value is drawn.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Weight or buffer.
    pub fn role(&self) -> Role {
        self.role
    }

    /// True if optimizers move it: a weight that is not frozen.
    pub fn is_trainable(&self) -> bool {
        self.role == Role::Weight && !self.frozen
    }

    /// True if it was [frozen](Param::freeze).
    #[cfg(feature = "files")]
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Keeps optimizers from moving it.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    /// Lets optimizers move it again. A buffer is never moved.
    pub fn unfreeze(&mut self) {
        self.frozen = false;
    }

    /// Draws the value and reports what is wrong with this parameter, if anything is.
    ///
    /// # Errors
    /// A shape that overflows, an initialiser that failed.
    pub fn check(&self) -> Result<()> {
        self.made()?;
        self.drawn().fault.clone().map_or(Ok(()), Err)
    }

    /// Whether the arguments that it was made with have a meaning.
    fn made(&self) -> Result<()> {
        self.fault.clone().map_or(Ok(()), Err)
    }

    /// This parameter as a leaf of `tape`; a weight is the same leaf each time. A fault of the parameter becomes the tape's error.
    #[track_caller]
    pub fn on<'t>(&self, tape: &'t Tape) -> Var<'t> {
        if let Err(error) = self.check() {
            tape.fail(error);
        }
        let value = self.value();
        match self.role {
            Role::Weight => tape.parameter(self.id, value),
            // Nobody asks for the gradient of a buffer, so none is recorded.
            Role::Buffer => tape.buffer(self.id, value),
        }
    }
}

/// An identity that no other parameter of this process has.
fn fresh() -> LeafId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    LeafId(NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Clone for Param {
    fn clone(&self) -> Param {
        Param {
            id: fresh(),
            shape: self.shape.clone(),
            dtype: self.dtype,
            role: self.role,
            frozen: self.frozen,
            wide: self.wide,
            draw: self.draw.clone(),
            value: self.value.clone(),
            fault: self.fault.clone(),
        }
    }
}

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match (self.role, self.frozen) {
            (Role::Buffer, _) => "Buffer",
            (Role::Weight, true) => "Param (frozen)",
            (Role::Weight, false) => "Param",
        };
        write!(f, "{kind} {} {}", self.shape, self.dtype)
    }
}

/// A tensor that is kept with the model, saved and loaded with it, and never trained: a running mean, a fixed scale.
///
/// It reads like a [`Param`] (to which it dereferences). A layer records the next value with [`Buffer::update`]; the
/// step that commits the weights commits the buffers too.
///
/// ```
/// use wengert_nn::param::Buffer;
/// use wengert_tensor::tensor::Tensor;
/// let mean = Buffer::new(Tensor::from([0f32, 0.0]));
/// assert!(!mean.is_trainable());
/// ```
#[derive(Clone)]
pub struct Buffer(Param);

impl Buffer {
    /// A buffer with this value.
    pub fn new(value: impl Into<Tensor>) -> Buffer {
        Buffer(Param::with(value.into(), Role::Buffer))
    }

    /// A buffer of this shape and dtype drawn from `init`. What is wrong is reported by the first use.
    ///
    /// [`Module::init`](crate::module::Module::init) draws it anew: a model that starts again has seen nothing.
    pub fn draw(shape: impl IntoShape, dtype: DType, init: Init) -> Buffer {
        Buffer(Param { dtype, role: Role::Buffer, ..Param::draw(shape, init) })
    }

    /// Keeps it in f32 when the model is cast to 16 bits: a running mean that goes a tenth of a small way stands still in these. The
    /// layer casts what it reads.
    #[must_use]
    pub fn wide(mut self) -> Buffer {
        self.0.wide = true;
        self
    }

    /// The value on the tape that is being recorded: the one that waits for the step to be committed, if there is one already.
    #[track_caller]
    pub(crate) fn now<'t>(&self, tape: &'t Tape) -> Var<'t> {
        tape.updated(self.0.id).unwrap_or_else(|| self.0.on(tape))
    }

    /// Records on the tape of `next` that this buffer takes the value of `next` when the step is committed.
    #[track_caller]
    pub fn update(&self, next: Var<'_>) {
        next.tape().update(self.0.id, next);
    }

    /// The buffer as the parameter that visitors see.
    pub fn as_param(&self) -> &Param {
        &self.0
    }

    /// The buffer as the parameter that visitors change.
    pub fn as_param_mut(&mut self) -> &mut Param {
        &mut self.0
    }
}

impl Deref for Buffer {
    type Target = Param;

    fn deref(&self) -> &Param {
        &self.0
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
