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
