//! What draws from the tape's key.

use crate::graph::Var;
use crate::meta::floats;
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;
use wengert_tensor::tensor::Tensor;

impl<'t> Var<'t> {
    /// While the tape is training: every element is 0 with probability `rate`, the others are divided by 1 − `rate`, so that
    /// the mean stays. On other tapes it is the value itself.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// let ones = Tensor::ones([1000], DType::F32)?;
    /// let tape = Tape::training(1);
    /// let y = tape.input(&ones).dropout(0.75).value()?.to_vec::<f32>()?;
    /// assert!(y.iter().all(|&y| y == 0.0 || y == 4.0));
    /// assert!((200..300).contains(&y.iter().filter(|&&y| y == 4.0).count()));
    /// assert_eq!(Tape::new().input(&ones).dropout(0.75).value()?.to_vec::<f32>()?, [1.0; 1000]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn dropout(self, rate: f64) -> Var<'t> {
        let _call = self.tape.call("dropout");
        if !(0.0..1.0).contains(&rate) {
            let error = Error::value(format!("a rate of {rate}")).help("a rate is at least 0 and below 1");
            return self.reject("dropout", error);
        }
        if let Err(error) = floats(&self.meta()) {
            return self.reject("dropout", error);
        }
        if !self.tape.is_training() || rate == 0.0 {
            return self;
        }
        let wide = if self.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        let kept = self.tape.uniform(self.shape(), wide).lt(1.0 - rate);
        let y = self.mul(1.0 / (1.0 - rate)).select(kept, self.filled(0.0));
        self.named("dropout", y)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = [Tensor::from([1.0f64, -2.0])];
    vec![Entry::new(
        "dropout",
        "random.rs",
        vec![Sample::new("while not training", x, |_, x| x[0].dropout(0.5)).gives([1., -2.]).slopes([1., 1.])],
    )]
}
