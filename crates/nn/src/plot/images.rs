//! Images of a batch as a grid, and tensors as PNG.

use super::frame::{printable, save};
use std::fmt::Write;
use std::panic::Location;
use std::path::Path;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// So many pixels in one picture at most.
const MOST: usize = 1 << 26;

/// An image in the PNG format.
#[derive(Clone, Debug)]
pub struct Png {
    /// Pixels from left to right.
    pub width: usize,
    /// Pixels from top to bottom.
    pub height: usize,
    /// 1 for grey, 3 for red, green and blue, 4 with opacity.
    pub channels: usize,
    /// The contents of a file.
    pub bytes: Vec<u8>,
}

impl Png {
    /// An image `[height, width]` or `[channels, height, width]` of floats from 0 to 1, or u8 from 0 to 255. What lies outside is cut off,
    /// and NaN is 0.
    ///
    /// ```
    /// use wengert_nn::plot::images::Png;
    /// use wengert_tensor::tensor::Tensor;
    /// let png = Png::of(&Tensor::from([[0.0f32, 1.0], [0.5, 0.25]]))?;
    /// assert_eq!((png.width, png.channels, &png.bytes[1..4]), (2, 1, &b"PNG"[..]));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Shape` for another number of axes or channels, no pixel, or more than 2²⁶ of them.
    pub fn of(image: &Tensor) -> Result<Png> {
        let (channels, height, width) = match *image.shape().dims() {
            [height, width] => (1, height, width),
            [channels @ (1 | 3 | 4), height, width] => (channels, height, width),
            _ => {
                let error = Error::shape(format!("an image is no {}", image.shape()));
                return Err(error.help("[height, width], or [channels, height, width] with 1, 3 or 4 channels"));
            }
        };
        let pixels = height * width;
        if pixels == 0 || pixels > MOST {
            return Err(Error::shape(format!("an image of {height} × {width} pixels: at least one, at most 2²⁶")));
        }
        let values = levels(image, 0.0, 1.0);
        let mut data = vec![0; pixels * channels];
        for (i, level) in values.into_iter().enumerate() {
            if let Some(place) = data.get_mut(i % pixels * channels + i / pixels) {
                *place = level;
            }
        }
        encoded(width, height, channels, &data)
    }

    /// The image in a text that stands for its address: `data:image/png;base64,…`.
    pub fn data_url(&self) -> String {
        format!("data:image/png;base64,{}", base64(&self.bytes))
    }
}

/// A level of brightness for each element: floats between `low` and `high`, u8 as they are.
fn levels(image: &Tensor, low: f64, high: f64) -> Vec<u8> {
    let values = image.to_f64_vec().into_iter();
    match image.dtype() {
        DType::U8 => values.map(|x| x as u8).collect(),
        // A cast saturates, and makes NaN 0.
        _ => values.map(|x| ((x - low) / (high - low) * 255.0).round() as u8).collect(),
    }
}

/// Rows of pixels as PNG.
pub(super) fn encoded(width: usize, height: usize, channels: usize, data: &[u8]) -> Result<Png> {
    let failed = |error: png::EncodingError| Error::state(format!("the image cannot be encoded: {error}"));
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(match channels {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        _ => png::ColorType::Rgba,
    });
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(data).and_then(|()| writer.finish()).map_err(failed)?;
    Ok(Png { width, height, channels, bytes })
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let letter = LETTERS.get((bits >> (18 - 6 * i) & 63) as usize).copied().unwrap_or(b'=');
            text.push(if i > group.len() { '=' } else { letter as char });
        }
    }
    text
}

/// The images of a batch beside and below each other.
///
/// ```
/// use wengert_nn::plot::images::ImageGrid;
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::uniform([6, 1, 8, 8], DType::F32, 1u64)?;
/// let svg = ImageGrid::new("noise", &images).columns(3).captions(["a", "b"]).to_svg()?;
/// assert_eq!(svg.matches("<image").count(), 6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ImageGrid {
    title: String,
    images: Tensor,
    columns: usize,
    scale: usize,
    range: (f64, f64),
    captions: Vec<String>,
}

impl ImageGrid {
    /// A grid of images `[n, channels, height, width]` or `[n, height, width]`: floats from 0 to 1, or u8.
    pub fn new(title: impl Into<String>, images: &Tensor) -> ImageGrid {
        let (title, images, captions) = (title.into(), images.clone(), Vec::new());
        ImageGrid { title, images, columns: 8, scale: 0, range: (0.0, 1.0), captions }
    }

    /// So many in a row (default 8).
    #[must_use]
    pub fn columns(self, columns: usize) -> ImageGrid {
        ImageGrid { columns: columns.max(1), ..self }
    }

    /// So many pixels of the drawing for each of an image. By default small images are drawn about 64 pixels wide.
    #[must_use]
    pub fn scale(self, scale: usize) -> ImageGrid {
        ImageGrid { scale, ..self }
    }

    /// The values of floats that are black and white (default 0 and 1): −1 and 1 for the output of a tanh.
    #[must_use]
    pub fn range(self, black: f64, white: f64) -> ImageGrid {
        ImageGrid { range: (black, white), ..self }
    }

    /// What stands below the images, from the first on.
    #[must_use]
    pub fn captions<S: Into<String>>(self, captions: impl IntoIterator<Item = S>) -> ImageGrid {
        ImageGrid { captions: captions.into_iter().map(Into::into).collect(), ..self }
    }

    /// The grid as SVG text, with the images in it.
    ///
    /// # Errors
    /// `Shape` for what is no batch of images, `Value` for a range without an inside.
    #[track_caller]
    pub fn to_svg(&self) -> Result<String> {
        let here = Location::caller();
        self.draw().map_err(|error| {
            let images = format!("{} {}", self.images.shape(), self.images.dtype());
            error.op("ImageGrid").operand("images", images).at(here)
        })
    }

    /// Writes the grid to a file, and makes its folder when there is none.
    ///
    /// # Errors
    /// Those of [`to_svg`](ImageGrid::to_svg), and `Io`.
    #[track_caller]
    pub fn save_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        save(path, &self.to_svg()?)
    }

    fn draw(&self) -> Result<String> {
        let (n, channels, height, width) = match *self.images.shape().dims() {
            [n, height, width] => (n, 1, height, width),
            [n, channels @ (1 | 3 | 4), height, width] => (n, channels, height, width),
            _ => return Err(Error::shape("a batch of images is [n, channels, height, width] or [n, height, width]")),
        };
        let pixels = height * width;
        if n == 0 || pixels == 0 || n.saturating_mul(pixels) > MOST {
            return Err(Error::shape("at least one pixel, and at most 2²⁶ in all"));
        }
        let (low, high) = self.range;
        if !(low < high && (high - low).is_finite()) {
            return Err(Error::value(format!("the range {low} to {high} has no inside")));
        }
        let scale = if self.scale > 0 { self.scale } else { (64 / width.max(height)).clamp(1, 16) };
        let (wide, tall) = (width * scale, height * scale);
        let caption = if self.captions.is_empty() { 0 } else { 16 };
        let columns = self.columns.min(n);
        let all = (columns * (wide + 4) + 12, n.div_ceil(columns) * (tall + 4 + caption) + 40);
        let mut svg = opened(all, &self.title);
        let data = levels(&self.images, low, high);
        for (i, image) in data.chunks(pixels * channels).enumerate() {
            let mut rows = vec![0; pixels * channels];
            for (j, &level) in image.iter().enumerate() {
                if let Some(place) = rows.get_mut(j % pixels * channels + j / pixels) {
                    *place = level;
                }
            }
            let (x, y) = (8 + i % columns * (wide + 4), 34 + i / columns * (tall + 4 + caption));
            embed(&mut svg, &encoded(width, height, channels, &rows)?, [x, y, wide, tall]);
            if let Some(text) = self.captions.get(i) {
                let (x, y) = (x + wide / 2, y + tall + 12);
                _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>", escaped(text));
            }
        }
        svg.push_str("</svg>\n");
        Ok(svg)
    }
}

/// The beginning of a drawing, wide enough for its title.
pub(super) fn opened((width, height): (usize, usize), title: &str) -> String {
    // A letter is about 0.55 as wide as it is high.
    let width = width.max(16 + title.chars().count().min(120) * 9);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"#3c3c3c\">\n<rect width=\"100%\" height=\"100%\" \
         fill=\"white\"/>\n<text x=\"8\" y=\"22\" font-size=\"16\">{}</text>\n",
        escaped(title)
    )
}

/// An image at a place, of a size.
pub(super) fn embed(svg: &mut String, png: &Png, [x, y, width, height]: [usize; 4]) {
    _ = writeln!(
        svg,
        "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
         style=\"image-rendering:pixelated\" href=\"{}\"/>",
        png.data_url()
    );
}

pub(super) fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    printable(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_bytes_is_that_of_the_standard() {
        let of = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(of, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }

    #[test]
    fn pixels_come_back_as_they_were() {
        let image = Tensor::new((0..24u8).collect::<Vec<_>>(), [3, 2, 4]).unwrap();
        let png = Png::of(&image).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&png.bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (4, 2));
        // Channels of a pixel stand together in a file.
        let expected: Vec<u8> = (0..8).flat_map(|at| [at, at + 8, at + 16]).collect();
        assert_eq!(pixels, expected);
        let odd = Tensor::from([[f32::NAN, -1.0, 2.0, f32::INFINITY]]);
        assert_eq!(levels(&odd, 0.0, 1.0), [0, 0, 255, 255]);
    }

    #[test]
    fn what_is_no_image_is_an_error() {
        for shape in [&[3][..], &[2, 4, 4], &[0, 4], &[1, 1, 4, 4]] {
            assert!(Png::of(&Tensor::zeros(shape, DType::F32).unwrap()).is_err(), "{shape:?}");
        }
        let grid = |shape: &[usize]| ImageGrid::new("t", &Tensor::zeros(shape, DType::F32).unwrap());
        assert!(grid(&[2, 5, 4, 4]).to_svg().is_err() && grid(&[0, 4, 4]).to_svg().is_err());
        assert!(grid(&[2, 4, 4]).range(1.0, 1.0).to_svg().is_err());
        assert!(grid(&[2, 4, 4]).columns(0).captions(["<a>\0"]).to_svg().unwrap().contains("&lt;a&gt;\u{fffd}<"));
    }
}
