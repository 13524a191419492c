//! Settings of single layers: which parameter is in which group.

use std::fmt::Display;

use wengert_autograd::LeafId;
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::{Error, Result};

use super::select::Select;
use crate::module::Module;
use crate::names::known;

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
    groups.iter().try_for_each(|group| known(model, op, &group.names()))?;
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

/// That a learning rate is a number, in the dtype that it is multiplied in, and leads downhill.
pub(super) fn sound(name: impl Display, rate: f64, dtype: DType) -> Result<()> {
    match rate >= 0.0 && Scalar::new(dtype, rate).to_f64().is_finite() {
        true => Ok(()),
        false => Err(Error::value(format!("the learning rate of `{name}` is {rate}"))
            .op("step")
            .help(format!("it is at least 0 and no more than {dtype} can hold"))),
    }
}
