//! `uniform` and `normal`: random numbers that follow from the tape's key.
//!
//! Element i of the s-th random op of a tape is a function of (key, s, i) alone, by Philox-4x32-10. So neither threads nor
//! recomputation nor batching change it, and a tape with the same key that records the same ops draws the same numbers.
//! The key is a slot: another key runs the same plan.
//!
//! * shape: as given
//! * dtypes: floats; bf16 and f16 are rounded from f32
//! * derivative: none: the numbers do not depend on anything

use crate::batch::{Batch, stacked};
use crate::class::{Class, IndexFn};
use crate::graph::{Derivative, Op, Tape, Var};
use crate::meta::{Meta, floats, operands};
use crate::sample::{Accuracy, Entry, Sample};
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::TensorView;
use wengert_tensor::random::Key;
use wengert_tensor::shape::{IntoShape, Shape};

/// Random numbers; the operand is the key, a rank-0 i64.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Random {
    /// The distribution.
    pub distribution: Distribution,
    /// The shape.
    pub shape: Shape,
    /// The element type.
    pub dtype: DType,
    /// Which stream of the key.
    pub stream: u64,
}

/// How random numbers are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// Evenly in `[0, 1)`.
    Uniform,
    /// Mean 0, variance 1.
    Normal,
}

impl Op for Random {
    fn name(&self) -> &'static str {
        match self.distribution {
            Distribution::Uniform => "uniform",
            Distribution::Normal => "normal",
        }
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [_key] = operands(inputs)?;
        let meta = Meta::new(self.shape.clone(), self.dtype);
        floats(&meta)?;
        Ok(meta)
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        let stream = self.stream;
        Class::Index(match self.distribution {
            Distribution::Uniform => IndexFn::Uniform { stream },
            Distribution::Normal => IndexFn::Normal { stream },
        })
    }

    fn derivative(&self) -> Derivative {
        Derivative::None("random numbers depend on nothing")
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        let (key, _) = x.operand(0)?;
        Some(key.then(Random { shape: stacked(x.size(), &self.shape)?, ..*self }))
    }
}

impl Tape {
    /// Random numbers, evenly distributed in `[0, 1)`.
    ///
    /// The tape must have a key: [`Tape::training`] or [`Tape::with_key`].
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::dtype::DType;
    /// let draw = |key: u64| Tape::with_key(key).uniform([4], DType::F32).value()?.to_vec::<f32>();
    /// assert_eq!(draw(7)?, draw(7)?);
    /// assert_ne!(draw(7)?, draw(8)?);
    /// assert!(Tape::new().uniform([4], DType::F32).value().is_err());
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn uniform(&self, shape: impl IntoShape, dtype: DType) -> Var<'_> {
        self.drawn(Distribution::Uniform, shape.into_shape(), dtype)
    }

    /// Random numbers, normally distributed with mean 0 and variance 1. The tape must have a key.
    #[track_caller]
    pub fn normal(&self, shape: impl IntoShape, dtype: DType) -> Var<'_> {
        self.drawn(Distribution::Normal, shape.into_shape(), dtype)
    }

    #[track_caller]
    fn drawn(&self, distribution: Distribution, shape: Result<Shape>, dtype: DType) -> Var<'_> {
        let name = match distribution {
            Distribution::Uniform => "uniform",
            Distribution::Normal => "normal",
        };
        let shape = match shape {
            Ok(shape) => shape,
            Err(error) => return self.reject(name, &[], error),
        };
        let Some(key) = self.key_var() else { return self.reject(name, &[], no_key()) };
        let stream = self.next_stream();
        self.record(Random { distribution, shape, dtype, stream }, &[key])
    }

    /// The number of the next random op.
    pub(crate) fn next_stream(&self) -> u64 {
        let stream = self.streams.get();
        self.streams.set(stream + 1);
        stream
    }

    /// The leaf of the key: one for the whole tape.
    #[track_caller]
    pub(crate) fn key_var(&self) -> Option<Var<'_>> {
        if let Some(id) = self.key_node.get() {
            return Some(Var { tape: self, id });
        }
        let var = self.slot(Shape::scalar(), Scalar::of(self.key?.0 as i64));
        self.key_node.set(Some(var.id));
        Some(var)
    }
}

/// The key of a random op, as its kernel reads it.
pub(super) fn key(view: TensorView<'_>, stream: u64) -> Result<Key> {
    let bits = view.as_slice::<i64>()?.first().copied().ok_or_else(|| Error::state("a random op without a key"))?;
    Ok(Key(bits as u64).fold(stream))
}

pub(crate) fn no_key() -> Error {
    Error::state("this tape has no random key").help("Tape::training(seed) has one, and Tape::with_key(seed)")
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::new(
            "uniform",
            "random.rs",
            vec![
                Sample::new("f32", [], |tape, _| tape.uniform([3, 5], DType::F32)),
                Sample::new("f64", [], |tape, _| tape.uniform([7], DType::F64)),
                Sample::new("bf16", [], |tape, _| tape.uniform([7], DType::BF16)),
                Sample::new("second stream", [], |tape, _| {
                    let first = tape.uniform([4], DType::F32);
                    tape.uniform([4], DType::F32) - first
                }),
            ],
        ),
        Entry::new(
            "normal",
            "random.rs",
            vec![
                Sample::new("f32", [], |tape, _| tape.normal([3, 5], DType::F32)),
                Sample::new("f64", [], |tape, _| tape.normal([7], DType::F64)),
            ],
        )
        .accuracy(Accuracy::Stated("a draw: within 4e-15 of Box and Muller's formula in f64")),
    ]
}
