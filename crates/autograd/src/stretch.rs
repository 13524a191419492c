//! Stretches of a tape that are taken over whole: a loop records the same gradient again and again.
//!
//! What a stretch holds follows from the tape before it and from what it was recorded for. Where a tape has come to the same place by the
//! same nodes, with the same lines, layers and names, as the one before it, the stretch of that one is this one's, too.

use crate::graph::{Leaf, NodeId, Origin, Tape};
use crate::hash::wide_hash;
use smallvec::SmallVec;
use wengert_tensor::dtype::Scalar;

const HASH_UPDATES: u64 = 14;

/// What a stretch was recorded for: the nodes that it starts from.
pub(crate) type For = SmallVec<[u64; 16]>;

/// A stretch of the tape before this one. It is worth something as long as all nodes up to its end are guesses.
#[derive(Debug)]
pub(crate) struct Stretch {
    here: Place,
    of: For,
    end: usize,
    /// The leaves in it, all of them numbers, and their hashes.
    leaves: Vec<Leaf>,
    hashes: Vec<u128>,
    /// What was called before it,
    called: Vec<&'static str>,
    /// and in it.
    calls: Vec<&'static str>,
    labels: Vec<(NodeId, &'static str)>,
    constants: [Option<(Scalar, NodeId)>; 4],
    results: Vec<NodeId>,
}

impl Stretch {
    /// The first node of it.
    pub(crate) fn start(&self) -> usize {
        self.here.start
    }

    /// The first node behind it.
    pub(crate) fn end(&self) -> usize {
        self.end
    }
}

/// A point of a tape: all that a recording depends on besides the nodes before it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    start: usize,
    leaves: usize,
    labels: usize,
    calls: usize,
    constants: [Option<(Scalar, NodeId)>; 4],
    origin: Option<Origin>,
    scope: u32,
    training: bool,
    beside: Beside,
}

/// What stands beside the nodes, which no stretch changes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Beside {
    streams: u64,
    key: Option<NodeId>,
    parameters: usize,
    buffers: usize,
    updates: u128,
    added_losses: usize,
    scopes: usize,
    names: usize,
    substitutes: usize,
    donated: usize,
}

impl Tape {
    /// Where the tape is.
    pub(crate) fn place(&self) -> Place {
        let graph = self.graph.borrow();
        Place {
            start: graph.nodes.len(),
            leaves: graph.leaves.len(),
            labels: graph.labels.len(),
            calls: graph.calls.len(),
            constants: graph.constants,
            origin: self.origin.get(),
            scope: self.scope.get(),
            training: self.training,
            beside: Beside {
                streams: self.streams.get(),
                key: self.key_node.get(),
                parameters: graph.parameters.len(),
                buffers: graph.buffers.len(),
                updates: wide_hash(HASH_UPDATES, &graph.updates),
                added_losses: graph.added_losses.len(),
                scopes: graph.scopes.len(),
                names: graph.names.len(),
                substitutes: self.substitutes.borrow().len(),
                donated: graph.donated.len(),
            },
        }
    }

    /// Takes over what the tape before this one recorded here for the same, and gives its results.
    pub(crate) fn take_over(&self, of: &[u64]) -> Option<SmallVec<[NodeId; 12]>> {
        if self.failed.get() || !self.graph.borrow().nodes.has_stretch() {
            return None;
        }
        let here = self.place();
        let graph = &mut *self.graph.borrow_mut();
        let found = graph.nodes.stretch()?;
        let same_names = |(a, b): (&&str, &&str)| std::ptr::eq(*a, *b);
        if *found.of != *of
            || found.here != here
            || found.called.len() != graph.calls.len()
            || !found.called.iter().zip(&graph.calls).all(same_names)
        {
            return None;
        }
        graph.leaves.extend_from_slice(&found.leaves);
        graph.leaf_hashes.extend_from_slice(&found.hashes);
        graph.calls.extend_from_slice(&found.calls);
        graph.labels.extend_from_slice(&found.labels);
        graph.constants = found.constants;
        let (results, end) = (SmallVec::from_slice(&found.results), found.end);
        graph.nodes.take_over(end);
        Some(results)
    }

    /// Keeps what was recorded since `here` for the next tape, if it follows from the tape before it.
    pub(crate) fn keep_stretch(&self, here: Place, of: For, results: impl Iterator<Item = NodeId>) {
        let now = self.place();
        let graph = &mut *self.graph.borrow_mut();
        let leaves = graph.leaves.get(here.leaves..).unwrap_or_default();
        let numbers = leaves.iter().all(|leaf| matches!(leaf, Leaf::Scalar(_)));
        if self.failed.get()
            || now.start == here.start
            || now.beside != here.beside
            || !graph.nodes.is_sound()
            || !numbers
        {
            return;
        }
        let (called, calls) = graph.calls.split_at_checked(here.calls).unwrap_or_default();
        let stretch = Stretch {
            of,
            end: now.start,
            leaves: leaves.to_vec(),
            hashes: graph.leaf_hashes.get(here.leaves..).unwrap_or_default().to_vec(),
            called: called.to_vec(),
            calls: calls.to_vec(),
            labels: graph.labels.get(here.labels..).unwrap_or_default().to_vec(),
            constants: now.constants,
            results: results.collect(),
            here,
        };
        graph.nodes.keep_stretch(stretch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::LeafId;
    use wengert_tensor::tensor::Tensor;

    /// Whether a gradient was taken over, and all lists of the tape that stand behind it.
    fn gradient(scale: f64, ask: bool) -> (bool, String) {
        let tape = Tape::new();
        let w = tape.parameter(LeafId(1), &Tensor::from([0.5f32, 1.5]));
        let y = (w.softmax(0) * scale).max_axes([0]);
        if ask {
            assert!(y.value().is_ok());
        }
        let loss = y.sum();
        let one = loss.ones_like();
        let known = tape.graph.borrow().nodes.has_stretch();
        loss.backward_with(one);
        let before = tape.len();
        tape.grad(y.sum(), w);
        assert!(tape.len() > before);
        let graph = tape.graph.borrow();
        let lists = (&graph.leaves, &graph.leaf_hashes, &graph.calls, &graph.labels, &graph.constants);
        (known, format!("{:?} {lists:?} {:?}", &*graph.nodes, graph.parameters))
    }

    #[test]
    fn the_lists_of_a_tape_are_those_that_recording_gives() {
        let wanted = std::thread::spawn(|| gradient(2.0, false)).join().unwrap_or_default();
        for turn in 0..3 {
            let (known, lists) = gradient(2.0, false);
            assert_eq!((known, lists), (turn > 0, wanted.1.clone()), "turn {turn}");
        }
        // The literal has another value, a value was asked for, and then all is as before.
        assert_ne!(gradient(3.0, false).1, wanted.1);
        gradient(2.0, true);
        assert_eq!(gradient(2.0, false).1, wanted.1);
    }
}
