//! What a recording tells of layers: operations, outputs, and the peak of a step.

use std::ops::Range;

use wengert_autograd::{RecordedKind, Recording, Tape, Var};
use wengert_tensor::error::Result;

use super::{Peak, Row};
use crate::example::{Example, PROBES, batched};

/// So many examples are in the batch whose peak is predicted.
const EXAMPLES: usize = 32;

/// What a forward pass costs, for one example.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) flops: u64,
    pub(crate) output_bytes: u64,
}

/// A tape on which layers were applied to probes.
pub(crate) struct Recorded {
    all: Recording,
}

impl Recorded {
    pub(crate) fn of(tape: &Tape) -> Result<Recorded> {
        Ok(Recorded { all: tape.recording()? })
    }

    /// The operations of some nodes, for one example.
    pub(crate) fn flops(&self, nodes: Range<usize>) -> u64 {
        let nodes = self.all.nodes.get(nodes).unwrap_or_default();
        nodes.iter().filter_map(|node| node.flops).sum::<u64>() / PROBES as u64
    }

    /// The shapes of what came out, and their bytes for one example.
    pub(crate) fn output(&self, made: &[Var<'_>]) -> (String, u64) {
        let shapes: Vec<String> = made.iter().map(|y| batched(&y.shape())).collect();
        let bytes: usize = made.iter().map(|y| y.shape().len() * y.dtype().size()).sum();
        (shapes.join(", "), (bytes / PROBES) as u64)
    }

    /// The place behind the last of these values.
    pub(crate) fn end(&self, made: &[Var<'_>]) -> Option<usize> {
        made.iter().map(|y| y.id().index() + 1).max()
    }

    /// Outputs and operations of parts, each found by the layer in which its parameters were read first. Where several parts were read in one
    /// layer, each has what follows up to the next.
    pub(crate) fn fill(&self, rows: &mut [Row]) {
        let first = |row: &Row| {
            let reads = |kind: RecordedKind| match kind {
                RecordedKind::Parameter(id) | RecordedKind::Buffer(id) => row.own.contains(&id),
                _ => false,
            };
            let at = self.all.nodes.iter().position(|node| reads(node.kind))?;
            Some((self.all.nodes.get(at)?.layer, at)).filter(|(layer, _)| *layer > 0)
        };
        let starts: Vec<Option<(usize, usize)>> = rows.iter().map(first).collect();
        for (row, start) in rows.iter_mut().zip(&starts) {
            let Some((layer, start)) = *start else { continue };
            let others = || starts.iter().flatten().filter(|(of, _)| *of == layer).map(|(_, at)| *at);
            let from = if others().any(|at| at < start) { start } else { 0 };
            let to = others().filter(|at| *at > start).min().unwrap_or(self.all.nodes.len());
            let within = self.within(layer);
            let nodes = self.all.nodes.get(from..to).unwrap_or_default();
            let nodes = || nodes.iter().filter(|node| within.get(node.layer) == Some(&true));
            row.flops = Some(nodes().filter_map(|node| node.flops).sum::<u64>() / PROBES as u64);
            let computed = |kind| matches!(kind, RecordedKind::Op | RecordedKind::View);
            if let Some(last) = nodes().rfind(|node| computed(node.kind)) {
                row.output = Some(batched(&last.meta.shape));
                row.output_bytes = Some((last.meta.shape.len() * last.meta.dtype.size() / PROBES) as u64);
            }
        }
    }

    /// Which layers are this one or within it.
    fn within(&self, layer: usize) -> Vec<bool> {
        let mut within = vec![false; self.all.layers.len()];
        // A layer stands behind the one around it.
        for (at, of) in self.all.layers.iter().enumerate() {
            let inside = at == layer || (at > 0 && within.get(of.parent) == Some(&true));
            if let Some(within) = within.get_mut(at) {
                *within = inside;
            }
        }
        within
    }
}

/// What a step of training needs, or nothing where there is none: a loss over all outputs, and the gradient of every weight.
pub(crate) fn peak(inputs: &[Example], forward: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Vec<Var<'t>>) -> Option<Peak> {
    let tape = Tape::training(0u64);
    let xs: Vec<Var<'_>> = inputs.iter().map(|input| input.batch(&tape, EXAMPLES)).collect::<Result<_>>().ok()?;
    let floats = forward(&tape, &xs).into_iter().filter(|y| y.dtype().is_float());
    let loss = floats.map(|y| y.square().mean()).reduce(|a, b| a + b)?;
    let mut wanted = vec![loss];
    let weights: Vec<Var<'_>> = tape.parameters().into_iter().map(|(_, weight)| weight).collect();
    wanted.extend(tape.grad(loss, weights));
    let report = tape.report(wanted).ok()?;
    Some(Peak { examples: EXAMPLES, bytes: (report.input_bytes + report.peak_bytes) as u64 })
}
