//! What went wrong, said once: the operation, its operands, the user's own line, the layer, and the mend.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The family of an [`Error`], for programs that must decide rather than print.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Shapes that do not fit together, or a shape whose size overflows.
    Shape,
    /// An element type where another one belongs.
    DType,
    /// An axis that the operand does not have, or one that is named twice.
    Axis,
    /// An index or a range that leaves its axis.
    Index,
    /// A number that has no meaning where it stands.
    Value,
    /// Data that contradicts itself: a label outside the classes, a NaN, an empty batch.
    Data,
    /// The operating system refused.
    Io,
    /// A file that is not what it should be.
    Format,
    /// A call at the wrong time, or an invariant that does not hold.
    State,
    /// A derivative of something that has none.
    NotDifferentiable,
    /// The memory could not be had.
    Memory,
    /// A NaN or an infinity, found where somebody asked to be told of it.
    NonFinite,
}

/// An error: cheap to clone, with everything that is known about it.
///
/// Whoever finds the fault says only what is wrong ([`Error::new`] and its shorthands). The frame around it, which
/// knows more, adds the operation, the operands, the place and the help. `Display` and `Debug` print the same text, so
/// that `fn main() -> Result<()>` shows it well.
///
/// ```
/// use wengert_tensor::error::Error;
/// let e = Error::shape("inner dimensions differ: 784 and 512")
///     .op("matmul")
///     .operand("left", "[32, 784] f32   from `flatten`")
///     .operand("right", "[512, 10] f32   parameter `head.weight`")
///     .within("Net › head (Dense)")
///     .help("`head` takes 512 inputs; Dense::new(784, 10) would take this one");
/// assert_eq!(
///     e.to_string(),
///     "\
/// matmul: inner dimensions differ: 784 and 512
///   left   [32, 784] f32   from `flatten`
///   right  [512, 10] f32   parameter `head.weight`
///   in     Net › head (Dense)
///   help   `head` takes 512 inputs; Dense::new(784, 10) would take this one"
/// );
/// ```
#[derive(Clone, thiserror::Error)]
#[error(transparent)]
pub struct Error(Arc<Report>);

#[derive(Clone, Debug, thiserror::Error)]
struct Report {
    kind: ErrorKind,
    message: String,
    op: Option<String>,
    operands: Vec<(String, String)>,
    location: Option<&'static Location<'static>>,
    path: Option<String>,
    help: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`. The message says what is wrong and does not name the operation.
    ///
    /// ```
    /// use wengert_tensor::error::{Error, ErrorKind};
    /// let e = Error::new(ErrorKind::Value, "a probability of 1.5");
    /// assert_eq!(e.kind(), ErrorKind::Value);
    /// assert_eq!(e.to_string(), "a probability of 1.5");
    /// ```
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Arc::new(Report {
            kind,
            message: message.into(),
            op: None,
            operands: Vec::new(),
            location: None,
            path: None,
            help: None,
            source: None,
        }))
    }

    /// An error of kind [`ErrorKind::Shape`].
    pub fn shape(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Shape, message)
    }

    /// An error of kind [`ErrorKind::DType`].
    pub fn dtype(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::DType, message)
    }

    /// An error of kind [`ErrorKind::Axis`].
    pub fn axis(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Axis, message)
    }

    /// An error of kind [`ErrorKind::Index`].
    pub fn index(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Index, message)
    }

    /// An error of kind [`ErrorKind::Value`].
    pub fn value(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Value, message)
    }

    /// An error of kind [`ErrorKind::Data`].
    pub fn data(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Data, message)
    }

    /// An error of kind [`ErrorKind::Io`].
    pub fn io(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Io, message)
    }

    /// An error of kind [`ErrorKind::Format`].
    pub fn format(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Format, message)
    }

    /// An error of kind [`ErrorKind::State`].
    pub fn state(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::State, message)
    }

    /// An error of kind [`ErrorKind::Memory`].
    pub fn memory(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Memory, message)
    }

    fn with(mut self, change: impl FnOnce(&mut Report)) -> Error {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Names the operation, unless an inner frame has named it already.
    ///
    /// ```
    /// # use wengert_tensor::error::Error;
    /// let e = Error::axis("axis 2 is out of range for [4]").op("sum").op("mean");
    /// assert_eq!(e.op_name(), Some("sum"));
    /// ```
    pub fn op(self, name: impl Into<String>) -> Error {
        self.with(|r| _ = r.op.get_or_insert_with(|| name.into()))
    }

    /// Names the operation, whatever an inner frame said: an outer one knows what was called.
    ///
    /// ```
    /// # use wengert_tensor::error::Error;
    /// let e = Error::value("the matrix is singular").op("solve").renamed("inv (in solve)");
    /// assert_eq!(e.to_string(), "inv (in solve): the matrix is singular");
    /// ```
    pub fn renamed(self, name: impl Into<String>) -> Error {
        self.with(|r| r.op = Some(name.into()))
    }

    /// Adds a line about one operand: `("left", "[32, 784] f32   from `flatten`")`.
    pub fn operand(self, label: impl Into<String>, text: impl Into<String>) -> Error {
        self.with(|r| r.operands.push((label.into(), text.into())))
    }

    /// Notes the user's line, unless it is known already.
    pub fn at(self, location: &'static Location<'static>) -> Error {
        self.with(|r| _ = r.location.get_or_insert(location))
    }

    /// Notes the layer path, such as `Net › head (Dense)`, unless it is known already.
    pub fn within(self, path: impl Into<String>) -> Error {
        self.with(|r| _ = r.path.get_or_insert_with(|| path.into()))
    }

    /// Says what would be right. An outer frame knows more: its help replaces an inner one.
    pub fn help(self, text: impl Into<String>) -> Error {
        self.with(|r| r.help = Some(text.into()))
    }

    /// Notes the error below this one. It is printed on a line of its own and is the [`source`](StdError::source).
    ///
    /// ```
    /// # use wengert_tensor::error::Error;
    /// let cause = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
    /// let e = Error::io("cannot read `digits.csv`").caused_by(cause);
    /// assert_eq!(e.to_string(), "cannot read `digits.csv`\n  cause  no such file");
    /// ```
    pub fn caused_by(self, source: impl StdError + Send + Sync + 'static) -> Error {
        self.with(|r| r.source = Some(Arc::new(source)))
    }

    /// The family.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation, if a frame named it.
    pub fn op_name(&self) -> Option<&str> {
        self.0.op.as_deref()
    }

    /// What is wrong, without the operation.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The operands: label and text.
    pub fn operands(&self) -> &[(String, String)] {
        &self.0.operands
    }

    /// The user's line.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.0.location
    }

    /// The layer path.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// What would be right.
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(op) = &self.op {
            write!(f, "{op}: ")?;
        }
        f.write_str(&self.message)?;

        let width = self.operands.iter().map(|(label, _)| label.chars().count()).fold(5, usize::max);
        let mut line = |label: &str, text: &str| -> fmt::Result {
            write!(f, "\n  {label:width$}  ")?;
            // A text of several lines keeps its own column.
            for (i, part) in text.lines().enumerate() {
                match i {
                    0 => f.write_str(part)?,
                    _ => write!(f, "\n  {:width$}  {part}", "")?,
                }
            }
            Ok(())
        };
        for (label, text) in &self.operands {
            line(label, text)?;
        }
        match (self.location, &self.path) {
            (Some(at), Some(path)) => line("at", &format!("{at}, in {path}"))?,
            (Some(at), None) => line("at", &at.to_string())?,
            (None, Some(path)) => line("in", path)?,
            (None, None) => {}
        }
        if let Some(source) = &self.source {
            line("cause", &source.to_string())?;
        }
        if let Some(help) = &self.help {
            line("help", help)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
