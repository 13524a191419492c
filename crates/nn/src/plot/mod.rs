//! Charts as SVG files: curves of a training run, maps of a function of two variables, confusion matrices, histograms, bars, scattered
//! points, ROC, precision-recall and calibration curves, grids of images and maps of attention.
//!
//! SVG text is drawn by whoever shows the file, so no font is needed here.

pub mod attention;
pub mod bars;
pub mod color;
pub mod curves;
pub mod histogram;
pub mod images;
pub mod line;
pub mod map;
pub mod matrix;

mod contour;
mod frame;
mod history;
