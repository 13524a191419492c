//! Text as it stands in a JSON file.

/// The text in quotes, escaped as [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259) §7 has it.
///
/// ```
/// use wengert_autograd::json::quoted;
/// assert_eq!(quoted("a \"b\"\n"), r#""a \"b\"\n""#);
/// ```
pub fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", c as u32)),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

/// A number; `null` for one that is not finite, which JSON has no word for.
///
/// ```
/// use wengert_autograd::json::number;
/// assert_eq!((number(0.5).as_str(), number(f64::NAN).as_str()), ("0.5", "null"));
/// ```
pub fn number(x: f64) -> String {
    if x.is_finite() { format!("{x}") } else { "null".to_string() }
}
