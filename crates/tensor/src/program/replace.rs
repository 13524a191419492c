//! Which outputs of a program may take the memory of an input.

use crate::program::region::Region;
use crate::program::{Buffers, Step};

/// Pairs of an input and of an output that may be one memory when the program runs.
///
/// A loop says which operand its result may replace. It holds where both are whole buffers, no step behind the loop reads the operand, no
/// step before it touches the result, and no call comes after it: calls may fail, and a failed run leaves its inputs as they were.
pub(super) fn replacements(steps: &[Step], buffers: &Buffers) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let Step::Loop(code) = step else { continue };
        for store in &code.spec().stores {
            let Some(load) = store.over else { continue };
            let (Some(input), Some(output)) = (whole_input(&load, buffers), whole_output(&store.region, buffers))
            else {
                continue;
            };
            let before = steps[..at].iter().all(|s| !touches(s, &store.region));
            let behind = steps[at + 1..].iter().all(|s| !matches!(s, Step::Call { .. }) && !touches(s, &load));
            let free = found.iter().all(|&(i, o)| i != input && o != output);
            if before && behind && free && code.may_replace(&load, &store.region) {
                found.push((input, output));
            }
        }
    }
    found
}

fn whole_input(region: &Region, buffers: &Buffers) -> Option<usize> {
    let input = (region.buffer as usize).checked_sub(1)?;
    (region.offset == 0 && buffers.inputs.get(input) == Some(&region.len)).then_some(input)
}

fn whole_output(region: &Region, buffers: &Buffers) -> Option<usize> {
    let output = (region.buffer as usize).checked_sub(1 + buffers.inputs.len())?;
    (region.offset == 0 && buffers.outputs.get(output) == Some(&region.len)).then_some(output)
}

/// Whether a step reads or writes bytes of the region.
fn touches(step: &Step, region: &Region) -> bool {
    step.reads().iter().chain(&step.writes()).any(|other| other.overlaps(region))
}
