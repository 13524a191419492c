//! Single ops, forward and with their gradients: our side of `peers/ops.py`, which does the same with PyTorch.
//!
//! `ops --threads N --seconds S [case …]` prints what `workloads` does. A case with `+` behind its name is the gradient, by the operands, of
//! the sum of squares of the op, and that sum.

use wengert::prelude::*;
use wengert_benches::{Step, run};

/// An operand.
#[derive(Clone, Copy)]
enum Of {
    /// Standard normal numbers.
    Normal(&'static [usize]),
    /// So many indices below a bound.
    Index(usize, i64),
}
use Of::{Index, Normal};

type Op = for<'t> fn(&'t Tape, &[Var<'t>]) -> Var<'t>;

const IMAGES: Of = Normal(&[16, 32, 28, 28]);
const MATRIX: Of = Normal(&[1024, 1024]);
const LONG: Of = Normal(&[1 << 20]);

/// The layer norm of these axes.
fn normed<'t>(x: Var<'t>, axes: &[isize]) -> Var<'t> {
    let centred = x - x.mean_keep(axes);
    centred * (centred.square().mean_keep(axes) + 1e-5).rsqrt()
}

/// Name, operands and the op; gradients are by those operands that are no indices.
#[rustfmt::skip]
const CASES: &[(&str, &[Of], Op)] = &[
    ("conv 3x3", &[IMAGES, Normal(&[32, 32, 3, 3])], |_, x| x[0].conv(x[1], Conv::new().padding(1))),
    ("conv 3x3, stride 2", &[IMAGES, Normal(&[64, 32, 3, 3])], |_, x| x[0].conv(x[1], Conv::new().padding(1).stride(2))),
    ("conv 1x1", &[IMAGES, Normal(&[64, 32, 1, 1])], |_, x| x[0].conv(x[1], Conv::new())),
    ("conv 5x5", &[IMAGES, Normal(&[32, 32, 5, 5])], |_, x| x[0].conv(x[1], Conv::new().padding(2))),
    ("conv 3x3, depthwise", &[IMAGES, Normal(&[32, 1, 3, 3])], |_, x| x[0].conv(x[1], Conv::new().padding(1).groups(32))),
    ("conv 3x3, 4 groups", &[IMAGES, Normal(&[32, 8, 3, 3])], |_, x| x[0].conv(x[1], Conv::new().padding(1).groups(4))),
    ("conv 3x3, dilated", &[IMAGES, Normal(&[32, 32, 3, 3])], |_, x| x[0].conv(x[1], Conv::new().padding(2).dilation(2))),
    ("conv 7x7, stem", &[Normal(&[2, 3, 128, 128]), Normal(&[64, 3, 7, 7])], |_, x| x[0].conv(x[1], Conv::new().padding(3).stride(2))),
    ("conv transposed", &[Normal(&[16, 32, 14, 14]), Normal(&[32, 32, 2, 2])], |_, x| x[0].conv_transpose(x[1], Conv::new().stride(2))),
    ("conv 1d", &[Normal(&[16, 64, 256]), Normal(&[64, 64, 3])], |_, x| x[0].conv(x[1], Conv::new().padding(1))),
    ("max pool 2", &[IMAGES], |_, x| x[0].max_pool(2)),
    ("max pool 3, stride 2", &[IMAGES], |_, x| x[0].max_pool(Pool::new([3, 3]).stride(2).padding(1))),
    ("average pool 2", &[IMAGES], |_, x| x[0].avg_pool(2)),
    ("average of images", &[IMAGES], |_, x| x[0].mean_axes([2, 3])),
    ("batch norm", &[IMAGES], |_, x| normed(x[0], &[0, 2, 3])),
    ("group norm", &[IMAGES], |_, x| normed(x[0].reshape([16, 8, 3136]), &[-1])),
    ("nearest, twice", &[IMAGES], |_, x| x[0].interpolate(Resize::by(2.0).nearest())),
    ("bilinear, twice", &[IMAGES], |_, x| x[0].interpolate(Resize::by(2.0).linear())),
    ("channels last", &[IMAGES], |_, x| x[0].permute(&[0, 2, 3, 1]) + 1.0),
    ("transpose", &[MATRIX], |_, x| x[0].t() + 1.0),
    ("x + transpose", &[MATRIX], |_, x| x[0] + x[0].t()),
    ("sum", &[MATRIX], |_, x| x[0].sum()),
    ("sum of columns", &[MATRIX], |_, x| x[0].sum_axes(0)),
    ("sum of rows", &[MATRIX], |_, x| x[0].sum_axes(1)),
    ("sum of the middle", &[Normal(&[64, 64, 256])], |_, x| x[0].sum_axes(1)),
    ("max of rows", &[MATRIX], |_, x| x[0].max_axes(1)),
    ("variance of rows", &[MATRIX], |_, x| x[0].var_axes(1)),
    ("logsumexp of rows", &[MATRIX], |_, x| x[0].logsumexp(1)),
    ("softmax of columns", &[MATRIX], |_, x| x[0].softmax(0)),
    ("norm", &[MATRIX], |_, x| x[0].norm()),
    ("cumsum of rows", &[MATRIX], |_, x| x[0].cumsum(1)),
    ("argmax of rows", &[MATRIX], |_, x| x[0].argmax(1)),
    ("argmax of columns", &[MATRIX], |_, x| x[0].argmax(0)),
    ("sort of rows", &[MATRIX], |_, x| x[0].sort(1)),
    ("top 5 of rows", &[MATRIX], |_, x| x[0].top_k(5, 1).0),
    ("flip", &[MATRIX], |_, x| x[0].flip(1)),
    ("roll", &[MATRIX], |_, x| x[0].roll(5, 1)),
    ("pad", &[MATRIX], |_, x| x[0].pad(1, 2, 2, 0.0)),
    ("concat", &[MATRIX, MATRIX], |tape, x| tape.concat(&[x[0], x[1]], 1)),
    ("gated half", &[MATRIX], |_, x| x[0].slice(1, ..512) * x[0].slice(1, 512..).sigmoid()),
    ("every other", &[MATRIX], |_, x| x[0].slice_step(1, .., 2) * 2.0),
    ("lower triangle", &[MATRIX], |_, x| x[0].tril(0)),
    ("select", &[MATRIX, MATRIX], |_, x| x[0].select(x[0].gt(0.5), x[1] * 2.0)),
    ("tanh of an outer sum", &[Normal(&[1024, 1]), Normal(&[1024])], |_, x| (x[0] + x[1]).tanh()),
    ("distances", &[Normal(&[256, 1, 16]), Normal(&[256, 16])], |_, x| (x[0] - x[1]).square().sum_axes(-1)),
    ("embedding", &[Normal(&[8192, 128]), Index(4096, 8192)], |_, x| x[0].index_select(0, x[1])),
    ("sum by index", &[MATRIX, Index(1024, 100)], |tape, x| tape.full([100, 1024], 0.0, DType::F32).index_add(0, x[1], x[0])),
    ("clamp", &[LONG], |_, x| x[0].clamp(-1.0, 1.0)),
    ("power", &[LONG], |_, x| x[0].abs().pow(2.5)),
    ("cube", &[LONG], |_, x| x[0].powi(3)),
    ("sine", &[LONG], |_, x| x[0].sin()),
    ("quotient", &[LONG, LONG], |_, x| x[0] / (x[1] + 3.0)),
    ("error function", &[LONG], |_, x| x[0].erf()),
    ("arctan of a quotient", &[LONG, LONG], |_, x| x[0].atan2(x[1])),
    ("log of the logistic", &[LONG], |_, x| x[0].log_sigmoid()),
    ("to bf16", &[LONG], |_, x| x[0].cast(DType::BF16)),
    ("product 64", &[Normal(&[64, 64]), Normal(&[64, 64])], |_, x| x[0].matmul(x[1])),
    ("product 256", &[Normal(&[256, 256]), Normal(&[256, 256])], |_, x| x[0].matmul(x[1])),
    ("product, narrow", &[Normal(&[100, 1000]), Normal(&[1000, 10])], |_, x| x[0].matmul(x[1])),
    ("product, tall", &[Normal(&[4096, 32]), Normal(&[32, 32])], |_, x| x[0].matmul(x[1])),
    ("64 products of 32", &[Normal(&[64, 32, 32]), Normal(&[64, 32, 32])], |_, x| x[0].matmul(x[1])),
    ("1024 products of 4", &[Normal(&[1024, 4, 4]), Normal(&[1024, 4, 4])], |_, x| x[0].matmul(x[1])),
    ("matrix by vector", &[MATRIX, Normal(&[1024])], |_, x| x[0].matmul(x[1])),
    ("dot", &[LONG, LONG], |_, x| (x[0] * x[1]).sum()),
    ("outer product", &[Normal(&[1024]), Normal(&[1024])], |_, x| x[0].outer(x[1])),
];

fn tensor(of: Of, stream: u64) -> Result<Tensor> {
    match of {
        Normal(dims) => Tape::with_key(stream).normal(dims, DType::F32).value(),
        Index(n, below) => Tensor::new((0..n as i64).map(|i| i * 7919 % below).collect::<Vec<_>>(), [n]),
    }
}

fn step(of: &[Of], op: Op, gradient: bool) -> Result<Step> {
    let operands = of.iter().zip(0..).map(|(&of, stream)| tensor(of, stream)).collect::<Result<Vec<_>>>()?;
    let by: Vec<usize> = (0..of.len()).filter(|&i| matches!(of.get(i), Some(Normal(_)))).collect();
    Ok(Box::new(move || {
        let tape = Tape::new();
        let x: Vec<Var> = operands.iter().map(|x| tape.input(x)).collect();
        let y = op(&tape, &x);
        if !gradient {
            y.value()?;
            return Ok(0.0);
        }
        let loss = y.square().sum();
        let mut wanted = vec![loss];
        wanted.extend(tape.grad(loss, by.iter().filter_map(|&i| x.get(i)).copied().collect::<Vec<_>>()));
        tape.eval(wanted)?;
        Ok(0.0)
    }))
}

fn main() -> Result<()> {
    let cases = CASES.iter().flat_map(|&(name, of, op)| {
        let differentiable = !name.starts_with("argmax") && !name.starts_with("to ");
        let one = |gradient: bool| Box::new(move || step(of, op, gradient)) as Box<dyn FnOnce() -> Result<Step>>;
        let gradient = differentiable.then(|| (format!("{name} +"), one(true)));
        std::iter::once((name.to_owned(), one(false))).chain(gradient)
    });
    run(cases)
}
