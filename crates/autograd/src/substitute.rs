//! What stands in for a parameter while a layer is recorded: weights that are computed from others.

use crate::graph::{LeafId, NodeId, Tape, Var};
use wengert_tensor::error::Error;
use wengert_tensor::tensor::Tensor;

impl Tape {
    /// Until the guard is dropped, whoever asks for the parameter `id` gets `value`, which is of its shape and dtype.
    /// So a layer computes with a weight that was computed, and knows nothing of it: a normalised one, one with
    /// noise, one that another network made.
    ///
    /// The latest of several substitutes counts. Gradients of the parameter itself are those of the leaf that was
    /// asked for outside.
    ///
    /// ```
    /// use wengert_autograd::{LeafId, Tape};
    /// use wengert_tensor::tensor::Tensor;
    /// let (id, weight) = (LeafId(0), Tensor::from([3.0f32, 4.0]));
    /// let tape = Tape::new();
    /// let w = tape.parameter(id, &weight);
    /// let layer = || tape.parameter(id, &weight).sum();
    /// let y = {
    ///     let _less = tape.substitute(id, w - w.mean());
    ///     layer()
    /// };
    /// assert_eq!(tape.eval([y, layer()])?.map(|y| y.item::<f32>().unwrap()), [0.0, 7.0]);
    /// assert_eq!(y.backward().at(id).value()?.shape().dims(), [2]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn substitute<'t>(&'t self, id: LeafId, value: Var<'t>) -> Substitute<'t> {
        if !self.failed.get() && !self.owns(value) {
            self.reject("substitute", &[], crate::tape::foreign());
        }
        let entry = (id, value.id);
        self.substitutes.borrow_mut().push(entry);
        Substitute { tape: self, entry }
    }

    /// What stands in for a parameter, if anything does.
    #[track_caller]
    pub(crate) fn stand_in(&self, id: LeafId, parameter: &Tensor) -> Option<Var<'_>> {
        let node = self.substitutes.borrow().iter().rev().find(|(known, _)| *known == id)?.1;
        if self.failed.get() {
            return Some(self.poison());
        }
        let var = Var { tape: self, id: node };
        let meta = var.meta();
        if &meta.shape != parameter.shape() || meta.dtype != parameter.dtype() {
            let (shape, dtype) = (parameter.shape(), parameter.dtype());
            let error = Error::shape(format!("{meta} stands in for a parameter that is {shape} {dtype}"));
            return Some(self.reject(
                "substitute",
                &[("value", var)],
                error.help("a substitute has its shape and dtype"),
            ));
        }
        Some(var)
    }
}

/// Takes the substitute away when it is dropped. See [`Tape::substitute`].
#[derive(Debug)]
#[must_use = "the substitute is taken away when the guard is dropped"]
pub struct Substitute<'t> {
    tape: &'t Tape,
    entry: (LeafId, NodeId),
}

impl Drop for Substitute<'_> {
    fn drop(&mut self) {
        let mut list = self.tape.substitutes.borrow_mut();
        if let Some(place) = list.iter().rposition(|entry| *entry == self.entry) {
            list.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::error::Result;

    #[test]
    fn the_latest_counts_and_guards_may_go_in_any_order() -> Result<()> {
        let (id, weight) = (LeafId(7), Tensor::from([1f64]));
        let tape = Tape::new();
        let ask = || tape.parameter(id, &weight).item::<f64>();
        let w = tape.parameter(id, &weight);
        let (two, three) = (tape.substitute(id, w * 2.0), tape.substitute(id, w * 3.0));
        assert_eq!(ask()?, 3.0);
        drop(two);
        assert_eq!(ask()?, 3.0);
        drop(three);
        assert_eq!(ask()?, 1.0);
        assert_eq!(tape.parameters().len(), 1);
        Ok(())
    }

    #[test]
    fn another_shape_is_an_error() {
        let (id, weight) = (LeafId(7), Tensor::from([1f64]));
        let tape = Tape::new();
        let w = tape.parameter(id, &weight);
        let _guard = tape.substitute(id, w.sum());
        tape.parameter(id, &weight);
        let told = tape.error().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains("[] f64 stands in for a parameter that is [1] f64"), "{told}");
    }
}
