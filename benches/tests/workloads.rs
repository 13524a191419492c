//! The comparison's own side runs, and every case gives a time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

#[test]
fn every_case_gives_a_time() {
    let output = Command::new(env!("CARGO_BIN_EXE_workloads")).args(["--threads", "1", "--seconds", "0.02"]).output();
    let output = output.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let cases: Vec<(&str, f64)> = text
        .lines()
        .map(|line| {
            let (name, rest) = line.strip_prefix("{\"case\": \"").unwrap().split_once('"').unwrap();
            let time = rest.split("\"min_us\": ").nth(1).unwrap().split(',').next().unwrap();
            (name, time.parse().unwrap())
        })
        .collect();
    for case in [
        "seed",
        "mlp_small",
        "mlp_mnist",
        "cnn",
        "gpt",
        "lstm",
        "elementwise",
        "layernorm_softmax",
        "attention",
        "adam10m",
        "hvp",
        "infer1",
        "scalar_chain",
    ] {
        let found = cases.iter().find(|(name, _)| *name == case);
        assert!(found.is_some_and(|(_, time)| *time > 0.0), "{case}:\n{text}");
    }
}

#[test]
fn single_ops_run_and_are_differentiated() {
    let output = Command::new(env!("CARGO_BIN_EXE_ops")).args(["--threads", "1", "--seconds", "0.001"]).output();
    let output = output.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let gradients = text.lines().filter(|line| line.contains(" +\"")).count();
    assert!(text.lines().count() > gradients && gradients >= 60, "{text}");
    assert!(text.lines().all(|line| line.contains("\"min_us\": ")), "{text}");
}
