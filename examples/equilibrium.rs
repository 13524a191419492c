//! A network of any depth with the memory of one layer: its output is the fixed point of a layer.
//!
//! z = tanh(W z + U x + b) is repeated until it rests, and differentiated where it rests by the implicit function theorem: nothing of the
//! way there is kept. Bai et al. 2019. `cargo run --release --example equilibrium`

use wengert::prelude::*;

/// x ↦ the z with z = tanh(s W z + U x + b). The factor s keeps the norm of s W below 1, so that there is exactly one.
#[derive(Module)]
struct Equilibrium {
    inner: Param,
    outer: Dense,
}

impl Equilibrium {
    fn new(inputs: usize, width: usize) -> Equilibrium {
        Equilibrium { inner: Param::draw([width, width], Init::GlorotUniform), outer: Dense::new(inputs, width) }
    }

    /// The layer that is repeated.
    fn turn<'t>(&self, x: Var<'t>) -> impl Fn(Var<'t>) -> Var<'t> {
        let w = self.inner.on(x.tape());
        // The largest row sum of |W| bounds the norm of W in the maximum norm.
        let w = w * (0.9 / w.abs().sum_axes(-1).max().maximum(0.9));
        let u = self.outer.forward(x);
        move |z| (z.matmul(w.t()) + u).tanh()
    }
}

impl Layer for Equilibrium {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let turn = self.turn(x);
        let start = self.outer.forward(x).zeros_like();
        FixedPoint::new().tolerance(1e-5).call(x.tape(), start, turn)
    }
}

/// Two arms of a spiral, 300 points.
fn spiral() -> Result<(Tensor, Tensor)> {
    let x = Tensor::from_fn([300, 2], |i| {
        let (point, arm) = (i / 2, (i / 2) % 2);
        let radius = 0.15 + 0.85 * (point / 2) as f32 / 150.0;
        let turn = radius * 7.0 + arm as f32 * std::f32::consts::PI;
        radius * if i % 2 == 0 { turn.cos() } else { turn.sin() }
    })?;
    Ok((x, Tensor::from_fn([300], |i| (i % 2) as i64)?))
}

fn main() -> Result<()> {
    let data = spiral()?;
    let mut net = (Equilibrium::new(2, 48), Dense::new(48, 2)).init(Seed(1))?;
    let history = Trainer::new(Adam::new(1e-2), CrossEntropy::new())
        .metric(Accuracy::new())
        .epochs(150)
        .batch_size(100)
        .seed(Seed(1))
        .fit(&mut net, &data)?;
    println!("{history}");

    // The gradient through the fixed point is that of the function: differences agree.
    let report = check_gradients(
        |[x, w]| x.tape().fixed_point(x.zeros_like(), move |z| (z.matmul(w) * 0.5 + x).tanh()),
        [&Tensor::from([[0.3f64, -0.2]]), &Tensor::from([[0.5f64, 0.1], [-0.4, 0.3]])],
    )?;
    println!("{report}");

    let n = 81;
    let plane = Tensor::from_fn([n * n, 2], |i| {
        let place = if i % 2 == 0 { i / 2 % n } else { i / 2 / n };
        place as f32 / (n - 1) as f32 * 2.4 - 1.2
    })?;
    let share = net.predict(&plane)?.apply(|scores| scores.softmax(-1).slice(1, 1..2).reshape([n, n]))?;
    let mut map = HeatMap::new("which arm?", &share, -1.2..1.2, -1.2..1.2)?.contours(3);
    let points = data.0.to_f64_vec();
    for arm in 0..2 {
        let of_arm = points.chunks_exact(2).skip(arm).step_by(2).map(|p| (p[0], p[1]));
        map = map.points(format!("arm {arm}"), of_arm);
    }
    map.save_svg("target/equilibrium/spiral.svg")?;
    println!("drew target/equilibrium/spiral.svg");
    Ok(())
}
