//! Weights on disk, in the [safetensors](https://github.com/huggingface/safetensors) format that PyTorch, JAX and
//! candle read and write too; and weights that `torch.save` wrote, and checkpoints.
//!
//! Nothing in a file is trusted before it was checked, and a model is changed only after everything was; a file is
//! written whole or not at all.

pub mod archive;
pub mod atomic;
pub mod checkpoint;
pub mod store;
pub mod torch;
pub mod weights;
