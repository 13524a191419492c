//! Checkpoints: less memory for a gradient, for more work; and the list of what a gradient keeps.

use crate::body::{Input, trace_with};
use crate::class::Class;
use crate::gradients::Gradients;
use crate::graph::{NodeId, Source, Tape, Var};
use crate::ops::checkpoint::Checkpoint as Rule;
use crate::vars::Vars;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use wengert_tensor::dtype::DType;
use wengert_tensor::shape::Shape;

/// A value that a checkpoint may keep.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The op that gives it.
    pub op: &'a str,
    /// Its shape.
    pub shape: &'a Shape,
    /// Its element type.
    pub dtype: DType,
    /// Whether it is a product of matrices: dear to compute, and no larger than others.
    pub is_product: bool,
}

type Policy = dyn Fn(&Candidate<'_>) -> bool;

/// How a function is checkpointed: [`Tape::checkpoint`] with a choice of what is kept.
///
/// ```
/// # use wengert_autograd::{Checkpoint, Tape};
/// # use wengert_tensor::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([[0.5f64, -1.0]]));
/// let w = tape.input(&Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]));
/// // The product is kept, its activation is computed again.
/// let y = Checkpoint::products().call(&tape, x, |x| x.matmul(w).tanh());
/// let large = Checkpoint::keep(|value| value.shape.len() > 1000).call(&tape, x, |x| x.matmul(w).tanh());
/// assert!(y.value()?.equals(&large.value()?));
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
pub struct Checkpoint {
    policy: Box<Policy>,
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint").finish_non_exhaustive()
    }
}

impl Default for Checkpoint {
    fn default() -> Checkpoint {
        Checkpoint::new()
    }
}

impl Checkpoint {
    /// Keeps nothing but the inputs.
    pub fn new() -> Checkpoint {
        Checkpoint::keep(|_| false)
    }

    /// Keeps the results of matrix products.
    pub fn products() -> Checkpoint {
        Checkpoint::keep(|value| value.is_product)
    }

    /// Keeps what the policy says.
    pub fn keep(policy: impl Fn(&Candidate<'_>) -> bool + 'static) -> Checkpoint {
        Checkpoint { policy: Box::new(policy) }
    }

    /// Records the function: see [`Tape::checkpoint`].
    #[track_caller]
    pub fn call<'t, V: Vars<'t>, W: Vars<'t>>(
        &self,
        tape: &'t Tape,
        x: V,
        f: impl FnOnce(V::Of<Var<'t>>) -> W,
    ) -> W::Of<Var<'t>> {
        let call = tape.call("checkpoint");
        let list = x.list();
        let given: Vec<Input> = list.iter().map(|var| Input::value(var.meta())).collect();
        let (traced, form) = trace_with(tape, "checkpoint", &given, |v| {
            let mut v = v.iter();
            let form = x.map(|_| v.next().copied().unwrap_or(tape.poison()));
            let form = call.outside(|| f(form));
            (packed(tape, &form.list()), form)
        });
        let Some(traced) = traced else { return form.map(|_| tape.poison()) };
        let body = Arc::new(traced.body);
        let inputs: Vec<Var<'t>> = list.into_iter().chain(traced.captured).collect();
        let mut kept: Vec<(usize, Var<'t>)> = Vec::new();
        let values = body.replay_with(tape, &inputs, |i, value| {
            let piece = body.pieces.get(i);
            let keep = piece.is_some_and(|piece| {
                (self.policy)(&Candidate {
                    op: piece.op.name(),
                    shape: &piece.meta.shape,
                    dtype: piece.meta.dtype,
                    is_product: matches!(piece.op.class(), Class::MatMul),
                })
            });
            if keep {
                kept.push((i, value));
            }
            value
        });
        let places: Vec<usize> = kept.iter().map(|(i, _)| *i).collect();
        let outputs = values.into_iter().enumerate().map(|(output, value)| {
            if tape.failed.get() || !value.dtype().is_float() {
                return value;
            }
            let rule = Rule { body: Arc::clone(&body), output, kept: places.clone(), batches: 0 };
            let operands: Vec<Var<'t>> =
                [value].into_iter().chain(inputs.iter().copied()).chain(kept.iter().map(|(_, var)| *var)).collect();
            tape.record(rule, &operands)
        });
        let outputs: Vec<Var<'t>> = outputs.collect();
        let mut outputs = unpacked(&form.list(), &outputs).into_iter();
        form.map(|_| outputs.next().unwrap_or(tape.poison()))
    }
}

/// Floats of one dtype as one value, so that their derivative is computed in one go: a list of values, at most one for each float dtype.
fn packed<'t>(tape: &'t Tape, list: &[Var<'t>]) -> Vec<Var<'t>> {
    if list.len() == 1 || tape.failed.get() {
        return list.to_vec();
    }
    groups(list)
        .into_iter()
        .map(|group| match group.as_slice() {
            [one] => *one,
            all => {
                let flat: Vec<Var<'t>> = all.iter().map(|var| var.flatten()).collect();
                tape.concat(&flat, 0)
            }
        })
        .collect()
}

/// Floats by dtype, the others alone.
fn groups<'t>(list: &[Var<'t>]) -> Vec<Vec<Var<'t>>> {
    let mut groups: Vec<Vec<Var<'t>>> = Vec::new();
    for var in list {
        let dtype = var.dtype();
        let known = groups
            .iter_mut()
            .find(|group| dtype.is_float() && group.first().is_some_and(|first| first.dtype() == dtype));
        match known {
            Some(group) => group.push(*var),
            None => groups.push(vec![*var]),
        }
    }
    groups
}

/// The values of a list again, from what `packed` made of it.
fn unpacked<'t>(list: &[Var<'t>], values: &[Var<'t>]) -> Vec<Var<'t>> {
    if list.len() == 1 {
        return values.to_vec();
    }
    let mut parts: Vec<(NodeId, Var<'t>)> = Vec::new();
    for (group, value) in groups(list).iter().zip(values) {
        if let [one] = group.as_slice() {
            parts.push((one.id, *value));
            continue;
        }
        let mut at = 0;
        for var in group {
            parts.push((var.id, value.slice(0, at..at + var.len()).reshape(var.shape())));
            at += var.len();
        }
    }
    let find = |var: &Var<'t>| parts.iter().find(|(id, _)| *id == var.id).map_or(var.tape.poison(), |(_, part)| *part);
    list.iter().map(find).collect()
}

/// A value of the forward part that a gradient reads: it is kept in memory from one to the other.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The op that gives it.
    pub op: &'static str,
    /// Its shape.
    pub shape: Shape,
    /// Its element type.
    pub dtype: DType,
    /// Its size in memory.
    pub bytes: usize,
    /// The layer that it belongs to; empty outside of layers.
    pub layer: String,
    /// The line that recorded it.
    pub location: &'static Location<'static>,
}

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Saved { op, shape, dtype, bytes, layer, location } = self;
        let layer = if layer.is_empty() { String::new() } else { format!("  in {layer}") };
        write!(f, "{op}  {shape} {dtype}  {bytes} bytes{layer}  {}:{}", location.file(), location.line())
    }
}

impl Gradients<'_> {
    /// The values of the forward part that these gradients read, with their sizes: what a training step keeps in memory, beside
    /// parameters and inputs. Fusion may keep less.
    ///
    /// ```
    /// # use wengert_autograd::{LeafId, Tape};
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let w = tape.parameter(LeafId(1), &Tensor::from([0.5f32, 1.0]));
    /// let kept = |direct: bool| {
    ///     let y = if direct { w.sin().exp().tanh() } else { tape.checkpoint(w, |w| w.sin().exp().tanh()) };
    ///     y.sum().backward().saved().iter().map(|value| value.op).collect::<Vec<_>>()
    /// };
    /// assert_eq!(kept(true), ["exp", "tanh"]);
    /// assert_eq!(kept(false), [""; 0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn saved(&self) -> Vec<Saved> {
        let tape = self.tape();
        let graph = tape.graph.borrow();
        let last = self.loss().id;
        let mut seen = vec![false; graph.nodes.len()];
        let mut read = vec![false; graph.nodes.len()];
        let mut open: Vec<NodeId> = self.iter().map(|(_, var)| var.id).collect();
        while let Some(id) = open.pop() {
            let (Some(seen), Some(node)) = (seen.get_mut(id.index()), graph.nodes.get(id.index())) else { continue };
            if std::mem::replace(seen, true) {
                continue;
            }
            // A view has the memory of what it looks at.
            let is_view = matches!(node.op.class(), Class::View(_));
            if id <= last && !is_view {
                if !matches!(node.op.class(), Class::Leaf | Class::Index(_))
                    && let Some(read) = read.get_mut(id.index())
                {
                    *read = true;
                }
                continue;
            }
            let inputs = node.inputs.iter().take(if is_view { 1 } else { usize::MAX });
            open.extend(inputs.filter(|&&input| matches!(graph.source(id, input), Source::Node(_))).copied());
        }
        let nodes = graph.nodes.iter().zip(read).filter(|(_, read)| *read).map(|(node, _)| node);
        nodes
            .map(|node| Saved {
                op: node.op.name(),
                shape: node.meta.shape.clone(),
                dtype: node.meta.dtype,
                bytes: node.meta.shape.len() * node.meta.dtype.size(),
                layer: graph.scopes.path(node.scope),
                location: node.location,
            })
            .collect()
    }
}

impl Tape {
    /// `f(x)`, of which nothing is kept for the gradient but `x`, and what `f` reads from outside: the gradient computes the rest
    /// again. Memory for work (Griewank 1992; Chen et al. 2016). [`Checkpoint`] has a choice of what is kept.
    ///
    /// The numbers are those of `f`, to the bit; so are those of the gradient, and `f` may draw random numbers.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([0.5f64, 1.0]));
    /// let y = tape.checkpoint(x, |x| x.sin().exp()).sum();
    /// let dx = tape.grad(y, x);
    /// let direct = tape.grad(x.sin().exp().sum(), x);
    /// assert!(dx.value()?.equals(&direct.value()?));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "remat")]
    #[track_caller]
    pub fn checkpoint<'t, V: Vars<'t>, W: Vars<'t>>(
        &'t self,
        x: V,
        f: impl FnOnce(V::Of<Var<'t>>) -> W,
    ) -> W::Of<Var<'t>> {
        Checkpoint::new().call(self, x, f)
    }
}
