//! Pools: one number for every window of an image.

use crate::compose::widened;
use crate::graph::Var;
use crate::meta::floats;
use crate::ops::window_max::WindowMax;
use crate::ops::windows::Places;
use crate::sample::{Entry, Sample};
use crate::spatial::{Along, FRONT, Padding, PerAxis, along, spatial, tabled};
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Which windows a pool takes. Every number is for all spatial axes, or there is one for each; a number alone is the size of windows
/// that lie side by side.
///
/// ```
/// use wengert_autograd::Pool;
/// assert_eq!(Pool::new(2), Pool::new(2).stride(2));
/// let overlapping = Pool::new([3, 3]).stride(2).padding(1).ceil_mode(true);
/// assert_ne!(overlapping, 3.into());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    size: PerAxis,
    stride: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    ceil_mode: bool,
    count_include_pad: bool,
}

impl Pool {
    /// Windows of this size, side by side.
    pub fn new(size: impl Into<PerAxis>) -> Pool {
        let size = size.into();
        let (stride, dilation) = (size.clone(), PerAxis::All(1));
        Pool { size, stride, padding: Padding::Valid, dilation, ceil_mode: false, count_include_pad: true }
    }

    /// How far the next window is.
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis>) -> Pool {
        Pool { stride: stride.into(), ..self }
    }

    /// What surrounds the input: nothing that could be a maximum, zeros for a sum. At most half a window on each side.
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding>) -> Pool {
        Pool { padding: padding.into(), ..self }
    }

    /// How far the next element of a window is.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<PerAxis>) -> Pool {
        Pool { dilation: dilation.into(), ..self }
    }

    /// Whether a last window that would leave the input, but starts within it, is taken, too.
    #[must_use]
    pub fn ceil_mode(self, ceil_mode: bool) -> Pool {
        Pool { ceil_mode, ..self }
    }

    /// Whether an average counts the zeros of the padding, as it does by default.
    #[must_use]
    pub fn count_include_pad(self, count_include_pad: bool) -> Pool {
        Pool { count_include_pad, ..self }
    }

    /// The windows along every spatial axis of images of a shape: for pools that are made of other ops.
    ///
    /// ```
    /// use wengert_autograd::Pool;
    /// use wengert_tensor::shape::Shape;
    /// let axes = Pool::new(3).stride(2).padding(1).windows(&Shape::new([1, 1, 5])?)?;
    /// assert_eq!((axes[0].count, axes[0].before, axes[0].step), (3, 1, 2));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// A shape that is not that of images, options that do not fit it.
    pub fn windows(&self, shape: &Shape) -> Result<Vec<PoolAxis>> {
        self.along(shape)?
            .iter()
            .map(|along| {
                let Places { size, step, dilation, .. } = along.places;
                Ok(PoolAxis { n: along.n, before: along.before, size, step, dilation, count: along.count()? })
            })
            .collect()
    }

    /// How large images are that have so many windows along every axis, as the layer that undoes a pool makes them: (l − 1) · stride −
    /// padding + span.
    ///
    /// # Errors
    /// Options for another number of axes, a padding that leaves nothing.
    pub fn covered(&self, counts: &[usize]) -> Result<Vec<usize>> {
        let kernel = self.size.of("the size", counts.len())?;
        let all = along(counts, &kernel, &self.stride, &self.dilation, &self.padding)?;
        let size = |(along, &count): (&Along, &usize)| {
            let full = along.places.covered(count)?;
            full.checked_sub(along.before).and_then(|n| n.checked_sub(along.after)).ok_or_else(|| {
                Error::shape(format!("a padding of {} and {} leaves nothing of {full}", along.before, along.after))
            })
        };
        all.iter().zip(counts).map(size).collect()
    }

    /// The windows of images of a shape.
    fn along(&self, shape: &Shape) -> Result<SmallVec<[Along; 3]>> {
        let sizes = spatial(shape, self.size.axes())?;
        let kernel = self.size.of("the size", sizes.len())?;
        let mut all = along(sizes, &kernel, &self.stride, &self.dilation, &self.padding)?;
        for along in &mut all {
            let (span, padded) = (along.places.span()?, along.padded()?);
            let most = along.before.max(along.after);
            if most > span / 2 {
                let error = Error::value(format!("a padding of {most} beside windows of {span}"));
                return Err(error.help("it is at most half a window, so that none lies outside"));
            }
            if !self.ceil_mode {
                along.count()?;
                continue;
            }
            let more = padded.checked_add(along.places.step - 1).and_then(|n| n.checked_sub(span));
            let Some(more) = more else { return Err(along.count().err().unwrap_or_else(|| Error::shape("no window"))) };
            // Windows after the first, without one that would see the padding at the end alone.
            let later = more / along.places.step;
            let starts =
                |i: usize| i.checked_mul(along.places.step).is_some_and(|start| start < along.n + along.before);
            let count = if later == 0 || starts(later) { later + 1 } else { later };
            along.beyond = along.places.covered(count)?.saturating_sub(padded);
            along.after += along.beyond;
        }
        Ok(all)
    }

    /// How many elements each window along one axis has that an average counts. What `ceil_mode` adds never is.
    fn counts(&self, along: &Along) -> Result<Counts> {
        let Places { size, step, dilation, .. } = along.places;
        let inside = match self.count_include_pad {
            true => 0..along.padded()? - along.beyond,
            false => along.before..along.before + along.n,
        };
        // The elements before a place: those at start, start + dilation, …
        let before = |start: usize, end: usize| end.saturating_sub(start).div_ceil(dilation).min(size);
        let counted = |i: usize| before(i * step, inside.end) - before(i * step, inside.start);
        let windows = along.count()?;
        match (0..windows).all(|i| counted(i) == counted(0)) {
            true => Ok(Counts::Same(counted(0))),
            false => Ok(Counts::Each(tabled(windows, |i| counted(i) as f64)?)),
        }
    }
}

/// The windows along one axis: window l has the elements l · step + k · dilation − before, for k below size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolAxis {
    /// The size of the axis.
    pub n: usize,
    /// How many elements of padding are before it.
    pub before: usize,
    /// How many elements a window has.
    pub size: usize,
    /// How far the next window is.
    pub step: usize,
    /// How far the next element of a window is.
    pub dilation: usize,
    /// How many windows there are.
    pub count: usize,
}

/// How many elements the windows along an axis have.
enum Counts {
    Same(usize),
    /// As floats, one for each window.
    Each(Tensor),
}

/// One axis in parts. Part i is ⌊i · n / parts⌋ to ⌈(i + 1) · n / parts⌉.
struct Parts {
    n: usize,
    parts: usize,
    counts: Counts,
}

impl Parts {
    fn of(n: usize, parts: usize) -> Result<Parts> {
        if n == 0 || parts == 0 {
            return Err(Error::shape(format!("{parts} parts of {n} elements")).help("both numbers are at least 1"));
        }
        // What is checked as a shape does not overflow below.
        Shape::new([parts, n])?;
        let mut of = Parts { n, parts, counts: Counts::Same(1) };
        of.counts = match of.is_even() {
            true => Counts::Same(of.most()),
            false => Counts::Each(tabled(parts, |i| of.count(i) as f64)?),
        };
        Ok(of)
    }

    /// Of images of a shape.
    fn all(shape: &Shape, parts: &PerAxis) -> Result<Vec<Parts>> {
        let sizes = spatial(shape, parts.axes())?;
        let parts = parts.of("the number of parts", sizes.len())?;
        sizes.iter().zip(&parts).map(|(&n, &parts)| Parts::of(n, parts)).collect()
    }

    fn start(&self, i: usize) -> usize {
        i * self.n / self.parts
    }

    fn count(&self, i: usize) -> usize {
        ((i + 1) * self.n).div_ceil(self.parts) - self.start(i)
    }

    /// The size of the largest: a part may begin and end in an element that it shares with its neighbours.
    fn most(&self) -> usize {
        match self.n % self.parts {
            0 => self.n / self.parts,
            rest if self.parts.is_multiple_of(rest) => self.n / self.parts + 1,
            _ => self.n / self.parts + 2,
        }
    }

    /// Whether all have the same size.
    fn is_even(&self) -> bool {
        let rest = self.n % self.parts;
        rest == 0 || self.parts.is_multiple_of(rest)
    }
}

impl<T: Into<PerAxis>> From<T> for Pool {
    fn from(size: T) -> Pool {
        Pool::new(size)
    }
}

impl From<&Pool> for Pool {
    fn from(options: &Pool) -> Pool {
        options.clone()
    }
}

impl<'t> Var<'t> {
    /// The largest element of every window of images `[examples, channels, n…]`. Where several are equal, each gets the same share
    /// of the gradient.
    ///
    /// ```
    /// # use wengert_autograd::{Apply, Pool};
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[[1.0f32, 5.0, 2.0, 3.0, 4.0]]]);
    /// assert_eq!(x.apply(|x| x.max_pool(2))?.to_vec::<f32>()?, [5.0, 3.0]);
    /// assert_eq!(x.apply(|x| x.max_pool(Pool::new(3).stride(1).padding(1)))?.to_vec::<f32>()?, [5.0, 5.0, 5.0, 4.0, 4.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn max_pool(self, options: impl Into<Pool>) -> Var<'t> {
        let _call = self.tape.call("max_pool");
        match options.into().along(&self.shape()) {
            Ok(all) => {
                let least = self.dtype().least();
                let y = match WindowMax::takes(self.dtype()) {
                    true => self.all_padded(&all, least).then(WindowMax::new(all.iter().map(|along| along.places))),
                    false => self.all_windows(&all, least).max_axes(elements(all.len())),
                };
                self.named("max_pool", y)
            }
            Err(error) => self.reject("max_pool", error),
        }
    }

    /// The mean of every window of images `[examples, channels, n…]`.
    ///
    /// ```
    /// # use wengert_autograd::{Apply, Pool};
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[[1.0f32, 5.0, 3.0, 3.0]]]);
    /// assert_eq!(x.apply(|x| x.avg_pool(2))?.to_vec::<f32>()?, [3.0, 3.0]);
    /// let sided = Pool::new(2).padding(1).count_include_pad(false);
    /// assert_eq!(x.apply(|x| x.avg_pool(sided))?.to_vec::<f32>()?, [1.0, 4.0, 3.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn avg_pool(self, options: impl Into<Pool>) -> Var<'t> {
        let _call = self.tape.call("avg_pool");
        let options = options.into();
        let found = floats(&self.meta()).and_then(|()| {
            let all = options.along(&self.shape())?;
            let counts = all.iter().map(|along| options.counts(along)).collect::<Result<Vec<_>>>()?;
            Ok((all, counts))
        });
        match found {
            Ok((all, counts)) => {
                let counts: Vec<&Counts> = counts.iter().collect();
                let y = widened(self, |x| x.all_windows(&all, 0.0).sum_axes(elements(all.len())).shared(&counts));
                self.named("avg_pool", y)
            }
            Err(error) => self.reject("avg_pool", error),
        }
    }

    /// The p-norm of every window of images `[examples, channels, n…]`: see [`Var::norm_p`].
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[[3.0f32, -4.0, 0.0, 2.0]]]).apply(|x| x.lp_pool(2.0, 2))?;
    /// assert_eq!(y.to_vec::<f32>()?, [5.0, 2.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn lp_pool(self, p: f64, options: impl Into<Pool>) -> Var<'t> {
        let _call = self.tape.call("lp_pool");
        match floats(&self.meta()).and_then(|()| options.into().along(&self.shape())) {
            Ok(all) => self.named("lp_pool", self.all_windows(&all, 0.0).norm_p(p, elements(all.len()))),
            Err(error) => self.reject("lp_pool", error),
        }
    }

    /// The largest element in each of so many parts of every spatial axis, for images `[examples, channels, n…]` of any size. Part i
    /// of o is ⌊i · n / o⌋ to ⌈(i + 1) · n / o⌉.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[[1.0f32, 5.0, 2.0, 3.0, 4.0]]]).apply(|x| x.adaptive_max_pool(2))?;
    /// assert_eq!(y.to_vec::<f32>()?, [5.0, 4.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn adaptive_max_pool(self, parts: impl Into<PerAxis>) -> Var<'t> {
        let _call = self.tape.call("adaptive_max_pool");
        match Parts::all(&self.shape(), &parts.into()).and_then(|all| self.parted(&all, self.dtype().least())) {
            Ok(windows) => self.named("adaptive_max_pool", windows.max_axes(elements(self.rank() - FRONT))),
            Err(error) => self.reject("adaptive_max_pool", error),
        }
    }

    /// The mean in each of so many parts of every spatial axis, for images `[examples, channels, n…]` of any size; the parts are
    /// those of [`Var::adaptive_max_pool`]. One part is the whole.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[[1.0f32, 5.0, 3.0, 4.0, 2.0]]]).apply(|x| x.adaptive_avg_pool(2))?;
    /// assert_eq!(y.to_vec::<f32>()?, [3.0, 3.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn adaptive_avg_pool(self, parts: impl Into<PerAxis>) -> Var<'t> {
        let _call = self.tape.call("adaptive_avg_pool");
        let found = floats(&self.meta()).and_then(|()| {
            let all = Parts::all(&self.shape(), &parts.into())?;
            Ok((self.parted(&all, 0.0)?, all))
        });
        match found {
            Ok((windows, all)) => {
                let counts: Vec<&Counts> = all.iter().map(|parts| &parts.counts).collect();
                self.named("adaptive_avg_pool", widened(windows, |x| x.sum_axes(elements(all.len())).shared(&counts)))
            }
            Err(error) => self.reject("adaptive_avg_pool", error),
        }
    }

    /// Sums `[N, C, l…]` divided by how many elements each has: the product of those along each axis.
    #[track_caller]
    fn shared(self, counts: &[&Counts]) -> Var<'t> {
        let same = |counts: &&Counts| match counts {
            Counts::Same(count) => *count as f64,
            Counts::Each(_) => 1.0,
        };
        let mut whole = self.filled(counts.iter().map(same).product());
        for (i, of) in counts.iter().enumerate() {
            if let Counts::Each(of) = of {
                let of = self.tape.input(of).cast(self.dtype());
                whole = whole * (i + 1..counts.len()).fold(of, |of, _| of.unsqueeze(-1));
            }
        }
        self / whole
    }

    /// `[N, C, n…]` in parts: `[N, C, k₁, o₁, k₂, o₂, …]`, with `value` where a part has fewer elements than the largest.
    #[track_caller]
    fn parted(self, all: &[Parts], value: f64) -> Result<Var<'t>> {
        let mut x = self;
        for (i, of) in all.iter().enumerate() {
            let (axis, most, parts) = (FRONT + 2 * i, of.most(), of.parts);
            if of.n % parts == 0 {
                x = x.windowed(Places { axis, size: most, step: most, dilation: 1 });
                continue;
            }
            let index = |i: usize| (of.start(i % parts) + i / parts).min(of.n - 1) as i64;
            x = x.gather(axis as isize, &tabled([most, parts], index)?);
            if !of.is_even() {
                let inside = tabled([most, parts], |i| i / parts < of.count(i % parts))?;
                let inside = (i + 1..all.len()).fold(self.tape.input(&inside), |inside, _| inside.unsqueeze(-1));
                x = x.select(inside, x.filled(value));
            }
        }
        Ok(x)
    }
}

/// The axes with the elements of windows, in `[N, C, k₁, l₁, k₂, l₂, …]`.
fn elements(axes: usize) -> Vec<isize> {
    (0..axes).map(|i| (FRONT + 2 * i) as isize).collect()
}

pub(super) fn entries() -> Vec<Entry> {
    let wave =
        |dims: &[usize]| Tensor::from_fn(dims, |i| (i as f64 * 1.7).sin()).unwrap_or_else(|_| Tensor::from(0.0f64));
    let line = || [Tensor::from([[[1.0f64, 5.0, 5.0, 2.0, 4.0]]])];
    let image = || [wave(&[1, 2, 5, 4])];
    let bad = || [Tensor::from([[[1.0f64, f64::INFINITY, 2.0, f64::NAN, 4.0, 3.0, 2.0]]])];
    const OVERLAP: fn() -> Pool = || Pool::new([3, 2]).stride([2, 1]).padding(1);
    let entry = |op, samples| Entry::new(op, "pool.rs", samples);
    vec![
        entry(
            "max_pool",
            vec![
                Sample::new("ties share", line(), |_, x| x[0].max_pool(3))
                    .kinked()
                    .gives([5.])
                    .slopes([0., 0.5, 0.5, 0., 0.]),
                Sample::new("ceil mode", line(), |_, x| x[0].max_pool(Pool::new(2).ceil_mode(true)))
                    .gives([5., 5., 4.])
                    .slopes([0., 1., 1., 0., 1.]),
                // As PyTorch has it.
                Sample::new("overlapping", image(), |_, x| x[0].max_pool(OVERLAP()).at(1, 0))
                    .gives([
                        0.49411335113860816,
                        0.9916648104524686,
                        0.9916648104524686,
                        -0.2555411020268312,
                        -0.6181371122370333,
                        0.9997929001426692,
                        0.9997929001426692,
                        0.7984871126234903,
                        0.3590583540221683,
                        0.3590583540221683,
                        0.9997929001426692,
                        0.9997929001426692,
                        -0.10863659542407622,
                        0.7733278895662207,
                        0.7733278895662207,
                    ])
                    .slopes([
                        0.0, 2.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 4.0, 1.0, 0.0, 2.0, 0.0, 0.0, 0.0,
                        2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                        0.0, 0.0,
                    ]),
                Sample::new("dilated", image(), |_, x| {
                    x[0].max_pool(Pool::new(2).stride(1).dilation([2, 1]).padding([(1, 0), (0, 1)])).square()
                }),
                Sample::new("volume", [wave(&[1, 1, 4, 2, 3])], |_, x| x[0].max_pool([2, 1, 3])),
                Sample::new("not numbers", bad(), |_, x| x[0].max_pool(Pool::new(2).padding(1))).kinked().gives([
                    1.,
                    f64::INFINITY,
                    f64::NAN,
                    3.,
                ]),
                Sample::new("i64", line(), |_, x| (-x[0]).cast(DType::I64).max_pool(Pool::new(3).padding(1)))
                    .gives([-1., -2.]),
                Sample::new("mask", line(), |_, x| x[0].gt(4.5).max_pool(Pool::new(3).padding(1))).gives([1., 1.]),
                Sample::new("no examples", line(), |_, x| x[0].slice(0, ..0).max_pool(2)).gives([]),
            ],
        ),
        entry(
            "avg_pool",
            vec![
                Sample::new("line", line(), |_, x| x[0].avg_pool(2)).gives([3., 3.5]).slopes([0.5, 0.5, 0.5, 0.5, 0.]),
                // As PyTorch has it.
                Sample::new("overlapping", image(), |_, x| x[0].avg_pool(OVERLAP()).at(1, 0)).gives([
                    0.08235222518976802,
                    0.3807108790357612,
                    0.1391226889092642,
                    -0.4165612640308565,
                    -0.25732529909412766,
                    0.3921780110229622,
                    0.5732765260779668,
                    -0.25774658914782245,
                    -0.506858068207671,
                    -0.06801296400484395,
                    0.31317766029889893,
                    0.19746533773250327,
                    -0.39907219149563883,
                    -0.09462882833117835,
                    0.1887310405980648,
                ]),
                Sample::new("without padding, ceil mode", image(), |_, x| {
                    x[0].avg_pool(OVERLAP().stride(2).count_include_pad(false).ceil_mode(true)).at(1, 0)
                })
                .gives([
                    0.24705667556930408,
                    0.20868403336389632,
                    -0.7719758972823829,
                    0.7843560220459244,
                    -0.25774658914782245,
                    -0.1360259280096879,
                    0.9395329808966968,
                    -0.5986082872434583,
                    0.5661931217941945,
                ])
                .slopes([
                    0.5,
                    0.25,
                    0.25,
                    0.5,
                    0.8333333333333333,
                    0.41666666666666663,
                    0.41666666666666663,
                    0.8333333333333333,
                    0.3333333333333333,
                    0.16666666666666666,
                    0.16666666666666666,
                    0.3333333333333333,
                    0.8333333333333333,
                    0.41666666666666663,
                    0.41666666666666663,
                    0.8333333333333333,
                    0.5,
                    0.25,
                    0.25,
                    0.5,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                ]),
                Sample::new("ceil mode", image(), |_, x| {
                    x[0].avg_pool(Pool::new([3, 2]).stride([3, 3]).padding(1).ceil_mode(true)).at(1, 0)
                })
                .gives([
                    0.08235222518976802,
                    -0.4165612640308565,
                    0.4563712961083149,
                    -0.2796949146134709,
                ]),
                Sample::new("squared", image(), |_, x| x[0].avg_pool(2).square()),
                Sample::new("f16", line(), |_, x| (x[0].cast(DType::F16) * 1e4).avg_pool(5))
                    .kinked()
                    .gives([34000. - 16.]),
            ],
        ),
        entry(
            "lp_pool",
            vec![
                // As PyTorch has it.
                Sample::new("3", image(), |_, x| (x[0] + 2.0).lp_pool(3.0, Pool::new([3, 2]).stride(1)).at(1, 0))
                    .gives([
                        4.78193066457418,
                        4.1424959920554185,
                        2.6612061424550064,
                        4.767084810656739,
                        3.6051126904635424,
                        2.9818965289821597,
                        4.604159065081195,
                        3.0230315865443678,
                        3.5585981863104927,
                    ])
                    .slopes([
                        0.17492562800167596,
                        0.9129555162398977,
                        0.607035259453915,
                        0.16293012459041714,
                        0.5457683117862613,
                        1.7460517314919675,
                        0.6573389107466425,
                        0.4843886270801515,
                        1.1028570298235374,
                        2.180272131238096,
                        0.622702492021757,
                        1.1396700514750502,
                        0.8204873431714284,
                        0.9928463730639528,
                        0.3994064086113381,
                        1.0653417755188548,
                        0.3910795164104601,
                        0.3132623467348922,
                        0.3046405344638173,
                        0.6073576863756962,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                    ]),
                Sample::new("∞", line(), |_, x| x[0].lp_pool(f64::INFINITY, 2)).gives([5., 5.]),
                Sample::new("at zeros", [Tensor::from([[[0.0f64, 0.0, 3.0, 4.0]]])], |_, x| x[0].lp_pool(2.0, 2))
                    .kinked()
                    .gives([0., 5.])
                    .slopes([0., 0., 0.6, 0.8]),
            ],
        ),
        entry(
            "adaptive_max_pool",
            vec![
                Sample::new("ties share", line(), |_, x| x[0].adaptive_max_pool(2))
                    .kinked()
                    .gives([5., 5.])
                    .slopes([0., 0.5, 1.5, 0., 0.]),
                // As PyTorch has it.
                Sample::new("parts", image(), |_, x| x[0].adaptive_max_pool([3, 3]).at(1, 0))
                    .gives([
                        0.9916648104524686,
                        0.9916648104524686,
                        -0.2555411020268312,
                        0.9997929001426692,
                        0.7984871126234903,
                        0.3590583540221683,
                        0.9997929001426692,
                        -0.10863659542407622,
                        0.7733278895662207,
                    ])
                    .slopes([
                        0.0, 2.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0,
                        1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                        0.0, 0.0,
                    ]),
                Sample::new("halves", image(), |_, x| x[0].adaptive_max_pool([5, 2]).square()),
                Sample::new("i64", line(), |_, x| (-x[0]).cast(DType::I64).adaptive_max_pool(3)).gives([-1., -2., -2.]),
            ],
        ),
        entry(
            "adaptive_avg_pool",
            vec![
                // As PyTorch has it.
                Sample::new("parts", image(), |_, x| x[0].adaptive_avg_pool([3, 3]).at(1, 0))
                    .gives([
                        0.5710663185536418,
                        0.20868403336389632,
                        -0.6248418960462848,
                        0.5732765260779668,
                        -0.25774658914782245,
                        -0.506858068207671,
                        0.2961980065987549,
                        -0.5986082872434583,
                        -0.1419432424967675,
                    ])
                    .slopes([
                        0.25,
                        0.5,
                        0.5,
                        0.25,
                        0.41666666666666663,
                        0.8333333333333333,
                        0.8333333333333333,
                        0.41666666666666663,
                        0.16666666666666666,
                        0.3333333333333333,
                        0.3333333333333333,
                        0.16666666666666666,
                        0.41666666666666663,
                        0.8333333333333333,
                        0.8333333333333333,
                        0.41666666666666663,
                        0.25,
                        0.5,
                        0.5,
                        0.25,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                    ]),
                Sample::new("more parts than elements", line(), |_, x| x[0].adaptive_avg_pool(7).square())
                    .gives([1., 9., 25., 25., 12.25, 9., 16.]),
                Sample::new("the whole", image(), |_, x| x[0].adaptive_avg_pool(1).square()),
                Sample::new("neighbours are not touched", bad(), |_, x| x[0].adaptive_avg_pool(3)).kinked().gives([
                    f64::INFINITY,
                    f64::NAN,
                    3.,
                ]),
                Sample::new("bf16", line(), |_, x| x[0].cast(DType::BF16).adaptive_avg_pool(2))
                    .kinked()
                    .gives([3.671875, 3.671875]),
            ],
        ),
    ]
}
