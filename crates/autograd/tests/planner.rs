//! Plans against op-by-op evaluation: the reference says what the numbers are, and fusion, threads and warm plans may not change a bit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::reference;
use wengert_autograd::{Conv, Tape, Var, plan_clear, plan_stats, without_fusion};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::kernels::threads::with_threads;
use wengert_tensor::tensor::Tensor;

type Program = for<'t> fn(&'t Tape, &[Var<'t>]) -> Vec<Var<'t>>;

fn data(shape: &[usize], seed: u64) -> Tensor {
    Tape::with_key(seed).normal(shape, DType::F32).value().unwrap()
}

fn ask(program: Program, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let tape = Tape::training(3u64);
    let vars: Vec<Var<'_>> = inputs.iter().map(|t| tape.input(t)).collect();
    tape.eval(program(&tape, &vars))
}

fn close(a: &Tensor, b: &Tensor, what: &str) {
    assert_eq!(a.shape(), b.shape(), "{what}");
    for (i, (x, y)) in a.to_f64_vec().into_iter().zip(b.to_f64_vec()).enumerate() {
        let alike = (x - y).abs() <= 3e-5 * (1.0 + y.abs()) || (x.is_nan() && y.is_nan()) || x == y;
        assert!(alike, "{what}: element {i}: {x}, not {y}");
    }
}

/// Every way of asking gives the same bits, and the numbers of the reference.
fn check(name: &str, program: Program, shapes: &[&[usize]]) {
    let inputs: Vec<Tensor> = shapes.iter().enumerate().map(|(i, s)| data(s, i as u64 + 1)).collect();
    let fused = ask(program, &inputs).unwrap();
    let expected = {
        let tape = Tape::training(3u64);
        let vars: Vec<Var<'_>> = inputs.iter().map(|t| tape.input(t)).collect();
        reference::evaluate(&program(&tape, &vars)).unwrap()
    };
    for (i, (a, b)) in fused.iter().zip(&expected).enumerate() {
        close(a, b, &format!("{name}, output {i}, against the reference"));
    }
    let same = |other: Vec<Tensor>, how: &str| {
        for (i, (a, b)) in fused.iter().zip(&other).enumerate() {
            assert!(a.equals(b), "{name}, output {i}, {how}: {a} and {b}");
        }
    };
    same(ask(program, &inputs).unwrap(), "a warm plan");
    same(without_fusion(|| ask(program, &inputs)).unwrap(), "without fusion");
    for threads in [1, 2, 3, 7, 16] {
        same(with_threads(threads, || ask(program, &inputs)).unwrap(), &format!("{threads} threads"));
    }
    // Each output alone: what else is asked for changes nothing.
    for (i, expected) in fused.iter().enumerate() {
        let tape = Tape::training(3u64);
        let vars: Vec<Var<'_>> = inputs.iter().map(|t| tape.input(t)).collect();
        let alone = program(&tape, &vars)[i].value().unwrap();
        assert!(alone.equals(expected), "{name}, output {i} alone");
    }
}

fn softmax_and_gradient<'t>(tape: &'t Tape, v: &[Var<'t>]) -> Vec<Var<'t>> {
    let y = v[0].softmax(-1);
    let loss = (y * v[1]).sum();
    let [dx] = tape.grad(loss, [v[0]]);
    let [ddx] = tape.grad((dx * v[1]).sum(), [v[0]]);
    vec![y, loss, dx, ddx]
}

fn layer_norm<'t>(tape: &'t Tape, v: &[Var<'t>]) -> Vec<Var<'t>> {
    let centred = v[0] - v[0].mean_keep(-1);
    let y = centred * (centred.square().mean_keep(-1) + 1e-5).rsqrt() * v[1] + v[2];
    let loss = y.softmax(-1).square().sum();
    let [a, b, c] = tape.grad(loss, [v[0], v[1], v[2]]);
    vec![y, loss, a, b, c]
}

fn network<'t>(tape: &'t Tape, v: &[Var<'t>]) -> Vec<Var<'t>> {
    let h = (v[0].matmul(v[1].t()) + v[2]).relu();
    let logits = h.matmul(v[3].t()) + v[4];
    let nll = -(logits.log_softmax(-1) * v[5]).sum_axes(-1).mean();
    let grads = tape.grad(nll, [v[1], v[2], v[3], v[4]]);
    let updated = [v[1], v[2], v[3], v[4]].into_iter().zip(grads).map(|(w, g)| w - g * 0.1);
    std::iter::once(nll).chain(updated).collect()
}

fn gelu_chain<'t>(tape: &'t Tape, v: &[Var<'t>]) -> Vec<Var<'t>> {
    let y = ((v[0] * v[1] + v[2]).gelu() * v[3]).sum();
    let grads = tape.grad(y, [v[0], v[1], v[2], v[3]]);
    std::iter::once(y).chain(grads).collect()
}

fn adam<'t>(_: &'t Tape, v: &[Var<'t>]) -> Vec<Var<'t>> {
    let m = v[1] * 0.9 + v[3] * 0.1;
    let s = v[2].square() * 0.999 + v[3] * v[3] * 0.001;
    vec![v[0] - (m / 0.1) / ((s / 0.001).sqrt() + 1e-8) * 1e-3, m, s]
}

fn reductions<'t>(_: &'t Tape, v: &[Var<'t>]) -> Vec<Var<'t>> {
    let x = v[0];
    vec![
        x.sum(),
        x.sum_axes(0),
        x.sum_axes(1),
        x.sum_axes(2),
        x.sum_axes([0, 2]),
        x.max_axes([1, 2]),
        x.min_axes([0, 1]),
        x.mean(),
        x.max(),
        (x * 0.1 + 1.0).prod_axes(1),
        x.exp().sum_axes(0) + x.sum_axes(0),
    ]
}

fn views<'t>(_: &'t Tape, v: &[Var<'t>]) -> Vec<Var<'t>> {
    let x = v[0];
    let turned = x.permute(&[2, 0, 1]);
    let flat = turned.reshape([x.len()]);
    vec![
        turned.exp(),
        flat * 2.0,
        x.flip(1) + x,
        x.slice(1, 1..3).tanh(),
        x.t().matmul(x),
        (x.exp().permute(&[1, 0, 2]).reshape([x.dim(1), x.dim(0) * x.dim(2)]) + 1.0).sum_axes(0),
        x,
        x.slice(0, 0..1).broadcast_to(x.shape()) - x,
    ]
}

fn noise<'t>(tape: &'t Tape, v: &[Var<'t>]) -> Vec<Var<'t>> {
    let mask = tape.uniform(v[0].shape(), DType::F32).lt(0.5);
    let kept = v[0].select(mask, 0.0) * 2.0;
    let loss = (kept + tape.normal(v[0].shape(), DType::F32)).square().mean();
    let [d] = tape.grad(loss, [v[0]]);
    vec![kept, loss, d, mask.cast(DType::F32).mean()]
}

fn scalars<'t>(tape: &'t Tape, v: &[Var<'t>]) -> Vec<Var<'t>> {
    let x = v[0].sum();
    let y = (0..40).fold(x * 0.01, |y, i| (y * 1.01 + 0.01 * f64::from(i)).tanh());
    let [d] = tape.grad(y, [v[0]]);
    vec![y, d]
}

fn counting<'t>(tape: &'t Tape, v: &[Var<'t>]) -> Vec<Var<'t>> {
    let n = v[0].dim(1);
    let i = tape.iota([v[0].dim(0), n], 1, DType::I64);
    let picked = v[0].select(i.eq(2), 0.0);
    vec![picked, picked.sum_axes(1), (i.cast(DType::F32) * v[0]).sum()]
}

/// Two views of one product, each read once and each back in its shape: neither may take it for its own.
fn product_in_two_views<'t>(_: &'t Tape, v: &[Var<'t>]) -> Vec<Var<'t>> {
    let y = v[0].matmul(v[1]);
    let there_and_back = |first: usize| y.reshape([first, 6 / first, 4]).reshape([6, 4]).t().matmul(v[2]);
    let summed = y.reshape([6, 1, 4]).sum_axes(1).t().matmul(v[2]);
    vec![there_and_back(2), y.reshape([3, 2, 4]).reshape([6, 4]).matmul(v[1].t()), there_and_back(1), summed]
}

/// Padded and strided windows, a pool, and all gradients.
fn convolutions<'t>(tape: &'t Tape, v: &[Var<'t>]) -> Vec<Var<'t>> {
    let &[x, first, second] = v else { return Vec::new() };
    let h = x.conv(first, Conv::new()).relu();
    let pooled = h.conv(second, Conv::new().padding(1)).max_pool(2);
    let strided = h.conv(second, Conv::new().stride(2));
    let loss = pooled.square().mean() + strided.tanh().mean();
    let gradients = tape.grad(loss, [x, first, second]);
    [pooled, strided].into_iter().chain(gradients).collect()
}

/// Reductions over leading axes, fused and not, beside what is read by row.
fn columns<'t>(_: &'t Tape, v: &[Var<'t>]) -> Vec<Var<'t>> {
    let &[x, bias] = v else { return Vec::new() };
    let y = (x + bias).tanh();
    vec![y.sum_axes(0), (y * x).max_axes(0), y, x.sum_axes(0) + bias, (x * x.mean_keep(-1)).sum_axes(0)]
}

#[test]
fn convolutions_and_their_gradients() {
    for (images, size) in [(1, 5), (3, 8), (2, 19)] {
        check(
            &format!("{images} images of {size}"),
            convolutions,
            &[&[images, 2, size, size], &[7, 2, 3, 3], &[6, 7, 3, 3]],
        );
    }
}

#[test]
fn few_long_rows_are_reduced_to_one() {
    for (rows, cols) in [(2, 600), (3, 5000), (5, 30_000), (200, 700), (256, 520), (257, 520)] {
        check(&format!("{rows} rows of {cols}"), columns, &[&[rows, cols], &[cols]]);
    }
}

#[test]
fn rows_of_every_length() {
    for (r, c) in [(1, 3), (6, 2), (5, 10), (32, 10), (33, 64), (3, 700), (2, 5000), (130, 257), (1, 40_000)] {
        check(&format!("softmax {r} × {c}"), softmax_and_gradient, &[&[r, c], &[r, c]]);
        check(&format!("layer norm {r} × {c}"), layer_norm, &[&[r, c], &[c], &[c]]);
    }
}

#[test]
fn batches_of_rows() {
    check("softmax of a batch", softmax_and_gradient, &[&[3, 4, 50], &[3, 4, 50]]);
    check("layer norm of a batch", layer_norm, &[&[3, 5, 64], &[64], &[64]]);
}

#[test]
fn networks() {
    for (batch, i, h, o) in [(6, 2, 8, 2), (32, 64, 64, 10), (128, 50, 200, 10), (1, 20, 30, 3)] {
        check("network", network, &[&[batch, i], &[h, i], &[h], &[o, h], &[o], &[batch, o]]);
    }
}

#[test]
fn elementwise() {
    for n in [1, 7, 300, 5000, 40_000, 200_000] {
        check("gelu", gelu_chain, &[&[n], &[n], &[n], &[n]]);
        check("adam", adam, &[&[n], &[n], &[n], &[n]]);
    }
    check("adam of a matrix", adam, &[&[300, 70], &[300, 70], &[300, 70], &[300, 70]]);
}

#[test]
fn reductions_over_any_axes() {
    for shape in [[2, 3, 4], [5, 1, 7], [40, 30, 20], [1, 1, 1], [3, 100, 50]] {
        check(&format!("reductions of {shape:?}"), reductions, &[&shape]);
    }
}

#[test]
fn views_of_all_kinds() {
    for shape in [[2, 3, 4], [5, 4, 70], [30, 20, 10]] {
        check(&format!("views of {shape:?}"), views, &[&shape]);
    }
}

#[test]
fn randomness_counters_and_scalars() {
    check("noise", noise, &[&[50, 70]]);
    check("scalars", scalars, &[&[17]]);
    check("counting", counting, &[&[20, 30]]);
}

#[test]
fn a_loop_compiles_once_whatever_its_numbers() {
    let mut w = data(&[4, 3], 1);
    plan_clear();
    let before = plan_stats();
    for step in 0..10 {
        let tape = Tape::training(step as u64);
        let v = tape.input(&w);
        let loss = (v * (step as f64)).square().mean();
        let [d] = tape.grad(loss, [v]);
        [w] = tape.eval([v - d * (0.1 / (step + 1) as f64)]).unwrap();
    }
    let after = plan_stats();
    assert_eq!((after.compiled - before.compiled, after.hits - before.hits), (1, 9));
}

#[test]
fn a_value_read_in_between_changes_nothing() {
    let x = data(&[30, 20], 5);
    let once = |early: bool| {
        let tape = Tape::new();
        let v = tape.input(&x);
        let h = v.tanh();
        if early {
            h.value().unwrap();
        }
        let loss = (h * h).sum();
        if early {
            loss.item::<f32>().unwrap();
        }
        let [d] = tape.grad(loss, [v]);
        tape.eval([loss, d]).unwrap()
    };
    for (a, b) in once(false).iter().zip(&once(true)) {
        assert!(a.equals(b));
    }
}

#[test]
fn a_product_that_is_read_twice_is_not_turned() {
    check("a product in two views", product_in_two_views, &[&[6, 5], &[5, 4], &[6, 3]]);
}

#[test]
fn rows_longer_than_a_tile_are_summed_in_one_order() {
    // So many values at once that a tile is made shorter, for rows of all lengths around it.
    for (rows, cols) in [(1, 300), (2, 150), (3, 100), (3, 107), (4, 90), (5, 65), (5, 81), (2, 257), (7, 70)] {
        let x = Tensor::from_fn([cols], |i| (i as f64 * 0.7).sin() * 5.0).unwrap();
        let w = Tensor::from_fn([rows, 1], |i| (i as f64 * 1.3).cos()).unwrap();
        let softmax = || {
            let tape = Tape::new();
            let x = (tape.input(&x) + &w).clamp(-4.0, 4.0);
            let y = x.softmax(-1) * x.sum_axes(-1).tanh().unsqueeze(-1);
            y.value().unwrap().to_vec::<f64>().unwrap()
        };
        assert!(softmax() == without_fusion(softmax), "{rows} × {cols}");
    }
}

/// What is taken apart sends back one value that is put together, not one for each part with zeros around it.
#[test]
fn parts_send_back_a_whole() {
    let tape = Tape::new();
    let x = tape.input(&data(&[6, 4, 40], 1));
    let [q, k, v] = [0, 1, 2].map(|i| x.slice(0, 2 * i..2 * i + 2));
    let scores = q.matmul(k.transpose(-2, -1)).softmax(-1);
    let [g] = tape.grad(scores.matmul(v).square().sum(), [x]);
    let report = tape.report(g).unwrap();
    let count = |name: &str| report.steps.iter().flat_map(|step| &step.ops).filter(|op| **op == name).count();
    assert_eq!((count("concat"), count("pad"), count("add")), (1, 0, 0), "{report}");
}

/// Images with many windows, whose convolution is a product for each example, against the definition.
#[test]
fn many_windows_are_sums_of_products() {
    let cases = [
        ([2, 3, 20, 19], [4, 3, 3, 2], 1, [1, 1], [1, 1], [0, 0]),
        ([3, 4, 40, 21], [6, 2, 3, 3], 2, [2, 1], [1, 2], [1, 2]),
        ([1, 32, 18, 17], [40, 32, 3, 3], 1, [1, 1], [1, 1], [1, 1]),
        ([2, 6, 17, 17], [6, 1, 2, 2], 6, [1, 1], [1, 1], [0, 0]),
        ([0, 3, 20, 20], [4, 3, 3, 3], 1, [1, 1], [1, 1], [0, 0]),
        ([2, 0, 20, 20], [4, 0, 3, 3], 1, [1, 1], [1, 1], [0, 0]),
    ];
    for (x_dims, w_dims, groups, stride, dilation, padding) in cases {
        let (x, w) = (data(&x_dims, 1), data(&w_dims, 2));
        let tape = Tape::new();
        let options = Conv::new().groups(groups).stride(stride).dilation(dilation).padding(padding);
        let y = tape.input(&x).conv(tape.input(&w), options).value().unwrap();
        let (found, x, w) = (y.to_f64_vec(), x.to_f64_vec(), w.to_f64_vec());
        let [examples, channels, height, width] = x_dims;
        let [outputs, inputs, kernel_height, kernel_width] = w_dims;
        let [rows, columns] = [y.shape()[2], y.shape()[3]];
        assert!(rows * columns >= 256 && y.shape()[0] == examples && y.shape()[1] == outputs);
        for (at, found) in found.iter().enumerate() {
            let (column, rest) = (at % columns, at / columns);
            let (row, rest) = (rest % rows, rest / rows);
            let (output, example) = (rest % outputs, rest / outputs);
            let mut sum = 0.0;
            for i in 0..inputs * kernel_height * kernel_width {
                let (kx, ky, c) =
                    (i % kernel_width, i / kernel_width % kernel_height, i / kernel_width / kernel_height);
                let (i_row, i_column) = (row * stride[0] + ky * dilation[0], column * stride[1] + kx * dilation[1]);
                let inside = |at: usize, before: usize, n: usize| at.checked_sub(before).filter(|&at| at < n);
                let place = (inside(i_row, padding[0], height), inside(i_column, padding[1], width));
                if let (Some(r), Some(k)) = place {
                    let channel = output / (outputs / groups) * inputs + c;
                    let from = ((example * channels + channel) * height + r) * width + k;
                    sum += x[from] * w[((output * inputs + c) * kernel_height + ky) * kernel_width + kx];
                }
            }
            assert!(
                (found - sum).abs() <= 1e-4 * (1.0 + sum.abs()),
                "{x_dims:?} {w_dims:?} at {at}: {found}, not {sum}"
            );
        }
    }
}
