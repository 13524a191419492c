//! A folder of images, in a folder for each class.

use super::dataset::{Dataset, out_of_range};
use super::image::{ImageReader, Pixels};
use crate::explain::framed;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// Images in `folder/class/….png`, `.jpg` or `.jpeg`, read when a batch wants them; torchvision's `ImageFolder`.
///
/// Classes are the names of the folders, in alphabetical order; the files of a class lie at any depth below it, in the order
/// of their paths. Files with other endings are left alone. A batch is images `[samples, channels, height, width]` f32 in
/// `[0, 1]` and labels `[samples]` i64. All images have the size of the first one, unless [`resized`](ImageFolder::resized)
/// gives them one.
///
/// ```
/// use wengert_nn::data::dataset::Dataset;
/// use wengert_nn::data::folder::ImageFolder;
/// use wengert_nn::data::image::write_png;
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let root = std::env::temp_dir().join(format!("wengert-doc-folder-{}", std::process::id()));
/// for (name, size) in [("cat/a.png", 8), ("cat/b.png", 12), ("dog/a.png", 16)] {
///     write_png(root.join(name), &Tensor::zeros([3, size, size], DType::U8)?)?;
/// }
/// let data = ImageFolder::open(&root)?.resized(10, 10);
/// assert_eq!(data.classes(), ["cat", "dog"]);
/// let (images, labels) = data.batch(&[2, 0])?;
/// assert_eq!(images.shape().dims(), [2, 3, 10, 10]);
/// assert_eq!(labels.to_vec::<i64>()?, [1, 0]);
/// # std::fs::remove_dir_all(&root).ok();
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ImageFolder {
    classes: Vec<String>,
    files: Vec<(PathBuf, usize)>,
    reader: ImageReader,
    resized: Option<[usize; 2]>,
    /// The size of the first image.
    size: OnceLock<[usize; 2]>,
}

impl ImageFolder {
    /// Lists the files; reads none.
    ///
    /// # Errors
    /// `Io` for a folder that cannot be listed; `Data` for one without folders, or a class without images.
    #[track_caller]
    pub fn open(folder: impl AsRef<Path>) -> Result<ImageFolder> {
        framed("ImageFolder", ImageFolder::listed(folder.as_ref()))
    }

    fn listed(folder: &Path) -> Result<ImageFolder> {
        let mut names: Vec<String> = Vec::new();
        for (path, is_folder) in entries(folder)? {
            let name = path.file_name().unwrap_or_default();
            if is_folder {
                let name = name.to_str().ok_or_else(|| Error::data(format!("{} is not UTF-8", path.display())))?;
                names.extend((!name.starts_with('.')).then(|| name.to_string()));
            }
        }
        names.sort_unstable();
        if names.is_empty() {
            return Err(Error::data(format!("{} has no folders", folder.display()))
                .help("the images of each class lie in a folder of its name"));
        }
        let mut files = Vec::new();
        for (class, name) in names.iter().enumerate() {
            let found = images_below(&folder.join(name))?;
            if found.is_empty() {
                let text = format!("the class {} has no .png, .jpg or .jpeg file", folder.join(name).display());
                return Err(Error::data(text));
            }
            files.extend(found.into_iter().map(|file| (file, class)));
        }
        let reader = ImageReader::new();
        Ok(ImageFolder { classes: names, files, reader, resized: None, size: OnceLock::new() })
    }

    /// Brings all images to one size, linear between pixels, as [`ResizeImage`](super::transform::resize::ResizeImage).
    #[must_use]
    pub fn resized(mut self, height: usize, width: usize) -> Self {
        self.resized = Some([height.max(1), width.max(1)]);
        self
    }

    /// Reads with these choices: gray, or with another limit.
    #[must_use]
    pub fn reader(mut self, reader: ImageReader) -> Self {
        self.reader = reader;
        self
    }

    /// The names of the classes, in the order of the labels.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The files, in the order of the samples.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.files.iter().map(|(file, _)| file.as_path())
    }

    /// The label of every sample, for a sampler or a split.
    ///
    /// # Errors
    /// When memory cannot be had.
    pub fn labels(&self) -> Result<Tensor> {
        Tensor::new(self.files.iter().map(|&(_, class)| class as i64).collect::<Vec<_>>(), [self.files.len()])
    }

    fn read(&self, index: usize) -> Result<(Pixels, i64)> {
        let (file, class) = self.files.get(index).ok_or_else(|| out_of_range(index, self.files.len()))?;
        Ok((self.reader.pixels_of(file)?, *class as i64))
    }

    /// The size that all images have to have.
    fn size(&self) -> Result<[usize; 2]> {
        match (self.resized, self.size.get()) {
            (Some(size), _) | (None, Some(&size)) => Ok(size),
            (None, None) => {
                let (first, _) = self.read(0)?;
                Ok(*self.size.get_or_init(|| [first.height, first.width]))
            }
        }
    }

    fn gathered(&self, indices: &[usize]) -> Result<(Tensor, Tensor)> {
        let [height, width] = self.size()?;
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        for &index in indices {
            let (pixels, label) = self.read(index)?;
            labels.push(label);
            if [pixels.height, pixels.width] == [height, width] {
                values.extend(pixels.planes().into_iter().map(|value| f32::from(value) / 255.0));
            } else if self.resized.is_some() {
                resize(&pixels, [height, width], &mut values);
            } else {
                let name = |index: usize| self.files.get(index).map(|(file, _)| file.display().to_string());
                let (first, this) = (name(0).unwrap_or_default(), name(index).unwrap_or_default());
                let text =
                    format!("{first} has {height} × {width} pixels, {this} has {} × {}", pixels.height, pixels.width);
                return Err(Error::data(text).help(format!("`.resized({height}, {width})` gives all one size")));
            }
        }
        let images = Tensor::new(values, [indices.len(), self.reader.channels(), height, width])?;
        Ok((images, Tensor::new(labels, [indices.len()])?))
    }
}

impl Dataset for ImageFolder {
    type Batch = (Tensor, Tensor);

    fn len(&self) -> usize {
        self.files.len()
    }

    fn batch(&self, indices: &[usize]) -> Result<(Tensor, Tensor)> {
        self.gathered(indices).map_err(|error| error.op("ImageFolder"))
    }
}

/// What lies in a folder, and whether it is one. Links to folders are not followed, so that there is no circle.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, bool)>> {
    let failed = |error: std::io::Error| Error::io(format!("{} cannot be listed", folder.display())).caused_by(error);
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    entries
        .map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?.is_dir()))).map_err(failed))
        .collect()
}

/// The images at any depth, in the order of their paths.
fn images_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut waiting = vec![folder.to_path_buf()];
    let mut images = Vec::new();
    while let Some(folder) = waiting.pop() {
        for (path, is_folder) in entries(&folder)? {
            let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
            if is_folder {
                waiting.push(path);
            } else if ["png", "jpg", "jpeg"].iter().any(|image| ending == *image) {
                images.push(path);
            }
        }
    }
    images.sort_unstable();
    Ok(images)
}

/// Appends the image in another size: bilinear, the middles of the first and last pixels as PyTorch's `interpolate` has
/// them. A loop of its own, for a plan for every size of an image would cost more than the image.
fn resize(pixels: &Pixels, [height, width]: [usize; 2], out: &mut Vec<f32>) {
    let reading = |to: usize, from: usize| -> Vec<(usize, usize, f32)> {
        let scale = from as f64 / to as f64;
        let read = |i: usize| {
            let place = ((i as f64 + 0.5) * scale - 0.5).max(0.0);
            let first = (place as usize).min(from - 1);
            (first, (first + 1).min(from - 1), (place - first as f64) as f32)
        };
        (0..to).map(read).collect()
    };
    let (rows, columns) = (reading(height, pixels.height), reading(width, pixels.width));
    let planes = pixels.planes();
    for plane in planes.chunks_exact((pixels.height * pixels.width).max(1)) {
        let at = |y: usize, x: usize| f32::from(plane.get(y * pixels.width + x).copied().unwrap_or(0));
        for &(top, bottom, down) in &rows {
            for &(left, right, along) in &columns {
                let upper = at(top, left) * (1.0 - along) + at(top, right) * along;
                let lower = at(bottom, left) * (1.0 - along) + at(bottom, right) * along;
                out.push((upper * (1.0 - down) + lower * down) / 255.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::image::write_png;
    use super::*;
    use crate::data::transform::{Transform, convert::ToFloat, resize::ResizeImage};
    use crate::scratch::Scratch;
    use wengert_tensor::dtype::DType;

    fn picture(size: [usize; 2], seed: i64) -> Tensor {
        let value = |i: usize| (i as i64 * 73 + seed * 31) % 256;
        Tensor::from_fn([3, size[0], size[1]], value).unwrap().cast(DType::U8).unwrap()
    }

    #[test]
    fn classes_are_folders_and_mixed_sizes_are_named() {
        let scratch = Scratch::new("folder");
        for (name, size, seed) in
            [("pics/b/1.png", [4, 6], 1), ("pics/a/deep/2.PNG", [4, 6], 2), ("pics/a/0.png", [4, 6], 3)]
        {
            write_png(scratch.file(name), &picture(size, seed)).unwrap();
        }
        std::fs::write(scratch.file("pics/a/notes.txt"), "no image").unwrap();
        let data = ImageFolder::open(scratch.file("pics")).unwrap();
        assert_eq!(data.labels().unwrap().to_vec::<i64>().unwrap(), [0, 0, 1]);
        let (x, y) = data.batch(&[2, 1]).unwrap();
        let expected =
            ToFloat.apply(&Tensor::stack(&[picture([4, 6], 1), picture([4, 6], 2)], 0).unwrap(), &[]).unwrap();
        assert!(x.equals(&expected));
        assert_eq!(y.to_vec::<i64>().unwrap(), [1, 0]);
        write_png(scratch.file("pics/b/2.png"), &picture([5, 7], 4)).unwrap();
        let data = ImageFolder::open(scratch.file("pics")).unwrap();
        let error = data.batch(&[3]).unwrap_err().to_string();
        for part in ["a/0.png has 4 × 6 pixels", "b/2.png has 5 × 7", "`.resized(4, 6)`"] {
            assert!(error.contains(part), "{error}");
        }
        let resized = ImageFolder::open(scratch.file("pics")).unwrap().resized(3, 8).batch(&[3]).unwrap().0;
        let by_op = ToFloat.apply(&picture([5, 7], 4).unsqueeze(0).unwrap(), &[]).unwrap();
        let by_op = ResizeImage::new(3, 8).apply(&by_op, &[]).unwrap();
        assert!(resized.max_abs_diff(&by_op).unwrap() < 1e-6);
        let gray = ImageFolder::open(scratch.file("pics")).unwrap().reader(ImageReader::new().gray());
        assert_eq!(gray.batch(&[0]).unwrap().0.shape().dims(), [1, 1, 4, 6]);
        assert!(data.batch(&[9]).is_err());
    }

    #[test]
    fn what_is_no_folder_of_images_is_an_error() {
        let scratch = Scratch::new("folder");
        assert!(ImageFolder::open(scratch.file("none")).is_err());
        std::fs::create_dir_all(scratch.file("pics/empty")).unwrap();
        let error = ImageFolder::open(scratch.file("pics")).unwrap_err().to_string();
        assert!(error.contains("empty has no .png"), "{error}");
        assert!(ImageFolder::open(scratch.file("pics/empty")).unwrap_err().to_string().contains("has no folders"));
        std::fs::write(scratch.file("pics/empty/a.jpg"), "no image").unwrap();
        let data = ImageFolder::open(scratch.file("pics")).unwrap();
        assert!(data.batch(&[0]).unwrap_err().to_string().contains("neither a PNG nor a JPEG"));
    }
}
