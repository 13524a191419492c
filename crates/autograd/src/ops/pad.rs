//! `pad`: a number before, after and between the elements of some axes.
//!
//! y[…, before + i · (gap + 1), …] = x[…, i, …] along each of them, and `value` elsewhere
//!
//! * shape: such an axis has before + n + (n − 1) · gap + after elements (before + after where n = 0)
//! * dtypes: all
//! * derivative: linear up to a constant; the cotangent is sliced

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Graph, NodeId, Op, Var};
use crate::kernel::{Blocks, copy_ns, views, with_type};
use crate::meta::{Meta, operands};
use crate::operand::number;
use crate::ops::concat::Concat;
use crate::sample::{Entry, Sample};
use smallvec::SmallVec;
use wengert_tensor::dtype::{Element, Scalar};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::memory::copy_slice;
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Surrounds axes.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Pad {
    /// The axes, in order, each once.
    pub axes: SmallVec<[Around; 2]>,
    /// The number.
    pub value: Scalar,
}

/// What surrounds an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Around {
    /// The axis.
    pub axis: usize,
    /// How many before the first element.
    pub before: usize,
    /// How many after the last.
    pub after: usize,
    /// How many between two neighbours.
    pub gap: usize,
}

impl Around {
    fn size(&self, elements: usize) -> Option<usize> {
        let between = elements.saturating_sub(1).checked_mul(self.gap)?;
        self.before.checked_add(self.after)?.checked_add(elements)?.checked_add(between)
    }
}

impl Op for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        if x.dtype != self.value.dtype() {
            return Err(Error::dtype(format!("{} padded with {}", x.dtype, self.value.dtype())));
        }
        let mut shape = x.shape.clone();
        for around in &self.axes {
            let Some(&size) = x.shape.get(around.axis) else {
                return Err(Error::axis(format!("axis {} is out of range for {}", around.axis, x.shape)));
            };
            let size = around.size(size).ok_or_else(|| Error::shape("the padded size overflows"))?;
            shape = shape.with(around.axis, size)?;
        }
        Ok(x.with_shape(shape))
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, _i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        let shape = x[0].shape();
        self.axes.iter().try_fold(ct, |ct, around| {
            let count = shape.get(around.axis).copied()?;
            let step = around.gap.saturating_add(1);
            let covered = count.saturating_sub(1) * step + usize::from(count > 0);
            Some(ct.slice_step(around.axis as isize, around.before..around.before + covered, step))
        })
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        let behind = |around: &Around| Around { axis: around.axis + 1, ..*around };
        x.same(Pad { axes: self.axes.iter().map(behind).collect(), value: self.value })
    }
}

impl Kernel for Pad {
    fn by_rows(&self) -> bool {
        self.axes.iter().all(|around| around.axis > 0)
    }

    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let level = |around: &Around| Nested {
            around: *around,
            from: Blocks::around(x.shape(), around.axis, 1),
            to: Blocks::around(out.shape(), around.axis, 1),
        };
        let levels: SmallVec<[Nested; 2]> = self.axes.iter().map(level).collect();
        let block = levels.first().map_or(1, |outermost| outermost.to.size * outermost.to.inner);
        let row = levels.first().map_or(1, |outermost| outermost.from.size * outermost.from.inner);
        with_type!(x.dtype(), T => {
            let value = self.value.get::<T>().unwrap_or_default().to_stored();
            let (src, dst) = (x.as_slice::<T>()?, out.as_mut_slice::<T>()?);
            if src.is_empty() {
                dst.fill(value);
                return Ok(());
            }
            in_parts(dst, block, copy_ns::<T>(block), |first, part| {
                let rows = src.get(first * row..).unwrap_or_default();
                surround(&levels, rows, part, value);
                Ok(())
            })
        })
    }

    fn flops(&self, _inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        Some(0)
    }
}

/// An axis that is surrounded, in the operand and in the result.
struct Nested {
    around: Around,
    from: Blocks,
    to: Blocks,
}

/// Blocks with shorter rows are filled as a whole before: calls for each end of a row would take longer.
const SHORT_BYTES: usize = 1024;

/// Writes the blocks of the result along the first of these axes.
fn surround<T: Copy>(levels: &[Nested], src: &[T], dst: &mut [T], value: T) {
    let Some(Nested { from, to, .. }) = levels.first() else { return copy_and_fill(dst, src, value, false) };
    let short = levels.last().is_some_and(|last| last.from.size * last.from.inner * size_of::<T>() < SHORT_BYTES);
    for (row, block) in src.chunks_exact(from.size * from.inner).zip(dst.chunks_exact_mut(to.size * to.inner)) {
        if short {
            block.fill(value);
        }
        place(levels, row, block, value, short);
    }
}

/// Writes blocks along the first of these axes, which are filled already or not.
fn place<T: Copy>(levels: &[Nested], src: &[T], dst: &mut [T], value: T, filled: bool) {
    let Some((Nested { around, from, to }, inner)) = levels.split_first() else {
        return copy_and_fill(dst, src, value, filled);
    };
    let fill = |part: &mut [T]| {
        if !filled {
            part.fill(value);
        }
    };
    let stride = around.gap.saturating_add(1).saturating_mul(to.inner);
    let rows = src.chunks_exact(from.size * from.inner);
    for (row, block) in rows.zip(dst.chunks_exact_mut(to.size * to.inner)) {
        let (before, room) = block.split_at_mut((around.before * to.inner).min(block.len()));
        fill(before);
        if inner.is_empty() && around.gap == 0 {
            // The elements of a row lie together.
            copy_and_fill(room, row, value, filled);
            continue;
        }
        if inner.is_empty() && to.inner == 1 {
            fill(room);
            for (to, &from) in room.iter_mut().step_by(stride).zip(row) {
                *to = from;
            }
            continue;
        }
        let (between, last) = room.split_at_mut(((from.size - 1) * stride).min(room.len()));
        let rooms = between.chunks_mut(stride).chain(std::iter::once(last));
        if let [Nested { around, from: next, to }] = inner
            && filled
            && (around.gap, next.size * next.inner) == (0, from.inner)
        {
            // Rows of images, of which there are many and short ones.
            for (room, part) in rooms.zip(row.chunks_exact(from.inner)) {
                copy_slice(part, room.get_mut(around.before * to.inner..).unwrap_or_default());
            }
            continue;
        }
        for (room, part) in rooms.zip(row.chunks_exact(from.inner)) {
            let (here, rest) = room.split_at_mut(to.inner.min(room.len()));
            place(inner, part, here, value, filled);
            fill(rest);
        }
    }
}

/// Copies `src` to the start of `dst`, which is at least as long, and fills the rest if it is not filled.
fn copy_and_fill<T: Copy>(dst: &mut [T], src: &[T], value: T, filled: bool) {
    let (start, rest) = dst.split_at_mut(src.len().min(dst.len()));
    copy_slice(src, start);
    if !filled {
        rest.fill(value);
    }
}

impl<'t> Var<'t> {
    /// `before` and `after` times `value` around one axis.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 2.0]).apply(|x| x.pad(0, 1, 2, 0.5))?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.5, 1.0, 2.0, 0.5, 0.5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn pad(self, axis: isize, before: usize, after: usize, value: f64) -> Var<'t> {
        match self.shape().axis(axis) {
            Ok(axis) => match number(value, self.dtype()) {
                Some(_) => self.padded([(axis, before, after)], value),
                None => {
                    let error = Error::dtype(format!("{value} is no {}", self.dtype()));
                    self.reject("pad", error.help("convert first: .cast(DType::F32)"))
                }
            },
            Err(error) => self.reject("pad", error),
        }
    }

    /// As [`Var::pad`], around several axes, which are in order, with the number of the dtype that is nearest to `value`: −∞ is the
    /// least one.
    #[track_caller]
    pub(crate) fn padded(self, axes: impl IntoIterator<Item = (usize, usize, usize)>, value: f64) -> Var<'t> {
        let around = |(axis, before, after)| Around { axis, before, after, gap: 0 };
        let axes = axes.into_iter().filter(|&(_, before, after)| before > 0 || after > 0).map(around);
        self.framed(axes.collect(), value)
    }

    /// As [`Var::pad`], with `gap` times `value` between neighbours.
    #[track_caller]
    pub(crate) fn pad_apart(self, axis: usize, before: usize, after: usize, gap: usize, value: f64) -> Var<'t> {
        self.framed(SmallVec::from_iter([Around { axis, before, after, gap }]), value)
    }

    #[track_caller]
    fn framed(self, axes: SmallVec<[Around; 2]>, value: f64) -> Var<'t> {
        match axes.is_empty() {
            true => self,
            false => self.then(Pad { axes, value: Scalar::new(self.dtype(), value) }),
        }
    }
}

/// The sum of two values that stand side by side in zeros, put together instead of added: what the slices of a value send back.
#[track_caller]
pub(crate) fn joined<'t>(a: Var<'t>, b: Var<'t>) -> Option<Var<'t>> {
    let (around, parts) = {
        let graph = a.tape.graph.borrow();
        let (x, y) = (placed(&graph, a.id)?, placed(&graph, b.id)?);
        if x.0.axis != y.0.axis {
            return None;
        }
        let size = graph.node(a.id).ok()?.meta.shape.get(x.0.axis).copied()?;
        let ((first, left), (second, right)) = if x.0.before < y.0.before { (x, y) } else { (y, x) };
        if size - first.after != second.before {
            return None;
        }
        let mut parts: SmallVec<[Var<'t>; 4]> = SmallVec::new();
        for id in [left, right] {
            let node = graph.node(id).ok()?;
            let one = &[id][..];
            let ids = match node.op.as_any().downcast_ref::<Concat>() {
                Some(concat) if concat.axis == first.axis => node.inputs.as_slice(),
                _ => one,
            };
            parts.extend(ids.iter().map(|&id| Var { tape: a.tape, id }));
        }
        (Around { after: second.after, ..first }, parts)
    };
    let whole = a.tape.record(Concat { axis: around.axis }, &parts);
    Some(whole.padded([(around.axis, around.before, around.after)], 0.0))
}

/// Where a value puts which other one in zeros, if along one axis and without gaps.
fn placed(graph: &Graph, id: NodeId) -> Option<(Around, NodeId)> {
    let node = graph.node(id).ok()?;
    let pad = node.op.as_any().downcast_ref::<Pad>()?;
    match (pad.axes.as_slice(), node.inputs.as_slice()) {
        (&[around], &[inner]) if around.gap == 0 && pad.value.to_f64() == 0.0 => Some((around, inner)),
        _ => None,
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, 2.0], [3.0, 4.0]])];
    vec![Entry::new(
        "pad",
        "pad.rs",
        vec![
            Sample::new("last axis", x(), |_, x| x[0].pad(1, 1, 1, 9.0)).gives([9., 1., 2., 9., 9., 3., 4., 9.]),
            Sample::new("first axis", x(), |_, x| x[0].pad(0, 1, 0, 0.0).square()).slopes([2., 4., 6., 8.]),
            Sample::new("gaps", x(), |_, x| x[0].pad_apart(0, 1, 0, 1, 0.0))
                .gives([0., 0., 1., 2., 0., 0., 3., 4.])
                .slopes([1.0; 4]),
            Sample::new("two axes", x(), |_, x| x[0].padded([(0, 1, 0), (1, 0, 1)], 7.0))
                .gives([7., 7., 7., 1., 2., 7., 3., 4., 7.])
                .slopes([1.0; 4]),
            Sample::new("axes apart", [Tensor::from([[[1.0f64], [2.0]], [[3.0], [4.0]]])], |_, x| {
                x[0].padded([(0, 0, 1), (2, 1, 0)], 7.0).square()
            })
            .gives([49., 1., 49., 4., 49., 9., 49., 16., 49., 49., 49., 49.])
            .slopes([2., 4., 6., 8.]),
            Sample::new("of nothing", [Tensor::from(Vec::<f64>::new())], |_, x| x[0].pad(0, 1, 1, 2.0)).gives([2., 2.]),
            Sample::new("mask", [Tensor::from([true])], |_, x| x[0].pad(0, 0, 1, 0.0)).gives([1., 0.]),
        ],
    )]
}
