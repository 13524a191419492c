//! Discrete Fourier transforms along the middle one of three axes. A complex number is two neighbours: re, im.

use realfft::RealFftPlanner;
use rustfft::num_complex::Complex;
use rustfft::{FftDirection, FftPlanner};
use std::cell::RefCell;

/// The element types of the transforms. None is normalized.
pub trait Wave: Copy + Send + Sync + 'static {
    /// Xₖ = Σₜ xₜ exp(∓2πi kt / size): minus, or plus when it is the `inverse`. Both are `[…, size, inner, 2]`.
    fn fft(x: &[Self], out: &mut [Self], size: usize, inner: usize, inverse: bool);

    /// The first half of the spectrum of real numbers: `[…, size, inner]` to `[…, size / 2 + 1, inner, 2]`.
    fn rfft(x: &[Self], out: &mut [Self], size: usize, inner: usize);

    /// Real numbers from the first half of their spectrum: `[…, size / 2 + 1, inner, 2]` to `[…, size, inner]`. What must
    /// be real is taken as real.
    fn irfft(x: &[Self], out: &mut [Self], size: usize, inner: usize);
}

/// How many lengths a thread keeps its tables for.
const KEPT: usize = 64;

/// Planners with their tables, dropped together when they are too many.
struct Planners<T: rustfft::FftNum> {
    plain: FftPlanner<T>,
    real: RealFftPlanner<T>,
    sizes: Vec<usize>,
}

impl<T: rustfft::FftNum> Planners<T> {
    fn new() -> Planners<T> {
        Planners { plain: FftPlanner::new(), real: RealFftPlanner::new(), sizes: Vec::new() }
    }

    fn with(&mut self, size: usize) -> &mut Planners<T> {
        if !self.sizes.contains(&size) {
            if self.sizes.len() >= KEPT {
                *self = Planners::new();
            }
            self.sizes.push(size);
        }
        self
    }
}

macro_rules! wave {
    ($T:ty, $planners:ident) => {
        thread_local! {
            static $planners: RefCell<Planners<$T>> = RefCell::new(Planners::new());
        }

        impl Wave for $T {
            fn fft(x: &[$T], out: &mut [$T], size: usize, inner: usize, inverse: bool) {
                if out.is_empty() {
                    return;
                }
                let direction = if inverse { FftDirection::Inverse } else { FftDirection::Forward };
                let plan = $planners.with_borrow_mut(|p| p.with(size).plain.plan_fft(size, direction));
                let zero = Complex { re: 0.0, im: 0.0 };
                let mut lane = vec![zero; size];
                let mut scratch = vec![zero; plan.get_inplace_scratch_len()];
                let block = 2 * size * inner;
                for (src, dst) in x.chunks_exact(block).zip(out.chunks_exact_mut(block)) {
                    for j in 0..inner {
                        let from = src.chunks_exact(2).skip(j).step_by(inner);
                        for (to, pair) in lane.iter_mut().zip(from) {
                            *to = Complex { re: pair[0], im: pair[1] };
                        }
                        plan.process_with_scratch(&mut lane, &mut scratch);
                        let to = dst.chunks_exact_mut(2).skip(j).step_by(inner);
                        for (from, pair) in lane.iter().zip(to) {
                            pair.copy_from_slice(&[from.re, from.im]);
                        }
                    }
                }
            }

            fn rfft(x: &[$T], out: &mut [$T], size: usize, inner: usize) {
                if out.is_empty() {
                    return;
                }
                let plan = $planners.with_borrow_mut(|p| p.with(size).real.plan_fft_forward(size));
                let (mut lane, mut half) = (plan.make_input_vec(), plan.make_output_vec());
                let mut scratch = plan.make_scratch_vec();
                let blocks = out.chunks_exact_mut(2 * half.len() * inner);
                for (src, dst) in x.chunks_exact(size * inner).zip(blocks) {
                    for j in 0..inner {
                        for (to, from) in lane.iter_mut().zip(src.iter().skip(j).step_by(inner)) {
                            *to = *from;
                        }
                        // It refuses only lengths other than its own.
                        let _ = plan.process_with_scratch(&mut lane, &mut half, &mut scratch);
                        let to = dst.chunks_exact_mut(2).skip(j).step_by(inner);
                        for (from, pair) in half.iter().zip(to) {
                            pair.copy_from_slice(&[from.re, from.im]);
                        }
                    }
                }
            }

            fn irfft(x: &[$T], out: &mut [$T], size: usize, inner: usize) {
                if out.is_empty() {
                    return;
                }
                let plan = $planners.with_borrow_mut(|p| p.with(size).real.plan_fft_inverse(size));
                let (mut half, mut lane) = (plan.make_input_vec(), plan.make_output_vec());
                let mut scratch = plan.make_scratch_vec();
                let blocks = out.chunks_exact_mut(size * inner);
                for (src, dst) in x.chunks_exact(2 * half.len() * inner).zip(blocks) {
                    for j in 0..inner {
                        let from = src.chunks_exact(2).skip(j).step_by(inner);
                        for (to, pair) in half.iter_mut().zip(from) {
                            *to = Complex { re: pair[0], im: pair[1] };
                        }
                        if let Some(first) = half.first_mut() {
                            first.im = 0.0;
                        }
                        if size % 2 == 0
                            && let Some(last) = half.last_mut()
                        {
                            last.im = 0.0;
                        }
                        let _ = plan.process_with_scratch(&mut half, &mut lane, &mut scratch);
                        for (to, from) in dst.iter_mut().skip(j).step_by(inner).zip(&lane) {
                            *to = *from;
                        }
                    }
                }
            }
        }
    };
}

wave!(f32, F32);
wave!(f64, F64);
