//! `normalized`: a softmax that is known, and remembers what it is of. Its gradient needs the probabilities only, so the exponentials are
//! kept for nobody.
//!
//! * operands: the probabilities y along some axes, and what they are of, x, of the same shape
//! * shape, dtype: those of y
//! * derivative: of x, y · (u − Σ u · y) for the cotangent u, summed over the axes; of y, none: it follows from x

use crate::batch::{Batch, shifted};
use crate::class::{Class, View};
use crate::graph::{Derivative, Op, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Accuracy, Entry, Sample};
use wengert_tensor::error::Result;
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::{Axes, Shape};
use wengert_tensor::tensor::Tensor;

/// A softmax over axes, which are sorted.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Normalized {
    /// The axes.
    pub axes: Axes,
}

impl Op for Normalized {
    fn name(&self) -> &'static str {
        "normalized"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["value", "input"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [y, _] = operands(inputs)?;
        Ok(y.clone())
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::View(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let of_input = || {
            // Where all are −∞ the probabilities are NaN, and nobody need ask for them.
            let mean = ct.mul_masked(y).sum_over(self.axes.clone());
            (ct - mean.spread(&y.shape(), &self.axes)).mul_masked(y)
        };
        (i == 1 && x.len() == 2).then(of_input)
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Normalized { axes: shifted(&self.axes) })
    }
}

impl View for Normalized {
    fn view(&self, input: &Layout, _out: &Shape) -> Option<Layout> {
        Some(input.clone())
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, -2.0, 0.5], [0.3, 0.1, -4.0]])];
    vec![
        Entry::new(
            "normalized",
            "normalized.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].softmax(1).square()),
                Sample::new("columns", x(), |_, x| x[0].softmax(0).square()),
                Sample::new("one probability", x(), |_, x| x[0].softmax(1).slice(1, ..1).log()),
            ],
        )
        .accuracy(Accuracy::Body),
    ]
}
