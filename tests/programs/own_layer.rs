//! A layer and a loss of one's own, and the plain loop.

use wengert::prelude::*;

#[derive(Module)]
struct Gated {
    value: Dense,
    gate: Dense,
}

impl Layer for Gated {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.value.forward(x) * self.gate.forward(x).sigmoid()
    }
}

#[derive(Module)]
struct Net {
    body: Gated,
    drop: Dropout,
    head: Dense,
}

impl Layer for Net {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.head.forward(self.drop.forward(self.body.forward(x)))
    }
}

fn pinball<'t>(prediction: Var<'t>, target: Var<'t>, q: f64) -> Var<'t> {
    let e = target - prediction;
    (e * q).maximum(e * (q - 1.0)).mean()
}

#[test]
fn a_plain_loop_learns_and_compiles_once_a_batch_size() -> Result<()> {
    let x = Tensor::from_fn([64, 1], |i| i as f32 / 32.0 - 1.0)?;
    let y = x.apply(|x| (x * 3.0).sin())?;
    let net = Net {
        body: Gated { value: Dense::new(1, 16), gate: Dense::new(1, 16) },
        drop: Dropout::new(0.1),
        head: Dense::new(16, 1),
    };
    let mut net = net.init(Seed(3))?;
    let mut seed = Seed(5);
    let loader = DataLoader::new((x, y), 16)?.shuffle(Seed(1));

    let mut optimizer = Adam::new(1e-2).learning_rate_of("head", 1e-3).clip_global_norm(1.0);
    let before = wengert::autograd::plan_stats().compiled;
    let mut losses = Vec::new();
    for (x, y) in loader.epochs(40) {
        let tape = Tape::training(seed.next());
        let loss = pinball(net.forward(tape.input(&x)), tape.input(&y), 0.9);
        losses.push(optimizer.step(&mut net, loss.backward())?); // one plan: forward, backward, clip, update
    }
    assert_eq!(wengert::autograd::plan_stats().compiled, before + 1);
    assert!(losses[losses.len() - 1] < 0.5 * losses[0], "{losses:?}");
    Ok(())
}
