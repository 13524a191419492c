//! Linear algebra.

use wengert::autograd::{MatrixNorm, Triangle};
use wengert::prelude::*;

pub(crate) fn apply<'t>(tape: &'t Tape, name: &str, x: &[Var<'t>]) -> Option<Var<'t>> {
    let a = *x.first()?;
    let b = x.get(1).copied().unwrap_or(a);
    let (word, rest) = name.split_once(' ').unwrap_or((name, ""));
    Some(match name {
        "cholesky of a product" => a.matmul(a.t()).cholesky(),
        "slogdet signs" => a.slogdet().0,
        "eigh" | "eigh of matrices" => of_spectrum(a, |w| w.sin()),
        "eigh of a product" => of_spectrum(a.matmul(a.t()), |w| w.sqrt()),
        "eigh values" => a.eigh().0,
        "svd values" => a.svd().1,
        "pinv of rank 2" => a.matmul(b).pinv_with(1e-12),
        "triangular_solve of matrices" => a.triangular_solve(b, Triangle::lower()),
        "triangular_solve a vector" => a.triangular_solve(b, Triangle::upper()),
        _ => match word {
            "cholesky" => a.cholesky(),
            "solve" => a.solve(b),
            "inv" => a.inv(),
            "det" => a.det(),
            "logdet" => a.logdet(),
            "slogdet" => a.slogdet().1,
            "lu" => {
                let (p, l, u) = a.lu();
                tape.stack(&[p, l, u], 0)
            }
            "qr" if rest.ends_with('q') => a.qr().0,
            "qr" => a.qr().1,
            "eigvalsh" => a.eigvalsh(),
            "svdvals" => a.svdvals(),
            "svd" => {
                let (u, s, vt) = a.svd();
                (u * (-s).exp().unsqueeze(-2)).matmul(vt)
            }
            "pinv" => a.pinv(),
            "lstsq" => a.lstsq(b),
            "matrix_exp" if rest == "of a rotation" => (a - a.t()).matrix_exp(),
            "matrix_exp" => a.matrix_exp(),
            "matrix_power" => a.matrix_power(rest.parse().ok()?),
            "matrix_norm" => a.matrix_norm(norm(rest)?),
            "triangular_solve" => a.triangular_solve(b, triangle(rest)),
            _ => return None,
        },
    })
}

/// V f(Λ) Vᵀ, which does not depend on the signs of the vectors.
fn of_spectrum<'t>(a: Var<'t>, f: impl Fn(Var<'t>) -> Var<'t>) -> Var<'t> {
    let (w, v) = a.eigh();
    (v * f(w).unsqueeze(-2)).matmul(v.t())
}

fn norm(name: &str) -> Option<MatrixNorm> {
    Some(match name {
        "Frobenius" => MatrixNorm::Frobenius,
        "Nuclear" => MatrixNorm::Nuclear,
        "Spectral" => MatrixNorm::Spectral,
        "One" => MatrixNorm::One,
        "Infinity" => MatrixNorm::Infinity,
        _ => return None,
    })
}

fn triangle(name: &str) -> Triangle {
    let side = if name.starts_with("lower") { Triangle::lower() } else { Triangle::upper() };
    let side = if name.contains("unit") { side.unit() } else { side };
    if name.contains("transposed") { side.transposed() } else { side }
}
