//! `winner`: for each place of an axis, which of the elements that are sent there stays.
//!
//! The result is the number of that element along the axis, or −1 where none is sent. Setting, and the extremes, are a choice of one
//! element for each place; with the choice known, both they and their derivatives are plain picking.
//!
//! * operands: the elements, and the i64 index of each along the axis; both of one shape
//! * shape: theirs, with the size of the axis as given; dtype: i64
//! * derivative: none: it is an index

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_element;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{Blocks, checked, views, with_type};
use crate::meta::{Meta, indices, operands};
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::{DType, Element};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Which element stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stays {
    /// The last one.
    Last,
    /// The first of the largest; NaN is larger than all.
    Largest,
    /// The first of the smallest; NaN is smaller than all.
    Smallest,
}

/// The numbers of the elements that stay.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Winner {
    /// The axis.
    pub axis: usize,
    /// Its size in the result.
    pub size: usize,
    /// Which one stays.
    pub stays: Stays,
}

impl Op for Winner {
    fn name(&self) -> &'static str {
        "winner"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["source", "indices"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [source, index] = operands(inputs)?;
        indices(index)?;
        if source.shape != index.shape {
            return Err(Error::shape(format!("{} elements for the indices {}", source.shape, index.shape)));
        }
        if self.axis >= source.shape.rank() {
            return Err(Error::axis(format!("axis {} is out of range for {}", self.axis, source.shape)));
        }
        Ok(Meta::new(source.shape.with(self.axis, self.size)?, DType::I64))
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::None("its result is an index")
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Winner { axis: self.axis + 1, ..*self })
    }
}

impl Kernel for Winner {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [source, index] = views(inputs)?;
        let Blocks { size: count, inner } = Blocks::around(index.shape(), self.axis, 1);
        let picks = index.as_slice::<i64>()?;
        for (flat, &i) in picks.iter().enumerate() {
            checked("index", i, self.size, flat, index.shape())?;
        }
        let dst = out.as_mut_slice::<i64>()?;
        dst.fill(-1);
        with_type!(source.dtype(), T => {
            let values = source.as_slice::<T>()?;
            let better = |new: usize, old: usize| {
                let (Some(&new), Some(&old)) = (values.get(new), values.get(old)) else { return false };
                let (new, old) = (T::from_stored(new).to_f64(), T::from_stored(old).to_f64());
                match self.stays {
                    Stays::Last => true,
                    Stays::Largest => !old.is_nan() && (new.is_nan() || new > old),
                    Stays::Smallest => !old.is_nan() && (new.is_nan() || new < old),
                }
            };
            for (flat, &i) in picks.iter().enumerate() {
                let (row, column) = (flat / inner.max(1), flat % inner.max(1));
                let (lane, along) = (row / count.max(1), row % count.max(1));
                let place = (lane * self.size + i as usize) * inner + column;
                let Some(place) = dst.get_mut(place) else { continue };
                let stays = usize::try_from(*place).ok().map(|old| (lane * count + old) * inner + column);
                if stays.is_none_or(|old| better(flat, old)) {
                    *place = along as i64;
                }
            }
        });
        Ok(())
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        inputs.first().and_then(|x| per_element(x, 1))
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let inputs = || {
        [
            Tensor::from([[1.0f64, 5.0], [3.0, 4.0], [2.0, f64::NAN]]),
            Tensor::from([[0.0f64, 1.0], [0.0, 1.0], [2.0, 1.0]]),
        ]
    };
    let case = |name, run: crate::sample::Run| Sample::new(name, inputs(), run);
    vec![Entry::new(
        "winner",
        "winner.rs",
        vec![
            case("last", |tape, x| {
                tape.record(Winner { axis: 0, size: 3, stays: Stays::Last }, &[x[0], x[1].round().cast(DType::I64)])
            })
            .gives([1., -1., -1., 2., 2., -1.]),
            case("largest", |tape, x| {
                tape.record(Winner { axis: 0, size: 3, stays: Stays::Largest }, &[x[0], x[1].round().cast(DType::I64)])
            })
            .gives([1., -1., -1., 2., 2., -1.]),
            case("smallest", |tape, x| {
                tape.record(Winner { axis: 0, size: 3, stays: Stays::Smallest }, &[x[0], x[1].round().cast(DType::I64)])
            })
            .gives([0., -1., -1., 2., 2., -1.]),
        ],
    )]
}
