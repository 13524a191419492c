//! Matrices by their diagonals: what stands on one, above it or below it. A matrix is the last two axes.
//!
//! Diagonal k holds the elements whose column is k more than their row: 0 is the main one, k > 0 are above it.

use crate::graph::{Tape, Var};
use crate::sample::{Entry, Sample};
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

impl<'t> Var<'t> {
    /// The part of a matrix on and below diagonal `k`; the rest is 0.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1i64, 2, 3], [4, 5, 6]]).apply(|x| x.tril(0))?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, 0, 0, 4, 5, 0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn tril(self, k: isize) -> Var<'t> {
        let _call = self.tape.call("tril");
        self.banded("tril", k, |shifted, column| shifted.ge(column))
    }

    /// The part of a matrix on and above diagonal `k`; the rest is 0.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1i64, 2, 3], [4, 5, 6]]).apply(|x| x.triu(1))?;
    /// assert_eq!(y.to_vec::<i64>()?, [0, 2, 3, 0, 0, 6]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn triu(self, k: isize) -> Var<'t> {
        let _call = self.tape.call("triu");
        self.banded("triu", k, |shifted, column| shifted.le(column))
    }

    #[track_caller]
    fn banded(self, op: &'static str, k: isize, kept: impl FnOnce(Var<'t>, Var<'t>) -> Var<'t>) -> Var<'t> {
        let shape = self.shape();
        let (rows, columns) = match matrix(&shape) {
            Ok(sizes) => sizes,
            Err(error) => return self.reject(op, error),
        };
        // Further away than this there is nothing.
        let most = rows.max(columns) as isize;
        let [row, column] = [-2, -1].map(|axis| self.tape.iota(&shape, axis, DType::I64));
        self.named(op, self.select(kept(row + k.clamp(-most, most) as i64, column), self.filled(0.0)))
    }

    /// Diagonal `k` of a matrix, as a new last axis in the place of its two. It may be empty.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[1i64, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.apply(|x| x.diagonal(0))?.to_vec::<i64>()?, [1, 5]);
    /// assert_eq!(x.apply(|x| x.diagonal(1))?.to_vec::<i64>()?, [2, 6]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn diagonal(self, k: isize) -> Var<'t> {
        let _call = self.tape.call("diagonal");
        let shape = self.shape();
        let (rows, columns) = match matrix(&shape) {
            Ok(sizes) => sizes,
            Err(error) => return self.reject("diagonal", error),
        };
        let (down, right) = apart(k);
        let count = rows.saturating_sub(down).min(columns.saturating_sub(right));
        let flat = self.flatten_from(shape.rank() as isize - 2);
        let y = match count {
            0 => flat.slice(-1, ..0),
            // One row further is one element more than a row.
            _ => {
                let start = down * columns + right;
                flat.slice_step(-1, start..start + (count - 1) * (columns + 1) + 1, columns + 1)
            }
        };
        self.named("diagonal", y)
    }

    /// Square matrices with the last axis as their diagonal `k`, and 0 elsewhere.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1i64, 2], [3, 4]]).apply(|x| x.diag_embed(0))?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, 0, 0, 2, 3, 0, 0, 4]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn diag_embed(self, k: isize) -> Var<'t> {
        let _call = self.tape.call("diag_embed");
        match self.embedded(k) {
            Ok(y) => self.named("diag_embed", y),
            Err(error) => self.reject("diag_embed", error),
        }
    }

    /// Of a vector, the square matrix with it as diagonal `k`; of a matrix, its diagonal `k`.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1i64, 2]).apply(|x| x.diag(-1))?;
    /// assert_eq!(y.to_vec::<i64>()?, [0, 0, 0, 1, 0, 0, 0, 2, 0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn diag(self, k: isize) -> Var<'t> {
        let _call = self.tape.call("diag");
        match self.rank() {
            1 => self.named("diag", self.diag_embed(k)),
            2 => self.named("diag", self.diagonal(k)),
            _ => {
                let error = Error::shape(format!("takes a vector or a matrix, not {}", self.shape()));
                self.reject("diag", error.help("for a batch there are .diagonal(k) and .diag_embed(k)"))
            }
        }
    }

    /// The sum of the main diagonal of a matrix.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// assert_eq!(Tensor::from([[1i64, 2], [3, 4]]).apply(|x| x.trace())?.item::<i64>()?, 5);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn trace(self) -> Var<'t> {
        let _call = self.tape.call("trace");
        match matrix(&self.shape()) {
            Ok(_) => self.named("trace", self.diagonal(0).sum_axes(-1)),
            Err(error) => self.reject("trace", error),
        }
    }

    #[track_caller]
    fn embedded(self, k: isize) -> Result<Var<'t>> {
        let shape = self.shape();
        let Some((&count, before)) = shape.split_last() else {
            return Err(Error::shape("a single number is no diagonal").help("reshape([1]) makes it a vector"));
        };
        let size = count.saturating_add(k.unsigned_abs());
        let dims: SmallVec<[usize; 4]> = before.iter().copied().chain([size, size]).collect();
        let whole = Shape::new(dims)?;
        let (down, right) = apart(k);
        let start = down * size + right;
        let covered = count.saturating_sub(1) * (size + 1) + usize::from(count > 0);
        let flat = match count {
            0 => self.pad(-1, size * size, 0, 0.0),
            _ => self.pad_apart(shape.rank() - 1, start, size * size - start - covered, size, 0.0),
        };
        Ok(flat.reshape(whole))
    }
}

impl Tape {
    /// The unit matrix of `n` rows.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::dtype::DType;
    /// let tape = Tape::new();
    /// assert_eq!(tape.eye(2, DType::F32).value()?.to_vec::<f32>()?, [1.0, 0.0, 0.0, 1.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "identity")]
    #[track_caller]
    pub fn eye(&self, n: usize, dtype: DType) -> Var<'_> {
        let _call = self.call("eye");
        let start = self.len();
        let place = |axis| self.iota([n, n], axis, DType::I64);
        self.label(place(0).eq(place(1)).cast(dtype), "eye", start)
    }
}

/// How many rows below and columns to the right of the first element diagonal `k` starts.
fn apart(k: isize) -> (usize, usize) {
    match k < 0 {
        true => (k.unsigned_abs(), 0),
        false => (0, k.unsigned_abs()),
    }
}

/// The sizes of the last two axes.
pub(super) fn matrix(shape: &Shape) -> Result<(usize, usize)> {
    match shape.split_last_chunk() {
        Some((_, &[rows, columns])) => Ok((rows, columns)),
        None => Err(Error::shape(format!("{shape} is no matrix")).help("unsqueeze makes it one")),
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]])];
    let row = || [Tensor::from([[1.0f64, 2.0], [3.0, 4.0]])];
    let bad = || [Tensor::from([[1.0f64, f64::NAN], [f64::INFINITY, 4.0]])];
    let entry = |op, samples| Entry::new(op, "band.rs", samples);
    vec![
        entry(
            "tril",
            vec![
                Sample::new("main", x(), |_, x| x[0].tril(0).square()).gives([1., 0., 0., 16., 25., 0.]),
                Sample::new("below", x(), |_, x| x[0].tril(-1)).gives([0., 0., 0., 4., 0., 0.]),
                Sample::new("above", x(), |_, x| x[0].tril(1)).gives([1., 2., 0., 4., 5., 6.]),
                Sample::new("far", x(), |_, x| x[0].tril(isize::MAX)).gives([1., 2., 3., 4., 5., 6.]),
                Sample::new("NaN is cut off", bad(), |_, x| x[0].tril(0).triu(0)).gives([1., 0., 0., 4.]),
                Sample::new("mask", [Tensor::from([[true; 2]; 2])], |_, x| x[0].tril(0)).gives([1., 0., 1., 1.]),
            ],
        ),
        entry(
            "triu",
            vec![
                Sample::new("main", x(), |_, x| x[0].triu(0).square()).slopes([2., 4., 6., 0., 10., 12.]),
                Sample::new("batch", x(), |_, x| x[0].reshape([3, 1, 2]).triu(1)).gives([0., 2., 0., 4., 0., 6.]),
                Sample::new("nothing", x(), |_, x| x[0].slice(0, ..0).triu(0)).gives([]),
            ],
        ),
        entry(
            "diagonal",
            vec![
                Sample::new("main", x(), |_, x| x[0].diagonal(0).square()).gives([1., 25.]),
                Sample::new("above", x(), |_, x| x[0].diagonal(2)).gives([3.]).slopes([0., 0., 1., 0., 0., 0.]),
                Sample::new("below", x(), |_, x| x[0].diagonal(-1)).gives([4.]),
                Sample::new("outside", x(), |_, x| x[0].diagonal(-2)).gives([]).slopes([0.0; 6]),
                Sample::new("transposed", x(), |_, x| x[0].t().diagonal(-1)).gives([2., 6.]),
                Sample::new("batch", x(), |_, x| x[0].reshape([3, 1, 2]).diagonal(0)).gives([1., 3., 5.]),
            ],
        ),
        entry(
            "diag_embed",
            vec![
                Sample::new("batch", row(), |_, x| x[0].diag_embed(0).square())
                    .gives([1., 0., 0., 4., 9., 0., 0., 16.]),
                Sample::new("above", row(), |_, x| x[0].diag_embed(1).at(0, 1))
                    .gives([0., 3., 0., 0., 0., 4., 0., 0., 0.]),
                Sample::new("nothing", row(), |_, x| x[0].slice(1, ..0).diag_embed(-1)).gives([0., 0.]),
            ],
        ),
        entry(
            "diag",
            vec![
                Sample::new("vector", row(), |_, x| x[0].flatten().diag(0).exp()),
                Sample::new("matrix", x(), |_, x| x[0].diag(1)).gives([2., 6.]),
            ],
        ),
        entry(
            "trace",
            vec![
                Sample::new("matrix", x(), |_, x| x[0].trace().square())
                    .gives([36.])
                    .slopes([12., 0., 0., 0., 12., 0.]),
                Sample::new("batch", x(), |_, x| x[0].reshape([3, 1, 2]).trace()).gives([1., 3., 5.]),
            ],
        ),
        entry(
            "eye",
            vec![
                Sample::new("f64", [], |tape, _| tape.eye(2, DType::F64)).gives([1., 0., 0., 1.]),
                Sample::new("nothing", [], |tape, _| tape.eye(0, DType::Bool)).gives([]),
            ],
        ),
    ]
}
