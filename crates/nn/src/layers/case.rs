//! A layer as the tests try it.

use crate::layer::Layer;

/// A layer with an input that it takes: what the laws try.
pub struct Case {
    /// The file of this directory in which the layer lives.
    pub file: &'static str,
    /// The layer.
    pub layer: Box<dyn Layer>,
    /// The shape of an input.
    pub input: Vec<usize>,
    /// The shape of the output.
    pub output: Vec<usize>,
    /// The names of its parameters and buffers, in order.
    pub names: &'static [&'static str],
}
