//! Reverse mode. The gradient is more of the same tape, so gradients of gradients are the same call.

use crate::class::{Class, IndexFn};
use crate::frame::not_differentiable;
use crate::gradients::Gradients;
use crate::graph::{Derivative, LeafId, NodeId, Op, Partial, Tape, Var};
use crate::ops::pad::joined;
use crate::stretch::For;
use crate::tape::foreign;
use crate::vars::Vars;
use smallvec::SmallVec;
use wengert_tensor::dtype::Scalar;
use wengert_tensor::error::{Error, ErrorKind, Result};

/// The cotangents of some values; `None` is zero.
pub(crate) type Cotangents<'t> = SmallVec<[Option<Var<'t>>; 12]>;

impl Tape {
    /// ∂y/∂w for each `w` of `wrt`, as values of this tape. Nothing is computed.
    ///
    /// `y` is a single number. A `w` on which it does not depend has the gradient 0.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([1.0f32, 2.0]));
    /// let [dx] = tape.grad((x * x * x).sum(), [x]);
    /// let [ddx] = tape.grad(dx.sum(), [x]);
    /// assert_eq!(dx.value()?.to_vec::<f32>()?, [3.0, 12.0]);
    /// assert_eq!(ddx.value()?.to_vec::<f32>()?, [6.0, 12.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn grad<'t, V: Vars<'t>>(&'t self, y: Var<'t>, wrt: V) -> V::Of<Var<'t>> {
        match self.failed.get() || y.len() == 1 {
            true => self.grad_with(y, y.filled(1.0), wrt),
            false => {
                self.reject("grad", &[("of", y)], not_single(y));
                wrt.map(|_| self.poison())
            }
        }
    }

    /// The product of `ct` with the Jacobian of `y` by each `w` of `wrt`: `ct` weighs the elements of `y` and has its shape.
    #[track_caller]
    pub fn grad_with<'t, V: Vars<'t>>(&'t self, y: Var<'t>, ct: Var<'t>, wrt: V) -> V::Of<Var<'t>> {
        let found = self.cotangents(y, ct, &wrt.list());
        let mut place = 0..;
        wrt.map(|w| match (&found, place.next()) {
            (Some(found), Some(at)) => found.get(at).copied().flatten().unwrap_or_else(|| w.filled(0.0)),
            _ => self.poison(),
        })
    }

    /// The cotangents of `wrt`; `None` on a tape that has failed, by this request at the latest.
    #[track_caller]
    fn cotangents<'t>(&'t self, y: Var<'t>, ct: Var<'t>, wrt: &[Var<'t>]) -> Option<Cotangents<'t>> {
        if self.failed.get() {
            return None;
        }
        if let Err((operand, error)) = self.check_request(y, ct, wrt) {
            self.reject("grad", &[operand], error);
            return None;
        }
        let ids: SmallVec<[NodeId; 12]> = wrt.iter().map(|var| var.id).collect();
        Some(self.sweep(y, ct, &ids))
    }

    fn check_request<'t>(
        &'t self,
        y: Var<'t>,
        ct: Var<'t>,
        wrt: &[Var<'t>],
    ) -> Result<(), ((&'static str, Var<'t>), Error)> {
        if let Some(stranger) = wrt.iter().chain([&y, &ct]).find(|var| !self.owns(**var)) {
            return Err((("of", *stranger), foreign()));
        }
        if !y.dtype().is_float() {
            return Err((("of", y), not_differentiable(&self.graph.borrow(), y.id)));
        }
        if !same_meta(ct, y) {
            let error = Error::shape(format!("a cotangent of {} for a value of {}", ct.meta(), y.meta()));
            return Err((("of", y), error.help("it weighs the elements, so it has their shape and dtype")));
        }
        match wrt.iter().find(|var| !var.dtype().is_float()) {
            None => Ok(()),
            Some(w) => {
                let message = format!("there is no derivative by {}: it does not vary continuously", w.dtype());
                Err((("by", *w), Error::new(ErrorKind::NotDifferentiable, message)))
            }
        }
    }

    /// The cotangents of `wrt`, `None` for those that are zero.
    pub(crate) fn sweep<'t>(&'t self, y: Var<'t>, ct: Var<'t>, wrt: &[NodeId]) -> Cotangents<'t> {
        self.sweep_all(&[(y, ct)], wrt)
    }

    /// As [`Tape::sweep`], from several values at once, each with its cotangent.
    pub(crate) fn sweep_all<'t>(&'t self, from: &[(Var<'t>, Var<'t>)], wrt: &[NodeId]) -> Cotangents<'t> {
        let mut of: For = SmallVec::new();
        of.push(from.len() as u64);
        of.extend(from.iter().map(|(y, ct)| u64::from(y.id.0) << 32 | u64::from(ct.id.0)));
        of.extend(wrt.iter().map(|w| u64::from(w.0)));
        if let Some(known) = self.take_over(&of) {
            let known = known.into_iter().map(|id| (id != NodeId::POISON).then_some(Var { tape: self, id }));
            return known.collect();
        }
        let here = self.place();
        let found = self.sweep_anew(from, wrt);
        self.keep_stretch(here, of, found.iter().map(|part| part.map_or(NodeId::POISON, |var| var.id)));
        found
    }

    /// As [`Tape::sweep_all`], where the tape before this one is no help.
    fn sweep_anew<'t>(&'t self, from: &[(Var<'t>, Var<'t>)], wrt: &[NodeId]) -> Cotangents<'t> {
        let Some(low) = wrt.iter().min().map(|id| id.index()) else { return Cotangents::new() };
        let Some(high) = from.iter().map(|(y, _)| y.id.index()).max().filter(|&high| high >= low && !self.failed.get())
        else {
            return Cotangents::from_elem(None, wrt.len());
        };
        let (mut depends, mut cotangents) = {
            let mut graph = self.graph_mut();
            (std::mem::take(&mut graph.depends), std::mem::take(&mut graph.cotangents))
        };
        self.mark(low, high, wrt, &mut depends);
        cotangents.clear();
        cotangents.resize(high - low + 1, NodeId::POISON);

        let outer = self.origin.get();
        for (y, ct) in from {
            let place = y.id.index().checked_sub(low).and_then(|place| cotangents.get_mut(place));
            if let Some(sum) = place {
                add_to(sum, *ct);
            }
        }
        for place in (0..=high - low).rev() {
            let ct = cotangents.get(place).copied().unwrap_or(NodeId::POISON);
            if ct != NodeId::POISON && depends.get(place) == Some(&true) && !self.failed.get() {
                self.pull(NodeId((low + place) as u32), Var { tape: self, id: ct }, low, &depends, &mut cotangents);
            }
        }
        self.origin.set(outer);

        let found = wrt.iter().map(|id| {
            let ct = cotangents.get(id.index() - low).copied().filter(|&ct| ct != NodeId::POISON)?;
            Some(Var { tape: self, id: ct })
        });
        let found = found.collect();
        let mut graph = self.graph_mut();
        (graph.depends, graph.cotangents) = (depends, cotangents);
        found
    }

    /// Marks the nodes `low..=high` through which a derivative by `wrt` flows.
    fn mark(&self, low: usize, high: usize, wrt: &[NodeId], depends: &mut Vec<bool>) {
        depends.clear();
        depends.resize(high - low + 1, false);
        for id in wrt {
            if let Some(mark) = depends.get_mut(id.index() - low) {
                *mark = true;
            }
        }
        let graph = self.graph.borrow();
        for (place, node) in graph.nodes.iter().skip(low).take(high - low + 1).enumerate() {
            let touched = node
                .inputs
                .iter()
                .any(|input| input.index().checked_sub(low).and_then(|input| depends.get(input)) == Some(&true));
            if touched
                && node.meta.dtype.is_float()
                && !matches!(node.op.derivative(), Derivative::Flat(_))
                && let Some(mark) = depends.get_mut(place)
            {
                *mark = true;
            }
        }
    }

    /// Sends the cotangent of one node to its operands.
    fn pull<'t>(&'t self, id: NodeId, ct: Var<'t>, low: usize, depends: &[bool], cotangents: &mut [NodeId]) {
        let (op, kind, x) = {
            let mut graph = self.graph_mut();
            let Ok(node) = graph.node(id) else { return };
            let op = node.op.clone();
            let x: SmallVec<[Var<'t>; 3]> = node.inputs.iter().map(|&id| Var { tape: self, id }).collect();
            let kind = op.derivative();
            // The rules of elementwise ops are made of ops that refuse nothing.
            let named = (kind != Derivative::Elementwise).then(|| op.name());
            self.origin.set(graph.derivative_of(id, named));
            (op, kind, x)
        };
        let y = Var { tape: self, id };
        let place = |input: &Var<'t>| input.id.index().checked_sub(low).filter(|&p| depends.get(p) == Some(&true));
        if let Derivative::None(why) = kind {
            if x.iter().any(|input| place(input).is_some()) {
                let error = Error::new(ErrorKind::NotDifferentiable, format!("has no derivative: {why}"));
                self.reject(op.name(), &[], error.help("stop_gradient() says that there is to be none"));
            }
            return;
        }
        let together = match kind {
            Derivative::Composite => {
                let wanted: SmallVec<[bool; 3]> = x.iter().map(|input| place(input).is_some()).collect();
                op.pullbacks(&wanted, &x, y, ct)
            }
            _ => None,
        };
        for (i, input) in x.iter().enumerate() {
            let Some(place) = place(input) else { continue };
            let part = match &together {
                Some(parts) => parts.get(i).copied().flatten(),
                None => contribution(&*op, kind, i, &x, y, ct),
            };
            let Some(part) = part else { continue };
            if self.failed.get() {
                return;
            }
            if !same_meta(part, *input) {
                let error = Error::state(format!("its rule gave {} for an operand of {}", part.meta(), input.meta()));
                self.reject(op.name(), &[("operand", *input)], error);
                return;
            }
            if let Some(sum) = cotangents.get_mut(place) {
                add_to(sum, part);
            }
        }
    }
}

/// One more part of a cotangent.
fn add_to<'t>(sum: &mut NodeId, part: Var<'t>) {
    *sum = match *sum {
        NodeId::POISON => part.id,
        id => {
            let sum = Var { tape: part.tape, id };
            joined(sum, part).unwrap_or_else(|| sum.add(part)).id
        }
    };
}

fn same_meta(a: Var<'_>, b: Var<'_>) -> bool {
    let graph = a.tape.graph.borrow();
    match (graph.node(a.id), graph.node(b.id)) {
        (Ok(a), Ok(b)) => a.meta == b.meta,
        _ => false,
    }
}

/// The cotangent that one operand gets; `None` is zero.
fn contribution<'t>(
    op: &dyn Op,
    kind: Derivative,
    i: usize,
    x: &[Var<'t>],
    y: Var<'t>,
    ct: Var<'t>,
) -> Option<Var<'t>> {
    match kind {
        Derivative::Elementwise => times(ct, op.partial(i, x, y)),
        Derivative::Linear => op.transpose(i, x, ct),
        Derivative::Composite => op.pullback(i, x, y, ct),
        Derivative::Flat(_) | Derivative::None(_) => None,
    }
}

/// A cotangent times a partial derivative. Where either is 0 the product is 0, whatever the other is.
fn times<'t>(ct: Var<'t>, partial: Partial<'t>) -> Option<Var<'t>> {
    match partial {
        Partial::Zero => None,
        Partial::One => Some(ct),
        Partial::MinusOne => Some(-ct),
        Partial::Where(mask) => Some(ct.select(mask, ct.filled(0.0))),
        Partial::Unless(mask) => Some(ct.filled(0.0).select(mask, ct)),
        // A sum of all elements hands on 1 to each of them.
        Partial::Times(factor) if is_one(ct) && same_meta(ct, factor) => Some(factor),
        Partial::Times(factor) => Some(ct.mul_masked(factor)),
    }
}

/// Whether a value is the constant 1, everywhere.
fn is_one(x: Var<'_>) -> bool {
    let graph = x.tape.graph.borrow();
    let mut id = x.id;
    while let Ok(node) = graph.node(id) {
        match (node.op.class(), node.inputs.first()) {
            (Class::View(_), Some(&of)) => id = of,
            (Class::Index(IndexFn::Fill(value)), _) => return value.to_f64() == 1.0,
            _ => return false,
        }
    }
    false
}

fn not_single(y: Var<'_>) -> Error {
    Error::shape(format!("a gradient is that of a single number, and this has the shape {}", y.shape()))
        .help("take .sum() or .mean() of it, or weigh its elements: .backward_with(ct)")
}

impl<'t> Var<'t> {
    /// This loss and the terms that layers added to it on the way ([`Tape::add_loss`]), each of which counts once. Without any it is this
    /// loss itself.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([1.0f32, -3.0]));
    /// tape.add_loss(x.abs().sum() * 0.5); // what a layer does that has a price
    /// let loss = x.square().sum().with_added_losses();
    /// assert_eq!(loss.item::<f32>()?, 12.0);
    /// assert!(tape.added_losses().is_empty());
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn with_added_losses(self) -> Var<'t> {
        let _call = self.tape.call("with_added_losses");
        let terms = std::mem::take(&mut self.tape.graph_mut().added_losses);
        terms.into_iter().fold(self, |loss, id| {
            let term = Var { tape: self.tape, id }.reshape(loss.shape());
            loss + if term.dtype() == loss.dtype() { term } else { term.cast(loss.dtype()) }
        })
    }

    /// The gradients of this number by every parameter of the tape. Nothing is computed.
    ///
    /// ```
    /// # use wengert_autograd::{LeafId, Tape};
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let w = tape.parameter(LeafId(1), &Tensor::from([1.0f32, -2.0]));
    /// let gradients = w.square().sum().backward();
    /// let dw = gradients.get(LeafId(1)).unwrap();
    /// assert_eq!(dw.value()?.to_vec::<f32>()?, [2.0, -4.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn backward(self) -> Gradients<'t> {
        match self.tape.failed.get() || self.len() == 1 {
            true => self.backward_with(self.filled(1.0)),
            false => {
                self.tape.reject("backward", &[("of", self)], not_single(self));
                Gradients::new(self, std::iter::empty())
            }
        }
    }

    /// As [`Var::backward`] for a value of any shape, whose elements `ct` weighs.
    #[track_caller]
    pub fn backward_with(self, ct: Var<'t>) -> Gradients<'t> {
        let tape = self.tape;
        let parameters: SmallVec<[(LeafId, NodeId); 12]> = SmallVec::from_slice(&tape.graph.borrow().parameters);
        let leaves: SmallVec<[Var<'t>; 12]> = parameters.iter().map(|&(_, id)| Var { tape, id }).collect();
        let found = tape.cotangents(self, ct, &leaves);
        let gradients = leaves.iter().enumerate().map(|(at, leaf)| match &found {
            Some(found) => found.get(at).copied().flatten().unwrap_or_else(|| leaf.filled(0.0)),
            None => tape.poison(),
        });
        Gradients::new(self, parameters.iter().map(|(id, _)| *id).zip(gradients))
    }

    /// Zeros of this value's shape and dtype, as part of the graph's structure.
    #[track_caller]
    pub fn zeros_like(self) -> Var<'t> {
        self.filled(0.0)
    }

    /// Ones of this value's shape and dtype, as part of the graph's structure.
    #[track_caller]
    pub fn ones_like(self) -> Var<'t> {
        self.tape.constant(self.shape(), Scalar::new(self.dtype(), 1.0))
    }
}
