//! What an op costs, as far as its class says: the operations of its formula, whatever the plan makes of it.

use crate::class::{Class, IndexFn};
use crate::meta::Meta;

impl Class<'_> {
    /// Operations on numbers, by the formula: 2·m·n·k for a product of matrices, which a convolution is, too; one for each element of a
    /// function of elements, and for each that is reduced; none for a view, a cast, a leaf. `None` for an op's own kernel, which does not
    /// say.
    ///
    /// ```
    /// use wengert_autograd::{Class, Meta};
    /// use wengert_tensor::{dtype::DType, shape::Shape};
    /// let meta = |shape: [usize; 2]| Shape::new(shape).map(|shape| Meta::new(shape, DType::F32));
    /// let (a, b, c) = (meta([8, 16])?, meta([16, 4])?, meta([8, 4])?);
    /// assert_eq!(Class::MatMul.flops(&[&a, &b], &c), Some(2 * 8 * 16 * 4));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn flops(&self, inputs: &[&Meta], output: &Meta) -> Option<u64> {
        let elements = output.shape.len() as u64;
        match self {
            Class::Leaf | Class::Cast(_) | Class::View(_) => Some(0),
            Class::Index(IndexFn::Iota { .. } | IndexFn::Fill(_)) => Some(0),
            Class::Map(_) | Class::Index(_) => Some(elements),
            Class::Reduce { .. } => inputs.first().map(|x| x.shape.len() as u64),
            Class::MatMul => {
                let k = inputs.first().and_then(|a| a.shape.last()).copied().unwrap_or(0) as u64;
                Some(elements.saturating_mul(2).saturating_mul(k))
            }
            Class::Kernel(_) => None,
        }
    }
}
