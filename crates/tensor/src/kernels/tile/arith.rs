//! Arithmetic, the extremes, the float products that round once, and `select`.
//!
//! Integers wrap. Division and remainder by an integer zero are zero: nothing traps. Every operation here gives the
//! same bits on every level.

use crate::kernels::tile::lane::Flag;

formulas! {
    Neg {
        [f32, f64] |a| -a;
        [i64, i32, u8] |a| a.wrapping_neg();
    }
    Abs {
        [f32, f64] |a| a.abs();
        [i64, i32] |a| a.wrapping_abs();
        [u8] |a| a;
    }
    /// −1, 0 or 1; NaN stays NaN.
    Sign {
        [f32, f64] |a| if a > 0.0 { 1.0 } else if a < 0.0 { -1.0 } else { a + 0.0 };
        [i64, i32] |a| i8::from(a > 0).wrapping_sub(i8::from(a < 0)).into();
        [u8] |a| a.min(1);
    }
    Recip {
        [f32, f64] |a| 1.0 / a;
    }
    Square {
        [f32, f64] |a| a * a;
        [i64, i32, u8] |a| a.wrapping_mul(a);
    }
    /// NaN stays NaN: what is not at most zero is kept.
    Relu {
        [f32, f64] |a| if a <= 0.0 { 0.0 } else { a };
        [i64, i32] |a| a.max(0);
        [u8] |a| a;
    }
    Add {
        [f32, f64] |a, b| a + b;
        [i64, i32, u8] |a, b| a.wrapping_add(b);
    }
    Sub {
        [f32, f64] |a, b| a - b;
        [i64, i32, u8] |a, b| a.wrapping_sub(b);
    }
    Mul {
        [f32, f64] |a, b| a * b;
        [i64, i32, u8] |a, b| a.wrapping_mul(b);
    }
    Div {
        [f32, f64] |a, b| a / b;
        [i64, i32, u8] |a, b| if b == 0 { 0 } else { a.wrapping_div(b) };
    }
    /// A zero wins over anything: 0 · ∞ and 0 · NaN are 0.
    MulMasked {
        [f32, f64] |a, b| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
        [i64, i32, u8] |a, b| a.wrapping_mul(b);
    }
    /// The larger; NaN when either is NaN.
    Maximum {
        [f32, f64] |a, b| {
            let larger = if a > b { a } else { b };
            if a.is_nan() { a } else { larger }
        };
        [i64, i32, u8] |a, b| a.max(b);
        [Flag] |a, b| Flag(a.0 | b.0);
    }
    /// The smaller; NaN when either is NaN.
    Minimum {
        [f32, f64] |a, b| {
            let smaller = if a < b { a } else { b };
            if a.is_nan() { a } else { smaller }
        };
        [i64, i32, u8] |a, b| a.min(b);
        [Flag] |a, b| Flag(a.0 & b.0);
    }
    CopySign {
        [f32, f64] |a, b| a.copysign(b);
    }
    And {
        [i64, i32, u8] |a, b| a & b;
        [Flag] |a, b| Flag(a.0 & b.0);
    }
    Or {
        [i64, i32, u8] |a, b| a | b;
        [Flag] |a, b| Flag(a.0 | b.0);
    }
    Xor {
        [i64, i32, u8] |a, b| a ^ b;
        [Flag] |a, b| Flag(a.0 ^ b.0);
    }
    BitNot {
        [i64, i32, u8] |a| !a;
        [Flag] |a| Flag::new(!a.get());
    }
    Shl {
        [i64] |a, b| if (0..64).contains(&b) { a << b } else { 0 };
        [i32] |a, b| if (0..32).contains(&b) { a << b } else { 0 };
        [u8] |a, b| if b < 8 { a << b } else { 0 };
    }
    Shr {
        [i64] |a, b| if b < 0 { 0 } else { a >> b.min(63) };
        [i32] |a, b| if b < 0 { 0 } else { a >> b.min(31) };
        [u8] |a, b| if b < 8 { a >> b } else { 0 };
    }
    /// The bits of a come down without its sign.
    ShrLogical {
        [i64] |a, b| if (0..64).contains(&b) { ((a as u64) >> b) as i64 } else { 0 };
        [i32] |a, b| if (0..32).contains(&b) { ((a as u32) >> b) as i32 } else { 0 };
        [u8] |a, b| if b < 8 { a >> b } else { 0 };
    }
    Popcount {
        [i64] |a| i64::from(a.count_ones());
        [i32] |a| a.count_ones() as i32;
        [u8] |a| a.count_ones() as u8;
    }
    Clz {
        [i64] |a| i64::from(a.leading_zeros());
        [i32] |a| a.leading_zeros() as i32;
        [u8] |a| a.leading_zeros() as u8;
    }
    /// By Euclid. That of the two least numbers does not fit, and wraps.
    Gcd {
        by element [i64] |a, b| gcd(a.unsigned_abs(), b.unsigned_abs()) as i64;
        by element [i32] |a, b| gcd(a.unsigned_abs().into(), b.unsigned_abs().into()) as i32;
        by element [u8] |a, b| gcd(a.into(), b.into()) as u8;
    }
    /// Truncating: the result has the sign of the dividend, as in C.
    Fmod {
        by element [f32, f64] |a, b| a % b;
        by element [i64, i32] |a, b| if b == 0 { 0 } else { a.wrapping_rem(b) };
        by element [u8] |a, b| if b == 0 { 0 } else { a % b };
    }
    Select {
        [f32, f64, i64, i32, u8, Flag] |condition: Flag, a, b| if condition.get() { a } else { b };
    }
    /// Flooring: the result has the sign of the divisor, as in Python and NumPy.
    Rem {
        by element [f32, f64] |a, b| {
            let r = a % b;
            if r == 0.0 {
                r.copysign(b)
            } else if (r < 0.0) != (b < 0.0) {
                r + b
            } else {
                r
            }
        };
        by element [i64, i32] |a, b| {
            let r = if b == 0 { 0 } else { a.wrapping_rem(b) };
            if r != 0 && (r < 0) != (b < 0) { r + b } else { r }
        };
        by element [u8] |a, b| if b == 0 { 0 } else { a % b };
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
