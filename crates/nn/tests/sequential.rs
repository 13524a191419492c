//! The builder, the table, the errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate wengert_nn as wengert;

use wengert_autograd::{Tape, Var};
use wengert_nn::layer::Layer;
use wengert_nn::layers::dense::Dense;
use wengert_nn::module::Module;
use wengert_nn::param::Param;
use wengert_nn::sequential::Sequential;
use wengert_nn::summary::{Summarize, Summary};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::Seed;
use wengert_tensor::tensor::Tensor;

fn samples() -> Tensor {
    Tensor::from([[150f32, 67.], [130., 60.], [200., 65.], [125., 52.], [230., 72.], [181., 70.]])
}

fn model() -> Sequential {
    Sequential::input([2]).standardize(&samples()).dense(8).relu().dense(16).relu().dense(2).build(Seed(1)).unwrap()
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
fn sizes_are_inferred() -> Result<()> {
    let model = model();
    let names: Vec<String> = model.parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["1.weight", "1.bias", "3.weight", "3.bias", "5.weight", "5.bias"]);
    assert_eq!(model.parameter_count(), 2 * 8 + 8 + 8 * 16 + 16 + 16 * 2 + 2);
    assert_eq!(model.predict(&samples())?.shape().dims(), [6, 2]);

    let images = Sequential::input([4, 4]).flatten().dense(3).gelu().dropout(0.5).dense(1).build(Seed(1))?;
    assert_eq!(images.predict(&Tensor::zeros([5, 4, 4], DType::F32)?)?.shape().dims(), [5, 1]);

    let own = Sequential::input([4])
        .layer(Gated { value: Dense::new(4, 7), gate: Dense::new(4, 7) })
        .lambda("Square", |x| x.square())
        .dense(2)
        .build(Seed(1))?;
    assert_eq!(own.predict(&Tensor::zeros([5, 4], DType::F32)?)?.shape().dims(), [5, 2]);
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_model() -> Result<()> {
    assert!(model().predict(&samples())?.equals(&model().predict(&samples())?));
    Ok(())
}

#[test]
fn the_summary_is_a_table() -> Result<()> {
    let text = model().summary()?.to_string();
    let (table, step) = text.rsplit_once('\n').unwrap_or_default();
    assert_eq!(
        table,
        "\
Sequential
  layer  type         output   parameters                 count  FLOPs
──────────────────────────────────────────────────────────────────────
  0      Standardize  [*, 2]   mean [2], std [2]              0      4
  1      Dense        [*, 8]   weight [8, 2], bias [8]       24     40
  2      Relu         [*, 8]                                  0      8
  3      Dense        [*, 16]  weight [16, 8], bias [16]    144    272
  4      Relu         [*, 16]                                 0     16
  5      Dense        [*, 2]   weight [2, 16], bias [2]      34     66
──────────────────────────────────────────────────────────────────────
  202 trainable, 4 kept in buffers
  one example: 406 FLOPs forward, 208 B of outputs"
    );
    assert!(step.starts_with("  a step of training: 808 B of gradients; "), "{step}");
    let mut own = (Gated { value: Dense::new(4, 7), gate: Dense::new(4, 7) }, Param::new(Tensor::from([1f32; 3])));
    own.0.gate.freeze();
    assert_eq!((own.summary()?.trainable, own.summary()?.frozen), (38, 35));
    Ok(())
}

#[test]
fn a_model_that_was_cast_has_a_summary() -> Result<()> {
    let plain = || Sequential::input([2]).dense(8).relu().dense(2).build(Seed(1));
    let layers = || {
        let layers: [Box<dyn Layer>; 2] = [Box::new(Dense::new(2, 8)), Box::new(Dense::new(8, 2))];
        Sequential::of(layers)
    };
    let bytes = || Sequential::input([2]).dtype(DType::U8).lambda("Halve", |x| x / 2.0).build(Seed(1));
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        for model in [model(), plain()?] {
            // All but the bytes.
            let table = |summary: Summary| summary.to_string().split("  one example").next().map(str::to_string);
            let (before, after) = (table(model.summary()?), model.with_dtype(dtype)?);
            assert_eq!(table(after.summary()?), before);
            assert_eq!(table(after.summary_of([2])?), before);
        }
        assert!(layers().with_dtype(dtype)?.summary_of([2]).is_ok());
        // What is no float stays what it is.
        assert!(bytes()?.with_dtype(dtype)?.summary().is_ok());
    }
    Ok(())
}

#[test]
fn what_is_wrong_waits_for_build() {
    let error = |builder: wengert_nn::sequential::Builder| {
        let error = builder.build(Seed(1)).err().unwrap();
        let text = error.to_string();
        let Some(at) = error.location() else { return text };
        assert!(at.file().ends_with("tests/sequential.rs"), "{text}");
        text.replace(&at.to_string(), "here")
    };
    assert_eq!(
        error(Sequential::input([2]).dense(3).layer(Dense::new(5, 4)).dense(5)),
        "\
Dense: takes 5 inputs, not 3
  input   [*, 3] f32
  weight  [4, 5] f32   parameter `1.weight`
  at      here, in Sequential › 1 (Dense)
  help    Dense::new(3, 4) would take this one"
    );
    assert_eq!(
        error(Sequential::input([3]).standardize(&samples())),
        "\
standardize: takes data [examples, 3], not [6, 2]
  at     here"
    );
    assert_eq!(
        error(Sequential::input([2]).standardize(&Tensor::from([[f32::NAN, 1.0]]))),
        "\
Standardize: holds NaN or infinity
  data   [1, 2] f32
  at     here
  help   clean the data or fill the gaps first"
    );
    assert_eq!(
        error(Sequential::input([]).dense(1)),
        "\
dense: needs an axis of features, and an example is a scalar here
  at     here
  help   start with `.input([1])`"
    );
    assert_eq!(
        error(Sequential::input([2]).lambda("Sum", |x| x.sum()).dense(1)),
        "\
Sum: the first axis counts the examples and must stay; * examples became []
  at     here, in Sequential › 0 (Sum)"
    );
    assert_eq!(
        error(Sequential::input([2]).dropout(1.5)),
        "\
Dropout: a probability of 1.5 to silence an element
  input  [*, 2] f32
  at     here, in Sequential › 0 (Dropout)
  help   it is at least 0 and below 1"
    );
    for builder in [Sequential::input([usize::MAX, 2]).dense(1), Sequential::input([2]).dense(usize::MAX).dense(2)] {
        assert!(error(builder).contains("overflows"));
    }
}

#[test]
fn an_input_of_another_shape_is_refused() {
    let error = model().predict(&Tensor::from([[1f32, 2.0, 3.0]])).unwrap_err();
    assert_eq!(error.message(), "the model takes [examples, 2], not [1, 3]");
    assert_eq!(error.path(), Some("Sequential"));
}

#[test]
fn one_example_is_a_batch_of_one() {
    let model = model();
    let one = model.predict(&Tensor::from([1f32, 2.0])).unwrap();
    let batch = model.predict(&Tensor::from([[1f32, 2.0]])).unwrap();
    assert_eq!(one.shape().dims(), &batch.shape().dims()[1..]);
    assert_eq!(one.to_vec::<f32>().unwrap(), batch.to_vec::<f32>().unwrap());
}

#[test]
fn an_error_inside_blames_the_callers_line() {
    let model = Sequential::of([Box::new(Dense::new(2, 3)) as Box<dyn Layer>, Box::new(Dense::new(4, 1))]);
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([[1f32, 2.0]]));
    let line = line!() + 1;
    let error = model.forward(x).value().unwrap_err();
    assert_eq!(error.path(), Some("Sequential › 1 (Dense)"));
    assert_eq!(error.location().map(|at| at.line()), Some(line));
}
