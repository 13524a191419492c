//! A network balances a pole on a cart: REINFORCE, the simplest policy gradient.
//!
//! Ten carts run at once. What was done is made more likely by as much as what came after it was better than usual:
//! ∇ Σ log π(action) · (return − baseline). Williams 1992; the cart of Barto, Sutton & Anderson 1983.
//! `cargo run --release --example cartpole`

use wengert::prelude::*;
use wengert::tensor::random::uniform_f64;

const CARTS: usize = 10;
const LONGEST: usize = 200;

// In metres, kilograms and seconds. `HALF` is half the length of the pole, `WHOLE` the mass of cart and pole.
const GRAVITY: f64 = 9.8;
const POLE: f64 = 0.1;
const HALF: f64 = 0.5;
const WHOLE: f64 = 1.1;
const STEP: f64 = 0.02;

/// Numbers from 0 to 1, the same in every run.
struct Dice(Key, u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.1 += 1;
        uniform_f64(self.0, self.1)
    }
}

/// Place, speed, angle and turning speed.
#[derive(Clone, Copy)]
struct Cart([f64; 4]);

impl Cart {
    /// A little off balance.
    fn new(dice: &mut Dice) -> Cart {
        Cart(std::array::from_fn(|_| dice.roll() * 0.1 - 0.05))
    }

    /// Pushes to the right or to the left for a fiftieth of a second.
    fn push(&mut self, right: bool) {
        let [x, speed, angle, turn] = self.0;
        let force = if right { 10.0 } else { -10.0 };
        let (sin, cos) = angle.sin_cos();
        let push = (force + POLE * HALF * turn * turn * sin) / WHOLE;
        let turns = (GRAVITY * sin - cos * push) / (HALF * (4.0 / 3.0 - POLE * cos * cos / WHOLE));
        let speeds = push - POLE * HALF * turns * cos / WHOLE;
        self.0 = [x + STEP * speed, speed + STEP * speeds, angle + STEP * turn, turn + STEP * turns];
    }

    fn stands(&self) -> bool {
        self.0[0].abs() < 2.4 && self.0[2].abs() < 12f64.to_radians()
    }
}

/// What ten carts saw and did, until the last of them fell.
struct Run {
    seen: Vec<f32>,
    done: Vec<i64>,
    /// How long it went on for this cart, from here.
    came: Vec<f32>,
}

fn play(policy: &Sequential, dice: &mut Dice) -> Result<(Run, f64)> {
    let mut carts: Vec<Cart> = (0..CARTS).map(|_| Cart::new(dice)).collect();
    let mut lasted = [0usize; CARTS];
    let mut run = Run { seen: Vec::new(), done: Vec::new(), came: Vec::new() };
    let mut who = Vec::new();
    for _ in 0..LONGEST {
        // All carts are asked about, so that there is one plan; those that fell are left out afterwards.
        let seen = Tensor::from_fn([CARTS, 4], |i| carts[i / 4].0[i % 4] as f32)?;
        let right = policy.predict(&seen)?.apply(|scores| scores.softmax(-1).slice(1, 1..2))?.to_f64_vec();
        for (i, cart) in carts.iter_mut().enumerate().filter(|(_, cart)| cart.stands()) {
            let action = dice.roll() < right[i];
            run.seen.extend(cart.0.map(|v| v as f32));
            run.done.push(i64::from(action));
            who.push((i, lasted[i]));
            lasted[i] += 1;
            cart.push(action);
        }
    }
    run.came = who.iter().map(|&(cart, at)| (lasted[cart] - at) as f32).collect();
    Ok((run, lasted.iter().sum::<usize>() as f64 / CARTS as f64))
}

fn main() -> Result<()> {
    let mut policy = Sequential::input([4]).dense(32).tanh().dense(2).build(Seed(1))?;
    let mut optimizer = Adam::new(1e-2);
    let mut dice = Dice(Key::new(2), 0);
    let mut lengths = Vec::new();
    for round in 1..=600 {
        let (run, length) = play(&policy, &mut dice)?;
        lengths.push((f64::from(round), length));
        let last = &lengths[lengths.len().saturating_sub(10)..];
        let mean = last.iter().map(|(_, length)| length).sum::<f64>() / last.len() as f64;
        if round % 20 == 0 {
            println!("round {round:3}  balanced for {mean:.0} steps");
        }
        if round >= 10 && mean >= 195.0 {
            println!("balances for {mean:.0} of {LONGEST} steps, over the last 100 runs, after {round} rounds");
            break;
        }
        // Filled up to a fixed size with moments that count nothing, so that every round finds the same plan.
        let n = CARTS * LONGEST;
        let fill = |mut v: Vec<f32>, n: usize| {
            v.resize(n, 0.0);
            v
        };
        let moments = run.done.len();
        let mut done = run.done;
        done.resize(n, 0);
        let (seen, came) = (Tensor::new(fill(run.seen, 4 * n), [n, 4])?, Tensor::new(fill(run.came, n), [n])?);
        let counts = Tensor::from_fn([n], |i| f32::from(u8::from(i < moments)))?;

        let tape = Tape::training(round as u64);
        let (seen, came, counts) = (tape.input(&seen), tape.input(&came), tape.input(&counts));
        let mean = (came * counts).sum() / counts.sum();
        let deviation = ((came - mean).square() * counts).sum() / counts.sum();
        let better = (came - mean) / (deviation.sqrt() + 1e-6) * counts;
        let chosen =
            policy.forward(seen).log_softmax(-1).take_along(1, tape.input(&Tensor::new(done, [n, 1])?)).flatten();
        let loss = -(chosen * better).sum() / counts.sum();
        optimizer.step(&mut policy, loss.backward())?;
    }
    LineChart::new("how long the pole stands")
        .x_label("round")
        .line("steps", lengths)
        .save_svg("target/cartpole/steps.svg")?;
    println!("drew target/cartpole/steps.svg");
    Ok(())
}
