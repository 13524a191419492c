//! Activations as layers. Each is one function of `Var`, so in a `forward` of one's own `x.relu()` is shorter.

use wengert_autograd::Var;

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// One row a layer: its documentation, its name, and the function of `Var` that it applies.
macro_rules! activations {
    ($($(#[$doc:meta])* $name:ident => |$x:ident| $body:expr;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Module)]
            pub struct $name;

            impl Layer for $name {
                #[track_caller]
                fn forward<'t>(&self, $x: Var<'t>) -> Var<'t> {
                    let _scope = $x.tape().scope(stringify!($name));
                    $body
                }
            }
        )+

        fn plain() -> Vec<Case> {
            vec![$(same(stringify!($name), $name)),+]
        }
    };
}

activations! {
    /// max(x, 0). The derivative at 0 is 0.
    Relu => |x| x.relu();
    /// tanh x.
    Tanh => |x| x.tanh();
    /// 1 / (1 + e⁻ˣ).
    Sigmoid => |x| x.sigmoid();
    /// x Φ(x) in its tanh form, 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))). Hendrycks & Gimpel 2016.
    Gelu => |x| x.gelu();
    /// x / (1 + e⁻ˣ), also known as swish. Ramachandran et al. 2017.
    Silu => |x| x.silu();
    /// log(1 + eˣ).
    Softplus => |x| x.softplus();
    /// eˣ / Σ eˣ over the last axis. A loss on logits such as cross-entropy wants the model without it.
    Softmax => |x| x.softmax(-1);
    /// log(eˣ / Σ eˣ) over the last axis.
    LogSoftmax => |x| x.log_softmax(-1);
    /// x: the layer that does nothing.
    Identity => |x| x;
}

/// x where x > 0, else slope · x. Maas et al. 2013.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::activation::LeakyRelu};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = LeakyRelu::new(0.5).predict(&Tensor::from([-2f32, 3.0]))?;
/// assert_eq!(y.to_vec::<f32>()?, [-1.0, 3.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct LeakyRelu {
    slope: f64,
}

impl LeakyRelu {
    /// With this slope below zero.
    pub fn new(slope: f64) -> LeakyRelu {
        LeakyRelu { slope }
    }
}

/// A slope of 0.01.
impl Default for LeakyRelu {
    fn default() -> LeakyRelu {
        LeakyRelu::new(0.01)
    }
}

impl Layer for LeakyRelu {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = x.tape().scope("LeakyRelu");
        x.leaky_relu(self.slope)
    }
}

/// x where x > 0, else α (eˣ − 1). Clevert et al. 2015.
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct Elu {
    alpha: f64,
}

impl Elu {
    /// With this α, the depth that it approaches far below zero.
    pub fn new(alpha: f64) -> Elu {
        Elu { alpha }
    }
}

/// α = 1.
impl Default for Elu {
    fn default() -> Elu {
        Elu::new(1.0)
    }
}

impl Layer for Elu {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = x.tape().scope("Elu");
        x.elu(self.alpha)
    }
}

fn same(name: &'static str, layer: impl Layer + 'static) -> Case {
    Case::new("activation", name, layer, [&[4, 3], &[4, 3]], &[])
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = plain();
    cases.extend([same("LeakyRelu", LeakyRelu::default()), same("Elu", Elu::default())]);
    cases
}
