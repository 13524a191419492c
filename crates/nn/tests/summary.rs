//! Summaries: what each layer costs, counted by hand, and the three forms of the table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate wengert_nn as wengert;

use wengert_autograd::{Conv, Var};
use wengert_nn::graph::Graph;
use wengert_nn::layer::Layer;
use wengert_nn::layers::dense::Dense;
use wengert_nn::module::Module;
use wengert_nn::param::Param;
use wengert_nn::sequential::Sequential;
use wengert_nn::summary::Summarize;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::Seed;
use wengert_tensor::tensor::Tensor;

#[test]
fn operations_and_bytes_are_those_counted_by_hand() -> Result<()> {
    let model = Sequential::input([1, 8, 8]).conv2d(4, 3, Conv::new()).relu().flatten().dense(10).build(Seed(1))?;
    let table = model.summary()?;
    let flops: Vec<Option<u64>> = table.rows.iter().map(|row| row.flops).collect();
    let pixels = 4 * 6 * 6;
    // A product of two operations for each of nine taps, and the bias; one for each element; none; a product and the bias.
    assert_eq!(flops, [Some(pixels * (2 * 9 + 1)), Some(pixels), Some(0), Some(2 * pixels * 10 + 10)]);
    assert_eq!(table.flops, flops.iter().copied().sum());
    let bytes: Vec<Option<u64>> = table.rows.iter().map(|row| row.output_bytes).collect();
    assert_eq!(bytes, [Some(4 * pixels), Some(4 * pixels), Some(4 * pixels), Some(40)]);
    assert_eq!(table.output_bytes, bytes.iter().copied().sum());
    let weights = 4 * 9 + 4 + 144 * 10 + 10;
    assert_eq!((table.trainable, table.gradient_bytes), (weights, 4 * weights as u64));
    // Weights, their gradients and the images of 32 examples at least; not all that was ever computed.
    let peak = table.peak.unwrap();
    assert!(peak.examples == 32 && peak.bytes > 2 * 4 * weights as u64, "{peak:?}");
    let wide =
        Sequential::input([1, 8, 8]).conv2d(4, 3, Conv::new()).build(Seed(1))?.with_dtype(DType::F64)?.summary()?;
    assert_eq!(wide.rows[0].output_bytes, Some(8 * pixels));
    Ok(())
}

#[derive(Module)]
struct Net {
    first: Dense,
    inner: Inner,
}

#[derive(Module)]
struct Inner {
    head: Dense,
    scale: Param,
}

impl Layer for Inner {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = x.tape().scope("Inner");
        self.head.forward(x) * &self.scale
    }
}

impl Layer for Net {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.inner.forward(self.first.forward(x).tanh())
    }
}

#[test]
fn the_parts_of_a_model_of_ones_own_are_found_by_their_parameters() -> Result<()> {
    let inner = Inner { head: Dense::new(6, 3), scale: Param::new(Tensor::from([1f32; 3])) };
    let mut net = Net { first: Dense::new(4, 6), inner };
    net.freeze_part("first")?;
    let table = net.summary_of([4])?;
    let rows: Vec<(&str, Option<&str>, Option<u64>)> =
        table.rows.iter().map(|row| (row.path.as_str(), row.output.as_deref(), row.flops)).collect();
    let (first, head) = (2 * 4 * 6 + 6, 2 * 6 * 3 + 3);
    assert_eq!(rows[0], ("first", Some("[*, 6]"), Some(first)));
    assert_eq!(rows[1], ("inner", Some("[*, 3]"), Some(head + 3)), "with its parts");
    assert_eq!(rows[2], ("inner.head", Some("[*, 3]"), Some(head)));
    assert_eq!(table.flops, Some(first + 6 + head + 3));
    assert_eq!((table.rows[0].frozen, table.rows[0].gradient_bytes), (30, 0));
    assert_eq!((table.trainable, table.frozen, table.gradient_bytes), (24, 30, 96));
    assert!(net.summary_of([5]).is_err());
    Ok(())
}

#[test]
fn a_graph_has_figures_for_each_use_of_a_layer() -> Result<()> {
    let graph = Graph::builder();
    let (a, b) = (graph.input([3]).named("a"), graph.input([3]).named("b"));
    let left = a.dense(2).named("encoder");
    let model = graph.build([left - b.same_layer_as(left)], Seed(1))?;
    let table = model.summary()?;
    let flops: Vec<Option<u64>> = table.rows.iter().map(|row| row.flops).collect();
    assert_eq!(flops, [None, None, Some(14), Some(14), Some(2)]);
    assert_eq!(table.flops, Some(30));
    assert!(table.peak.is_some());
    Ok(())
}

#[test]
fn wide_parameter_lists_do_not_break_the_table() -> Result<()> {
    struct Wide(Vec<Param>);
    impl Module for Wide {
        fn type_name(&self) -> &'static str {
            "Wide"
        }
        fn visit<'a>(&'a self, at: &mut wengert_nn::module::Visit<'a, '_>) {
            self.0.iter().enumerate().for_each(|(i, param)| at.item(i, param));
        }
        fn visit_mut(&mut self, at: &mut wengert_nn::module::VisitMut<'_>) {
            self.0.iter_mut().enumerate().for_each(|(i, param)| at.item(i, param));
        }
    }
    let wide = || Wide((0..40).map(|_| Param::new(Tensor::from([[1f32; 8]; 8]))).collect());
    let table = (wide(), Dense::new(2, 2)).summary()?;
    let text = table.to_string();
    assert!(text.lines().all(|line| line.chars().count() < 100), "{text}");
    assert!(text.contains("more") && table.to_markdown().contains("39 [8, 8]"), "{text}");
    Ok(())
}

#[test]
fn the_table_is_also_markdown_and_json() -> Result<()> {
    let model = Sequential::input([2]).dense(3).build(Seed(1))?;
    let table = model.summary()?;
    let markdown = table.to_markdown();
    assert!(markdown.contains("| 0 | Dense | [*, 3] | weight [3, 2], bias [3] | 9 | 15 | 12 |  |"), "{markdown}");
    let json = table.to_json();
    let peak = table.peak.unwrap().bytes;
    let expected = format!(
        "{{\"model\":\"Sequential\",\"rows\":[{{\"layer\":\"0\",\"type\":\"Dense\",\"output\":\"[*, 3]\",\"parameters\":[\
         \"weight [3, 2]\",\"bias [3]\"],\"trainable\":9,\"frozen\":0,\"kept\":0,\"flops\":15,\"output_bytes\":12,\
         \"gradient_bytes\":36,\"from\":[]}}],\"trainable\":9,\"frozen\":0,\"kept\":0,\"flops\":15,\"output_bytes\":12,\
         \"gradient_bytes\":36,\"peak\":{{\"examples\":32,\"bytes\":{peak}}}}}"
    );
    assert_eq!(json, expected);
    assert!(Dense::new(2, 3).summary()?.to_json().contains("\"peak\":null"));
    Ok(())
}

/// The loop of a recurrent layer counts what all its steps do.
#[test]
fn a_recurrent_layer_has_operations() -> Result<()> {
    let table = Sequential::input([20, 3]).lstm(8).build(Seed(1))?.summary()?;
    let products = 20 * 2 * 4 * 8 * (3 + 8);
    assert!(table.flops.unwrap() > products && table.flops.unwrap() < 2 * products, "{:?}", table.flops);
    Ok(())
}

/// A model that is a layer by itself, and one with a parameter of its own, stand in the first row.
#[test]
fn a_model_tells_of_its_own_parameters() -> Result<()> {
    let table = Dense::new(4, 8).summary()?;
    assert_eq!((table.rows.len(), table.rows[0].path.as_str(), table.rows[0].count), (1, "", 40));
    assert!(table.to_string().contains("\n  (self)  Dense"), "{table}");
    assert!(table.to_markdown().contains("| (self) | Dense |") && table.to_json().contains("{\"layer\":\"\",\"type\""));
    let inner = Inner { head: Dense::new(6, 3), scale: Param::new(Tensor::from([1f32; 3])) };
    let table = inner.summary_of([6])?;
    let rows: Vec<(&str, &[String])> = table.rows.iter().map(|row| (row.path.as_str(), &row.parameters[..])).collect();
    assert_eq!(
        rows,
        [("", &["scale [3]".to_string()][..]), ("head", &["weight [3, 6]".into(), "bias [3]".into()][..])]
    );
    assert_eq!((table.rows[0].output.as_deref(), table.rows[0].flops), (Some("[*, 3]"), table.flops));
    Ok(())
}
