//! Programs as their users write them. They fix how the framework reads.

mod by_hand;
mod derivatives;
mod first_network;
mod own_layer;
mod went_wrong;
