//! A small language model learns to add: it reads `123+989=` and writes `2111`, the last digit first.
//!
//! A tenth of all pairs of numbers is never shown, and asked at the end. The answer is written from its last digit because that is the order in
//! which one can be carried. Blocks of the transformer are layers like any other; Vaswani et al. 2017, Radford et al. 2018.
//! `cargo run --release --example addition` (with `-- --short` one digit and fewer steps)

use wengert::prelude::*;
use wengert::tensor::random::uniform_f64;

/// 0 to 9, plus, equals.
const SIGNS: usize = 12;

/// Numbers of so many digits.
#[derive(Clone, Copy)]
struct Task {
    digits: u32,
}

impl Task {
    /// Where the answer starts, and the length of the whole.
    fn lengths(self) -> (usize, usize) {
        let question = 2 * self.digits as usize + 2;
        (question, question + self.digits as usize + 1)
    }

    /// `a + b = ` and the sum, as signs.
    fn write(self, a: u64, b: u64) -> Vec<i64> {
        let digit = |number: u64, place: u32| (number / 10u64.pow(place) % 10) as i64;
        let number = |number| (0..self.digits).rev().map(move |place| digit(number, place));
        let answer = (0..=self.digits).map(|place| digit(a + b, place));
        number(a).chain([10]).chain(number(b)).chain([11]).chain(answer).collect()
    }

    /// So many questions; those that are kept for the end, or the others.
    fn draw(self, n: usize, kept: bool, key: Key) -> Result<Tensor> {
        let range = 10f64.powi(self.digits as i32);
        let mut signs = Vec::new();
        let mut draw = (0u64..).map(|i| (uniform_f64(key, i) * range) as u64);
        while signs.len() < n * self.lengths().1 {
            // Which pairs are kept is as good as chance.
            let is_kept = |a: u64, b: u64| (a * 1000 + b).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & 1023 < 102;
            if let (Some(a), Some(b)) = (draw.next(), draw.next())
                && is_kept(a, b) == kept
            {
                signs.extend(self.write(a, b));
            }
        }
        Tensor::new(signs, [n, self.lengths().1])
    }
}

/// The scores of each next sign of the answer, [n · signs, 12], and the right ones.
fn answers<'t>(model: &Sequential, task: Task, text: Var<'t>) -> (Var<'t>, Var<'t>) {
    let (start, length) = task.lengths();
    let scores = model.forward(text.slice(1, ..length - 1)).slice(1, start - 1..);
    (scores.reshape([scores.len() / SIGNS, SIGNS]), text.slice(1, start..).flatten())
}

fn main() -> Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    let task = Task { digits: if short { 1 } else { 3 } };
    let (width, blocks, steps) = if short { (32, 1, 400) } else { (64, 3, 6000) };
    let (_, length) = task.lengths();
    let mut builder =
        Sequential::input([length - 1]).dtype(DType::I64).embedding(SIGNS, width).learned_positions(length - 1);
    for _ in 0..blocks {
        let block = TransformerEncoderLayer::new(width, 4).hidden(4 * width).activation(|x| x.gelu());
        builder = builder.layer(block.norm_first().causal().dropout(0.0));
    }
    let mut model = builder.layer_norm().dense(SIGNS).build(Seed(1))?;
    println!("{} weights", model.parameter_count());

    let mut optimizer = AdamW::new(if short { 1e-2 } else { 2e-3 })
        .schedule(warmup(steps / 20).then(cosine(steps)))
        .clip_global_norm(1.0);
    let mut losses = Vec::new();
    for step in 0..steps {
        let tape = Tape::training(step);
        let text = task.draw(128, false, Key::new(step))?;
        let (scores, right) = answers(&model, task, tape.input(&text));
        let loss = optimizer.step(&mut model, scores.cross_entropy(right).backward())?;
        losses.push((step as f64, loss));
        if step % (steps / 10) == 0 {
            println!("step {step:4}  loss {loss:.4}");
        }
    }

    let text = task.draw(1000, true, Key::new(12345))?;
    let tape = Tape::new();
    let (scores, right) = answers(&model, task, tape.input(&text));
    // A sum is right when all of its digits are: then each was written after right ones.
    let digits = task.digits as usize + 1;
    let exact = scores.argmax(-1).eq(right).reshape([1000, digits]).all(-1).cast(DType::F64).mean().item::<f64>()?;
    println!("{:.1} % of 1000 sums that it never saw are right", exact * 100.0);
    LineChart::new("learning to add").log_y().line("loss", losses).save_svg("target/addition/loss.svg")?;
    println!("drew target/addition/loss.svg");
    Ok(())
}
