//! Colours that people with colour blindness can tell apart.

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// Colours for lines and points, in the order in which they are given out (Okabe and Ito's, without the yellow).
pub const LINES: [Rgb; 7] = [
    Rgb(0, 114, 178),
    Rgb(213, 94, 0),
    Rgb(0, 158, 115),
    Rgb(204, 121, 167),
    Rgb(86, 180, 233),
    Rgb(230, 159, 0),
    Rgb(60, 60, 60),
];

/// Samples of the "viridis" scale, from dark blue to yellow; brightness grows evenly along it.
const VIRIDIS: [Rgb; 9] = [
    Rgb(68, 1, 84),
    Rgb(71, 44, 122),
    Rgb(59, 81, 139),
    Rgb(44, 113, 142),
    Rgb(33, 144, 141),
    Rgb(39, 173, 129),
    Rgb(92, 200, 99),
    Rgb(170, 220, 50),
    Rgb(253, 231, 37),
];

/// The colour of the `n`th line.
///
/// ```
/// use wengert_nn::plot::color::{LINES, line_color};
/// assert_eq!(line_color(8), LINES[1]);
/// ```
pub fn line_color(n: usize) -> Rgb {
    LINES.get(n % LINES.len()).copied().unwrap_or(Rgb(0, 0, 0))
}

/// The colour of a share of the scale, 0 dark and 1 bright.
///
/// ```
/// use wengert_nn::plot::color::{Rgb, scale_color};
/// assert_eq!(scale_color(0.0), Rgb(68, 1, 84));
/// assert_eq!(scale_color(2.0), Rgb(253, 231, 37));
/// ```
pub fn scale_color(share: f64) -> Rgb {
    let at = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) } * (VIRIDIS.len() - 1) as f64;
    let from = VIRIDIS.get(at as usize).copied().unwrap_or(Rgb(0, 0, 0));
    let to = VIRIDIS.get(at as usize + 1).copied().unwrap_or(from);
    from.towards(to, at.fract())
}

impl Rgb {
    /// The colour a share of the way to another one.
    pub fn towards(self, other: Rgb, share: f64) -> Rgb {
        let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as u8;
        Rgb(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    pub(super) fn rgb(self) -> plotters::style::RGBColor {
        plotters::style::RGBColor(self.0, self.1, self.2)
    }
}
