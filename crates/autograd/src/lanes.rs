//! Walking along an axis with a state: what the running sums and products have in common.

use crate::kernel::Blocks;
use std::convert::Infallible;
use wengert_tensor::kernels::threads::in_parts;

/// Calls `step` for every element of every lane of an axis, in order, or from the end. Each lane has a state, which is
/// `start` before its first element. The step also sees what stands in `dst`, which its result replaces.
///
/// Neighbouring lanes are walked together.
#[inline(always)]
pub(crate) fn scan<T: Copy + Sync, U: Copy + Send, S: Copy + Sync>(
    src: &[T],
    dst: &mut [U],
    around: Blocks,
    reverse: bool,
    start: S,
    step: impl Fn(&mut S, T, U) -> U + Sync,
) {
    let Blocks { size, inner } = around;
    if size * inner == 0 {
        return;
    }
    let done: Result<(), Infallible> = in_parts(dst, size * inner, size * inner, |first, part| {
        let mut states = vec![start; inner];
        for (from, to) in src.chunks_exact(size * inner).skip(first).zip(part.chunks_exact_mut(size * inner)) {
            // A lane by itself keeps its state in a register.
            if inner == 1 {
                let mut state = start;
                let mut one = |(&x, y): (&T, &mut U)| *y = step(&mut state, x, *y);
                match reverse {
                    false => from.iter().zip(to).for_each(&mut one),
                    true => from.iter().zip(to).rev().for_each(&mut one),
                }
                continue;
            }
            states.fill(start);
            let mut row = |(from, to): (&[T], &mut [U])| {
                for ((&x, y), state) in from.iter().zip(to).zip(&mut states) {
                    *y = step(state, x, *y);
                }
            };
            let rows = from.chunks_exact(inner).zip(to.chunks_exact_mut(inner));
            match reverse {
                false => rows.for_each(&mut row),
                true => rows.rev().for_each(&mut row),
            }
        }
        Ok(())
    });
    let Ok(()) = done;
}
