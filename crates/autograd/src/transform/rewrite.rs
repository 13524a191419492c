//! The same function, made of other ops.

use crate::body::{Input, trace_with};
use crate::graph::{OpRef, Tape, Var};
use crate::vars::Vars;

impl Tape {
    /// `f(x)` with another op in place of each: for rounding every product to fewer bits, for counting, for planting faults.
    ///
    /// `replace` sees each op that `f` applies to what depends on `x`, and gives the op that is recorded instead: the same
    /// (`op.clone()`), or one of the user's own that takes the same operands.
    ///
    /// ```
    /// # use wengert_autograd::{OpRef, Tape};
    /// # use wengert_autograd::table::Elementwise;
    /// # use wengert_tensor::kernels::scalar::ScalarFn;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([0.5f32, 2.0]));
    /// let y = tape.rewrite(x, |x| x.exp().sum(), |op| match op.name() {
    ///     "exp" => Elementwise(ScalarFn::Log).into(),
    ///     _ => op.clone(),
    /// });
    /// assert_eq!(y.item::<f32>()?, 0.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn rewrite<'t, V: Vars<'t>, W: Vars<'t>>(
        &'t self,
        x: V,
        f: impl FnOnce(V::Of<Var<'t>>) -> W,
        replace: impl FnMut(&OpRef) -> OpRef,
    ) -> W::Of<Var<'t>> {
        let call = self.call("rewrite");
        let list = x.list();
        let given: Vec<Input> = list.iter().map(|var| Input::value(var.meta())).collect();
        let (traced, form) = trace_with(self, "rewrite", &given, |v| {
            let mut v = v.iter();
            let form = x.map(|_| v.next().copied().unwrap_or(self.poison()));
            let form = call.outside(|| f(form));
            (form.list().to_vec(), form)
        });
        let Some(traced) = traced else { return form.map(|_| self.poison()) };
        let inputs: Vec<Var<'t>> = list.into_iter().chain(traced.captured).collect();
        let mut outputs = traced.body.replay_as(self, &inputs, replace, |_, value| value).into_iter();
        form.map(|_| outputs.next().unwrap_or(self.poison()))
    }
}
