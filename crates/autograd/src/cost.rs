//! What an op costs, as far as its class says: the operations of its formula, whatever the plan makes of it.

use crate::class::{Class, IndexFn};
use crate::meta::Meta;
use smallvec::SmallVec;
use wengert_tensor::shape::Shape;

impl Class<'_> {
    /// Operations on numbers, by the formula: 2·m·n·k for a product of matrices, which a convolution is, too; one for each element of a
    /// function of elements, and for each that is reduced; none for a view, a cast, a leaf. An op's own kernel says itself: a running sum
    /// counts one for each element, a sort its comparisons, a transform 5 n log₂ n, a factorization what its books say, a loop the ops of
    /// all its runs. `None` for one that does not say.
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
            Class::Kernel(kernel) => {
                let shapes: SmallVec<[&Shape; 4]> = inputs.iter().map(|meta| &meta.shape).collect();
                kernel.flops(&shapes, &output.shape)
            }
        }
    }
}

/// `each` for every element.
pub(crate) fn per_element(shape: &Shape, each: u64) -> Option<u64> {
    Some(shape.len() as u64 * each)
}

/// What a search among `n` takes, or a place in a sort of them: ⌈log₂ n⌉ comparisons.
pub(crate) fn comparisons(n: usize) -> u64 {
    u64::from(n.max(1).next_power_of_two().trailing_zeros())
}

/// The cost of each matrix `[…, m, n]`, for all of them.
#[cfg(feature = "linalg")]
pub(crate) fn per_matrix(shape: Option<&&Shape>, cost: impl Fn(f64, f64) -> f64) -> Option<u64> {
    let (&[m, n], batch) = shape?.split_last_chunk().map(|(batch, matrix)| (matrix, batch))?;
    Some((batch.iter().product::<usize>() as f64 * cost(m as f64, n as f64)).round() as u64)
}

#[cfg(test)]
mod tests {
    use crate::graph::{Tape, Var};
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;

    /// The operations of the nodes of this name.
    fn flops(name: &str, record: impl for<'t> Fn(&'t Tape) -> Var<'t>) -> Result<Vec<Option<u64>>> {
        let tape = Tape::new();
        let y = record(&tape);
        Ok(tape.recorded(y)?.nodes.into_iter().filter(|node| node.name == name).map(|node| node.flops).collect())
    }

    #[test]
    fn kernels_count_by_their_formulas() -> Result<()> {
        assert_eq!(flops("cumsum", |t| t.full([3, 8], 1.0, DType::F32).cumsum(1))?, [Some(24)]);
        assert_eq!(flops("argsort", |t| t.full([3, 8], 1.0, DType::F32).argsort(1, false))?, [Some(3 * 8 * 3)]);
        assert_eq!(flops("argmax", |t| t.full([3, 8], 1.0, DType::F32).argmax(1))?, [Some(24)]);
        let picked = flops("gather", |t| t.full([4, 2], 1.0, DType::F32).gather(0, t.full([5], 0.0, DType::I64)))?;
        assert_eq!(picked, [Some(0)]);
        #[cfg(feature = "linalg")]
        assert_eq!(flops("cholesky", |t| t.full([2, 6, 6], 1.0, DType::F64).cholesky())?, [Some(2 * 6 * 6 * 6 / 3)]);
        #[cfg(feature = "fft")]
        {
            let spectrum = flops("rfft", |t| t.full([3, 8], 1.0, DType::F64).rfft(1, crate::FftNorm::Backward))?;
            assert_eq!(spectrum, [Some(3 * 5 * 8 * 3 / 2)]);
        }
        Ok(())
    }

    #[test]
    fn a_loop_counts_the_ops_of_all_its_runs() -> Result<()> {
        let scanned = flops("scan", |tape| {
            let (w, x) = (tape.full([4, 4], 1.0, DType::F32), tape.full([10, 2, 4], 1.0, DType::F32));
            let start = tape.full([2, 4], 0.0, DType::F32);
            let ([last], [_]) = tape.scan([start], [x], |[h], [x]| {
                let next = (h.matmul(w) + x).tanh();
                ([next], [next])
            });
            last
        })?;
        assert_eq!(scanned, [Some(10 * (2 * 2 * 4 * 4 + 2 * 4 + 2 * 4))]);
        Ok(())
    }
}
