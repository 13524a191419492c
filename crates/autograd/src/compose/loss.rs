//! What losses need of labels.

use crate::compose::widened;
use crate::graph::Var;
use crate::meta::indices;
use crate::operand::{Like, Operand};
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;
use wengert_tensor::tensor::Tensor;

/// What to do about a label that is out of range.
const LABELS: &str =
    "the scores are of {size} classes, counted from 0: `labels - 1` counts labels that start at 1 from 0";
const ONE_HOT: &str = "labels of {size} classes count from 0";

impl<'t> Var<'t> {
    /// Labels as rows of zeros with a single 1, in f32: the classes are a new last axis.
    ///
    /// A label outside of `0..classes` is an error when the value is computed.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([2i64, 0]).apply(|x| x.one_hot(3))?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn one_hot(self, classes: usize) -> Var<'t> {
        let _call = self.tape.call("one_hot");
        if let Err(error) = indices(&self.meta()) {
            return self.reject("one_hot", error);
        }
        let checked = self.named("one_hot", self.check_index_or(classes, "label", ONE_HOT));
        let y = checked.marks(classes).cast(DType::F32);
        self.named("one_hot", y)
    }

    /// For labels that are in range: true at the label's place along a new last axis.
    #[track_caller]
    fn marks(self, classes: usize) -> Var<'t> {
        match self.shape().insert(self.rank(), classes) {
            Ok(shape) => self.unsqueeze(-1).eq(self.tape.iota(shape, -1, DType::I64)),
            Err(error) => self.reject("one_hot", error),
        }
    }

    /// The mean over all examples of −ln softmax(x) at the label: the loss of a classifier from its raw scores.
    ///
    /// The classes are the last axis; the labels are i64 and have the axes before it. A label outside of the classes is an
    /// error when the value is computed, which says which one.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let scores = Tensor::from([[0.0f32, 0.0], [1000.0, 0.0]]);
    /// let loss = scores.apply(|x| x.cross_entropy(&Tensor::from([1i64, 0])))?;
    /// assert_eq!(loss.item::<f32>()?, 2f32.ln() / 2.0);
    /// let e = scores.apply(|x| x.cross_entropy(&Tensor::from([1i64, 2]))).unwrap_err();
    /// assert_eq!(e.message(), "label 2 at 1 is outside 0..2");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn cross_entropy(self, labels: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("cross_entropy");
        const OP: &str = "cross_entropy";
        let labels = labels.into_var(self.tape, Like::of(self).with_dtype(DType::I64).single());
        let Some(axes) = self.class_axis(OP, -1) else { return self.tape.poison() };
        let shape = self.shape();
        let operands = [("scores", self), ("labels", labels)];
        if let Err(error) = indices(&labels.meta()) {
            return self.tape.reject(OP, &operands, error);
        }
        if labels.shape() != shape.without(&axes) {
            let error = Error::shape(format!("{} needs labels {}", shape, shape.without(&axes)));
            return self.tape.reject(OP, &operands, error.help("the classes are the last axis of the scores"));
        }
        if shape.is_empty() {
            let error = Error::value("the mean loss of an empty batch");
            return self.tape.reject(OP, &operands, error.help("leave the empty batch out"));
        }
        let classes = self.dim(-1);
        let marked = labels.named(OP, labels.check_index_or(classes, "label", LABELS)).marks(classes);
        let loss = widened(self, |x| {
            let below = x.below_max(&axes);
            let normaliser = below.exp().sum_over(axes.clone()).log();
            let score = below.select(marked, below.filled(0.0)).sum_over(axes);
            (normaliser - score).mean()
        });
        self.named(OP, loss)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let labels = || Tensor::from([2i64, 0]);
    let scores = || Tensor::from([[1.0f64, -2.0, 0.5], [0.3, 0.1, -4.0]]);
    vec![
        Entry::new(
            "one_hot",
            "loss.rs",
            vec![Sample::new("two", [labels()], |_, x| x[0].one_hot(3)).gives([0., 0., 1., 1., 0., 0.])],
        ),
        Entry::new(
            "cross_entropy",
            "loss.rs",
            vec![Sample::new("f64", [scores(), labels()], |_, x| x[0].cross_entropy(x[1]))],
        ),
    ]
}
