//! Checking derivatives by differences.

use crate::frame::not_differentiable;
use crate::graph::{Tape, Var};
use std::fmt;
use std::panic::Location;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, normal_f64};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// How well derivatives agree with differences.
#[derive(Clone, Debug)]
pub struct Report {
    /// The largest disagreement of all inputs.
    pub worst: f64,
    /// How many elements were compared.
    pub compared: usize,
    /// Of each float input, the element that disagrees most.
    pub inputs: Vec<Compared>,
}

/// The element of an input by which derivative and difference disagree most.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Which input.
    pub input: usize,
    /// How many elements it has.
    pub elements: usize,
    /// For how many of these both numbers are below the error of the difference, so that nothing but their smallness is proved.
    pub too_small: usize,
    /// Where the element is.
    pub at: Vec<usize>,
    /// The derivative by it, by the rules.
    pub rule: f64,
    /// The same by differences.
    pub difference: f64,
    /// How far the difference may be off by itself, estimated from the size of the result and from other steps.
    pub error: f64,
    /// How far the two are apart, relative to the larger one; less where the error of the difference explains it.
    pub off: f64,
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
        let Report { worst, compared, inputs } = self;
        write!(f, "{compared} derivatives compared; the worst is off by {worst:.1e}")?;
        for Compared { input, elements, too_small, at, rule, difference, error, off } in inputs {
            match elements {
                0 => write!(f, "\n  input {input} has no elements")?,
                _ => write!(
                    f,
                    "\n  input {input}, at {at:?}: the rule says {rule:.9e}, the difference {difference:.9e} ± {error:.0e}: \
                     off by {off:.1e}"
                )?,
            }
            if *too_small > 0 {
                write!(f, "; {too_small} of {elements} too small to tell from 0")?;
            }
        }
        Ok(())
    }
}

/// Compares the derivatives of `f` with central differences, by every element of every float input.
///
/// The inputs are taken in f64. A result with several elements is weighed with fixed random numbers. `f` must be smooth
/// at the inputs and must not be random.
///
/// Each pair is compared relative to its own size, so that a wrong sign is found in functions of any size. A difference has an error of
/// its own, which is estimated and not held against the rule.
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
/// When they disagree, with the worst element of each input; when there is nothing to compare; or when `f` cannot be computed.
#[track_caller]
pub fn check_gradients<const N: usize>(
    f: impl for<'t> Fn([Var<'t>; N]) -> Var<'t>,
    inputs: [&Tensor; N],
) -> Result<Report> {
    let report = compare(f, inputs)?;
    if report.compared == 0 {
        let error = Error::value("nothing was compared: no input of floats has an element, or the result has none");
        return Err(error
            .op("check_gradients")
            .at(Location::caller())
            .help("differences are taken by the elements of float inputs"));
    }
    match report.passed() {
        true => Ok(report),
        false => Err(Error::value(report.to_string()).op("check_gradients").at(Location::caller())),
    }
}

/// A derivative by differences, and how far it may be off.
#[derive(Clone, Copy)]
struct Difference {
    value: f64,
    error: f64,
}

#[track_caller]
fn compare<const N: usize>(f: impl for<'t> Fn([Var<'t>; N]) -> Var<'t>, inputs: [&Tensor; N]) -> Result<Report> {
    let mut points = Vec::with_capacity(N);
    for input in inputs {
        points.push(if input.dtype().is_float() { input.cast(DType::F64)? } else { input.clone() });
    }
    let floats: Vec<usize> = (0..N).filter(|&i| points.get(i).is_some_and(|p| p.dtype().is_float())).collect();
    let (rules, weights, epsilon) = {
        let tape = Tape::new();
        let x = leaves(&tape, &points)?;
        let y = f(x);
        let _call = tape.call("check_gradients");
        if !y.dtype().is_float() {
            let error = not_differentiable(&tape.graph.borrow(), y.id);
            tape.reject("check_gradients", &[("of", y)], error);
        }
        tape.check()?;
        let weights = Tensor::from_fn(y.shape(), |i| normal_f64(Key::new(0), i as u64))?;
        let weighed = (y.cast(DType::F64) * tape.input(&weights)).sum();
        let floats: Vec<Var<'_>> = x.into_iter().filter(|x| x.dtype().is_float()).collect();
        (tape.eval(tape.grad(weighed, floats))?, weights.to_f64_vec(), epsilon(y.dtype()))
    };
    let location = Location::caller();
    let value = |points: &[Tensor]| -> Result<Vec<f64>> {
        let tape = Tape::new();
        Ok(f(leaves(&tape, points)?).value().map_err(|error| error.at(location))?.to_f64_vec())
    };

    let mut report = Report { worst: 0.0, compared: 0, inputs: Vec::new() };
    for (&input, rule) in floats.iter().zip(&rules) {
        let Some(point) = points.get(input).cloned() else { continue };
        let elements = point.to_f64_vec();
        let mut found = Compared {
            input,
            elements: elements.len(),
            too_small: 0,
            at: Vec::new(),
            rule: 0.0,
            difference: 0.0,
            error: 0.0,
            off: -1.0,
        };
        for (element, (&x, rule)) in elements.iter().zip(rule.to_f64_vec()).enumerate() {
            if weights.is_empty() {
                break;
            }
            let mut difference = |step: f64| -> Result<Difference> {
                let mut results = Vec::with_capacity(6);
                for by in [1.0, -1.0, 2.0, -2.0, 4.0, -4.0] {
                    let mut elements = elements.clone();
                    if let Some(place) = elements.get_mut(element) {
                        *place = x + by * step;
                    }
                    if let Some(place) = points.get_mut(input) {
                        *place = Tensor::new(elements, point.shape())?;
                    }
                    results.push(value(&points)?);
                }
                Ok(extrapolated(&results, &weights, step, epsilon))
            };
            let (mut best, mut off) = (Difference { value: f64::NAN, error: f64::INFINITY }, f64::INFINITY);
            // Where one step shows agreement, and shows it well, there is no need of others.
            for part in [1e-5, 1e-3, 1e-4, 1e-6, 1e-7] {
                let size = if part == 1e-5 || x == 0.0 { x.abs().max(1.0) } else { x.abs() };
                let now = difference(part * size)?;
                if now.error < best.error || best.value.is_nan() {
                    (best, off) = (now, apart(rule, now));
                }
                if off <= TOLERANCE && best.error <= 1e-3 * rule.abs().max(best.value.abs()) {
                    break;
                }
            }
            report.compared += 1;
            let size = rule.abs().max(best.value.abs());
            found.too_small += usize::from(size > 0.0 && size <= best.error);
            if off > found.off {
                let at = place(element, point.shape());
                found = Compared { at, rule, difference: best.value, error: best.error, off, ..found };
            }
        }
        if let Some(place) = points.get_mut(input) {
            *place = point;
        }
        found.off = found.off.max(0.0);
        report.worst = report.worst.max(found.off);
        report.inputs.push(found);
    }
    Ok(report)
}

/// The central difference of the weighed results at ±1, ±2 and ±4 steps, extrapolated: its error falls with the fourth power of the step.
fn extrapolated(results: &[Vec<f64>], weights: &[f64], step: f64, epsilon: f64) -> Difference {
    let [right, left, right2, left2, right4, left4] = results else {
        return Difference { value: f64::NAN, error: f64::INFINITY };
    };
    // Element by element, so that what does not change cancels without a trace.
    let change = |right: &[f64], left: &[f64], width: f64| -> f64 {
        let parts = right.iter().zip(left).zip(weights);
        parts.map(|((a, b), weight)| weight * (a - b)).sum::<f64>() / (2.0 * width * step)
    };
    let (narrow, wide, wider) = (change(right, left, 1.0), change(right2, left2, 2.0), change(right4, left4, 4.0));
    let (value, coarse) = ((4.0 * narrow - wide) / 3.0, (4.0 * wide - wider) / 3.0);
    // A change below the last place of a result is not seen: what does not move counts where nothing else does.
    let (mut moved, mut whole) = (0.0, 0.0);
    for (i, weight) in weights.iter().enumerate() {
        let mut found = results.iter().filter_map(|result| result.get(i));
        let first = found.next().copied().unwrap_or_default();
        let size = weight.abs() * first.abs();
        whole += size;
        moved += if found.all(|x| *x == first) { 0.0 } else { size };
    }
    let size: f64 = if moved > 0.0 { moved } else { whole };
    Difference { value, error: 2.0 * (value - coarse).abs() + 10.0 * epsilon * size / step }
}

/// How far a derivative and a difference are apart, relative to the larger one. What the difference may be off by itself counts as much
/// as the tolerance.
fn apart(rule: f64, difference: Difference) -> f64 {
    let (off, size) = ((rule - difference.value).abs(), rule.abs().max(difference.value.abs()));
    match off == 0.0 {
        true => 0.0,
        false if off.is_finite() => off / (size + difference.error / TOLERANCE),
        false => f64::INFINITY,
    }
}

fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => f64::from(f32::EPSILON),
        DType::BF16 => 2f64.powi(-7),
        DType::F16 => 2f64.powi(-10),
        _ => f64::EPSILON,
    }
}

/// The coordinates of an element.
fn place(mut element: usize, shape: &Shape) -> Vec<usize> {
    let mut at: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&extent| {
            let here = element % extent.max(1);
            element /= extent.max(1);
            here
        })
        .collect();
    at.reverse();
    at
}

fn leaves<'t, const N: usize>(tape: &'t Tape, points: &[Tensor]) -> Result<[Var<'t>; N]> {
    let leaves: Vec<Var<'t>> = points.iter().map(|point| tape.input(point)).collect();
    leaves.try_into().map_err(|_| Error::state("as many leaves as inputs"))
}
