//! Solutions of equations, differentiated by the equation and not by the way to them.

use crate::graph::{Tape, Var};
use crate::ops::converged::Converged;
use crate::ops::implicit::implicit;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;

/// How a fixed point is looked for: [`Tape::fixed_point`] with choices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FixedPoint {
    tolerance: Option<f64>,
    turns: usize,
}

impl Default for FixedPoint {
    fn default() -> FixedPoint {
        FixedPoint::new()
    }
}

impl FixedPoint {
    /// Until nothing changes by more than a few units in the last place, for at most 10 000 turns.
    pub fn new() -> FixedPoint {
        FixedPoint { tolerance: None, turns: 10_000 }
    }

    /// The largest change of an element, relative to the largest element or to 1, at which it is found.
    pub fn tolerance(self, tolerance: f64) -> FixedPoint {
        FixedPoint { tolerance: Some(tolerance), ..self }
    }

    /// The number of turns after which it counts as not found.
    pub fn turns(self, turns: usize) -> FixedPoint {
        FixedPoint { turns, ..self }
    }

    /// Records the search: see [`Tape::fixed_point`].
    #[track_caller]
    pub fn call<'t>(&self, tape: &'t Tape, start: Var<'t>, f: impl Fn(Var<'t>) -> Var<'t>) -> Var<'t> {
        if tape.failed.get() {
            return tape.poison();
        }
        let call = tape.call("fixed_point");
        let f = |z: Var<'t>| call.outside(|| f(z));
        let tolerance = self.tolerance.unwrap_or(match start.dtype() {
            DType::F64 => 1e-14,
            DType::F32 => 5e-7,
            _ => 1e-2,
        });
        if tolerance.is_nan() || tolerance < 0.0 {
            let error = Error::value(format!("a tolerance of {tolerance}"));
            return tape.reject(
                "fixed_point",
                &[("start", start)],
                error.help("a tolerance is a small number above 0"),
            );
        }
        if !start.dtype().is_float() || start.is_empty() {
            let error = Error::dtype(format!("the unknowns are floats, at least one, not {}", start.meta()));
            return tape.reject("fixed_point", &[("start", start)], error);
        }
        let wide = |x: Var<'t>| x.cast(DType::F64);
        let far = |z: Var<'t>, old: Var<'t>| {
            let size = wide(z.abs().max()).maximum(1.0);
            (wide((z - old).abs().max()), size * tolerance)
        };
        let start = start.stop_gradient();
        let [z, old, _] = tape.while_loop(
            [f(start), start, tape.constant([], 1f64).after(start)],
            |[z, old, turn]| {
                let (change, bound) = far(z, old);
                // Written so that NaN ends it.
                change.gt(bound).and(turn.lt(self.turns as f64))
            },
            |[z, _, turn]| [f(z), z, turn + 1.0],
        );
        let (change, bound) = far(z, old);
        let z = z.converged(change, bound, Converged::Fixed(self.turns));
        implicit(tape, "fixed_point", z.stop_gradient(), |z| z - f(z))
    }
}

impl Tape {
    /// The z with z = f(z), found by repeating f from `start`, and differentiated by the implicit function theorem: by what f reads
    /// from outside. Nothing of the way is kept, and its length does not matter. This is how a deep equilibrium model is trained
    /// (Bai et al. 2019). [`FixedPoint`] has the choices.
    ///
    /// Where the repetition does not come to rest, asking for the value is an error.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let a = tape.input(&Tensor::from(2.0f64));
    /// // Heron's rule: its fixed point is √a.
    /// let z = tape.fixed_point(a.ones_like(), |z| (z + a / z) * 0.5);
    /// let dz = tape.grad(z, a);
    /// assert!((z.item::<f64>()? - 2f64.sqrt()).abs() < 1e-15);
    /// assert!((dz.item::<f64>()? - 0.5 / 2f64.sqrt()).abs() < 1e-12);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn fixed_point<'t>(&'t self, start: Var<'t>, f: impl Fn(Var<'t>) -> Var<'t>) -> Var<'t> {
        FixedPoint::new().call(self, start, f)
    }

    /// `solution`, differentiated as the z with equation(z) = 0, by what the equation reads from outside. How it was found does not
    /// matter: by Newton's rule in a [`Tape::while_loop`], or outside of the tape.
    ///
    /// The equation has z's shape, and its Jacobian by z is regular there: where it is not, asking for a derivative is an error. That
    /// `solution` solves the equation is not checked, as only the equation knows how small its residual should be; for what is no
    /// solution, the derivative is that of a root of equation(z) = equation(solution).
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let a = tape.input(&Tensor::from(8.0f64));
    /// let found = tape.input(&Tensor::from(2.0f64));
    /// let z = tape.root(found, |z| z * z * z - a);
    /// let dz = tape.grad(z, a);
    /// assert!((dz.item::<f64>()? - 1.0 / 12.0).abs() < 1e-12);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn root<'t>(&'t self, solution: Var<'t>, equation: impl FnOnce(Var<'t>) -> Var<'t>) -> Var<'t> {
        let call = self.call("root");
        implicit(self, "root", solution.stop_gradient(), |z| call.outside(|| equation(z)))
    }
}
