//! The weights and buffers of a model, taken out and put back.

use crate::module::{Module, each_mut};
use crate::tensors::Named;
#[cfg(feature = "files")]
use crate::tensors::find;
use std::collections::HashMap;
#[cfg(feature = "files")]
use wengert_tensor::error::Error;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

/// All weights and buffers by their names. Nothing is copied.
pub(super) fn taken<M: Module + ?Sized>(model: &M) -> Named {
    model.state().into_iter().map(|(name, param)| (name, param.value().clone())).collect()
}

/// That a model has just these weights and buffers.
#[cfg(feature = "files")]
pub(super) fn fits<M: Module + ?Sized>(model: &M, values: &[(String, Tensor)]) -> Result<()> {
    let own = model.state();
    for (name, param) in &own {
        let named = |error: Error| error.operand("parameter", format!("`{name}`"));
        let value = find(values, name).ok_or_else(|| named(Error::data("it is missing")))?;
        param.accepts(value).map_err(named)?;
    }
    match values.iter().find(|(name, _)| !own.iter().any(|(known, _)| known == name)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::data(format!("the model has no `{name}`"))),
    }
}

/// Gives weights and buffers these values: all of them, or none. What is not named stays.
pub(super) fn put<M: Module + ?Sized>(model: &mut M, values: &[(String, Tensor)]) -> Result<()> {
    let values: HashMap<&str, &Tensor> = values.iter().map(|(name, value)| (&**name, value)).collect();
    for (name, param) in model.state() {
        values.get(&*name).map_or(Ok(()), |value| param.accepts(value)).map_err(|error| error.within(name))?;
    }
    let mut outcome = Ok(());
    each_mut(model, &mut |path, param| {
        if let Some(value) = values.get(&*path.name())
            && outcome.is_ok()
        {
            outcome = param.set((*value).clone());
        }
    });
    outcome
}
