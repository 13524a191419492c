//! Forward mode, and both modes as functions that can be applied again and again.
//!
//! Forward mode is the transpose of reverse mode: the cotangents of the inputs are linear in the cotangent u of the output, and
//! the transpose of u ↦ Jᵀu is v ↦ Jv. So every op has both modes by its one rule, and they cannot disagree. The half that is
//! recorded to be transposed is never asked for, so it is never computed.

use crate::frame::not_differentiable;
use crate::graph::{NodeId, Tape, Var};
use crate::ops::reshape::Reshape;
use crate::vars::Vars;
use smallvec::SmallVec;
use wengert_tensor::dtype::Scalar;
use wengert_tensor::error::{Error, ErrorKind};

/// The cotangent of a result, and the cotangents of the inputs that follow from it.
type Transposed<'t> = (Var<'t>, SmallVec<[Option<Var<'t>>; 4]>);

/// A function at a point, as the linear map that is its derivative there: see [`Tape::linearize`].
#[derive(Clone, Debug)]
pub struct Linearized<'t> {
    /// The transpose takes `u` to the cotangents of the inputs.
    parts: Vec<Transposed<'t>>,
    inputs: SmallVec<[Var<'t>; 4]>,
}

/// A function at a point, as the map from cotangents of its result to those of its inputs: see [`Tape::vjp`].
#[derive(Clone, Debug)]
pub struct Pullback<'t, V> {
    y: Var<'t>,
    x: V,
}

/// The same value as a node of its own, so that a derivative by it is a derivative of what is recorded from now on.
#[track_caller]
pub(crate) fn fresh<'t>(var: Var<'t>) -> Var<'t> {
    var.then(Reshape { shape: var.shape() })
}

/// Fresh nodes in the form of the given ones.
#[track_caller]
pub(super) fn fresh_all<'t, V: Vars<'t>>(vars: &V) -> (V::Of<Var<'t>>, SmallVec<[Var<'t>; 4]>) {
    let mut list = SmallVec::new();
    let form = vars.map(|var| {
        let var = fresh(var);
        list.push(var);
        var
    });
    (form, list)
}

impl Tape {
    /// The value y = f(x) and its change along `dx`: the product of the Jacobian with a direction, by forward mode.
    ///
    /// `f` is differentiated as a function of its arguments; what it captures is constant.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([1.0f64, 2.0]));
    /// let along = tape.input(&Tensor::from([1.0f64, 0.0]));
    /// let (y, dy) = tape.jvp(|x| x * x.sum(), x, along);
    /// assert_eq!(y.value()?.to_vec::<f64>()?, [3.0, 6.0]);
    /// assert_eq!(dy.value()?.to_vec::<f64>()?, [4.0, 2.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn jvp<'t, V: Vars<'t>, W: Vars<'t>>(
        &'t self,
        f: impl FnOnce(V::Of<Var<'t>>) -> W,
        x: V,
        dx: V,
    ) -> (W, W::Of<Var<'t>>) {
        let (y, linear) = self.linearize(f, x);
        let dy = linear.list(&dx.list());
        let mut dy = dy.into_iter();
        let dy = y.map(|_| dy.next().unwrap_or(self.poison()));
        (y, dy)
    }

    /// The value y = f(x), and the derivative of f there as a linear map, to be applied to any number of directions.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([0.0f64, 1.0]));
    /// let (_, linear) = tape.linearize(|x| x.exp(), x);
    /// let dy = linear.apply(tape.input(&Tensor::from([2.0f64, 0.0])));
    /// assert_eq!(dy.value()?.to_vec::<f64>()?, [2.0, 0.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn linearize<'t, V: Vars<'t>, W: Vars<'t>>(
        &'t self,
        f: impl FnOnce(V::Of<Var<'t>>) -> W,
        x: V,
    ) -> (W, Linearized<'t>) {
        let (form, inputs) = fresh_all(&x);
        let y = f(form);
        let parts = self.transposed(&y.list(), &inputs);
        (y, Linearized { parts, inputs })
    }

    /// The derivative of a value that is on the tape already.
    #[track_caller]
    pub(super) fn linearize_at<'t>(&'t self, y: Var<'t>, x: Var<'t>) -> Linearized<'t> {
        Linearized { parts: self.transposed(&[y], &[x]), inputs: SmallVec::from_slice(&[x]) }
    }

    /// For each result the node u that stands for its cotangent, and the cotangents of the inputs, which are linear in u.
    #[track_caller]
    fn transposed<'t>(&'t self, y: &[Var<'t>], x: &[Var<'t>]) -> Vec<Transposed<'t>> {
        let ids: SmallVec<[NodeId; 8]> = x.iter().map(|var| var.id).collect();
        let mut parts = Vec::new();
        for &y in y {
            if self.failed.get() {
                break;
            }
            if let Some(x) = x.iter().find(|x| !x.dtype().is_float()) {
                let message = format!("there is no derivative by {}: it does not vary continuously", x.dtype());
                self.reject("jvp", &[("by", *x)], Error::new(ErrorKind::NotDifferentiable, message));
                break;
            }
            if !y.dtype().is_float() {
                let error = not_differentiable(&self.graph.borrow(), y.id);
                self.reject("jvp", &[("of", y)], error);
                break;
            }
            // A node of its own, of which no constant of the function is a copy.
            let u = self.slot(y.shape(), Scalar::new(y.dtype(), 0.0));
            parts.push((u, self.sweep(y, u, &ids).into_iter().collect()));
        }
        parts
    }

    /// The value y = f(x), and the map from a cotangent of y to the cotangents of x: reverse mode as a function.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([1.0f64, 2.0]));
    /// let (y, pullback) = tape.vjp(|x| x * x, x);
    /// let dx = pullback.apply(y.ones_like());
    /// assert_eq!(dx.value()?.to_vec::<f64>()?, [2.0, 4.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn vjp<'t, V: Vars<'t>>(
        &'t self,
        f: impl FnOnce(V::Of<Var<'t>>) -> Var<'t>,
        x: V,
    ) -> (Var<'t>, Pullback<'t, V::Of<Var<'t>>>)
    where
        V::Of<Var<'t>>: Clone,
    {
        let (form, _) = fresh_all(&x);
        let y = f(form.clone());
        (y, Pullback { y, x: form })
    }

    /// f(x) and ∂f/∂x, for a function whose value is one number.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([1.0f64, 2.0]));
    /// let (y, dx) = tape.value_and_grad(|x| x.square().sum(), x);
    /// assert_eq!(y.item::<f64>()?, 5.0);
    /// assert_eq!(dx.value()?.to_vec::<f64>()?, [2.0, 4.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn value_and_grad<'t, V: Vars<'t>>(
        &'t self,
        f: impl FnOnce(V::Of<Var<'t>>) -> Var<'t>,
        x: V,
    ) -> (Var<'t>, V::Of<Var<'t>>) {
        let (form, list) = fresh_all(&x);
        let y = f(form);
        let gradients = self.grad(y, list.to_vec());
        let mut gradients = gradients.into_iter();
        (y, x.map(|_| gradients.next().unwrap_or(self.poison())))
    }
}

impl<'t> Linearized<'t> {
    /// The change of a function of one value along `dx`.
    #[track_caller]
    pub fn apply(&self, dx: Var<'t>) -> Var<'t> {
        self.list(&[dx]).into_iter().next().unwrap_or(dx.tape.poison())
    }

    /// The changes of all results, along one direction for each input.
    #[track_caller]
    pub fn list(&self, dx: &[Var<'t>]) -> Vec<Var<'t>> {
        let Some(tape) = self.inputs.first().map(|x| x.tape) else { return Vec::new() };
        if tape.failed.get() {
            return Vec::new();
        }
        let fits = dx.len() == self.inputs.len() && self.inputs.iter().zip(dx).all(|(x, dx)| x.meta() == dx.meta());
        if !fits {
            let operands: Vec<_> =
                self.inputs.iter().map(|x| ("of", *x)).chain(dx.iter().map(|d| ("along", *d))).collect();
            let error = Error::shape("a direction has the shape and dtype of its input, and there is one for each");
            tape.reject("jvp", &operands, error);
            return Vec::new();
        }
        let change = |(u, transposed): &Transposed<'t>| {
            let parts = transposed.iter().zip(dx).filter_map(|(part, &dx)| {
                let part = (*part)?;
                tape.sweep(part, dx, &[u.id]).into_iter().next().flatten()
            });
            parts.reduce(|sum, part| sum.add(part)).unwrap_or_else(|| u.zeros_like())
        };
        self.parts.iter().map(change).collect()
    }
}

impl<'t, V: Vars<'t>> Pullback<'t, V> {
    /// The cotangents of the inputs.
    #[track_caller]
    pub fn apply(&self, ct: Var<'t>) -> V::Of<Var<'t>>
    where
        V: Clone,
    {
        self.y.tape.grad_with(self.y, ct, self.x.clone())
    }
}
