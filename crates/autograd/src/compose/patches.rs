//! The patches of images as columns of a matrix, and back: what a convolution multiplies with its weights.

use crate::compose::conv::Conv;
use crate::graph::Var;
use crate::sample::{Entry, Sample};
use crate::spatial::{Along, Dims, PerAxis, spatial};
use smallvec::SmallVec;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{IntoShape, Shape};
use wengert_tensor::tensor::Tensor;

impl<'t> Var<'t> {
    /// The patches that a convolution with a kernel of this size sees, as columns: `[examples, channels, n…]` becomes `[examples,
    /// channels · kernel, places]`. Also known as im2col; for windows of one axis there is [`Var::windows`].
    ///
    /// ```
    /// # use wengert_autograd::{Apply, Conv};
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[[[1i64, 2, 3], [4, 5, 6]]]]);
    /// let y = x.apply(|x| x.unfold([2, 2], Conv::new()))?;
    /// assert_eq!(y.shape().dims(), [1, 4, 2]);
    /// assert_eq!(y.to_vec::<i64>()?, [1, 2, 2, 3, 4, 5, 5, 6]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "im2col")]
    #[track_caller]
    pub fn unfold(self, size: impl Into<PerAxis>, options: impl Into<Conv>) -> Var<'t> {
        let _call = self.tape.call("unfold");
        let (size, options) = (size.into(), options.into());
        let unfolded = columns(&self.shape(), &size, &options)
            .and_then(|found| Ok(self.conv_windows(&options, &found.all)?.permute(&found.back).reshape(found.whole)));
        match unfolded {
            Ok(y) => self.named("unfold", y),
            Err(error) => self.reject("unfold", error),
        }
    }

    /// The transpose of [`Var::unfold`]: puts columns back into images with spatial axes of these sizes, and adds up what overlaps.
    /// Also known as col2im.
    ///
    /// ```
    /// # use wengert_autograd::{Apply, Conv};
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[[1i64, 2], [2, 3], [4, 5], [5, 6]]]);
    /// let y = x.apply(|x| x.fold([2, 3], [2, 2], Conv::new()))?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, 4, 3, 4, 10, 6]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "col2im")]
    #[track_caller]
    pub fn fold(self, sizes: impl IntoShape, size: impl Into<PerAxis>, options: impl Into<Conv>) -> Var<'t> {
        let _call = self.tape.call("fold");
        let folded = || {
            let (sizes, size, options) = (sizes.into_shape()?, size.into(), options.into());
            let &[examples, rows, places] = self.shape().dims() else {
                return Err(Error::shape(format!("takes [examples, channels · kernel, places], not {}", self.shape())));
            };
            if options.pad_mode.is_some() {
                return Err(Error::value("a sum of patches takes its padding away, whatever it was made of"));
            }
            let kernel = size.of("the size", sizes.rank())?;
            let window = Shape::new(kernel)?.len();
            if window == 0 || rows % window != 0 {
                return Err(Error::shape(format!(
                    "{rows} rows are no channels with {window} elements of a kernel each"
                )));
            }
            let image: Dims = [examples, rows / window].into_iter().chain(sizes.iter().copied()).collect();
            let found = columns(&image.into_shape()?, &size, &options)?;
            match found.whole.last() {
                Some(&wanted) if wanted == places => {
                    self.reshape(found.apart).permute(&found.order).fold_all(&found.all)
                }
                wanted => {
                    let wanted = wanted.copied().unwrap_or_default();
                    Err(Error::shape(format!("images of {sizes} have {wanted} places, and there are {places} columns")))
                }
            }
        };
        match folded() {
            Ok(y) => self.named("fold", y),
            Err(error) => self.reject("fold", error),
        }
    }
}

/// How images become columns.
struct Columns {
    all: SmallVec<[Along; 3]>,
    /// From [N, C, k₁, l₁, …] to [N, C, k…, l…], and the other way round.
    back: SmallVec<[isize; 8]>,
    order: SmallVec<[isize; 8]>,
    /// [N, C, k…, l…] and [N, C · k…, l…].
    apart: Shape,
    whole: Shape,
}

fn columns(x: &Shape, size: &PerAxis, options: &Conv) -> Result<Columns> {
    if options.group_count() != 1 {
        return Err(Error::value("patches have no groups"));
    }
    let sizes = spatial(x, size.axes())?;
    let kernel = size.of("the size", sizes.len())?;
    let all = options.along(sizes, &kernel)?;
    let counts: Dims = all.iter().map(|along| along.count()).collect::<Result<_>>()?;
    let front: Dims = x.iter().take(2).copied().collect();
    let apart = [front.as_slice(), &kernel, &counts].concat().into_shape()?;
    let (axes, rows) = (sizes.len(), 2 + sizes.len());
    let dims = [
        front.first().copied().unwrap_or_default(),
        apart.iter().skip(1).take(1 + axes).product(),
        apart.iter().skip(rows).product(),
    ];
    let signed = |axis: usize| axis as isize;
    let back = (0..2).chain((0..axes).map(|i| 2 + 2 * i)).chain((0..axes).map(|i| 3 + 2 * i)).map(signed).collect();
    let order = (0..2).chain((0..axes).flat_map(|i| [2 + i, rows + i])).map(signed).collect();
    Ok(Columns { all, back, order, apart, whole: dims.into_shape()? })
}

pub(super) fn entries() -> Vec<Entry> {
    let wave =
        |dims: &[usize]| Tensor::from_fn(dims, |i| (i as f64 * 1.7).sin()).unwrap_or_else(|_| Tensor::from(0.0f64));
    let image = || [Tensor::from([[[[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]]]])];
    const OPTIONS: fn() -> Conv = || Conv::new().padding([1, 0]).dilation([1, 2]);
    let entry = |op, samples| Entry::new(op, "patches.rs", samples);
    vec![
        entry(
            "unfold",
            vec![
                // As PyTorch has it.
                Sample::new("padded and dilated", image(), |_, x| x[0].unfold([2, 2], OPTIONS()))
                    .gives([0., 1., 4., 0., 3., 6., 1., 4., 0., 3., 6., 0.])
                    .slopes([2., 0., 2., 2., 0., 2.]),
                Sample::new("line", image(), |_, x| x[0].at(0, 0).unfold(2, Conv::new()).square())
                    .gives([1., 4., 4., 9., 16., 25., 25., 36.]),
                Sample::new("volume", [wave(&[2, 2, 2, 3, 2])], |_, x| {
                    x[0].unfold([2, 2, 1], Conv::new().stride([1, 2, 1]).padding([0, 1, 0])).square()
                }),
            ],
        ),
        entry(
            "fold",
            vec![
                // As PyTorch has it.
                Sample::new("padded and dilated", [wave(&[1, 4, 3])], |_, x| {
                    x[0].mul(10.0).round().fold([2, 3], [2, 2], OPTIONS())
                })
                .kinked()
                .gives([3.0, 0.0, 9.0, -9.0, 0.0, -2.0]),
                Sample::new("of patches", image(), |_, x| {
                    x[0].unfold(2, OPTIONS()).square().fold([2, 3], 2, OPTIONS())
                })
                .gives([2., 0., 18., 32., 0., 72.]),
                Sample::new("line", [wave(&[2, 4, 3])], |_, x| x[0].fold(6, 2, Conv::new().stride(2)).square()),
            ],
        ),
    ]
}
