//! The slow and simple evaluator: one node after another, one element after another, in f64 and i64.
//!
//! It is the oracle of the tests: whatever the planner fuses, reorders or places in memory must agree with this. It shares
//! with it the graph, the layouts of views and the opaque kernels, and nothing else.

mod scalar;

use crate::class::{Class, IndexFn};
use crate::graph::{Leaf, NodeId, OpRef, Source, Tape, Var};
use crate::meta::Meta;
use crate::tape::foreign;
use smallvec::SmallVec;
use wengert_tensor::dtype::{DType, bf16, f16};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::scalar::{ReduceFn, ScalarFn};
use wengert_tensor::layout::Layout;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::random::{Key, normal_f32, normal_f64, uniform_f32, uniform_f64};
use wengert_tensor::shape::Shape;
use wengert_tensor::storage::Storage;
use wengert_tensor::tensor::Tensor;

/// The values of some nodes of one tape, op by op. Nothing is kept on the tape.
///
/// ```
/// use wengert_autograd::{Tape, reference};
/// use wengert_tensor::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([1.0f32, 2.0]));
/// let y = (x * x).sum();
/// assert_eq!(reference::evaluate(&[y])?[0].item::<f32>()?, 5.0);
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
///
/// # Errors
/// The first error of the tape, or what went wrong while a value was computed.
pub fn evaluate(vars: &[Var<'_>]) -> Result<Vec<Tensor>> {
    let Some(first) = vars.first() else { return Ok(Vec::new()) };
    first.tape.check()?;
    match vars.iter().all(|var| first.tape.owns(*var)) {
        true => run(first.tape, &vars.iter().map(|var| var.id).collect::<Vec<_>>()),
        false => Err(foreign()),
    }
}

/// The values of `outputs`.
pub(crate) fn run(tape: &Tape, outputs: &[NodeId]) -> Result<Vec<Tensor>> {
    let needed = needed(tape, outputs)?;
    let count = needed.last().map_or(0, |id| id.index() + 1);
    let mut values: Vec<Option<Tensor>> = vec![None; count];
    // How many users are still to come: a value is dropped after the last.
    let mut users = vec![0u32; count];
    for &id in &needed {
        inputs(tape, id)?.iter().for_each(|(_, source)| bump(&mut users, source, |n| n + 1));
    }
    outputs.iter().for_each(|&id| bump(&mut users, &Source::Node(id), |n| n + 1));

    for &id in &needed {
        let sources = inputs(tape, id)?;
        let operands = sources.iter().map(|source| operand(tape, source, &values)).collect::<Result<Vec<_>>>()?;
        let (op, meta, leaf) = {
            let graph = tape.graph.borrow();
            let node = graph.node(id)?;
            (node.op.clone(), node.meta.clone(), graph.value(id).cloned())
        };
        let value = match leaf {
            Some(leaf) if matches!(op.class(), Class::Leaf) => leaf_value(&leaf, &meta),
            _ => compute(&op, &meta, &operands).map_err(|error| tape.frame(id, error)),
        }?;
        if let Some(place) = values.get_mut(id.index()) {
            *place = Some(value);
        }
        for (_, source) in &sources {
            bump(&mut users, source, |n| n - 1);
            if let Source::Node(input) = source
                && users.get(input.index()) == Some(&0)
                && let Some(place) = values.get_mut(input.index())
            {
                *place = None;
            }
        }
    }
    outputs.iter().map(|&id| operand(tape, &(id, Source::Node(id)), &values)).collect()
}

fn bump(users: &mut [u32], source: &Source, change: impl Fn(u32) -> u32) {
    if let Source::Node(id) = source
        && let Some(count) = users.get_mut(id.index())
    {
        *count = change(*count);
    }
}

/// The operands of a node, and where it reads them from.
fn inputs(tape: &Tape, id: NodeId) -> Result<SmallVec<[(NodeId, Source); 3]>> {
    let graph = tape.graph.borrow();
    Ok(graph.node(id)?.inputs.iter().map(|&input| (input, graph.source(id, input))).collect())
}

/// All nodes that the outputs need, operands first.
fn needed(tape: &Tape, outputs: &[NodeId]) -> Result<Vec<NodeId>> {
    let mut seen = vec![false; tape.len()];
    let mut open: Vec<NodeId> = outputs.to_vec();
    let mut found = Vec::new();
    while let Some(id) = open.pop() {
        let Some(seen) = seen.get_mut(id.index()).filter(|seen| !**seen) else { continue };
        *seen = true;
        found.push(id);
        open.extend(inputs(tape, id)?.iter().filter_map(|(_, source)| match source {
            Source::Node(id) => Some(*id),
            Source::Leaf(_) => None,
        }));
    }
    found.sort_unstable();
    Ok(found)
}

fn operand(tape: &Tape, (id, source): &(NodeId, Source), values: &[Option<Tensor>]) -> Result<Tensor> {
    let graph = tape.graph.borrow();
    match *source {
        Source::Node(id) => values.get(id.index()).cloned().flatten(),
        Source::Leaf(ordinal) => match graph.leaves.get(ordinal as usize) {
            Some(leaf) => return leaf_value(leaf, &graph.node(*id)?.meta),
            None => None,
        },
    }
    .ok_or_else(|| Error::state("an operand that was not computed"))
}

fn leaf_value(leaf: &Leaf, meta: &Meta) -> Result<Tensor> {
    match leaf {
        Leaf::Tensor(tensor) => Ok(tensor.clone()),
        Leaf::Scalar(value) => Tensor::full(&meta.shape, *value),
        Leaf::Spent => Err(Leaf::spent()),
        Leaf::Argument => Err(Error::state("an argument has no value between runs")),
    }
}

/// The elements of a tensor: floats as f64, all others as i64.
enum Elements {
    Floats(Vec<f64>),
    Integers(Vec<i64>),
}

impl Elements {
    fn of(tensor: &Tensor) -> Result<Elements> {
        match tensor.dtype().is_float() {
            true => Ok(Elements::Floats(tensor.to_f64_vec())),
            false => Ok(Elements::Integers(tensor.cast(DType::I64)?.to_vec::<i64>()?)),
        }
    }

    /// Rounds once, or wraps.
    fn store(self, meta: &Meta) -> Result<Tensor> {
        let shape = &meta.shape;
        macro_rules! convert {
            ($values:ident: $($dtype:ident $T:ty),+) => {
                match meta.dtype {
                    $(DType::$dtype => Tensor::new($values.into_iter().map(|x| x as $T).collect::<Vec<$T>>(), shape),)+
                    DType::BF16 => {
                        Tensor::new($values.into_iter().map(|x| bf16::from_f32(x as f32)).collect::<Vec<_>>(), shape)
                    }
                    DType::F16 => {
                        Tensor::new($values.into_iter().map(|x| f16::from_f32(x as f32)).collect::<Vec<_>>(), shape)
                    }
                    DType::Bool => Tensor::new($values.into_iter().map(|x| x as f64 != 0.0).collect::<Vec<_>>(), shape),
                }
            };
        }
        match self {
            Elements::Floats(values) => convert!(values: F32 f32, F64 f64, I64 i64, I32 i32, U8 u8),
            Elements::Integers(values) => convert!(values: F32 f32, F64 f64, I64 i64, I32 i32, U8 u8),
        }
    }
}

fn compute(op: &OpRef, meta: &Meta, operands: &[Tensor]) -> Result<Tensor> {
    let first = || operands.first().ok_or_else(|| Error::state("an op without operands"));
    match op.class() {
        Class::Leaf => Err(Error::state("a leaf without a value")),
        Class::Map(function) => map(function, meta, operands),
        Class::Cast(dtype) => first()?.cast(dtype),
        Class::View(view) => {
            let re_read =
                |tensor: &Tensor, layout: Layout| Tensor::from_parts(tensor.storage().clone(), tensor.dtype(), layout);
            let x = first()?;
            if let Some(layout) = view.view(x.layout(), &meta.shape) {
                return re_read(x, layout);
            }
            let x = x.contiguous()?;
            match view.view(x.layout(), &meta.shape) {
                Some(layout) => re_read(&x, layout),
                None => Err(Error::state("a view of contiguous elements needs a copy")),
            }
        }
        Class::Reduce { kind, axes } => reduce(kind, axes, meta, first()?),
        Class::MatMul => match operands {
            [a, b] => matmul(meta, a, b),
            _ => Err(Error::state("a product without two operands")),
        },
        Class::Index(function) => index(function, meta, operands.first()),
        Class::Kernel(kernel) => call(kernel, meta, operands),
    }
}

fn map(function: ScalarFn, meta: &Meta, operands: &[Tensor]) -> Result<Tensor> {
    let elements = operands.iter().map(Elements::of).collect::<Result<Vec<_>>>()?;
    let n = meta.shape.len();
    let dtype = operands.first().map_or(meta.dtype, Tensor::dtype);
    match elements.as_slice() {
        [Elements::Integers(c), Elements::Floats(a), Elements::Floats(b)] => {
            Elements::Floats(pick(c, a, b)).store(meta)
        }
        [Elements::Integers(c), Elements::Integers(a), Elements::Integers(b)] => {
            Elements::Integers(pick(c, a, b)).store(meta)
        }
        [Elements::Floats(a), rest @ ..] => {
            let b = match rest.first() {
                Some(Elements::Floats(b)) => b,
                _ => a,
            };
            // Half floats are computed in f32: rounding through it is part of storing them.
            let values = (0..n).map(|i| scalar::float(function, dtype, at(a, i), at(b, i)));
            Elements::Floats(values.collect::<Result<_>>()?).store(meta)
        }
        [Elements::Integers(a), rest @ ..] => {
            let b = match rest.first() {
                Some(Elements::Integers(b)) => b,
                _ => a,
            };
            let values = (0..n).map(|i| scalar::integer(function, dtype, at(a, i), at(b, i)));
            Elements::Integers(values.collect::<Result<_>>()?).store(meta)
        }
        [] => Err(Error::state("a function without operands")),
    }
}

fn at<T: Copy + Default>(values: &[T], i: usize) -> T {
    values.get(i).copied().unwrap_or_default()
}

fn pick<T: Copy>(condition: &[i64], a: &[T], b: &[T]) -> Vec<T> {
    condition.iter().zip(a.iter().zip(b)).map(|(&c, (&a, &b))| if c != 0 { a } else { b }).collect()
}

/// The place of every element of `shape` in what is left of it without `axes`.
fn places(shape: &Shape, axes: &[usize]) -> Vec<usize> {
    let reduced = shape.without(axes);
    let mut strides = reduced.strides().into_iter();
    let steps: Vec<usize> = (0..shape.rank())
        .map(|axis| if axes.contains(&axis) { 0 } else { strides.next().unwrap_or_default() as usize })
        .collect();
    let place = |flat: usize| {
        let (mut rest, mut place) = (flat, 0);
        for (dim, step) in shape.iter().zip(&steps).rev() {
            place += rest % dim * step;
            rest /= dim;
        }
        place
    };
    (0..shape.len()).map(place).collect()
}

fn reduce(kind: ReduceFn, axes: &[usize], meta: &Meta, x: &Tensor) -> Result<Tensor> {
    let places = places(x.shape(), axes);
    let n = meta.shape.len();
    match Elements::of(x)? {
        Elements::Floats(values) => {
            let start = match kind {
                ReduceFn::Sum => 0.0,
                ReduceFn::Prod => 1.0,
                ReduceFn::Max => f64::NEG_INFINITY,
                ReduceFn::Min => f64::INFINITY,
            };
            let mut folded = vec![start; n];
            for (value, place) in values.into_iter().zip(places) {
                if let Some(to) = folded.get_mut(place) {
                    *to = scalar::float(kind.scalar(), x.dtype(), *to, value)?;
                }
            }
            Elements::Floats(folded).store(meta)
        }
        Elements::Integers(values) => {
            let mask = x.dtype() == DType::Bool;
            let start = match kind {
                ReduceFn::Sum => 0,
                ReduceFn::Prod => 1,
                ReduceFn::Max => {
                    if mask {
                        0
                    } else {
                        i64::MIN
                    }
                }
                ReduceFn::Min => {
                    if mask {
                        1
                    } else {
                        i64::MAX
                    }
                }
            };
            let mut folded = vec![start; n];
            for (value, place) in values.into_iter().zip(places) {
                if let Some(to) = folded.get_mut(place) {
                    *to = scalar::integer(kind.scalar(), x.dtype(), *to, value)?;
                }
            }
            Elements::Integers(folded).store(meta)
        }
    }
}

fn matmul(meta: &Meta, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (Some(&[m, k]), Some(&n)) = (a.shape().last_chunk(), b.shape().last()) else {
        return Err(Error::state("a product of what is no matrix"));
    };
    // The places of the factors of one element.
    let factors = |flat: usize| {
        let (batch, i, j) = (flat / (m * n), flat / n % m, flat % n);
        (0..k).map(move |l| ((batch * m + i) * k + l, (batch * k + l) * n + j))
    };
    let places = 0..meta.shape.len();
    match (Elements::of(a)?, Elements::of(b)?) {
        (Elements::Integers(a), Elements::Integers(b)) => {
            let product = |(i, j)| at(&a, i).wrapping_mul(at(&b, j));
            let sum = |flat| factors(flat).map(product).fold(0i64, i64::wrapping_add);
            Elements::Integers(places.map(sum).collect()).store(meta)
        }
        (Elements::Floats(a), Elements::Floats(b)) => {
            let sum = |flat| factors(flat).map(|(i, j)| at(&a, i) * at(&b, j)).sum::<f64>();
            Elements::Floats(places.map(sum).collect()).store(meta)
        }
        _ => Err(Error::state("a product of two dtypes")),
    }
}

fn index(function: IndexFn, meta: &Meta, key: Option<&Tensor>) -> Result<Tensor> {
    let n = meta.shape.len();
    let stream = |stream: u64| -> Result<Key> {
        let key = key.ok_or_else(|| Error::state("random numbers without a key"))?;
        Ok(Key(key.item::<i64>()? as u64).fold(stream))
    };
    let wide = meta.dtype == DType::F64;
    let floats = |f: &dyn Fn(u64) -> f64| Elements::Floats((0..n as u64).map(f).collect()).store(meta);
    match function {
        IndexFn::Iota { axis } => {
            let inner: usize = meta.shape.iter().skip(axis + 1).product();
            let size = meta.shape.get(axis).copied().unwrap_or(1);
            Elements::Integers((0..n).map(|i| (i / inner % size) as i64).collect()).store(meta)
        }
        IndexFn::Fill(value) => Tensor::full(&meta.shape, value),
        IndexFn::Uniform { stream: s } => {
            let key = stream(s)?;
            floats(&|i| if wide { uniform_f64(key, i) } else { f64::from(uniform_f32(key, i)) })
        }
        IndexFn::Normal { stream: s } => {
            let key = stream(s)?;
            floats(&|i| if wide { normal_f64(key, i) } else { f64::from(normal_f32(key, i)) })
        }
    }
}

fn call(kernel: &dyn Kernel, meta: &Meta, operands: &[Tensor]) -> Result<Tensor> {
    let operands = operands.iter().map(Tensor::contiguous).collect::<Result<Vec<_>>>()?;
    let views = operands.iter().map(|x| {
        let size = x.dtype().size();
        let start = x.layout().offset() * size;
        let bytes = x.storage().bytes().get(start..start + x.len() * size).unwrap_or_default();
        TensorView::new(x.dtype(), x.shape(), bytes)
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let bytes = meta.shape.len() * meta.dtype.size();
    let mut storage = Storage::take(bytes)?;
    if let Some(buffer) = storage.get_mut() {
        let place = buffer.bytes_mut().get_mut(..bytes).unwrap_or_default();
        kernel.run(&views, &mut TensorViewMut::new(meta.dtype, &meta.shape, place)?)?;
    }
    Tensor::from_parts(storage, meta.dtype, Layout::contiguous(meta.shape.clone()))
}
