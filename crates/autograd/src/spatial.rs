//! What is said of every spatial axis, as convolutions and pools take it: one number for all axes, or one for each.

use crate::graph::Var;
use crate::ops::windows::Places;
use smallvec::SmallVec;
use wengert_tensor::dtype::Element;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{IntoShape, Shape};
use wengert_tensor::tensor::Tensor;

/// Sizes of axes, or numbers for them.
pub(crate) type Dims = SmallVec<[usize; 4]>;

/// How many axes an image has in front: examples and channels.
pub(crate) const FRONT: usize = 2;

/// A number for all spatial axes, or one for each: `2`, `[2, 1]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PerAxis {
    /// The same for all.
    All(usize),
    /// One for each, in order.
    Each(SmallVec<[usize; 3]>),
}

impl PerAxis {
    /// The numbers for `axes` axes; `what` they are stands in the error.
    ///
    /// # Errors
    /// When there is a number for each of fewer or more axes.
    pub fn of(&self, what: &str, axes: usize) -> Result<SmallVec<[usize; 4]>> {
        match self {
            PerAxis::All(one) => Ok(SmallVec::from_elem(*one, axes)),
            PerAxis::Each(each) if each.len() == axes => Ok(each.iter().copied().collect()),
            PerAxis::Each(each) => {
                let error = Error::value(format!("{what} is {each:?}, and there are {axes} spatial axes"));
                Err(error.help("one number is for all axes, a list has one for each"))
            }
        }
    }

    /// Of how many axes it speaks, if it says so.
    pub(crate) fn axes(&self) -> Option<usize> {
        match self {
            PerAxis::All(_) => None,
            PerAxis::Each(each) => Some(each.len()),
        }
    }
}

impl From<usize> for PerAxis {
    fn from(one: usize) -> PerAxis {
        PerAxis::All(one)
    }
}

impl<const N: usize> From<[usize; N]> for PerAxis {
    fn from(each: [usize; N]) -> PerAxis {
        PerAxis::Each(each.into_iter().collect())
    }
}

impl From<&[usize]> for PerAxis {
    fn from(each: &[usize]) -> PerAxis {
        PerAxis::Each(SmallVec::from_slice(each))
    }
}

/// What surrounds the spatial axes: a number for both sides of all axes or of each, `1`, `[1, 0]`; a pair for the two sides of
/// each, `[(1, 2), (0, 0)]`; or a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Padding {
    /// None.
    Valid,
    /// As much as gives ⌈n / stride⌉ windows; where that is odd, one more at the end.
    Same,
    /// So many on both sides.
    Both(PerAxis),
    /// So many before and after, for each axis.
    Sides(SmallVec<[(usize, usize); 3]>),
}

impl<T: Into<PerAxis>> From<T> for Padding {
    fn from(both: T) -> Padding {
        Padding::Both(both.into())
    }
}

impl<const N: usize> From<[(usize, usize); N]> for Padding {
    fn from(sides: [(usize, usize); N]) -> Padding {
        Padding::Sides(sides.into_iter().collect())
    }
}

impl From<&[(usize, usize)]> for Padding {
    fn from(sides: &[(usize, usize)]) -> Padding {
        Padding::Sides(SmallVec::from_slice(sides))
    }
}

/// The windows of one spatial axis, and what surrounds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Along {
    pub(crate) places: Places,
    /// Its size without what surrounds it.
    pub(crate) n: usize,
    pub(crate) before: usize,
    pub(crate) after: usize,
    /// How many of those after it are there only so that the last window is whole.
    pub(crate) beyond: usize,
}

impl Along {
    /// The size with what surrounds it.
    pub(crate) fn padded(&self) -> Result<usize> {
        let padded = self.n.checked_add(self.before).and_then(|n| n.checked_add(self.after));
        padded.ok_or_else(|| Error::shape("the padded size overflows"))
    }

    /// How many windows there are.
    pub(crate) fn count(&self) -> Result<usize> {
        self.places.count(self.padded()?)
    }
}

/// The windows of all spatial axes, whose sizes are `sizes`: each is one of the lists.
pub(crate) fn along(
    sizes: &[usize],
    kernel: &[usize],
    stride: &PerAxis,
    dilation: &PerAxis,
    padding: &Padding,
) -> Result<SmallVec<[Along; 3]>> {
    let axes = sizes.len();
    let (stride, dilation) = (stride.of("the stride", axes)?, dilation.of("the dilation", axes)?);
    let both = match padding {
        Padding::Valid | Padding::Same => SmallVec::from_elem((0, 0), axes),
        Padding::Both(both) => both.of("the padding", axes)?.into_iter().map(|n| (n, n)).collect(),
        Padding::Sides(sides) if sides.len() == axes => sides.clone(),
        Padding::Sides(sides) => {
            let error = Error::value(format!("the padding is {sides:?}, and there are {axes} spatial axes"));
            return Err(error.help("there is a pair for each axis: before and after"));
        }
    };
    let all = sizes.iter().zip(kernel).zip(stride.iter().zip(&dilation)).zip(both).enumerate();
    all.map(|(i, (((&n, &size), (&step, &dilation)), (before, after)))| {
        // Every axis before this one is two by then: the elements of its windows, and their places.
        let places = Places { axis: FRONT + 2 * i, size, step, dilation };
        // Before anything is divided by a step of 0.
        places.span()?;
        let (before, after) = match padding {
            Padding::Same => {
                let missing = places.covered(n.div_ceil(step))?.saturating_sub(n);
                (missing / 2, missing - missing / 2)
            }
            _ => (before, after),
        };
        Ok(Along { places, n, before, after, beyond: 0 })
    })
    .collect()
}

impl<'t> Var<'t> {
    /// `[N, C, n…]` surrounded by `value`, with the windows of every spatial axis: `[N, C, k₁, l₁, k₂, l₂, …]`, k elements in each
    /// of l windows.
    #[track_caller]
    pub(crate) fn all_windows(self, all: &[Along], value: f64) -> Var<'t> {
        all.iter().fold(self.all_padded(all, value), |x, along| x.windowed(along.places))
    }

    /// `[N, C, n…]` surrounded by `value`.
    #[track_caller]
    pub(crate) fn all_padded(self, all: &[Along], value: f64) -> Var<'t> {
        let sides = all.iter().enumerate().map(|(i, along)| (FRONT + i, along.before, along.after));
        self.padded(sides, value)
    }

    /// The transpose of [`Var::all_windows`], without what surrounds the axes.
    #[track_caller]
    pub(crate) fn fold_all(self, all: &[Along]) -> Result<Var<'t>> {
        let mut x = self;
        for along in all.iter().rev() {
            x = x.folded(along.places, along.padded()?);
        }
        for (axis, along) in all.iter().enumerate() {
            x = x.slice((FRONT + axis) as isize, along.before..along.before.saturating_add(along.n));
        }
        Ok(x)
    }
}

/// A table that a composition reads, as [`Tensor::from_fn`]. Where there is no room for it, that is told of the composition.
pub(crate) fn tabled<T: Element>(shape: impl IntoShape, f: impl FnMut(usize) -> T) -> Result<Tensor> {
    Tensor::from_fn(shape, f).map_err(|error| Error::new(error.kind(), error.message()))
}

/// The sizes of the spatial axes of images `[N, C, n…]`, of which there must be `axes` if that is known.
pub(crate) fn spatial(x: &Shape, axes: Option<usize>) -> Result<&[usize]> {
    let rank = axes.map_or(FRONT + 1, |axes| FRONT + axes);
    match x.get(FRONT..) {
        Some(sizes) if x.rank() == rank || (axes.is_none() && x.rank() > rank) => Ok(sizes),
        _ if x.rank() + 1 == rank => {
            let error = format!(
                "{x} has no axis of examples: with {} spatial axes the rank is {rank}, and this is {}",
                rank - FRONT,
                x.rank()
            );
            Err(Error::shape(error).help("unsqueeze(0) makes it a batch of one; in a vmap every example has one, too"))
        }
        _ => {
            let count = rank - FRONT;
            let error = Error::shape(format!("takes [examples, channels] and {count} spatial axes, not {x}"));
            Err(error.help("reshape, or another rank of the kernel"))
        }
    }
}
