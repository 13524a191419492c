//! Are our products as fast as `gemm`'s? In all four forms of transposition, on the shapes of a small classifier, with all threads.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wengert::prelude::*;

fn ours(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let tape = Tape::new();
    tape.input(a).matmul(tape.input(b)).value()
}

/// The same product by `gemm`, into a buffer that is there already.
fn theirs(m: usize, k: usize, n: usize, a: (&[f32], isize, isize), b: (&[f32], isize, isize), c: &mut [f32]) {
    assert!(a.0.len() >= m * k && b.0.len() >= k * n && c.len() >= m * n);
    let parallelism = match wengert::tensor::kernels::threads::threads() {
        1 => gemm::Parallelism::None,
        _ => gemm::Parallelism::Rayon(0),
    };
    #[allow(unsafe_code)]
    // SAFETY: the slices hold m × k, k × n and m × n elements, and the strides walk within them.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.0.as_ptr(),
            a.2,
            a.1,
            b.0.as_ptr(),
            b.2,
            b.1,
            0.0f32,
            1.0f32,
            false,
            false,
            false,
            parallelism,
        );
    }
}

fn products(c: &mut Criterion) {
    for (m, k, n) in [(512, 512, 512), (128, 784, 512), (784, 128, 512), (128, 512, 784)] {
        for form in ["A·B", "Aᵀ·B", "A·Bᵀ", "Aᵀ·Bᵀ"] {
            let normal = |rows: usize, cols: usize, turned: bool| -> Result<Tensor> {
                let shape = if turned { [cols, rows] } else { [rows, cols] };
                let t = Tape::with_key(1u64).normal(shape, DType::F32).value()?;
                if turned { t.t() } else { Ok(t) }
            };
            let (ta, tb) = (form.starts_with("Aᵀ"), form.ends_with("Bᵀ"));
            let (Ok(a), Ok(b)) = (normal(m, k, ta), normal(k, n, tb)) else { continue };
            let (Ok(plain_a), Ok(plain_b)) = (
                a.t().and_then(|t| if ta { Ok(t) } else { a.t()?.t() }),
                b.t().and_then(|t| if tb { Ok(t) } else { b.t()?.t() }),
            ) else {
                continue;
            };
            let (Ok(sa), Ok(sb)) = (plain_a.as_slice::<f32>(), plain_b.as_slice::<f32>()) else { continue };
            let strides = |rows: usize, cols: usize, turned: bool| match turned {
                true => (1, rows as isize),
                false => (cols as isize, 1),
            };
            let ((ar, ac), (br, bc)) = (strides(m, k, ta), strides(k, n, tb));
            let mut out = vec![0f32; m * n];
            let mut group = c.benchmark_group(format!("{form} {m} × {k} × {n}"));
            group.throughput(Throughput::Elements(2 * (m * k * n) as u64));
            group.bench_function("ours", |bench| bench.iter(|| ours(&a, &b)));
            group.bench_function("gemm", |bench| bench.iter(|| theirs(m, k, n, (sa, ar, ac), (sb, br, bc), &mut out)));
            group.finish();
        }
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
