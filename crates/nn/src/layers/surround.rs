//! What is added to, or taken from, the two sides of every spatial axis.

use wengert_autograd::{Padding, PerAxis, Var};
use wengert_tensor::error::{Error, Result};

/// How many elements each side has, for the spatial axes of images `[batch, channels, n…]`.
pub(super) fn sides(x: Var<'_>, of: &Padding) -> Result<Vec<(usize, usize)>> {
    let shape = x.shape();
    let axes = match of {
        Padding::Both(PerAxis::Each(each)) => Some(each.len()),
        Padding::Sides(sides) => Some(sides.len()),
        _ => None,
    };
    let found = match shape.rank().checked_sub(2) {
        Some(found) if found > 0 && axes.is_none_or(|axes| axes == found) => found,
        _ => {
            let wanted = axes.map_or_else(|| "at least 1".to_string(), |axes| axes.to_string());
            return Err(Error::shape(format!("takes [batch, channels] and {wanted} spatial axes, not {shape}"))
                .help("one number is for all sides, `[2, 1]` has one for each axis, `[(0, 1), (2, 2)]` a pair"));
        }
    };
    match of {
        Padding::Valid => Ok(vec![(0, 0); found]),
        Padding::Both(both) => Ok(both.of("the number", found)?.into_iter().map(|n| (n, n)).collect()),
        Padding::Sides(sides) => Ok(sides.to_vec()),
        Padding::Same => Err(Error::value("Padding::Same is a rule for windows").help("here the sides are numbers")),
    }
}
