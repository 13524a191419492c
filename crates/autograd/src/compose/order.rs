//! What an order is good for: sorting, the largest few, medians and quantiles.

use crate::axes::inhabited;
use crate::compose::widened;
use crate::graph::Var;
use crate::meta::floats;
use crate::ops::argsort::Argsort;
use crate::sample::{Entry, Sample};
use wengert_tensor::error::Error;
use wengert_tensor::tensor::Tensor;

const BETWEEN: &str =
    "between two integers lies a fraction: .cast(DType::F64) first, or take an element: .sort(axis).at(axis, i)";

impl<'t> Var<'t> {
    /// The elements of an axis in order, the smallest first. Equal elements keep their order; NaN counts as the largest.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([3.0f32, 1.0, 2.0]));
    /// let y = x.sort(0);
    /// let [dx] = tape.grad((y * &Tensor::from([10.0f32, 20.0, 30.0])).sum(), [x]);
    /// assert_eq!(y.value()?.to_vec::<f32>()?, [1.0, 2.0, 3.0]);
    /// assert_eq!(dx.value()?.to_vec::<f32>()?, [30.0, 10.0, 20.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn sort(self, axis: isize) -> Var<'t> {
        let _call = self.tape.call("sort");
        self.sorted("sort", axis, false)
    }

    /// The elements of an axis in order, the largest first. Equal elements keep their order; NaN counts as the largest.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[3i64, 1, 2], [4, 6, 5]]).apply(|x| x.sort_descending(-1))?;
    /// assert_eq!(y.to_vec::<i64>()?, [3, 2, 1, 6, 5, 4]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn sort_descending(self, axis: isize) -> Var<'t> {
        let _call = self.tape.call("sort_descending");
        self.sorted("sort_descending", axis, true)
    }

    /// The `k` largest elements of an axis, the largest first, and where they stand. NaN counts as the largest,
    /// as for `max`.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([3.0f32, 1.0, 4.0, 2.0]));
    /// let (values, indices) = x.top_k(2, 0);
    /// assert_eq!(values.value()?.to_vec::<f32>()?, [4.0, 3.0]);
    /// assert_eq!(indices.value()?.to_vec::<i64>()?, [2, 0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "topk")]
    #[track_caller]
    pub fn top_k(self, k: usize, axis: isize) -> (Var<'t>, Var<'t>) {
        let _call = self.tape.call("top_k");
        let shape = self.shape();
        let refused = match shape.axis(axis) {
            Ok(at) if k <= shape[at] => {
                let indices = self.named("top_k", self.then(Argsort { axis: at, descending: true, keep: Some(k) }));
                return (self.named("top_k", self.take_along(axis, indices)), indices);
            }
            Ok(at) => Error::value(format!("the largest {k} of an axis of {}", shape[at]))
                .help(format!("k is at most the size of axis {axis} of {shape}")),
            Err(error) => error,
        };
        let none = self.reject("top_k", refused);
        (none, none)
    }

    /// The middle element of an axis in order, which is not in the result; the mean of the two in the middle where the
    /// size is even, as in NumPy and JAX. NaN where one is NaN. Integers are refused: the lower one of the two in the middle, which
    /// is PyTorch's median, is `x.sort(axis).at(axis, (n - 1) / 2)`.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[3.0f32, 1.0, 4.0, 2.0]]).apply(|x| x.median(-1))?;
    /// assert_eq!(y.to_vec::<f32>()?, [2.5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn median(self, axis: isize) -> Var<'t> {
        let _call = self.tape.call("median");
        self.at_rank("median", 0.5, axis)
    }

    /// What the share `q` of an axis is not above. Between two elements it is interpolated: at q (n − 1), counted from the
    /// smallest. NaN where one is NaN.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([10.0f32, 20.0, 30.0]).apply(|x| x.quantile(0.75, 0))?;
    /// assert_eq!(y.item::<f32>()?, 25.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "percentile")]
    #[track_caller]
    pub fn quantile(self, q: f64, axis: isize) -> Var<'t> {
        let _call = self.tape.call("quantile");
        match (0.0..=1.0).contains(&q) {
            true => self.at_rank("quantile", q, axis),
            false => {
                let error = Error::value(format!("a quantile of {q}")).help("it is a share, from 0 to 1");
                self.reject("quantile", error)
            }
        }
    }

    #[track_caller]
    fn sorted(self, op: &'static str, axis: isize, descending: bool) -> Var<'t> {
        match self.shape().axis(axis) {
            Ok(at) => {
                let order = self.then(Argsort { axis: at, descending, keep: None });
                self.named(op, self.take_along(axis, order))
            }
            Err(error) => self.reject(op, error),
        }
    }

    #[track_caller]
    fn at_rank(self, op: &'static str, q: f64, axis: isize) -> Var<'t> {
        let meta = self.meta();
        let found = meta.shape.axis(axis).and_then(|at| {
            floats(&meta).map_err(|error| error.help(BETWEEN))?;
            inhabited(&meta, &[at]).map(|()| at)
        });
        let last = match found {
            Ok(at) => meta.shape[at] - 1,
            Err(error) => return self.reject(op, error),
        };
        let place = q * last as f64;
        let (low, share) = (place.floor() as usize, place.fract());
        let y = widened(self, |x| {
            let sorted = x.sort(axis);
            let below = sorted.at(axis, low);
            let y = match share > 0.0 {
                true => below + (sorted.at(axis, low + 1) - below).scaled(share),
                false => below,
            };
            // NaN comes last, and the quantile of what holds one is NaN.
            let highest = sorted.at(axis, last);
            highest.select(highest.is_nan(), y)
        });
        self.named(op, y)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[3.0f64, -1.0, 4.0, 1.5], [9.0, 2.5, 6.0, 5.0]])];
    let nan = || [Tensor::from([[3.0f64, f64::NAN, -1.0, 3.0], [f64::INFINITY, -0.5, 0.5, f64::NEG_INFINITY]])];
    let tie = || [Tensor::from([2.0f64, 1.0, 2.0, 2.0])];
    let ends = f64::INFINITY;
    vec![
        Entry::new(
            "sort",
            "order.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].sort(-1)).gives([-1., 1.5, 3., 4., 2.5, 5., 6., 9.]),
                Sample::new("columns", x(), |_, x| x[0].sort(0).square()),
                Sample::new("NaN", nan(), |_, x| x[0].sort(1))
                    .kinked()
                    .gives([-1., 3., 3., f64::NAN, -ends, -0.5, 0.5, ends])
                    .slopes([1.0; 8]),
                Sample::new("tie", tie(), |tape, x| x[0].sort(0) * tape.iota(4, 0, x[0].dtype()))
                    .kinked()
                    .slopes([1., 0., 2., 3.]),
                Sample::new("nothing", x(), |_, x| x[0].slice(1, ..0).sort(1)).gives([]).slopes([0.; 8]),
                Sample::new("mask", [Tensor::from([true, false])], |_, x| x[0].sort(0)).gives([0., 1.]),
            ],
        ),
        Entry::new(
            "sort_descending",
            "order.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].sort_descending(-1)).gives([4., 3., 1.5, -1., 9., 6., 5., 2.5]),
                Sample::new("NaN", nan(), |_, x| x[0].sort_descending(1)).kinked().gives([
                    f64::NAN,
                    3.,
                    3.,
                    -1.,
                    ends,
                    0.5,
                    -0.5,
                    -ends,
                ]),
                Sample::new("tie", tie(), |tape, x| x[0].sort_descending(0) * tape.iota(4, 0, x[0].dtype()))
                    .kinked()
                    .slopes([0., 3., 1., 2.]),
            ],
        ),
        Entry::new(
            "top_k",
            "order.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].top_k(2, -1).0.square())
                    .gives([16., 9., 81., 36.])
                    .slopes([6., 0., 8., 0., 18., 0., 12., 0.]),
                Sample::new("where", x(), |_, x| x[0].top_k(2, -1).1).gives([2., 0., 0., 2.]),
                Sample::new("columns", x(), |_, x| x[0].top_k(1, 0).0).gives([9., 2.5, 6., 5.]),
                Sample::new("tie", tie(), |_, x| x[0].top_k(2, 0).0).kinked().slopes([1., 0., 1., 0.]),
                Sample::new("none", x(), |_, x| x[0].top_k(0, 0).0).gives([]),
                Sample::new("NaN", nan(), |_, x| x[0].top_k(1, 1).0)
                    .kinked()
                    .gives([f64::NAN, ends])
                    .slopes([0., 1., 0., 0., 1., 0., 0., 0.]),
            ],
        ),
        Entry::new(
            "median",
            "order.rs",
            vec![
                Sample::new("even", x(), |_, x| x[0].median(-1))
                    .gives([2.25, 5.5])
                    .slopes([0.5, 0., 0., 0.5, 0., 0., 0.5, 0.5]),
                Sample::new("odd", x(), |_, x| x[0].slice(1, ..3).median(1)).gives([3., 6.]),
                Sample::new("one", x(), |_, x| x[0].slice(1, ..1).median(1)).gives([3., 9.]),
                Sample::new("NaN", nan(), |_, x| x[0].median(1)).kinked().gives([f64::NAN, 0.]),
                Sample::new("bf16", x(), |_, x| x[0].cast(wengert_tensor::dtype::DType::BF16).median(-1)).kinked(),
            ],
        ),
        Entry::new(
            "quantile",
            "order.rs",
            vec![
                Sample::new("between", x(), |_, x| x[0].quantile(0.3, -1)).gives([1.25, 4.75]),
                Sample::new("ends", x(), |_, x| x[0].quantile(0.0, -1) + x[0].quantile(1.0, -1)).gives([3., 11.5]),
                Sample::new("columns", x(), |_, x| x[0].quantile(0.25, 0).exp()),
            ],
        ),
    ]
}
