//! Logarithms of determinants, from triangular factors.

use crate::graph::{OpRef, Var};
use crate::matrices::{example, square};
use crate::ops::lu::{Factors, Lu};
use crate::sample::{Entry, Sample};
use wengert_tensor::tensor::Tensor;

impl<'t> Var<'t> {
    /// The sign of the determinant, and the logarithm of its magnitude, neither of which overflows. Of a singular matrix they are
    /// 0 and −∞.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (sign, log) = tape.input(&Tensor::from([[0.0f64, 1e200], [1e200, 0.0]])).slogdet();
    /// assert_eq!(sign.item::<f64>()?, -1.0);
    /// assert!((log.item::<f64>()? - 400.0 * 10f64.ln()).abs() < 1e-10);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn slogdet(self) -> (Var<'t>, Var<'t>) {
        let _call = self.tape.call("slogdet");
        match self.pivots("slogdet") {
            Some((pivots, sign)) => {
                let sign = pivots.sign().prod_axes(-1).mul(sign);
                (self.named("slogdet", sign), self.named("slogdet", pivots.abs().log().sum_axes(-1)))
            }
            None => (self.tape.poison(), self.tape.poison()),
        }
    }

    /// The logarithm of the determinant: −∞ where it is 0, NaN where it is negative.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[2.0f64, 0.0], [0.0, 3.0]]).apply(|x| x.logdet())?;
    /// assert!((y.item::<f64>()? - 6f64.ln()).abs() < 1e-15);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn logdet(self) -> Var<'t> {
        let _call = self.tape.call("logdet");
        let (sign, log) = self.slogdet();
        let negative = sign.lt(sign.filled(0.0));
        self.named("logdet", log.filled(f64::NAN).select(negative, log))
    }

    /// The diagonal of U, and the sign of the permutation.
    #[track_caller]
    fn pivots(self, op: &'static str) -> Option<(Var<'t>, Var<'t>)> {
        if let Err(error) = square(&self.meta()) {
            self.reject(op, error);
            return None;
        }
        let Factors { both, sign, .. } = Factors::of(self.then(OpRef::Static(&Lu)));
        (!self.tape.failed.get()).then(|| (both.diagonal(0), sign))
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let known = || [Tensor::from([[1.0f64, 2.0], [4.0, 4.0]])];
    let rows = || [example(&[2, 3, 3], 0.3)];
    let singular = || [Tensor::from([[1.0f64, 2.0], [2.0, 4.0]])];
    let zeros = || [Tensor::from([[[0.0f64, 1.0], [0.0, 2.0]], [[0.0; 2]; 2]])];
    let entry = |op, samples| Entry::new(op, "determinant.rs", samples);
    vec![
        entry(
            "slogdet",
            vec![
                Sample::new("sign", known(), |_, x| x[0].slogdet().0).gives([-1.]).slopes([0.; 4]),
                Sample::new("logarithm", known(), |_, x| x[0].slogdet().1)
                    .gives([4f64.ln()])
                    .slopes([-1., 1., 0.5, -0.25]),
                Sample::new("batch", rows(), |_, x| x[0].roll(1, 1).slogdet().1),
                Sample::new("singular", singular(), |_, x| x[0].stop_gradient().slogdet().1)
                    .kinked()
                    .gives([f64::NEG_INFINITY]),
                Sample::new("zeros", zeros(), |_, x| x[0].stop_gradient().slogdet().1)
                    .kinked()
                    .gives([f64::NEG_INFINITY; 2]),
                Sample::new("sign of zeros", zeros(), |_, x| x[0].stop_gradient().slogdet().0).kinked().gives([0.; 2]),
            ],
        ),
        entry(
            "logdet",
            vec![
                Sample::new("zeros", zeros(), |_, x| x[0].stop_gradient().logdet())
                    .kinked()
                    .gives([f64::NEG_INFINITY; 2]),
                Sample::new("batch", rows(), |_, x| x[0].logdet()),
                Sample::new("negative", known(), |_, x| x[0].stop_gradient().logdet()).kinked().gives([f64::NAN]),
            ],
        ),
    ]
}
