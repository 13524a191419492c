//! `constant`: the same number everywhere, as part of the graph's structure.
//!
//! Rules and compositions use it for the numbers of their formulas, so that the planner can fold them. For a number that
//! may change between steps use a slot ([`Tape::full`]): a constant is part of a plan's key.
//!
//! * shape and dtype: as given
//! * derivative: there is no operand

use crate::class::{Class, IndexFn};
use crate::graph::{Derivative, Graph, NodeId, Op, Tape, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::Scalar;
use wengert_tensor::error::Result;
use wengert_tensor::shape::{IntoShape, Shape};

/// A number that fills a shape.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Constant {
    /// The shape.
    pub shape: Shape,
    /// The number.
    pub value: Scalar,
}

impl Op for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [] = operands(inputs)?;
        Ok(Meta::new(self.shape.clone(), self.value.dtype()))
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Index(IndexFn::Fill(self.value))
    }

    fn derivative(&self) -> Derivative {
        Derivative::None("it has no operand")
    }
}

impl Tape {
    /// A number that fills a shape, as part of the graph's structure: a plan is compiled for its value.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// let tape = Tape::new();
    /// assert_eq!(tape.constant([2], 0.5f32).value()?.to_vec::<f32>()?, [0.5, 0.5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn constant(&self, shape: impl IntoShape, value: impl Into<Scalar>) -> Var<'_> {
        match shape.into_shape() {
            Ok(shape) => self.number(shape, value.into()),
            Err(error) => self.reject("constant", &[], error),
        }
    }

    /// A constant, by the node of an equal one that was recorded shortly before if there is one.
    #[track_caller]
    fn number(&self, shape: Shape, value: Scalar) -> Var<'_> {
        if self.failed.get() {
            return self.poison();
        }
        let known = self.graph.borrow().known_constant(&shape, value);
        match known {
            Some(id) => Var { tape: self, id },
            None => self.new_number(shape, value),
        }
    }

    /// A constant of which the last few are none.
    #[track_caller]
    fn new_number(&self, shape: Shape, value: Scalar) -> Var<'_> {
        let var = self.record(Constant { shape, value }, &[]);
        if var.id != NodeId::POISON {
            let mut graph = self.graph_mut();
            graph.constants.rotate_right(1);
            graph.constants[0] = Some((value, var.id));
        }
        var
    }
}

impl Graph {
    /// An equal constant, if it is one of the last few.
    fn known_constant(&self, shape: &Shape, value: Scalar) -> Option<NodeId> {
        let same = |id: NodeId| self.node(id).is_ok_and(|node| node.meta.shape == *shape);
        self.constants.iter().flatten().find(|(known, id)| *known == value && same(*id)).map(|&(_, id)| id)
    }
}

impl<'t> Var<'t> {
    /// A constant of this value's shape and dtype.
    #[track_caller]
    pub(crate) fn filled(self, value: f64) -> Var<'t> {
        let tape = self.tape;
        let found = {
            let graph = tape.graph.borrow();
            let Ok(node) = graph.node(self.id) else { return tape.poison() };
            let scalar = Scalar::new(node.meta.dtype, value);
            graph.known_constant(&node.meta.shape, scalar).ok_or_else(|| (node.meta.shape.clone(), scalar))
        };
        match found {
            Ok(id) => Var { tape, id },
            Err((shape, scalar)) => tape.new_number(shape, scalar),
        }
    }

    /// This value times a constant.
    #[track_caller]
    pub(crate) fn scaled(self, factor: f64) -> Var<'t> {
        self.mul(self.filled(factor))
    }

    /// This value plus a constant.
    #[track_caller]
    pub(crate) fn shifted(self, summand: f64) -> Var<'t> {
        self.add(self.filled(summand))
    }
}

pub(super) fn entries() -> Vec<Entry> {
    vec![Entry::new(
        "constant",
        "constant.rs",
        vec![
            Sample::new("f32", [], |tape, _| tape.constant([2, 2], 1.5f32)).gives([1.5; 4]),
            Sample::new("bool", [], |tape, _| tape.constant(2, true)).gives([1.0; 2]),
            Sample::new("nothing", [], |tape, _| tape.constant([0, 2], 3i64)).gives([]),
        ],
    )]
}
