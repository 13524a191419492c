//! GPT-2's pattern, by hand: `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.

/// The words of a text, which make it up without a gap.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (word, after) = rest.split_at(first(rest));
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Space,
    Letter,
    Number,
    Other,
}

fn class(character: char) -> Class {
    match character {
        c if c.is_whitespace() => Class::Space,
        // Roman numerals are both; the pattern has them as numbers.
        c if c.is_numeric() => Class::Number,
        c if c.is_alphabetic() => Class::Letter,
        _ => Class::Other,
    }
}

/// The bytes of the first word.
fn first(text: &str) -> usize {
    const ENDINGS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
    if let Some(ending) = ENDINGS.iter().find(|ending| text.starts_with(**ending)) {
        return ending.len();
    }
    // One space belongs to the word after it.
    let front = usize::from(text.starts_with(' '));
    let body = text.get(front..).unwrap_or("");
    if let Some(kind) = body.chars().next().map(class).filter(|kind| *kind != Class::Space) {
        return front + run(body, kind);
    }
    let spaces = run(text, Class::Space);
    let last = text.get(..spaces).and_then(|spaces| spaces.chars().next_back()).map_or(0, char::len_utf8);
    match spaces == text.len() || spaces == last {
        true => spaces,
        // The last of several spaces is left for the next word.
        false => spaces - last,
    }
}

/// The bytes of the characters of one class at the start.
fn run(text: &str, kind: Class) -> usize {
    text.char_indices().find(|(_, character)| class(*character) != kind).map_or(text.len(), |(at, _)| at)
}
