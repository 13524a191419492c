//! Texts as numbers.
//!
//! A vocabulary gives every [character](characters::CharVocabulary) a number, or every [token](bpe::Bpe) that byte-pair
//! encoding has found; [`TokenWindows`](windows::TokenWindows) makes a data set of a long list of them, for a model that
//! foretells the next.
//!
//! ```
//! use wengert_nn::data::dataset::Dataset;
//! use wengert_nn::data::text::{bpe::Bpe, windows::TokenWindows};
//!
//! # fn main() -> wengert_tensor::error::Result<()> {
//! let text = "the cat sat on the mat, the cat sat on the hat";
//! let bpe = Bpe::train(text, 270)?;
//! let tokens = bpe.encode(text);
//! assert!(tokens.len() < text.len());
//! assert_eq!(bpe.decode(&tokens)?, text);
//! let (x, y) = TokenWindows::new(tokens, 4)?.batch(&[0, 1])?;
//! assert_eq!((x.shape().dims(), y.shape().dims()), (&[2, 4][..], &[2, 4][..]));
//! # Ok(()) }
//! ```

#[cfg(feature = "files")]
pub mod bpe;
#[cfg(feature = "files")]
pub mod characters;
pub mod windows;

#[cfg(feature = "files")]
use std::path::Path;
#[cfg(feature = "files")]
use wengert_tensor::error::{Error, Result};

/// The text of a file, which must be UTF-8 and have at most 4 GiB.
///
/// ```
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let path = std::env::temp_dir().join(format!("wengert-doc-text-{}.txt", std::process::id()));
/// std::fs::write(&path, "a text").ok();
/// assert_eq!(wengert_nn::data::text::read_text(&path)?, "a text");
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
///
/// # Errors
/// `Io` for a file that cannot be read; `Data`, with the place, for one that is not UTF-8.
#[cfg(feature = "files")]
#[track_caller]
pub fn read_text(path: impl AsRef<Path>) -> Result<String> {
    crate::explain::framed("read_text", text_of(path.as_ref()))
}

#[cfg(feature = "files")]
fn text_of(path: &Path) -> Result<String> {
    let bytes = super::bytes::read(path, super::bytes::MAX_BYTES)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count();
        Error::data(format!("{}:{line}: byte {at} is not UTF-8 text", path.display()))
    })
}
