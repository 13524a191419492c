//! Programs as their users write them. They fix how the framework reads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod by_hand;
mod derivatives;
mod first_network;
mod own_layer;
mod readme;
mod transforms;
mod went_wrong;
