//! The ops: one file each, with all that is known of it. To add one, write its file, its `mod` line and its line in the
//! roll; the laws then test it.

pub mod after;
pub mod arg_cumulative;
pub mod argmax;
pub mod argsort;
pub mod binary;
pub mod broadcast;
pub mod cast;
pub mod check_index;
pub mod checkpoint;
pub mod compare;
pub mod concat;
pub mod cond;
pub mod constant;
pub mod converged;
pub mod cumprod;
pub mod cumsum;
pub mod custom;
pub mod elementwise;
pub mod extremum;
pub mod flip;
pub mod gather;
pub mod implicit;
pub mod iota;
pub mod leaf;
pub mod linear_scan;
pub mod matmul;
pub mod pad;
pub mod permute;
pub mod prod;
pub mod random;
pub mod random_gamma;
pub mod random_poisson;
pub mod reshape;
pub mod scan;
pub mod searchsorted;
pub mod select;
pub mod slice;
pub mod stop_gradient;
pub mod sum;
pub mod take_along;
pub mod unary;
pub mod while_loop;
pub mod windows;
pub mod winner;

use crate::sample::Entry;

/// Every op with its cases.
pub fn roll() -> Vec<Entry> {
    [
        after::entries(),
        arg_cumulative::entries(),
        argmax::entries(),
        argsort::entries(),
        broadcast::entries(),
        cast::entries(),
        check_index::entries(),
        checkpoint::entries(),
        concat::entries(),
        cond::entries(),
        constant::entries(),
        converged::entries(),
        cumprod::entries(),
        cumsum::entries(),
        custom::entries(),
        elementwise::entries(),
        extremum::entries(),
        flip::entries(),
        gather::entries(),
        implicit::entries(),
        iota::entries(),
        leaf::entries(),
        linear_scan::entries(),
        matmul::entries(),
        pad::entries(),
        permute::entries(),
        prod::entries(),
        random::entries(),
        random_gamma::entries(),
        random_poisson::entries(),
        reshape::entries(),
        scan::entries(),
        searchsorted::entries(),
        slice::entries(),
        stop_gradient::entries(),
        sum::entries(),
        take_along::entries(),
        while_loop::entries(),
        winner::entries(),
        windows::entries(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
