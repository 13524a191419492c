//! What was not finite, kept in a file: the operands of the op that made it, to look at them and to compute it again.

use std::path::Path;

use wengert_autograd::debug::NonFinite;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use crate::explain::framed;
use crate::files::archive::written;

/// Writes the operands, the output, and (as text in u8) the name of the op, the layer and the line to a safetensors file. Operands are called
/// by their place and their label: `0.left`, `1.right`.
///
/// ```
/// use wengert_autograd::{Tape, debug};
/// use wengert_nn::{files::archive::Archive, replay::save_non_finite};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let path = std::env::temp_dir().join(format!("wengert-doc-replay-{}.safetensors", std::process::id()));
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([1.0f32, 0.0]));
/// debug::catch_non_finite(|| (1.0 / x).value()).unwrap_err();
/// save_non_finite(&path, &debug::last_non_finite().unwrap())?;
///
/// let file = Archive::open(&path)?;
/// let tape = Tape::new();
/// let again = tape.input(&file.tensor("0.left")?) / tape.input(&file.tensor("1.right")?);
/// assert!(again.value()?.equals(&file.tensor("output")?));
/// # std::fs::remove_file(&path).ok();
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Io` when the file cannot be written.
#[track_caller]
pub fn save_non_finite(path: impl AsRef<Path>, found: &NonFinite) -> Result<()> {
    let text = |text: String| Tensor::from(text.into_bytes());
    let operands = found.inputs.iter().enumerate();
    let mut tensors: Vec<(String, Tensor)> =
        operands.map(|(i, (label, value))| (format!("{i}.{label}"), value.clone())).collect();
    tensors.push(("output".to_string(), found.output.clone()));
    tensors.push(("text.op".to_string(), text(format!("{:?}", found.op))));
    tensors.push(("text.name".to_string(), text(found.name.clone())));
    tensors.push(("text.layer".to_string(), text(found.layer.clone())));
    tensors.push(("text.at".to_string(), text(found.location.to_string())));
    framed("save_non_finite", written(path.as_ref(), &tensors))
}
