//! Branches: several layers of one input, whose outputs are merged.

use std::fmt;

use wengert_autograd::{Conv, Pool, Var};

use super::case::Case;
use super::concat::Concat;
use super::conv::Conv2d;
use super::dense::Dense;
use super::max_pool::MaxPool;
use super::merge::{Add, Merge};
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut, enter};

/// y = merge(f₀(x), f₁(x), …): every branch sees the input, and their outputs become one.
///
/// The parameters of the branches are named by their places, as those of a `ModuleList` of PyTorch: `0.weight`; those of a merge, if it has
/// any, `merge.….`
///
/// ```
/// use wengert_autograd::Pool;
/// use wengert_nn::{layer::Layer, layers::{concat::Concat, conv::Conv2d, max_pool::MaxPool, parallel::Parallel}};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let inception = Parallel::new(Concat::new(1))
///     .branch(Conv2d::new(3, 8, 1))
///     .branch(Conv2d::new(3, 4, 3).padding(1))
///     .branch(MaxPool::new(Pool::new(3).stride(1).padding(1)));
/// let images = Tensor::zeros([2, 3, 5, 5], DType::F32)?;
/// assert_eq!(inception.predict(&images)?.shape().dims(), [2, 15, 5, 5]);
/// # Ok(())
/// # }
/// ```
pub struct Parallel {
    branches: Vec<Box<dyn Layer>>,
    merge: Box<dyn Merge>,
}

impl Parallel {
    /// Branches, to be added, whose outputs are merged so.
    pub fn new(merge: impl Merge + 'static) -> Parallel {
        Parallel { branches: Vec::new(), merge: Box::new(merge) }
    }

    /// One more branch.
    #[must_use]
    pub fn branch(mut self, layer: impl Layer + 'static) -> Parallel {
        self.branches.push(Box::new(layer));
        self
    }

    /// The branches in order.
    pub fn branches(&self) -> &[Box<dyn Layer>] {
        &self.branches
    }
}

impl fmt::Debug for Parallel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let branches: Vec<&str> = self.branches.iter().map(|layer| layer.type_name()).collect();
        f.debug_struct("Parallel").field("merge", &self.merge.type_name()).field("branches", &branches).finish()
    }
}

impl Module for Parallel {
    fn type_name(&self) -> &'static str {
        "Parallel"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        for (index, layer) in self.branches.iter().enumerate() {
            at.item(index, layer);
        }
        at.field("merge", &self.merge);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        for (index, layer) in self.branches.iter_mut().enumerate() {
            at.item(index, layer);
        }
        at.field("merge", &mut self.merge);
    }
}

impl Layer for Parallel {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let mut ys = Vec::with_capacity(self.branches.len());
        for (index, layer) in self.branches.iter().enumerate() {
            let _scope = enter(tape, index, layer);
            ys.push(layer.forward(x));
        }
        self.merge.merge(tape, &ys)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let sum = Parallel::new(Add).branch(Dense::new(3, 2)).branch(Dense::new(3, 2).without_bias());
    let same = Pool::new(3).stride(1).padding(1);
    let conv = Conv2d::new(2, 1, 3).options(Conv::new().padding(1));
    let images = Parallel::new(Concat::new(1)).branch(conv).branch(MaxPool::new(same));
    vec![
        Case::new("parallel", "sum", sum, [&[4, 3], &[4, 2]], &["0.weight", "0.bias", "1.weight"]),
        Case::new("parallel", "images", images, [&[2, 2, 4, 3], &[2, 3, 4, 3]], &["0.weight", "0.bias"]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::tensor::Tensor;

    use super::*;

    #[test]
    fn bad_branches_are_told() -> Result<()> {
        let x = Tensor::zeros([2, 3], DType::F32)?;
        let text = |layer: Parallel| layer.predict(&x).map_or_else(|error| error.to_string(), |_| String::new());
        let none = text(Parallel::new(Add));
        assert!(none.contains("at least one input"), "{none}");
        let unlike = text(Parallel::new(Add).branch(Dense::new(3, 2)).branch(Dense::new(3, 4)));
        assert!(unlike.contains("[2, 2] and [2, 4] do not fit") && unlike.contains("Parallel"), "{unlike}");
        let inner = text(Parallel::new(Add).branch(Dense::new(3, 2)).branch(Dense::new(5, 2)));
        assert!(inner.contains("takes 5 inputs, not 3") && inner.contains("1 (Dense)"), "{inner}");
        Ok(())
    }
}
