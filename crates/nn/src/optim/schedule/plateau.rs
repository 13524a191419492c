//! A fall whenever a figure has stopped getting better.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::Schedule;
use super::case::Case;
use crate::tensors::{count, counted, find, float};

/// Multiplies the learning rate by a ratio whenever a figure has not become better for a while. PyTorch's `ReduceLROnPlateau`.
///
/// A clone watches the same figure: hand one to the optimizer and tell the other one what was measured.
///
/// ```
/// use wengert_nn::layers::dense::Dense;
/// use wengert_nn::losses::mean_squared_error::MeanSquaredError;
/// use wengert_nn::optim::{schedule::Plateau, sgd::Sgd};
/// use wengert_nn::train::trainer::Trainer;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let data = (Tensor::from([[0f32], [1.0], [2.0]]), Tensor::from([[1f32], [3.0], [5.0]]));
/// let plateau = Plateau::new().patience(2).ratio(0.5);
/// let mut model = Dense::new(1, 1);
/// Trainer::new(Sgd::new(0.1).schedule(plateau.clone()), MeanSquaredError::new())
///     .on_epoch(|_, logs| _ = logs.get("loss").map(|loss| plateau.observe(loss)))
///     .verbose(false)
///     .fit(&mut model, &data)?;
/// assert_eq!(plateau.factor(), 1.0);
/// # Ok(()) }
/// ```
///
/// In a loop of one's own: `optimizer.set_learning_rate(rate * plateau.observe(loss))` after every epoch.
///
/// A figure counts as better if it is below `best · (1 − threshold)`; see [`maximize`](Plateau::maximize) and
/// [`absolute`](Plateau::absolute). NaN is not better. As in PyTorch the rate falls once more than `patience` figures in a row were not
/// better; Keras's `patience` is one larger than this one.
#[doc(alias = "ReduceLROnPlateau")]
#[derive(Clone, Debug)]
pub struct Plateau {
    maximize: bool,
    absolute: bool,
    ratio: f64,
    patience: u64,
    threshold: f64,
    cooldown: u64,
    least: f64,
    state: Arc<Mutex<PlateauState>>,
}

/// What a [`Plateau`] remembers: to save a run, and to go on with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlateauState {
    /// The factor of the learning rate.
    pub factor: f64,
    /// The best figure; `None` before the first.
    pub best: Option<f64>,
    /// How many figures since then were not better.
    pub waited: u64,
    /// How many figures are still ignored after a fall.
    pub cooling: u64,
}

impl Default for Plateau {
    fn default() -> Plateau {
        Plateau::new()
    }
}

impl Plateau {
    /// For a figure that should become small: × 0.1 after 10 figures that were not better by 1/10 000.
    pub fn new() -> Plateau {
        Plateau {
            maximize: false,
            absolute: false,
            ratio: 0.1,
            patience: 10,
            threshold: 1e-4,
            cooldown: 0,
            least: 0.0,
            state: Arc::new(Mutex::new(PlateauState { factor: 1.0, best: None, waited: 0, cooling: 0 })),
        }
    }

    /// For a figure that should become large, as an accuracy: better is above `best · (1 + threshold)`.
    #[must_use]
    pub fn maximize(self) -> Plateau {
        Plateau { maximize: true, ..self }
    }

    /// Better is below `best − threshold`, or above `best + threshold`. Keras's `min_delta`.
    #[must_use]
    pub fn absolute(self) -> Plateau {
        Plateau { absolute: true, ..self }
    }

    /// What the learning rate is multiplied by, below 1.
    #[must_use]
    pub fn ratio(self, ratio: f64) -> Plateau {
        Plateau { ratio, ..self }
    }

    /// How many figures in a row may fail to be better.
    #[must_use]
    pub fn patience(self, figures: u64) -> Plateau {
        Plateau { patience: figures, ..self }
    }

    /// By how much a figure must be better to count.
    #[must_use]
    pub fn threshold(self, threshold: f64) -> Plateau {
        Plateau { threshold, ..self }
    }

    /// How many figures after a fall are not counted as failures.
    #[must_use]
    pub fn cooldown(self, figures: u64) -> Plateau {
        Plateau { cooldown: figures, ..self }
    }

    /// The factor never falls below this: `min_lr` ÷ learning rate.
    #[must_use]
    pub fn least(self, factor: f64) -> Plateau {
        Plateau { least: factor, ..self }
    }

    /// Takes a figure in, and gives the factor of the learning rate from now on.
    pub fn observe(&self, figure: f64) -> f64 {
        let mut state = self.lock();
        if state.best.is_none_or(|best| self.is_better(figure, best)) && figure.is_finite() {
            state.best = Some(figure);
            state.waited = 0;
        } else {
            state.waited = state.waited.saturating_add(1);
        }
        if state.cooling > 0 {
            state.cooling -= 1;
            state.waited = 0;
        }
        if state.waited > self.patience {
            state.factor = (state.factor * self.ratio).max(self.least);
            state.cooling = self.cooldown;
            state.waited = 0;
        }
        state.factor
    }

    /// The factor of the learning rate now.
    pub fn factor(&self) -> f64 {
        self.lock().factor
    }

    /// What it remembers.
    pub fn state(&self) -> PlateauState {
        *self.lock()
    }

    /// Goes on from what was remembered.
    pub fn restore(&self, state: PlateauState) {
        *self.lock() = state;
    }

    fn is_better(&self, figure: f64, best: f64) -> bool {
        let margin = if self.absolute { self.threshold } else { best * self.threshold };
        if self.maximize { figure > best + margin } else { figure < best - margin }
    }

    fn lock(&self) -> MutexGuard<'_, PlateauState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not a function of the step: the factor is what follows from the figures so far.
impl Schedule for Plateau {
    fn factor(&self, _step: u64) -> f64 {
        Plateau::factor(self)
    }
    fn check(&self) -> Result<()> {
        let refuse = |message| Err(Error::value(message).op("Plateau"));
        match self {
            _ if !(0.0..1.0).contains(&self.ratio) => {
                refuse(format!("the ratio is {}, and must be at least 0 and below 1", self.ratio))
            }
            _ if !(self.threshold >= 0.0 && self.threshold.is_finite()) => {
                refuse(format!("the threshold is {}, and must not be negative", self.threshold))
            }
            _ if self.least > 1.0 => refuse(format!("the least factor is {}, and must not be above 1", self.least)),
            _ => super::sound("Plateau", "the least factor", self.least),
        }
    }
    fn state(&self) -> Vec<(String, Tensor)> {
        let PlateauState { factor, best, waited, cooling } = *self.lock();
        let number = |name: &str, value| (name.to_string(), value);
        let known = [
            number("factor", Tensor::from(factor)),
            number("waited", counted(waited as usize)),
            number("cooling", counted(cooling as usize)),
        ];
        known.into_iter().chain(best.map(|best| number("best", Tensor::from(best)))).collect()
    }
    fn load_state(&self, state: &[(String, Tensor)]) -> Result<()> {
        let best = find(state, "best").map(|_| float(state, "best")).transpose()?;
        let (waited, cooling) = (count(state, "waited")? as u64, count(state, "cooling")? as u64);
        self.restore(PlateauState { factor: float(state, "factor")?, best, waited, cooling });
        Ok(())
    }
}

/// What the laws try: each has seen `n` figures before its n-th step.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, plateau: Plateau| {
        let schedule = move |step: u64| {
            let fresh = Plateau { state: Plateau::new().state, ..plateau.clone() };
            (0..step).fold(1.0, |_, n| fresh.observe(figure(n)))
        };
        Case::new("plateau", name, schedule)
    };
    vec![
        case("plateau_min", Plateau::new().patience(3).ratio(0.5).cooldown(2))
            .refuses(Plateau::new().ratio(1.0), "ratio is 1")
            .refuses(Plateau::new().threshold(-1.0), "threshold is -1")
            .refuses(Plateau::new().least(f64::NAN), "NaN"),
        case("plateau_max", Plateau::new().maximize().patience(2).ratio(0.3).threshold(0.02).least(0.01)),
        case("plateau_absolute", Plateau::new().absolute().patience(1).ratio(0.7).threshold(0.05)),
        case("plateau_max_absolute", Plateau::new().maximize().absolute().patience(4).ratio(0.5).threshold(0.01)),
    ]
}

/// A figure that wanders: the references are of the same.
fn figure(n: u64) -> f64 {
    let n = n as f64;
    1.0 + 0.5 * (0.7 * n).sin() + 0.01 * n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_and_state_comes_back() {
        let one = Plateau::new().patience(0).ratio(0.5);
        let other = one.clone();
        assert_eq!([1.0, 2.0, f64::NAN].map(|figure| one.observe(figure)), [1.0, 0.5, 0.25]);
        assert_eq!(Schedule::factor(&other, 7), 0.25);
        let fresh = Plateau::new().patience(0).ratio(0.5);
        fresh.restore(other.state());
        assert_eq!(fresh.state().best, Some(1.0));
        assert_eq!(fresh.observe(0.5), 0.25);
        assert_eq!(one.factor(), 0.25);
    }

    #[test]
    fn a_first_figure_that_is_nan_is_no_best() {
        let plateau = Plateau::new();
        plateau.observe(f64::NAN);
        assert_eq!(plateau.state().best, None);
    }
}
