//! The gradients of a loss by the parameters of a model.

use crate::graph::{LeafId, Tape, Var};
use smallvec::SmallVec;
use std::ops::Index;
use wengert_tensor::error::Error;

/// ∂loss/∂w for every parameter w that was used on the tape, in the order of their first use. All of it is graph: clip
/// it, print it, differentiate it again.
#[derive(Clone, Debug)]
pub struct Gradients<'t> {
    loss: Var<'t>,
    entries: SmallVec<[(LeafId, Var<'t>); 12]>,
    missing: Var<'t>,
}

impl<'t> Gradients<'t> {
    pub(crate) fn new(loss: Var<'t>, entries: impl Iterator<Item = (LeafId, Var<'t>)>) -> Gradients<'t> {
        Gradients { loss, entries: entries.collect(), missing: loss.tape.poison() }
    }

    /// What was differentiated.
    pub fn loss(&self) -> Var<'t> {
        self.loss
    }

    /// Its tape.
    pub fn tape(&self) -> &'t Tape {
        self.loss.tape()
    }

    /// The number of parameters.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no parameter was used.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The gradient by a parameter; `None` when it was not used on the tape before `backward`.
    pub fn get(&self, id: LeafId) -> Option<Var<'t>> {
        self.find(id).copied()
    }

    /// As [`Gradients::get`], for indexing: a parameter that was not used fails the tape.
    #[track_caller]
    pub fn at(&self, id: LeafId) -> &Var<'t> {
        match self.find(id) {
            Some(found) => found,
            None => {
                let error = Error::state(format!("parameter #{} was not used on this tape", id.0));
                self.tape().fail(error.op("gradient").help("only what was recorded before .backward() has a gradient"));
                &self.missing
            }
        }
    }

    fn find(&self, id: LeafId) -> Option<&Var<'t>> {
        let place = self.tape().graph.borrow().parameter_places.get(&id).copied()?;
        // All parameters of the tape in their order, unless somebody picked some.
        let found = self.entries.get(place).filter(|(at, _)| *at == id);
        found.or_else(|| self.entries.iter().find(|(at, _)| *at == id)).map(|(_, gradient)| gradient)
    }

    /// Every parameter with its gradient.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (LeafId, Var<'t>)> + '_ {
        self.entries.iter().copied()
    }

    /// Those of some parameters only.
    pub fn only(self, wanted: impl Fn(LeafId) -> bool) -> Gradients<'t> {
        let entries = self.entries.into_iter().filter(|(id, _)| wanted(*id)).collect();
        Gradients { entries, ..self }
    }

    /// The sum of all elements of all gradients, a single number.
    ///
    /// ```
    /// # use wengert_autograd::{LeafId, Tape};
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let w = tape.parameter(LeafId(1), &Tensor::from([3.0f32, -4.0]));
    /// let gradients = (w.square() * 0.5).sum().backward();
    /// let norm = gradients.map(|g| g.square()).sum().sqrt();
    /// assert_eq!(norm.item::<f32>()?, 5.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn sum(&self) -> Var<'t> {
        let parts = self.entries.iter().map(|(_, gradient)| gradient.sum());
        parts.reduce(|sum, part| sum.add(part)).unwrap_or_else(|| self.loss.zeros_like())
    }

    /// The same with every gradient changed: scaled, clipped, perturbed.
    ///
    /// ```
    /// # use wengert_autograd::{LeafId, Tape};
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let w = tape.parameter(LeafId(1), &Tensor::from([3.0f32]));
    /// let clipped = w.square().sum().backward().map(|g| g.clamp(-1.0, 1.0));
    /// assert_eq!(clipped[LeafId(1)].item::<f32>()?, 1.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn map(self, mut change: impl FnMut(Var<'t>) -> Var<'t>) -> Gradients<'t> {
        let entries = self.entries.into_iter().map(|(id, gradient)| (id, change(gradient))).collect();
        Gradients { entries, ..self }
    }
}

impl<'t> Index<LeafId> for Gradients<'t> {
    type Output = Var<'t>;

    #[track_caller]
    fn index(&self, id: LeafId) -> &Var<'t> {
        self.at(id)
    }
}
