//! Models that are graphs: several inputs and outputs, layers that are used twice, errors that name the node.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate wengert_nn as wengert;

use wengert_autograd::{Conv, Tape, Var, plan_stats};
use wengert_nn::graph::{Graph, GraphBuilder, Node};
use wengert_nn::layer::Layer;
use wengert_nn::layers::activation::Relu;
use wengert_nn::layers::concat::Concat;
use wengert_nn::layers::dense::Dense;
use wengert_nn::layers::merge::{Average, Multiply};
use wengert_nn::layers::residual::Residual;
use wengert_nn::module::Module;
use wengert_nn::optim::adam::Adam;
use wengert_nn::sequential::Sequential;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, Seed, normal_f64};
use wengert_tensor::tensor::Tensor;

fn sample(dims: &[usize]) -> Tensor {
    Tensor::from_fn(dims, |i| normal_f64(Key::new(7), i as u64) as f32).unwrap()
}

fn names(model: &impl Module) -> Vec<String> {
    model.state().into_iter().map(|(name, _)| name).collect()
}

/// An image and a number to a class and a size.
fn model() -> Result<Graph> {
    let graph = Graph::builder();
    let (image, age) = (graph.input([1, 6, 6]).named("image"), graph.input([1]).named("age"));
    let seen = image.conv2d(2, 3, Conv::new()).named("eye").relu().flatten();
    let both = graph.merge(Concat::new(-1), [seen, age]).dense(8).tanh();
    graph.build([both.dense(3).named("class"), both.dense(1).named("size")], Seed(1))
}

#[test]
fn several_inputs_and_outputs() -> Result<()> {
    let model = model()?;
    assert_eq!((model.inputs(), model.outputs()), (vec!["image", "age"], vec!["class", "size"]));
    assert_eq!(
        names(&model),
        [
            "eye.weight",
            "eye.bias",
            "dense.weight",
            "dense.bias",
            "class.weight",
            "class.bias",
            "size.weight",
            "size.bias"
        ]
    );
    let (images, ages) = (sample(&[5, 1, 6, 6]), sample(&[5, 1]));
    let [class, size] = model.predict_all([&images, &ages])?;
    assert_eq!((class.shape().dims(), size.shape().dims()), (&[5, 3][..], &[5, 1][..]));

    // One example is a batch of one, without the axis.
    let tape = Tape::new();
    let [one, _] = model.call([tape.input(&images).at(0, 2), tape.input(&ages).at(0, 2)]);
    assert_eq!(one.value()?.to_vec::<f32>()?, class.to_vec::<f32>()?[6..9]);

    // The same by hand.
    let layers: Vec<(String, Tensor)> = model.state().into_iter().map(|(n, p)| (n, p.value().clone())).collect();
    let w = |name: &str| tape.input(&layers.iter().find(|(known, _)| known == name).unwrap().1);
    let eye = tape.input(&images).conv(w("eye.weight"), Conv::new()) + w("eye.bias").reshape([2, 1, 1]);
    let both = tape.concat(&[eye.relu().flatten_from(1), tape.input(&ages)], -1);
    let both = (both.matmul(w("dense.weight").t()) + w("dense.bias")).tanh();
    assert!((both.matmul(w("class.weight").t()) + w("class.bias")).value()?.equals(&class));
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_model() -> Result<()> {
    let (images, ages) = (sample(&[2, 1, 6, 6]), sample(&[2, 1]));
    let predict = || -> Result<Tensor> {
        let [class, _] = model()?.predict_all([&images, &ages])?;
        Ok(class)
    };
    assert!(predict()?.equals(&predict()?));
    Ok(())
}

#[test]
fn the_summary_says_what_is_applied_to_what() -> Result<()> {
    let graph = Graph::builder();
    let (a, b) = (graph.input([3]).named("a"), graph.input([3]).named("b"));
    let left = a.dense(2).named("encoder");
    let right = b.same_layer_as(left);
    let model = graph.build([(left - right).residual(|x| x.dense(2).relu())], Seed(1))?;
    let text = model.summary()?.to_string();
    let (table, step) = text.rsplit_once('\n').unwrap_or_default();
    assert_eq!(
        table,
        "\
Graph
  layer            type      output  parameters               count  FLOPs  from
────────────────────────────────────────────────────────────────────────────────────────────
  a                Input     [*, 3]                               0
  b                Input     [*, 3]                               0
  encoder          Dense     [*, 2]  weight [2, 3], bias [2]      8     14  a
  encoder          Dense     [*, 2]  as above                     0     14  b
  subtract         Subtract  [*, 2]                               0      2  encoder, encoder
  residual         Residual  [*, 2]                               6     14  subtract
  residual.body.0  Dense     [*, 2]  weight [2, 2], bias [2]      6     10
────────────────────────────────────────────────────────────────────────────────────────────
  14 trainable
  one example: 44 FLOPs forward, 32 B of outputs"
    );
    assert!(step.starts_with("  a step of training: 56 B of gradients; "), "{step}");
    for dtype in [DType::F64, DType::BF16] {
        let build = || {
            let graph = Graph::builder();
            let x = graph.input([3]);
            graph.build([x.dense(2) * x.dense(2)], Seed(1))
        };
        // All but the bytes.
        let table =
            |model: Graph| model.summary().map(|all| all.to_string().split("  one example").next().map(str::to_string));
        assert_eq!(table(build()?.with_dtype(dtype)?)?, table(build()?)?);
    }
    Ok(())
}

/// One layer at two nodes, two fields of a struct that are one, a field that is used twice: the gradient is the sum of both uses.
#[test]
fn a_shared_layer_has_one_set_of_parameters() -> Result<()> {
    #[derive(Module)]
    struct Twins {
        encoder: Dense,
    }
    impl Twins {
        fn distance<'t>(&self, a: Var<'t>, b: Var<'t>) -> Var<'t> {
            self.encoder.forward(a) - self.encoder.forward(b)
        }
    }
    let twins = Twins { encoder: Dense::new(3, 2) }.init(Seed(4))?;

    let graph = Graph::builder();
    let (a, b) = (graph.input([3]), graph.input([3]));
    let left = a.dense(2).named("encoder");
    let model = graph.build([left - b.same_layer_as(left)], Seed(4))?;
    assert_eq!(names(&model), names(&twins));

    let (xa, xb) = (sample(&[4, 3]), sample(&[8, 3]).apply_slice(4)?);
    let tape = Tape::new();
    let (a, b) = (tape.input(&xa), tape.input(&xb));
    let [by_graph] = model.call([a, b]);
    let by_hand = twins.distance(a, b);
    assert!(by_graph.value()?.equals(&by_hand.value()?));

    let weight = &twins.encoder.weight;
    let of = |y: Var<'_>| -> Result<Tensor> { y.square().sum().backward()[weight].value() };
    let both = of(by_hand)?;
    let (_, shared) = model.parameters()[0];
    let of_graph = by_graph.square().sum().backward()[shared].value()?;
    assert!(both.equals(&of_graph));

    // With two layers of the same weights, each has its own part of the gradient; theirs add up to that of the shared one.
    let (one, two) = (twins.encoder.clone(), twins.encoder.clone());
    let apart = (one.forward(a) - two.forward(b)).square().sum().backward();
    let sum = (apart[&one.weight] + apart[&two.weight]).value()?.to_f64_vec();
    for (shared, sum) in both.to_f64_vec().into_iter().zip(sum) {
        assert!((shared - sum).abs() < 1e-5, "{shared} is not {sum}");
    }
    Ok(())
}

trait ApplySlice {
    fn apply_slice(&self, from: usize) -> Result<Tensor>;
}

impl ApplySlice for Tensor {
    fn apply_slice(&self, from: usize) -> Result<Tensor> {
        let tape = Tape::new();
        tape.input(self).slice(0, from..).value()
    }
}

#[test]
fn it_trains_with_one_plan_and_as_a_layer_of_a_layer() -> Result<()> {
    let graph = Graph::builder();
    let x = graph.input([2]);
    let mixed = graph.merge(Average, [x.dense(16).tanh(), x.dense(16).tanh().dropout(0.1)]);
    let inner = graph.build([mixed.dense(1)], Seed(2))?;
    let mut model = Sequential::input([2]).layer(inner).build(Seed(2))?;
    assert_eq!(names(&model)[0], "0.dense.weight");

    let x = sample(&[32, 2]);
    let y = Tensor::from_fn([32, 1], |i| (i as f32 * 0.3).sin())?;
    let mut adam = Adam::new(0.02);
    let mut losses = Vec::new();
    let mut plans = 0;
    for step in 0..20 {
        if step == 2 {
            plans = plan_stats().compiled;
        }
        let tape = Tape::training(step as u64);
        let error = (model.forward(tape.input(&x)) - tape.input(&y)).square().mean();
        losses.push(adam.step(&mut model, error.backward())?);
    }
    assert_eq!(plan_stats().compiled, plans);
    assert!(losses[19] < losses[0], "{losses:?}");
    Ok(())
}

#[test]
fn a_compiled_step_takes_several_inputs() -> Result<()> {
    fn loss<'t>(net: &Graph, [image, age, size]: [Var<'t>; 3]) -> Var<'t> {
        let [class, guess] = net.call([image, age]);
        (guess - size).square().mean() + class.square().mean()
    }
    let (images, ages, sizes) = (sample(&[4, 1, 6, 6]), sample(&[4, 1]), sample(&[4, 1]));
    let (mut net, mut plain) = (model()?, model()?);
    let mut step = Adam::new(0.01).compile(|net: &Graph, _, inputs| loss(net, inputs));
    let mut adam = Adam::new(0.01);
    for _ in 0..3 {
        step.run(&mut net, [&images, &ages, &sizes])?;
        let tape = Tape::training(0u64);
        let gradients = loss(&plain, [&images, &ages, &sizes].map(|x| tape.input(x))).backward();
        adam.step(&mut plain, gradients)?;
    }
    for ((name, a), (_, b)) in net.parameters().into_iter().zip(plain.parameters()) {
        assert!(a.value().equals(b.value()), "{name}");
    }
    Ok(())
}

#[test]
fn several_results_of_one_module() -> Result<()> {
    let graph = Graph::builder();
    let (x, y) = (graph.input([4]), graph.input([4]));
    let [sum, gate] = graph.apply(Dense::new(4, 4), [x, y], |dense, [x, y]| [x + y, dense.forward(x).sigmoid()]);
    let [swapped, _] = graph.lambda("Swap", [sum, gate], |[a, b]| [b, a]);
    let model = graph.build([swapped.named("out"), gate, x], Seed(1))?;
    assert_eq!(names(&model), ["dense.weight", "dense.bias"]);
    assert_eq!(model.outputs(), ["out", "dense", "input"]);
    let (x, y) = (sample(&[2, 4]), sample(&[2, 4]));
    let [a, b, c] = model.predict_all([&x, &y])?;
    assert!(a.equals(&b) && c.equals(&x));
    Ok(())
}

#[test]
fn inputs_of_other_dtypes() -> Result<()> {
    let graph = Graph::builder();
    let (tokens, weight) = (graph.input([5]).dtype(DType::I64), graph.input([5]));
    let floats = tokens.lambda("Float", |x| x.cast(DType::F32));
    let model = graph.build([(floats * weight).dense(2)], Seed(1))?;
    let [y] = model.predict_all([&Tensor::ones([3, 5], DType::I64)?, &sample(&[3, 5])])?;
    assert_eq!(y.shape().dims(), [3, 2]);
    Ok(())
}

#[test]
fn branches_and_residuals_of_a_sequence_know_their_sizes() -> Result<()> {
    let model = Sequential::input([3, 8, 8])
        .conv2d(4, 3, Conv::new().padding(1))
        .parallel(Concat::new(1), |start| {
            [start().conv2d(2, 1, Conv::new()), start().separable_conv2d(3, 3, Conv::new().padding(1)).relu()]
        })
        .residual(|x| x.depthwise_conv2d(3, Conv::new().padding(1)).relu().conv2d(5, 1, Conv::new()))
        .zero_pad([(1, 0), (0, 1)])
        .cropping(1)
        .pixel_unshuffle(1)
        .global_avg_pool()
        .unflatten(1, [5, 1])
        .build(Seed(1))?;
    assert_eq!(model.predict(&sample(&[2, 3, 8, 8]))?.shape().dims(), [2, 5, 1]);
    assert!(names(&model).contains(&"2.body.0.weight".to_string()), "{:?}", names(&model));
    let error = Sequential::input([3]).residual(|x| x.dense(4)).build(Seed(1)).err().unwrap();
    assert!(error.to_string().contains("x is [*, 3], and the body gives [*, 4]"), "{error}");
    let error = Sequential::input([3]).residual(|x| x.conv2d(4, 3, Conv::new())).build(Seed(1)).err().unwrap();
    assert!(error.to_string().contains("conv2d: takes [channels] and 2 spatial axes, not [3]"), "{error}");
    Ok(())
}

/// The text, with the place in the model as the last line, and without the line that it blames, which is one of this file.
fn text(error: &Error) -> String {
    if let Some(at) = error.location() {
        assert!(at.file().ends_with("graph.rs") && at.file().contains("tests"), "{error}");
    }
    let text = error.to_string();
    let place = error.path().map(|path| format!("in {path}"));
    let told = text.lines().filter(|line| !line.starts_with("  at ") && !line.starts_with("  in "));
    told.map(str::to_string).chain(place).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_wrong_waits_for_build_and_names_the_node() {
    fn told(make: impl for<'g> Fn(&'g GraphBuilder) -> Vec<Node<'g>>) -> String {
        let graph = Graph::builder();
        let outputs = make(&graph);
        text(&graph.build(outputs, Seed(1)).unwrap_err())
    }
    assert_eq!(
        told(|g| vec![g.input([3]).named("x").layer(Dense::new(5, 4)).named("body").relu().dense(2)]),
        "\
Dense: takes 5 inputs, not 3
  input   [*, 3] f32
  weight  [4, 5] f32   parameter `body.weight`
  help    Dense::new(3, 4) would take this one
in Graph › body (Dense)"
    );
    assert_eq!(
        told(|g| vec![g.merge(Concat::new(2), [g.input([3, 2]), g.input([4, 2])]).named("join")]),
        "\
Concat: inputs of [*, 3, 2] and [*, 4, 2] do not fit side by side
  input  [*, 3, 2] f32
  input  [*, 4, 2] f32
  help   all sizes but that of axis 2 are equal
in Graph › join (Concat)"
    );
    assert_eq!(
        told(|g| vec![g.input([]).named("age").dense(2)]),
        "\
dense: needs an axis of features, and an example is a scalar here
  help   start with `.input([1])`
in Graph › age"
    );
    assert_eq!(
        told(|g| vec![g.input([2]).lambda("Sum", |x| x.sum()).named("total").dense(1)]),
        "\
Sum: the first axis counts the examples and must stay; * examples became []
in Graph › total (Sum)"
    );
    let has = |text: String, words: &str| assert!(text.contains(words), "{text}");
    has(told(|g| vec![g.input([3]).dense(2).named("a").dense(2).named("a")]), "two layers or inputs are called `a`");
    has(told(|g| vec![g.input([3]).dense(2).named("a.b")]), "a name is not empty and has no dot");
    has(told(|g| vec![g.input([3]).named("")]), "a name is not empty");
    has(told(|_| vec![]), "a graph without an output");
    has(
        told(|g| {
            let x = g.input([3]);
            let _ = x.dense(4).named("lost");
            vec![x.relu()]
        }),
        "`lost` leads to no output",
    );
    has(
        told(|g| {
            let _ = g.input([3]).named("unused");
            vec![g.input([3]).relu()]
        }),
        "`unused` leads to no output",
    );
    has(told(|g| vec![g.input([3]).relu().dtype(DType::I64)]), "is said of an input, before the first layer");
    has(
        told(|g| {
            let (x, y) = (g.input([3]), g.input([3]).named("y"));
            vec![x.same_layer_as(y)]
        }),
        "an input is no layer",
    );
    has(
        told(|g| {
            let a = g.input([3]).dense(2).named("encoder");
            vec![a, g.input([4]).same_layer_as(a)]
        }),
        "in Graph › encoder (Dense)",
    );
    has(told(|g| vec![g.input([usize::MAX, 4]).relu()]), "overflows");
    has(told(|g| vec![g.input([3]).dense(0)]), "a layer from 3 to 0 features has no weights");

    let (one, two) = (Graph::builder(), Graph::builder());
    let (x, y) = (one.input([3]), two.input([3]));
    has(text(&one.build([y], Seed(1)).unwrap_err()), "a node of another graph");
    let z = x + y;
    has(text(&one.build([z], Seed(1)).unwrap_err()), "the graph was built before");
    let (one, two) = (Graph::builder(), Graph::builder());
    let sum = one.merge(Multiply, [one.input([3]), two.input([3])]);
    has(text(&one.build([sum], Seed(1)).unwrap_err()), "a node of another graph");
}

#[test]
fn other_inputs_than_the_model_has_are_refused() -> Result<()> {
    let model = model()?;
    let (images, ages) = (sample(&[5, 1, 6, 6]), sample(&[5, 1]));
    let told = |outcome: Result<[Tensor; 2]>| text(&outcome.unwrap_err());
    let has = |text: String, words: &str| assert!(text.contains(words), "{text}");
    has(told(model.predict_all([&images])), "the model takes 2 inputs (`image`, `age`), not 1");
    has(told(model.predict_all([&ages, &images])), "input `image` takes [examples, 1, 6, 6], not [5, 1]");
    has(told(model.predict_all([&images, &sample(&[4, 1])])), "input `age` has 4 examples, and `image` has 5");
    has(told(model.predict_all([&images, &sample(&[1])])), "input `age` takes [examples, 1], not [1]");
    let one: Result<[Tensor; 1]> = model.predict_all([&images, &ages]);
    has(text(&one.unwrap_err()), "the model gives 2 outputs, not 1");
    has(text(&model.predict(&images).unwrap_err()), "the model takes 2 inputs");
    Ok(())
}

#[test]
fn it_is_batched_and_differentiated_twice() -> Result<()> {
    let graph = Graph::builder();
    let x = graph.input([2]);
    let model = graph.build([x.dense(4).tanh().dense(1) + x.dense(1)], Seed(1))?;
    let tape = Tape::new();
    let x = tape.input(&sample(&[3, 2]));
    let batch = model.forward(x).value()?;
    let mapped = tape.vmap(x, |x| model.forward(x)).value()?;
    assert_eq!(batch.to_vec::<f32>()?, mapped.to_vec::<f32>()?);
    let [dx] = tape.grad(model.forward(x).sum(), [x]);
    let [ddx] = tape.grad(dx.square().sum(), [x]);
    assert!(ddx.value()?.to_f64_vec().iter().all(|value| value.is_finite() && *value != 0.0));
    Ok(())
}

#[test]
fn parts_are_frozen_by_name() -> Result<()> {
    let mut model = model()?;
    let trainable = |model: &Graph| -> Vec<String> {
        model.parameters().into_iter().filter(|(_, param)| param.is_trainable()).map(|(name, _)| name).collect()
    };
    model.freeze_part("eye")?;
    assert_eq!(trainable(&model)[0], "dense.weight");
    model.unfreeze_part("eye.bias")?;
    assert_eq!(trainable(&model)[0], "eye.bias");
    model.train_only(&["class", "size.bias"])?;
    assert_eq!(trainable(&model), ["class.weight", "class.bias", "size.bias"]);
    model.freeze_only(&["eye", "dense", "size"])?;
    assert_eq!(trainable(&model), ["class.weight", "class.bias"]);
    let error = model.freeze_part("clas").unwrap_err().to_string();
    assert!(error.contains("`Graph` has no parameter `clas`") && error.contains("did you mean `class`?"), "{error}");
    assert!(model.train_only(&["dense", "ey"]).unwrap_err().to_string().contains("train_only"));
    assert_eq!(trainable(&model).len(), 2, "nothing has changed");

    // What is frozen does not move.
    let (before, layer): (Vec<Tensor>, _) =
        (model.state().iter().map(|(_, param)| param.value().clone()).collect(), model.outputs());
    assert_eq!(layer.len(), 2);
    let tape = Tape::training(1u64);
    let [class, size] = model.call([tape.input(&sample(&[2, 1, 6, 6])), tape.input(&sample(&[2, 1]))]);
    let loss = class.square().sum() + size.square().sum();
    Adam::new(0.1).step(&mut model, loss.backward())?;
    for ((name, param), before) in model.state().into_iter().zip(before) {
        assert_eq!(param.value().equals(&before), !name.starts_with("class"), "{name}");
    }
    Ok(())
}

#[test]
fn residuals_run_in_16_bits() -> Result<()> {
    let layer = Residual::new((Dense::new(3, 3), Relu)).with_dtype(DType::BF16)?;
    assert_eq!(layer.predict(&Tensor::ones([2, 3], DType::BF16)?)?.dtype(), DType::BF16);
    Ok(())
}
