//! `convolved`: a convolution, computed as a product of matrices, that remembers what was convolved. Its gradient is a transposed
//! convolution of the cotangent, which needs no sum of overlapping windows where windows are a step apart.
//!
//! * operands: the result of the product, the input `[examples, channels, n…]` and the weight `[outputs, channels / groups, kernel…]`
//! * shape, dtype: those of the result
//! * derivative: of the input a transposed convolution with the weight, of the weight a product of the cotangent and the windows

use crate::batch::Batch;
use crate::class::{Class, View};
use crate::compose::conv::Conv;
use crate::graph::{Derivative, Op, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Accuracy, Entry, Sample};
use wengert_tensor::error::Result;
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The convolution of an input with a weight, whose value is known.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Convolved {
    /// How the kernel goes over the input.
    pub options: Conv,
    /// How many axes of examples the operands have in front of those of the convolution.
    pub(crate) batches: usize,
}

impl Op for Convolved {
    fn name(&self) -> &'static str {
        "convolved"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["value", "input", "weight"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [y, _, _] = operands(inputs)?;
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

    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], _y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let (input, weight) = (*x.get(1)?, *x.get(2)?);
        (i > 0).then(|| self.cotangent(self.batches, i == 1, [input, weight, ct]))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Convolved { options: self.options.clone(), batches: self.batches + 1 })
    }
}

impl Convolved {
    /// The cotangent of the input, or of the weight.
    fn cotangent<'t>(&self, batches: usize, of_input: bool, [input, weight, ct]: [Var<'t>; 3]) -> Var<'t> {
        match (batches, of_input) {
            (0, true) => input.conv_input_cotangent(weight, ct, &self.options),
            (0, false) => input.conv_weight_cotangent(weight, ct, &self.options),
            _ => ct.tape.vmap([input, weight, ct], |one| self.cotangent(batches - 1, of_input, one)),
        }
    }
}

impl View for Convolved {
    fn view(&self, input: &Layout, _out: &Shape) -> Option<Layout> {
        Some(input.clone())
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let wave =
        |dims: &[usize]| Tensor::from_fn(dims, |i| (i as f64 * 1.3).cos()).unwrap_or_else(|_| Tensor::from(0.0f64));
    vec![
        Entry::new(
            "convolved",
            "convolved.rs",
            vec![
                Sample::new("a step apart", [wave(&[2, 2, 4, 3]), wave(&[3, 2, 2, 2])], |_, x| {
                    x[0].conv(x[1], Conv::new()).square()
                }),
                Sample::new("padded, in groups", [wave(&[1, 4, 3, 3]), wave(&[2, 2, 3, 2])], |_, x| {
                    x[0].conv(x[1], Conv::new().padding([(1, 2), (0, 1)]).groups(2)).square()
                }),
                Sample::new("more padding than a window", [wave(&[1, 1, 2]), wave(&[2, 1, 2])], |_, x| {
                    x[0].conv(x[1], Conv::new().padding([(3, 2)])).square()
                }),
                Sample::new("dilated", [wave(&[1, 1, 6]), wave(&[1, 1, 2])], |_, x| {
                    x[0].conv(x[1], Conv::new().dilation(2).padding(1)).square()
                }),
                Sample::new("one window", [wave(&[1, 2, 3, 3]), wave(&[2, 2, 3, 3])], |_, x| {
                    x[0].conv(x[1], Conv::new()).square()
                }),
                Sample::new("two steps apart", [wave(&[1, 1, 6]), wave(&[2, 1, 3])], |_, x| {
                    x[0].conv(x[1], Conv::new().stride(2)).square()
                }),
            ],
        )
        .accuracy(Accuracy::Body),
    ]
}
