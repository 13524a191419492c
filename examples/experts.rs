//! A mixture of experts: a gate sends every point to one of eight small layers, each of which becomes good at its own piece of the task.
//!
//! The task is torn: which of eight matrices a point is multiplied with depends on the direction in which it lies. Experts take a matrix each; a
//! network that is one piece, with as many weights and as much work, blurs them. A term in the loss keeps the experts evenly busy.
//! Shazeer et al. 2017, Fedus et al. 2021. `cargo run --release --example experts`

use wengert::prelude::*;

const PIECES: usize = 8;
const WIDTH: usize = 8;

/// Points [n, 8], what is made of them, [n, 8], and to which piece they belong, [n].
fn torn(tape: &Tape, n: usize) -> [Var<'_>; 3] {
    let fixed = tape.random_from(Key::new(5));
    let directions = fixed.normal([WIDTH, PIECES], DType::F32);
    let matrices = fixed.normal([PIECES, WIDTH, WIDTH], DType::F32) / (WIDTH as f64).sqrt();
    let x = tape.normal([n, WIDTH], DType::F32);
    let piece = x.matmul(directions).argmax(-1);
    [x, tape.einsum("ni,nij->nj", &[x, matrices.gather(0, piece)]), piece]
}

/// Trains a model that gives an answer and a term of the loss of its own. Returns the mean square error of new points.
fn learn<M: Module>(
    model: &mut M,
    steps: u64,
    answer: impl for<'t> Fn(&M, Var<'t>) -> (Var<'t>, Var<'t>),
) -> Result<f32> {
    let mut optimizer = Adam::new(2e-2).schedule(cosine(steps));
    for step in 0..steps {
        let tape = Tape::training(step);
        let [x, y, _] = torn(&tape, 256);
        let (guess, term) = answer(model, x);
        optimizer.step(model, ((guess - y).square().mean() + term).backward())?;
    }
    let tape = Tape::with_key(Seed(99));
    let [x, y, _] = torn(&tape, 4000);
    (answer(model, x).0 - y).square().mean().item::<f32>()
}

fn main() -> Result<()> {
    let steps = 5000;

    // One expert for each point: the layer of the Switch transformer.
    let mut mixture = MixtureOfExperts::new(WIDTH, PIECES, Dense::new(WIDTH, WIDTH)).top_k(1).init(Seed(1))?;
    let error = learn(&mut mixture, steps, |mixture, x| {
        let (y, balance) = mixture.route(x);
        (y, 0.01 * balance)
    })?;
    println!("experts: error {error:.3} with {} weights", mixture.parameter_count());

    let mut dense = Sequential::input([WIDTH]).dense(18).silu().dense(18).silu().dense(WIDTH).build(Seed(1))?;
    let error = learn(&mut dense, steps, |dense, x| (dense.forward(x), x.tape().scalar(0.0, DType::F32)))?;
    println!("dense:   error {error:.3} with {} weights", dense.parameter_count());

    // Which share of each piece goes to which expert? A map blurs neighbours, so each cell is eight wide.
    let tape = Tape::with_key(Seed(99));
    let [x, _, piece] = torn(&tape, 4000);
    let chosen = mixture.gate.forward(x).argmax(-1).one_hot(PIECES);
    let pieces = piece.one_hot(PIECES);
    let shares = pieces.t().matmul(chosen) / pieces.sum_axes(0).unsqueeze(1);
    let [shares, load] = tape.eval([shares, chosen.mean_axes(0)])?;
    let load = load.to_f64_vec();
    let percent: Vec<String> = load.iter().map(|share| format!("{:.0}", 100.0 * share)).collect();
    println!("load of the experts in %: {}", percent.join(" "));
    println!("the busiest has {:.1} times an even share", PIECES as f64 * load.iter().copied().fold(0.0, f64::max));

    HeatMap::new("the share of each piece (up) that goes to each expert (right)", &shares, 0.0..8.0, 0.0..8.0)?
        .cells()
        .save_svg("target/experts/shares.svg")?;
    println!("drew target/experts/shares.svg");
    Ok(())
}
