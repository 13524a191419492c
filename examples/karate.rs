//! A graph convolution splits a karate club: two members say on whose side they are, and the network finds the other 32.
//!
//! In 1970 Wayne Zachary noted who of the club met whom; then it broke in two. Each layer mixes a member's features with those of the
//! people it meets: h ← Â h W with Â = D^−½ (A + 1) D^−½. Kipf & Welling 2016. `cargo run --release --example karate`

use wengert::nn::layers::activation::Tanh;
use wengert::prelude::*;

/// Who meets whom (Zachary 1977). Member 0 is the teacher, 33 the president.
const MEETINGS: [(usize, usize); 78] = [
    (0, 1),
    (0, 2),
    (0, 3),
    (0, 4),
    (0, 5),
    (0, 6),
    (0, 7),
    (0, 8),
    (0, 10),
    (0, 11),
    (0, 12),
    (0, 13),
    (0, 17),
    (0, 19),
    (0, 21),
    (0, 31),
    (1, 2),
    (1, 3),
    (1, 7),
    (1, 13),
    (1, 17),
    (1, 19),
    (1, 21),
    (1, 30),
    (2, 3),
    (2, 7),
    (2, 8),
    (2, 9),
    (2, 13),
    (2, 27),
    (2, 28),
    (2, 32),
    (3, 7),
    (3, 12),
    (3, 13),
    (4, 6),
    (4, 10),
    (5, 6),
    (5, 10),
    (5, 16),
    (6, 16),
    (8, 30),
    (8, 32),
    (8, 33),
    (9, 33),
    (13, 33),
    (14, 32),
    (14, 33),
    (15, 32),
    (15, 33),
    (18, 32),
    (18, 33),
    (19, 33),
    (20, 32),
    (20, 33),
    (22, 32),
    (22, 33),
    (23, 25),
    (23, 27),
    (23, 29),
    (23, 32),
    (23, 33),
    (24, 25),
    (24, 27),
    (24, 31),
    (25, 31),
    (26, 29),
    (26, 33),
    (27, 33),
    (28, 31),
    (28, 33),
    (29, 32),
    (29, 33),
    (30, 32),
    (30, 33),
    (31, 32),
    (31, 33),
    (32, 33),
];

/// Who stayed with the teacher.
const TEACHER: [usize; 17] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 16, 17, 19, 21];
const MEMBERS: usize = 34;

/// h ↦ Â h W + b.
#[derive(Module)]
struct GraphConv {
    mix: Buffer,
    dense: Dense,
}

impl Layer for GraphConv {
    fn forward<'t>(&self, h: Var<'t>) -> Var<'t> {
        self.mix.on(h.tape()).matmul(self.dense.forward(h))
    }
}

/// Â: how much of each member's features reaches each other one.
fn mix() -> Result<Tensor> {
    let meets = |a, b| a == b || MEETINGS.contains(&(a, b)) || MEETINGS.contains(&(b, a));
    let links = Tensor::from_fn([MEMBERS, MEMBERS], |i| f32::from(u8::from(meets(i / MEMBERS, i % MEMBERS))))?;
    links.apply(|a| {
        let degree = a.sum_keep(-1).rsqrt();
        degree * a * degree.t()
    })
}

fn main() -> Result<()> {
    let mix = mix()?;
    let conv = |from, to| GraphConv { mix: Buffer::new(mix.clone()), dense: Dense::new(from, to) };
    let mut net = (conv(MEMBERS, 16), Tanh, conv(16, 2)).init(Seed(1))?;
    // Nobody has features: everyone is just themselves.
    let members = Tensor::arange(MEMBERS, DType::I64)?.apply(|i| i.one_hot(MEMBERS).cast(DType::F32))?;
    let known = (Tensor::from([0i64, 33]), Tensor::from([0i64, 1]));

    let mut optimizer = Adam::new(1e-2);
    for step in 0..200 {
        let tape = Tape::training(step);
        let scores = net.forward(tape.input(&members));
        let loss = scores.gather(0, &known.0).cross_entropy(&known.1);
        let loss = optimizer.step(&mut net, loss.backward())?;
        if step % 50 == 0 {
            println!("step {step:3}  loss of the two that are known {loss:.4}");
        }
    }

    let [sides, hidden] = {
        let tape = Tape::new();
        let x = tape.input(&members);
        tape.eval([net.forward(x).argmax(-1), net.forward(x).softmax(-1)])?
    };
    let sides = sides.to_vec::<i64>()?;
    let right = (0..MEMBERS).filter(|i| (sides[*i] == 0) == TEACHER.contains(i)).count();
    println!("{right} of {MEMBERS} members are on the side on which the club put them");

    // Everyone on a circle, by how sure the network is.
    let sure = hidden.to_f64_vec();
    let place = |i: usize| {
        let turn = i as f64 / MEMBERS as f64 * std::f64::consts::TAU;
        (sure[2 * i] * 2.0 - 1.0 + 0.25 * turn.cos(), turn.sin())
    };
    let mut chart = LineChart::new("the club: left the president's side, right the teacher's");
    for (name, side) in [("president", false), ("teacher", true)] {
        chart = chart.points(name, (0..MEMBERS).filter(|i| TEACHER.contains(i) == side).map(place));
    }
    chart.save_svg("target/karate/club.svg")?;
    println!("drew target/karate/club.svg");
    Ok(())
}
