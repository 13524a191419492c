//! Functions of scalars, applied element by element.
//!
//! All of them are one op with a [`ScalarFn`] as its parameter. What is particular to a function is one row of a table:
//! the method with its formula, its partial derivatives, and sample points. To add one, write its row (in `unary`,
//! `binary` or `compare`) and its kernel in the tensor crate.
//!
//! * shape: all operands have the same shape, and so has the result. The methods insert the broadcasting.
//! * dtypes: those of the function; all operands have the same. bf16 and f16 are computed in f32 and rounded once.
//! * accuracy: that of [`ScalarFn::ulps`]
//! * derivative: partials, by the row.

use crate::class::Class;
use crate::graph::{Derivative, Op, Partial, Var};
use crate::meta::Meta;
use crate::ops::{binary, compare, select, unary};
use crate::sample::{Accuracy, Entry};
use crate::table::{Elementwise, Row, Rule};
use std::sync::LazyLock;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::scalar::ScalarFn;

/// All rows.
fn rows() -> impl Iterator<Item = &'static Row> {
    [unary::ROWS, binary::ROWS, &[binary::POLYGAMMA, binary::ZETA, binary::LDEXP], select::ROWS]
        .into_iter()
        .chain(compare::ROWS)
        .flatten()
}

/// The rule of a function.
fn rule(function: ScalarFn) -> Option<&'static Rule> {
    // One place for each function, so that the gradient engine need not search.
    static RULES: LazyLock<Vec<Option<&'static Rule>>> = LazyLock::new(|| {
        let find = |function: &ScalarFn| rows().find(|row| row.function == *function).map(|row| &row.rule);
        ScalarFn::ALL.iter().map(find).collect()
    });
    RULES.get(function as usize).copied().flatten()
}

impl Op for Elementwise {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn labels(&self) -> &'static [&'static str] {
        match self.0.arity() {
            1 => &["operand"],
            2 => &["left", "right"],
            _ => &["condition", "then", "otherwise"],
        }
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let function = self.0;
        // The two common cases first; the rest is for errors and for a choice.
        let plain = match inputs {
            [x] => function.arity() == 1 && function.supports(x.dtype),
            [x, y] => function.arity() == 2 && function.supports(x.dtype) && x == y,
            _ => false,
        };
        if let (true, Some(x)) = (plain, inputs.first()) {
            return Ok(x.with_dtype(function.output(x.dtype)));
        }
        if inputs.len() != function.arity() {
            return Err(Error::state(format!("takes {} operands, not {}", function.arity(), inputs.len())));
        }
        let (condition, data) = inputs.split_at(usize::from(function == ScalarFn::Select));
        let Some((first, others)) = data.split_first() else {
            return Err(Error::state("takes at least one operand"));
        };
        if let Some(condition) = condition.first()
            && condition.dtype != DType::Bool
        {
            return Err(Error::dtype(format!("the condition is {}, not bool", condition.dtype))
                .help("compare first, as in x.gt(0.0)"));
        }
        if let Some(other) = others.iter().find(|other| other.dtype != first.dtype) {
            return Err(Error::dtype(format!("{} beside {}", first.dtype, other.dtype))
                .help("nothing is converted silently; convert one side first: .cast(DType::…)"));
        }
        if !function.supports(first.dtype) {
            return Err(unsupported(function, first.dtype));
        }
        for other in others.iter().chain(condition) {
            if other.shape != first.shape {
                first.shape.broadcast(&other.shape)?;
                return Err(Error::shape(format!("{} and {} are not broadcast", first.shape, other.shape)));
            }
        }
        Ok(Meta::new(first.shape.clone(), function.output(first.dtype)))
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Map(self.0)
    }

    fn derivative(&self) -> Derivative {
        match rule(self.0) {
            Some(Rule::Partials(_)) => Derivative::Elementwise,
            Some(Rule::Flat(why)) => Derivative::Flat(why),
            None => Derivative::None("it has no row in the table of derivatives"),
        }
    }

    fn partial<'t>(&self, i: usize, x: &[Var<'t>], y: Var<'t>) -> Partial<'t> {
        match rule(self.0) {
            Some(Rule::Partials(rule)) => rule(i, x, y),
            _ => Partial::Zero,
        }
    }
}

fn unsupported(function: ScalarFn, dtype: DType) -> Error {
    let error = Error::dtype(format!("is not defined for {dtype}"));
    let takes = |dtype| function.supports(dtype);
    match (takes(DType::F32), takes(DType::I64), takes(DType::Bool)) {
        (true, ..) if takes(DType::F16) => error.help("convert first: .cast(DType::F32)"),
        (true, ..) => error.help("it takes f32 and f64: .cast(DType::F32)"),
        (_, true, true) => error.help("it takes integers and bool: .cast(DType::I64)"),
        (_, true, false) => error.help("it takes integers: .cast(DType::I64)"),
        (_, false, _) => error.help("it takes bool; compare first, as in x.gt(0.0)"),
    }
}

/// One entry for each function.
pub(super) fn entries() -> Vec<Entry> {
    let entry = |row: &Row| Entry::new(row.function.name(), row.file, (row.samples)());
    rows().map(|row| entry(row).accuracy(Accuracy::Function(row.function))).collect()
}
