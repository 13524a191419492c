//! Which result of a loop takes the memory of a donated input.

use wengert_tensor::error::Result;
use wengert_tensor::kernels::loops::Loop;
use wengert_tensor::kernels::loops::alike::Compiler;
use wengert_tensor::program::loops::{Def, LoopSpec, ValueId};
use wengert_tensor::program::region::Region;

/// The inputs that may be written over.
pub(crate) struct Donated {
    regions: Vec<Region>,
    /// The number of inputs: buffers behind them are outputs.
    inputs: usize,
}

impl Donated {
    /// Those of the program's inputs, with their bytes, that are donated leaves.
    pub(crate) fn new(leaves: &[u32], inputs: &[u32], bytes: &[usize]) -> Donated {
        let all = inputs.iter().zip(bytes).zip(1u32..).filter(|((leaf, _), _)| leaves.contains(leaf));
        Donated { regions: all.map(|((_, &len), at)| Region::new(at, 0, len)).collect(), inputs: inputs.len() }
    }

    /// Compiles a loop. Each of its results that may take the place of a donated operand is told to.
    pub(crate) fn compile(&self, spec: &mut LoopSpec, compiler: &mut Compiler) -> Result<Loop> {
        if !self.assign(spec) {
            return compiler.compile(spec);
        }
        let code = compiler.compile(spec)?;
        let mut refused = false;
        for store in &mut spec.stores {
            if store.over.is_some_and(|load| !code.may_replace(&load, &store.region)) {
                store.over = None;
                refused = true;
            }
        }
        if refused { compiler.compile(spec) } else { Ok(code) }
    }

    /// Gives each result of the loop a donated operand, if one is left. Results that depend on few have the first choice: a running mean
    /// takes the memory of the old one, and leaves the rest to the weight that is computed from it.
    fn assign(&self, spec: &mut LoopSpec) -> bool {
        let mut choices: Vec<(Vec<Region>, usize)> = Vec::new();
        for (at, store) in spec.stores.iter().enumerate() {
            if self.regions.is_empty() || store.region.buffer as usize <= self.inputs {
                continue;
            }
            let found = self.read_for(spec, store.value);
            let fits: Vec<Region> = found.into_iter().filter(|load| load.len == store.region.len).collect();
            if !fits.is_empty() {
                choices.push((fits, at));
            }
        }
        choices.sort_by_key(|(fits, at)| (fits.len(), *at));
        let mut given: Vec<Region> = Vec::new();
        for (fits, at) in choices {
            let free = fits.into_iter().find(|load| !given.contains(load));
            if let (Some(load), Some(store)) = (free, spec.stores.get_mut(at)) {
                store.over = Some(load);
                given.push(load);
            }
        }
        !given.is_empty()
    }

    /// The donated inputs that a value is computed from.
    fn read_for(&self, spec: &LoopSpec, value: ValueId) -> Vec<Region> {
        let mut seen = vec![false; spec.values.len()];
        let mut open = vec![value];
        let mut found = Vec::new();
        while let Some(id) = open.pop() {
            let Some(seen) = seen.get_mut(id as usize).filter(|seen| !**seen) else { continue };
            *seen = true;
            match spec.values.get(id as usize).map(|value| &value.def) {
                Some(Def::Load(load)) if self.regions.contains(&load.region) && !found.contains(&load.region) => {
                    found.push(load.region);
                }
                Some(Def::Map(_, operands)) => open.extend(operands),
                Some(Def::Cast(of) | Def::Copy(of) | Def::RowReduce(_, of) | Def::ColReduce(_, of)) => open.push(*of),
                _ => {}
            }
        }
        found
    }
}
