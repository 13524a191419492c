//! Every example runs, and ends with what it promises.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Once;

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Beside the tests lie the examples, as `cargo test` of the workspace has built them; what is missing or old is built now.
fn program(example: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let profile = if cfg!(debug_assertions) { "test" } else { "release" };
        let build = ["build", "--workspace", "--examples", "--profile", profile, "--quiet"];
        said(&Command::new(env!("CARGO")).args(build).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap());
    });
    let tests = std::env::current_exe().unwrap();
    tests
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples")
        .join(format!("{example}{}", std::env::consts::EXE_SUFFIX))
}

fn output_of(example: &str, arguments: &[&str]) -> String {
    said(&Command::new(program(example)).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap())
}

#[test]
fn quickstart_gets_all_six_right() {
    assert!(output_of("quickstart", &[]).contains("6 of 6 right"));
}

#[test]
fn digits_loads_what_it_saved() {
    let text = output_of("digits", &["--short"]);
    assert!(text.contains("the loaded model predicts the same"), "{text}");
    for file in ["curves.svg", "weights.safetensors"] {
        assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/digits").join(file).exists());
    }
}

#[test]
fn custom_layer_learns() {
    let text = output_of("custom_layer", &[]);
    let losses: Vec<f64> =
        text.lines().filter_map(|line| line.strip_prefix("step")?.split("loss").nth(1)?.trim().parse().ok()).collect();
    assert!(losses.len() > 2 && losses[losses.len() - 1] < 0.2 * losses[0], "{text}");
}

#[test]
fn curvature_names_what_it_finds() {
    let text = output_of("curvature", &[]);
    for kind in ["minimum", "maximum", "inflection", "saddle"] {
        assert!(text.contains(kind), "no {kind} in\n{text}");
    }
}

#[test]
fn by_hand_walks_downhill() {
    let text = output_of("by_hand", &[]);
    let losses: Vec<f64> = text.lines().filter_map(|line| line.split("loss").nth(1)?.trim().parse().ok()).collect();
    assert!(losses.len() > 2 && losses.windows(2).all(|pair| pair[1] < pair[0]), "{text}");
}

/// The number that follows `before` in what an example said.
fn number_after(text: &str, before: &str) -> f64 {
    let rest = text.split(before).nth(1).unwrap_or_else(|| panic!("no `{before}` in\n{text}"));
    let number = rest.split_whitespace().next().unwrap().trim_end_matches([',', ';']);
    number.parse().unwrap_or_else(|_| panic!("`{number}` after `{before}` in\n{text}"))
}

fn drawn(picture: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(picture);
    assert!(path.exists(), "{picture} was not drawn");
}

#[test]
fn heat_is_that_of_the_solution_on_paper() {
    let text = output_of("heat", &[]);
    assert!(number_after(&text, "largest ") < 1e-3, "{text}");
    drawn("heat/temperature.svg");
}

#[test]
fn maml_adapts_in_one_step() {
    let text = output_of("maml", &[]);
    let learned = number_after(text.split("learned").nth(1).unwrap(), "→ ");
    let fresh = number_after(text.split("fresh").nth(1).unwrap(), "→ ");
    assert!(learned < 1.0 && fresh > 3.0, "{text}");
    drawn("maml/wave.svg");
}

#[test]
fn neural_ode_finds_the_law() {
    let text = output_of("neural_ode", &[]);
    assert!(number_after(&text, "from its start alone: mean distance ") < 0.1, "{text}");
    drawn("neural_ode/path.svg");
}

#[test]
fn private_learning_reads_digits() {
    let text = output_of("private", &[]);
    assert!(number_after(&text, "noise 0: ") > 94.0 && number_after(&text, "noise 1: ") > 92.0, "{text}");
    assert!(
        (5.0..20.0).contains(&text.split("e^").nth(2).unwrap().trim().split('\n').next().unwrap().parse().unwrap())
    );
    drawn("private/accuracy.svg");
}

#[test]
fn karate_club_splits() {
    let text = output_of("karate", &[]);
    let right: usize = text.split(" of 34 members").next().unwrap().split_whitespace().last().unwrap().parse().unwrap();
    assert!(right >= 31, "{text}");
    drawn("karate/club.svg");
}

#[test]
fn equilibrium_tells_the_arms_apart() {
    let text = output_of("equilibrium", &[]);
    assert!(text.contains("derivatives compared") && number_after(&text, "epoch 150  loss ") < 0.05, "{text}");
    drawn("equilibrium/spiral.svg");
}

#[test]
fn cartpole_balances() {
    let text = output_of("cartpole", &[]);
    assert!(number_after(&text, "balances for ") >= 195.0, "{text}");
    drawn("cartpole/steps.svg");
}

#[test]
fn flow_is_a_density() {
    let text = output_of("flow", &[]);
    assert!((number_after(&text, "integral ") - 1.0).abs() < 0.02, "{text}");
    assert!(number_after(&text, "step 1999  −log p per sample ") < 0.95, "{text}");
    drawn("flow/density.svg");
}

#[test]
fn spectrum_agrees_with_power_iteration() {
    let text = output_of("spectrum", &[]);
    let lanczos = number_after(text.split("after training").nth(1).unwrap(), "the steepest ");
    assert!((lanczos - number_after(&text, "power iteration finds ")).abs() < 2e-3, "{text}");
    drawn("spectrum/spectrum.svg");
}

#[test]
fn iris_flowers_are_named() {
    let text = output_of("iris", &[]);
    assert!(number_after(&text, "in all: ") > 94.0, "{text}");
    drawn("iris/confusion.svg");
}

#[test]
fn swirl_comes_out_of_noise() {
    let text = output_of("swirl", &[]);
    assert!(number_after(&text, "points lie ") < 0.06, "{text}");
    drawn("swirl/points.svg");
}

#[test]
fn vae_draws_digits() {
    let text = output_of("vae", &[]);
    assert!(number_after(&text, "drawing ") < 24.0 && number_after(&text, "distance ") > 1.0, "{text}");
    drawn("vae/plane.svg");
}

#[test]
fn addition_is_learned() {
    let text = output_of("addition", &["--short"]);
    assert!(number_after(&text, "step  360  loss ") < 0.05, "{text}");
    let right =
        text.split(" % of 1000 sums").next().unwrap().split_whitespace().last().unwrap().parse::<f64>().unwrap();
    assert!(right > 40.0, "{text}");
    drawn("addition/loss.svg");
}

#[test]
fn lenet_reads_digits() {
    let text = output_of("lenet", &["--short"]);
    let read =
        text.split(" % of 359 digits").next().unwrap().split_whitespace().last().unwrap().parse::<f64>().unwrap();
    assert!(read > 97.0, "{text}");
    drawn("lenet/hardest.svg");
}

#[test]
fn memory_is_what_an_lstm_has() {
    let text = output_of("memory", &["--short"]);
    assert!(number_after(&text, ": LSTM ") < 0.01 && number_after(&text, ", plain ") > 0.1, "{text}");
    drawn("memory/error.svg");
}

#[test]
fn dates_are_translated() {
    let text = output_of("dates", &[]);
    let right =
        text.split(" % of 1000 dates").next().unwrap().split_whitespace().last().unwrap().parse::<f64>().unwrap();
    assert!(right > 98.0 && text.contains("the 22nd of march, 1998 → 1998-03-22"), "{text}");
    drawn("dates/looks.svg");
}

#[test]
fn experts_beat_one_net_of_their_size() {
    let text = output_of("experts", &[]);
    let (experts, dense) = (number_after(&text, "experts: error "), number_after(&text, "dense:   error "));
    assert!(experts < 0.1 && dense > 0.2, "{text}");
    assert!(number_after(&text, "busiest has ") < 2.5, "{text}");
    drawn("experts/shares.svg");
}

#[test]
fn a_frozen_body_helps_where_images_are_few() {
    let text = output_of("transfer", &[]);
    let gains = [" 2", " 5", "10"].map(|n| {
        let line = text.split(&format!("from {n} images each")).nth(1).unwrap();
        number_after(line, ": ") - number_after(line, "body, ")
    });
    assert!(gains.iter().sum::<f64>() > 8.0, "{text}");
    drawn("transfer/read.svg");
}
