//! Fourier transforms; complex numbers are a last axis of 2.

use wengert::autograd::FftNorm;
use wengert::prelude::*;

pub(crate) fn apply<'t>(tape: &'t Tape, name: &str, x: &[Var<'t>]) -> Option<Var<'t>> {
    match name {
        "fftfreq even" => return Some(tape.fftfreq(6, 0.5, DType::F64)),
        "fftfreq odd" => return Some(tape.fftfreq(7, 1.0, DType::F64)),
        "rfftfreq even" => return Some(tape.rfftfreq(6, 0.5, DType::F64)),
        "rfftfreq odd" => return Some(tape.rfftfreq(7, 1.0, DType::F64)),
        _ => {}
    }
    let a = *x.first()?;
    Some(match name {
        "fftshift" => a.fftshift([0, 1]),
        "ifftshift" => a.ifftshift([0, 1]),
        "fftshift of rows" => a.fftshift(1),
        "fft_conv" => a.fft_conv(x[1], 0),
        "fft_conv of rows" => a.fft_conv(x[1], 1),
        "to_complex" => a.to_complex(),
        "complex_mul" => a.complex_mul(x[1]),
        "complex_abs" => a.complex_abs(),
        "complex_conj" => a.complex_conj(),
        "spectrum" => a.rfft(1, FftNorm::Backward).complex_abs(),
        "fft of 1" | "fft of 13" | "fft of 16" => a.fft(0, FftNorm::Backward),
        _ => {
            let (transform, norm) = name.rsplit_once(' ')?;
            let norm = match norm {
                "backward" => FftNorm::Backward,
                "ortho" => FftNorm::Ortho,
                "forward" => FftNorm::Forward,
                _ => return None,
            };
            match transform {
                "fft" => a.fft(-1, norm),
                "ifft" => a.ifft(0, norm),
                "fft2" => a.fft2(norm),
                "ifft2" => a.ifft2(norm),
                "fftn" => a.fftn([0, 1, 2], norm),
                "ifftn" => a.ifftn([0, 2], norm),
                "rfft" => a.rfft(1, norm),
                "rfft odd" => a.rfft(0, norm),
                "irfft" => a.irfft(6, -1, norm),
                "irfft odd" => a.irfft(5, 0, norm),
                "rfft2" => a.rfft2(norm),
                "irfft2" => a.irfft2(4, norm),
                "rfftn" => a.rfftn([0, 1, 2], norm),
                "irfftn" => a.irfftn(5, [0, 1, 2], norm),
                _ => return None,
            }
        }
    })
}
