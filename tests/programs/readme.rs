//! The programs of the README, as they stand there.

use wengert::prelude::*;

/// Every block of Rust in the README stands in this file, up to white space.
#[test]
fn the_readme_is_what_is_tested() {
    let dense = |text: &str| text.split_whitespace().collect::<String>();
    let programs = dense(include_str!("readme.rs"));
    let readme = include_str!("../../README.md");
    let blocks: Vec<&str> = readme.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() > 5);
    for block in blocks {
        assert!(programs.contains(&dense(block)), "no program here has\n{block}");
    }
}

mod a_program {
    use wengert::prelude::*;

    fn main() -> Result<()> {
        let x = Tensor::from([[150f32, 67.], [130., 60.], [200., 65.], [125., 52.], [230., 72.], [181., 70.]]);
        let y = Tensor::from([1i64, 1, 0, 1, 0, 0]);

        let mut model =
            Sequential::input([2]).standardize(&x).dense(8).relu().dense(16).relu().dense(2).build(Seed(1))?;
        println!("{}", model.summary()?);

        let history = Trainer::new(Adam::new(0.01), CrossEntropy::new())
            .metric(Accuracy::new())
            .epochs(60)
            .batch_size(2)
            .shuffle(true)
            .fit(&mut model, &(x.clone(), y))?;
        println!("{history}");

        let probability = model.predict(&x)?.apply(|v| v.softmax(-1))?;
        println!("{:.1}%", probability.apply(|v| v * 100.0)?);
        Ok(())
    }

    #[test]
    fn runs() -> Result<()> {
        main()
    }
}

#[test]
fn how_learning_looks() -> Result<()> {
    let (x, y) = (Tensor::from([[0.1f32, 0.2], [0.3, 0.4]]), Tensor::from([[1f32], [2.0]]));
    let (weight, bias) = (Tensor::from([[0.1f32], [0.2]]), Tensor::from([0f32]));

    let tape = Tape::new();
    let (w, b) = (tape.input(&weight), tape.input(&bias));
    let loss = (tape.input(&x).matmul(w) + b - tape.input(&y)).square().mean();
    let [dw, db] = tape.grad(loss, [w, b]);
    let [new_weight, new_bias] = tape.eval([w - 0.1 * dw, b - 0.01 * db])?;

    let error = |w: &Tensor, b: &Tensor| -> Result<f32> {
        let tape = Tape::new();
        (tape.input(&x).matmul(tape.input(w)) + b - &y).square().mean().item()
    };
    assert!(error(&new_weight, &new_bias)? < error(&weight, &bias)?);
    Ok(())
}

#[test]
fn functions_of_functions() -> Result<()> {
    let net = Dense::new(2, 3);
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([[1f32, 2.0], [3.0, 4.0]]));
    let y = tape.input(&Tensor::from([0i64, 2]));
    let (w, v) = (tape.input(&Tensor::from([0.5f64, -1.0])), tape.input(&Tensor::from([1.0f64, 0.0])));

    let h = tape.hessian(|w| w.prod().sin(), w); // [n, n]
    let hv = tape.hvp(|w| w.prod().sin(), w, v); // H·v, without forming H
    let (value, change) = tape.jvp(|w| w.exp() * w.sum(), w, v); // forward mode
    let norms = tape.vmap((x, y), |(x, y)| {
        // x, y: one example each
        let loss = net.forward(x).cross_entropy(y);
        loss.grad_of(&net).map(|g| g.square()).sum().sqrt()
    }); // the gradient norm of every example

    let [product, hv] = tape.eval([h.matmul(v), hv])?;
    assert!(product.max_abs_diff(&hv)? < 1e-15);
    assert_eq!(tape.eval([value, change])?[1].shape().dims(), [2]);
    assert_eq!(norms.value()?.shape().dims(), [2]);
    Ok(())
}

#[test]
fn loops_and_choices() -> Result<()> {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([[0.1f32, 0.2], [0.3, 0.4], [0.5, 0.6]]));
    let (w, h) = (tape.input(&Tensor::from([[0.5f32, 0.1], [0.2, 0.3]])), tape.input(&Tensor::from([0f32, 0.0])));

    let (last, all) = tape.scan(h, x, |h, x| {
        let h = (w.matmul(h) + x).tanh();
        (h, h)
    }); // a recurrent layer
    let y = tape.cond(last.sum().gt(0.0), last, |h| h.square(), |h| -h);
    let y = tape.checkpoint(y, |y| y.exp().tanh()); // computed again when the gradient needs it
    let z = tape.fixed_point(y, |z| (w.matmul(z) * 0.5 + y).tanh()); // differentiated by the implicit function theorem

    assert!(tape.eval(tape.grad(z.sum() + all.sum(), [w, h]))?.iter().all(|g| !g.has_nan()));
    Ok(())
}

#[test]
fn recorded_once() -> Result<()> {
    let (x, y) = (Tensor::from([[0f32, 1.0], [1.0, 0.0]]), Tensor::from([[1f32], [-1.0]]));
    let mut net = Dense::new(2, 1);
    let mut step = Adam::new(1e-2).compile(|net: &Dense, _, [x, y]| (net.forward(x) - y).square().mean());
    for _ in 0..50 {
        step.run(&mut net, [&x, &y])?;
    }
    assert!(net.predict(&x)?.max_abs_diff(&y)? < 2.0);
    Ok(())
}

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

#[test]
fn a_layer_of_your_own() -> Result<()> {
    let gated = Gated { value: Dense::new(3, 2), gate: Dense::new(3, 2) };
    assert_eq!(gated.predict(&Tensor::from([[1f32, 2.0, 3.0]]))?.shape().dims(), [1, 2]);
    Ok(())
}

#[test]
fn a_run_that_survives() -> Result<()> {
    std::fs::remove_dir_all("target/runs/digits").ok();
    let x = Tensor::from_fn([64, 3], |i| (i as f32 * 0.37).sin())?;
    let y = x.apply(|x| x.sum_axes(-1).gt(0.0).cast(DType::I64))?;
    let (train, test) = (x, y).split(0.75, Seed(1))?;
    let mut model = Sequential::input([3]).dense(16).relu().dropout(0.1).dense(2).build(Seed(2))?;

    let history = Trainer::new(AdamW::new(3e-4).schedule(warmup(500).then(cosine(20_000))), CrossEntropy::new())
        .validation(&test)
        .metric(Accuracy::new())
        .callback(EarlyStopping::on("val_loss").patience(5))
        .checkpoints("target/runs/digits", Keep::best("val_accuracy").and_last(2))
        .resume()
        .fit(&mut model, &train)?;

    assert!(history.len() == 10 && std::fs::read_dir("target/runs/digits").is_ok());
    std::fs::remove_dir_all("target/runs/digits").ok();
    Ok(())
}
