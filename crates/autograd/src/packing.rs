//! Several results in one: an op has a single result, so those that have more give one flat value for each dtype, and what their users
//! read are its parts.

use crate::graph::{OpRef, Tape, Var};
use crate::meta::Meta;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::storage::Storage;

/// Records an op for each dtype among the results, and gives all results. `results` is what each is to be.
#[track_caller]
pub(crate) fn record_packed<'t>(
    tape: &'t Tape,
    name: &'static str,
    results: &[Meta],
    operands: &[Var<'t>],
    op: impl Fn(Packing) -> OpRef,
) -> Vec<Var<'t>> {
    let mut values = vec![tape.poison(); results.len()];
    let mut done: Vec<DType> = Vec::new();
    for dtype in results.iter().map(|meta| meta.dtype) {
        if done.contains(&dtype) {
            continue;
        }
        done.push(dtype);
        match Packing::new(dtype, results) {
            Ok(packing) => {
                let packed = tape.record(op(packing.clone()), operands);
                for part in &packing.parts {
                    if let Some(value) = values.get_mut(part.output) {
                        *value = packing.part(packed, part);
                    }
                }
            }
            Err(error) => _ = tape.reject(name, &[], error),
        }
    }
    values
}

/// Results of one dtype, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Packing {
    pub(crate) dtype: DType,
    pub(crate) parts: Vec<Part>,
}

/// One of the results of a packing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    /// Which output of the body it is.
    pub(crate) output: usize,
    /// Its shape.
    pub(crate) shape: Shape,
    /// Where it starts.
    pub(crate) at: usize,
}

impl Packing {
    /// Those of the results that have this dtype.
    fn new(dtype: DType, results: &[Meta]) -> Result<Packing> {
        let mut at = 0usize;
        let mut parts = Vec::new();
        for (output, meta) in results.iter().enumerate().filter(|(_, meta)| meta.dtype == dtype) {
            let len = meta.shape.len();
            parts.push(Part { output, shape: meta.shape.clone(), at });
            at = at.checked_add(len).ok_or_else(|| Error::shape("the size of all results overflows"))?;
        }
        Ok(Packing { dtype, parts })
    }

    /// Elements of all parts.
    pub(crate) fn len(&self) -> usize {
        self.parts.last().map_or(0, |part| part.at + part.shape.len())
    }

    /// Shape and dtype of the packed result.
    pub(crate) fn meta(&self) -> Result<Meta> {
        Ok(Meta::new(Shape::new([self.len()])?, self.dtype))
    }

    /// A part of the packed value, or of its cotangent.
    pub(crate) fn part<'t>(&self, packed: Var<'t>, part: &Part) -> Var<'t> {
        packed.slice(0, part.at..part.at + part.shape.len()).reshape(part.shape.clone())
    }

    /// The same of a whole batch, from its results, which have the examples in front.
    pub(crate) fn batch<'t>(&self, tape: &'t Tape, size: usize, results: &[Var<'t>]) -> Option<Var<'t>> {
        let part = |part: &Part| Some(results.get(part.output)?.reshape([size, part.shape.len()]));
        let parts: Vec<Var<'t>> = self.parts.iter().map(part).collect::<Option<_>>()?;
        Some(tape.concat(&parts, 1))
    }

    /// The bytes of each part, by the number of its output among `count`; the others have none.
    pub(crate) fn places<'a>(&self, bytes: &'a mut [u8], count: usize) -> Vec<Option<&'a mut [u8]>> {
        let mut places: Vec<Option<&mut [u8]>> = (0..count).map(|_| None).collect();
        for (part, bytes) in self.parts.iter().zip(self.split(bytes)) {
            if let Some(place) = places.get_mut(part.output) {
                *place = Some(bytes);
            }
        }
        places
    }

    /// The bytes of each part.
    pub(crate) fn split<'a>(&self, mut bytes: &'a mut [u8]) -> Vec<&'a mut [u8]> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let len = (part.shape.len() * self.dtype.size()).min(bytes.len());
            let (head, tail) = bytes.split_at_mut(len);
            parts.push(head);
            bytes = tail;
        }
        parts
    }
}

/// Memory for results that no part of a packing holds; none for the others.
pub(crate) fn spare(places: &[Option<&mut [u8]>], metas: &[Meta]) -> Result<Vec<Storage>> {
    let one = |(place, meta): (&Option<&mut [u8]>, &Meta)| match place {
        Some(_) => Storage::take(0),
        None => Storage::take(meta.shape.len() * meta.dtype.size()),
    };
    places.iter().zip(metas).map(one).collect()
}
