//! Printing, as NumPy does it: aligned columns, large tensors summarised.

use crate::dtype::{DType, Element, bf16, dispatch, f16};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::fmt::{self, Debug, Display, Write};

/// Above this many elements only the edges are shown.
const THRESHOLD: usize = 1000;

/// How many elements a summary shows at most: six along each of four axes.
const SUMMARY: usize = 6 * 6 * 6 * 6;

/// Digits after the point, at most.
const PRECISION: usize = 8;

/// Rows are broken at this column.
const LINE: usize = 80;

/// One row of the last axis per line, columns aligned; above 1000 elements only three at each end of an axis; the bare
/// number for rank 0. Floats show the fewest digits that tell them apart, at most 8 after the point; `{:.2}` sets the
/// number, and `{:10}` the least width of a column.
///
/// ```
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// assert_eq!(format!("{:.1}", Tensor::from([[99.25, 0.75], [5.0, 95.0]])), "[[99.2,  0.8],\n [ 5.0, 95.0]]");
/// assert_eq!(format!("{:.4}", Tensor::from(0.5f32)), "0.5000");
/// assert_eq!(Tensor::arange(2000, DType::I64)?.to_string(), "[   0,    1,    2, ..., 1997, 1998, 1999]");
/// # Ok(())
/// # }
/// ```
impl Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return match self.rank() {
                1 => f.write_str("[]"),
                _ => write!(f, "[] of shape {}", self.shape()),
            };
        }
        let axes = shown(self.shape(), self.len() > THRESHOLD);
        let (starts, order) = visit(self, &axes);
        let texts = texts(self, &order, f.precision());
        let width = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(f.width().unwrap_or(0));
        Page { out: f, axes: &axes, width, column: 0 }.print(&texts, &starts)
    }
}

impl Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// What is shown of an axis: `head` indices, then a gap, then `tail` indices.
#[derive(Clone, Copy)]
struct Shown {
    size: usize,
    head: usize,
    tail: usize,
}

impl Shown {
    fn edges(size: usize, head: usize, tail: usize) -> Shown {
        match size > head + tail {
            true => Shown { size, head, tail },
            false => Shown { size, head: size, tail: 0 },
        }
    }

    fn count(self) -> usize {
        self.head + self.tail
    }

    fn has_gap(self) -> bool {
        self.count() < self.size
    }

    fn index(self, place: usize) -> usize {
        if place < self.head { place } else { self.size - self.count() + place }
    }
}

fn shown(dims: &[usize], summarise: bool) -> SmallVec<[Shown; 4]> {
    if !summarise {
        return dims.iter().map(|&size| Shown::edges(size, size, 0)).collect();
    }
    let mut axes: SmallVec<[Shown; 4]> = dims.iter().map(|&size| Shown::edges(size, 3, 3)).collect();
    // Of a very high rank even the edges are many: the first axes give way.
    for (head, tail) in [(1, 1), (1, 0)] {
        for i in 0..axes.len() {
            if axes.iter().try_fold(1usize, |n, axis| n.checked_mul(axis.count())).is_some_and(|n| n <= SUMMARY) {
                return axes;
            }
            axes[i] = Shown::edges(axes[i].size, head, tail);
        }
    }
    axes
}

/// The storage positions of the elements that are shown, in order, and for each the axis that advanced to reach it.
fn visit(tensor: &Tensor, axes: &[Shown]) -> (Vec<usize>, Vec<usize>) {
    let layout = tensor.layout();
    let mut place: SmallVec<[usize; 4]> = SmallVec::from_elem(0, axes.len());
    let (mut starts, mut order) = (vec![0], Vec::new());
    loop {
        let steps = place.iter().zip(axes).zip(layout.strides());
        let at = steps.fold(layout.offset(), |at, ((&p, axis), &stride)| {
            at.wrapping_add_signed((axis.index(p) as isize).wrapping_mul(stride))
        });
        order.push(at);
        let Some(axis) = (0..axes.len()).rev().find(|&axis| place[axis] + 1 < axes[axis].count()) else {
            return (starts, order);
        };
        place[axis] += 1;
        place[axis + 1..].fill(0);
        starts.push(axis);
    }
}

/// Writes the elements with their brackets.
struct Page<'a, W> {
    out: &'a mut W,
    axes: &'a [Shown],
    width: usize,
    column: usize,
}

impl<W: Write> Page<'_, W> {
    fn print(mut self, texts: &[String], starts: &[usize]) -> fmt::Result {
        let rank = self.axes.len();
        let mut place: SmallVec<[usize; 4]> = SmallVec::from_elem(0, rank);
        self.repeat("[", rank)?;
        for (i, (text, &axis)) in texts.iter().zip(starts).enumerate() {
            if i > 0 {
                self.close(axis + 1)?;
                self.write(",")?;
                if self.axes[axis].has_gap() && place[axis] + 1 == self.axes[axis].head {
                    self.next(axis, 4)?;
                    self.write("...,")?;
                }
                self.next(axis, self.width + 1)?;
                self.repeat("[", rank - 1 - axis)?;
                place[axis] += 1;
                place[axis + 1..].fill(0);
            }
            let pad = self.width.saturating_sub(text.chars().count());
            self.repeat(" ", pad)?;
            self.write(text)?;
        }
        self.close(0)
    }

    /// Ends the axes from `axis` on; what a summary leaves out at an end is said there.
    fn close(&mut self, axis: usize) -> fmt::Result {
        for axis in (axis..self.axes.len()).rev() {
            if self.axes[axis].has_gap() && self.axes[axis].tail == 0 {
                self.write(",")?;
                self.next(axis, 4)?;
                self.write("...")?;
            }
            self.write("]")?;
        }
        Ok(())
    }

    /// Goes to where the next index of `axis` begins, which takes `width` columns.
    fn next(&mut self, axis: usize, width: usize) -> fmt::Result {
        let depth = self.axes.len() - 1 - axis;
        if depth == 0 && self.column + 1 + width <= LINE {
            return self.write(" ");
        }
        self.repeat("\n", depth.max(1))?;
        self.column = 0;
        self.repeat(" ", axis + 1)
    }

    fn write(&mut self, text: &str) -> fmt::Result {
        self.column += text.chars().count();
        self.out.write_str(text)
    }

    fn repeat(&mut self, text: &str, times: usize) -> fmt::Result {
        (0..times).try_for_each(|_| self.write(text))
    }
}

/// The elements at the given places of the storage, as text.
fn texts(tensor: &Tensor, places: &[usize], precision: Option<usize>) -> Vec<String> {
    if tensor.dtype().is_float() {
        return floats(&shortest(tensor, places), precision);
    }
    dispatch!(tensor.dtype(), T => {
        let data = tensor.storage().as_slice::<<T as Element>::Stored>();
        places.iter().map(|&at| T::from_stored(data[at]).to_string()).collect()
    })
}

/// Of each element, the f64 with the fewest digits that rounds to it.
fn shortest(tensor: &Tensor, places: &[usize]) -> Vec<f64> {
    let storage = tensor.storage();
    match tensor.dtype() {
        DType::F64 => places.iter().map(|&at| storage.as_slice::<f64>()[at]).collect(),
        DType::F32 => {
            places.iter().map(|&at| storage.as_slice::<f32>()[at]).map(|x| parsed(x, x.to_string())).collect()
        }
        DType::BF16 => {
            let same = |x: f32, y: f32| bf16::from_f32(y).to_f32() == x;
            places.iter().map(|&at| fewest(storage.as_slice::<bf16>()[at].to_f32(), same)).collect()
        }
        _ => {
            let same = |x: f32, y: f32| f16::from_f32(y).to_f32() == x;
            places.iter().map(|&at| fewest(storage.as_slice::<f16>()[at].to_f32(), same)).collect()
        }
    }
}

fn fewest(x: f32, same: impl Fn(f32, f32) -> bool) -> f64 {
    let digits = (0..5).map(|digits| format!("{x:.digits$e}"));
    let text = digits.into_iter().find(|text| text.parse().is_ok_and(|y| same(x, y)));
    parsed(x, text.unwrap_or_default())
}

fn parsed(x: f32, text: String) -> f64 {
    text.parse().unwrap_or(f64::from(x))
}

/// All in one style: fixed point, or powers of ten where that would be long or lose the small ones.
fn floats(values: &[f64], precision: Option<usize>) -> Vec<String> {
    let special = |x: f64| match x {
        _ if x.is_nan() => Some("nan".to_string()),
        _ if x.is_infinite() => Some(if x > 0.0 { "inf" } else { "-inf" }.to_string()),
        _ => None,
    };
    let print =
        |write: &dyn Fn(f64) -> String| values.iter().map(|&x| special(x).unwrap_or_else(|| write(x))).collect();
    if let Some(digits) = precision {
        return print(&|x| format!("{x:.digits$}"));
    }
    let sizes = values.iter().map(|x| x.abs()).filter(|&x| x > 0.0 && x.is_finite());
    let (least, most) = sizes.fold((1.0, 1.0), |(least, most): (f64, f64), x| (least.min(x), most.max(x)));
    let finite = || values.iter().filter(|x| x.is_finite());
    if most >= 1e8 || least < 1e-4 {
        let digits = finite().map(|x| mantissa_digits(*x)).fold(1, usize::max);
        return print(&|x| scientific(x, digits));
    }
    let digits = finite().map(|x| fixed_digits(*x)).fold(1, usize::max);
    print(&|x| format!("{x:.digits$}"))
}

/// Digits after the point in `1.25e3`.
fn mantissa_digits(x: f64) -> usize {
    let exact = |text: String| text.split('e').next().and_then(|m| m.split('.').nth(1)).map_or(0, str::len);
    match exact(format!("{x:e}")) {
        digits if digits <= PRECISION => digits,
        // Rounded, it may end in zeros.
        _ => {
            let text = format!("{x:.PRECISION$e}");
            exact(text.split('e').next().unwrap_or_default().trim_end_matches('0').to_string())
        }
    }
}

/// Digits after the point in `1250.5`.
fn fixed_digits(x: f64) -> usize {
    let exact = |text: &str| text.split('.').nth(1).map_or(0, str::len);
    match exact(&x.to_string()) {
        digits if digits <= PRECISION => digits,
        _ => exact(format!("{x:.PRECISION$}").trim_end_matches('0')),
    }
}

/// `1.25e+03`: a sign and at least two digits in the exponent, so that columns align.
fn scientific(x: f64, digits: usize) -> String {
    let text = format!("{x:.digits$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, size) = match exponent.strip_prefix('-') {
                Some(size) => ('-', size),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{size:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests;
