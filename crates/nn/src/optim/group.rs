//! Learning rates of single layers: which parameter is in which group.

use std::fmt::Display;

use wengert_autograd::LeafId;
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::{Error, Result};

use crate::module::Module;
use crate::names::unknown;
use crate::path::covers;

/// For each weight of the model the place of its group; `None` for the learning rate of the rest.
///
/// # Errors
/// A group that fits no weight, two groups that fit the same one, a learning rate that is negative or not finite.
pub(super) fn assign<M: Module + ?Sized>(model: &M, groups: &[(String, f64)]) -> Result<Vec<(LeafId, Option<usize>)>> {
    let parameters = model.parameters();
    for (name, rate) in groups {
        sound(name, *rate, DType::F64)?;
        if !parameters.iter().any(|(parameter, _)| covers(name, parameter)) {
            return Err(unknown(model, name).op("learning_rate_of"));
        }
    }
    let mut assigned = Vec::with_capacity(parameters.len());
    for (name, param) in &parameters {
        let mut fitting = groups.iter().enumerate().filter(|(_, (prefix, _))| covers(prefix, name));
        let group = fitting.next();
        if let (Some((_, (first, _))), Some((_, (second, _)))) = (group, fitting.next()) {
            return Err(Error::value(format!("`{name}` is in two groups: `{first}` and `{second}`"))
                .op("learning_rate_of")
                .help("give every parameter one learning rate"));
        }
        assigned.push((param.id(), group.map(|(place, _)| place)));
    }
    Ok(assigned)
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
