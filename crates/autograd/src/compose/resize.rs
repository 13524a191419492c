//! Images of another size: interpolation between their elements, and channels that become elements.

use crate::compose::widened;
use crate::graph::Var;
use crate::meta::floats;
use crate::sample::{Entry, Sample};
use crate::spatial::{Dims, FRONT, PerAxis, spatial, tabled};
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// To which size, and what lies between the elements.
///
/// An element is a square: its place is that of its middle. With [`Resize::align_corners`] it is a point, and the first and
/// the last stay where they are.
///
/// ```
/// use wengert_autograd::Resize;
/// let twice = Resize::by(2.0).linear();
/// let thumbnail = Resize::to([32, 32]).cubic().align_corners(true);
/// assert_ne!(twice, thumbnail);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Resize {
    size: Size,
    between: Between,
    align_corners: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Size {
    To(PerAxis),
    By(f64),
    ByEach(SmallVec<[f64; 3]>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Between {
    Nearest,
    NearestExact,
    Area,
    Linear,
    Cubic,
}

impl Resize {
    fn of(size: Size) -> Resize {
        Resize { size, between: Between::Nearest, align_corners: false }
    }

    /// To this size, or these sizes of the spatial axes.
    pub fn to(size: impl Into<PerAxis>) -> Resize {
        Resize::of(Size::To(size.into()))
    }

    /// To so many times the size, rounded down.
    pub fn by(scale: f64) -> Resize {
        Resize::of(Size::By(scale))
    }

    /// As [`Resize::by`], with a factor for each spatial axis.
    pub fn by_each(scales: impl AsRef<[f64]>) -> Resize {
        Resize::of(Size::ByEach(SmallVec::from_slice(scales.as_ref())))
    }

    /// Each element is that of the input at its place. This is the default.
    #[must_use]
    pub fn nearest(self) -> Resize {
        Resize { between: Between::Nearest, ..self }
    }

    /// Each element is that of the input where its middle lies: PyTorch's `nearest-exact`, which agrees with other libraries for images.
    /// [`Resize::nearest`] takes the one where its first edge lies.
    #[must_use]
    pub fn nearest_exact(self) -> Resize {
        Resize { between: Between::NearestExact, ..self }
    }

    /// The mean of the elements that an element covers: [`Var::adaptive_avg_pool`]. For smaller images.
    #[must_use]
    pub fn area(self) -> Resize {
        Resize { between: Between::Area, ..self }
    }

    /// Linear between neighbours: bilinear for images, trilinear for volumes.
    #[must_use]
    pub fn linear(self) -> Resize {
        Resize { between: Between::Linear, ..self }
    }

    /// Cubic between four neighbours (Keys 1981, with a = −0.75): bicubic for images.
    #[must_use]
    pub fn cubic(self) -> Resize {
        Resize { between: Between::Cubic, ..self }
    }

    /// Whether the first and the last element stay where they are.
    #[must_use]
    pub fn align_corners(self, align_corners: bool) -> Resize {
        Resize { align_corners, ..self }
    }

    /// How each axis of these sizes is read.
    fn axes(&self, sizes: &[usize]) -> Result<SmallVec<[Reading; 3]>> {
        let meaning = match self.between {
            Between::Nearest | Between::NearestExact => Some("the nearest element"),
            Between::Area => Some("the mean of an area"),
            Between::Linear | Between::Cubic => None,
        };
        if let (true, Some(what)) = (self.align_corners, meaning) {
            return Err(Error::value(format!("align_corners has no meaning for {what}")).help(".linear() has it"));
        }
        let scales: SmallVec<[f64; 3]> = match &self.size {
            Size::To(to) => {
                let to = to.of("the size", sizes.len())?;
                return sizes.iter().zip(to).map(|(&n, to)| self.axis(n, to, None)).collect();
            }
            Size::By(scale) => SmallVec::from_elem(*scale, sizes.len()),
            Size::ByEach(scales) if scales.len() == sizes.len() => scales.clone(),
            Size::ByEach(scales) => {
                let error = Error::value(format!("{} factors for {} spatial axes", scales.len(), sizes.len()));
                return Err(error.help("there is one for each axis"));
            }
        };
        let scaled = |(&n, scale): (&usize, f64)| match scale.is_finite() && scale > 0.0 {
            true => self.axis(n, (n as f64 * scale) as usize, Some(scale)),
            false => Err(Error::value(format!("a scale of {scale}")).help("it is above 0")),
        };
        sizes.iter().zip(scales).map(scaled).collect()
    }

    fn axis(&self, n: usize, to: usize, scale: Option<f64>) -> Result<Reading> {
        if n == 0 || to == 0 {
            return Err(Error::shape(format!("an axis of {n} resized to {to}")).help("both are at least 1"));
        }
        Shape::new([n, to])?;
        let step = match (self.align_corners, scale) {
            (true, _) if to == 1 => 0.0,
            (true, _) => (n - 1) as f64 / (to - 1) as f64,
            (false, Some(scale)) => 1.0 / scale,
            (false, None) => n as f64 / to as f64,
        };
        Ok(Reading { n, to, step, exact: scale.is_none(), between: self.between, corners: self.align_corners })
    }
}

/// How one axis is read: element i of `to` is at place i · step of n, as corners, or with the middle of elements.
struct Reading {
    n: usize,
    to: usize,
    step: f64,
    /// The step is n / to.
    exact: bool,
    between: Between,
    corners: bool,
}

impl Reading {
    /// Whether nothing changes. A scale that reaches no other size is still a scale, but to linear interpolation, as in PyTorch.
    fn is_same(&self) -> bool {
        self.n == self.to && (self.between == Between::Linear || self.step == 1.0)
    }

    /// The place of element i.
    fn place(&self, i: usize) -> f64 {
        match self.corners {
            true => i as f64 * self.step,
            false => (i as f64 + 0.5) * self.step - 0.5,
        }
    }

    /// How many elements each is made of.
    fn taps(&self) -> usize {
        match self.between {
            Between::Nearest | Between::NearestExact | Between::Area => 1,
            Between::Linear => 2,
            Between::Cubic => 4,
        }
    }

    /// The index of tap t of element i, and its share.
    fn tap(&self, t: usize, i: usize) -> (usize, f64) {
        let last = self.n - 1;
        match self.between {
            // Sizes are divided as integers: no rounding moves a border.
            Between::Nearest if self.exact => (((i as u128 * self.n as u128) / self.to as u128) as usize, 1.0),
            Between::Nearest | Between::Area => (((i as f64 * self.step) as usize).min(last), 1.0),
            // ⌊(i + ½) n / to⌋.
            Between::NearestExact if self.exact => {
                ((((2 * i + 1) as u128 * self.n as u128) / (2 * self.to as u128)) as usize, 1.0)
            }
            Between::NearestExact => ((((i as f64 + 0.5) * self.step) as usize).min(last), 1.0),
            Between::Linear => {
                let place = self.place(i).max(0.0);
                let first = (place as usize).min(last);
                let share = place - first as f64;
                match t {
                    0 => (first, 1.0 - share),
                    _ => ((first + 1).min(last), share),
                }
            }
            Between::Cubic => {
                let place = self.place(i);
                let index = place.floor() + t as f64 - 1.0;
                (index.clamp(0.0, last as f64) as usize, cubic((place - index).abs()))
            }
        }
    }
}

/// The kernel of cubic convolution at a distance below 2.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.75;
    match x <= 1.0 {
        true => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        false => ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A,
    }
}

impl<'t> Var<'t> {
    /// Images `[examples, channels, n…]` in another size, as PyTorch's `interpolate`; axis by axis.
    ///
    /// ```
    /// # use wengert_autograd::{Apply, Resize};
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[[0.0f32, 4.0]]]);
    /// assert_eq!(x.apply(|x| x.interpolate(Resize::by(2.0)))?.to_vec::<f32>()?, [0.0, 0.0, 4.0, 4.0]);
    /// assert_eq!(x.apply(|x| x.interpolate(Resize::to(4).linear()))?.to_vec::<f32>()?, [0.0, 1.0, 3.0, 4.0]);
    /// let corners = Resize::to(3).linear().align_corners(true);
    /// assert_eq!(x.apply(|x| x.interpolate(corners))?.to_vec::<f32>()?, [0.0, 2.0, 4.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias("upsample", "resize"))]
    #[track_caller]
    pub fn interpolate(self, resize: Resize) -> Var<'t> {
        let _call = self.tape.call("interpolate");
        match self.resized(&resize) {
            Ok(y) => self.named("interpolate", y),
            Err(error) => self.reject("interpolate", error),
        }
    }

    #[track_caller]
    fn resized(self, resize: &Resize) -> Result<Var<'t>> {
        let shape = self.shape();
        let known = match &resize.size {
            Size::To(to) => to.axes(),
            Size::By(_) => None,
            Size::ByEach(scales) => Some(scales.len()),
        };
        let readings = resize.axes(spatial(&shape, known)?)?;
        if !matches!(resize.between, Between::Nearest | Between::NearestExact) {
            floats(&self.meta())?;
        }
        if resize.between == Between::Area {
            return Ok(self.adaptive_avg_pool(PerAxis::Each(readings.iter().map(|reading| reading.to).collect())));
        }
        let mut outcome = Ok(());
        let mut read = |x: Var<'t>| {
            readings.iter().enumerate().rev().fold(x, |x, (axis, reading)| {
                let after = (readings.len() - 1 - axis) as isize;
                x.read((FRONT + axis) as isize, after, reading).unwrap_or_else(|error| {
                    outcome = Err(error);
                    x
                })
            })
        };
        let y = match resize.between {
            Between::Nearest | Between::NearestExact => read(self),
            _ => widened(self, read),
        };
        outcome.map(|()| y)
    }

    /// One axis, which has `after` more behind it.
    #[track_caller]
    fn read(self, axis: isize, after: isize, reading: &Reading) -> Result<Var<'t>> {
        if reading.is_same() {
            return Ok(self);
        }
        let tap = |t: usize| -> Result<Var<'t>> {
            let index = tabled(reading.to, |i| reading.tap(t, i).0 as i64)?;
            let picked = self.gather(axis, &index);
            if reading.taps() == 1 {
                return Ok(picked);
            }
            let share = self.tape.input(&tabled(reading.to, |i| reading.tap(t, i).1)?);
            Ok(picked * (0..after).fold(share.cast(self.dtype()), |share, _| share.unsqueeze(-1)))
        };
        let mut sum = tap(0)?;
        for t in 1..reading.taps() {
            sum = sum + tap(t)?;
        }
        Ok(sum)
    }

    /// Every r² channels as r × r elements of one: `[…, C · r², H, W]` becomes `[…, C, H · r, W · r]` (Shi et al. 2016).
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[[1i64]], [[2]], [[3]], [[4]]]).apply(|x| x.pixel_shuffle(2))?;
    /// assert_eq!(y.shape().dims(), [1, 2, 2]);
    /// assert_eq!(y.to_vec::<i64>()?, [1, 2, 3, 4]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn pixel_shuffle(self, r: usize) -> Var<'t> {
        let _call = self.tape.call("pixel_shuffle");
        let shape = self.shape();
        let dims = || -> Result<(usize, [Dims; 2])> {
            let (front, [channels, height, width]) = image(&shape)?;
            let squared = r.checked_mul(r).filter(|&squared| squared > 0 && channels % squared == 0);
            let Some(squared) = squared else {
                return Err(Error::shape(format!("{channels} channels are no multiple of {r} · {r}")));
            };
            let channels = channels / squared;
            let apart = [front, &[channels, r, r, height, width]].concat();
            let whole = [front, &[channels, height.saturating_mul(r), width.saturating_mul(r)]].concat();
            Ok((front.len(), [apart.into(), whole.into()]))
        };
        match dims() {
            Ok((front, [apart, whole])) => {
                let order = after(front, &[0, 3, 1, 4, 2]);
                self.named("pixel_shuffle", self.reshape(apart).permute(&order).reshape(whole))
            }
            Err(error) => self.reject("pixel_shuffle", error),
        }
    }

    /// The inverse of [`Var::pixel_shuffle`]: every r × r elements as r² channels of one; `[…, C, H · r, W · r]` becomes
    /// `[…, C · r², H, W]`.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[[1i64, 2], [3, 4]]]).apply(|x| x.pixel_unshuffle(2))?;
    /// assert_eq!(y.shape().dims(), [4, 1, 1]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn pixel_unshuffle(self, r: usize) -> Var<'t> {
        let _call = self.tape.call("pixel_unshuffle");
        let shape = self.shape();
        let dims = || -> Result<(usize, [Dims; 2])> {
            let (front, [channels, height, width]) = image(&shape)?;
            if r == 0 || height % r != 0 || width % r != 0 {
                return Err(Error::shape(format!("{height} × {width} elements do not fall into squares of {r}")));
            }
            let apart = [front, &[channels, height / r, r, width / r, r]].concat();
            let many = channels.saturating_mul(r).saturating_mul(r);
            let whole = [front, &[many, height / r, width / r]].concat();
            Ok((front.len(), [apart.into(), whole.into()]))
        };
        match dims() {
            Ok((front, [apart, whole])) => {
                let order = after(front, &[0, 2, 4, 1, 3]);
                self.named("pixel_unshuffle", self.reshape(apart).permute(&order).reshape(whole))
            }
            Err(error) => self.reject("pixel_unshuffle", error),
        }
    }
}

/// The last three axes, and what is before them.
fn image(shape: &Shape) -> Result<(&[usize], [usize; 3])> {
    match shape.split_last_chunk() {
        Some((front, last)) => Ok((front, *last)),
        None => Err(Error::shape(format!("takes […, channels, height, width], not {shape}"))),
    }
}

/// An order of the axes after the first few.
fn after(front: usize, order: &[usize]) -> SmallVec<[isize; 8]> {
    (0..front).chain(order.iter().map(|&axis| front + axis)).map(|axis| axis as isize).collect()
}

pub(super) fn entries() -> Vec<Entry> {
    let wave =
        |dims: &[usize]| Tensor::from_fn(dims, |i| (i as f64 * 1.7).sin()).unwrap_or_else(|_| Tensor::from(0.0f64));
    let line = || [Tensor::from([[[1.0f64, 2.0, 4.0]]])];
    let image = || [wave(&[1, 1, 3, 4])];
    let channels = || [Tensor::from_fn([1, 4, 1, 2], |i| i as f64).unwrap_or_else(|_| Tensor::from(0.0f64))];
    let entry = |op, samples| Entry::new(op, "resize.rs", samples);
    vec![
        entry(
            "interpolate",
            vec![
                Sample::new("nearest", line(), |_, x| x[0].interpolate(Resize::to(5)))
                    .gives([1., 1., 2., 2., 4.])
                    .slopes([2., 2., 1.]),
                Sample::new("i64", line(), |_, x| x[0].cast(DType::I64).interpolate(Resize::by(2.0)))
                    .gives([1., 1., 2., 2., 4., 4.]),
                Sample::new("nearest, exact", line(), |_, x| x[0].interpolate(Resize::to(2).nearest_exact()))
                    .gives([1., 4.])
                    .slopes([1., 0., 1.]),
                Sample::new("area", line(), |_, x| x[0].interpolate(Resize::to(2).area())).gives([1.5, 3.]),
                Sample::new("the same size", line(), |_, x| x[0].interpolate(Resize::to(3).cubic()))
                    .gives([1., 2., 4.]),
                // As PyTorch has it.
                Sample::new("linear", image(), |_, x| x[0].interpolate(Resize::to([2, 6]).linear()))
                    .gives([
                        0.12352833778465204,
                        0.533449361889938,
                        0.725037905259602,
                        -0.14829201768288675,
                        -0.6077598941117833,
                        -0.8488952898050576,
                        0.7678996989270239,
                        0.6325384534654283,
                        0.26497820820185203,
                        -0.6638177910060721,
                        -0.5811501691139802,
                        -0.26628354741990745,
                    ])
                    .slopes([
                        1.125,
                        1.125,
                        1.125,
                        1.125,
                        0.75,
                        0.75,
                        0.7499999999999999,
                        0.75,
                        1.125,
                        1.125,
                        1.125,
                        1.125,
                    ]),
                Sample::new("linear, corners", image(), |_, x| {
                    x[0].interpolate(Resize::to([4, 3]).linear().align_corners(true))
                })
                .gives([
                    0.0,
                    0.3680618542128187,
                    -0.9258146823277325,
                    0.3294089007590721,
                    0.15555809308092222,
                    -0.7206963022672663,
                    0.615796172377904,
                    -0.0612386781148412,
                    -0.46175775009608844,
                    0.8591618148564958,
                    -0.2823284593744716,
                    -0.1489990258141988,
                ])
                .slopes([
                    1.3333333333333335,
                    0.6666666666666667,
                    0.6666666666666667,
                    1.3333333333333335,
                    1.3333333333333335,
                    0.6666666666666667,
                    0.6666666666666667,
                    1.3333333333333335,
                    1.3333333333333333,
                    0.6666666666666666,
                    0.6666666666666666,
                    1.3333333333333333,
                ]),
                Sample::new("linear, by scale", image(), |_, x| x[0].interpolate(Resize::by_each([1.3, 0.7]).linear()))
                    .gives([
                        0.2124996022398147,
                        0.18988958100149023,
                        0.5593363000282258,
                        -0.1647454732303163,
                        0.7600715487723781,
                        -0.4763481829473529,
                    ]),
                Sample::new("cubic", image(), |_, x| x[0].interpolate(Resize::to([2, 6]).cubic()))
                    .gives([
                        0.02420860674163602,
                        0.6532901829708617,
                        0.8581805980622059,
                        -0.09854045412319573,
                        -0.7325302712166487,
                        -0.9182231733738069,
                        0.8209844052782544,
                        0.7685298953141726,
                        0.241378301550082,
                        -0.7809000182556277,
                        -0.7122509469418776,
                        -0.18602550059472378,
                    ])
                    .slopes([
                        1.0946044921874987,
                        1.1202392578125004,
                        1.1202392578124996,
                        1.0946044921875009,
                        0.7760687934027769,
                        0.7942437065972227,
                        0.7942437065972219,
                        0.7760687934027783,
                        1.0946044921874987,
                        1.1202392578125004,
                        1.1202392578124996,
                        1.0946044921875009,
                    ]),
                Sample::new("cubic, corners", image(), |_, x| {
                    x[0].interpolate(Resize::to([4, 3]).cubic().align_corners(true))
                })
                .gives([
                    0.0,
                    0.5238685783459471,
                    -0.9258146823277325,
                    0.297998207589281,
                    0.2654535543932293,
                    -0.7671250235347904,
                    0.6639374991022332,
                    -0.1288309245418539,
                    -0.4362590957605077,
                    0.8591618148564958,
                    -0.4018428069799003,
                    -0.1489990258141988,
                ]),
                Sample::new("volume", [wave(&[1, 1, 2, 2, 2])], |_, x| {
                    x[0].interpolate(Resize::by_each([2.0, 1.0, 1.5]).linear()).square()
                }),
                Sample::new("to one", line(), |_, x| x[0].interpolate(Resize::to(1).linear().align_corners(true)))
                    .gives([1.]),
                Sample::new("bf16", line(), |_, x| x[0].cast(DType::BF16).interpolate(Resize::to(6).linear()))
                    .kinked()
                    .gives([1., 1.25, 1.75, 2.5, 3.5, 4.]),
            ],
        ),
        entry(
            "pixel_shuffle",
            vec![
                Sample::new("two", channels(), |_, x| x[0].pixel_shuffle(2)).gives([0., 2., 1., 3., 4., 6., 5., 7.]),
                Sample::new("batches of batches", channels(), |_, x| {
                    x[0].reshape([2, 1, 4, 1, 1]).pixel_shuffle(2).square()
                }),
            ],
        ),
        entry(
            "pixel_unshuffle",
            vec![
                Sample::new("and back", channels(), |_, x| x[0].pixel_shuffle(2).pixel_unshuffle(2) - x[0])
                    .gives([0.; 8]),
                Sample::new("without examples", channels(), |_, x| x[0].reshape([2, 2, 2]).pixel_unshuffle(2).square()),
            ],
        ),
    ]
}
