//! The table of scalar functions, and the kernel of each for a dtype and a level.
//!
//! A row of the table is all there is to a function outside of its formula: its name, how many operands it takes, and
//! which dtypes. To add one, write the row, and the formula of the same name in [`crate::kernels::tile`].

use crate::dtype::DType;
use crate::kernels::level::Level;
use crate::kernels::tile::cast::{Cast, Narrowed, Rounded};
use crate::kernels::tile::lane::{Brain, Flag, Half};
use crate::kernels::tile::reduce;
use crate::kernels::tile::{ColumnsFn, LanesFn, RowsFn, TileFn, arith, compare, copy, entry, float};

pub use crate::kernels::tile::reduce::LANES;

/// The kernel of a formula for the types of a group, `None` for other dtypes.
macro_rules! kernel {
    ($op:path, $dtype:ident, $level:ident: $($case:ident $t:ty),+) => {{
        use $op as Formula;
        match $dtype {
            $(DType::$case => Some(entry::<Formula<$t>>($level)),)+
            _ => None,
        }
    }};
    (floats $op:path, $dtype:ident, $level:ident) => { kernel!($op, $dtype, $level: F32 f32, F64 f64) };
    (numbers $op:path, $dtype:ident, $level:ident) => {
        kernel!($op, $dtype, $level: F32 f32, F64 f64, I64 i64, I32 i32, U8 u8)
    };
    (all $op:path, $dtype:ident, $level:ident) => {
        kernel!($op, $dtype, $level: F32 f32, F64 f64, I64 i64, I32 i32, U8 u8, Bool Flag)
    };
    (bits $op:path, $dtype:ident, $level:ident) => {
        kernel!($op, $dtype, $level: I64 i64, I32 i32, U8 u8, Bool Flag)
    };
    (wide $op:path, $dtype:ident, $level:ident) => { kernel!(floats $op, $dtype, $level) };
    (ints $op:path, $dtype:ident, $level:ident) => { kernel!($op, $dtype, $level: I64 i64, I32 i32, U8 u8) };
    (bools $op:path, $dtype:ident, $level:ident) => { kernel!($op, $dtype, $level: Bool Flag) };
}

/// Whether a group has a dtype. The 16-bit floats are computed as f32.
macro_rules! has {
    (floats $dtype:ident) => {
        $dtype.is_float()
    };
    (numbers $dtype:ident) => {
        $dtype != DType::Bool
    };
    (all $dtype:ident) => {{
        let _ = $dtype;
        true
    }};
    (bits $dtype:ident) => {
        !$dtype.is_float()
    };
    // Not the 16-bit floats, whose neighbours are not those of f32.
    (wide $dtype:ident) => {
        matches!($dtype, DType::F32 | DType::F64)
    };
    (ints $dtype:ident) => {
        !$dtype.is_float() && $dtype != DType::Bool
    };
    (bools $dtype:ident) => {
        $dtype == DType::Bool
    };
}

macro_rules! output {
    ($dtype:ident) => {
        $dtype
    };
    ($dtype:ident $out:ident) => {
        DType::$out
    };
}

/// The kernel of a fold.
macro_rules! fold {
    ($entry:path, $r:ident, $dtype:ident, $level:ident) => {{
        use $entry as kernel;
        match $r {
            ReduceFn::Sum => fold!(kernel Add, $dtype, $level: F32 f32, F64 f64, I64 i64, I32 i32, U8 u8),
            ReduceFn::Prod => fold!(kernel Mul, $dtype, $level: F32 f32, F64 f64, I64 i64, I32 i32, U8 u8),
            ReduceFn::Max => fold!(kernel Maximum, $dtype, $level: F32 f32, F64 f64, I64 i64, I32 i32, U8 u8, Bool Flag),
            ReduceFn::Min => fold!(kernel Minimum, $dtype, $level: F32 f32, F64 f64, I64 i64, I32 i32, U8 u8, Bool Flag),
        }
    }};
    ($kernel:ident $op:ident, $dtype:ident, $level:ident: $($case:ident $t:ty),+) => {
        match $dtype {
            $(DType::$case => Some($kernel::<arith::$op<$t>>($level)),)+
            _ => None,
        }
    };
}

macro_rules! table {
    ($($(#[$doc:meta])* $f:ident $name:literal $arity:literal $group:ident $home:ident $(-> $out:ident)?,)+) => {
        /// A function of one, two or three scalars, applied element by element.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ScalarFn {
            $($(#[$doc])* $f,)+
        }

        impl ScalarFn {
            /// Every function, in the order of the table.
            pub const ALL: &'static [ScalarFn] = &[$(ScalarFn::$f,)+];

            /// The name in errors and reports: that of the method on a variable.
            pub fn name(self) -> &'static str {
                match self { $(ScalarFn::$f => $name,)+ }
            }

            /// How many operands it takes: 1, 2 or 3.
            #[inline]
            pub fn arity(self) -> usize {
                match self { $(ScalarFn::$f => $arity,)+ }
            }

            /// Whether it takes data of this dtype. (For `Select`, the dtype of the two branches.)
            #[inline]
            pub fn supports(self, dtype: DType) -> bool {
                match self { $(ScalarFn::$f => has!($group dtype),)+ }
            }

            /// The dtype of the result for data of a dtype.
            #[inline]
            pub fn output(self, dtype: DType) -> DType {
                match self { $(ScalarFn::$f => output!(dtype $($out)?),)+ }
            }
        }

        /// The kernel of `f` on data of `dtype`; `None` for a dtype that it does not take, and for the 16-bit floats,
        /// which are computed as f32 and rounded by [`tile_round`].
        pub fn tile(f: ScalarFn, dtype: DType, level: Level) -> Option<TileFn> {
            match f { $(ScalarFn::$f => kernel!($group $home::$f, dtype, level),)+ }
        }
    };
}

table! {
    /// −a; integers wrap.
    Neg "neg" 1 numbers arith,
    /// |a|; integers wrap.
    Abs "abs" 1 numbers arith,
    /// −1, 0 or 1; NaN stays NaN.
    Sign "sign" 1 numbers arith,
    /// 1 / a
    Recip "recip" 1 floats arith,
    /// a²; integers wrap.
    Square "square" 1 numbers arith,
    /// √a
    Sqrt "sqrt" 1 floats float,
    /// 1 / √a
    Rsqrt "rsqrt" 1 floats float,
    /// ∛a
    Cbrt "cbrt" 1 floats float,
    /// eᵃ
    Exp "exp" 1 floats float,
    /// 2ᵃ
    Exp2 "exp2" 1 floats float,
    /// eᵃ − 1, accurate near 0.
    Expm1 "expm1" 1 floats float,
    /// ln a
    Log "log" 1 floats float,
    /// log₂ a
    Log2 "log2" 1 floats float,
    /// log₁₀ a
    Log10 "log10" 1 floats float,
    /// ln (1 + a), accurate near 0.
    Log1p "log1p" 1 floats float,
    /// sin a, in radians.
    Sin "sin" 1 floats float,
    /// cos a, in radians.
    Cos "cos" 1 floats float,
    /// tan a, in radians.
    Tan "tan" 1 floats float,
    /// arcsin a
    Asin "asin" 1 floats float,
    /// arccos a
    Acos "acos" 1 floats float,
    /// arctan a
    Atan "atan" 1 floats float,
    /// (eᵃ − e⁻ᵃ) / 2
    Sinh "sinh" 1 floats float,
    /// (eᵃ + e⁻ᵃ) / 2
    Cosh "cosh" 1 floats float,
    /// tanh a
    Tanh "tanh" 1 floats float,
    /// arsinh a
    Asinh "asinh" 1 floats float,
    /// arcosh a
    Acosh "acosh" 1 floats float,
    /// artanh a
    Atanh "atanh" 1 floats float,
    /// 1 / (1 + e⁻ᵃ)
    Sigmoid "sigmoid" 1 floats float,
    /// ln (1 + eᵃ)
    Softplus "softplus" 1 floats float,
    /// 2/√π · ∫₀ᵃ exp(−t²) dt
    Erf "erf" 1 floats float,
    /// 1 − erf a, accurate where it is small.
    Erfc "erfc" 1 floats float,
    /// The b with erf b = a.
    Erfinv "erfinv" 1 floats float,
    /// The b with erfc b = a.
    Erfcinv "erfcinv" 1 floats float,
    /// ln |Γ(a)|
    Lgamma "lgamma" 1 floats float,
    /// The derivative of ln Γ(a).
    Digamma "digamma" 1 floats float,
    /// e^(−|a|) I₀(a), with the modified Bessel function of the first kind.
    I0e "bessel_i0e" 1 floats float,
    /// e^(−|a|) I₁(a)
    I1e "bessel_i1e" 1 floats float,
    /// The e with |a| = m · 2ᵉ and ½ ≤ m < 1; 0 for 0, ±∞ and NaN.
    Exponent "exponent" 1 floats float,
    /// The largest integer that is not above a.
    Floor "floor" 1 floats float,
    /// The smallest integer that is not below a.
    Ceil "ceil" 1 floats float,
    /// The nearest integer, ties to even.
    Round "round" 1 floats float,
    /// The integer part.
    Trunc "trunc" 1 floats float,
    /// max(a, 0); NaN stays NaN.
    Relu "relu" 1 numbers arith,
    /// a is NaN
    IsNan "is_nan" 1 floats compare -> Bool,
    /// a is +∞ or −∞
    IsInf "is_inf" 1 floats compare -> Bool,
    /// a is neither infinite nor NaN
    IsFinite "is_finite" 1 floats compare -> Bool,
    /// ¬a
    Not "logical_not" 1 bools compare,
    /// a + b; integers wrap.
    Add "add" 2 numbers arith,
    /// a − b; integers wrap.
    Sub "sub" 2 numbers arith,
    /// a · b; integers wrap.
    Mul "mul" 2 numbers arith,
    /// a / b; integers truncate toward zero, and a / 0 is 0.
    Div "div" 2 numbers arith,
    /// a − b · ⌊a / b⌋, with the sign of b; for integers, a mod 0 is 0.
    Rem "rem" 2 numbers arith,
    /// a − b · trunc(a / b), with the sign of a; for integers, a mod 0 is 0.
    Fmod "fmod" 2 numbers arith,
    /// The a-th derivative of the digamma function at b.
    Polygamma "polygamma" 2 floats float,
    /// ζ(a, b) = Σ (b + k)⁻ᵃ for k = 0, 1, 2, …
    Zeta "zeta" 2 floats float,
    /// P(a, b), the regularised lower incomplete gamma function.
    Igamma "igamma" 2 floats float,
    /// Q(a, b) = 1 − P(a, b)
    Igammac "igammac" 2 floats float,
    /// a · 2ᵇ, for whole b.
    Ldexp "ldexp" 2 floats float,
    /// The float next to a in the direction of b.
    NextAfter "nextafter" 2 wide float,
    /// aᵇ; integers wrap, and a negative b truncates toward zero.
    Pow "pow" 2 numbers float,
    /// The larger; NaN when either is. For bools, a ∨ b.
    Maximum "maximum" 2 all arith,
    /// The smaller; NaN when either is. For bools, a ∧ b.
    Minimum "minimum" 2 all arith,
    /// The angle of the point (b, a), in radians.
    Atan2 "atan2" 2 floats float,
    /// √(a² + b²)
    Hypot "hypot" 2 floats float,
    /// |a| with the sign of b
    CopySign "copysign" 2 floats arith,
    /// a · b, but 0 where either is 0, whatever the other: the product of cotangents, which makes no NaN out of a zero.
    MulMasked "mul_masked" 2 numbers arith,
    /// a = b
    Eq "eq" 2 all compare -> Bool,
    /// a ≠ b
    Ne "ne" 2 all compare -> Bool,
    /// a < b
    Lt "lt" 2 all compare -> Bool,
    /// a ≤ b
    Le "le" 2 all compare -> Bool,
    /// a > b
    Gt "gt" 2 all compare -> Bool,
    /// a ≥ b
    Ge "ge" 2 all compare -> Bool,
    /// a ∧ b, bit by bit
    And "and" 2 bits arith,
    /// a ∨ b, bit by bit
    Or "or" 2 bits arith,
    /// a ⊕ b, bit by bit
    Xor "xor" 2 bits arith,
    /// ¬a, bit by bit
    BitNot "bitwise_not" 1 bits arith,
    /// a · 2ᵇ: bits move up; 0 where b is negative or as large as the width.
    Shl "shift_left" 2 ints arith,
    /// ⌊a / 2ᵇ⌋: bits move down and the sign is kept; 0 where b is negative.
    Shr "shift_right" 2 ints arith,
    /// Bits move down without the sign; 0 where b is negative or as large as the width.
    ShrLogical "shift_right_logical" 2 ints arith,
    /// The greatest common divisor; 0 for two zeros.
    Gcd "gcd" 2 ints arith,
    /// How many bits are set.
    Popcount "population_count" 1 ints arith,
    /// How many bits above the highest that is set.
    Clz "count_leading_zeros" 1 ints arith,
    /// b where the bool a is true, else c.
    Select "select" 3 all arith,
}

/// How a reduction folds two values into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReduceFn {
    /// a + b
    Sum,
    /// a · b
    Prod,
    /// The larger; NaN when either is. For bools, any.
    Max,
    /// The smaller; NaN when either is. For bools, all.
    Min,
}

impl ScalarFn {
    /// How far a float result may be from the exact one, in units in the last place of the result; 0 where it is the nearest number.
    ///
    /// The 16-bit floats are computed in f32 and rounded once more. Where `lgamma`, `digamma`, `polygamma`, `erfinv` and `erfcinv` are below 1, as they
    /// are near their zeros, the units are those of 1.
    ///
    /// ```
    /// use wengert_tensor::{dtype::DType, kernels::scalar::ScalarFn};
    /// assert_eq!(ScalarFn::Sqrt.ulps(DType::F32), 0.0);
    /// assert_eq!(ScalarFn::Exp.ulps(DType::F32), 2.0);
    /// ```
    pub fn ulps(self, dtype: DType) -> f64 {
        use ScalarFn::*;
        match self {
            Neg | Abs | Sign | Recip | Square | Sqrt | Floor | Ceil | Round | Trunc | Relu | Add | Sub | Mul | Div
            | Maximum | Minimum | CopySign | MulMasked | NextAfter | Exponent | Ldexp | Select => 0.0,
            _ if !dtype.is_float() => 0.0,
            Erf if dtype == DType::F64 => 8.0,
            Lgamma | Digamma | Polygamma | Erfinv | Erfcinv | Zeta if dtype == DType::F64 => 32.0,
            // A tail of 1e−300 is as exact as its logarithm.
            Igamma | Igammac if dtype == DType::F64 => 1024.0,
            I0e | I1e if dtype == DType::F64 => 8.0,
            _ if dtype == DType::F64 => 3.0,
            _ => 2.0,
        }
    }
}

impl ReduceFn {
    /// Every fold.
    pub const ALL: [ReduceFn; 4] = [ReduceFn::Sum, ReduceFn::Prod, ReduceFn::Max, ReduceFn::Min];

    /// The name in errors and reports.
    pub fn name(self) -> &'static str {
        match self {
            ReduceFn::Sum => "sum",
            ReduceFn::Prod => "prod",
            ReduceFn::Max => "max",
            ReduceFn::Min => "min",
        }
    }

    /// The function of two scalars that it repeats.
    pub fn scalar(self) -> ScalarFn {
        match self {
            ReduceFn::Sum => ScalarFn::Add,
            ReduceFn::Prod => ScalarFn::Mul,
            ReduceFn::Max => ScalarFn::Maximum,
            ReduceFn::Min => ScalarFn::Minimum,
        }
    }

    /// Whether it folds data of this dtype: sums and products of all numbers, extremes of everything.
    pub fn supports(self, dtype: DType) -> bool {
        self.scalar().supports(dtype)
    }
}

/// The value that a fold starts from, in the bytes of the dtype (the element comes first, the rest is zero).
///
/// For the 16-bit floats it is the identity in f32, the type of their registers.
pub fn identity(r: ReduceFn, dtype: DType) -> [u8; 8] {
    macro_rules! of {
        ($t:ty, $least:expr, $greatest:expr) => {
            widened(&match r {
                ReduceFn::Sum => (0 as $t).to_ne_bytes(),
                ReduceFn::Prod => (1 as $t).to_ne_bytes(),
                ReduceFn::Max => <$t>::to_ne_bytes($least),
                ReduceFn::Min => <$t>::to_ne_bytes($greatest),
            })
        };
    }
    match dtype {
        DType::F32 | DType::BF16 | DType::F16 => of!(f32, f32::NEG_INFINITY, f32::INFINITY),
        DType::F64 => of!(f64, f64::NEG_INFINITY, f64::INFINITY),
        DType::I64 => of!(i64, i64::MIN, i64::MAX),
        DType::I32 => of!(i32, i32::MIN, i32::MAX),
        DType::U8 => of!(u8, u8::MIN, u8::MAX),
        DType::Bool => of!(u8, 0, 1),
    }
}

fn widened(bytes: &[u8]) -> [u8; 8] {
    let mut all = [0; 8];
    for (to, from) in all.iter_mut().zip(bytes) {
        *to = *from;
    }
    all
}

/// The kernel that reads `from` and writes `to`.
///
/// Float to integer truncates, saturates, and makes 0 of NaN; integer to integer wraps; anything but zero is true;
/// to a narrower float rounds to nearest even. The 16-bit floats are read from and written to memory here.
pub fn tile_cast(from: DType, to: DType, level: Level) -> TileFn {
    macro_rules! to {
        ($from:ty) => {
            match to {
                DType::F32 => entry::<Cast<$from, f32>>(level),
                DType::F64 => entry::<Cast<$from, f64>>(level),
                DType::BF16 => entry::<Cast<$from, Brain>>(level),
                DType::F16 => entry::<Cast<$from, Half>>(level),
                DType::I64 => entry::<Cast<$from, i64>>(level),
                DType::I32 => entry::<Cast<$from, i32>>(level),
                DType::U8 => entry::<Cast<$from, u8>>(level),
                DType::Bool => entry::<Cast<$from, Flag>>(level),
            }
        };
    }
    if from == to {
        return copy::tile_copy(from.size());
    }
    match from {
        DType::F32 => to!(f32),
        DType::F64 => to!(f64),
        DType::BF16 => to!(Brain),
        DType::F16 => to!(Half),
        DType::I64 => to!(i64),
        DType::I32 => to!(i32),
        DType::U8 => to!(u8),
        DType::Bool => to!(Flag),
    }
}

/// The kernel that reads `from` as the f32 that [`tile_round`] rounds to a 16-bit float as if from the number itself.
pub fn tile_narrow(from: DType, level: Level) -> TileFn {
    match from {
        DType::F64 => entry::<Narrowed<f64>>(level),
        DType::I64 => entry::<Narrowed<i64>>(level),
        DType::I32 => entry::<Narrowed<i32>>(level),
        _ => tile_cast(from, DType::F32, level),
    }
}

/// The kernel that rounds f32 to the values of a 16-bit float and keeps them as f32; `None` for other dtypes.
pub fn tile_round(through: DType, level: Level) -> Option<TileFn> {
    match through {
        DType::BF16 => Some(entry::<Rounded<Brain>>(level)),
        DType::F16 => Some(entry::<Rounded<Half>>(level)),
        _ => None,
    }
}

/// The kernel that writes the one element at `a` to all of `dst`, for elements of 1, 2, 4 or 8 bytes.
pub fn tile_fill(size: usize) -> TileFn {
    copy::tile_fill(size)
}

/// The kernel that folds `n` elements into [`LANES`] accumulators at `dst`: element i goes to lane i mod [`LANES`].
///
/// Cut a row only at multiples of [`LANES`]. `None` for a dtype that the fold does not take, and for the 16-bit floats.
pub fn tile_accumulate(r: ReduceFn, dtype: DType, level: Level) -> Option<TileFn> {
    fold!(reduce::accumulate, r, dtype, level)
}

/// The kernel that folds the [`LANES`] accumulators at `a` into the one element at `dst`, by a halving tree.
pub fn tile_finish(r: ReduceFn, dtype: DType, level: Level) -> Option<TileFn> {
    fold!(reduce::finish, r, dtype, level)
}

/// The kernel that folds short rows, each from its first element on, in index order. Rows have one element or more.
pub fn tile_rows(r: ReduceFn, dtype: DType, level: Level) -> Option<RowsFn> {
    fold!(reduce::rows, r, dtype, level)
}

/// The kernel that folds rows into one, column by column, in the order of the rows.
pub fn tile_columns(r: ReduceFn, dtype: DType, level: Level) -> Option<ColumnsFn> {
    fold!(reduce::columns, r, dtype, level)
}

/// The kernel that folds whole rows as [`tile_accumulate`] and [`tile_finish`] together do.
pub fn tile_lanes(r: ReduceFn, dtype: DType, level: Level) -> Option<LanesFn> {
    fold!(reduce::lanes, r, dtype, level)
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
