//! What was learned from some digits helps with others: the body of a network that reads 0 to 4 helps to learn 5 to 9 from few images.
//!
//! The digits lie anywhere in a field of 12 × 12 pixels, and few images do not show that the place means nothing. So the body of a network that
//! has seen many is saved, loaded into a new one, and frozen; only a new head is trained. With twenty images of each digit there is enough to
//! learn it all anew. Yosinski et al. 2014. `cargo run --release --example transfer`

use wengert::prelude::*;
use wengert::tensor::random::permutation;

type Data = (Tensor, Tensor);

/// A body that sees, and a head that names.
#[derive(Module)]
struct Reader {
    body: Sequential,
    head: Dense,
}

impl Reader {
    fn new(seed: Seed) -> Result<Reader> {
        let same = Conv::new().padding(1);
        let body = Sequential::input([1, 12, 12])
            .conv2d(16, 3, &same)
            .relu()
            .conv2d(32, 3, &same)
            .relu()
            .max_pool(2)
            .conv2d(32, 3, &same)
            .relu()
            .max_pool(2)
            .flatten()
            .build(seed)?;
        Reader { body, head: Dense::new(288, 5) }.init(seed)
    }
}

impl Layer for Reader {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.head.forward(self.body.forward(x))
    }
}

/// Every image somewhere in a field of 12 × 12, as the seed has it.
fn placed((images, labels): &Data, seed: Seed) -> Result<Data> {
    let tape = Tape::with_key(seed);
    let n = images.dim(0)?;
    let wide = tape.input(images).reshape([n, 1, 8, 8]).pad(2, 4, 4, 0.0).pad(3, 4, 4, 0.0) / 16.0;
    let [down, right] = [0, 1].map(|_| tape.random().integers([n], 0, 5));
    let fields = tape
        .vmap((wide, down, right), |(image, down, right)| image.dynamic_slice(1, down, 12).dynamic_slice(2, right, 12));
    Ok((fields.value()?, labels.clone()))
}

/// The images of five digits from `first` on, which are called 0 to 4: `n` of each, and all others.
fn few(data: &Data, first: i64, n: usize, seed: Seed) -> Result<(Data, Data)> {
    let labels = data.1.to_vec::<i64>()?;
    let (mut chosen, mut others) = (Vec::new(), Vec::new());
    let mut taken = [0; 5];
    for i in permutation(seed.into(), labels.len()) {
        match taken.get_mut((labels[i] - first) as usize) {
            Some(taken) if *taken < n => {
                *taken += 1;
                chosen.push(i);
            }
            Some(_) => others.push(i),
            None => {}
        }
    }
    let part = |samples: &[usize]| -> Result<Data> {
        let (x, y) = data.batch(samples)?;
        Ok((x, y.apply(|y| y - first)?))
    };
    Ok((part(&chosen)?, part(&others)?))
}

/// Trains, and returns the share of the test images that are read.
fn learn(reader: &mut Reader, rate: f64, epochs: usize, train: &Data, test: &Data) -> Result<f64> {
    let mut trainer = Trainer::new(Adam::new(rate), CrossEntropy::new()).metric(Accuracy::new()).epochs(epochs);
    trainer = trainer.batch_size(50).verbose(false);
    trainer.fit(reader, train)?;
    Ok(trainer.evaluate(reader, test)?.get("accuracy").unwrap_or(0.0))
}

fn main() -> Result<()> {
    let data = read_csv(concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits.csv"), "digit")?;

    // A teacher sees 140 images of each of the digits 0 to 4, in four places each.
    let (train, test) = few(&data, 0, 140, Seed(1))?;
    let train = (0..4).map(|seed| placed(&train, Seed(seed))).collect::<Result<(Vec<_>, Vec<_>)>>()?;
    let train = (Tensor::concat(&train.0, 0)?, Tensor::concat(&train.1, 0)?);
    let mut teacher = Reader::new(Seed(1))?;
    let read = learn(&mut teacher, 3e-3, 6, &train, &placed(&test, Seed(5))?)?;
    println!("the teacher reads {:.1} % of the digits 0 to 4", 100.0 * read);
    teacher.body.save_weights("target/transfer/body.safetensors")?;

    let mut curves = [Vec::new(), Vec::new()];
    for n in [2, 5, 10, 20] {
        let (train, test) = few(&data, 5, n, Seed(2))?;
        let (train, test) = (placed(&train, Seed(6))?, placed(&test, Seed(7))?);

        let mut pupil = Reader::new(Seed(2))?;
        pupil.body.load_weights("target/transfer/body.safetensors", Strict)?;
        pupil.body.freeze();
        let mut fresh = Reader::new(Seed(2))?;
        let read = [learn(&mut pupil, 1e-2, 100, &train, &test)?, learn(&mut fresh, 3e-3, 100, &train, &test)?];
        assert!(same(&pupil.body, &teacher.body), "what is frozen does not move");
        println!(
            "5 to 9 from {n:2} images each: {:.1} % with the teacher's body, {:.1} % without",
            100.0 * read[0],
            100.0 * read[1]
        );
        for (curve, read) in curves.iter_mut().zip(read) {
            curve.push((n as f64, read));
        }
    }
    let [pupil, fresh] = curves;
    LineChart::new("digits that lie anywhere")
        .x_label("images of each digit")
        .y_label("share of the others that is read")
        .line("the body of another, frozen", pupil)
        .line("from nothing", fresh)
        .save_svg("target/transfer/read.svg")?;
    println!("drew target/transfer/read.svg");
    Ok(())
}

/// Whether two modules have the same weights, bit for bit.
fn same(a: &Sequential, b: &Sequential) -> bool {
    a.parameters().iter().zip(b.parameters()).all(|((_, a), (_, b))| a.value().equals(b.value()))
}
