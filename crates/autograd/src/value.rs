//! Asking for values: the moment at which something is computed.

use crate::debug;
use crate::exec;
use crate::graph::{Leaf, Node, NodeId, Tape, Var};
use crate::report;
use crate::tape::foreign;
use crate::vars::Vars;
use smallvec::SmallVec;
use wengert_tensor::dtype::Element;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

impl Tape {
    /// Computes several values together, by one plan.
    ///
    /// The values stay on the tape: asked for again they are just given, and what is recorded from now on starts from them.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([1.0f32, 2.0]));
    /// let [y, z] = tape.eval([x.exp().log(), x.sum()])?;
    /// assert_eq!(z.item::<f32>()?, 3.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of the tape, or what went wrong while the values were computed.
    pub fn eval<'t, V: Vars<'t>>(&'t self, vars: V) -> Result<V::Of<Tensor>> {
        self.check()?;
        self.asked.set(true);
        let vars = (vars.list(), vars);
        let mut missing: SmallVec<[NodeId; 8]> = SmallVec::new();
        // A donated input that is asked for has an owner by that, and keeps its memory.
        let mut known: SmallVec<[Option<Tensor>; 4]> = SmallVec::new();
        let donations = !self.graph.borrow().donated.is_empty();
        for var in &vars.0 {
            if !self.owns(*var) {
                return Err(foreign());
            }
            let has_value = self.graph.borrow().node(var.id)?.leaf != Node::NO_LEAF;
            if donations {
                known.push(has_value.then(|| self.kept(var.id)).transpose()?);
            }
            if !has_value {
                missing.push(var.id);
            }
        }
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            report::watch(self, &missing);
            debug::watch(self, &missing)?;
            let values = exec::evaluate(self, &missing)?;
            for (id, value) in missing.iter().zip(values) {
                self.keep(*id, value);
            }
        }
        let mut held = known.into_iter();
        let values = vars.0.iter().map(|var| held.next().flatten().map_or_else(|| self.kept(var.id), Ok));
        let values = values.collect::<Result<SmallVec<[Tensor; 4]>>>()?;
        vars.1.collect(values.into_iter()).ok_or_else(|| Error::state("fewer values than were asked for"))
    }

    /// The value of a node that has one.
    fn kept(&self, id: NodeId) -> Result<Tensor> {
        let graph = self.graph.borrow();
        match graph.value(id) {
            Some(Leaf::Tensor(value)) => Ok(value.clone()),
            Some(Leaf::Scalar(value)) => Tensor::full(&graph.node(id)?.meta.shape, *value)
                .map_err(|error| self.frame(id, Error::new(error.kind(), error.message()))),
            Some(Leaf::Spent) => Err(Leaf::spent()),
            Some(Leaf::Argument) | None => Err(Error::state("a value that was not computed")),
        }
    }
}

impl<'t> Var<'t> {
    /// Its value, computed now if it was not before.
    ///
    /// # Errors
    /// The first error of the tape, or what went wrong while the value was computed.
    pub fn value(self) -> Result<Tensor> {
        self.tape.eval(self)
    }

    /// Its value as a number of Rust.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::dtype::DType;
    /// let tape = Tape::new();
    /// let x = tape.scalar(2.0, DType::F32);
    /// assert_eq!((x * x).item::<f32>()?, 4.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Var::value`]; when there is not exactly one element; when `T` is not its element type.
    #[track_caller]
    pub fn item<T: Element>(self) -> Result<T> {
        let location = std::panic::Location::caller();
        self.value()?.item::<T>().map_err(|error| error.at(location))
    }
}
