//! Charts as SVG files: curves of a training run, maps of a function of two variables, confusion matrices.
//!
//! SVG text is drawn by whoever shows the file, so no font is needed here.

pub mod color;
pub mod line;
pub mod map;
pub mod matrix;

mod contour;
mod frame;
mod history;
