//! Powers and norms of matrices.

use crate::graph::Var;
use crate::matrices::{example, matrix, square};
use crate::ops::lu::unit;
use crate::sample::{Entry, Sample};
use wengert_tensor::error::Error;
use wengert_tensor::tensor::Tensor;

/// Which norm of a matrix is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MatrixNorm {
    /// The root of the sum of all squares.
    #[default]
    Frobenius,
    /// The sum of the singular values.
    Nuclear,
    /// The largest singular value.
    Spectral,
    /// The largest sum of magnitudes in a column.
    One,
    /// The largest sum of magnitudes in a row.
    Infinity,
}

impl<'t> Var<'t> {
    /// This square matrix times itself, `n` times in all: the unit matrix for 0, powers of the inverse where n is negative.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[1.0f64, 1.0], [0.0, 1.0]]);
    /// assert_eq!(x.apply(|x| x.matrix_power(5))?.to_vec::<f64>()?, [1.0, 5.0, 0.0, 1.0]);
    /// assert_eq!(x.apply(|x| x.matrix_power(-2))?.to_vec::<f64>()?, [1.0, -2.0, 0.0, 1.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn matrix_power(self, n: i32) -> Var<'t> {
        let _call = self.tape.call("matrix_power");
        const OP: &str = "matrix_power";
        if let Err(error) = square(&self.meta()) {
            return self.reject(OP, error);
        }
        let mut rest = n.unsigned_abs();
        if rest == 0 {
            return self.named(OP, unit(self));
        }
        let mut square = if n < 0 { self.inv() } else { self };
        let mut result: Option<Var<'t>> = None;
        loop {
            if rest & 1 == 1 {
                result = Some(result.map_or(square, |result| result.matmul(square)));
            }
            rest >>= 1;
            match (rest, result) {
                (0, Some(result)) => return self.named(OP, result),
                _ => square = square.matmul(square),
            }
        }
    }

    /// The norm of a matrix, or of each in a batch. Those that are not smooth have the derivatives of their parts: of `svd` at singular
    /// values that are equal, of `max` at ties.
    ///
    /// ```
    /// # use wengert_autograd::{Apply, MatrixNorm};
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[3.0f64, 0.0], [0.0, -4.0]]);
    /// let norm = |norm| x.apply(|x| x.matrix_norm(norm)).and_then(|y| y.item::<f64>());
    /// assert!((norm(MatrixNorm::Frobenius)? - 5.0).abs() < 1e-14);
    /// assert!((norm(MatrixNorm::Nuclear)? - 7.0).abs() < 1e-14);
    /// assert!((norm(MatrixNorm::Spectral)? - 4.0).abs() < 1e-14);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn matrix_norm(self, norm: MatrixNorm) -> Var<'t> {
        let _call = self.tape.call("matrix_norm");
        const OP: &str = "matrix_norm";
        let (rows, columns) = match matrix(&self.meta()) {
            Ok(sizes) => sizes,
            Err(error) => return self.reject(OP, error),
        };
        let sums = !matches!(norm, MatrixNorm::Frobenius | MatrixNorm::Nuclear);
        if sums && (rows == 0 || columns == 0) {
            let error = Error::value(format!("a matrix of {rows} × {columns} has no largest part"));
            return self.reject(OP, error.help("MatrixNorm::Frobenius of it is 0"));
        }
        let y = match norm {
            MatrixNorm::Frobenius => self.norm_axes([-2, -1]),
            MatrixNorm::Nuclear => self.svdvals().sum_axes(-1),
            MatrixNorm::Spectral => self.svdvals().at(-1, 0),
            MatrixNorm::One => self.t().abs().sum_axes(-1).max_axes(-1),
            MatrixNorm::Infinity => self.abs().sum_axes(-1).max_axes(-1),
        };
        self.named(OP, y)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let shear = || [Tensor::from([[1.0f64, 1.0], [0.0, 1.0]])];
    let known = || [Tensor::from([[3.0f64, 0.0], [4.0, 5.0]])];
    let batch = || [example(&[2, 3, 2], 0.3)];
    let entry = |op, samples| Entry::new(op, "matrix.rs", samples);
    vec![
        entry(
            "matrix_power",
            vec![
                Sample::new("6", shear(), |_, x| x[0].matrix_power(6)).gives([1., 6., 0., 1.]),
                Sample::new("1", shear(), |_, x| x[0].matrix_power(1)).slopes([1.; 4]),
                Sample::new("0", shear(), |_, x| x[0].matrix_power(0)).gives([1., 0., 0., 1.]).slopes([0.; 4]),
                Sample::new("-3", [example(&[2, 2, 2], 0.3)], |_, x| x[0].matrix_power(-3)),
            ],
        ),
        entry(
            "matrix_norm",
            vec![
                Sample::new("Frobenius", known(), |_, x| x[0].matrix_norm(MatrixNorm::Frobenius)).gives([50f64.sqrt()]),
                Sample::new("nuclear", known(), |_, x| x[0].matrix_norm(MatrixNorm::Nuclear)).gives([80f64.sqrt()]),
                Sample::new("spectral", known(), |_, x| x[0].matrix_norm(MatrixNorm::Spectral)).gives([45f64.sqrt()]),
                Sample::new("one", known(), |_, x| x[0].matrix_norm(MatrixNorm::One))
                    .kinked()
                    .gives([7.])
                    .slopes([1., 0., 1., 0.]),
                Sample::new("infinity", known(), |_, x| x[0].matrix_norm(MatrixNorm::Infinity))
                    .kinked()
                    .gives([9.])
                    .slopes([0., 0., 1., 1.]),
                Sample::new("batch", batch(), |_, x| x[0].matrix_norm(MatrixNorm::Nuclear)),
            ],
        ),
    ]
}
