//! Laws of attention and transformers that one output does not show: what is seen, what is kept, what is learned.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate wengert_nn as wengert;

mod support;

use support::tensors;
use wengert_autograd::{Tape, Var, plan_clear, plan_stats};
use wengert_nn::init::Init;
use wengert_nn::layer::Layer;
use wengert_nn::layers::attention::{Attention, Masks, causal_mask};
use wengert_nn::layers::dense::Dense;
use wengert_nn::layers::gated_feed_forward::GatedFeedForward;
use wengert_nn::layers::kv_cache::KvCache;
use wengert_nn::layers::learned_positions::LearnedPositions;
use wengert_nn::layers::mixture_of_experts::MixtureOfExperts;
use wengert_nn::layers::multi_head_attention::MultiHeadAttention;
use wengert_nn::layers::rotary_embedding::RotaryEmbedding;
use wengert_nn::layers::sinusoidal_positions::SinusoidalPositions;
use wengert_nn::layers::transformer::{
    Transformer, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer,
};
use wengert_nn::module::Module;
use wengert_nn::optim::adam::Adam;
use wengert_nn::param::Param;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, Seed, normal_f64};
use wengert_tensor::tensor::Tensor;

fn drawn(shape: &[usize], seed: u64) -> Tensor {
    Tensor::from_fn(shape, |i| normal_f64(Key::new(seed), i as u64)).unwrap()
}

fn in_f64<M: Module>(module: M) -> M {
    module.init(Seed(1)).unwrap().with_dtype(DType::F64).unwrap()
}

fn attention() -> MultiHeadAttention {
    MultiHeadAttention::new(8, 4)
}

/// Attentions that are causal, each in another way.
fn causal() -> Vec<(&'static str, MultiHeadAttention)> {
    let rotary = RotaryEmbedding::new();
    vec![
        ("plain", attention().causal()),
        ("rotary", attention().causal().rotary(rotary)),
        ("interleaved", attention().causal().rotary(rotary.interleaved().theta(100.0))),
        ("alibi", attention().causal().alibi()),
        ("window", attention().causal().window(3)),
        ("grouped", attention().causal().kv_heads(2).rotary(rotary)),
        ("multi-query", attention().causal().kv_heads(1).head_features(6)),
        ("kv bias", attention().causal().with_kv_bias().with_zero_attention().alibi()),
        ("soft cap", attention().causal().soft_cap(2.0).scale(0.7)),
    ]
}

fn close(a: &Tensor, b: &Tensor, what: &str) {
    let difference = a.max_abs_diff(b).unwrap();
    assert!(difference < 1e-12, "{what}: {difference}");
}

/// Runs a step for each of these numbers of tokens, from an empty cache, and joins what they give.
fn generated(
    x: &Tensor,
    mut cache: KvCache,
    tokens: &[usize],
    step: impl for<'t> Fn(Var<'t>, KvCache<Var<'t>>) -> (Var<'t>, KvCache<Var<'t>>),
) -> Result<Tensor> {
    let (mut start, mut parts) = (0, Vec::new());
    for &count in tokens {
        let tape = Tape::new();
        let next = tape.input(x).slice(1, start..start + count);
        let (y, kept) = tape.eval(step(next, cache.on(&tape)))?;
        (cache, start) = (kept, start + count);
        parts.push(y);
    }
    assert_eq!(cache.tokens()?, start);
    let tape = Tape::new();
    let parts: Vec<Var<'_>> = parts.iter().map(|part| tape.input(part)).collect();
    tape.concat(&parts, 1).value()
}

#[test]
fn steps_with_a_cache_are_causal_attention() -> Result<()> {
    let x = drawn(&[2, 6, 8], 1);
    for (name, attention) in causal() {
        let attention = in_f64(attention);
        let whole = attention.predict(&x)?;
        for tokens in [&[1; 6][..], &[6], &[3, 1, 2]] {
            for capacity in [6, 9] {
                let cache = attention.cache(2, capacity)?;
                close(&generated(&x, cache, tokens, |x, cache| attention.step(x, cache))?, &whole, name);
            }
        }
    }
    Ok(())
}

#[test]
fn steps_of_a_stack_are_its_whole() -> Result<()> {
    let (x, memory) = (drawn(&[2, 5, 8], 1), drawn(&[2, 4, 8], 2));
    let layer = TransformerEncoderLayer::new(8, 2).hidden(12).norm_first();
    let layer = layer.self_attention(|a| a.kv_heads(1).rotary(RotaryEmbedding::new()).causal());
    let encoder = in_f64(TransformerEncoder::new(layer, 3).with_norm());
    let steps = generated(&x, encoder.cache(2, 7)?, &[2, 1, 1, 1], |x, cache| encoder.step(x, cache))?;
    close(&steps, &encoder.predict(&x)?, "encoder");

    let layer = TransformerDecoderLayer::new(8, 2).hidden(12).self_attention(|a| a.causal().alibi());
    let layer = layer.cross_attention(|a| a.rotary(RotaryEmbedding::new()).alibi());
    let decoder = in_f64(TransformerDecoder::new(layer, 2).with_norm());
    let tape = Tape::new();
    let lengths = Tensor::from([4i64, 2]);
    let whole =
        decoder.decode(tape.input(&x), tape.input(&memory), Masks::new(), Masks::new().lengths(tape.input(&lengths)));
    let remembered = tape.eval(decoder.remember(tape.input(&memory)))?;
    let steps = generated(&x, decoder.cache(2, 5)?, &[1; 5], |x, cache| {
        let tape = x.tape();
        decoder.step(x, &remembered.on(tape), cache, Masks::new().lengths(tape.input(&lengths)))
    })?;
    close(&steps, &whole.value()?, "decoder");
    Ok(())
}

/// A prompt that is padded in front is as good as one without padding, where nothing but the order counts.
#[test]
fn a_padded_prompt_is_its_tokens() -> Result<()> {
    let attention = in_f64(attention().causal());
    let x = drawn(&[1, 4, 8], 1);
    let (cache, shorter) = (attention.cache(1, 6)?, attention.cache(1, 6)?);
    let padding = Tensor::from([[true, true, false, false, false, false]]);
    let padded = generated(&x, cache, &[3, 1], |x, cache| {
        attention.step_masked(x, cache, Masks::new().padding(x.tape().input(&padding)))
    })?;
    let tape = Tape::new();
    let tokens = tape.input(&x).slice(1, 2..4).value()?;
    let tokens = generated(&tokens, shorter, &[2], |x, cache| attention.step(x, cache))?;
    close(&tape.input(&padded).slice(1, 2..4).value()?, &tokens, "padded");
    Ok(())
}

#[test]
fn ten_tokens_run_one_plan() -> Result<()> {
    let layer = TransformerEncoderLayer::new(8, 2).hidden(16).norm_first();
    let layer = layer.self_attention(|a| a.rotary(RotaryEmbedding::new()).alibi().window(4));
    let model = TransformerEncoder::new(layer, 2).with_norm().init(Seed(1))?;
    let mut cache = model.cache(1, 10)?;
    let mut token = Tensor::ones([1, 1, 8], DType::F32)?;
    plan_clear();
    let before = plan_stats().compiled;
    for _ in 0..10 {
        let tape = Tape::new();
        (token, cache) = tape.eval(model.step(tape.input(&token), cache.on(&tape)))?;
    }
    assert_eq!(plan_stats().compiled - before, 1);
    let tape = Tape::new();
    let full = tape.eval(model.step(tape.input(&token), cache.on(&tape))).unwrap_err().to_string();
    assert!(full.contains("position in a KvCache 10") && full.contains("outside 0..10"), "{full}");
    Ok(())
}

#[test]
fn nothing_looks_ahead_not_by_a_bit() -> Result<()> {
    let x = drawn(&[2, 6, 8], 1);
    let later = Tensor::from_fn([2, 6, 8], |i| x.to_f64_vec()[i] + if i % 48 >= 32 { 1.5 } else { 0.0 })?;
    let first = |layer: &dyn Layer, x: &Tensor| {
        let tape = Tape::new();
        layer.forward(tape.input(x)).slice(1, 0..4).value()
    };
    let stack = TransformerEncoder::new(TransformerEncoderLayer::new(8, 2).hidden(16).causal(), 2).with_norm();
    let stack: Box<dyn Layer> = Box::new(in_f64(stack));
    let alone = causal().into_iter().map(|(_, attention)| Box::new(in_f64(attention)) as Box<dyn Layer>);
    for layer in alone.chain([stack]) {
        assert!(first(&*layer, &x)?.equals(&first(&*layer, &later)?));
        assert!(!layer.predict(&x)?.equals(&layer.predict(&later)?));
    }
    Ok(())
}

#[test]
fn without_positions_tokens_have_no_order() -> Result<()> {
    let x = drawn(&[1, 4, 8], 1);
    let order = Tensor::from([2i64, 0, 3, 1]);
    let turned = |x: &Tensor| Tape::new().input(x).index_select(1, &order).value();
    let plain: Box<dyn Layer> = Box::new(in_f64(TransformerEncoderLayer::new(8, 2).hidden(16)));
    close(&turned(&plain.predict(&x)?)?, &plain.predict(&turned(&x)?)?, "plain");
    let placed: Box<dyn Layer> =
        Box::new(in_f64((SinusoidalPositions::new(), TransformerEncoderLayer::new(8, 2).hidden(16))));
    let rotary: Box<dyn Layer> = Box::new(in_f64(attention().rotary(RotaryEmbedding::new())));
    let alibi: Box<dyn Layer> = Box::new(in_f64(attention().alibi()));
    for layer in [placed, rotary, alibi] {
        assert!(turned(&layer.predict(&x)?)?.max_abs_diff(&layer.predict(&turned(&x)?)?)? > 1e-3);
    }
    Ok(())
}

#[test]
fn a_mask_is_as_good_as_taking_the_keys_away() -> Result<()> {
    let attention = in_f64(attention().kv_heads(2));
    let tape = Tape::new();
    let (x, memory) = (tape.input(&drawn(&[2, 3, 8], 1)), tape.input(&drawn(&[2, 5, 8], 2)));
    let near = memory.slice(1, 0..3);
    let removed = attention.attend(x, near, near, Masks::new()).value()?;
    let seen = Tensor::from([true, true, true, false, false]);
    let shown = tape.input(&seen);
    let hidden = shown.logical_not();
    let added = tape.full([5], 0.0, DType::F64).select(shown, f64::NEG_INFINITY);
    let every = |shape: &[usize]| shown.broadcast_to(shape);
    for (name, masks) in [
        ("padding", Masks::new().padding(hidden.broadcast_to([2, 5]))),
        ("padding of all", Masks::new().padding(hidden)),
        ("added padding", Masks::new().padding(added)),
        ("lengths", Masks::new().lengths(tape.full([2], 3.0, DType::I64))),
        ("queries and keys", Masks::new().mask(every(&[3, 5]))),
        ("added", Masks::new().mask(added.broadcast_to([3, 5]))),
        ("examples", Masks::new().mask(every(&[2, 3, 5]))),
        ("heads", Masks::new().mask(every(&[8, 3, 5]))),
        ("examples and heads", Masks::new().mask(every(&[2, 4, 3, 5]))),
        ("examples of one head", Masks::new().mask(every(&[2, 1, 3, 5]))),
        ("two masks", Masks::new().lengths(tape.full([2], 3.0, DType::I64)).mask(tape.full([3, 5], 1.0, DType::Bool))),
    ] {
        close(&attention.attend(x, memory, memory, masks).value()?, &removed, name);
    }
    let by_hand = attention.attend(x, x, x, Masks::new().mask(causal_mask(&tape, 3)));
    assert!(by_hand.value()?.equals(&attention.attend(x, x, x, Masks::new().causal()).value()?));
    Ok(())
}

#[test]
fn an_example_of_padding_alone_has_no_nan() -> Result<()> {
    for dtype in [DType::F32, DType::BF16, DType::F16, DType::F64] {
        let attention = attention().bias_of(0.25).with_dtype(dtype)?;
        let tape = Tape::training(1u64);
        let x = tape.input(&drawn(&[2, 3, 8], 1).cast(dtype)?);
        let y = attention.attend(x, x, x, Masks::new().lengths(tape.input(&Tensor::from([0i64, 3]))));
        let out = attention.out_proj.bias.as_ref().unwrap().value().to_f64_vec();
        let first = y.at(0, 0).value()?.to_f64_vec();
        assert!(first.chunks(8).all(|row| row == out), "{dtype}");
        let loss = y.square().sum();
        let gradients = loss.backward();
        for (name, param) in attention.parameters() {
            assert!(!gradients[param].value()?.has_nan(), "{dtype} {name}");
        }
        assert!(!tape.grad(loss, x).value()?.has_nan());
    }
    Ok(())
}

trait BiasOf {
    fn bias_of(self, value: f64) -> Self;
}

impl BiasOf for MultiHeadAttention {
    fn bias_of(mut self, value: f64) -> MultiHeadAttention {
        self.out_proj = self.out_proj.bias_init(Init::Constant(value));
        self
    }
}

#[test]
fn a_batch_is_its_examples() -> Result<()> {
    let layer = in_f64(TransformerEncoderLayer::new(8, 2).hidden(12).self_attention(|a| a.alibi().kv_heads(1)));
    let tape = Tape::new();
    let x = tape.input(&drawn(&[3, 4, 8], 1));
    let each = tape.vmap(x, |x| layer.forward(x));
    close(&each.value()?, &layer.forward(x).value()?, "vmap");
    Ok(())
}

#[test]
fn sixteen_bits_and_32_are_near_64() -> Result<()> {
    let x = drawn(&[2, 4, 8], 1);
    let layer = TransformerEncoderLayer::new(8, 2).hidden(16).norm_first().causal();
    let layer = layer.self_attention(|a| a.rotary(RotaryEmbedding::new()).alibi());
    let layer = layer.init(Seed(1))?;
    let exact = layer.clone().with_dtype(DType::F64)?.predict(&x)?;
    for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F16, 0.02), (DType::BF16, 0.15)] {
        let y = layer.clone().with_dtype(dtype)?.predict(&x.cast(dtype)?)?;
        assert_eq!(y.dtype(), dtype);
        assert!(y.cast(DType::F64)?.max_abs_diff(&exact)? < tolerance, "{dtype}");
    }
    Ok(())
}

#[test]
fn dropout_is_for_training() -> Result<()> {
    let layer = TransformerEncoderLayer::new(8, 2).hidden(16).dropout(0.5).init(Seed(1))?;
    let x = drawn(&[2, 4, 8], 1).cast(DType::F32)?;
    let y = |tape: &Tape| layer.forward(tape.input(&x)).value();
    let calm = y(&Tape::new())?;
    assert!(calm.equals(&y(&Tape::new())?));
    assert!(y(&Tape::training(1u64))?.equals(&y(&Tape::training(1u64))?));
    assert!(!y(&Tape::training(1u64))?.equals(&y(&Tape::training(2u64))?));
    let undropped = layer.dropout(0.0);
    assert!(undropped.forward(Tape::training(1u64).input(&x)).value()?.equals(&calm));
    Ok(())
}

/// A language model for sequences of digits.
#[derive(Module)]
struct Model {
    embedding: Param,
    positions: LearnedPositions,
    body: TransformerEncoder,
    head: Dense,
}

impl Model {
    fn new() -> Model {
        let block = TransformerEncoderLayer::new(16, 2).hidden(32).dropout(0.0).norm_first().causal();
        Model {
            embedding: Param::draw([8, 16], Init::Normal { mean: 0.0, std: 0.5 }),
            positions: LearnedPositions::new(9, 16),
            body: TransformerEncoder::new(block, 2).with_norm(),
            head: Dense::new(16, 8),
        }
        .init(Seed(3))
        .unwrap()
    }

    fn embed<'t>(&self, tokens: Var<'t>) -> Var<'t> {
        self.embedding.on(tokens.tape()).gather(0, tokens)
    }
}

impl Layer for Model {
    fn forward<'t>(&self, tokens: Var<'t>) -> Var<'t> {
        self.head.forward(self.body.forward(self.positions.forward(self.embed(tokens))))
    }
}

/// Four digits, a mark, and the same four again.
fn copies(step: u64) -> Tensor {
    let digit = |row: usize, place: usize| {
        let draw = normal_f64(Key::new(step).fold(row as u64), (place % 5) as u64);
        (draw.abs() * 1000.0) as i64 % 7
    };
    Tensor::from_fn([32, 9], |i| if i % 9 == 4 { 7 } else { digit(i / 9, i % 9) }).unwrap()
}

fn loss<'t>(model: &Model, tokens: Var<'t>) -> Var<'t> {
    // Only the copy can be foretold.
    let logits = model.forward(tokens.slice(1, 0..8)).slice(1, 4..);
    logits.reshape([32 * 4, 8]).cross_entropy(tokens.slice(1, 5..).flatten())
}

#[test]
fn a_causal_transformer_learns_to_copy_with_one_plan() -> Result<()> {
    let (mut model, mut adam) = (Model::new(), Adam::new(4e-3));
    plan_clear();
    let before = plan_stats().compiled;
    let mut losses = Vec::new();
    for step in 0..150 {
        let tape = Tape::training(step);
        let gradients = loss(&model, tape.input(&copies(step))).backward();
        losses.push(adam.step(&mut model, gradients)?);
        if step == 9 {
            assert_eq!(plan_stats().compiled - before, 1);
        }
    }
    assert!(losses[0] > 1.5 && losses[149] < 0.3, "{losses:?}");

    // It goes on token by token.
    let example = Tape::new().input(&copies(1000)).slice(0, 0..1).value()?;
    let told = example.to_vec::<i64>()?;
    let (mut cache, mut said) = (model.body.cache(1, 8)?, Vec::new());
    for place in 0..8 {
        let tape = Tape::new();
        let token = if place < 5 { told[place] } else { said[place - 1] };
        let token = model.embed(tape.input(&Tensor::new([token], [1, 1])?));
        let here = tape.input(&Tensor::from([place as i64]));
        let (y, next) = model.body.step(model.positions.add(token, here), cache.on(&tape));
        let best = model.head.forward(y).argmax(-1).reshape(());
        let (best, next) = tape.eval((best, next))?;
        cache = next;
        said.push(best.item::<i64>()?);
    }
    let right = said[4..].iter().zip(&told[5..]).filter(|(said, told)| said == told).count();
    assert!(right >= 3, "{said:?} after {told:?}");
    Ok(())
}

#[test]
fn a_compiled_step_has_the_bits_of_the_plain_one() -> Result<()> {
    let (mut plain, mut compiled) = (Model::new(), Model::new());
    let mut adam = Adam::new(1e-2);
    let mut step = Adam::new(1e-2).compile(|model: &Model, _: &Tape, [tokens]: [Var<'_>; 1]| loss(model, tokens));
    for turn in 0..3 {
        let tape = Tape::training(turn);
        let gradients = loss(&plain, tape.input(&copies(turn))).backward();
        adam.step(&mut plain, gradients)?;
        step.run(&mut compiled, [&copies(turn)])?;
    }
    for ((name, a), (_, b)) in plain.state().iter().zip(compiled.state()) {
        assert!(a.value().equals(b.value()), "{name}");
    }
    Ok(())
}

#[test]
fn ten_steps_with_dropout_masks_and_experts_compile_one_plan() -> Result<()> {
    #[derive(Module)]
    struct Net {
        whole: Transformer,
        experts: MixtureOfExperts<GatedFeedForward>,
    }
    let whole = Transformer::new(8, 2).layers(1, 2).hidden(16).dropout(0.2);
    let experts = MixtureOfExperts::new(8, 3, GatedFeedForward::new(8, 8)).noisy();
    let mut net = Net { whole, experts }.init(Seed(1))?;
    let mut adam = Adam::new(1e-3);
    plan_clear();
    let before = plan_stats().compiled;
    for step in 0..10 {
        let tape = Tape::training(step);
        let [source, target] =
            [5, 3].map(|n| tape.input(&drawn(&[2, n, 8], step + n as u64).cast(DType::F32).unwrap()));
        // Other lengths in each step.
        let lengths = tape.input(&Tensor::from([step as i64 % 5 + 1, 3]));
        let y = net.whole.transform(source, target, Masks::new().lengths(lengths), Masks::new().causal());
        let (y, balance) = net.experts.route(y);
        adam.step(&mut net, (y.square().mean() + 0.01 * balance).backward())?;
    }
    assert_eq!(plan_stats().compiled - before, 1);
    Ok(())
}

/// The derivative of a gradient, through attention, norm and gate.
#[test]
fn second_derivatives_are_right() -> Result<()> {
    let layer = in_f64(TransformerEncoderLayer::new(4, 2).hidden(5).causal().activation(|x| x.gelu_exact()));
    let (x, v) = (drawn(&[1, 3, 4], 1), drawn(&[1, 3, 4], 2));
    fn energy<'t>(layer: &TransformerEncoderLayer, x: Var<'t>) -> Var<'t> {
        layer.forward(x).powi(3).sum()
    }
    let tape = Tape::new();
    let exact = tape.hvp(|x| energy(&layer, x), tape.input(&x), tape.input(&v)).value()?.to_f64_vec();
    let gradient = |step: f64| -> Result<Vec<f64>> {
        let tape = Tape::new();
        let at = tape.input(&x) + tape.input(&v) * step;
        Ok(tape.grad(energy(&layer, at), at).value()?.to_f64_vec())
    };
    let (plus, minus) = (gradient(1e-5)?, gradient(-1e-5)?);
    for ((exact, plus), minus) in exact.iter().zip(plus).zip(minus) {
        assert!((exact - (plus - minus) / 2e-5).abs() < 1e-5 * exact.abs().max(1.0));
    }
    Ok(())
}

/// The weights of PyTorch's layers load by name as they are.
#[test]
fn names_and_shapes_are_those_of_pytorch() {
    let theirs = tensors("layers_attention");
    let key = "transformer/whole/parameter.";
    let names: Vec<&str> = theirs.keys().filter_map(|name| name.strip_prefix(key)).collect();
    let model = Transformer::new(4, 2).layers(1, 1).hidden(3).without_bias();
    assert_eq!(names.len(), model.parameters().len());
    for (name, param) in model.parameters() {
        assert_eq!(theirs[&format!("{key}{name}")].shape(), param.shape(), "{name}");
    }
}

#[test]
fn the_order_of_settings_does_not_matter() -> Result<()> {
    let ones = Init::Ones;
    let first = MultiHeadAttention::new(8, 4).weight_init(ones.clone()).kv_heads(2).without_bias().key_features(8);
    let last = MultiHeadAttention::new(8, 4).key_features(8).without_bias().kv_heads(2).weight_init(ones);
    let names = |layer: &MultiHeadAttention| layer.parameters().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&first), ["in_proj_weight", "out_proj.weight"]);
    assert_eq!(names(&first), names(&last));
    for ((_, a), (_, b)) in first.parameters().iter().zip(last.parameters()) {
        assert!(a.value().equals(b.value()) && a.value().to_f64_vec().iter().all(|&w| w == 1.0));
    }
    let layer = TransformerEncoderLayer::new(8, 2).without_bias().hidden(4).epsilon(1e-3);
    assert!(layer.parameters().iter().all(|(name, _)| name.ends_with("weight")));
    Ok(())
}

fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{text}` lacks `{word}`");
    }
}

#[test]
fn layers_that_cannot_be_say_why() {
    let say = |layer: MultiHeadAttention| layer.init(Seed(1)).map(|_| ()).unwrap_err().to_string();
    has(
        &say(MultiHeadAttention::new(10, 4)),
        &["MultiHeadAttention", "10 features", "4 heads", "divides", "attention.rs"],
    );
    has(&say(MultiHeadAttention::new(0, 4)), &["4 heads for 0 features", "at least 1"]);
    has(&say(MultiHeadAttention::new(8, 0)), &["0 heads for 8 features"]);
    has(&say(MultiHeadAttention::new(8, 4).kv_heads(3)), &["4 heads of queries for 3", "`kv_heads` divides"]);
    has(&say(MultiHeadAttention::new(8, 4).kv_heads(0)), &["4 heads of queries for 0"]);
    has(&say(MultiHeadAttention::new(8, 4).key_features(0)), &["at least 1"]);
    has(&say(MultiHeadAttention::new(8, 4).head_features(0)), &["at least 1"]);
    has(&say(MultiHeadAttention::new(8, usize::MAX).head_features(2)), &["too many"]);
    let used = MultiHeadAttention::new(10, 4).predict(&Tensor::ones([1, 2, 10], DType::F32).unwrap()).unwrap_err();
    has(&used.to_string(), &["10 features", "4 heads"]);
    let none = TransformerEncoder::new(TransformerEncoderLayer::new(8, 2), 0);
    has(&none.predict(&Tensor::ones([1, 2, 8], DType::F32).unwrap()).unwrap_err().to_string(), &["of 0 layers"]);
    has(&none.cache(1, 4).unwrap_err().to_string(), &["of 0 layers"]);
    let hidden = TransformerEncoderLayer::new(8, 2).hidden(0).init(Seed(1)).map(|_| ()).unwrap_err().to_string();
    has(&hidden, &["no weights", "linear1"]);
}

#[test]
fn inputs_and_masks_that_do_not_fit_say_what_would() {
    type Use = for<'t> fn(&MultiHeadAttention, Var<'t>, &'t Tape) -> Var<'t>;
    let say = |function: Use| {
        let (tape, layer) = (Tape::new(), MultiHeadAttention::new(8, 2));
        let x = tape.full([2, 3, 8], 0.5, DType::F32);
        function(&layer, x, &tape).value().unwrap_err().to_string()
    };
    has(&say(|a, _, t| a.forward(t.full([2, 3, 6], 0.5, DType::F32))), &["queries of 8 features, not 6"]);
    has(&say(|a, _, t| a.forward(t.full([8], 0.5, DType::F32))), &["[batch, positions, features], not [8]"]);
    has(&say(|a, x, t| a.attend(x, x, t.full([2, 4, 8], 0.5, DType::F32), Masks::new())), &["each key has one value"]);
    has(
        &say(|a, x, t| {
            let other = t.full([5, 3, 8], 0.5, DType::F32);
            a.attend(x, other, other, Masks::new())
        }),
        &["beside a batch [2, 3, 8]"],
    );
    has(
        &say(|a, x, t| a.attend(x, x, x, Masks::new().mask(t.full([3, 4], 1.0, DType::Bool)))),
        &["a mask [3, 4] for 3 queries and 3 keys", "[3, 3], [2, 3, 3], [4, 3, 3] or [2, 2, 3, 3]", "mask"],
    );
    has(
        &say(|a, x, t| a.attend(x, x, x, Masks::new().mask(t.full([3, 3], 1.0, DType::I64)))),
        &["a mask is bool, or f32", "not i64", "`mask.ne(0)`"],
    );
    has(&say(|a, x, t| a.attend(x, x, x, Masks::new().mask(t.full([3, 3], 1.0, DType::F64)))), &["not f64"]);
    has(
        &say(|a, x, t| a.attend(x, x, x, Masks::new().padding(t.full([3, 2], 1.0, DType::Bool)))),
        &["a padding mask [3, 2] for 2 examples of 3 keys", "it is [2, 3]"],
    );
    has(&say(|a, x, t| a.attend(x, x, x, Masks::new().padding(t.full([2, 3], 1.0, DType::I64)))), &["not i64"]);
    has(
        &say(|a, x, t| a.attend(x, x, x, Masks::new().lengths(t.full([3], 1.0, DType::I64)))),
        &["lengths [3] i64 for 2 examples", "[2] i64"],
    );
    has(&say(|a, x, t| a.attend(x, x, x, Masks::new().lengths(t.full([2], 1.0, DType::F32)))), &["lengths [2] f32"]);
    has(&say(|a, x, _| a.clone().dropout(1.5).forward(x)), &["a probability of 1.5"]);
    has(&say(|a, x, _| a.clone().scale(f64::INFINITY).forward(x)), &["a scale of inf"]);
    has(&say(|a, x, _| a.clone().window(0).forward(x)), &["a window of 0"]);
    has(&say(|a, x, _| a.clone().rotary(RotaryEmbedding::new().theta(0.0)).forward(x)), &["a base of 0"]);
}

#[test]
fn steps_that_do_not_fit_say_why() -> Result<()> {
    let (two, three) = (MultiHeadAttention::new(8, 2), MultiHeadAttention::new(8, 4));
    let say = |layer: &MultiHeadAttention, cache: &KvCache, shape: &[usize]| {
        let tape = Tape::new();
        tape.eval(layer.step(tape.full(shape, 0.5, DType::F32), cache.on(&tape))).unwrap_err().to_string()
    };
    let cache = two.cache(1, 4)?;
    has(&say(&two, &cache, &[1, 5, 8]), &["5 tokens at once", "room for 4"]);
    has(&say(&three, &cache, &[1, 1, 8]), &["a cache [1, 2, 4, 4] f32 for [1, 4, 1, 2] f32"]);
    has(&say(&two, &cache, &[2, 1, 8]), &["a cache [1, 2, 4, 4] f32 for [2, 2, 1, 4] f32"]);
    has(&say(&two, &cache, &[1, 8]), &["[batch, tokens, features]"]);
    has(&say(&two, &cache, &[1, 1, 6]), &["8 features, not 6"]);
    has(&two.cache(0, 4).unwrap_err().to_string(), &["at least 1"]);
    has(&MultiHeadAttention::new(10, 4).cache(1, 4).unwrap_err().to_string(), &["10 features"]);
    let stack = TransformerEncoder::new(TransformerEncoderLayer::new(8, 2).hidden(8), 2);
    let tape = Tape::new();
    let wrong = tape.eval(stack.step(tape.full([1, 1, 8], 0.5, DType::F32), cache.on(&tape))).unwrap_err().to_string();
    has(&wrong, &["a cache of 1 layers for 2"]);
    let decoder = TransformerDecoder::new(TransformerDecoderLayer::new(8, 2).hidden(8), 2);
    let tape = Tape::new();
    let cache = decoder.cache(1, 2)?;
    let memory = tape.eval(decoder.remember(tape.full([1, 3, 8], 0.5, DType::F32)))?;
    let say = |memory: &KvCache, batch: usize| {
        let tape = Tape::new();
        let x = tape.full([batch, 1, 8], 0.5, DType::F32);
        tape.eval(decoder.step(x, &memory.on(&tape), cache.on(&tape), Masks::new())).unwrap_err().to_string()
    };
    has(&say(&memory.layer(0).unwrap(), 1), &["a memory of 1 layers for 2", "`remember`"]);
    has(&say(&memory, 2), &["a cache [1, 2, 2, 4] f32 for [2, 2, 1, 4] f32"]);
    let other = two.recall(tape.full([2, 1, 8], 0.5, DType::F32), &memory.layer(0).unwrap().on(&tape), Masks::new());
    has(&other.value().unwrap_err().to_string(), &["queries [2, 1, 8] for a memory that takes [1, queries, 8]"]);
    let tape = Tape::new();
    let features = tape.eval(decoder.remember(tape.full([1, 3, 6], 0.5, DType::F32))).unwrap_err().to_string();
    has(&features, &["keys of 8 features, not 6"]);
    Ok(())
}

/// Whatever the scores are, weights are at most 1 and sum to 1 or to 0.
#[test]
fn weights_are_shares() -> Result<()> {
    for scale in [1e-3, 1.0, 1e3] {
        let tape = Tape::new();
        let [q, k] = [1, 2].map(|seed| tape.input(&drawn(&[2, 5, 4], seed)) * scale);
        let mask = tape.input(&drawn(&[2, 5, 5], 3)).gt(0.5);
        let (_, weights) = Attention::new().mask(mask).with_weights(q, k, k);
        for (sum, seen) in
            weights.sum_axes(-1).value()?.to_f64_vec().iter().zip(mask.any(-1).value()?.to_vec::<bool>()?)
        {
            assert!((sum - f64::from(u8::from(seen))).abs() < 1e-14);
        }
    }
    Ok(())
}
