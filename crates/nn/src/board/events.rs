//! The messages that TensorBoard reads. The numbers of fields are those of TensorFlow's `.proto` files.

use wengert_autograd::{RecordedKind, Recording};
use wengert_tensor::dtype::DType;
use wengert_tensor::shape::Shape;

use super::proto::Message;
use crate::plot::images::Png;

/// Of `DataType` in `types.proto`.
const DT_STRING: u64 = 7;

/// `Summary.Value` with a number.
pub(super) fn scalar(tag: &str, value: f64) -> Message {
    Message::new().text(1, tag).float(2, value as f32)
}

/// `Summary.Value` with a `HistogramProto`.
pub(super) fn histogram(tag: &str, values: &[f64]) -> Message {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let limits = limits();
    let mut counts = vec![0.0; limits.len()];
    for value in &finite {
        let at = limits.partition_point(|limit| limit <= value).min(limits.len() - 1);
        if let Some(count) = counts.get_mut(at) {
            *count += 1.0;
        }
    }
    // From the bucket before the first that holds something to the last.
    let first = counts.iter().position(|count| *count > 0.0).unwrap_or(0).saturating_sub(1);
    let last = counts.iter().rposition(|count| *count > 0.0).unwrap_or(0);
    let of = |list: &[f64]| list.get(first..=last).unwrap_or_default().to_vec();
    let (low, high) = finite.iter().fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(*x), high.max(*x)));
    let (low, high) = if finite.is_empty() { (0.0, 0.0) } else { (low, high) };
    let histogram = Message::new()
        .double(1, low)
        .double(2, high)
        .double(3, finite.len() as f64)
        .double(4, finite.iter().sum())
        .double(5, finite.iter().map(|x| x * x).sum())
        .doubles(6, &of(&limits))
        .doubles(7, &of(&counts));
    Message::new().text(1, tag).message(5, &histogram)
}

/// Upper ends of buckets: from 10⁻¹² to 10²⁰, each a tenth more than the one before, their negatives, and 0 between; the last is the
/// largest number.
fn limits() -> Vec<f64> {
    let positive: Vec<f64> = std::iter::successors(Some(1e-12), |x| Some(x * 1.1)).take_while(|x| *x < 1e20).collect();
    let mut limits: Vec<f64> = positive.iter().rev().map(|x| -x).collect();
    limits.push(0.0);
    limits.extend(positive);
    limits.push(f64::MAX);
    limits
}

/// `Summary.Value` with a `TensorProto` of text, for the plugin `text`.
pub(super) fn text(tag: &str, text: &str) -> Message {
    let plugin = Message::new().message(1, &Message::new().text(1, "text"));
    let one = Message::new().message(2, &Message::new().int(1, 1));
    let tensor = Message::new().int(1, DT_STRING).message(2, &one).text(8, text);
    Message::new().text(1, tag).message(8, &tensor).message(9, &plugin)
}

/// `Summary.Value` with an `Image`.
pub(super) fn image(tag: &str, image: &Png) -> Message {
    let encoded = Message::new()
        .int(1, image.height as u64)
        .int(2, image.width as u64)
        .int(3, image.channels as u64)
        .data(4, &image.bytes);
    Message::new().text(1, tag).message(4, &encoded)
}

/// `GraphDef`: a `NodeDef` for each node, whose name is the way to it.
pub(super) fn graph(recording: &Recording) -> Message {
    let names: Vec<String> = recording.nodes.iter().enumerate().map(|(i, _)| name(recording, i)).collect();
    let mut graph = Message::new();
    for (node, name) in recording.nodes.iter().zip(&names) {
        let op = match node.kind {
            RecordedKind::Parameter(_) => "Parameter",
            RecordedKind::Buffer(_) => "Buffer",
            RecordedKind::Input => "Placeholder",
            RecordedKind::Number => "Const",
            RecordedKind::View | RecordedKind::Op => node.name.as_str(),
        };
        let mut message = Message::new().text(1, name).text(2, op);
        for input in node.inputs.iter().filter_map(|&input| names.get(input)) {
            message = message.text(3, input);
        }
        // AttrValue: a list (1) of shapes (7), and a type (6).
        let shapes = Message::new().message(1, &Message::new().message(7, &shape(&node.meta.shape)));
        let dtype = Message::new().int(6, dtype(node.meta.dtype));
        for (key, value) in [("_output_shapes", shapes), ("T", dtype)] {
            message = message.message(5, &Message::new().text(1, key).message(2, &value));
        }
        graph = graph.message(1, &message);
    }
    // VersionDef: what made it.
    graph.message(4, &Message::new().int(1, 22))
}

/// `Net/head_Dense/matmul_7`: one step for each layer, of the letters that a name may have.
fn name(recording: &Recording, at: usize) -> String {
    let Some(node) = recording.nodes.get(at) else { return String::new() };
    let word = |text: &str| -> String {
        let letters = text.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' });
        let word: String = letters.collect();
        word.trim_matches('_').to_string()
    };
    let path = recording.path(node.layer);
    let mut steps: Vec<String> = path.split(" › ").map(word).filter(|step| !step.is_empty()).collect();
    if node.derived {
        steps.insert(0, "gradient".to_string());
    }
    let own = word(&node.name);
    steps.push(if own.is_empty() { format!("node_{at}") } else { format!("{own}_{at}") });
    steps.join("/")
}

/// `TensorShapeProto`.
fn shape(shape: &Shape) -> Message {
    shape.iter().fold(Message::new(), |message, &size| message.message(2, &Message::new().int(1, size as u64)))
}

/// Of `DataType` in `types.proto`.
fn dtype(dtype: DType) -> u64 {
    match dtype {
        DType::F32 => 1,
        DType::F64 => 2,
        DType::I32 => 3,
        DType::U8 => 4,
        DType::I64 => 9,
        DType::Bool => 10,
        DType::BF16 => 14,
        DType::F16 => 19,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_rise() {
        let limits = limits();
        assert!(limits.windows(2).all(|pair| pair[0] < pair[1]) && limits.len() > 1500);
        assert!(limits.contains(&0.0));
    }
}
