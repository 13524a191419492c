//! A state as named tensors: numbers and counts are tensors of rank 0, texts the bytes of a u8 tensor of rank 1.

use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// What is saved, and taken up again.
pub(crate) type Named = Vec<(String, Tensor)>;

/// All of `state` with `prefix` in front of the names.
pub(crate) fn under(prefix: &str, state: Named) -> impl Iterator<Item = (String, Tensor)> {
    state.into_iter().map(move |(name, value)| (format!("{prefix}{name}"), value))
}

/// What of `state` begins with `prefix`, without it.
pub(crate) fn within(prefix: &str, state: &[(String, Tensor)]) -> Named {
    let rest = |(name, value): &(String, Tensor)| Some((name.strip_prefix(prefix)?.to_string(), value.clone()));
    state.iter().filter_map(rest).collect()
}

/// The tensor of a name.
pub(crate) fn find<'s>(state: &'s [(String, Tensor)], name: &str) -> Option<&'s Tensor> {
    state.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn get<'s>(state: &'s [(String, Tensor)], name: &str) -> Result<&'s Tensor> {
    find(state, name).ok_or_else(|| Error::format(format!("`{name}` is missing")).op("load_state"))
}

fn named(error: Error, name: &str) -> Error {
    error.op("load_state").operand("state", format!("`{name}`"))
}

/// A number, bit for bit.
pub(crate) fn float(state: &[(String, Tensor)], name: &str) -> Result<f64> {
    get(state, name)?.item::<f64>().map_err(|error| named(error, name))
}

/// A whole number.
pub(crate) fn whole(state: &[(String, Tensor)], name: &str) -> Result<i64> {
    get(state, name)?.item::<i64>().map_err(|error| named(error, name))
}

/// A count.
pub(crate) fn count(state: &[(String, Tensor)], name: &str) -> Result<usize> {
    let value = whole(state, name)?;
    usize::try_from(value)
        .map_err(|_| Error::format(format!("`{name}` is {value}, which counts nothing")).op("load_state"))
}

/// Numbers in a row, bit for bit; none where the name is not there.
pub(crate) fn floats(state: &[(String, Tensor)], name: &str) -> Result<Vec<f64>> {
    match find(state, name) {
        None => Ok(Vec::new()),
        Some(value) => value.to_vec::<f64>().map_err(|error| named(error, name)),
    }
}

/// A count, to be saved.
pub(crate) fn counted(value: usize) -> Tensor {
    Tensor::from(i64::try_from(value).unwrap_or(i64::MAX))
}

/// Lines of text, to be saved.
pub(crate) fn lines<S: AsRef<str>>(lines: impl IntoIterator<Item = S>) -> Tensor {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.as_ref().replace('\\', "\\\\").replace('\n', "\\n"));
        text.push('\n');
    }
    Tensor::from(text.into_bytes())
}

/// Lines that were saved; none where the name is not there.
pub(crate) fn read_lines(state: &[(String, Tensor)], name: &str) -> Result<Vec<String>> {
    let Some(value) = find(state, name) else { return Ok(Vec::new()) };
    let wrong = || Error::format(format!("`{name}` is no text")).op("load_state");
    if value.dtype() != DType::U8 {
        return Err(wrong());
    }
    let bytes = value.to_vec::<u8>().map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    let plain = |line: &str| {
        let (mut out, mut chars) = (String::new(), line.chars());
        while let Some(char) = chars.next() {
            out.push(match char {
                '\\' => {
                    if chars.next() == Some('n') {
                        '\n'
                    } else {
                        '\\'
                    }
                }
                char => char,
            });
        }
        out
    };
    Ok(text.lines().map(plain).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_comes_back() -> Result<()> {
        let texts = ["a", "", "b\nc", "d\\n", "ü"];
        let state = vec![
            ("texts".to_string(), lines(texts)),
            ("count".to_string(), counted(7)),
            ("number".to_string(), Tensor::from(0.1f64)),
            ("numbers".to_string(), Tensor::from([1.5f64, f64::INFINITY])),
            ("minus".to_string(), Tensor::from(-1i64)),
        ];
        assert_eq!(read_lines(&state, "texts")?, texts);
        assert_eq!(count(&state, "count")?, 7);
        assert_eq!(float(&state, "number")?, 0.1);
        assert_eq!(floats(&state, "numbers")?, [1.5, f64::INFINITY]);
        assert!(floats(&state, "none")?.is_empty() && read_lines(&state, "none")?.is_empty());
        assert!(count(&state, "minus").is_err() && count(&state, "none").is_err());
        assert!(float(&state, "count").is_err() && read_lines(&state, "number").is_err());
        let moved: Named = under("x/", state.clone()).collect();
        assert_eq!(within("x/", &moved).len(), 5);
        assert_eq!(within("y/", &moved).len(), 0);
        Ok(())
    }
}
