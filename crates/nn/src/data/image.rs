//! PNG and JPEG files as tensors.
//!
//! An image is `[channels, height, width]` u8, red, green and blue or gray. A transparent image loses its transparency, one
//! of 16 bits its lower bits, as Pillow's `convert("RGB")` does; a rotation that a camera noted is not applied.
//!
//! The size that a file declares is not trusted: it is refused where the bytes of the file cannot hold so many pixels, or
//! there are more than a limit.

use super::bytes::{self, DEFLATE_RATIO, MAX_BYTES};
use crate::explain::framed;
use std::io::Cursor;
use std::path::Path;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// Reads a PNG or JPEG file as `[3, height, width]` u8; [`ImageReader`] has more choices.
///
/// # Errors
/// Those of [`ImageReader::read`].
#[track_caller]
pub fn read_image(path: impl AsRef<Path>) -> Result<Tensor> {
    ImageReader::new().read(path)
}

/// How to read images; a builder.
///
/// ```
/// use wengert_nn::data::image::{ImageReader, png_bytes};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let image = Tensor::from([[[0u8, 100], [200, 255]]]);
/// let png = png_bytes(&image)?;
/// assert!(ImageReader::new().gray().decode("a.png", &png)?.equals(&image));
/// assert_eq!(ImageReader::new().decode("a.png", &png)?.shape().dims(), [3, 2, 2]);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ImageReader {
    gray: bool,
    max_pixels: u64,
}

impl Default for ImageReader {
    fn default() -> ImageReader {
        ImageReader::new()
    }
}

impl ImageReader {
    /// Red, green and blue, of up to 2²⁷ pixels.
    pub fn new() -> ImageReader {
        ImageReader { gray: false, max_pixels: 1 << 27 }
    }

    /// One channel, `0.299 R + 0.587 G + 0.114 B`.
    #[must_use]
    pub fn gray(mut self) -> Self {
        self.gray = true;
        self
    }

    /// Refuses a larger image.
    #[must_use]
    pub fn max_pixels(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        self
    }

    /// The channels of every image.
    pub fn channels(&self) -> usize {
        if self.gray { 1 } else { 3 }
    }

    /// The image of a file.
    ///
    /// # Errors
    /// `Io` for a file that cannot be read; `Format` for one that is neither PNG nor JPEG, is damaged or cut off; `Data` for
    /// one of more pixels than the limit.
    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Tensor> {
        let path = path.as_ref();
        framed("read_image", self.pixels_of(path).and_then(|pixels| pixels.tensor()))
    }

    /// The image of bytes in memory; `name` stands for the file in errors.
    ///
    /// # Errors
    /// Those of [`ImageReader::read`].
    #[track_caller]
    pub fn decode(&self, name: &str, bytes: &[u8]) -> Result<Tensor> {
        framed("read_image", self.pixels(name, bytes).and_then(|pixels| pixels.tensor()))
    }

    pub(super) fn pixels_of(&self, path: &Path) -> Result<Pixels> {
        self.pixels(&path.display().to_string(), &bytes::read(path, MAX_BYTES)?)
    }

    fn pixels(&self, name: &str, bytes: &[u8]) -> Result<Pixels> {
        let pixels = match bytes {
            [0x89, b'P', b'N', b'G', ..] => self.png(name, bytes)?,
            [0xff, 0xd8, ..] => self.jpeg(name, bytes)?,
            _ => return Err(Error::format(format!("{name} is neither a PNG nor a JPEG file"))),
        };
        Ok(pixels.with_channels(self.channels()))
    }

    fn png(&self, name: &str, bytes: &[u8]) -> Result<Pixels> {
        let broken = |error: png::DecodingError| damaged(name, "PNG", error);
        // Text and colour profiles are of no use here.
        let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: 1 << 20 });
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        let info = decoder.read_header_info().map_err(broken)?;
        let (width, height) = (u64::from(info.width), u64::from(info.height));
        let packed = u128::from(width * height) * info.bits_per_pixel() as u128 / 8;
        self.check(name, [height, width])?;
        if packed > u128::from(DEFLATE_RATIO) * bytes.len() as u128 {
            return Err(too_few(name, [height, width], bytes));
        }
        // The rows and the output, which was found to be no more than the bytes can hold.
        decoder.set_limits(png::Limits { bytes: (1 << 20) + 32 * (width * height) as usize });
        let mut reader = decoder.read_info().map_err(broken)?;
        let size = reader.output_buffer_size().ok_or_else(|| too_few(name, [height, width], bytes))?;
        let mut values = vec![0; size];
        let frame = reader.next_frame(&mut values).map_err(broken)?;
        // A file that ends after its pixels is cut off, too.
        reader.finish().map_err(broken)?;
        values.truncate(frame.buffer_size());
        let channels = frame.color_type.samples();
        let pixels = Pixels { height: frame.height as usize, width: frame.width as usize, channels, values };
        pixels.checked(name)
    }

    fn jpeg(&self, name: &str, bytes: &[u8]) -> Result<Pixels> {
        let broken = |error: zune_jpeg::errors::DecodeErrors| damaged(name, "JPEG", error);
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(u16::MAX.into())
            .set_max_height(u16::MAX.into());
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(broken)?;
        let info = decoder.info().ok_or_else(|| Error::format(format!("{name} has no JPEG header")))?;
        let (width, height) = (u64::from(info.width), u64::from(info.height));
        self.check(name, [height, width])?;
        // A block of 64 pixels takes a bit at least.
        if width * height > 512 * bytes.len() as u64 + 4096 {
            return Err(too_few(name, [height, width], bytes));
        }
        let (space, channels) = match info.components {
            1 => (ColorSpace::Luma, 1),
            3 => (ColorSpace::RGB, 3),
            n => {
                return Err(Error::format(format!("{name} is a JPEG file of {n} components"))
                    .help("gray and colour images are read; in Python: `image.convert('RGB')`"));
            }
        };
        decoder.set_options(options.jpeg_set_out_colorspace(space));
        let values = decoder.decode().map_err(broken)?;
        Pixels { height: height as usize, width: width as usize, channels, values }.checked(name)
    }

    fn check(&self, name: &str, [height, width]: [u64; 2]) -> Result<()> {
        match height.checked_mul(width).is_some_and(|pixels| pixels <= self.max_pixels) {
            true => Ok(()),
            false => {
                let text = format!("{name} has {height} × {width} pixels, the limit is {}", self.max_pixels);
                Err(Error::data(text).help("`max_pixels` raises the limit"))
            }
        }
    }
}

/// Writes an image `[1, height, width]` or `[3, height, width]` u8, or of floats in `[0, 1]`, as a PNG file, whole or not at
/// all.
///
/// # Errors
/// A tensor that is no such image; `Io` when the file cannot be written.
#[track_caller]
pub fn write_png(path: impl AsRef<Path>, image: &Tensor) -> Result<()> {
    let written = png_bytes(image).and_then(|bytes| crate::files::atomic::write_atomic(path, &bytes));
    framed("write_png", written)
}

/// The bytes of the file that [`write_png`] writes.
///
/// # Errors
/// A tensor that is no image.
pub fn png_bytes(image: &Tensor) -> Result<Vec<u8>> {
    let &[channels @ (1 | 3), height, width] = image.shape().dims() else {
        return Err(Error::shape(format!("takes [1 or 3, height, width], not {}", image.shape())));
    };
    let values: Vec<u8> = if image.dtype().is_float() {
        image.to_f64_vec().iter().map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8).collect()
    } else {
        image.to_vec::<u8>()?
    };
    let plane = height * width;
    let order = (0..plane).flat_map(|at| (0..channels).map(move |channel| channel * plane + at));
    let interleaved: Vec<u8> = order.filter_map(|at| values.get(at).copied()).collect();
    let size = |n: usize| u32::try_from(n).map_err(|_| Error::shape(format!("{n} is no size of an image")));
    let failed = |error: png::EncodingError| Error::value("the image cannot be written").caused_by(error);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size(width)?, size(height)?);
    encoder.set_color(if channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&interleaved).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// Pixels side by side, each with its channels.
#[derive(Debug)]
pub(super) struct Pixels {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) values: Vec<u8>,
}

impl Pixels {
    fn checked(self, name: &str) -> Result<Pixels> {
        match self.values.len() == self.height * self.width * self.channels && !self.values.is_empty() {
            true => Ok(self),
            false => Err(Error::format(format!("{name} has no whole image"))),
        }
    }

    /// Gray, or red, green and blue; transparency is left out.
    fn with_channels(self, wanted: usize) -> Pixels {
        if self.channels == wanted {
            return self;
        }
        let gray = |r: u8, g: u8, b: u8| {
            // As Pillow rounds it.
            let sum = u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000;
            (sum >> 16) as u8
        };
        let pixels = self.values.chunks_exact(self.channels);
        let values = match wanted {
            1 => pixels
                .filter_map(|pixel| match *pixel {
                    [r, g, b, ..] => Some(gray(r, g, b)),
                    [value, ..] => Some(value),
                    [] => None,
                })
                .collect(),
            _ => pixels
                .flat_map(|pixel| match *pixel {
                    [r, g, b, ..] => [r, g, b],
                    [value, ..] => [value; 3],
                    [] => [0; 3],
                })
                .collect(),
        };
        Pixels { channels: wanted, values, ..self }
    }

    /// Channel after channel.
    pub(super) fn planes(&self) -> Vec<u8> {
        (0..self.channels).flat_map(|c| self.values.iter().skip(c).step_by(self.channels).copied()).collect()
    }

    fn tensor(&self) -> Result<Tensor> {
        Tensor::new(self.planes(), [self.channels, self.height, self.width])
    }
}

fn damaged(name: &str, kind: &str, error: impl std::fmt::Display) -> Error {
    // The decoders quote what they did not understand, whatever its length.
    let what: String = error.to_string().chars().take(200).collect();
    Error::format(format!("{name} is no whole {kind} file: {}", what.escape_debug()))
}

fn too_few(name: &str, [height, width]: [u64; 2], bytes: &[u8]) -> Error {
    Error::format(format!("{name} says that its {} bytes hold {height} × {width} pixels", bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn png_comes_back() {
        let rgb = Tensor::from_fn([3, 5, 4], |i| (i * 37 % 256) as i64)
            .unwrap()
            .cast(wengert_tensor::dtype::DType::U8)
            .unwrap();
        let bytes = png_bytes(&rgb).unwrap();
        assert!(ImageReader::new().decode("a", &bytes).unwrap().equals(&rgb));
        let floats = Tensor::from([[[0.0f32, 1.0, 2.0, 0.2]]]);
        let gray = ImageReader::new().gray().decode("a", &png_bytes(&floats).unwrap()).unwrap();
        assert_eq!(gray.to_vec::<u8>().unwrap(), [0, 255, 255, 51]);
        assert!(png_bytes(&Tensor::from([1u8])).is_err() && png_bytes(&Tensor::from([[[1i64]]])).is_err());
        for end in 0..bytes.len() {
            assert!(ImageReader::new().decode("a", &bytes[..end]).is_err(), "{end}");
        }
        let error = ImageReader::new().max_pixels(19).decode("a.png", &bytes).unwrap_err().to_string();
        assert!(error.contains("a.png has 5 × 4 pixels, the limit is 19"), "{error}");
    }
}
