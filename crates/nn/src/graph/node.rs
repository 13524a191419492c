//! A place in a graph that is being built.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, Mul, Sub};
use std::panic::Location;

use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;
use wengert_tensor::shape::Shape;

use super::block::Block;
use super::builder::GraphBuilder;
use crate::example::Example;
use crate::grow::Grow;
use crate::layer::Layer;
use crate::layers::merge;

/// What an input or a layer of a graph gives; the next layer is applied to it: `x.dense(8).relu()`. As a `Var` it is a small value that may
/// be used any number of times.
///
/// `a + b`, `a - b` and `a * b` are the merges [`Add`](merge::Add), [`Subtract`](merge::Subtract) and [`Multiply`](merge::Multiply).
#[derive(Clone, Copy)]
pub struct Node<'g> {
    pub(super) graph: &'g GraphBuilder,
    pub(super) value: usize,
}

impl<'g> Node<'g> {
    /// Calls the layer or input that gives this node by this name, in place of one made of its type. Its parameters are named so:
    /// `body.weight`.
    #[track_caller]
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Node<'g> {
        self.graph.name(self.value, name.into(), Location::caller());
        self
    }

    /// Says that the examples of this input hold another dtype than f32. Call it first, before any layer.
    #[track_caller]
    pub fn dtype(self, dtype: DType) -> Node<'g> {
        self.graph.set_dtype(self.value, dtype, Location::caller());
        self
    }

    /// Any layer. Its output shape is found by recording its `forward`; nothing is computed.
    #[must_use]
    #[track_caller]
    pub fn layer(self, layer: impl Layer + 'static) -> Node<'g> {
        self.push(Box::new(layer))
    }

    /// The layer that gives `other`, applied to this node as well: one set of parameters, whose gradient is the sum of both uses.
    ///
    /// ```
    /// use wengert_nn::{graph::Graph, module::Module};
    /// use wengert_tensor::random::Seed;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let graph = Graph::builder();
    /// let (left, right) = (graph.input([8]), graph.input([8]));
    /// let a = left.dense(4).named("encoder");
    /// let b = right.same_layer_as(a);
    /// let model = graph.build([a - b], Seed(1))?;
    /// assert_eq!(model.parameter_count(), 8 * 4 + 4);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[track_caller]
    pub fn same_layer_as(self, other: Node<'g>) -> Node<'g> {
        self.graph.apply_again(self, other, Location::caller())
    }

    /// The shape of one example here; `[]` when something was wrong before.
    pub fn shape(self) -> Shape {
        self.reached().map_or_else(Shape::scalar, |example| example.shape)
    }
}

impl Grow for Node<'_> {
    fn reached(&self) -> Option<Example> {
        self.graph.example(self.value)
    }

    #[track_caller]
    fn push(self, layer: Box<dyn Layer>) -> Self {
        self.graph.single(Block::Layer(layer), &[self], Location::caller())
    }

    fn refuse(self, error: Error) -> Self {
        self.graph.refuse(self.value, error);
        self
    }
}

impl<'g> Add for Node<'g> {
    type Output = Node<'g>;
    #[track_caller]
    fn add(self, other: Node<'g>) -> Node<'g> {
        self.graph.merge(merge::Add, [self, other])
    }
}

impl<'g> Sub for Node<'g> {
    type Output = Node<'g>;
    #[track_caller]
    fn sub(self, other: Node<'g>) -> Node<'g> {
        self.graph.merge(merge::Subtract, [self, other])
    }
}

impl<'g> Mul for Node<'g> {
    type Output = Node<'g>;
    #[track_caller]
    fn mul(self, other: Node<'g>) -> Node<'g> {
        self.graph.merge(merge::Multiply, [self, other])
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node {} {}", self.value, self.shape())
    }
}
