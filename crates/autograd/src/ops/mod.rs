//! The ops: one file each, with all that is known of it. To add one, write its file, its `mod` line and its line in the
//! roll; the laws then test it.

pub mod after;
pub mod arg_cumulative;
pub mod argmax;
pub mod argsort;
pub mod betainc;
pub mod binary;
pub mod broadcast;
pub mod cast;
pub mod check_index;
pub mod check_range;
pub mod checkpoint;
#[cfg(feature = "linalg")]
pub mod cholesky;
#[cfg(feature = "linalg")]
pub mod cofactor;
pub mod compare;
pub mod concat;
pub mod cond;
pub mod constant;
pub mod converged;
pub mod convolved;
pub mod cumprod;
pub mod cumsum;
pub mod custom;
#[cfg(feature = "linalg")]
pub mod det;
#[cfg(feature = "linalg")]
pub mod eigh;
pub mod elementwise;
pub mod extremum;
#[cfg(feature = "fft")]
pub mod fft;
pub mod flip;
pub mod gamma_slope;
pub mod gather;
pub mod implicit;
pub mod iota;
pub mod leaf;
pub mod linear_scan;
#[cfg(feature = "linalg")]
pub mod lu;
pub mod matmul;
#[cfg(feature = "linalg")]
pub mod matrix_exp;
pub mod normalized;
pub mod pad;
pub mod permute;
#[cfg(feature = "linalg")]
pub mod pinv;
pub mod prod;
#[cfg(feature = "linalg")]
pub mod qr;
pub mod random;
pub mod random_gamma;
pub mod random_poisson;
pub mod reshape;
pub mod roll;
pub mod scan;
pub mod searchsorted;
pub mod select;
pub mod slice;
#[cfg(feature = "linalg")]
pub mod solve;
pub mod stop_gradient;
pub mod sum;
#[cfg(feature = "linalg")]
pub mod svd;
pub mod take_along;
#[cfg(feature = "linalg")]
pub mod triangular_solve;
pub mod unary;
pub mod while_loop;
pub mod window_max;
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
        check_range::entries(),
        checkpoint::entries(),
        #[cfg(feature = "linalg")]
        cholesky::entries(),
        #[cfg(feature = "linalg")]
        cofactor::entries(),
        concat::entries(),
        cond::entries(),
        constant::entries(),
        converged::entries(),
        convolved::entries(),
        cumprod::entries(),
        cumsum::entries(),
        custom::entries(),
        #[cfg(feature = "linalg")]
        det::entries(),
        #[cfg(feature = "linalg")]
        eigh::entries(),
        elementwise::entries(),
        extremum::entries(),
        #[cfg(feature = "fft")]
        fft::entries(),
        flip::entries(),
        gather::entries(),
        implicit::entries(),
        iota::entries(),
        leaf::entries(),
        linear_scan::entries(),
        #[cfg(feature = "linalg")]
        lu::entries(),
        matmul::entries(),
        #[cfg(feature = "linalg")]
        matrix_exp::entries(),
        normalized::entries(),
        pad::entries(),
        permute::entries(),
        #[cfg(feature = "linalg")]
        pinv::entries(),
        prod::entries(),
        #[cfg(feature = "linalg")]
        qr::entries(),
        random::entries(),
        betainc::entries(),
        gamma_slope::entries(),
        random_gamma::entries(),
        random_poisson::entries(),
        reshape::entries(),
        roll::entries(),
        scan::entries(),
        searchsorted::entries(),
        slice::entries(),
        #[cfg(feature = "linalg")]
        solve::entries(),
        stop_gradient::entries(),
        sum::entries(),
        #[cfg(feature = "linalg")]
        svd::entries(),
        take_along::entries(),
        #[cfg(feature = "linalg")]
        triangular_solve::entries(),
        while_loop::entries(),
        winner::entries(),
        window_max::entries(),
        windows::entries(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
