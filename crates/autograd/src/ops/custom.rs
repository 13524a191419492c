//! `custom_vjp` and `custom_jvp`: a derivative rule of the user's own, in place of the one that follows from the ops.
//!
//! y = f(x), but the cotangent of x is g(x, y, ct), whatever f is made of. A rule for forward mode, h(x, y, v), is linear in v: its
//! transpose is the rule g.
//!
//! * shape, dtype: those of y
//! * derivative: the user's; it is recorded, so it may be differentiated again. Forward mode is its transpose: g must be linear in
//!   ct for that.
//! * batches: g is called for one example, as it was written

use crate::batch::Batch;
use crate::class::{Class, View};
use crate::graph::{Derivative, Op, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Accuracy, Entry, Sample};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use wengert_tensor::error::Result;
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// From the operand, the result and the cotangent of the result: the cotangent of the operand.
type Rule = dyn for<'t> Fn(Var<'t>, Var<'t>, Var<'t>) -> Var<'t> + Send + Sync;

/// The first operand, with the cotangent going to the second.
#[derive(Clone)]
pub struct CustomVjp {
    rule: Arc<Rule>,
    /// How many axes of examples the operands have in front of those that the rule knows.
    batches: usize,
}

impl fmt::Debug for CustomVjp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomVjp").field("batches", &self.batches).finish_non_exhaustive()
    }
}

// The value is that of the first operand, whatever the rule is: all of them compute the same.
impl PartialEq for CustomVjp {
    fn eq(&self, _other: &CustomVjp) -> bool {
        true
    }
}

impl Eq for CustomVjp {}

impl Hash for CustomVjp {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

impl Op for CustomVjp {
    fn name(&self) -> &'static str {
        "custom_vjp"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["value", "operand"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [y, _] = operands(inputs)?;
        Ok(y.clone())
    }

    fn class(&self) -> Class<'_> {
        Class::View(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        match i {
            0 => None,
            _ => Some(self.apply(self.batches, [*x.get(1)?, y, ct])),
        }
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(CustomVjp { rule: Arc::clone(&self.rule), batches: self.batches + 1 })
    }
}

impl CustomVjp {
    fn apply<'t>(&self, batches: usize, [x, y, ct]: [Var<'t>; 3]) -> Var<'t> {
        match batches {
            0 => (self.rule)(x, y, ct),
            _ => x.tape.vmap([x, y, ct], |one| self.apply(batches - 1, one)),
        }
    }
}

impl View for CustomVjp {
    fn view(&self, input: &Layout, _out: &Shape) -> Option<Layout> {
        Some(input.clone())
    }
}

impl<'t> Var<'t> {
    /// `f` of this value, with a derivative rule of one's own: `rule` takes the operand, the result and the cotangent of the result,
    /// and gives the cotangent of the operand.
    ///
    /// What `f` captures beside its operand is constant, and the rule captures no values of a tape.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([-2.0f32, -0.3, 0.6]));
    /// // A step whose slope is taken as 1 near 0: the straight-through estimator (Bengio et al. 2013).
    /// let y = x.custom_vjp(|x| x.sign(), |x, _y, ct| ct.select(x.abs().le(1.0), 0.0));
    /// let [dx] = tape.grad(y.sum(), [x]);
    /// assert_eq!(y.value()?.to_vec::<f32>()?, [-1.0, -1.0, 1.0]);
    /// assert_eq!(dx.value()?.to_vec::<f32>()?, [0.0, 1.0, 1.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn custom_vjp(
        self,
        f: impl FnOnce(Var<'t>) -> Var<'t>,
        rule: impl for<'s> Fn(Var<'s>, Var<'s>, Var<'s>) -> Var<'s> + Send + Sync + 'static,
    ) -> Var<'t> {
        let y = f(self);
        self.tape.record(CustomVjp { rule: Arc::new(rule), batches: 0 }, &[y, self])
    }

    /// As [`Var::custom_vjp`], with a rule for forward mode: `rule` takes the operand, the result and a tangent of the operand, and gives
    /// the tangent of the result. It is linear in the tangent; reverse mode is its transpose.
    ///
    /// ```
    /// # use wengert_autograd::{Tape, Var};
    /// # use wengert_tensor::tensor::Tensor;
    /// /// ln (1 + eˣ), whose slope is known to be the sigmoid.
    /// fn f(x: Var<'_>) -> Var<'_> {
    ///     x.custom_jvp(|x| (x.exp() + 1.0).log(), |x, _y, v| v * x.sigmoid())
    /// }
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([0.0f64, 1.0]));
    /// let (_, change) = tape.jvp(f, x, x.ones_like());
    /// let [dx] = tape.grad(f(x).sum(), [x]);
    /// assert_eq!(change.value()?.to_vec::<f64>()?, dx.value()?.to_vec::<f64>()?);
    /// # assert_eq!(dx.value()?.to_vec::<f64>()?[0], 0.5);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn custom_jvp(
        self,
        f: impl FnOnce(Var<'t>) -> Var<'t>,
        rule: impl for<'s> Fn(Var<'s>, Var<'s>, Var<'s>) -> Var<'s> + Send + Sync + 'static,
    ) -> Var<'t> {
        self.custom_vjp(f, move |x, y, ct| {
            // A leaf of its own to differentiate by; what is linear does not ask for its value.
            let v = x.tape.full(x.shape(), 0.0, x.dtype());
            let [cotangent] = x.tape.grad_with(rule(x, y, v), ct, [v]);
            cotangent
        })
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([-1.5f64, 0.4, 2.0])];
    vec![
        Entry::new(
            "custom_vjp",
            "custom.rs",
            vec![
                Sample::new("right", x(), |_, x| x[0].custom_vjp(|x| x.exp(), |_, y, ct| ct * y)),
                Sample::new("straight through", x(), |_, x| {
                    x[0].custom_vjp(|x| x.sign(), |x, _, ct| ct.select(x.abs().le(1.0), 0.0))
                })
                .kinked()
                .gives([-1., 1., 1.])
                .slopes([0., 1., 0.]),
            ],
        )
        .accuracy(Accuracy::Body),
        Entry::new(
            "custom_jvp",
            "custom.rs",
            vec![
                Sample::new("right", x(), |_, x| x[0].custom_jvp(|x| x.exp(), |_, y, v| v * y)),
                Sample::new("of another shape", x(), |_, x| {
                    x[0].custom_jvp(|x| x.square().sum(), |x, _, v| (x * v).sum() * 2.0)
                }),
                Sample::new("straight through", x(), |_, x| x[0].custom_jvp(|x| x.sign(), |_, _, v| v))
                    .kinked()
                    .gives([-1., 1., 1.])
                    .slopes([1., 1., 1.]),
            ],
        )
        .accuracy(Accuracy::Body),
    ]
}
