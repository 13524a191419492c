//! Steps that run part by part: with the bits of the whole, and refused where a part could reach beyond its memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use smallvec::{SmallVec, smallvec};
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::kernels::matmul::{MatMul, Side, Which};
use wengert_tensor::kernels::scalar::{ReduceFn, ScalarFn};
use wengert_tensor::kernels::threads::with_threads;
use wengert_tensor::program::chain::{Chain, Slices};
use wengert_tensor::program::loops::{Def, Dims, Load, LoopSpec, Rank, Store, Value};
use wengert_tensor::program::region::{ARENA, Region};
use wengert_tensor::program::{Buffers, Program, Step, compile_loop};

const PRODUCTS: usize = 4;
const STRIPS: usize = 3;
const M: usize = 96;
const N: usize = 64;
const K: usize = 40;

fn product(m: usize, batch: &[(usize, isize, isize)]) -> MatMul {
    let (a, b) = ([K as isize, 1].map(Side::from), [N as isize, 1].map(Side::from));
    let unit = MatMul { dtype: DType::F32, m: M, n: N, k: K, a, b, batch: smallvec![], turned: false, unit: None };
    MatMul { m, batch: SmallVec::from_slice(batch), unit: Some(unit.on_unit()), ..unit }
}

/// Each element of `rows × N` times 2, less the sum of its row.
fn looped(rows: usize, from: Region, to: Region) -> Step {
    let value = |def| Value { def, dtype: DType::F32 };
    let load = Load { region: from, offset: 0, dims: Dims::from_slice(&[(rows * N, 1)]), rank: Rank::Full };
    let values = vec![
        value(Def::Load(load)),
        value(Def::Slot(0)),
        value(Def::Map(ScalarFn::Mul, [0, 1, 0])),
        value(Def::RowReduce(ReduceFn::Sum, 0)),
        value(Def::Map(ScalarFn::Sub, [2, 3, 2])),
    ];
    let spec =
        LoopSpec { n: rows * N, cols: Some(N), values, stores: vec![Store { value: 4, region: to, over: None }] };
    Step::Loop(Box::new(compile_loop(&spec).unwrap()))
}

/// The product of each part goes to the room; the loop brings it to the output.
fn chain(rooms: usize) -> (Chain, Buffers) {
    let (rows, parts) = (M / STRIPS, PRODUCTS * STRIPS);
    let product = product(rows, &[]);
    let (bytes, copy) = (rows * N * 4, product.copy_bytes(Which::B));
    let buffers =
        Buffers { arena: bytes + copy, inputs: vec![rows * K * 4, K * N * 4], outputs: vec![bytes], scalars: 1 };
    let [a, b, c] = [(1, rows * K * 4), (2, K * N * 4), (3, bytes)].map(|(i, len)| Region::new(i, 0, len));
    let inside = Region::new(ARENA, 0, bytes);
    let copy = (copy > 0).then(|| (Which::B, Region::new(ARENA, bytes, copy)));
    let steps = vec![
        Step::MatMul { product: Box::new(product), a: (a, 0), b: (b, 0), c: inside, copy },
        looped(rows, inside, c),
    ];
    let whole = Buffers {
        arena: rooms * Chain::pitch_of(buffers.arena),
        inputs: vec![PRODUCTS * M * K * 4, PRODUCTS * K * N * 4],
        outputs: vec![PRODUCTS * M * N * 4],
        scalars: 1,
    };
    let slices = |buffer, len, axes: &[(usize, usize)]| Slices {
        region: Region::new(buffer, 0, len),
        offset: 0,
        axes: axes.iter().map(|&(extent, bytes)| (extent, bytes as isize)).collect(),
    };
    let operands = vec![
        slices(1, whole.inputs[0], &[(parts, rows * K * 4)]),
        slices(2, whole.inputs[1], &[(PRODUCTS, K * N * 4), (STRIPS, 0)]),
        slices(3, whole.outputs[0], &[(parts, bytes)]),
    ];
    let room = Region::new(ARENA, 0, whole.arena);
    (Chain { steps, buffers, operands, parts, in_order: STRIPS, room }, whole)
}

fn run(steps: Vec<Step>, buffers: &Buffers) -> Vec<u32> {
    let number = |i: usize| ((i * 7919) % 1013) as f32 / 300.0 - 1.5;
    let inputs: Vec<Vec<f32>> = buffers.inputs.iter().map(|bytes| (0..bytes / 4).map(number).collect()).collect();
    let mut output = vec![f32::NAN; buffers.outputs[0] / 4];
    let mut arena = vec![f64::NAN; buffers.arena.div_ceil(8) + 8];
    let start = arena.as_ptr().addr().next_multiple_of(64) - arena.as_ptr().addr();
    let arena = &mut bytemuck::cast_slice_mut(&mut arena)[start..start + buffers.arena];
    let mut program = Program::new(steps, buffers.clone()).unwrap();
    let inputs = inputs.iter().map(|input| bytemuck::cast_slice::<f32, u8>(input));
    let outputs = std::iter::once(bytemuck::cast_slice_mut(&mut output));
    program.run(arena, inputs, outputs, &[Scalar::of(2.0f32)]).unwrap();
    output.into_iter().map(f32::to_bits).collect()
}

#[test]
fn parts_have_the_bits_of_the_whole() {
    let (_, buffers) = chain(1);
    let inside = Region::new(ARENA, 0, buffers.outputs[0]);
    let [a, b, c] = [(1, buffers.inputs[0]), (2, buffers.inputs[1]), (3, buffers.outputs[0])]
        .map(|(i, len)| Region::new(i, 0, len));
    let product = product(M, &[(PRODUCTS, (M * K) as isize, (K * N) as isize)]);
    let steps = vec![
        Step::MatMul { product: Box::new(product), a: (a, 0), b: (b, 0), c: inside, copy: None },
        looped(PRODUCTS * M, inside, c),
    ];
    let whole = run(steps, &Buffers { arena: buffers.outputs[0], ..buffers });
    for (threads, rooms) in [(1, 1), (2, 1), (2, 2), (3, 2), (3, 4)] {
        let (chain, buffers) = chain(rooms);
        let parts = with_threads(threads, || run(vec![Step::Chain(Box::new(chain))], &buffers));
        assert!(parts == whole, "{threads} threads, {rooms} rooms");
    }
}

#[test]
fn what_would_reach_beyond_its_memory_is_refused() {
    let refused = |what: &str, change: &dyn Fn(&mut Chain)| {
        let (mut chain, buffers) = chain(2);
        change(&mut chain);
        assert!(Program::new(vec![Step::Chain(Box::new(chain))], buffers).is_err(), "{what}");
    };
    let (sound, buffers) = chain(2);
    assert!(Program::new(vec![Step::Chain(Box::new(sound))], buffers).is_ok());
    refused("an input that ends behind its buffer", &|c| c.operands[0].offset = 4);
    refused("an input that begins before its buffer", &|c| c.operands[1].axes[0].1 = -4);
    refused("fewer parts of an input", &|c| c.operands[0].axes[0].0 -= 1);
    refused("more parts than there are", &|c| c.parts += STRIPS);
    refused("parts of a result that overlap", &|c| c.operands[2].axes[0].1 -= 4);
    refused("parts of a result in another order", &|c| {
        let bytes = c.operands[2].axes[0].1;
        c.operands[2].axes = smallvec![(STRIPS, PRODUCTS as isize * bytes), (PRODUCTS, bytes)];
    });
    refused("a result that all parts share", &|c| c.operands[2].axes[0].1 = 0);
    refused("a result in an input", &|c| c.operands[2].region.buffer = 1);
    refused("a result in the room", &|c| c.operands[2].region = Region::new(ARENA, 0, c.operands[2].region.len));
    refused("a room that is too small", &|c| c.room.len = c.pitch() - 64);
    refused("a room that is no arena", &|c| c.room.buffer = 3);
    refused("a room behind the arena", &|c| c.room.offset += 64);
    refused("a room between cache lines", &|c| (c.room.offset, c.room.len) = (4, c.room.len - 4));
    refused("no parts in order", &|c| c.in_order = 0);
    refused("runs of uneven length", &|c| c.in_order = 5);
    refused("an operand too few", &|c| drop(c.operands.pop()));
    refused("a step beyond its part", &|c| c.buffers.inputs[0] -= 4);
    refused("a step beyond its room", &|c| c.buffers.arena = 64);
    refused("a scalar that does not exist", &|c| c.buffers.scalars = 2);
    refused("a chain of chains", &|c| {
        let inner = Chain { steps: Vec::new(), ..c.clone() };
        c.steps.push(Step::Chain(Box::new(inner)));
    });
    refused("a copy of what differs from part to part", &|c| {
        c.operands[1].axes = smallvec![(PRODUCTS, 0), (STRIPS, 4)];
        let bytes = c.buffers.arena;
        if let Step::MatMul { copy, .. } = &mut c.steps[0] {
            copy.get_or_insert((Which::B, Region::new(ARENA, bytes, 0)));
        }
    });
    refused("a copy where a step writes", &|c| {
        if let Step::MatMul { copy, .. } = &mut c.steps[0] {
            *copy = Some((Which::B, Region::new(ARENA, 0, c.buffers.arena)));
        }
    });
}
