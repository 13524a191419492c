//! Channel shuffling: channels of all groups in turn.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// The channels in another order: those of g groups in turn, so that a convolution in groups after it sees all of them. Channel c · g + i of
/// y is channel i · C / g + c of x. Zhang et al. 2017, "ShuffleNet"; PyTorch's `ChannelShuffle`.
///
/// | | shape |
/// |---|---|
/// | x, y | `[batch, channels, n…]`; g divides the channels |
///
/// ```
/// use wengert_nn::{layer::Layer, layers::channel_shuffle::ChannelShuffle};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = ChannelShuffle::new(2).predict(&Tensor::from([[[1f32], [2.0], [3.0], [4.0]]]))?;
/// assert_eq!(y.to_vec::<f32>()?, [1.0, 3.0, 2.0, 4.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct ChannelShuffle {
    #[module(skip)]
    groups: usize,
}

impl ChannelShuffle {
    /// Of so many groups.
    pub fn new(groups: usize) -> ChannelShuffle {
        ChannelShuffle { groups }
    }
}

impl Layer for ChannelShuffle {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let (shape, groups) = (x.shape(), self.groups);
        let [examples, channels, rest @ ..] = shape.dims() else {
            let error = Error::shape(format!("takes [batch, channels, n…], not {shape}"));
            return tape.reject("ChannelShuffle", &[("input", x)], error);
        };
        if groups == 0 || channels % groups != 0 {
            let error = Error::shape(format!("{channels} channels do not fall into {groups} groups"));
            return tape.reject(
                "ChannelShuffle",
                &[("input", x)],
                error.help("the number of groups divides the channels"),
            );
        }
        let apart = [&[*examples, groups, channels / groups], rest].concat();
        x.reshape(apart).transpose(1, 2).reshape(shape)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let three = ChannelShuffle::new(3);
    vec![
        Case::new("channel_shuffle", "three", three, [&[2, 6, 2, 2], &[2, 6, 2, 2]], &[]),
        Case::new("channel_shuffle", "volume", ChannelShuffle::new(2), [&[1, 4, 1, 2, 2], &[1, 4, 1, 2, 2]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::tensor::Tensor;

    use super::*;

    #[test]
    fn groups_divide_the_channels() -> Result<()> {
        let text = |groups: usize, dims: &[usize]| -> Result<String> {
            let y = ChannelShuffle::new(groups).predict(&Tensor::zeros(dims, DType::F32)?);
            Ok(y.map_or_else(|error| error.to_string(), |_| String::new()))
        };
        assert!(text(3, &[1, 4, 2])?.contains("4 channels do not fall into 3 groups"));
        assert!(text(0, &[1, 4, 2])?.contains("0 groups"));
        assert!(text(1, &[4])?.contains("takes [batch, channels, n…], not [4]"));
        Ok(())
    }
}
