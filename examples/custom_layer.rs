//! A layer and a loss that the library does not have, and the training loop written out.
//!
//! The network predicts the height below which nine of ten noisy measurements lie.
//! `cargo run --release --example custom_layer`

use wengert::prelude::*;

/// One half of the layer says what, the other how much of it.
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

/// A model is a layer made of layers. `scale` is a weight of its own; the optimizer finds it by the derive.
#[derive(Module)]
struct Net {
    body: Gated,
    scale: Param,
    head: Dense,
}

impl Layer for Net {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.head.forward(self.body.forward(x).tanh() * &self.scale)
    }
}

/// Too low costs `q`, too high 1 − `q`: the cheapest answer is the height below which the share `q` lies.
fn pinball<'t>(prediction: Var<'t>, target: Var<'t>, q: f64) -> Var<'t> {
    let e = target - prediction;
    (e * q).maximum(e * (q - 1.0)).mean()
}

fn main() -> Result<()> {
    // y = sin 3x + noise that grows with x.
    let tape = Tape::with_key(Seed(1));
    let x = tape.uniform([2000, 1], DType::F32);
    let y = (x * 3.0).sin() + tape.normal([2000, 1], DType::F32) * x * 0.3;
    let [x, y] = tape.eval([x, y])?;

    let net = Net {
        body: Gated { value: Dense::new(1, 32), gate: Dense::new(1, 32) },
        scale: Param::new(Tensor::from([1f32; 32])),
        head: Dense::new(32, 1),
    };
    let mut net = net.init(Seed(2))?;
    println!("{}", net.summary()?);

    let mut optimizer = Adam::new(5e-3).learning_rate_of("head", 1e-3).clip_global_norm(1.0);
    let data = (x, y);
    let loader = DataLoader::new(&data, 100)?.shuffle(Seed(3));
    let mut seed = Seed(4);
    for (step, (x, y)) in loader.epochs(60).enumerate() {
        let tape = Tape::training(seed.next());
        let loss = pinball(net.forward(tape.input(&x)), tape.input(&y), 0.9);
        let loss = optimizer.step(&mut net, loss.backward())?; // one plan: forward, backward, clip, update
        if step % 200 == 0 {
            println!("step {step:4}  loss {loss:.4}");
        }
    }

    let (x, y) = &data;
    let below = net.predict(x)?.apply(|line| line.ge(y).cast(DType::F32).mean())?;
    println!("{:.1} % of the measurements lie below the line", below.item::<f32>()? * 100.0);
    Ok(())
}
