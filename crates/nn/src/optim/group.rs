//! Settings of single layers: which parameter is in which group.

use std::fmt::Display;

use wengert_autograd::LeafId;
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::{Error, Result};

use super::select::Select;
use crate::module::Module;
use crate::names::nearest;
use crate::param::Param;
use crate::path::covers;

/// For each weight of the model the place of its group; `None` for those that are in none. `op` is the method that makes such groups, `what`
/// is what a parameter has one of.
///
/// # Errors
/// A name that fits no weight, two groups that fit the same one.
pub(super) fn assign<M: Module + ?Sized>(
    model: &M,
    groups: &[&dyn Select],
    op: &'static str,
    what: &str,
) -> Result<Vec<(LeafId, Option<usize>)>> {
    groups.iter().try_for_each(|group| known(model, &group.names(), op))?;
    let parameters = model.parameters();
    let mut assigned = Vec::with_capacity(parameters.len());
    for (name, param) in &parameters {
        let mut fitting = groups.iter().enumerate().filter(|(_, group)| group.picks(name, param.shape()));
        let group = fitting.next();
        if let (Some((_, first)), Some((_, second))) = (group, fitting.next()) {
            let message = format!("`{name}` is in two groups: {} and {}", first.describe(), second.describe());
            return Err(Error::value(message).op(op).help(format!("give every parameter one {what}")));
        }
        assigned.push((param.id(), group.map(|(place, _)| place)));
    }
    Ok(assigned)
}

/// That each of these names fits a weight of the model.
pub(super) fn known<M: Module + ?Sized>(model: &M, names: &[&str], op: &'static str) -> Result<()> {
    let parameters = model.parameters();
    let fits = |name: &str| parameters.iter().any(|(parameter, _)| covers(name, parameter));
    match names.iter().find(|name| !fits(name)) {
        Some(name) => Err(unknown(model, name, &parameters).op(op)),
        None => Ok(()),
    }
}

/// That a learning rate is a number, in the dtype that it is multiplied in, and leads downhill.
pub(super) fn sound(name: impl Display, rate: f64, dtype: DType) -> Result<()> {
    match rate >= 0.0 && Scalar::new(dtype, rate).to_f64().is_finite() {
        true => Ok(()),
        false => Err(Error::value(format!("the learning rate of `{name}` is {rate}"))
            .op("step")
            .help(format!("it is at least 0 and no more than {dtype} can hold"))),
    }
}

fn unknown<M: Module + ?Sized>(model: &M, name: &str, parameters: &[(String, &Param)]) -> Error {
    const SHOWN: usize = 12;
    // Every prefix of a name that ends at a dot is a name of a group too.
    let mut known: Vec<&str> = Vec::new();
    for (parameter, _) in parameters {
        let ends = parameter.match_indices('.').map(|(at, _)| at).chain([parameter.len()]);
        known.extend(
            ends.filter_map(|end| parameter.get(..end)).filter(|prefix| !known.contains(prefix)).collect::<Vec<_>>(),
        );
    }
    let mut list = known.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if known.len() > SHOWN {
        list.push_str(&format!(" and {} more", known.len() - SHOWN));
    }
    let guess = nearest(name, known.iter().copied());
    let help = match guess {
        Some(guess) => format!("did you mean `{guess}`? known are {list}"),
        None => format!("known are {list}"),
    };
    Error::value(format!("`{}` has no parameter `{name}` and none below it", model.type_name())).help(help)
}
