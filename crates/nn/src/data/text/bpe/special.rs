//! Tokens that stand for a text as a whole, such as `<|endoftext|>`.

use crate::data::bytes::quoted;
use serde_json::{Value, json};
use std::cmp::Reverse;

/// The text of a token, and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Special {
    pub(super) text: String,
    pub(super) number: u32,
}

impl Special {
    /// An entry of `added_tokens`. There is no normalizer, so `normalized` means nothing.
    pub(super) fn parse(entry: &Value) -> Result<Special, String> {
        let unknown =
            || format!("an entry of `added_tokens` is {}, which is not known here", quoted(&entry.to_string()));
        let plain = ["single_word", "lstrip", "rstrip"];
        if plain.iter().any(|name| entry.get(name).is_some_and(|value| value != &json!(false))) {
            return Err(unknown());
        }
        let text = entry.get("content").and_then(Value::as_str).filter(|text| !text.is_empty());
        let number = entry.get("id").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
        match (text, number) {
            (Some(text), Some(number)) => Ok(Special { text: text.to_string(), number }),
            _ => Err(unknown()),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "id": self.number, "content": self.text, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        })
    }
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Text(&'t str),
    Token(u32),
}

/// A text cut at its special tokens: the leftmost first, and of several there the longest.
pub(super) struct Pieces<'t> {
    text: &'t str,
    at: usize,
    special: &'t [Special],
    /// Where each comes next. A text is looked through once for each, however often they come.
    next: Vec<Option<usize>>,
}

impl<'t> Pieces<'t> {
    pub(super) fn new(text: &'t str, special: &'t [Special]) -> Pieces<'t> {
        Pieces { text, at: 0, special, next: special.iter().map(|one| text.find(&one.text)).collect() }
    }
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        for (one, next) in self.special.iter().zip(&mut self.next) {
            if next.is_some_and(|next| next < self.at) {
                *next = rest.find(&one.text).map(|ahead| self.at + ahead);
            }
        }
        let there = self.special.iter().zip(&self.next).filter_map(|(one, next)| Some(((*next)?, one)));
        let (piece, length) = match there.min_by_key(|(next, one)| (*next, Reverse(one.text.len()))) {
            Some((next, one)) if next == self.at => (Piece::Token(one.number), one.text.len()),
            Some((next, _)) => (Piece::Text(self.text.get(self.at..next)?), next - self.at),
            None => (Piece::Text(rest), rest.len()),
        };
        self.at += length;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leftmost_and_longest_comes_first() {
        let special: Vec<Special> = ["<s>", "<s>é", "é<"]
            .iter()
            .zip(0..)
            .map(|(text, number)| Special { text: text.to_string(), number })
            .collect();
        let cut = |text| Pieces::new(text, &special).collect::<Vec<_>>();
        use Piece::{Text, Token};
        assert_eq!(cut("a<s>é<s> b"), [Text("a"), Token(1), Token(0), Text(" b")]);
        assert_eq!(cut("éé<s><s>"), [Text("é"), Token(2), Text("s>"), Token(0)]);
        assert_eq!(cut("none"), [Text("none")]);
        assert_eq!(cut(""), []);
        let (many, start) = ("<s>x".repeat(50_000), std::time::Instant::now());
        assert_eq!(Pieces::new(&many, &special).count(), 100_000);
        assert!(start.elapsed().as_secs() < 5, "the text is looked through once");
    }
}
