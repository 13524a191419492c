//! What a mistake looks like: the operation, the operands, the user's own line, the layer, and the mend.

use wengert::prelude::*;

#[derive(Module)]
struct Net {
    body: Dense,
    head: Dense,
}

impl Layer for Net {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.head.forward(self.body.forward(x.flatten_from(1)).relu())
    }
}

/// The error without the numbers that differ from run to run.
fn text(error: &Error) -> String {
    let mut text = error.to_string().replace('\\', "/");
    while let Some(at) = text.find("parameter #") {
        let digits = text[at + 11..].chars().take_while(char::is_ascii_digit).count();
        text.replace_range(at..at + 11 + digits, "parameter (unnamed)");
    }
    text
}

macro_rules! error {
    ($name:literal, $result:expr) => {{
        let error = $result.map(|_| ()).expect_err($name);
        insta::assert_snapshot!($name, text(&error));
    }};
}

fn net() -> Result<Net> {
    Net { body: Dense::new(784, 64), head: Dense::new(512, 10) }.init(Seed(1))
}

#[test]
fn inner_dimensions() -> Result<()> {
    let mut net = net()?;
    let x = Tensor::zeros([32, 28, 28], DType::F32)?;
    let tape = Tape::training(1);
    let loss = net.forward(tape.input(&x)).square().mean();
    error!("a_layer_of_another_size", Sgd::new(0.1).step(&mut net, loss.backward()));
    error!(
        "matmul_of_tensors",
        tape_of(|t| t.input(&Tensor::from([[1f32, 2.]])).matmul(t.input(&Tensor::from([[1f32], [2.], [3.]]))))
    );
    Ok(())
}

/// The value of what is recorded on a tape of its own.
fn tape_of(f: impl for<'t> FnOnce(&'t Tape) -> Var<'t>) -> Result<Tensor> {
    let tape = Tape::new();
    f(&tape).value()
}

#[test]
fn shapes_axes_indices_and_dtypes() -> Result<()> {
    let a = Tensor::zeros([2, 3], DType::F32)?;
    let b = Tensor::zeros([4], DType::F32)?;
    error!("shapes_that_do_not_broadcast", tape_of(|t| t.input(&a) + t.input(&b)));
    error!("an_axis_out_of_range", tape_of(|t| t.input(&a).sum_axes(2)));
    error!("a_slice_out_of_range", tape_of(|t| t.input(&a).slice(1, 1..7)));
    error!("a_float_as_index", tape_of(|t| t.input(&a).gather(0, t.input(&b))));
    error!("an_index_out_of_range", tape_of(|t| t.input(&a).gather(0, t.input(&Tensor::from([0i64, 5])))));
    error!("f32_with_f64", tape_of(|t| t.input(&a) * t.input(&Tensor::from([1f64, 2., 3.]))));
    error!("a_label_outside_the_classes", tape_of(|t| t.input(&a).cross_entropy(t.input(&Tensor::from([1i64, 3])))));
    error!("a_shape_that_overflows", Tensor::zeros([usize::MAX, 2], DType::F32));
    error!("a_maximum_of_nothing", tape_of(|t| t.input(&b).slice(0, 2..2).max()));
    error!("the_item_of_many", Tensor::from([1f32, 2.]).item::<f32>());
    error!("an_item_of_another_dtype", Tensor::from(1f32).item::<f64>());
    error!(
        "the_gradient_of_a_vector",
        tape_of(|t| {
            let x = t.input(&b);
            t.grad(x * 2.0, [x])[0]
        })
    );
    Ok(())
}

#[test]
fn a_failed_step_leaves_the_weights() -> Result<()> {
    let mut model = Sequential::input([2]).dense(3).build(Seed(1))?;
    let before: Vec<Tensor> = model.parameters().into_iter().map(|(_, p)| p.value().clone()).collect();
    let x = Tensor::from([[1f32, 2.]]);
    let mut optimizer = Adam::new(0.1);
    let tape = Tape::training(1);
    let loss = model.forward(tape.input(&x)).cross_entropy(Tensor::from([7i64]));
    error!("a_step_with_a_bad_label", optimizer.step(&mut model, loss.backward()));
    for ((_, p), before) in model.parameters().iter().zip(&before) {
        assert!(p.value().equals(before));
    }
    Ok(())
}

#[test]
fn data_that_cannot_be_learned_from() -> Result<()> {
    let model = || Sequential::input([2]).dense(2).build(Seed(1));
    let trainer = || Trainer::new(Sgd::new(0.1), CrossEntropy::new()).epochs(1).verbose(Verbose::Silent);
    let x = Tensor::from([[1f32, 2.], [3., f32::NAN]]);
    error!("nan_in_the_data", trainer().fit(&mut model()?, &(x.clone(), Tensor::from([0i64, 1]))));
    let x = Tensor::from([[1f32, 2.], [3., 4.]]);
    error!("more_samples_than_labels", trainer().fit(&mut model()?, &(x.clone(), Tensor::from([0i64]))));
    error!("a_label_too_large", trainer().fit(&mut model()?, &(x.clone(), Tensor::from([0i64, 2]))));
    let empty = (Tensor::zeros([0, 2], DType::F32)?, Tensor::zeros([0], DType::I64)?);
    error!("no_samples", trainer().fit(&mut model()?, &empty));
    error!("an_input_of_another_width", model()?.predict(&Tensor::zeros([1, 3], DType::F32)?));
    error!("zero_units", Sequential::input([2]).dense(0).build(Seed(1)).map(|_| ()));
    Ok(())
}

#[test]
fn files_that_are_not_what_they_should_be() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("wengert-went-wrong-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|e| Error::io(e.to_string()))?;
    let path = |name: &str| folder.join(name);
    let clean = |result: Result<()>| result.map_err(|e| text(&e).replace(&folder.display().to_string(), "FOLDER"));

    std::fs::write(path("bad.csv"), "a,b,label\n1,2,0\n3,oops,1\n").map_err(|e| Error::io(e.to_string()))?;
    std::fs::write(path("ragged.csv"), "a,b,label\n1,2,0\n3,1\n").map_err(|e| Error::io(e.to_string()))?;
    let csv = |name: &str| clean(read_csv(path(name), "label").map(|_| ())).expect_err(name);
    insta::assert_snapshot!("csv_cell", csv("bad.csv"));
    insta::assert_snapshot!("csv_ragged", csv("ragged.csv"));
    insta::assert_snapshot!("csv_missing", csv("missing.csv"));

    let mut model = Sequential::input([2]).dense(3).build(Seed(1))?;
    model.save_weights(path("good.safetensors"))?;
    let good = std::fs::read(path("good.safetensors")).map_err(|e| Error::io(e.to_string()))?;
    std::fs::write(path("short.safetensors"), &good[..good.len() - 5]).map_err(|e| Error::io(e.to_string()))?;
    let before: Vec<Tensor> = model.parameters().into_iter().map(|(_, p)| p.value().clone()).collect();
    let failed = clean(model.load_weights(path("short.safetensors"), Strict).map(|_| ())).expect_err("truncated");
    insta::assert_snapshot!("weights_truncated", failed);
    let mut other = Sequential::input([2]).dense(4).build(Seed(1))?;
    let failed = clean(other.load_weights(path("good.safetensors"), Strict).map(|_| ())).expect_err("another shape");
    insta::assert_snapshot!("weights_of_another_shape", failed);
    for ((_, p), before) in model.parameters().iter().zip(&before) {
        assert!(p.value().equals(before));
    }
    std::fs::remove_dir_all(&folder).map_err(|e| Error::io(e.to_string()))
}
