//! Initialisers that make a matrix as a whole.

use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, normal_f64, uniform_f64};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

use super::float;

/// The Q of the product QR of a matrix of normal numbers, with R's diagonal positive: then Q is uniform.
pub(super) fn orthogonal(key: Key, shape: &Shape, dtype: DType, gain: f64) -> Result<Tensor> {
    float(dtype)?;
    let (Some(&rows), true) = (shape.first(), shape.rank() >= 2) else {
        return Err(Error::shape(format!("an orthogonal weight has at least two axes, not {shape}")).op("orthogonal"));
    };
    if shape.is_empty() {
        return Tensor::zeros(shape, dtype);
    }
    let columns = shape.len() / rows;
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<f64> = room(shape.len())?;
    vectors.extend((0..shape.len()).map(|i| normal_f64(key, i as u64)));
    for place in 0..count {
        let (done, rest) = vectors.split_at_mut(place * length);
        let Some(vector) = rest.get_mut(..length) else { continue };
        // Once leaves what rounding brings back; twice is enough (Kahan and Parlett).
        for earlier in done.chunks_exact(length).chain(done.chunks_exact(length)) {
            let along: f64 = vector.iter().zip(earlier).map(|(x, q)| x * q).sum();
            vector.iter_mut().zip(earlier).for_each(|(x, q)| *x -= along * q);
        }
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm == 0.0 {
            return Err(Error::value("the numbers drawn for an orthogonal weight are dependent").op("orthogonal"));
        }
        vector.iter_mut().for_each(|x| *x /= norm);
    }
    let at = |row: usize, column: usize| {
        let (vector, element) = if rows <= columns { (row, column) } else { (column, row) };
        vectors.get(vector * length + element).copied().unwrap_or(0.0)
    };
    Tensor::from_fn(shape, |i| gain * at(i / columns, i % columns))?.cast(dtype)
}

/// Room for so many numbers: a shape may ask for more than there is.
fn room<T>(count: usize) -> Result<Vec<T>> {
    let mut room = Vec::new();
    match room.try_reserve_exact(count) {
        Ok(()) => Ok(room),
        Err(error) => Err(Error::memory(format!("no room for {count} numbers")).caused_by(error)),
    }
}

pub(super) fn identity(shape: &Shape, dtype: DType, gain: f64) -> Result<Tensor> {
    match shape.dims() {
        &[_, columns] => {
            Tensor::from_fn(shape, |i| if i / columns.max(1) == i % columns.max(1) { gain } else { 0.0 })?.cast(dtype)
        }
        _ => Err(Error::shape(format!("an identity is a matrix, not {shape}")).op("identity")),
    }
}

pub(super) fn dirac(shape: &Shape, dtype: DType, groups: usize) -> Result<Tensor> {
    let &[outputs, inputs, ref kernel @ ..] = shape.dims() else {
        return Err(Error::shape(format!("a kernel is [out, in, sizes…], not {shape}")).op("dirac"));
    };
    if kernel.is_empty() {
        let error = Error::shape(format!("a kernel is [out, in, sizes…], not {shape}")).op("dirac");
        return Err(error.help("`Init::Identity` is that of a matrix"));
    }
    if outputs % groups != 0 {
        let error = Error::shape(format!("{outputs} outputs do not fall into {groups} groups")).op("dirac");
        return Err(error.help("the number of groups divides that of the outputs"));
    }
    let field: usize = kernel.iter().product();
    let middle = kernel.iter().fold(0, |place, size| place * size + size / 2);
    let one = |i: usize| {
        let (output, input) = (i / (inputs * field), i / field % inputs);
        i % field == middle && output % (outputs / groups) == input
    };
    Tensor::from_fn(shape, |i| if one(i) { 1f64 } else { 0.0 })?.cast(dtype)
}

pub(super) fn sparse(key: Key, shape: &Shape, dtype: DType, sparsity: f64, std: f64) -> Result<Tensor> {
    float(dtype)?;
    let &[rows, columns] = shape.dims() else {
        return Err(Error::shape(format!("a sparse weight is a matrix, not {shape}")).op("sparse"));
    };
    let zeros = (sparsity * rows as f64).ceil() as usize;
    let places = key.fold(1);
    let mut silent = room(shape.len())?;
    silent.resize(shape.len(), false);
    for column in 0..columns {
        let number = |row: usize| uniform_f64(places, (column * rows + row) as u64);
        let mut order: Vec<usize> = room(rows)?;
        order.extend(0..rows);
        order.sort_by(|&a, &b| number(a).total_cmp(&number(b)));
        for row in order.into_iter().take(zeros) {
            if let Some(silent) = silent.get_mut(row * columns + column) {
                *silent = true;
            }
        }
    }
    let value = |i: usize| if silent.get(i) == Some(&true) { 0.0 } else { std * normal_f64(key, i as u64) };
    Tensor::from_fn(shape, value)?.cast(dtype)
}
