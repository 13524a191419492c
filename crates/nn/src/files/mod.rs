//! Weights on disk, in the [safetensors](https://github.com/huggingface/safetensors) format that PyTorch, JAX and
//! candle read and write too; and weights that `torch.save` wrote, and checkpoints.
//!
//! Nothing in a file is trusted before it was checked, and a model is changed only after everything was; a file is
//! written whole or not at all.

#[cfg(feature = "files")]
pub mod archive;
pub mod atomic;
#[cfg(feature = "files")]
pub mod checkpoint;
#[cfg(feature = "files")]
pub mod store;
#[cfg(feature = "files")]
pub mod torch;
#[cfg(feature = "files")]
pub mod weights;
