//! What is known of a value before it is computed: its shape and its element type.

use std::fmt;
use std::hash::{Hash, Hasher};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;

/// Shape and element type of a node.
///
/// ```
/// use wengert_autograd::Meta;
/// use wengert_tensor::{dtype::DType, shape::Shape};
/// let meta = Meta::new(Shape::new([2, 3])?, DType::F32);
/// assert_eq!(meta.to_string(), "[2, 3] f32");
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The sizes of the axes.
    pub shape: Shape,
    /// The element type.
    pub dtype: DType,
}

impl Meta {
    /// A shape and an element type.
    pub fn new(shape: Shape, dtype: DType) -> Meta {
        Meta { shape, dtype }
    }

    /// The same shape with another element type.
    pub fn with_dtype(&self, dtype: DType) -> Meta {
        Meta { shape: self.shape.clone(), dtype }
    }

    /// The same element type with another shape.
    pub fn with_shape(&self, shape: Shape) -> Meta {
        Meta { shape, dtype: self.dtype }
    }
}

impl Hash for Meta {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_meta(&self.shape, self.dtype, state);
    }
}

/// The hash of a shape and an element type.
#[inline]
pub(crate) fn hash_meta<H: Hasher>(shape: &Shape, dtype: DType, state: &mut H) {
    // Rank and element type in one word: the hash of a number is that of one word.
    state.write_u64((shape.rank() as u64) << 8 | dtype as u64);
    shape.iter().for_each(|&dim| state.write_usize(dim));
}

impl fmt::Display for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.shape, self.dtype)
    }
}

/// The operands of an op that takes exactly `N`.
///
/// # Errors
/// When there are more or fewer.
pub fn operands<'a, const N: usize>(inputs: &[&'a Meta]) -> Result<[&'a Meta; N]> {
    inputs.try_into().map_err(|_| Error::state(format!("takes {N} operands, not {}", inputs.len())))
}

/// Checks that the elements are floats, for an op that has a meaning for these only.
///
/// # Errors
/// When they are not, with the cast as help.
pub fn floats(meta: &Meta) -> Result<()> {
    match meta.dtype.is_float() {
        true => Ok(()),
        false => {
            Err(Error::dtype(format!("needs floats, not {}", meta.dtype)).help("convert first: .cast(DType::F32)"))
        }
    }
}

/// Checks that the elements are i64, as indices and labels are.
///
/// # Errors
/// When they are not, with the cast as help.
pub fn indices(meta: &Meta) -> Result<()> {
    match meta.dtype {
        DType::I64 => Ok(()),
        other => Err(Error::dtype(format!("indices are i64, not {other}")).help("convert first: .cast(DType::I64)")),
    }
}
