//! The form of a row in the table of scalar functions. The rows stand in `ops/unary.rs`, `binary.rs`, `compare.rs` and
//! `select.rs`.

use crate::graph::{Partial, Var};
use crate::sample::Sample;
use wengert_tensor::kernels::scalar::ScalarFn;

/// A scalar function of operands of one shape. See [`crate::ops::elementwise`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Elementwise(pub ScalarFn);

/// What is particular to one function.
pub(crate) struct Row {
    pub(crate) function: ScalarFn,
    pub(crate) file: &'static str,
    pub(crate) rule: Rule,
    pub(crate) samples: fn() -> Vec<Sample>,
}

/// The partials of a function, from i, x and y.
pub(crate) type Partials = for<'t> fn(usize, &[Var<'t>], Var<'t>) -> Partial<'t>;

/// The derivative of a function.
pub(crate) enum Rule {
    /// ∂y/∂xᵢ.
    Partials(Partials),
    /// It is constant between its jumps, or its values are no numbers: why there is none.
    Flat(&'static str),
}

/// Why functions whose result is bool have no derivative.
pub(crate) const TRUTH: Rule = Rule::Flat("its result is true or false");

/// Rows for functions of one operand: `method = Function at [points] gives f(first point), rule;`
macro_rules! unary {
    ($file:literal $($(#[$doc:meta])* $method:ident = $function:ident at [$first:literal $(, $more:literal)*] gives $gives:literal, $rule:expr;)+) => {
        impl<'t> $crate::graph::Var<'t> {
            $(
                $(#[$doc])*
                ///
                /// ```
                /// # use wengert_autograd::Apply;
                /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
                #[doc = concat!("let y = Tensor::from([", stringify!($first), "f64]).apply(|x| x.", stringify!($method), "())?.cast(DType::F64)?;")]
                #[doc = concat!("assert!((y.item::<f64>()? - (", stringify!($gives), " as f64)).abs() < 1e-6);")]
                /// # Ok::<(), wengert_tensor::error::Error>(())
                /// ```
                #[track_caller]
                pub fn $method(self) -> $crate::graph::Var<'t> {
                    self.then($crate::graph::OpRef::Static(&$crate::table::Elementwise(
                        wengert_tensor::kernels::scalar::ScalarFn::$function,
                    )))
                }
            )+
        }

        /// One row a function.
        pub(super) const ROWS: &[$crate::table::Row] = &[$($crate::table::Row {
            function: wengert_tensor::kernels::scalar::ScalarFn::$function,
            file: $file,
            rule: $rule,
            samples: || vec![
                $crate::sample::Sample::new(
                    "f64",
                    [wengert_tensor::tensor::Tensor::from(vec![$first as f64 $(, $more as f64)*])],
                    |_, x| x[0].$method(),
                ),
                $crate::sample::Sample::new(
                    "f32",
                    [wengert_tensor::tensor::Tensor::from(vec![$first as f32 $(, $more as f32)*])],
                    |_, x| x[0].$method(),
                ),
                $crate::sample::Sample::new(
                    "bf16",
                    [wengert_tensor::tensor::Tensor::from(vec![$first as f32 $(, $more as f32)*])],
                    |_, x| x[0].cast(wengert_tensor::dtype::DType::BF16).$method(),
                ).kinked(),
            ],
        }),+];
    };
}
pub(crate) use unary;

/// Rows for functions of two operands: `method = Function at [(a, b)] gives f(first point), rule;`
macro_rules! binary {
    ($file:literal $T:ident $($(#[$doc:meta])* $method:ident = $function:ident at [($a:literal, $b:literal) $(, ($c:literal, $d:literal))*] gives $gives:literal, $rule:expr;)+) => {
        impl<'t> $crate::graph::Var<'t> {
            $(
                $(#[$doc])*
                ///
                /// ```
                /// # use wengert_autograd::Apply;
                /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
                #[doc = concat!("let y = Tensor::from([", stringify!($a), " as ", stringify!($T), "]).apply(|x| x.", stringify!($method), "(&Tensor::from([", stringify!($b), " as ", stringify!($T), "])))?.cast(DType::F64)?;")]
                #[doc = concat!("assert!((y.item::<f64>()? - (", stringify!($gives), " as f64)).abs() < 1e-6);")]
                /// # Ok::<(), wengert_tensor::error::Error>(())
                /// ```
                #[track_caller]
                pub fn $method(self, other: impl $crate::operand::Operand<'t>) -> $crate::graph::Var<'t> {
                    self.with(
                        $crate::graph::OpRef::Static(&$crate::table::Elementwise(
                            wengert_tensor::kernels::scalar::ScalarFn::$function,
                        )),
                        other,
                    )
                }
            )+
        }

        /// One row a function.
        pub(super) const ROWS: &[$crate::table::Row] = &[$($crate::table::Row {
            function: wengert_tensor::kernels::scalar::ScalarFn::$function,
            file: $file,
            rule: $rule,
            samples: || vec![
                $crate::sample::Sample::new(
                    stringify!($T),
                    [
                        wengert_tensor::tensor::Tensor::from(vec![$a as $T $(, $c as $T)*]),
                        wengert_tensor::tensor::Tensor::from(vec![$b as $T $(, $d as $T)*]),
                    ],
                    |_, x| x[0].$method(x[1]),
                ),
                $crate::sample::Sample::new(
                    "broadcast",
                    [
                        wengert_tensor::tensor::Tensor::from([[$a as $T], [$a as $T]]),
                        wengert_tensor::tensor::Tensor::from(vec![$b as $T, $b as $T, $b as $T]),
                    ],
                    |_, x| x[0].$method(x[1]),
                ),
            ],
        }),+];
    };
}
pub(crate) use binary;
