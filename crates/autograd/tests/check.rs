//! Does the check of derivatives find what is wrong, and nothing else?
#![allow(clippy::unwrap_used, clippy::expect_used)]

use wengert_autograd::{Report, Var, check_gradients};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

fn point() -> Tensor {
    Tensor::from([[0.3f64, -1.2, 2.0], [0.7, 1.1, -0.4]])
}

#[test]
fn a_wrong_sign_is_found_at_every_size() -> Result<()> {
    for exponent in [-200, -100, -30, -8, -3, 0, 3, 8, 30, 100] {
        let size = 10f64.powi(exponent);
        let right = check_gradients(|[a]| (a * size).custom_vjp(|a| a.sin(), |a, _, ct| ct * a.cos()), [&point()]);
        let small = check_gradients(|[a]| a.sin() * size, [&point()])?;
        let wrong = check_gradients(|[a]| a.sin().custom_vjp(|a| a * 1.0, |_, _, ct| -ct) * size, [&point()]);
        assert!(small.worst <= 1e-6, "{small}");
        assert!(wrong.is_err(), "1e{exponent}: {}", wrong.unwrap());
        if exponent <= 3 {
            right?;
            let wrong = check_gradients(|[a]| (a * size).custom_vjp(|a| a.sin(), |_, _, ct| -ct), [&point()]);
            assert!(wrong.is_err(), "1e{exponent}: {}", wrong.unwrap());
        }
    }
    // The small part of a result is not lost beside a large one.
    for (sign, right) in [(1.0, true), (-1.0, false)] {
        let report = check_gradients(
            |[a, b]| {
                let b = (b * 1e-4).custom_vjp(|b| b.sin(), move |b, _, ct| ct * b.cos() * sign);
                a.tape().concat(&[a.exp() * 1e8, b * 1e-4], 0)
            },
            [&point(), &point()],
        );
        assert_eq!(report.is_ok(), right, "{report:?}");
    }
    Ok(())
}

#[test]
fn zeros_functions_of_any_slope_and_small_inputs_pass() -> Result<()> {
    type Function = for<'t> fn(Var<'t>) -> Var<'t>;
    let cases: [(&str, Function); 8] = [
        ("a zero", |a| a * 0.0 + 1e3),
        ("by symmetry", |a| (a - a.stop_gradient()).cos() * 1e3),
        ("of a sum that stays", |a| a.softmax(-1).sum_axes(-1) * 1e6),
        ("one element alone", |a| a.slice(0, ..1).exp()),
        ("steep", |a| (a * 3e3).sin()),
        ("flat", |a| (a * 1e-7).tanh()),
        ("far away", |a| (a + 1e6).log()),
        ("poles beside", |a| (a * 1e-9).abs().log()),
    ];
    for (name, f) in cases {
        let report = check_gradients(|[a]| f(a), [&point()]);
        assert!(report.is_ok(), "{name}: {}", report.unwrap_err());
    }
    for scale in [1e-12, 1e-6, 1e6, 1e12] {
        let far = Tensor::from([0.3 * scale, 2.0 * scale]);
        check_gradients(|[a]| a.log() + a.sqrt() + a.recip(), [&far])?;
        let wrong = check_gradients(|[a]| a.log() + a.sqrt().custom_vjp(|a| a * 1.0, |_, _, ct| -ct), [&far]);
        assert!(wrong.is_err(), "{scale:e}: {}", wrong.unwrap());
    }
    check_gradients(|[a]| a.cast(DType::F32).sin(), [&point()])?;
    assert!(check_gradients(|[a]| a.cast(DType::F32).custom_vjp(|a| a.sin(), |_, _, ct| -ct), [&point()]).is_err());
    Ok(())
}

#[test]
fn the_report_names_the_worst_of_each_input_and_what_was_not_compared() -> Result<()> {
    let none = Tensor::zeros([0, 3], DType::F64)?;
    let index = Tensor::from([1i64, 0]);
    let report: Report =
        check_gradients(|[a, empty, index]| a.gather(0, index).exp().sum() + empty.sum(), [&point(), &none, &index])?;
    assert_eq!((report.compared, report.inputs.len()), (6, 2));
    assert!(report.to_string().contains("input 1 has no elements"), "{report}");

    // A rule that forgets one element.
    let keep = Tensor::from([[1.0f64, 1.0, 1.0], [1.0, 0.0, 1.0]]);
    let wrong = check_gradients(
        move |[a, b]| {
            let keep = a.tape().input(&keep);
            a.exp() + b * keep + b.stop_gradient() * (keep.ones_like() - keep)
        },
        [&point(), &point()],
    );
    let text = wrong.unwrap_err().to_string();
    assert!(text.contains("input 1, at [1, 1]: the rule says 0"), "{text}");

    for report in [
        check_gradients(|[a]| a.sum(), [&none]),
        check_gradients(|[a]| a.cast(DType::F64).sum(), [&index]),
        check_gradients(|[a]| a.slice(0, ..0), [&point()]),
    ] {
        let text = report.expect_err("nothing to compare").to_string();
        assert!(text.contains("nothing was compared"), "{text}");
    }
    Ok(())
}
