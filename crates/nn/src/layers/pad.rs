//! Padding: images with more elements around them.

use wengert_autograd::{PadMode, Padding, Var};

use super::case::Case;
use super::surround::sides;
use crate::layer::Layer;
use crate::module::Module;

/// One row a layer: its documentation, its name, and how one axis is padded.
macro_rules! pads {
    ($($(#[$doc:meta])* $name:ident => |$x:ident, $axis:ident, $before:ident, $after:ident| $padded:expr;)+) => {$(
        $(#[$doc])*
        ///
        /// | | shape |
        /// |---|---|
        /// | x | `[batch, channels, n…]`, of 1, 2, 3 or more spatial axes |
        /// | y | `[batch, channels, before + n + after…]` |
        #[derive(Clone, Debug, PartialEq, Module)]
        pub struct $name {
            #[module(skip)]
            padding: Padding,
        }

        impl $name {
            /// So many elements: a number for all sides, `[2, 1]` for both sides of each axis, `[(0, 1), (2, 2)]` before and after each.
            pub fn new(padding: impl Into<Padding>) -> $name {
                $name { padding: padding.into() }
            }
        }

        impl Layer for $name {
            #[track_caller]
            fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
                let _scope = self.scope(x.tape());
                let sides = match sides(x, &self.padding) {
                    Ok(sides) => sides,
                    Err(error) => return x.tape().reject(stringify!($name), &[("input", x)], error),
                };
                let mut $x = x;
                for ($axis, ($before, $after)) in (2..).zip(sides) {
                    $x = $padded;
                }
                $x
            }
        }
    )+};
}

pads! {
    /// Zeros around: PyTorch's `ZeroPad1d`, `ZeroPad2d` and `ZeroPad3d`.
    ///
    /// ```
    /// use wengert_nn::{layer::Layer, layers::pad::ZeroPad};
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let y = ZeroPad::new([(2, 1)]).predict(&Tensor::from([[[1f32, 2.0]]]))?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.0, 0.0, 1.0, 2.0, 0.0]);
    /// # Ok(())
    /// # }
    /// ```
    ZeroPad => |x, axis, before, after| x.pad(axis, before, after, 0.0);
    /// The image mirrored at its edges, which are not repeated: c b | a b c | b a. PyTorch's `ReflectionPad1d` and its kin.
    ReflectPad => |x, axis, before, after| x.pad_with(PadMode::Reflect, axis, before, after);
    /// The edges again and again: a a | a b c | c c. PyTorch's `ReplicationPad1d` and its kin.
    ReplicatePad => |x, axis, before, after| x.pad_with(PadMode::Replicate, axis, before, after);
    /// The image from its other end: b c | a b c | a b. PyTorch's `CircularPad1d` and its kin.
    CircularPad => |x, axis, before, after| x.pad_with(PadMode::Circular, axis, before, after);
}

/// One number around: PyTorch's `ConstantPad1d`, `ConstantPad2d` and `ConstantPad3d`.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, channels, n…]`, of 1, 2, 3 or more spatial axes |
/// | y | `[batch, channels, before + n + after…]` |
///
/// ```
/// use wengert_nn::{layer::Layer, layers::pad::ConstantPad};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = ConstantPad::new(1, -1.0).predict(&Tensor::from([[[1f32, 2.0]]]))?;
/// assert_eq!(y.to_vec::<f32>()?, [-1.0, 1.0, 2.0, -1.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct ConstantPad {
    #[module(skip)]
    padding: Padding,
    value: f64,
}

impl ConstantPad {
    /// So many elements of this value: a number for all sides, `[2, 1]` for both sides of each axis, `[(0, 1), (2, 2)]` before and after
    /// each.
    pub fn new(padding: impl Into<Padding>, value: f64) -> ConstantPad {
        ConstantPad { padding: padding.into(), value }
    }
}

impl Layer for ConstantPad {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        match sides(x, &self.padding) {
            Ok(sides) => (2..).zip(sides).fold(x, |x, (axis, (before, after))| x.pad(axis, before, after, self.value)),
            Err(error) => x.tape().reject("ConstantPad", &[("input", x)], error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let image: [&[usize]; 2] = [&[2, 1, 3, 4], &[2, 1, 6, 7]];
    let around = [(1, 2), (2, 1)];
    vec![
        Case::new("pad", "zero", ZeroPad::new(around), image, &[]),
        Case::new("pad", "zero_line", ZeroPad::new(2), [&[2, 2, 1], &[2, 2, 5]], &[]),
        Case::new("pad", "zero_volume", ZeroPad::new([1, 0, 2]), [&[1, 2, 2, 1, 2], &[1, 2, 4, 1, 6]], &[]),
        Case::new("pad", "constant", ConstantPad::new(around, -1.5), image, &[]),
        Case::new("pad", "reflect", ReflectPad::new(around), image, &[]),
        Case::new("pad", "reflect_volume", ReflectPad::new(1), [&[1, 1, 2, 2, 3], &[1, 1, 4, 4, 5]], &[]),
        Case::new("pad", "replicate", ReplicatePad::new(around), image, &[]),
        Case::new("pad", "circular", CircularPad::new(around), image, &[]),
        Case::new("pad", "circular_line", CircularPad::new([(3, 1)]), [&[2, 1, 3], &[2, 1, 7]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::tensor::Tensor;

    use super::*;

    #[test]
    fn bad_sides_are_refused() -> Result<()> {
        let refused = |layer: &dyn Layer, dims: &[usize]| -> Result<String> {
            let tape = wengert_autograd::Tape::new();
            layer.forward(tape.input(&Tensor::zeros(dims, DType::F32)?));
            Ok(tape.check().map_or_else(|error| error.to_string(), |()| String::new()))
        };
        let has = |text: String, words: &str| assert!(text.contains(words), "{text}");
        has(refused(&ZeroPad::new([1, 2]), &[2, 3, 4])?, "takes [batch, channels] and 2 spatial axes, not [2, 3, 4]");
        has(refused(&ZeroPad::new(1), &[2, 3])?, "at least 1 spatial axes");
        has(refused(&ReflectPad::new(Padding::Same), &[2, 3, 4])?, "the sides are numbers");
        has(refused(&ReplicatePad::new(1), &[2, 3, 0])?, "no elements");
        has(refused(&ZeroPad::new(usize::MAX), &[2, 3, 4])?, "overflows");
        has(refused(&CircularPad::new(usize::MAX), &[2, 3, 4])?, "overflows");
        assert_eq!(refused(&ConstantPad::new(Padding::Valid, 1.0), &[2, 3, 4])?, "");
        Ok(())
    }
}
