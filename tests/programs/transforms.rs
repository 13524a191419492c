//! Second derivatives without forming them, batches of what was written for one example, and derivatives of one's own.

use wengert::autograd::{Batch, Class, Derivative, Meta, Op, meta};
use wengert::prelude::*;
use wengert::tensor::kernels::scalar::ScalarFn;

/// A chain of springs: half the squared stretch of each, and a soft wall.
fn energy(w: Var<'_>) -> Var<'_> {
    let n = w.len();
    let stretch = w.slice(0, 1..) - w.slice(0, ..n - 1) - 1.0;
    stretch.square().sum() * 0.5 + w.exp().sum() * 0.1
}

#[test]
fn hessians_and_their_products() -> Result<()> {
    let tape = Tape::new();
    let w = tape.input(&Tensor::from([0.1f64, 0.9, 2.2, 3.0]));
    let v = tape.input(&Tensor::from([1.0f64, -1.0, 0.5, 2.0]));
    let h = tape.hessian(|w| energy(w), w); // [n, n]
    let hv = tape.hvp(|w| energy(w), w, v); // without forming it
    let [h, hv, product] = tape.eval([h, hv, h.matmul(v)])?;
    assert_eq!(h.shape().dims(), [4, 4]);
    assert!(hv.max_abs_diff(&product)? < 1e-14);

    let net = Sequential::input([4]).dense(8).tanh().dense(3).build(Seed(0))?;
    let (x, direction) = (w.cast(DType::F32).unsqueeze(0), v.cast(DType::F32).unsqueeze(0));
    let (y, dy) = tape.jvp(|x| net.forward(x), x, direction);
    let nudge = 1e-2;
    let difference = (net.forward(x + direction * nudge) - net.forward(x - direction * nudge)) / (2.0 * nudge);
    let [y, dy, difference] = tape.eval([y, dy, difference])?;
    assert_eq!(y.shape(), dy.shape());
    assert!(dy.max_abs_diff(&difference)? < 1e-3);
    Ok(())
}

#[test]
fn the_gradient_norm_of_every_example() -> Result<()> {
    let net = Sequential::input([4]).dense(8).relu().dense(3).build(Seed(0))?;
    let images = Tensor::from_fn([5, 4], |i| (i as f32 * 0.7).sin())?;
    let labels = Tensor::from([0i64, 2, 1, 1, 0]);
    let tape = Tape::new();
    let (x, y) = (tape.input(&images), tape.input(&labels));
    let norms = tape.vmap((x, y), |(x, y)| {
        // x, y: one example each
        let loss = net.forward(x).cross_entropy(y);
        loss.grad_of(&net).map(|g| g.square()).sum().sqrt()
    }); // [batch]: the gradient norm of every example
    let norms = norms.value()?.to_vec::<f32>()?;

    for (i, norm) in norms.into_iter().enumerate() {
        let tape = Tape::new();
        let (x, y) = (tape.input(&images).slice(0, i..i + 1), tape.input(&labels).slice(0, i..i + 1));
        let gradients = net.forward(x).cross_entropy(y).backward();
        let alone = gradients.map(|g| g.square()).sum().sqrt().item::<f32>()?;
        assert!((norm - alone).abs() < 1e-6 * alone, "example {i}: {norm} and {alone}");
    }
    Ok(())
}

fn binarize(x: Var<'_>) -> Var<'_> {
    // straight-through
    x.custom_vjp(|x| x.sign(), |x, _y, ct| ct.select(x.abs().le(1.0), 0.0))
}

#[test]
fn a_derivative_of_ones_own() -> Result<()> {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([-2.0f32, -0.5, 0.5]));
    let dx = tape.grad(binarize(x).sum(), x);
    assert_eq!(dx.value()?.to_vec::<f32>()?, [0.0, 1.0, 1.0]);

    let sample = Tensor::from([0.3f64, -1.2]);
    let report = check_gradients(|[x]| x.exp().sin(), [&sample])?;
    assert!(report.passed(), "{report}");
    let error = check_gradients(|[x]| binarize(x).exp(), [&sample]).unwrap_err().to_string();
    assert!(error.contains("input 0"), "{error}");
    Ok(())
}

/// √(1 + x²), an op of one's own: one rule, and both modes, all orders and batches.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SoftAbs;

impl Op for SoftAbs {
    fn name(&self) -> &'static str {
        "soft_abs"
    }
    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x, one] = meta::operands(inputs)?;
        assert_eq!(one.shape, x.shape);
        Ok(x.clone())
    }
    fn class(&self) -> Class<'_> {
        Class::Map(ScalarFn::Hypot)
    }
    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }
    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        (i == 0).then(|| ct * x[0] / y)
    }
    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(SoftAbs)
    }
}

#[test]
fn an_op_of_ones_own() -> Result<()> {
    fn soft(x: Var<'_>) -> Var<'_> {
        x.tape().record(SoftAbs, &[x, x.ones_like()])
    }
    check_gradients(|[x]| soft(x), [&Tensor::from([0.3f64, -1.2])])?;
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([0.3f64, -1.2]));
    let second = tape.vmap(x, |x| tape.hessian(soft, x));
    let (_, forward) = tape.jvp(|x| tape.vmap(x, |x| tape.grad(soft(x), x)), x, x.ones_like());
    for ((second, forward), x) in
        second.value()?.to_f64_vec().iter().zip(forward.value()?.to_f64_vec()).zip([0.3f64, -1.2])
    {
        let expected = (1.0 + x * x).powf(-1.5);
        assert!((second - expected).abs() < 1e-15 && (forward - expected).abs() < 1e-15);
    }
    Ok(())
}
