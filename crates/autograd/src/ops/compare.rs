//! Comparisons, and logic on masks. Their results are true or false, so gradients through them are zero.

use crate::graph::OpRef;
use crate::graph::Var;
use crate::sample::Sample;
use crate::table::{Elementwise, Row, Rule, TRUTH, binary};
use wengert_tensor::kernels::scalar::ScalarFn;
use wengert_tensor::tensor::Tensor;

/// Why logic has none.
const LOGIC: Rule = Rule::Flat("it works on bits");

mod order {
    use super::{TRUTH, binary};

    binary! { "compare.rs" f64
        /// x = y. NaN equals nothing.
        #[doc(alias = "equal")]
        eq = Eq at [(1.5, 1.5), (-0.5, 0.3)] gives 1.0, TRUTH;

        /// x ≠ y.
        #[doc(alias = "not_equal")]
        ne = Ne at [(1.5, 1.5), (-0.5, 0.3)] gives 0.0, TRUTH;

        /// x < y.
        #[doc(alias = "less")]
        lt = Lt at [(1.5, 2.0), (-0.5, -0.5)] gives 1.0, TRUTH;

        /// x ≤ y.
        #[doc(alias = "less_equal")]
        le = Le at [(1.5, 1.5), (-0.5, -0.7)] gives 1.0, TRUTH;

        /// x > y.
        #[doc(alias = "greater")]
        gt = Gt at [(1.5, 2.0), (-0.5, -0.7)] gives 0.0, TRUTH;

        /// x ≥ y.
        #[doc(alias = "greater_equal")]
        ge = Ge at [(1.5, 1.5), (-0.5, 0.3)] gives 1.0, TRUTH;
    }
}

mod logic {
    use super::{LOGIC, binary};

    binary! { "compare.rs" i64
        /// Bits that both have; for masks: x and y.
        #[doc(alias("bitwise_and", "logical_and"))]
        and = And at [(6, 3), (-1, 5)] gives 2, LOGIC;

        /// Bits that either has; for masks: x or y.
        #[doc(alias("bitwise_or", "logical_or"))]
        or = Or at [(6, 3), (-1, 5)] gives 7, LOGIC;

        /// Bits that one of them has; for masks: either x or y.
        #[doc(alias("bitwise_xor", "logical_xor"))]
        xor = Xor at [(6, 3), (-1, 5)] gives 5, LOGIC;

        /// x · 2ʸ: the bits move up. 0 where y is negative or as large as the width.
        #[doc(alias = "left_shift")]
        shift_left = Shl at [(6, 3), (-1, 5), (1, 64)] gives 48, LOGIC;

        /// The bits move down, and zeros come in above, whatever the sign. 0 where y is negative or as large as the width.
        shift_right_logical = ShrLogical at [(6, 1), (-1, 60), (-1, 64)] gives 3, LOGIC;

        /// The greatest common divisor, which is not negative; that of 0 and 0 is 0.
        gcd = Gcd at [(12, 18), (-7, 0), (5, 3)] gives 6, LOGIC;

        /// ⌊x / 2ʸ⌋: the bits move down and the sign is kept. 0 where y is negative.
        #[doc(alias = "right_shift")]
        shift_right = Shr at [(6, 1), (-9, 2), (-1, 70)] gives 3, LOGIC;
    }
}

/// The rows of this file.
pub(super) const ROWS: [&[Row]; 3] = [order::ROWS, logic::ROWS, &[NOT, BIT_NOT, POPCOUNT, CLZ]];

const NOT: Row = Row {
    function: ScalarFn::Not,
    file: "compare.rs",
    rule: TRUTH,
    samples: || {
        let mask = [Tensor::from([true, false])];
        vec![Sample::new("bool", mask, |_, x| x[0].logical_not()).gives([0.0, 1.0])]
    },
};

const BIT_NOT: Row = Row {
    function: ScalarFn::BitNot,
    file: "compare.rs",
    rule: LOGIC,
    samples: || {
        vec![
            Sample::new("i64", [Tensor::from([0i64, 6, -1])], |_, x| x[0].bitwise_not()).gives([-1.0, -7.0, 0.0]),
            Sample::new("bool", [Tensor::from([true, false])], |_, x| x[0].bitwise_not()).gives([0.0, 1.0]),
        ]
    },
};

const POPCOUNT: Row = Row {
    function: ScalarFn::Popcount,
    file: "compare.rs",
    rule: LOGIC,
    samples: || {
        vec![
            Sample::new("i64", [Tensor::from([0i64, 6, -1])], |_, x| x[0].population_count()).gives([0.0, 2.0, 64.0]),
            Sample::new("u8", [Tensor::from([0u8, 255])], |_, x| x[0].population_count()).gives([0.0, 8.0]),
        ]
    },
};

const CLZ: Row = Row {
    function: ScalarFn::Clz,
    file: "compare.rs",
    rule: LOGIC,
    samples: || {
        vec![
            Sample::new("i64", [Tensor::from([0i64, 6, -1])], |_, x| x[0].count_leading_zeros())
                .gives([64.0, 61.0, 0.0]),
            Sample::new("i32", [Tensor::from([0i32, 1])], |_, x| x[0].count_leading_zeros()).gives([32.0, 31.0]),
        ]
    },
};

impl<'t> Var<'t> {
    /// How many bits are set.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([6u8, 255]).apply(|x| x.population_count())?;
    /// assert_eq!(y.to_vec::<u8>()?, [2, 8]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "popcount")]
    #[track_caller]
    pub fn population_count(self) -> Var<'t> {
        self.then(OpRef::Static(&Elementwise(ScalarFn::Popcount)))
    }

    /// How many bits are above the highest that is set: the width for 0, and 0 for negative numbers.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([0i32, 1, -1]).apply(|x| x.count_leading_zeros())?;
    /// assert_eq!(y.to_vec::<i32>()?, [32, 31, 0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "clz")]
    #[track_caller]
    pub fn count_leading_zeros(self) -> Var<'t> {
        self.then(OpRef::Static(&Elementwise(ScalarFn::Clz)))
    }

    /// All bits turned over; for masks: not x.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([0i64, 6]).apply(|x| x.bitwise_not())?;
    /// assert_eq!(y.to_vec::<i64>()?, [-1, -7]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "invert")]
    #[track_caller]
    pub fn bitwise_not(self) -> Var<'t> {
        self.then(OpRef::Static(&Elementwise(ScalarFn::BitNot)))
    }

    /// The negation of a mask.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([true, false]).apply(|x| x.logical_not())?;
    /// assert_eq!(y.to_vec::<bool>()?, [false, true]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "not")]
    #[track_caller]
    pub fn logical_not(self) -> Var<'t> {
        self.then(OpRef::Static(&Elementwise(ScalarFn::Not)))
    }
}
