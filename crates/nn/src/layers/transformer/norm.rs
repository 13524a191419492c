//! The layer norm of the blocks.

use wengert_autograd::Var;

use super::super::attention::wide;
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Param;

/// y = (x − mean) / √(variance + ε) · weight + bias over the last axis. Ba et al. 2016.
#[derive(Clone, Debug, Module)]
pub(crate) struct LayerNorm {
    weight: Param,
    bias: Option<Param>,
    epsilon: f64,
}

impl LayerNorm {
    #[track_caller]
    pub(crate) fn new(features: [usize; 1]) -> LayerNorm {
        let (weight, bias) = (Param::draw(features, Init::Ones), Some(Param::draw(features, Init::Zeros)));
        LayerNorm { weight, bias, epsilon: 1e-5 }
    }

    pub(crate) fn epsilon(self, epsilon: f64) -> LayerNorm {
        LayerNorm { epsilon, ..self }
    }

    pub(crate) fn without_bias(self) -> LayerNorm {
        LayerNorm { bias: None, ..self }
    }
}

impl Layer for LayerNorm {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = x.tape().scope("LayerNorm");
        let wide = x.cast(wide(x.dtype()));
        let centred = wide - wide.mean_keep(-1);
        let y = centred * (centred.square().mean_keep(-1) + self.epsilon).rsqrt();
        let y = y.cast(x.dtype()) * &self.weight;
        match &self.bias {
            Some(bias) => y + bias,
            None => y,
        }
    }
}
