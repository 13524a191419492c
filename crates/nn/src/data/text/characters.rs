//! A number for every character.

use super::super::bytes::{self, MAX_BYTES};
use crate::explain::framed;
use crate::files::atomic::write_atomic;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::panic::Location;
use std::path::Path;
use wengert_tensor::error::{Error, Result};

/// The characters of a text, numbered in the order of Unicode.
///
/// ```
/// use wengert_nn::data::text::characters::CharVocabulary;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let vocabulary = CharVocabulary::of("hello");
/// assert_eq!(vocabulary.len(), 4);
/// assert_eq!(vocabulary.encode("hole")?, [1, 3, 2, 0]);
/// assert_eq!(vocabulary.decode(&[1, 0])?, "he");
/// assert!(vocabulary.encode("help").is_err());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CharVocabulary {
    characters: Vec<char>,
    numbers: HashMap<char, i64>,
}

impl CharVocabulary {
    /// The vocabulary of a text.
    pub fn of(text: &str) -> CharVocabulary {
        let characters: BTreeSet<char> = text.chars().collect();
        CharVocabulary::from_list(characters.into_iter().collect())
    }

    fn from_list(characters: Vec<char>) -> CharVocabulary {
        let numbers = characters.iter().zip(0..).map(|(&character, number)| (character, number)).collect();
        CharVocabulary { characters, numbers }
    }

    /// How many characters there are.
    pub fn len(&self) -> usize {
        self.characters.len()
    }

    /// Whether there is no character.
    pub fn is_empty(&self) -> bool {
        self.characters.is_empty()
    }

    /// The characters in the order of their numbers.
    pub fn characters(&self) -> &[char] {
        &self.characters
    }

    /// The numbers of a text.
    ///
    /// # Errors
    /// A character that is not in the vocabulary.
    #[track_caller]
    pub fn encode(&self, text: &str) -> Result<Vec<i64>> {
        let here = Location::caller();
        let number = |(at, character): (usize, char)| {
            let unknown = || Error::data(format!("character {at}, {character:?}, is not in the vocabulary"));
            self.numbers.get(&character).copied().ok_or_else(|| unknown().op("CharVocabulary::encode").at(here))
        };
        text.chars().enumerate().map(number).collect()
    }

    /// The text of numbers.
    ///
    /// # Errors
    /// A number without a character.
    #[track_caller]
    pub fn decode(&self, numbers: &[i64]) -> Result<String> {
        let here = Location::caller();
        let character = |&number: &i64| {
            let found = usize::try_from(number).ok().and_then(|at| self.characters.get(at)).copied();
            let unknown = || Error::data(format!("{number} is the number of no character, there are {}", self.len()));
            found.ok_or_else(|| unknown().op("CharVocabulary::decode").at(here))
        };
        numbers.iter().map(character).collect()
    }

    /// Writes the vocabulary as JSON, whole or not at all.
    ///
    /// # Errors
    /// `Io` when the file cannot be written.
    #[track_caller]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let text = json!({ "characters": self.characters.iter().collect::<String>() }).to_string();
        framed("CharVocabulary::save", write_atomic(path, text.as_bytes()))
    }

    /// Reads what [`save`](CharVocabulary::save) has written.
    ///
    /// # Errors
    /// `Io` for a file that cannot be read; `Format` for one that is no vocabulary, or has a character twice.
    #[track_caller]
    pub fn load(path: impl AsRef<Path>) -> Result<CharVocabulary> {
        bytes::open("CharVocabulary::load", path, MAX_BYTES, parsed)
    }
}

fn parsed(file: &str, bytes: &[u8]) -> Result<CharVocabulary> {
    let refused = |what: &str| Error::format(format!("{file} is no vocabulary of characters: {what}"));
    let value: Value = serde_json::from_slice(bytes).map_err(|error| refused("it is no JSON").caused_by(error))?;
    let text = value.get("characters").and_then(Value::as_str).ok_or_else(|| refused("it has no `characters`"))?;
    let vocabulary = CharVocabulary::from_list(text.chars().collect());
    match vocabulary.numbers.len() == vocabulary.len() {
        true => Ok(vocabulary),
        false => Err(refused("a character comes twice")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn every_text_comes_back() {
        let text = "żółw \n\t\"\\ 🐢 a\u{0}b";
        let vocabulary = CharVocabulary::of(text);
        assert_eq!(vocabulary.decode(&vocabulary.encode(text).unwrap()).unwrap(), text);
        let scratch = Scratch::new("characters");
        vocabulary.save(scratch.file("v.json")).unwrap();
        assert_eq!(CharVocabulary::load(scratch.file("v.json")).unwrap(), vocabulary);
        assert!(vocabulary.encode("x").unwrap_err().to_string().contains("character 0, 'x'"));
        assert!(vocabulary.decode(&[-1]).is_err() && vocabulary.decode(&[99]).is_err());
        for bad in ["", "{}", "{\"characters\": 1}", "{\"characters\": \"aa\"}", "[", "\u{feff}{}"] {
            std::fs::write(scratch.file("bad.json"), bad).unwrap();
            assert!(CharVocabulary::load(scratch.file("bad.json")).is_err(), "{bad}");
        }
    }
}
