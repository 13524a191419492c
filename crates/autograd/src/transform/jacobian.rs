//! Matrices of derivatives, all rows or columns at once: a batch of directions.

use super::forward::{fresh, fresh_all};
use crate::graph::{Tape, Var};
use crate::vars::Vars;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;
use wengert_tensor::shape::Shape;

impl Tape {
    /// The Jacobian J[i…, j…] = ∂yᵢ/∂xⱼ of y = f(x), of y's axes and then x's: by reverse mode where y has no more elements than
    /// x, by forward mode otherwise.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([2.0f64, 3.0]));
    /// let j = tape.jacobian(|x| x * x.sum(), x);
    /// assert_eq!(j.value()?.to_vec::<f64>()?, [7.0, 2.0, 3.0, 8.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn jacobian<'t>(&'t self, f: impl FnOnce(Var<'t>) -> Var<'t>, x: Var<'t>) -> Var<'t> {
        let call = self.call("jacobian");
        let x = fresh(x);
        let y = call.outside(|| f(x));
        match y.len() <= x.len() {
            true => self.jacobian_of(y, x),
            false => self.columns(y, x),
        }
    }

    /// The Jacobian by reverse mode: one pullback for each element of y, as one batch.
    #[doc(alias = "jacrev")]
    #[track_caller]
    pub fn jacobian_reverse<'t>(&'t self, f: impl FnOnce(Var<'t>) -> Var<'t>, x: Var<'t>) -> Var<'t> {
        let call = self.call("jacobian");
        let x = fresh(x);
        self.jacobian_of(call.outside(|| f(x)), x)
    }

    /// The Jacobian by forward mode: one direction for each element of x, as one batch.
    #[doc(alias = "jacfwd")]
    #[track_caller]
    pub fn jacobian_forward<'t>(&'t self, f: impl FnOnce(Var<'t>) -> Var<'t>, x: Var<'t>) -> Var<'t> {
        let call = self.call("jacobian");
        let x = fresh(x);
        self.columns(call.outside(|| f(x)), x)
    }

    /// The Jacobian of a value that is on the tape already.
    #[track_caller]
    fn jacobian_of<'t>(&'t self, y: Var<'t>, x: Var<'t>) -> Var<'t> {
        let rows = self.vmap(self.basis(y), |ct| self.grad_with(y, ct, x));
        self.joined(rows, &y.shape(), &x.shape())
    }

    #[track_caller]
    fn columns<'t>(&'t self, y: Var<'t>, x: Var<'t>) -> Var<'t> {
        let (rows, columns) = (y.shape(), x.shape());
        let linear = self.linearize_at(y, x);
        let columns_first = self.vmap(self.basis(x), |dx| linear.apply(dx));
        if self.failed.get() {
            return self.poison();
        }
        let flat = columns_first.reshape([columns.len(), rows.len()]).t();
        self.joined(flat, &rows, &columns)
    }

    /// The second derivatives H[i…, j…] = ∂²y/∂xᵢ∂xⱼ of a function whose value is one number, of x's axes twice.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([2.0f64, 3.0]));
    /// let h = tape.hessian(|x| x.prod() * x.sum(), x); // x²y + xy²
    /// assert_eq!(h.value()?.to_vec::<f64>()?, [6.0, 10.0, 10.0, 4.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn hessian<'t>(&'t self, f: impl FnOnce(Var<'t>) -> Var<'t>, x: Var<'t>) -> Var<'t> {
        let call = self.call("hessian");
        let x = fresh(x);
        let gradient = self.grad(call.outside(|| f(x)), x);
        self.jacobian_of(gradient, x)
    }

    /// The Hessian times a vector, Hv, without forming H: the gradient of ⟨∂y/∂x, v⟩.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([2.0f64, 3.0]));
    /// let v = tape.input(&Tensor::from([1.0f64, 0.0]));
    /// let hv = tape.hvp(|x| x.prod() * x.sum(), x, v);
    /// assert_eq!(hv.value()?.to_vec::<f64>()?, [6.0, 10.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn hvp<'t, V: Vars<'t>>(&'t self, f: impl FnOnce(V::Of<Var<'t>>) -> Var<'t>, x: V, v: V) -> V::Of<Var<'t>> {
        let call = self.call("hvp");
        let (form, list) = fresh_all(&x);
        let y = call.outside(|| f(form));
        let gradients = self.grad(y, list.to_vec());
        let directions = v.list();
        if directions.len() != list.len() && !self.failed.get() {
            self.reject("hvp", &[("of", y)], Error::shape("a direction for each input"));
        }
        let other = list.iter().zip(&directions).find(|(x, v)| x.meta() != v.meta()).filter(|_| !self.failed.get());
        if let Some((x, v)) = other {
            let error = Error::shape(format!("a direction of {} for a value of {}", v.meta(), x.meta()));
            self.reject("hvp", &[("of", *x), ("along", *v)], error.help("it has the shape and dtype of the value"));
        }
        let parts = gradients.into_iter().zip(directions).map(|(g, v)| g.mul(v).sum());
        let along = parts.reduce(|sum, part| sum.add(part)).unwrap_or(y);
        let mut products = self.grad(along, list.to_vec()).into_iter();
        x.map(|_| products.next().unwrap_or(self.poison()))
    }

    /// For each element of a value, the value's shape with 1 at this element and 0 elsewhere.
    #[track_caller]
    fn basis<'t>(&'t self, of: Var<'t>) -> Var<'t> {
        let n = of.len();
        let count = |axis| self.iota([n, n], axis, DType::I64);
        let rows = count(0).eq(count(1)).cast(of.dtype());
        match of.shape().insert(0, n) {
            Ok(shape) => rows.reshape(shape),
            Err(error) => of.reject("jacobian", error),
        }
    }

    #[track_caller]
    fn joined<'t>(&'t self, matrix: Var<'t>, rows: &Shape, columns: &Shape) -> Var<'t> {
        match self.failed.get() {
            true => self.poison(),
            false => matrix.reshape([rows.dims(), columns.dims()].concat()),
        }
    }
}
