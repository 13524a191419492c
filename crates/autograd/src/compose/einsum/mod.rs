//! `einsum`: sums of products, by the names of the axes.
//!
//! The expression is read by `parse`, the order of the products is chosen by `plan`, and here each product becomes one
//! of matrices: the axes of both that stay are its batch, those of both that go are summed, the others are rows and columns.

mod parse;
mod plan;

use crate::compose::einsum::parse::{Axis, Expression, Term, letter_at, parse, points};
use crate::compose::einsum::plan::{Set, plan};
use crate::graph::{Tape, Var};
use crate::sample::{Entry, Sample};
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

type Dims = SmallVec<[usize; 4]>;

/// The numbers of the axes of a value, in its order.
type Names = SmallVec<[usize; 8]>;

impl Tape {
    /// The sum of products that an expression names: a letter for each axis of each operand, and those of the result.
    ///
    /// Axes with the same letter go together; what is not in the result is summed. A letter twice in one operand is its
    /// diagonal, `...` stands for all axes without a letter, which are broadcast, and so are axes of size 1. Without `->`
    /// the result has `...` and then the letters that stand once, in the order of the alphabet.
    ///
    /// Several operands are multiplied in the cheapest order, two at a time, as products of matrices.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.input(&Tensor::from([[1i64, 2], [3, 4]])), tape.input(&Tensor::from([[1i64, 0], [1, 1]])));
    /// assert_eq!(tape.einsum("ij,jk->ik", &[a, b]).value()?.to_vec::<i64>()?, [3, 2, 7, 4]);
    /// assert_eq!(tape.einsum("ij,ij", &[a, b]).item::<i64>()?, 8);
    /// assert_eq!(tape.einsum("ii->i", &[a]).value()?.to_vec::<i64>()?, [1, 4]);
    /// tape.einsum("ij,jk->iz", &[a, b]);
    /// assert!(tape.error().unwrap().to_string().contains("ij,jk->iz\n          \x20       ^"));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn einsum<'t>(&'t self, expression: &str, operands: &[Var<'t>]) -> Var<'t> {
        let _call = self.call("einsum");
        const LABELS: [&str; 4] = ["first", "second", "third", "fourth"];
        if self.failed.get() {
            return self.poison();
        }
        let start = self.len();
        match Request::read(expression, operands) {
            Ok(request) => match request.record(operands) {
                Some(y) => self.label(y, "einsum", start),
                None => self.poison(),
            },
            Err(error) => {
                let labels = LABELS.into_iter().chain(std::iter::repeat("operand"));
                let named: Vec<_> = labels.zip(operands.iter().copied()).collect();
                self.reject("einsum", &named, error)
            }
        }
    }
}

/// An expression and the shapes of its operands, which fit together.
struct Request {
    /// The axes of every operand. A letter may stand twice.
    operands: Vec<Names>,
    /// Those of the result.
    result: Names,
    /// The size of every axis.
    sizes: Vec<usize>,
}

impl Request {
    fn read(text: &str, operands: &[Var<'_>]) -> Result<Request> {
        let expression = parse(text)?;
        if expression.operands.len() != operands.len() {
            let error =
                Error::value(format!("names {} operands, and {} are given", expression.operands.len(), operands.len()));
            return Err(points(error, text, 0..text.find("->").unwrap_or(text.len())));
        }
        if let [first, others @ ..] = operands
            && let Some(other) = others.iter().find(|other| other.dtype() != first.dtype())
        {
            return Err(Error::dtype(format!("{} beside {}", first.dtype(), other.dtype()))
                .help("nothing is converted silently; convert one side first: .cast(DType::…)"));
        }
        if operands.iter().any(|operand| operand.dtype() == DType::Bool) {
            return Err(Error::dtype("multiplies numbers, not bool").help("convert first: .cast(DType::I64)"));
        }
        Naming::default().request(text, &expression, operands)
    }

    /// Records the products, two operands at a time. `None` when there is no operand.
    #[track_caller]
    fn record<'t>(&self, operands: &[Var<'t>]) -> Option<Var<'t>> {
        let mut values: Vec<Option<Value<'t>>> = Vec::with_capacity(2 * operands.len());
        for (names, &var) in self.operands.iter().zip(operands) {
            values.push(Some(Value { var, names: names.clone() }.diagonals().fit(&self.sizes)));
        }
        let wanted = set(&self.result);
        // What only one operand has and the result has not is summed before any product.
        for i in 0..values.len() {
            let others = values.iter().enumerate().filter(|&(j, _)| j != i).filter_map(|(_, value)| value.as_ref());
            let kept = others.fold(wanted, |kept, other| kept | set(&other.names));
            if let Some(value) = values.get_mut(i) {
                *value = value.take().map(|value| value.reduce(kept));
            }
        }
        let sets: Vec<Set> = values.iter().flatten().map(|value| set(&value.names)).collect();
        for (a, b) in plan(&sets, wanted, &self.sizes) {
            let [a, b] = [a, b].map(|i| values.get_mut(i).and_then(Option::take));
            let kept = values.iter().flatten().fold(wanted, |kept, other| kept | set(&other.names));
            if let (Some(a), Some(b)) = (a, b) {
                values.push(Some(a.times(b, kept, &self.sizes)));
            }
        }
        let whole: Dims = self.result.iter().filter_map(|&name| self.sizes.get(name)).copied().collect();
        values.into_iter().flatten().next_back().map(|value| value.arranged(&self.result).reshape(whole))
    }
}

/// What an axis is told by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// One of `...`, by its distance from the last of them; those in front come first.
    Rest(std::cmp::Reverse<usize>),
    Letter(char),
}

/// The axes that were met, numbered, with their sizes.
#[derive(Default)]
struct Naming {
    keys: Vec<Key>,
    sizes: Vec<usize>,
}

impl Naming {
    fn request(mut self, text: &str, expression: &Expression, operands: &[Var<'_>]) -> Result<Request> {
        let mut named = Vec::with_capacity(operands.len());
        for (term, var) in expression.operands.iter().zip(operands) {
            named.push(self.operand(text, term, &var.shape())?);
        }
        if self.keys.len() > Set::BITS as usize {
            return Err(Error::value(format!("{} axes, and {} are the most", self.keys.len(), Set::BITS)));
        }
        let mut order: Names = (0..self.keys.len()).collect();
        order.sort_unstable_by_key(|&name| self.keys.get(name).copied());
        let rest = |name: &usize| matches!(self.keys.get(*name), Some(Key::Rest(_)));
        let result = match &expression.result {
            Some(term) => {
                let mut result = Names::new();
                for axis in &term.axes {
                    match *axis {
                        Axis::Rest => result.extend(order.iter().copied().filter(rest)),
                        Axis::Letter(c) => result.extend(self.keys.iter().position(|&key| key == Key::Letter(c))),
                    }
                }
                result
            }
            None => {
                let once = |name: &usize| named.iter().flatten().filter(|other| *other == name).count() == 1;
                order.iter().copied().filter(|name| rest(name) || once(name)).collect()
            }
        };
        Ok(Request { operands: named, result, sizes: self.sizes })
    }

    /// The numbers of the axes of one operand.
    fn operand(&mut self, text: &str, term: &Term, shape: &[usize]) -> Result<Names> {
        let letters = term.axes.iter().filter(|axis| **axis != Axis::Rest).count();
        let spare = match shape.len().checked_sub(letters) {
            Some(spare) if spare == 0 || letters < term.axes.len() => spare,
            _ => {
                let written = text.get(term.at.clone()).unwrap_or_default().trim();
                let error =
                    Error::shape(format!("`{written}` names {letters} axes, and {shape:?} has {}", shape.len()));
                let error = error.help("there is a letter for each axis, or `...` for the others");
                return Err(points(error, text, term.at.clone()));
            }
        };
        let mut names = Names::new();
        for (i, axis) in term.axes.iter().enumerate() {
            let keys: SmallVec<[Key; 4]> = match *axis {
                Axis::Letter(c) => SmallVec::from_slice(&[Key::Letter(c)]),
                Axis::Rest => (0..spare).rev().map(|back| Key::Rest(std::cmp::Reverse(back))).collect(),
            };
            for key in keys {
                let size = shape.get(names.len()).copied().unwrap_or(1);
                let name =
                    self.sized(key, size, &names).map_err(|error| points(error, text, letter_at(text, term, i)))?;
                names.push(name);
            }
        }
        Ok(names)
    }

    /// The number of an axis, whose size must be what it was before, or 1. Within one operand it must be the same.
    fn sized(&mut self, key: Key, size: usize, operand: &[usize]) -> Result<usize> {
        let Some(name) = self.keys.iter().position(|&known| known == key) else {
            self.keys.push(key);
            self.sizes.push(size);
            return Ok(self.keys.len() - 1);
        };
        match self.sizes.get_mut(name) {
            Some(known) if *known == size || (size == 1 && !operand.contains(&name)) => {}
            Some(known) if *known == 1 && !operand.contains(&name) => *known = size,
            known => {
                let known = known.copied().unwrap_or_default();
                let what = match key {
                    Key::Letter(c) => format!("`{c}`"),
                    Key::Rest(_) => "an axis of `...`".to_string(),
                };
                return Err(Error::shape(format!("{what} has the size {size} here, and {known} before")));
            }
        }
        Ok(name)
    }
}

/// A value with the numbers of its axes.
struct Value<'t> {
    var: Var<'t>,
    names: Names,
}

fn set(names: &[usize]) -> Set {
    names.iter().fold(0, |set, name| set | 1 << name)
}

fn has(set: Set, name: usize) -> bool {
    set >> name & 1 == 1
}

impl<'t> Value<'t> {
    /// Of axes with one name, the diagonal.
    #[track_caller]
    fn diagonals(mut self) -> Value<'t> {
        loop {
            let twice = |&(i, name): &(usize, &usize)| self.names.iter().take(i).any(|earlier| earlier == name);
            let Some((second, &name)) = self.names.iter().enumerate().find(twice) else { return self };
            let Some(first) = self.names.iter().position(|&other| other == name) else { return self };
            let others = (0..self.names.len()).filter(|&axis| axis != first && axis != second);
            let order: SmallVec<[isize; 8]> = others.chain([first, second]).map(|axis| axis as isize).collect();
            let var = self.var.permute(&order).diagonal(0);
            self.names.remove(second);
            self.names.remove(first);
            self.names.push(name);
            self.var = var;
        }
    }

    /// Without the axes of size 1 that are larger elsewhere: what is broadcast is not repeated.
    #[track_caller]
    fn fit(self, sizes: &[usize]) -> Value<'t> {
        let shape = self.var.shape();
        let single = |axis: usize, name: usize| shape.get(axis) == Some(&1) && sizes.get(name) != Some(&1);
        let (gone, kept): (Vec<_>, Vec<_>) =
            self.names.iter().copied().enumerate().partition(|&(axis, name)| single(axis, name));
        let gone: Dims = gone.into_iter().map(|(axis, _)| axis).collect();
        Value { var: self.var.reshape(shape.without(&gone)), names: kept.into_iter().map(|(_, name)| name).collect() }
    }

    /// Summed over all axes but those of `kept`.
    #[track_caller]
    fn reduce(self, kept: Set) -> Value<'t> {
        let axes = self.names.iter().enumerate().filter(|&(_, &name)| !has(kept, name)).map(|(axis, _)| axis).collect();
        let var = self.var.sum_over(axes);
        Value { var, names: self.names.into_iter().filter(|&name| has(kept, name)).collect() }
    }

    /// The axes in this order, which names each of them once.
    #[track_caller]
    fn arranged(&self, order: &[usize]) -> Var<'t> {
        let places = order.iter().filter_map(|name| self.names.iter().position(|own| own == name));
        let places: SmallVec<[isize; 8]> = places.map(|axis| axis as isize).collect();
        self.var.permute(&places)
    }

    /// The product with another value, summed over the axes that both have and `kept` has not.
    #[track_caller]
    fn times(self, other: Value<'t>, kept: Set, sizes: &[usize]) -> Value<'t> {
        let (left, right) = (set(&self.names), set(&other.names));
        let of =
            |names: &Names, wanted: Set| -> Names { names.iter().copied().filter(|&name| has(wanted, name)).collect() };
        // The larger one says the order, so that it is moved less.
        let first = if self.var.len() >= other.var.len() { &self.names } else { &other.names };
        let batch = of(first, left & right & kept);
        let summed = of(first, left & right & !kept);
        let (rows, columns) = (of(&self.names, left & !right), of(&other.names, right & !left));
        let size = |names: &Names| -> usize { names.iter().filter_map(|&name| sizes.get(name)).product() };
        let dims = |parts: &[&Names]| -> Dims {
            parts.iter().flat_map(|part| part.iter()).filter_map(|&name| sizes.get(name)).copied().collect()
        };
        let var = match (summed.is_empty(), rows.is_empty() && columns.is_empty()) {
            // Nothing is summed: an outer product, for each index of the batch.
            (true, _) => {
                let a = self.arranged(&[&batch[..], &rows].concat()).reshape([size(&batch), size(&rows), 1]);
                let b = other.arranged(&[&batch[..], &columns].concat()).reshape([size(&batch), 1, size(&columns)]);
                a.mul(b)
            }
            // All is summed that is not in the batch: one pass.
            (false, true) => {
                let order = [&batch[..], &summed].concat();
                let [a, b] = [&self, &other].map(|value| value.arranged(&order).reshape([size(&batch), size(&summed)]));
                a.mul(b).sum_axes(1)
            }
            (false, false) => {
                let a = self.arranged(&[&batch[..], &rows, &summed].concat());
                let b = other.arranged(&[&batch[..], &summed, &columns].concat());
                match batch.is_empty() {
                    true => a.reshape([size(&rows), size(&summed)]).matmul(b.reshape([size(&summed), size(&columns)])),
                    false => a.reshape([size(&batch), size(&rows), size(&summed)]).matmul(b.reshape([
                        size(&batch),
                        size(&summed),
                        size(&columns),
                    ])),
                }
            }
        };
        let whole = dims(&[&batch, &rows, &columns]);
        Value { var: var.reshape(whole), names: [batch, rows, columns].into_iter().flatten().collect() }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let wave = |rows: usize, columns: usize| {
        Tensor::from_fn([rows, columns], move |i| (i as f64 * 1.7).sin()).unwrap_or_else(|_| Tensor::from(0.0f64))
    };
    let x = || Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let square = || Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]);
    let two = || [wave(4, 6), wave(6, 3)];
    vec![Entry::new(
        "einsum",
        "einsum",
        vec![
            Sample::new("matrices", [x(), square()], |tape, x| tape.einsum("ij,ki->kj", x))
                .gives([9., 12., 15., 19., 26., 33.])
                .slopes([4., 4., 4., 6., 6., 6.]),
            Sample::new("implicit", [x(), square()], |tape, x| tape.einsum("ba,cb", x))
                .gives([9., 19., 12., 26., 15., 33.]),
            Sample::new("batch", two(), |tape, x| {
                tape.einsum("bij, bjk -> bik", &[x[0].reshape([2, 4, 3]), x[1].reshape([2, 3, 3])]).square()
            }),
            Sample::new("batch in the middle", two(), |tape, x| {
                tape.einsum("ibj,jkb->kib", &[x[0].reshape([4, 2, 3]), x[1].reshape([3, 3, 2])]).square()
            }),
            Sample::new("trace", [square()], |tape, x| tape.einsum("ii", x)).gives([5.]).slopes([1., 0., 0., 1.]),
            Sample::new("diagonal of three axes", two(), |tape, x| {
                tape.einsum("aai,aj->ija", &[x[0].reshape([2, 2, 6]), x[1].reshape([2, 9])]).square()
            }),
            Sample::new("a transpose", [x()], |tape, x| tape.einsum("ij->ji", x)).gives([1., 4., 2., 5., 3., 6.]),
            Sample::new("a sum", [x()], |tape, x| tape.einsum("ij->j", x)).gives([5., 7., 9.]),
            Sample::new("a dot product", [x()], |tape, x| tape.einsum("ij,ij->i", &[x[0], x[0]])).gives([14., 77.]),
            Sample::new("an outer product", two(), |tape, x| tape.einsum("ij,kl->likj", x).square()),
            Sample::new("numbers", [Tensor::from(2.0f64), x()], |tape, x| tape.einsum(",ij,", &[x[0], x[1], x[0]]))
                .gives([4., 8., 12., 16., 20., 24.]),
            Sample::new("the others", two(), |tape, x| {
                let (a, b) = (x[0].reshape([1, 2, 4, 3]), x[1].reshape([3, 1, 2, 3]));
                tape.einsum("...ij,...kj->...ki", &[a, b.transpose(1, 2)]).square()
            }),
            Sample::new("the others, implicit", two(), |tape, x| {
                tape.einsum("i...,i", &[x[0].reshape([4, 2, 3]), x[0].at(1, 0)])
            }),
            Sample::new("the others, summed", two(), |tape, x| tape.einsum("...i->i", &[x[0].reshape([4, 2, 3])])),
            Sample::new("size 1 is broadcast", [x(), square()], |tape, x| {
                tape.einsum("ij,ik->ijk", &[x[0].slice(0, ..1), x[1]])
            })
            .gives([1., 2., 2., 4., 3., 6., 3., 4., 6., 8., 9., 12.])
            .slopes([10., 10., 10., 0., 0., 0.]),
            Sample::new("a chain", two(), |tape, x| {
                let [a, b] = [x[0], x[1]];
                tape.einsum("ab,bc,cd,de->ae", &[a, b, b.t(), a.t()])
            }),
            Sample::new("six in a chain", two(), |tape, x| {
                let [a, b] = [x[0], x[1]];
                tape.einsum("ab,bc,cd,de,ef,f->a", &[a, b, b.t(), b, b.t(), b.at(1, 0)])
            }),
            Sample::new("attention", two(), |tape, x| {
                let (q, v) = (x[0].reshape([2, 3, 2, 2]), x[0].reshape([2, 3, 2, 2]));
                let scores = tape.einsum("bqhd,bkhd->bhqk", &[q, q]).softmax(-1);
                tape.einsum("bhqk,bkhd->bqhd", &[scores, v])
            }),
            Sample::new("nothing", [x()], |tape, x| {
                tape.einsum("ij,kj->ik", &[x[0].slice(1, ..0), x[0].slice(1, ..0)])
            })
            .gives([0.; 4]),
            Sample::new("i64", [Tensor::from([[1i64, 2], [3, 4]])], |tape, x| tape.einsum("ij,jk", &[x[0], x[0]]))
                .gives([7., 10., 15., 22.]),
            Sample::new("bf16", two(), |tape, x| {
                tape.einsum("ij,jk->ki", &[x[0].cast(DType::BF16), x[1].cast(DType::BF16)])
            })
            .kinked(),
        ],
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(expression: &str, shapes: &[&[usize]]) -> String {
        let tape = Tape::new();
        let operands: Vec<_> = shapes.iter().map(|&shape| tape.full(shape, 1.0, DType::F64)).collect();
        tape.einsum(expression, &operands);
        let error = tape.error().unwrap();
        let marks = error.operands().first().map(|(_, text)| text.lines().nth(1).unwrap_or_default().to_string());
        format!("{} | {}", error.message(), marks.unwrap_or_default())
    }

    #[test]
    fn errors_name_the_axis_and_point_at_it() {
        assert_eq!(error("ij,jk", &[&[2, 3], &[4, 5]]), "`j` has the size 4 here, and 3 before |    ^");
        assert_eq!(error("ii", &[&[2, 1]]), "`i` has the size 1 here, and 2 before |  ^");
        assert_eq!(error("ij,k", &[&[2, 3]]), "names 2 operands, and 1 are given | ^^^^");
        assert_eq!(error("ij,jkl->i", &[&[2, 3], &[3, 4]]), "`jkl` names 3 axes, and [3, 4] has 2 |    ^^^");
        assert_eq!(error("i, ...i", &[&[2], &[2, 3]]), "`i` has the size 3 here, and 2 before |       ^");
        assert_eq!(
            error("...i,...i", &[&[2, 3], &[4, 3]]),
            "an axis of `...` has the size 4 here, and 2 before |      ^^^"
        );
    }

    #[test]
    fn products_are_those_of_matrices() {
        let tape = Tape::new();
        let x = tape.full([4, 5, 6], 1.0, DType::F32);
        let y = tape.full([4, 6, 7], 1.0, DType::F32);
        assert_eq!(tape.einsum("bij,bjk->bik", &[x, y]).shape().dims(), [4, 5, 7]);
        assert!(tape.to_string().ends_with("%2 = matmul %0 %1: [4, 5, 7] f32\n"), "{tape}");
    }
}
