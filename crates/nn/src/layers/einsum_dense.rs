//! EinsumDense: a linear layer along any axes.

use std::panic::Location;

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::IntoShape;

use super::case::Case;
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Param;

/// y = einsum(equation, x, W) + b: the equation names the axes of x, of W and of y, as in [`Tape::einsum`](wengert_autograd::Tape::einsum).
///
/// | | shape |
/// |---|---|
/// | x | the letters before the comma; `...` stands for any axes |
/// | `kernel` W | the letters after the comma, of the sizes that are given |
/// | `bias` b | the sizes of [`bias_axes`](EinsumDense::bias_axes), with 1 for the axes of y between and after them |
/// | y | the letters after the arrow |
///
/// Keras's `EinsumDense`, with the names of its weights; where Keras is told the shape of the output, this is told that of the kernel. The
/// kernel starts from Glorot's uniform distribution, where the letters that vanish count as inputs and those that are new in y as outputs;
/// the bias from zeros.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::einsum_dense::EinsumDense, module::Module};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// // From 8 features to 2 heads of 4: a letter for each axis.
/// let heads = EinsumDense::new("btf,fhd->bthd", [8, 2, 4]).bias_axes("hd").init(Seed(1))?;
/// assert_eq!(heads.predict(&Tensor::zeros([3, 5, 8], DType::F32)?)?.shape().dims(), [3, 5, 2, 4]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct EinsumDense {
    /// W.
    pub kernel: Param,
    /// b, if the layer was given [`bias_axes`](EinsumDense::bias_axes).
    pub bias: Option<Param>,
    equation: String,
}

/// `x,w->y`: the letters of input, kernel and output; `...` stays what it is.
fn terms(equation: &str) -> Option<[String; 3]> {
    let (inputs, output) = equation.split_once("->")?;
    let (input, kernel) = inputs.split_once(',')?;
    let plain = |term: &str| term.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let terms = [plain(input), plain(kernel), plain(output)];
    terms.iter().all(|term| !term.contains([',', '>'])).then_some(terms)
}

impl EinsumDense {
    /// A layer with this equation, such as `"abc,cd->abd"`, and a kernel of these sizes, one for each of its letters. What is wrong is
    /// reported by the first use.
    #[track_caller]
    pub fn new(equation: &str, kernel: impl IntoShape) -> EinsumDense {
        let here = Location::caller();
        let kernel = made(equation, kernel)
            .unwrap_or_else(|error| Param::faulty(error.op("EinsumDense").at(here).operand("equation", equation)));
        EinsumDense { kernel, bias: None, equation: equation.to_string() }
    }

    /// Adds a bias that is not the same along these axes of the output. Their letters are letters of the kernel.
    #[must_use]
    #[track_caller]
    pub fn bias_axes(mut self, axes: &str) -> EinsumDense {
        let here = Location::caller();
        let bias = self.bias_shape(axes).map(|shape| Param::draw(shape, Init::Zeros));
        self.bias = Some(bias.unwrap_or_else(|error| {
            Param::faulty(error.op("EinsumDense").at(here).operand("equation", &*self.equation))
        }));
        self
    }

    /// Draws the kernel from another distribution. (Those that count inputs and outputs count as for `[outputs, inputs, …]`.)
    #[must_use]
    pub fn weight_init(mut self, init: Init) -> EinsumDense {
        self.kernel.set_init(init);
        self
    }

    /// Draws the bias from another distribution.
    #[must_use]
    pub fn bias_init(mut self, init: Init) -> EinsumDense {
        if let Some(bias) = &mut self.bias {
            bias.set_init(init);
        }
        self
    }

    /// The equation.
    pub fn equation(&self) -> &str {
        &self.equation
    }

    fn bias_shape(&self, axes: &str) -> Result<Vec<usize>> {
        let Some([_, kernel, output]) = terms(&self.equation) else { return Ok(Vec::new()) };
        let output: Vec<char> = output.rsplit('.').next().unwrap_or_default().chars().collect();
        let size = |letter: char| {
            let place = kernel.chars().position(|c| c == letter).filter(|_| output.contains(&letter));
            place.and_then(|place| self.kernel.shape().get(place).copied())
        };
        if axes.is_empty() {
            return Err(Error::value("a bias along no axis").help("leave `bias_axes` away for a layer without bias"));
        }
        if let Some(letter) = axes.chars().find(|letter| size(*letter).is_none()) {
            return Err(Error::value(format!("the bias axis `{letter}` is no letter of kernel and output"))
                .help("a bias has the sizes of the kernel, along letters of the output that stand after any `...`"));
        }
        let first = output.iter().position(|letter| axes.contains(*letter)).unwrap_or(0);
        let shape =
            output.iter().skip(first).map(|letter| if axes.contains(*letter) { size(*letter) } else { Some(1) });
        Ok(shape.flatten().collect())
    }
}

/// The kernel, if equation and sizes have a meaning.
fn made(equation: &str, sizes: impl IntoShape) -> Result<Param> {
    const FORM: &str = "an equation has one input, one kernel and an output: \"abc,cd->abd\"";
    let shape = sizes.into_shape()?;
    let Some([input, kernel, output]) = terms(equation) else {
        return Err(Error::value("the equation is none of this layer").help(FORM));
    };
    if let Some(c) = kernel.chars().find(|c| !c.is_ascii_alphabetic()) {
        return Err(Error::value(format!("`{c}` in the kernel of the equation")).help("its axes are letters"));
    }
    if kernel.len() != shape.rank() {
        return Err(Error::shape(format!(
            "a kernel `{kernel}` of {} letters cannot have the sizes {shape}",
            kernel.len()
        )));
    }
    if shape.dims().contains(&0) || kernel.is_empty() {
        return Err(Error::value(format!("a kernel of {shape} has no weights")).help("every size is at least 1"));
    }
    let count = |counts: &dyn Fn(char) -> bool| {
        let sizes = kernel.chars().zip(shape.dims()).filter(|(letter, _)| counts(*letter));
        sizes.map(|(_, size)| *size as f64).product::<f64>()
    };
    let fan_in = count(&|letter| input.contains(letter) && !output.contains(letter));
    let fan_out = count(&|letter| !input.contains(letter) && output.contains(letter));
    let bound = (6.0 / (fan_in + fan_out)).sqrt();
    Ok(Param::draw(shape, Init::Uniform { low: -bound, high: bound }))
}

impl Layer for EinsumDense {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let y = tape.einsum(&self.equation, &[x, self.kernel.on(tape)]);
        match &self.bias {
            Some(bias) => y + bias,
            None => y,
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, layer, shapes, names| Case::new("einsum_dense", name, layer, shapes, names);
    let both: &[&str] = &["kernel", "bias"];
    vec![
        case("dense", EinsumDense::new("ab,bc->ac", [3, 5]).bias_axes("c"), [&[4, 3], &[4, 5]], both),
        case("sequence", EinsumDense::new("abc,cd->abd", [3, 2]).bias_axes("d"), [&[2, 4, 3], &[2, 4, 2]], both),
        case("rest", EinsumDense::new("...x,xy->...y", [3, 2]).bias_axes("y"), [&[2, 4, 3], &[2, 4, 2]], both),
        case("heads", EinsumDense::new("abc,cde->abde", [4, 2, 3]).bias_axes("de"), [&[2, 3, 4], &[2, 3, 2, 3]], both),
        case("together", EinsumDense::new("abcd,cde->abe", [2, 3, 4]), [&[2, 3, 2, 3], &[2, 3, 4]], &["kernel"]),
        // Keras's bias of the axis `c` in `acb` has the shape [c, 1].
        case("between", EinsumDense::new("abd,dc->acb", [3, 2]).bias_axes("c"), [&[2, 4, 3], &[2, 2, 4]], both),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::random::Seed;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn what_does_not_fit_is_refused() {
        let text = |layer: EinsumDense| layer.init(Seed(1)).unwrap_err().to_string();
        for (text, words) in [
            (text(EinsumDense::new("ab,bc", [3, 5])), "one input, one kernel and an output"),
            (text(EinsumDense::new("ab,bc,cd->ad", [3, 5])), "the equation is none of this layer"),
            (text(EinsumDense::new("ab,bc->ac", [3])), "a kernel `bc` of 2 letters cannot have the sizes [3]"),
            (text(EinsumDense::new("ab,bc->ac", [3, 0])), "a kernel of [3, 0] has no weights"),
            (text(EinsumDense::new("ab,...c->ac", [3, 5])), "`.` in the kernel of the equation"),
            (text(EinsumDense::new("ab,bc->ac", [3, 5]).bias_axes("a")), "the bias axis `a` is no letter of kernel"),
            (text(EinsumDense::new("ab,bc->ac", [3, 5]).bias_axes("b")), "the bias axis `b` is no letter of kernel"),
            (text(EinsumDense::new("ab,bc->ac", [3, 5]).bias_axes("")), "a bias along no axis"),
        ] {
            assert!(text.contains(words) && text.contains("EinsumDense"), "{words}\n{text}");
        }
        let x = Tensor::zeros([4, 2], DType::F32).unwrap();
        let text = EinsumDense::new("ab,bc->ac", [3, 5]).predict(&x).unwrap_err().to_string();
        assert!(text.contains("`b`") && text.contains("EinsumDense"), "{text}");
    }

    #[test]
    fn starts_as_glorot_counts() {
        let layer = EinsumDense::new("abc,cde->abde", [10, 20, 30]).init(Seed(1)).unwrap();
        let (bound, values) = ((6.0f64 / 610.0).sqrt(), layer.kernel.value().to_f64_vec());
        let largest = values.iter().fold(0.0, |a: f64, w| a.max(w.abs()));
        assert!(largest <= bound && largest > 0.99 * bound, "{largest} of {bound}");
    }
}
