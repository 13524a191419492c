//! Byte-pair encoding of bytes, as GPT-2 has it (Sennrich et al. 2016; Radford et al. 2019).
//!
//! A text is cut into words by GPT-2's pattern, a word is its bytes, and the pair of neighbours that learned first to be one
//! is joined first. All bytes are in the vocabulary, so every text can be encoded, and comes back exactly. Files are those of
//! Hugging Face's `tokenizers`, with their special tokens.
//!
//! The pattern asks for letters by `\p{L}`; here a letter is what Rust calls alphabetic, which has also some marks of Indic
//! scripts and circled letters. Words of these may be cut in another way.

use super::super::bytes::{self, MAX_BYTES, quoted};
use crate::explain::framed;
use crate::files::atomic::write_atomic;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::panic::Location;
use std::path::Path;
use wengert_tensor::error::{Error, Result};

mod special;
mod words;

use special::{Piece, Pieces, Special};
use words::words;

/// A vocabulary of byte pairs.
///
/// ```
/// use wengert_nn::data::text::bpe::Bpe;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let bpe = Bpe::train("low lower lowest low low", 262)?;
/// assert_eq!(bpe.len(), 262);
/// let tokens = bpe.encode("low lowland");
/// assert_eq!(bpe.token(tokens[0]), Some(&b"low"[..]));
/// assert_eq!(bpe.decode(&tokens)?, "low lowland");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Bpe {
    /// The bytes of every token.
    tokens: Vec<Vec<u8>>,
    /// The pairs in the order in which they were learned.
    merges: Vec<Pair>,
    /// The place of a pair in that order, and the token that it becomes.
    ranks: HashMap<Pair, (usize, u32)>,
    /// The token of every single byte.
    byte_tokens: [u32; 256],
    /// The tokens that no pairs are joined to.
    special: Vec<Special>,
}

type Pair = (u32, u32);

impl Bpe {
    /// Learns a vocabulary of `size` tokens of a text, or of fewer where there is no pair left.
    ///
    /// The most frequent pair of neighbours becomes a token, again and again; of two that are equally frequent, the one of
    /// the smaller numbers. The first 256 tokens are the bytes.
    ///
    /// # Errors
    /// A size below 256.
    #[track_caller]
    pub fn train(text: &str, size: usize) -> Result<Bpe> {
        if !(256..=u32::MAX as usize).contains(&size) {
            let error = Error::value(format!("a vocabulary of {size} tokens")).help("the 256 bytes are tokens, too");
            return Err(error.op("Bpe::train").at(Location::caller()));
        }
        let mut bpe = Bpe::bytes();
        bpe.learn(text, size);
        Ok(bpe)
    }

    /// The bytes in the order of the characters that stand for them in files.
    fn bytes() -> Bpe {
        let mut order: Vec<(char, u8)> = (0..=255).map(|byte| (shown(byte), byte)).collect();
        order.sort_unstable();
        let mut byte_tokens = [0; 256];
        for (number, (_, byte)) in (0..).zip(&order) {
            if let Some(token) = byte_tokens.get_mut(usize::from(*byte)) {
                *token = number;
            }
        }
        let tokens = order.into_iter().map(|(_, byte)| vec![byte]).collect();
        Bpe { tokens, merges: Vec::new(), ranks: HashMap::new(), byte_tokens, special: Vec::new() }
    }

    /// Adds tokens that stand for a text as a whole, such as `<|endoftext|>`. A text is cut at them before it is cut into words, so whoever
    /// writes the text can write them, too.
    ///
    /// ```
    /// use wengert_nn::data::text::bpe::Bpe;
    ///
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let bpe = Bpe::train("low lower lowest low low", 262)?.with_special(["<|endoftext|>"])?;
    /// let tokens = bpe.encode("low<|endoftext|>low");
    /// assert_eq!((tokens.len(), tokens[1]), (3, 262));
    /// assert_eq!(bpe.decode(&tokens)?, "low<|endoftext|>low");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// An empty text, or one that is a token already.
    #[track_caller]
    pub fn with_special<S: Into<String>>(mut self, texts: impl IntoIterator<Item = S>) -> Result<Bpe> {
        let here = Location::caller();
        for text in texts {
            let text = text.into();
            if text.is_empty() || self.tokens.iter().any(|token| token == text.as_bytes()) {
                let error =
                    Error::value(format!("{} cannot be a special token: it is empty, or a token", quoted(&text)));
                return Err(error.op("Bpe::with_special").at(here));
            }
            let number = self.tokens.len() as u32;
            self.tokens.push(text.clone().into_bytes());
            self.special.push(Special { text, number });
        }
        Ok(self)
    }

    /// How many tokens there are.
    #[allow(clippy::len_without_is_empty)] // the bytes are always there
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The bytes of a token.
    pub fn token(&self, number: i64) -> Option<&[u8]> {
        usize::try_from(number).ok().and_then(|at| self.tokens.get(at)).map(Vec::as_slice)
    }

    /// The tokens of a text.
    pub fn encode(&self, text: &str) -> Vec<i64> {
        let mut tokens = Vec::new();
        let mut known: HashMap<&str, Vec<u32>> = HashMap::new();
        for piece in Pieces::new(text, &self.special) {
            let text = match piece {
                Piece::Text(text) => text,
                Piece::Token(number) => {
                    tokens.push(i64::from(number));
                    continue;
                }
            };
            for word in words(text) {
                let word = known.entry(word).or_insert_with(|| self.encode_word(word.as_bytes()));
                tokens.extend(word.iter().map(|&token| i64::from(token)));
            }
        }
        tokens
    }

    /// The text of tokens.
    ///
    /// # Errors
    /// A number without a token, or bytes that are not UTF-8, which a model may well write:
    /// [`decode_lossy`](Bpe::decode_lossy) takes them.
    #[track_caller]
    pub fn decode(&self, tokens: &[i64]) -> Result<String> {
        let here = Location::caller();
        let text = self.decode_bytes(tokens)?;
        String::from_utf8(text).map_err(|error| {
            Error::data(format!("byte {} of the text is not UTF-8", error.utf8_error().valid_up_to()))
                .op("Bpe::decode")
                .at(here)
        })
    }

    /// The text of tokens, with `�` for what is not UTF-8.
    ///
    /// # Errors
    /// A number without a token.
    #[track_caller]
    pub fn decode_lossy(&self, tokens: &[i64]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.decode_bytes(tokens)?).into_owned())
    }

    /// The bytes of tokens.
    ///
    /// # Errors
    /// A number without a token.
    #[track_caller]
    pub fn decode_bytes(&self, tokens: &[i64]) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        for &number in tokens {
            match self.token(number) {
                Some(token) => text.extend_from_slice(token),
                None => {
                    let error = Error::data(format!("{number} is the number of no token, there are {}", self.len()));
                    return Err(error.op("Bpe::decode").at(Location::caller()));
                }
            }
        }
        Ok(text)
    }

    /// Joins the pair that was learned first, the leftmost of equal ones, until none is left: by a heap over a linked list,
    /// for a word may be as long as the text.
    fn encode_word(&self, word: &[u8]) -> Vec<u32> {
        let mut parts: Vec<Part> = word
            .iter()
            .enumerate()
            .map(|(at, &byte)| Part {
                token: self.byte_tokens.get(usize::from(byte)).copied().unwrap_or(0),
                before: at.checked_sub(1),
                after: Some(at + 1).filter(|&after| after < word.len()),
                gone: false,
            })
            .collect();
        let pair_at = |parts: &[Part], at: usize| -> Option<(usize, u32, Pair)> {
            let left = parts.get(at).filter(|part| !part.gone)?;
            let pair = (left.token, parts.get(left.after?)?.token);
            self.ranks.get(&pair).map(|&(rank, token)| (rank, token, pair))
        };
        let mut heap = BinaryHeap::new();
        let push = |heap: &mut BinaryHeap<_>, parts: &[Part], at: usize| {
            heap.extend(pair_at(parts, at).map(|(rank, _, pair)| Reverse((rank, at, pair))));
        };
        (0..parts.len()).for_each(|at| push(&mut heap, &parts, at));
        while let Some(Reverse((_, at, pair))) = heap.pop() {
            // An entry may be of what has been joined since.
            let Some((_, token, now)) = pair_at(&parts, at) else { continue };
            if now != pair {
                continue;
            }
            let right = parts.get(at).and_then(|part| part.after);
            let beyond = right.and_then(|right| parts.get(right)).and_then(|part| part.after);
            if let Some(part) = right.and_then(|right| parts.get_mut(right)) {
                part.gone = true;
            }
            if let Some(part) = beyond.and_then(|beyond| parts.get_mut(beyond)) {
                part.before = Some(at);
            }
            let mut before = None;
            if let Some(part) = parts.get_mut(at) {
                (part.token, part.after) = (token, beyond);
                before = part.before;
            }
            push(&mut heap, &parts, at);
            before.into_iter().for_each(|before| push(&mut heap, &parts, before));
        }
        parts.into_iter().filter(|part| !part.gone).map(|part| part.token).collect()
    }

    fn learn(&mut self, text: &str, size: usize) {
        let mut counted: BTreeMap<&str, i64> = BTreeMap::new();
        words(text).for_each(|word| *counted.entry(word).or_insert(0) += 1);
        let mut words: Vec<(Vec<u32>, i64)> = counted
            .into_iter()
            .map(|(word, count)| {
                let token = |byte: u8| self.byte_tokens.get(usize::from(byte)).copied().unwrap_or(0);
                (word.bytes().map(token).collect(), count)
            })
            .collect();
        let mut counts: HashMap<Pair, i64> = HashMap::new();
        let mut places: HashMap<Pair, BTreeSet<usize>> = HashMap::new();
        for (at, (word, count)) in words.iter().enumerate() {
            for pair in pairs(word) {
                *counts.entry(pair).or_insert(0) += count;
                places.entry(pair).or_default().insert(at);
            }
        }
        let mut heap: BinaryHeap<(i64, Reverse<Pair>)> =
            counts.iter().map(|(&pair, &count)| (count, Reverse(pair))).collect();
        let mut numbers: HashMap<Vec<u8>, u32> = self.tokens.iter().cloned().zip(0..).collect();
        while self.tokens.len() < size {
            let Some((count, Reverse(pair))) = heap.pop() else { break };
            let now = counts.get(&pair).copied().unwrap_or(0);
            if now < 1 || self.ranks.contains_key(&pair) {
                continue;
            }
            if now != count {
                heap.push((now, Reverse(pair)));
                continue;
            }
            let token = self.join(pair, &mut numbers);
            let mut changed = BTreeSet::new();
            for at in places.remove(&pair).unwrap_or_default() {
                let Some((word, count)) = words.get_mut(at) else { continue };
                pairs(word).for_each(|pair| *counts.entry(pair).or_insert(0) -= *count);
                *word = joined(word, pair, token);
                for pair in pairs(word) {
                    *counts.entry(pair).or_insert(0) += *count;
                    places.entry(pair).or_default().insert(at);
                    changed.insert(pair);
                }
            }
            heap.extend(changed.into_iter().map(|pair| (counts.get(&pair).copied().unwrap_or(0), Reverse(pair))));
        }
    }

    /// Adds a pair. Two pairs may be the same bytes, and are one token then.
    fn join(&mut self, pair: Pair, numbers: &mut HashMap<Vec<u8>, u32>) -> u32 {
        let part = |token: u32| self.tokens.get(token as usize).map(Vec::as_slice).unwrap_or_default();
        let bytes = [part(pair.0), part(pair.1)].concat();
        let token = *numbers.entry(bytes.clone()).or_insert(self.tokens.len() as u32);
        if token as usize == self.tokens.len() {
            self.tokens.push(bytes);
        }
        self.ranks.insert(pair, (self.merges.len(), token));
        self.merges.push(pair);
        token
    }

    /// Writes the vocabulary as a `tokenizer.json`, whole or not at all.
    ///
    /// # Errors
    /// `Io` when the file cannot be written.
    #[track_caller]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        framed("Bpe::save", write_atomic(path, self.to_json().to_string().as_bytes()))
    }

    /// Reads a `tokenizer.json`, of [`save`](Bpe::save) or of `tokenizers`.
    ///
    /// # Errors
    /// `Io` for a file that cannot be read; `Format` for one that is no byte-level BPE, contradicts itself, or changes the
    /// text in a way that is not known here.
    #[track_caller]
    pub fn load(path: impl AsRef<Path>) -> Result<Bpe> {
        bytes::open("Bpe::load", path, MAX_BYTES, parsed)
    }

    /// The same for bytes in memory; `name` stands for the file in errors.
    ///
    /// # Errors
    /// Those of [`load`](Bpe::load).
    #[track_caller]
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Bpe> {
        framed("Bpe::load", parsed(name, bytes))
    }

    fn to_json(&self) -> Value {
        let text = |token: &[u8]| token.iter().map(|&byte| shown(byte)).collect::<String>();
        let mut vocabulary: Map<String, Value> =
            self.tokens.iter().enumerate().map(|(number, token)| (text(token), json!(number))).collect();
        for special in &self.special {
            vocabulary.remove(&text(special.text.as_bytes()));
            vocabulary.insert(special.text.clone(), json!(special.number));
        }
        let added: Vec<Value> = self.special.iter().map(Special::to_json).collect();
        let part = |token: u32| self.tokens.get(token as usize).map(|token| text(token)).unwrap_or_default();
        let merges: Vec<Value> = self.merges.iter().map(|&(a, b)| json!([part(a), part(b)])).collect();
        let level = |prefix: bool| json!({"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": true});
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
            "pre_tokenizer": level(false), "post_processor": null, "decoder": level(true),
            "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                "vocab": vocabulary, "merges": merges,
            },
        })
    }
}

/// A token in a word, and its neighbours.
struct Part {
    token: u32,
    before: Option<usize>,
    after: Option<usize>,
    gone: bool,
}

fn pairs(word: &[u32]) -> impl Iterator<Item = Pair> + '_ {
    word.iter().copied().zip(word.iter().copied().skip(1))
}

/// The word with all such pairs joined, from the left.
fn joined(word: &[u32], pair: Pair, token: u32) -> Vec<u32> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&first, after)) = rest.split_first() {
        match after.split_first() {
            Some((&second, beyond)) if (first, second) == pair => {
                out.push(token);
                rest = beyond;
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// The character that stands for a byte in files, as in GPT-2: itself where it is printed and no space, else one of those
/// from U+0100 on.
fn shown(byte: u8) -> char {
    match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
        0..=0x20 => char::from_u32(0x100 + u32::from(byte)).unwrap_or(' '),
        0x7f..=0xa0 => char::from_u32(0x121 + u32::from(byte) - 0x7f).unwrap_or(' '),
        0xad => '\u{143}',
    }
}

/// The bytes that a text in a file stands for.
fn unshown(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|character| match u32::from(character) {
            code @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => u8::try_from(code).ok(),
            code @ 0x100..=0x120 => u8::try_from(code - 0x100).ok(),
            code @ 0x121..=0x142 => u8::try_from(code - 0x121 + 0x7f).ok(),
            0x143 => Some(0xad),
            _ => None,
        })
        .collect()
}

fn parsed(file: &str, bytes: &[u8]) -> Result<Bpe> {
    let refused = |what: String| Error::format(format!("{file} is no byte-level BPE: {what}"));
    let whole: Value =
        serde_json::from_slice(bytes).map_err(|error| refused("it is no JSON".into()).caused_by(error))?;
    let model = whole.get("model").ok_or_else(|| refused("it has no `model`".into()))?;
    let null_or = |value: Option<&Value>, other: &Value| value.is_none_or(|value| value.is_null() || value == other);
    let plain = [
        (model.get("type"), json!("BPE"), "`model.type`"),
        (model.get("dropout"), json!(0.0), "`model.dropout`"),
        (model.get("continuing_subword_prefix"), json!(""), "`model.continuing_subword_prefix`"),
        (model.get("end_of_word_suffix"), json!(""), "`model.end_of_word_suffix`"),
        (model.get("ignore_merges"), json!(false), "`model.ignore_merges`"),
        (whole.get("normalizer"), Value::Null, "`normalizer`"),
    ];
    if let Some((value, _, name)) = plain.iter().find(|(value, other, _)| !null_or(*value, other)) {
        let value = value.map(Value::to_string).unwrap_or_default();
        return Err(refused(format!("{name} is {}, which is not known here", quoted(&value))));
    }
    let level = whole.get("pre_tokenizer").cloned().unwrap_or_default();
    let is =
        |name: &str, default: bool, wanted: bool| level.get(name).map_or(Some(default), Value::as_bool) == Some(wanted);
    if level.get("type") != Some(&json!("ByteLevel"))
        || !is("add_prefix_space", true, false)
        || !is("use_regex", true, true)
    {
        return Err(refused("`pre_tokenizer` is not `ByteLevel` with GPT-2's pattern and without a prefix".into()));
    }
    let mut bpe = Bpe::bytes();
    bpe.tokens.clear();
    bpe.special = match whole.get("added_tokens") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(added)) => added.iter().map(Special::parse).collect::<Result<_, _>>().map_err(refused)?,
        Some(_) => return Err(refused("`added_tokens` is no list".into())),
    };
    let vocabulary =
        model.get("vocab").and_then(Value::as_object).ok_or_else(|| refused("it has no `vocab`".into()))?;
    let mut numbers: HashMap<Vec<u8>, u32> = HashMap::new();
    let own: BTreeSet<&str> = bpe.special.iter().map(|special| special.text.as_str()).collect();
    if own.len() < bpe.special.len() {
        return Err(refused("an entry of `added_tokens` comes twice".into()));
    }
    let beyond = bpe.special.iter().filter(|special| !vocabulary.contains_key(&special.text)).count();
    bpe.tokens = vec![Vec::new(); vocabulary.len() + beyond];
    for special in &bpe.special {
        match bpe.tokens.get_mut(special.number as usize) {
            Some(place)
                if place.is_empty()
                    && vocabulary.get(&special.text).is_none_or(|number| number == &json!(special.number)) =>
            {
                *place = special.text.clone().into_bytes();
            }
            _ => return Err(refused(format!("the token {} has the number {}", quoted(&special.text), special.number))),
        }
    }
    for (text, number) in vocabulary.iter().filter(|(text, _)| !own.contains(text.as_str())) {
        let token = unshown(text).filter(|token| !token.is_empty());
        let place = number.as_u64().and_then(|at| bpe.tokens.get_mut(usize::try_from(at).ok()?));
        match (token, place) {
            (Some(token), Some(place)) if place.is_empty() => {
                numbers.insert(token.clone(), number.as_u64().unwrap_or(0) as u32);
                *place = token;
            }
            _ => return Err(refused(format!("the token {} has the number {number}", quoted(text)))),
        }
    }
    for (byte, token) in (0..=255u8).zip(&mut bpe.byte_tokens) {
        *token = *numbers.get(&[byte][..]).ok_or_else(|| refused(format!("there is no token for the byte {byte}")))?;
    }
    let merges = model.get("merges").and_then(Value::as_array).ok_or_else(|| refused("it has no `merges`".into()))?;
    for merge in merges {
        let parts = match merge {
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(a), Value::String(b)] => Some((a.as_str(), b.as_str())),
                _ => None,
            },
            Value::String(text) => text.split_once(' '),
            _ => None,
        };
        let pair = parts.and_then(|(a, b)| {
            let (a, b) = (unshown(a)?, unshown(b)?);
            let token = *numbers.get(&[a.as_slice(), b.as_slice()].concat())?;
            Some(((*numbers.get(&a)?, *numbers.get(&b)?), token))
        });
        let Some((pair, token)) = pair else {
            return Err(refused(format!("the merge {} is of tokens that there are not", quoted(&merge.to_string()))));
        };
        if bpe.ranks.insert(pair, (bpe.merges.len(), token)).is_some() {
            return Err(refused(format!("the merge {} comes twice", quoted(&merge.to_string()))));
        }
        bpe.merges.push(pair);
    }
    Ok(bpe)
}

#[cfg(test)]
mod tests;
