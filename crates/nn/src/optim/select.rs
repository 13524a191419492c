//! Which parameters are meant: by name, by shape, by a function of both.

use wengert_tensor::shape::Shape;

use crate::path::covers;

/// A choice of parameters, by name and shape.
///
/// A name means the parameter of that name and whatever lies below it: `"head"` means `head.weight` and `head.bias`. A list of names means
/// each of them. A function `|name: &str, shape: &Shape| …` decides for itself; [`rank_at_least`], [`rank_below`], [`ending`] and [`not`]
/// are such functions.
///
/// ```
/// use wengert_nn::optim::select::{Select, ending, not, rank_below};
/// use wengert_tensor::shape::Shape;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (matrix, vector) = (Shape::new([3, 2])?, Shape::new([3])?);
/// assert!("head".picks("head.weight", &matrix) && !"head".picks("header.weight", &matrix));
/// assert!(["body", "head"].picks("head.weight", &matrix));
/// assert!(rank_below(2).picks("head.bias", &vector) && !rank_below(2).picks("head.weight", &matrix));
/// assert!(not(ending("bias")).picks("head.weight", &matrix));
/// # Ok(())
/// # }
/// ```
pub trait Select: Send + Sync + 'static {
    /// Whether the parameter of this name and shape is meant.
    fn picks(&self, name: &str, shape: &Shape) -> bool;

    /// The names that are written out, each of which must fit a parameter of the model.
    fn names(&self) -> Vec<&str> {
        Vec::new()
    }

    /// How it is written in an error.
    fn describe(&self) -> String {
        match &*self.names() {
            [] => "a function".to_string(),
            names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        }
    }
}

impl Select for Box<dyn Select> {
    fn picks(&self, name: &str, shape: &Shape) -> bool {
        (**self).picks(name, shape)
    }
    fn names(&self) -> Vec<&str> {
        (**self).names()
    }
    fn describe(&self) -> String {
        (**self).describe()
    }
}

impl Select for &'static str {
    fn picks(&self, name: &str, _: &Shape) -> bool {
        covers(self, name)
    }
    fn names(&self) -> Vec<&str> {
        vec![self]
    }
}

impl Select for String {
    fn picks(&self, name: &str, _: &Shape) -> bool {
        covers(self, name)
    }
    fn names(&self) -> Vec<&str> {
        vec![self]
    }
}

impl<const N: usize> Select for [&'static str; N] {
    fn picks(&self, name: &str, _: &Shape) -> bool {
        self.iter().any(|prefix| covers(prefix, name))
    }
    fn names(&self) -> Vec<&str> {
        self.to_vec()
    }
}

impl Select for Vec<String> {
    fn picks(&self, name: &str, _: &Shape) -> bool {
        self.iter().any(|prefix| covers(prefix, name))
    }
    fn names(&self) -> Vec<&str> {
        self.iter().map(String::as_str).collect()
    }
}

impl<F: Fn(&str, &Shape) -> bool + Send + Sync + 'static> Select for F {
    fn picks(&self, name: &str, shape: &Shape) -> bool {
        self(name, shape)
    }
}

/// Parameters of at least `rank` axes: `rank_at_least(2)` are the weights of products and convolutions, not biases nor scales.
pub fn rank_at_least(rank: usize) -> impl Select {
    move |_: &str, shape: &Shape| shape.rank() >= rank
}

/// Parameters of fewer than `rank` axes: `rank_below(2)` are biases and the scales of norms.
pub fn rank_below(rank: usize) -> impl Select {
    move |_: &str, shape: &Shape| shape.rank() < rank
}

/// Parameters whose name ends with `end`: `ending("bias")`.
pub fn ending(end: impl Into<String>) -> impl Select {
    let end = end.into();
    move |name: &str, _: &Shape| name.ends_with(&*end)
}

/// All parameters but these.
pub fn not(select: impl Select) -> impl Select {
    Not(select)
}

struct Not<S>(S);

impl<S: Select> Select for Not<S> {
    fn picks(&self, name: &str, shape: &Shape) -> bool {
        !self.0.picks(name, shape)
    }
    fn names(&self) -> Vec<&str> {
        self.0.names()
    }
    fn describe(&self) -> String {
        format!("all but {}", self.0.describe())
    }
}
