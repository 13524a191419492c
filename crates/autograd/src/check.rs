//! Checking derivatives by differences.

use crate::frame::not_differentiable;
use crate::graph::{Tape, Var};
use std::fmt;
use std::panic::Location;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, normal_f64};
use wengert_tensor::tensor::Tensor;

/// How well derivatives agree with differences.
#[derive(Clone, Debug)]
pub struct Report {
    /// The largest difference, relative to the size of the two derivatives (or to 1, where both are smaller).
    pub worst: f64,
    /// Where it is: input and element.
    pub at: (usize, usize),
    /// The derivative there, by the rules.
    pub rule: f64,
    /// The same by differences.
    pub difference: f64,
    /// How many elements were compared.
    pub compared: usize,
}

/// Rules and differences may disagree by this much.
const TOLERANCE: f64 = 1e-6;

impl Report {
    /// Whether they agree.
    pub fn passed(&self) -> bool {
        self.worst <= TOLERANCE
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (input, element) = self.at;
        let Report { worst, rule, difference, compared, .. } = self;
        write!(
            f,
            "{compared} derivatives compared; the worst is off by {worst:.1e}: by element {element} of input {input} the rule \
             says {rule:.9e} and the difference {difference:.9e}"
        )
    }
}

/// Compares the derivatives of `f` with central differences, by every element of every float input.
///
/// The inputs are taken in f64. A result with several elements is weighed with fixed random numbers. `f` must be smooth
/// at the inputs and must not be random.
///
/// ```
/// use wengert_autograd::check_gradients;
/// use wengert_tensor::tensor::Tensor;
/// let sample = Tensor::from([0.3f32, -1.2]);
/// let report = check_gradients(|[x]| x.exp().sin(), [&sample])?;
/// println!("{report}");
/// let wrong = check_gradients(|[x]| x * x.stop_gradient(), [&sample]);
/// assert!(wrong.is_err());
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
///
/// # Errors
/// When they disagree, with the input and the element; or when `f` cannot be computed.
#[track_caller]
pub fn check_gradients<const N: usize>(
    f: impl for<'t> Fn([Var<'t>; N]) -> Var<'t>,
    inputs: [&Tensor; N],
) -> Result<Report> {
    let report = compare(f, inputs)?;
    match report.passed() {
        true => Ok(report),
        false => Err(Error::value(report.to_string()).op("check_gradients").at(Location::caller())),
    }
}

#[track_caller]
fn compare<const N: usize>(f: impl for<'t> Fn([Var<'t>; N]) -> Var<'t>, inputs: [&Tensor; N]) -> Result<Report> {
    let mut points = Vec::with_capacity(N);
    for input in inputs {
        points.push(if input.dtype().is_float() { input.cast(DType::F64)? } else { input.clone() });
    }
    let rules = {
        let tape = Tape::new();
        let x = leaves(&tape, &points)?;
        let y = f(x);
        let _call = tape.call("check_gradients");
        if !y.dtype().is_float() {
            let error = not_differentiable(&tape.graph.borrow(), y.id);
            tape.reject("check_gradients", &[("of", y)], error);
        }
        let y = weighed(&tape, y);
        let floats: Vec<Var<'_>> = x.into_iter().filter(|x| x.dtype().is_float()).collect();
        tape.eval(tape.grad(y, floats))?
    };
    let location = Location::caller();
    let value = |points: &[Tensor]| -> Result<f64> {
        let tape = Tape::new();
        let value = weighed(&tape, f(leaves(&tape, points)?)).cast(DType::F64).item::<f64>();
        value.map_err(|error| error.at(location))
    };

    let mut report = Report { worst: 0.0, at: (0, 0), rule: 0.0, difference: 0.0, compared: 0 };
    let floats: Vec<usize> = (0..N).filter(|&i| points.get(i).is_some_and(|p| p.dtype().is_float())).collect();
    for (&input, rule) in floats.iter().zip(&rules) {
        let Some(point) = points.get(input).cloned() else { continue };
        let elements = point.to_f64_vec();
        for (element, rule) in rule.to_f64_vec().into_iter().enumerate() {
            let step = 1e-5 * elements.get(element).map_or(1.0, |x| x.abs().max(1.0));
            let mut moved = |by: f64| -> Result<f64> {
                let mut elements = elements.clone();
                if let Some(x) = elements.get_mut(element) {
                    *x += by;
                }
                if let Some(place) = points.get_mut(input) {
                    *place = Tensor::new(elements, point.shape())?;
                }
                value(&points)
            };
            // Two widths, extrapolated: the error falls with the fourth power of the step.
            let wide = (moved(2.0 * step)? - moved(-2.0 * step)?) / (4.0 * step);
            let narrow = (moved(step)? - moved(-step)?) / (2.0 * step);
            let difference = (4.0 * narrow - wide) / 3.0;
            let off = (rule - difference).abs() / rule.abs().max(difference.abs()).max(1.0);
            report.compared += 1;
            if off > report.worst || off.is_nan() {
                report = Report {
                    worst: if off.is_nan() { f64::INFINITY } else { off },
                    at: (input, element),
                    rule,
                    difference,
                    ..report
                };
            }
        }
        if let Some(place) = points.get_mut(input) {
            *place = point;
        }
    }
    Ok(report)
}

fn leaves<'t, const N: usize>(tape: &'t Tape, points: &[Tensor]) -> Result<[Var<'t>; N]> {
    let leaves: Vec<Var<'t>> = points.iter().map(|point| tape.input(point)).collect();
    leaves.try_into().map_err(|_| Error::state("as many leaves as inputs"))
}

/// The sum of the elements with fixed random weights.
fn weighed<'t>(tape: &'t Tape, y: Var<'t>) -> Var<'t> {
    match Tensor::from_fn(y.shape(), |i| normal_f64(Key::new(0), i as u64)) {
        Ok(weights) => (y * tape.input(&weights).cast(y.dtype())).sum(),
        Err(error) => {
            tape.fail(error);
            y
        }
    }
}
