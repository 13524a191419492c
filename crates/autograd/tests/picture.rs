//! Pictures of a small graph, word for word, and what holds for the picture of any graph; tables and timelines of a step.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{Clusters, Peak, Picture, Profile, RecordedKind, Tape, Var};
use wengert_tensor::tensor::Tensor;

/// A layer, a loss and a gradient.
fn small<'t>(tape: &'t Tape) -> [Var<'t>; 2] {
    let x = tape.input(&Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    let w = tape.parameter(wengert_autograd::LeafId(1), &Tensor::from([[0.5f32, 1.0], [0.25, -1.0]]));
    tape.note(wengert_autograd::LeafId(1), "head.weight");
    let y = {
        let _net = tape.scope("Net");
        let _head = tape.scope(("head", "Dense"));
        x.matmul(w).tanh()
    };
    let loss = y.square().sum();
    let [dw] = tape.grad(loss, [w]);
    [loss, dw]
}

fn same(text: &str, expected: &str) {
    assert_eq!(text.trim(), expected.trim(), "\n{text}");
}

#[test]
fn a_small_graph_word_for_word() {
    let tape = Tape::new();
    let vars = small(&tape);
    let picture = tape.picture(vars).unwrap();
    same(&picture.to_dot(), include_str!("picture/small.dot"));
    same(&picture.to_mermaid(), include_str!("picture/small.mmd"));
    same(&picture.clusters(Clusters::Steps).to_dot(), include_str!("picture/steps.dot"));
}

#[test]
fn a_gradient_is_told_from_what_it_is_of() {
    let tape = Tape::new();
    let vars = small(&tape);
    let all = tape.recorded(vars).unwrap();
    let derived: Vec<bool> = all.nodes.iter().map(|node| node.derived).collect();
    let first = derived.iter().position(|derived| *derived).unwrap();
    // What is computed before the gradient is none of it, and what comes after is.
    assert!(all.nodes[..first].iter().any(|node| node.name == "sum"));
    assert!(all.nodes[first..].iter().filter(|node| node.kind == RecordedKind::Op).all(|node| node.derived));
    let in_head = |node: &&wengert_autograd::Recorded| all.path(node.layer) == "Net › head (Dense)";
    assert!(all.nodes.iter().filter(in_head).any(|node| node.derived));
    assert!(all.nodes.iter().filter(in_head).any(|node| !node.derived));
}

/// The rectangles of an SVG by the class of their corners: x, y, width, height.
fn boxes(svg: &str) -> Vec<[f64; 4]> {
    let number = |text: &str, name: &str| -> Option<f64> {
        let from = text.find(&format!(" {name}=\""))? + name.len() + 3;
        text[from..].split('"').next()?.parse().ok()
    };
    let of =
        |rect: &str| Some([number(rect, "x")?, number(rect, "y")?, number(rect, "width")?, number(rect, "height")?]);
    svg.split("<rect").skip(1).filter_map(|rect| of(rect.split('>').next()?)).collect()
}

#[test]
fn nodes_of_an_svg_do_not_overlap() {
    let tape = Tape::new();
    let mut x = tape.input(&Tensor::full([4, 4], 0.5f32).unwrap());
    let mut inputs = Vec::new();
    for i in 0..6usize {
        let w = tape.input(&Tensor::full([4, 4], i as f32).unwrap());
        let _scope = tape.scope((i, "Block"));
        x = x + x.matmul(w).softmax(-1);
        inputs.push(w);
    }
    let mut vars = vec![x.sum()];
    vars.extend(tape.grad(vars[0], inputs));
    let picture = tape.picture(vars).unwrap();
    for clusters in [Clusters::Layers, Clusters::Steps, Clusters::None] {
        let svg = picture.clone().clusters(clusters).to_svg();
        let all = boxes(&svg);
        let nodes: Vec<_> = all.iter().filter(|b| b[3] == 34.0).collect();
        assert_eq!(nodes.len(), picture.recording.nodes.len());
        for (i, a) in nodes.iter().enumerate() {
            for b in &nodes[..i] {
                let apart = a[0] + a[2] <= b[0] || b[0] + b[2] <= a[0] || a[1] + a[3] <= b[1] || b[1] + b[3] <= a[1];
                assert!(apart, "{clusters:?}: {a:?} {b:?}");
            }
        }
        // Boxes are apart or one within the other.
        let groups: Vec<_> = all.iter().filter(|b| b[3] != 34.0).collect();
        assert_eq!(groups.is_empty(), clusters == Clusters::None);
        for (i, a) in groups.iter().enumerate() {
            for b in &groups[..i] {
                let apart = a[0] + a[2] <= b[0] || b[0] + b[2] <= a[0] || a[1] + a[3] <= b[1] || b[1] + b[3] <= a[1];
                let within = b[0] <= a[0] && a[0] + a[2] <= b[0] + b[2] && b[1] <= a[1] && a[1] + a[3] <= b[1] + b[3];
                assert!(apart || within, "{clusters:?}: {a:?} {b:?}");
            }
        }
        assert!(all.iter().all(|b| b[0] >= 0.0 && b[1] >= 0.0), "{clusters:?}");
    }
}

#[test]
fn odd_names_and_odd_graphs_are_drawn() {
    let tape = Tape::new();
    let x = tape.parameter(wengert_autograd::LeafId(1), &Tensor::from([1.0f32]));
    tape.note(wengert_autograd::LeafId(1), "a \"b\" <c> \\ & #");
    let scope = tape.scope("\u{7}");
    let bell = tape.picture(x * 2.0).unwrap().to_svg();
    drop(scope);
    assert!(bell.chars().all(|c| c == '\n' || !c.is_control()), "XML has no control characters");
    let picture = tape.picture(x).unwrap();
    assert!(picture.to_dot().contains(r#"a \"b\" <c> \\ & #"#));
    assert!(picture.to_mermaid().contains("a #quot;b#quot; #lt;c#gt;"));
    assert!(picture.to_svg().contains("&lt;c&gt;"));
    let none: [Var<'_>; 0] = [];
    assert!(tape.picture(none).unwrap().to_svg().ends_with("</svg>\n"));
    // The same layer twice, around what is no part of it: boxes that read each other.
    let twice = |x: Var<'_>| {
        let _scope = tape.scope("Dense");
        (x * 2.0).id();
    };
    twice(x);
    let y = {
        let _s = tape.scope("Dense");
        x * 2.0
    };
    let z = y + 1.0;
    let w = {
        let _s = tape.scope("Dense");
        z * y
    };
    let picture: Picture = tape.picture(w).unwrap();
    assert!(picture.to_svg().contains("Dense"));
    // A long chain is drawn without recursion.
    let mut x = tape.input(&Tensor::from([1.0f32]));
    for _ in 0..20_000 {
        x = x + 1.0;
    }
    assert!(tape.picture(x).unwrap().to_svg().len() > 1_000_000);
    assert!(Tape::new().picture(x).is_err());
}

#[test]
fn a_profile_adds_up_by_op_and_by_layer() {
    let (loss, profile) = Profile::measure(2, || {
        let tape = Tape::new();
        let [loss, dw] = small(&tape);
        tape.eval([loss, dw])
    });
    loss.unwrap();
    let (ops, layers) = (profile.by_op(), profile.by_layer());
    for table in [&ops, &layers] {
        assert_eq!(table.rows.iter().map(|row| row.time).sum::<std::time::Duration>(), profile.time());
        let steps: usize = profile.plans.iter().map(|plan| plan.steps.len()).sum();
        assert_eq!(table.rows.iter().map(|row| row.steps).sum::<usize>(), steps);
        let flops: u64 = profile.plans.iter().flat_map(|plan| &plan.steps).filter_map(|step| step.traffic.flops).sum();
        assert_eq!(table.rows.iter().map(|row| row.flops).sum::<u64>(), flops);
        assert!(table.rows.windows(2).all(|rows| rows[0].time >= rows[1].time));
    }
    assert!(ops.rows.iter().any(|row| row.name == "matmul"), "{ops}");
    assert!(layers.rows.iter().any(|row| row.name == "Net › head (Dense)"), "{layers}");
    let peak = Peak { flops_per_second: 1e9, bytes_per_second: 1e9 };
    let share = ops.rows[0].roofline(&peak).unwrap();
    assert!(share > 0.0 && ops.clone().against(peak).to_string().contains("of peak"));
    let plain = ops.to_string();
    assert!(!plain.contains("of peak") && plain.contains("µs"), "{plain}");
}

#[test]
fn a_trace_is_json_whose_events_follow_one_another() {
    let tape = Tape::new();
    let vars = small(&tape);
    let trace = Profile::from(tape.profile(vars, 1).unwrap()).chrome_trace();
    assert!(trace.starts_with("{\"traceEvents\":[") && trace.trim_end().ends_with('}'));
    assert_eq!(trace.matches('{').count(), trace.matches('}').count());
    let field = |line: &str, name: &str| -> f64 {
        let from = line.find(&format!("\"{name}\":")).unwrap() + name.len() + 3;
        line[from..].split([',', '}']).next().unwrap().parse().unwrap()
    };
    let steps: Vec<(f64, f64)> = (trace.lines().filter(|line| line.contains("\"cat\":\"step\"")))
        .map(|line| (field(line, "ts"), field(line, "dur")))
        .collect();
    assert!(!steps.is_empty() && steps[0].0 == 0.0);
    assert!(steps.windows(2).all(|pair| (pair[0].0 + pair[0].1 - pair[1].0).abs() < 1e-9));
    let layers: f64 =
        trace.lines().filter(|line| line.contains("\"cat\":\"layer\"")).map(|line| field(line, "dur")).sum();
    assert!(layers > 0.0 && layers <= steps.last().map(|(ts, dur)| ts + dur).unwrap() + 1e-9);
}

#[test]
fn the_peak_is_measured_once() {
    let peak = Peak::measured().unwrap();
    assert!(peak.flops_per_second > 1e8 && peak.bytes_per_second > 1e8, "{peak}");
    assert_eq!(Peak::measured().unwrap(), peak);
}
