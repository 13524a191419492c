//! Our side of the comparison with PyTorch and JAX: the same work, written as a user would write it.
//!
//! `workloads --threads N --seconds S [case …]` pins itself to the first N processors and prints one line of JSON a case:
//! the least and the median time of a step in microseconds, the number of steps, and the seconds of the first, with its planning.
//! With `--report` it prints what the plans of a step do instead, and the least time of each of their steps in twenty runs.

use wengert::prelude::*;
use wengert_benches::{Step, run};

type Build = fn() -> Result<Step>;

const CASES: [(&str, Build); 16] = [
    ("seed", seed),
    ("seed_compiled", seed_compiled),
    ("mlp_small", mlp_small),
    ("mlp_small_compiled", mlp_small_compiled),
    ("mlp_mnist", mlp_mnist),
    ("cnn", cnn),
    ("gpt", gpt),
    ("lstm", lstm),
    ("elementwise", elementwise),
    ("layernorm_softmax", layernorm_softmax),
    ("attention", attention),
    ("adam10m", adam10m),
    ("hvp", hvp),
    ("infer1", infer1),
    ("infer1_compiled", infer1_compiled),
    ("scalar_chain", scalar_chain),
];

/// Standard normal numbers, another stream for each call.
fn normal<const R: usize>(shape: [usize; R]) -> Result<Tensor> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static STREAM: AtomicU64 = AtomicU64::new(0);
    let tape = Tape::with_key(STREAM.fetch_add(1, Ordering::Relaxed));
    tape.normal(shape, DType::F32).value()
}

fn labels(classes: i64, n: usize) -> Result<Tensor> {
    Tensor::new((0..n as i64).map(|i| (i * 7 + i / 3) % classes).collect::<Vec<_>>(), [n])
}

/// A whole training step of a classifier: forward, loss, backward, Adam; the loss is read every time.
fn train(mut model: impl Layer + 'static, x: Tensor, y: Tensor) -> Result<Step> {
    let mut optimizer = Adam::new(1e-3);
    Ok(Box::new(move || {
        let tape = Tape::training(0);
        let loss = model.forward(tape.input(&x)).cross_entropy(&y);
        optimizer.step(&mut model, loss.backward())
    }))
}

/// [`train`] that is recorded once.
fn train_compiled(mut model: impl Layer + 'static, x: Tensor, y: Tensor) -> Result<Step> {
    let mut step = Adam::new(1e-3).compile(|model, _, [x, y]| forward(model, x).cross_entropy(y));
    Ok(Box::new(move || step.run(&mut model, [&x, &y])))
}

fn forward<'t>(model: &impl Layer, x: Var<'t>) -> Var<'t> {
    model.forward(x)
}

fn seed_data() -> Result<(Sequential, Tensor, Tensor)> {
    let x = Tensor::from([[150f32, 67.], [130., 60.], [200., 65.], [125., 52.], [230., 72.], [181., 70.]]);
    let y = Tensor::from([1i64, 1, 0, 1, 0, 0]);
    let model = Sequential::input([2]).dense(8).relu().dense(16).relu().dense(2).build(Seed(0))?;
    Ok((model, x.apply(|x| x / 100.0)?, y))
}

fn seed() -> Result<Step> {
    let (model, x, y) = seed_data()?;
    train(model, x, y)
}

fn seed_compiled() -> Result<Step> {
    let (model, x, y) = seed_data()?;
    train_compiled(model, x, y)
}

fn small() -> Result<(Sequential, Tensor, Tensor)> {
    let model = Sequential::input([64]).dense(64).relu().dense(64).relu().dense(10).build(Seed(0))?;
    Ok((model, normal([32, 64])?, labels(10, 32)?))
}

fn mlp_small() -> Result<Step> {
    let (model, x, y) = small()?;
    train(model, x, y)
}

fn mlp_small_compiled() -> Result<Step> {
    let (model, x, y) = small()?;
    train_compiled(model, x, y)
}

fn mnist() -> Result<Sequential> {
    Sequential::input([784]).dense(512).relu().dense(256).relu().dense(10).build(Seed(0))
}

fn mlp_mnist() -> Result<Step> {
    train(mnist()?, normal([128, 784])?, labels(10, 128)?)
}

/// Two convolutions of 28 × 28 images, a pool, two dense layers.
fn cnn() -> Result<Step> {
    let model = Sequential::input([1, 28, 28])
        .conv2d(32, 3, Conv::new())
        .relu()
        .conv2d(64, 3, Conv::new())
        .relu()
        .max_pool(2)
        .flatten()
        .dense(128)
        .relu()
        .dense(10)
        .build(Seed(0))?;
    train(model, normal([64, 1, 28, 28])?, labels(10, 64)?)
}

/// y = (x − mean) / √(variance + ε) · scale + shift, over the last axis.
#[derive(Module)]
struct Norm {
    scale: Param,
    shift: Param,
}

impl Norm {
    fn new(size: usize) -> Norm {
        Norm { scale: Param::draw([size], Init::Ones), shift: Param::draw([size], Init::Zeros) }
    }
}

impl Layer for Norm {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let centred = x - x.mean_keep(-1);
        centred * (centred.square().mean_keep(-1) + 1e-5).rsqrt() * &self.scale + &self.shift
    }
}

/// A block of a transformer: causal attention, then two dense layers, each on what a norm makes of its input, and added to it.
#[derive(Module)]
struct Block {
    norms: [Norm; 2],
    qkv: Dense,
    out: Dense,
    up: Dense,
    down: Dense,
}

impl Block {
    const HEADS: usize = 4;

    fn new(size: usize) -> Block {
        Block {
            norms: [Norm::new(size), Norm::new(size)],
            qkv: Dense::new(size, 3 * size),
            out: Dense::new(size, size),
            up: Dense::new(size, 4 * size),
            down: Dense::new(4 * size, size),
        }
    }
}

impl Layer for Block {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let shape = x.shape();
        let (examples, length, size) = (shape[0], shape[1], shape[2]);
        let head = size / Block::HEADS;
        let qkv = self.qkv.forward(self.norms[0].forward(x));
        let qkv = qkv.reshape([examples, length, 3, Block::HEADS, head]).permute(&[2, 0, 3, 1, 4]);
        let [q, k, v] = [0, 1, 2].map(|i| qkv.slice(0, i..i + 1).squeeze(0));
        let scores = q.matmul(k.t()) * (head as f64).powf(-0.5);
        let later = x.tape().constant([length, length], true).triu(1);
        let weights = scores.masked_fill(later, f64::NEG_INFINITY).softmax(-1);
        let heads = weights.matmul(v).transpose(1, 2).reshape([examples, length, size]);
        let x = x + self.out.forward(heads);
        x + self.down.forward(self.up.forward(self.norms[1].forward(x)).gelu())
    }
}

/// A small language model of letters.
#[derive(Module)]
struct Gpt {
    letters: Param,
    places: Param,
    blocks: Vec<Block>,
    norm: Norm,
    head: Dense,
}

impl Layer for Gpt {
    fn forward<'t>(&self, letters: Var<'t>) -> Var<'t> {
        let tape = letters.tape();
        let x = self.letters.on(tape).gather(0, letters) + &self.places;
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let scores = self.head.forward(self.norm.forward(x));
        scores.reshape([letters.len(), scores.dim(-1)])
    }
}

/// Four blocks of width 128 with four heads, 12 texts of 64 letters.
fn gpt() -> Result<Step> {
    let (letters, length, size, texts) = (65, 64, 128, 12);
    let model = Gpt {
        letters: Param::draw([letters, size], Init::Normal { mean: 0.0, std: 0.02 }),
        places: Param::draw([length, size], Init::Normal { mean: 0.0, std: 0.02 }),
        blocks: (0..4).map(|_| Block::new(size)).collect(),
        norm: Norm::new(size),
        head: Dense::new(size, letters),
    };
    let text = labels(letters as i64, texts * length)?.apply(|t| t.reshape([texts, length]))?;
    train(model.init(Seed(0))?, text, labels(letters as i64, texts * length)?)
}

/// An LSTM over 64 steps of time, whose outputs are all in the loss.
fn lstm() -> Result<Step> {
    let mut model = wengert::nn::layers::lstm::Lstm::new(64, 64).init(Seed(0))?;
    let mut optimizer = Adam::new(1e-3);
    let x = normal([32, 64, 64])?;
    Ok(Box::new(move || {
        let tape = Tape::training(0);
        let loss = model.forward(tape.input(&x)).square().mean();
        optimizer.step(&mut model, loss.backward())
    }))
}

/// Forward and gradient of Σ gelu(x·a + b)·c over 4 Mi elements.
fn elementwise() -> Result<Step> {
    let n = 1 << 22;
    let inputs = [normal([n])?, normal([n])?, normal([n])?, normal([n])?];
    Ok(Box::new(move || {
        let tape = Tape::new();
        let [x, a, b, c] = inputs.each_ref().map(|t| tape.input(t));
        let y = ((x * a + b).gelu() * c).sum();
        let [dx, da, db, dc] = tape.grad(y, [x, a, b, c]);
        let [y, ..] = tape.eval([y, dx, da, db, dc])?;
        Ok(f64::from(y.item::<f32>()?))
    }))
}

/// Forward and gradient of Σ softmax(layer_norm(x))² over 2048 rows of 1024.
fn layernorm_softmax() -> Result<Step> {
    let x = normal([2048, 1024])?;
    let (g, b) = (Tensor::ones([1024], DType::F32)?, Tensor::zeros([1024], DType::F32)?);
    Ok(Box::new(move || {
        let tape = Tape::new();
        let [x, g, b] = [&x, &g, &b].map(|t| tape.input(t));
        let centred = x - x.mean_keep(-1);
        let normed = centred * (centred.square().mean_keep(-1) + 1e-5).rsqrt() * g + b;
        let y = normed.softmax(-1).square().sum();
        let [dx, dg, db] = tape.grad(y, [x, g, b]);
        let [y, ..] = tape.eval([y, dx, dg, db])?;
        Ok(f64::from(y.item::<f32>()?))
    }))
}

/// Forward and gradient of Σ (softmax(q·kᵀ / 8)·v)², two examples of eight heads of 64 features over 1024 positions.
fn attention() -> Result<Step> {
    let shape = [2, 8, 1024, 64];
    let inputs = [normal(shape)?, normal(shape)?, normal(shape)?];
    Ok(Box::new(move || {
        let tape = Tape::new();
        let [q, k, v] = inputs.each_ref().map(|t| tape.input(t));
        let weights = (q.matmul(k.transpose(2, 3)) / 8.0).softmax(-1);
        let y = weights.matmul(v).square().sum();
        let [dq, dk, dv] = tape.grad(y, [q, k, v]);
        let [y, ..] = tape.eval([y, dq, dk, dv])?;
        Ok(f64::from(y.item::<f32>()?))
    }))
}

/// Adam's update alone, on ten million parameters.
fn adam10m() -> Result<Step> {
    let n = 10_000_000;
    let gradient = normal([n])?;
    let mut p = normal([n])?;
    let mut state = vec![Tensor::zeros([n], DType::F32)?, Tensor::zeros([n], DType::F32)?];
    let (b1, b2, mut t) = (0.9f64, 0.999f64, 0);
    Ok(Box::new(move || {
        t += 1;
        let tape = Tape::new();
        let [w, g, m, v] = [&p, &gradient, &state[0], &state[1]].map(|t| tape.input(t));
        let mean = m * b1 + g * (1.0 - b1);
        let square = v * b2 + g * g * (1.0 - b2);
        let (rate, scale) = (1e-3 / (1.0 - b1.powi(t)), 1.0 / (1.0 - b2.powi(t)).sqrt());
        let update = mean * rate / (square.sqrt() * scale + 1e-8);
        // As in the library's own optimizers: the new state is written over the old one, the weights are not.
        [m, v].into_iter().zip(state.drain(..)).for_each(|(input, own)| tape.donate(input, own));
        let [weight, mean, square] = tape.eval([w - update, mean, square])?;
        (p, state) = (weight, vec![mean, square]);
        Ok(0.0)
    }))
}

/// The Hessian of a loss times a vector, for 784-128-10 and a batch of 64.
fn hvp() -> Result<Step> {
    let (x, y) = (normal([64, 784])?, labels(10, 64)?);
    let small = |x: Tensor| x.apply(|x| x / 28.0);
    let weights = [normal([784, 128])?, normal([128])?, normal([128, 10])?, normal([10])?];
    let [a, b, c, d] = weights.map(small);
    let weights = [a?, b?, c?, d?];
    let along = [normal([784, 128])?, normal([128])?, normal([128, 10])?, normal([10])?];
    Ok(Box::new(move || {
        let tape = Tape::new();
        let w = weights.each_ref().map(|t| tape.input(t));
        let hidden = (tape.input(&x).matmul(w[0]) + w[1]).tanh();
        let loss = (hidden.matmul(w[2]) + w[3]).cross_entropy(&y);
        let gradient = tape.grad(loss, w);
        let slope = (0..4).map(|i| (gradient[i] * &along[i]).sum()).reduce(|a, b| a + b).unwrap_or(loss);
        tape.eval(tape.grad(slope, w))?;
        Ok(0.0)
    }))
}

fn infer1() -> Result<Step> {
    let (model, x) = (mnist()?, normal([1, 784])?);
    Ok(Box::new(move || model.predict(&x).map(|_| 0.0)))
}

fn infer1_compiled() -> Result<Step> {
    let (model, x) = (mnist()?, normal([1, 784])?);
    let mut predict = Program::new([&x], |_, [x]| [model.forward(x)])?;
    Ok(Box::new(move || predict.run([&x]).map(|_| 0.0)))
}

/// A thousand scalar ops and back, recorded anew each time.
fn scalar_chain() -> Result<Step> {
    Ok(Box::new(|| {
        let tape = Tape::new();
        let x = tape.scalar(0.5, DType::F32);
        let y = (0..500).fold(x, |y, _| y * 1.0001 + 0.0001);
        let [dx] = tape.grad(y, [x]);
        Ok(f64::from(dx.item::<f32>()?))
    }))
}

fn main() -> Result<()> {
    run(CASES.map(|(name, build)| (name.to_owned(), Box::new(build) as Box<dyn FnOnce() -> Result<Step>>)))
}
