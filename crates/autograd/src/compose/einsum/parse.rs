//! The expression of an `einsum`, read: `"bij,bjk->bik"`.

use std::ops::Range;
use wengert_tensor::error::{Error, Result};

/// What an axis of an operand is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// A letter.
    Letter(char),
    /// All axes that have no letter: `...`.
    Rest,
}

/// The axes of an operand or of the result, with the place where they are written.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) axes: Vec<Axis>,
    pub(super) at: Range<usize>,
}

/// An expression: a term an operand, and the result if it is written.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) operands: Vec<Term>,
    pub(super) result: Option<Term>,
}

/// Reads an expression. Spaces mean nothing.
pub(super) fn parse(text: &str) -> Result<Expression> {
    let (left, right) = match text.find("->") {
        Some(at) => (0..at, Some(at + 2..text.len())),
        None => (0..text.len(), None),
    };
    let mut operands = Vec::new();
    let mut start = 0;
    for part in text.get(left).unwrap_or_default().split(',') {
        operands.push(term(text, start..start + part.len())?);
        start += part.len() + 1;
    }
    let result = right.map(|at| term(text, at)).transpose()?;
    if let Some(result) = &result {
        check_result(text, &operands, result)?;
    }
    Ok(Expression { operands, result })
}

fn term(text: &str, at: Range<usize>) -> Result<Term> {
    let part = text.get(at.clone()).unwrap_or_default();
    let mut axes = Vec::new();
    let mut rest = 0usize;
    for (i, c) in part.char_indices() {
        let here = at.start + i..at.start + i + c.len_utf8();
        match c {
            _ if rest > 0 => rest -= 1,
            'a'..='z' | 'A'..='Z' => axes.push(Axis::Letter(c)),
            c if c.is_whitespace() => {}
            '.' if part.get(i..).is_some_and(|tail| tail.starts_with("...")) => {
                if axes.contains(&Axis::Rest) {
                    let error = Error::value("`...` stands twice in one operand");
                    return Err(points(error, text, here.start..here.start + 3));
                }
                axes.push(Axis::Rest);
                rest = 2;
            }
            '.' => return Err(points(Error::value("three dots stand for the other axes: `...`"), text, here)),
            _ => {
                let error =
                    Error::value(format!("`{c}` names no axis")).help("axes are letters, or `...` for the others");
                return Err(points(error, text, here));
            }
        }
    }
    Ok(Term { axes, at })
}

fn check_result(text: &str, operands: &[Term], result: &Term) -> Result<()> {
    for (i, axis) in result.axes.iter().enumerate() {
        let Axis::Letter(letter) = *axis else { continue };
        let place = || letter_at(text, result, i);
        if !operands.iter().any(|operand| operand.axes.contains(axis)) {
            return Err(points(Error::value(format!("`{letter}` is an axis of no operand")), text, place()));
        }
        if result.axes.iter().take(i).any(|earlier| earlier == axis) {
            let error = Error::value(format!("`{letter}` stands twice in the result"));
            return Err(points(error.help("diag_embed puts an axis on a diagonal"), text, place()));
        }
    }
    Ok(())
}

/// Where the axis `i` of a term is written.
pub(super) fn letter_at(text: &str, term: &Term, i: usize) -> Range<usize> {
    let part = text.get(term.at.clone()).unwrap_or_default();
    // `...` is one axis of the term and three characters.
    let before = term.axes.iter().take(i).fold(0, |n, axis| n + if *axis == Axis::Rest { 3 } else { 1 });
    let width = if term.axes.get(i) == Some(&Axis::Rest) { 3 } else { 1 };
    let start = part.char_indices().filter(|(_, c)| !c.is_whitespace()).nth(before).map_or(part.len(), |(at, _)| at);
    term.at.start + start..term.at.start + start + width
}

/// The error with the expression, and marks under the part that is meant.
pub(super) fn points(error: Error, text: &str, at: Range<usize>) -> Error {
    let width = |range: Range<usize>| text.get(range).map_or(0, |part| part.chars().count());
    let (before, marks) = (width(0..at.start), width(at).max(1));
    error.operand("within", format!("{text}\n{}{}", " ".repeat(before), "^".repeat(marks)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_point_into_the_expression() {
        let mark = |text: &str| {
            let error = parse(text).unwrap_err();
            let marks = error.operands()[0].1.lines().nth(1).unwrap().to_string();
            (error.message().to_string(), marks)
        };
        assert_eq!(mark("i1,j"), ("`1` names no axis".into(), " ^".into()));
        assert_eq!(mark("ij,jk->ix"), ("`x` is an axis of no operand".into(), "        ^".into()));
        assert_eq!(mark("...ij -> ... i i"), ("`i` stands twice in the result".into(), "               ^".into()));
        assert_eq!(mark("i...".repeat(2).as_str()), ("`...` stands twice in one operand".into(), "     ^^^".into()));
        assert_eq!(mark("i.j"), ("three dots stand for the other axes: `...`".into(), " ^".into()));
    }
}
