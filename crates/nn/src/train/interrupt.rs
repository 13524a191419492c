//! A flag that ends a run from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends a run after the step that is being made: the run writes a checkpoint, if it keeps any, and `fit` returns what it has. Clones are
/// one flag: give one to [`Trainer::interrupt`](super::trainer::Trainer::interrupt), and raise the other from where you like.
///
/// An epoch is broken off between two steps, without a validation: that may take long, and its figures would be those of no epoch. What the
/// epoch has reported so far is [`History::unfinished`](super::history::History::unfinished). A run that is
/// [resumed](super::trainer::Trainer::resume) from the checkpoint makes the rest of the epoch, and ends with the bits of a run that was never
/// interrupted; without checkpoints, the next `fit` begins the epoch anew.
///
/// ```
/// use wengert_nn::layers::dense::Dense;
/// use wengert_nn::losses::mean_squared_error::MeanSquaredError;
/// use wengert_nn::optim::sgd::Sgd;
/// use wengert_nn::train::{interrupt::Interrupt, trainer::Trainer};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let data = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
/// let flag = Interrupt::new();
/// let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).epochs(100).interrupt(&flag).verbose(false);
/// trainer = trainer.on_epoch(|epoch, _| if epoch == 3 { flag.raise() });
/// let history = trainer.fit(&mut Dense::new(1, 1), &data)?;
/// assert!(history.len() == 3 && history.was_interrupted());
/// # Ok(()) }
/// ```
///
/// A flag that is raised stays so: all runs that watch it end, also those that begin later. [`clear`](Interrupt::clear) lowers it.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// A flag that is not raised.
    pub fn new() -> Interrupt {
        Interrupt::default()
    }

    /// Ends the runs that watch this flag.
    pub fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Lowers the flag.
    pub fn clear(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Whether it was raised.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(feature = "progress")]
mod signal {
    use super::Interrupt;
    use std::sync::{Mutex, PoisonError};
    use wengert_tensor::error::{Error, Result};

    /// What a process that Ctrl-C ended answers: 128 + SIGINT.
    const STATUS: i32 = 130;

    impl Interrupt {
        /// The flag that Ctrl-C raises. A second Ctrl-C, while it is raised, ends the process.
        ///
        /// All calls give clones of one flag.
        ///
        /// # Errors
        /// `Io` when the system does not let signals be caught.
        pub fn ctrl_c() -> Result<Interrupt> {
            static FLAG: Mutex<Option<Interrupt>> = Mutex::new(None);
            let mut flag = FLAG.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(flag) = &*flag {
                return Ok(flag.clone());
            }
            let new = Interrupt::new();
            // The first one finds the flag lowered and goes on to raise it; the second finds it raised.
            signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGINT, STATUS, new.0.clone())
                .and_then(|_| signal_hook::flag::register(signal_hook::consts::SIGINT, new.0.clone()))
                .map_err(|error| Error::io("Ctrl-C cannot be caught").op("ctrl_c").caused_by(error))?;
            *flag = Some(new.clone());
            Ok(new)
        }
    }
}
