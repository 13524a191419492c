//! The derive, names, seeds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::large_enum_variant)]

extern crate wengert_nn as wengert;

use std::marker::PhantomData;

use wengert_nn::init::Init;
use wengert_nn::layer::Layer;
use wengert_nn::layers::dense::Dense;
use wengert_nn::module::{Module, each_mut};
use wengert_nn::param::{Buffer, Param};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Seed;
use wengert_tensor::tensor::Tensor;

fn names(model: &impl Module) -> Vec<String> {
    model.state().into_iter().map(|(name, _)| name).collect()
}

fn names_mut(model: &mut impl Module) -> Vec<String> {
    let mut names = Vec::new();
    each_mut(model, &mut |path, _| names.push(path.name()));
    names
}

fn values(model: &impl Module) -> Vec<Vec<f64>> {
    model.state().into_iter().map(|(_, param)| param.value().to_f64_vec()).collect()
}

struct Opaque;

#[derive(Module)]
struct Everything<'n, A, B, const N: usize>
where
    A: Clone,
{
    first: A,
    list: Vec<B>,
    none: Option<Dense>,
    some: Option<Box<Dense>>,
    pair: (Dense, Param),
    rows: [Param; N],
    r#type: Buffer,
    #[module(name = "renamed")]
    other: Param,
    rate: f64,
    title: String,
    label: &'static str,
    mark: PhantomData<Dense>,
    #[module(skip)]
    _opaque: Opaque,
    #[module(skip)]
    _borrowed: &'n str,
}

#[derive(Module)]
struct Pair(Dense, Dense);

#[derive(Module)]
struct Unit;

#[derive(Module)]
enum Choice {
    Dense(Dense),
    Named { scale: Param, size: usize },
    Nothing,
}

#[test]
fn the_derive_visits_every_field_by_name() {
    let param = || Param::new(Tensor::from([1f32]));
    let mut model = Everything::<_, _, 2> {
        first: Dense::new(1, 1),
        list: vec![Dense::new(1, 1).without_bias(), Dense::new(1, 1)],
        none: None,
        some: Some(Box::new(Dense::new(1, 1))),
        pair: (Dense::new(1, 1), param()),
        rows: [param(), param()],
        r#type: Buffer::new(Tensor::from(0f32)),
        other: param(),
        rate: 0.5,
        title: "title".to_string(),
        label: "label",
        mark: PhantomData,
        _opaque: Opaque,
        _borrowed: "text",
    };
    let expected = [
        "first.weight",
        "first.bias",
        "list.0.weight",
        "list.1.weight",
        "list.1.bias",
        "some.weight",
        "some.bias",
        "pair.0.weight",
        "pair.0.bias",
        "pair.1",
        "rows.0",
        "rows.1",
        "type",
        "renamed",
    ];
    assert_eq!(names(&model), expected);
    assert_eq!(names_mut(&mut model), expected);
    assert_eq!(model.type_name(), "Everything");
    assert_eq!(model.parameters().len(), expected.len() - 1, "a buffer is no parameter");
    assert!(model.label.len() + model.title.len() == 10 && model.rate == 0.5);

    assert_eq!(names(&Pair(Dense::new(1, 1), Dense::new(1, 1))), ["0.weight", "0.bias", "1.weight", "1.bias"]);
    assert_eq!(names(&Unit), [""; 0]);
}

#[test]
fn an_enum_is_the_variant_that_it_holds() {
    let named = Choice::Named { scale: Param::new(Tensor::from(1f32)), size: 3 };
    assert_eq!(names(&Choice::Dense(Dense::new(1, 1))), ["0.weight", "0.bias"]);
    assert_eq!(names(&named), ["scale"]);
    assert_eq!(names(&Choice::Nothing), [""; 0]);
    assert!(matches!(named, Choice::Named { size: 3, .. }));
}

#[test]
fn a_seed_fixes_every_weight_by_its_name() -> Result<()> {
    let make = || Pair(Dense::new(3, 4), Dense::new(4, 5));
    let (a, b) = (make().init(Seed(1))?, make().init(Seed(1))?);
    assert_eq!(values(&a), values(&b));
    assert_ne!(values(&a), values(&make().init(Seed(2))?));

    // Another layer in front of a name changes nothing below it.
    #[derive(Module)]
    struct Longer {
        added: Dense,
        pair: Pair,
    }
    #[derive(Module)]
    struct Short {
        pair: Pair,
    }
    let longer = Longer { added: Dense::new(9, 9), pair: make() }.init(Seed(1))?;
    let short = Short { pair: make() }.init(Seed(1))?;
    assert_eq!(values(&longer)[2..], values(&short)[..]);
    assert_eq!(names(&longer.added), ["weight", "bias"]);
    assert_eq!(names(&short.pair).len(), 4);

    // Values that were given stay.
    let given = Param::new(Tensor::from([7f32])).init(Seed(3))?;
    assert_eq!(given.value().to_vec::<f32>()?, [7.0]);
    Ok(())
}

#[test]
fn a_fault_waits_for_the_seed() {
    let error = Pair(Dense::new(2, 2), Dense::new(usize::MAX, 2)).init(Seed(1)).err().unwrap();
    assert!(error.to_string().contains("1.weight"), "{error}");
}

#[test]
fn a_later_setting_replaces_one_that_failed() -> Result<()> {
    let failing = || Init::custom(|_, _, _| Err(Error::value("no luck")));
    let x = Tensor::from([[1f32, 1.0]]);
    for (broken, mended) in [
        (
            Dense::new(2, 2).weight_init(failing()),
            (|dense, init| Dense::weight_init(dense, init)) as fn(Dense, Init) -> Dense,
        ),
        (Dense::new(2, 2).bias_init(failing()), |dense, init| Dense::bias_init(dense, init)),
    ] {
        assert!(broken.predict(&x).is_err_and(|error| error.message() == "no luck"));
        // Still broken with another seed, dtype or copy; mended by another distribution.
        assert!(broken.clone().predict(&x).is_err() && broken.clone().init(Seed(1)).is_err());
        assert!(broken.clone().with_dtype(DType::F64)?.predict(&x.cast(DType::F64)?).is_err());
        let dense = mended(broken, Init::Ones);
        assert!(dense.predict(&x)?.to_f64_vec().iter().all(|y| y.is_finite()));
        assert!(dense.init(Seed(1)).is_ok());
    }

    // A value from elsewhere will do, too, and a distribution that knows the dtype.
    let mut param = Param::draw([2], failing());
    assert!(param.check().is_err());
    param.set(Tensor::from([1f32, 2.0]))?;
    param.check()?;
    let single = Init::custom(|_, shape, dtype| match dtype {
        DType::F64 => Tensor::ones(shape, dtype),
        _ => Err(Error::dtype("only f64")),
    });
    let mut param = Param::draw([2], single);
    assert!(param.check().is_err());
    param.cast(DType::F64)?;
    param.check()?;

    // What a layer was made of is no setting.
    assert!(Dense::new(0, 2).weight_init(Init::Ones).init(Seed(1)).is_err());
    assert!(Dense::new(0, 2).with_dtype(DType::F64).is_err());
    Ok(())
}

#[test]
fn initialisers_have_their_spread() -> Result<()> {
    let spread = |init: Init| -> Result<(f64, f64, f64)> {
        let values = Param::draw([200, 100], init).init(Seed(4))?.value().to_f64_vec();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let std = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        Ok((mean, std, values.iter().fold(0.0, |a: f64, v| a.max(v.abs()))))
    };
    let (fan_in, fan_out) = (100f64, 200f64);
    let uniform = |bound: f64| (bound / 3f64.sqrt(), Some(bound));
    for (init, (std, bound)) in [
        (Init::GlorotUniform, uniform((6.0 / (fan_in + fan_out)).sqrt())),
        (Init::HeUniform, uniform((6.0 / fan_in).sqrt())),
        (Init::LecunUniform, uniform((3.0 / fan_in).sqrt())),
        (Init::GlorotNormal, ((2.0 / (fan_in + fan_out)).sqrt(), None)),
        (Init::HeNormal, ((2.0 / fan_in).sqrt(), None)),
        (Init::LecunNormal, ((1.0 / fan_in).sqrt(), None)),
    ] {
        let name = init.name();
        let (mean, found, largest) = spread(init)?;
        assert!(mean.abs() < 0.03 * std, "{name}: mean {mean}");
        assert!((found / std - 1.0).abs() < 0.02, "{name}: deviation {found}, not {std}");
        if let Some(bound) = bound {
            assert!(largest <= bound && largest > 0.99 * bound, "{name}: {largest} of {bound}");
        }
    }
    assert_eq!(spread(Init::Ones)?, (1.0, 0.0, 1.0));
    assert_eq!(spread(Init::Constant(-2.5))?, (-2.5, 0.0, 2.5));
    let (mean, std, _) = spread(Init::Normal { mean: 3.0, std: 0.5 })?;
    assert!((mean - 3.0).abs() < 0.02 && (std - 0.5).abs() < 0.01);
    Ok(())
}

#[test]
fn a_model_may_be_cast() -> Result<()> {
    let model = Pair(Dense::new(3, 4), Dense::new(4, 5)).with_dtype(DType::F64)?.init(Seed(1))?;
    assert!(model.state().iter().all(|(_, param)| param.value().dtype() == DType::F64));
    assert!(Pair(Dense::new(3, 4), Dense::new(4, 5)).with_dtype(DType::I64).is_err());
    Ok(())
}

#[test]
fn modules_are_for_all_threads() {
    fn check<T: Send + Sync>(_: &T) {}
    check(&Pair(Dense::new(1, 1), Dense::new(1, 1)));
    check(&wengert_nn::sequential::Sequential::of([]));
}

#[test]
fn a_parameter_refuses_another_shape_or_dtype() {
    let mut param = Param::new(Tensor::from([1f32, 2.0]));
    assert!(param.set(Tensor::from([1f32])).is_err());
    assert!(param.set(Tensor::from([1f64, 2.0])).is_err());
    assert_eq!(param.value().to_f64_vec(), [1.0, 2.0]);
    assert!(param.set(Tensor::from([3f32, 4.0])).is_ok());
    assert_eq!(param.value().to_f64_vec(), [3.0, 4.0]);
}
