//! Predicates and comparisons: any type in, flags out. Whatever is compared with NaN is false, except `!=`.

use crate::kernels::tile::lane::Flag;

formulas! {
    Eq -> Flag { [f32, f64, i64, i32, u8, Flag] |a, b| Flag::new(a == b); }
    Ne -> Flag { [f32, f64, i64, i32, u8, Flag] |a, b| Flag::new(a != b); }
    Lt -> Flag { [f32, f64, i64, i32, u8, Flag] |a, b| Flag::new(a < b); }
    Le -> Flag { [f32, f64, i64, i32, u8, Flag] |a, b| Flag::new(a <= b); }
    Gt -> Flag { [f32, f64, i64, i32, u8, Flag] |a, b| Flag::new(a > b); }
    Ge -> Flag { [f32, f64, i64, i32, u8, Flag] |a, b| Flag::new(a >= b); }
    IsNan -> Flag { [f32, f64] |a| Flag::new(a.is_nan()); }
    IsInf -> Flag { [f32, f64] |a| Flag::new(a.is_infinite()); }
    IsFinite -> Flag { [f32, f64] |a| Flag::new(a.is_finite()); }
    Not { [Flag] |a| Flag::new(!a.get()); }
}
