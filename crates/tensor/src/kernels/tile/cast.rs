//! Conversions between element types.

use crate::dtype::{odd_f32, odd_f64};
use crate::kernels::tile::Map;
use crate::kernels::tile::lane::{Brain, Flag, Half, Lane, Machine};
use std::marker::PhantomData;

/// One element type read as another.
pub(crate) trait Convert<To: Lane>: Lane {
    fn convert(self) -> To;

    /// True when `convert` is wrong for some values, and [`Convert::convert_odd`] is right.
    const MENDS: bool = false;

    /// Whether `convert` is wrong for this value.
    #[inline(always)]
    fn is_odd(self) -> bool {
        false
    }

    /// The conversion of an odd value.
    #[inline(always)]
    fn convert_odd(self) -> To {
        To::ZERO
    }
}

/// The conversion from `From` to `To` as a formula.
pub(crate) struct Cast<From, To>(PhantomData<(From, To)>);

impl<From: Convert<To>, To: Lane> Map for Cast<From, To> {
    type A = From;
    type B = ();
    type C = ();
    type Out = To;

    #[inline(always)]
    fn map<M: Machine>(a: From, _b: (), _c: ()) -> To {
        a.convert()
    }

    const MENDS: bool = From::MENDS;

    #[inline(always)]
    fn is_odd(a: From) -> bool {
        a.is_odd()
    }

    #[inline(always)]
    fn mend<M: Machine>(a: From) -> To {
        a.convert_odd()
    }
}

/// An f32 rounded to nearest even to the values of `Through`, and kept as f32.
pub(crate) struct Rounded<Through>(PhantomData<Through>);

impl<Through: Lane> Map for Rounded<Through>
where
    f32: Convert<Through>,
    Through: Convert<f32>,
{
    type A = f32;
    type B = ();
    type C = ();
    type Out = f32;

    #[inline(always)]
    fn map<M: Machine>(a: f32, _b: (), _c: ()) -> f32 {
        Convert::<Through>::convert(a).convert()
    }
}

/// A number as an f32 from which a 16-bit float is rounded as if from the number itself.
pub(crate) trait Narrow: Lane {
    fn narrow(self) -> f32;
}

macro_rules! narrow {
    ($($t:ty: |$x:ident| $body:expr;)*) => {$(
        impl Narrow for $t {
            #[inline(always)]
            fn narrow(self) -> f32 {
                let $x = self;
                $body
            }
        }
    )*};
}

narrow! {
    f64: |x| odd_f32(x);
    i64: |x| odd_f32(odd_f64(x));
    i32: |x| odd_f32(f64::from(x));
    u8: |x| f32::from(x);
    Flag: |x| x.convert();
}

/// [`Narrow::narrow`] as a formula.
pub(crate) struct Narrowed<From>(PhantomData<From>);

impl<From: Narrow> Map for Narrowed<From> {
    type A = From;
    type B = ();
    type C = ();
    type Out = f32;

    #[inline(always)]
    fn map<M: Machine>(a: From, _b: (), _c: ()) -> f32 {
        a.narrow()
    }
}

macro_rules! plain {
    ($($from:ty => $($to:ty),+;)*) => {$($(
        impl Convert<$to> for $from {
            #[inline(always)]
            fn convert(self) -> $to {
                self as $to
            }
        }
    )+)*};
}

plain! {
    f32 => f32, f64;
    f64 => f64, f32;
    i64 => i64, f32, f64, i32, u8;
    i32 => i32, f32, f64, i64, u8;
    u8 => u8, f32, f64, i64, i32;
}

/// `as` saturates, and compilers make scalar code of it. These clamp first, and convert by one vector instruction.
macro_rules! truncating {
    ($($t:ty),*) => {$(
        impl Convert<i32> for $t {
            #[inline(always)]
            fn convert(self) -> i32 {
                let bounded = if self > MIN_I32 as $t { self } else { MIN_I32 as $t };
                let inside = if bounded < ABOVE_I32 as $t { bounded } else { 0.0 };
                // SAFETY: the float is at least −2³¹ and below 2³¹, and not NaN.
                let whole = unsafe { inside.to_int_unchecked::<i32>() };
                let whole = if self >= ABOVE_I32 as $t { i32::MAX } else { whole };
                if self.is_nan() { 0 } else { whole }
            }
        }

        impl Convert<u8> for $t {
            #[inline(always)]
            fn convert(self) -> u8 {
                let bounded = if self > 0.0 { self } else { 0.0 };
                let inside = if bounded < 255.0 { bounded } else { 255.0 };
                // SAFETY: the float is in 0 ..= 255, and not NaN.
                unsafe { inside.to_int_unchecked::<i32>() as u8 }
            }
        }

        /// By way of i32, which has vector instructions everywhere; the larger values are mended.
        impl Convert<i64> for $t {
            const MENDS: bool = true;

            #[inline(always)]
            fn convert(self) -> i64 {
                let inside = if Convert::<i64>::is_odd(self) { 0.0 } else { self };
                // SAFETY: the float is above −2³¹ and below 2³¹, and not NaN.
                unsafe { inside.to_int_unchecked::<i32>() as i64 }
            }

            #[inline(always)]
            fn is_odd(self) -> bool {
                self.abs() >= ABOVE_I32 as $t || self.is_nan()
            }

            #[inline(always)]
            fn convert_odd(self) -> i64 {
                self as i64
            }
        }
    )*};
}

const MIN_I32: f64 = -2_147_483_648.0;
const ABOVE_I32: f64 = 2_147_483_648.0;

truncating!(f32, f64);

macro_rules! flags {
    ($($t:ty = $zero:expr, $one:expr;)*) => {$(
        impl Convert<Flag> for $t {
            #[inline(always)]
            fn convert(self) -> Flag {
                Flag::new(self != $zero)
            }
        }

        impl Convert<$t> for Flag {
            #[inline(always)]
            fn convert(self) -> $t {
                if self.get() { $one } else { $zero }
            }
        }
    )*};
}

flags! {
    f32 = 0.0, 1.0;
    f64 = 0.0, 1.0;
    i64 = 0, 1;
    i32 = 0, 1;
    u8 = 0, 1;
}

impl Convert<Flag> for Flag {
    #[inline(always)]
    fn convert(self) -> Flag {
        self
    }
}

/// The 16-bit floats convert by way of f32, which holds all of them; towards them it must not round to nearest.
macro_rules! sixteen {
    ($narrow:ty: $($t:ty),+) => {$(
        impl Convert<$t> for $narrow {
            #[inline(always)]
            fn convert(self) -> $t {
                Convert::<f32>::convert(self).convert()
            }

            const MENDS: bool = <f32 as Convert<$t>>::MENDS;

            #[inline(always)]
            fn is_odd(self) -> bool {
                Convert::<$t>::is_odd(Convert::<f32>::convert(self))
            }

            #[inline(always)]
            fn convert_odd(self) -> $t {
                Convert::<f32>::convert(self).convert_odd()
            }
        }

        impl Convert<$narrow> for $t {
            #[inline(always)]
            fn convert(self) -> $narrow {
                self.narrow().convert()
            }
        }
    )+};
}

sixteen!(Brain: f64, i64, i32, u8, Flag);
sixteen!(Half: f64, i64, i32, u8, Flag);

impl Convert<f32> for Brain {
    #[inline(always)]
    fn convert(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
}

impl Convert<Brain> for f32 {
    #[inline(always)]
    fn convert(self) -> Brain {
        let bits = self.to_bits();
        let even = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        let quiet = (bits >> 16) | 0x40;
        Brain(if self.is_nan() { quiet } else { even } as u16)
    }
}

impl Convert<f32> for Half {
    #[inline(always)]
    fn convert(self) -> f32 {
        let sign = u32::from(self.0 & 0x8000) << 16;
        let size = u32::from(self.0 & 0x7fff) << 13;
        // Exponents are 112 apart. The product is exact, and makes normal floats of the subnormal halves.
        let value = f32::from_bits(size) * f32::from_bits((127 + 112) << 23);
        let special = f32::from_bits(size | 0x7f80_0000);
        let value = if size >= 0x7c00 << 13 { special } else { value };
        f32::from_bits(value.to_bits() | sign)
    }
}

impl Convert<Half> for f32 {
    #[inline(always)]
    fn convert(self) -> Half {
        let bits = self.to_bits();
        let (sign, size) = ((bits >> 16) & 0x8000, bits & 0x7fff_ffff);
        // Subnormal halves: adding 0.5 puts their unit on the last bit of the sum, which rounds to even.
        let subnormal = (f32::from_bits(size) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
        let normal = size.wrapping_sub(112 << 23).wrapping_add(0xfff + ((size >> 13) & 1)) >> 13;
        let value = if size < 113 << 23 { subnormal } else { normal };
        let value = if size >= 0x477f_f000 { 0x7c00 } else { value };
        let value = if size > 0x7f80_0000 { 0x7e00 } else { value };
        Half((sign | value) as u16)
    }
}

impl Convert<Half> for Brain {
    #[inline(always)]
    fn convert(self) -> Half {
        Convert::<f32>::convert(self).convert()
    }
}

impl Convert<Brain> for Half {
    #[inline(always)]
    fn convert(self) -> Brain {
        Convert::<f32>::convert(self).convert()
    }
}

impl Convert<Half> for Half {
    #[inline(always)]
    fn convert(self) -> Half {
        self
    }
}

impl Convert<Brain> for Brain {
    #[inline(always)]
    fn convert(self) -> Brain {
        self
    }
}
