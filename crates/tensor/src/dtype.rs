//! The element types, the numbers of Rust that stand for them, and one value of any of them.

use crate::error::{Error, Result};
use bytemuck::Pod;
use std::fmt::{self, Debug, Display};

pub use half::{bf16, f16};

/// The type of a tensor's elements. A value, not a type parameter.
///
/// ```
/// use wengert_tensor::dtype::DType;
/// assert_eq!(DType::BF16.to_string(), "bf16");
/// assert_eq!(DType::BF16.size(), 2);
/// assert!(DType::BF16.is_float() && !DType::Bool.is_int());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// The upper half of an f32: 8 bits of exponent, 7 of fraction.
    BF16,
    /// IEEE 754 binary16.
    F16,
    /// Signed, 64 bits; indices and labels.
    I64,
    /// Signed, 32 bits.
    I32,
    /// Unsigned, 8 bits.
    U8,
    /// A byte that is 0 or 1; masks.
    Bool,
}

/// Evaluates `$body` with `$T` bound to the Rust type of `$dtype`.
macro_rules! dispatch {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::dtype::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::dtype::DType::F64 => {
                type $T = f64;
                $body
            }
            $crate::dtype::DType::BF16 => {
                type $T = $crate::dtype::bf16;
                $body
            }
            $crate::dtype::DType::F16 => {
                type $T = $crate::dtype::f16;
                $body
            }
            $crate::dtype::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::dtype::DType::I32 => {
                type $T = i32;
                $body
            }
            $crate::dtype::DType::U8 => {
                type $T = u8;
                $body
            }
            $crate::dtype::DType::Bool => {
                type $T = bool;
                $body
            }
        }
    };
}
pub(crate) use dispatch;

impl DType {
    /// All of them.
    pub const ALL: [DType; 8] =
        [DType::F32, DType::F64, DType::BF16, DType::F16, DType::I64, DType::I32, DType::U8, DType::Bool];

    /// Bytes of one element.
    #[inline]
    pub const fn size(self) -> usize {
        match self {
            DType::F64 | DType::I64 => 8,
            DType::F32 | DType::I32 => 4,
            DType::BF16 | DType::F16 => 2,
            DType::U8 | DType::Bool => 1,
        }
    }

    /// f32, f64, bf16, f16.
    #[inline]
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64 | DType::BF16 | DType::F16)
    }

    /// i64, i32, u8. A bool is no integer.
    #[inline]
    pub const fn is_int(self) -> bool {
        matches!(self, DType::I64 | DType::I32 | DType::U8)
    }

    /// What no element is below: −∞, the smallest whole number, false.
    pub const fn least(self) -> f64 {
        match self {
            DType::F32 | DType::F64 | DType::BF16 | DType::F16 => f64::NEG_INFINITY,
            DType::I64 => i64::MIN as f64,
            DType::I32 => i32::MIN as f64,
            DType::U8 | DType::Bool => 0.0,
        }
    }

    /// The name as it is printed: `f32`, `bool`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::BF16 => "bf16",
            DType::F16 => "f16",
            DType::I64 => "i64",
            DType::I32 => "i32",
            DType::U8 => "u8",
            DType::Bool => "bool",
        }
    }

    /// The spelling in Rust of the constant: `DType::F32`. For the help of errors.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            DType::F32 => "DType::F32",
            DType::F64 => "DType::F64",
            DType::BF16 => "DType::BF16",
            DType::F16 => "DType::F16",
            DType::I64 => "DType::I64",
            DType::I32 => "DType::I32",
            DType::U8 => "DType::U8",
            DType::Bool => "DType::Bool",
        }
    }

    /// Checks that `T` is the Rust type of this element type.
    ///
    /// # Errors
    /// [`ErrorKind::DType`](crate::error::ErrorKind::DType), with the cast as help.
    ///
    /// ```
    /// # use wengert_tensor::dtype::DType;
    /// assert!(DType::F32.expect::<f32>().is_ok());
    /// let e = DType::F64.expect::<f32>().unwrap_err();
    /// assert_eq!(e.to_string(), "these are f64, not f32\n  help   convert first: .cast(DType::F32)");
    /// ```
    pub fn expect<T: Element>(self) -> Result<()> {
        match self == T::DTYPE {
            true => Ok(()),
            false => Err(Error::dtype(format!("these are {self}, not {}", T::DTYPE))
                .help(format!("convert first: .cast({})", T::DTYPE.path()))),
        }
    }
}

impl Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type whose values are elements: `f32 f64 bf16 f16 i64 i32 u8 bool`.
///
/// Conversions truncate a float toward zero and saturate at the ends of an integer; NaN becomes 0; integers wrap into
/// smaller integers as `as` does; what is not zero (NaN too) is `true`. Whatever becomes a float is rounded once, to
/// nearest, ties to even. (`half` gives its types a `from_f64` of their own, which rounds twice:
/// `<f16 as Element>::from_f64` is this one.)
///
/// ```
/// use wengert_tensor::dtype::Element;
/// assert_eq!(i32::from_f64(-1.9), -1);
/// assert_eq!(u8::from_f64(1e9), 255);
/// assert_eq!(i64::from_f64(f64::NAN), 0);
/// assert_eq!((3.99f32).convert::<u8>(), 3);
/// assert!((-2i64).convert::<bool>());
/// ```
pub trait Element:
    Copy + Default + PartialEq + PartialOrd + Debug + Display + Send + Sync + sealed::Sealed + 'static
{
    /// What lies in memory: `u8` for `bool`, the type itself for all others.
    type Stored: Pod + PartialEq + PartialOrd + Debug + Send + Sync;

    /// The element type.
    const DTYPE: DType;

    /// The value in memory.
    fn to_stored(self) -> Self::Stored;

    /// The value of what is in memory. Any byte but 0 is `true`.
    fn from_stored(stored: Self::Stored) -> Self;

    /// The nearest f64.
    fn to_f64(self) -> f64;

    /// From an f64, by the rules above.
    fn from_f64(value: f64) -> Self;

    /// The integer part, by the rules above; exact for integers and bool.
    fn to_i64(self) -> i64;

    /// From an integer: exact where it fits, rounded once for floats, wrapped for smaller integers.
    fn from_i64(value: i64) -> Self;

    /// The value as another element type, by the rules above.
    #[inline(always)]
    fn convert<T: Element>(self) -> T {
        // Floats widen to f64 exactly and all others to i64 exactly, so there is one rounding at most.
        match Self::DTYPE.is_float() {
            true => T::from_f64(self.to_f64()),
            false => T::from_i64(self.to_i64()),
        }
    }
}

macro_rules! element {
    ($T:ty, $dtype:ident, $stored:ty, |$x:ident| $to_stored:expr, $from_stored:expr, $to_f64:expr, $from_f64:expr, $to_i64:expr, $from_i64:expr) => {
        impl sealed::Sealed for $T {}
        impl Element for $T {
            type Stored = $stored;
            const DTYPE: DType = DType::$dtype;
            #[inline(always)]
            fn to_stored(self) -> $stored {
                let $x = self;
                $to_stored
            }
            #[inline(always)]
            fn from_stored($x: $stored) -> Self {
                $from_stored
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                let $x = self;
                $to_f64
            }
            #[inline(always)]
            fn from_f64($x: f64) -> Self {
                $from_f64
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                let $x = self;
                $to_i64
            }
            #[inline(always)]
            fn from_i64($x: i64) -> Self {
                $from_i64
            }
        }
    };
}

element!(f32, F32, f32, |x| x, x, x as f64, x as f32, x as i64, x as f32);
element!(f64, F64, f64, |x| x, x, x, x, x as i64, x as f64);
element!(
    bf16,
    BF16,
    bf16,
    |x| x,
    x,
    x.to_f32() as f64,
    bf16::from_f32(odd_f32(x)),
    x.to_f32() as i64,
    bf16::from_f32(odd_f32(odd_f64(x)))
);
element!(
    f16,
    F16,
    f16,
    |x| x,
    x,
    x.to_f32() as f64,
    f16::from_f32(odd_f32(x)),
    x.to_f32() as i64,
    f16::from_f32(odd_f32(odd_f64(x)))
);
element!(i64, I64, i64, |x| x, x, x as f64, x as i64, x, x);
element!(i32, I32, i32, |x| x, x, x as f64, x as i32, x as i64, x as i32);
element!(u8, U8, u8, |x| x, x, x as f64, x as u8, x as i64, x as u8);
element!(bool, Bool, u8, |x| x as u8, x != 0, x as u8 as f64, x != 0.0, x as i64, x != 0);

/// An f64 as f32, rounded to odd: what is not exact becomes the neighbour whose last bit is 1.
///
/// The last bit then tells the rounding to a 16-bit float that something was cut off, and it rounds as if from the f64.
/// Rounded to nearest twice, 65519.99999999 would become 65520 and then an infinite f16. (Boldo & Melquiond 2008)
#[inline(always)]
pub(crate) fn odd_f32(x: f64) -> f32 {
    let near = x as f32;
    let bits = near.to_bits();
    let other = if f64::from(near).abs() > x.abs() { bits.wrapping_sub(1) } else { bits.wrapping_add(1) };
    let keep = f64::from(near) == x || bits & 1 == 1 || x.is_nan();
    f32::from_bits(if keep { bits } else { other })
}

/// An i64 as f64, rounded to odd; see [`odd_f32`].
#[inline(always)]
pub(crate) fn odd_f64(x: i64) -> f64 {
    const CUT: i64 = 0x7ff;
    let odd = (x & !CUT) | if x & CUT == 0 { 0 } else { CUT + 1 };
    (if x.unsigned_abs() >> f64::MANTISSA_DIGITS == 0 { x } else { odd }) as f64
}

/// One value of one element type, as its bit pattern: equal when the bits are equal.
///
/// ```
/// use wengert_tensor::dtype::{DType, Scalar};
/// let x = Scalar::new(DType::I32, 7.9);
/// assert_eq!(x, Scalar::of(7i32));
/// assert_eq!(x.to_f64(), 7.0);
/// assert_ne!(Scalar::of(0.0f32), Scalar::of(-0.0f32));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scalar {
    dtype: DType,
    bits: u64,
}

impl Scalar {
    /// `value` as `dtype`, by the rules of [`Element`].
    pub fn new(dtype: DType, value: f64) -> Scalar {
        // Not `T::from_f64`, which for the 16-bit floats would be that of `half`.
        dispatch!(dtype, T => Scalar::of(<T as Element>::from_f64(value)))
    }

    /// `value` as `dtype`: exact where it fits, by the rules of [`Element`].
    pub fn from_i64(dtype: DType, value: i64) -> Scalar {
        dispatch!(dtype, T => Scalar::of(T::from_i64(value)))
    }

    /// A value of a Rust type.
    pub fn of<T: Element>(value: T) -> Scalar {
        let stored = value.to_stored();
        let mut bytes = [0u8; 8];
        for (to, from) in bytes.iter_mut().zip(bytemuck::bytes_of(&stored)) {
            *to = *from;
        }
        Scalar { dtype: T::DTYPE, bits: bits_of(bytes, T::DTYPE.size()) }
    }

    /// The value whose bytes lie in memory, if these are as many as the element has.
    pub fn from_bytes(dtype: DType, bytes: &[u8]) -> Option<Scalar> {
        let mut all = [0u8; 8];
        all.get_mut(..dtype.size()).filter(|all| all.len() == bytes.len())?.copy_from_slice(bytes);
        Some(Scalar { dtype, bits: bits_of(all, dtype.size()) })
    }

    /// The element type.
    pub fn dtype(self) -> DType {
        self.dtype
    }

    /// The bit pattern of the value in the low bits, the others zero.
    pub fn bits(self) -> u64 {
        self.bits
    }

    /// The value as a Rust type, if it is of that type.
    pub fn get<T: Element>(self) -> Option<T> {
        let bytes = self.to_bytes();
        let stored = bytemuck::try_pod_read_unaligned(bytes.get(..size_of::<T::Stored>())?).ok()?;
        (self.dtype == T::DTYPE).then(|| T::from_stored(stored))
    }

    /// The nearest f64.
    pub fn to_f64(self) -> f64 {
        dispatch!(self.dtype, T => self.get::<T>().map_or(0.0, Element::to_f64))
    }

    /// The value as another element type.
    pub fn cast(self, dtype: DType) -> Scalar {
        dispatch!(self.dtype, S => {
            let value = self.get::<S>().unwrap_or_default();
            dispatch!(dtype, T => Scalar::of(value.convert::<T>()))
        })
    }

    /// The bytes as they lie in memory, the element's own first, the others zero.
    pub fn to_bytes(self) -> [u8; 8] {
        match cfg!(target_endian = "little") {
            true => self.bits.to_le_bytes(),
            false => (self.bits << (64 - 8 * self.dtype.size())).to_be_bytes(),
        }
    }
}

fn bits_of(bytes: [u8; 8], size: usize) -> u64 {
    match cfg!(target_endian = "little") {
        true => u64::from_le_bytes(bytes),
        false => u64::from_be_bytes(bytes) >> (64 - 8 * size),
    }
}

impl Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dispatch!(self.dtype, T => match self.get::<T>() {
            Some(x) => Display::fmt(&x, f),
            None => Ok(()),
        })
    }
}

impl Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} {}", self.dtype)
    }
}

impl<T: Element> From<T> for Scalar {
    fn from(value: T) -> Scalar {
        Scalar::of(value)
    }
}

#[cfg(test)]
mod tests;
