//! Callbacks, a file each.
//!
//! | here | Keras | PyTorch Lightning |
//! |---|---|---|
//! | [`EarlyStopping`](early_stopping::EarlyStopping) | `EarlyStopping` | `EarlyStopping` |
//! | [`BestWeights`](best_weights) | `ModelCheckpoint(save_best_only, save_weights_only)` | `ModelCheckpoint` |
//! | [`Trainer::checkpoints`](super::trainer::Trainer) | `BackupAndRestore`, `ModelCheckpoint` | `ModelCheckpoint` |
//! | [`ReduceOnPlateau`](reduce_on_plateau::ReduceOnPlateau) | `ReduceLROnPlateau` | |
//! | [`LearningRateSchedule`](learning_rate_schedule::LearningRateSchedule) | `LearningRateScheduler` | |
//! | [`CsvLogger`](csv_logger::CsvLogger), [`JsonlLogger`](jsonl_logger::JsonlLogger) | `CSVLogger` | `CSVLogger` |
//! | [`TerminateOnNan`](terminate_on_nan::TerminateOnNan) | `TerminateOnNaN` | |
//! | [`EmaSwap`](ema_swap::EmaSwap) | `SwapEMAWeights` | `WeightAveraging` |
//! | [`WeightStatistics`](weight_statistics::WeightStatistics) | | `log_grad_norm` |
//! | [`TimeBudget`](time_budget::TimeBudget) | | `Timer` |
//! | [`Lambda`](lambda::Lambda) | `LambdaCallback` | `LambdaCallback` |

#[cfg(feature = "files")]
pub mod best_weights;
pub mod csv_logger;
pub mod early_stopping;
pub mod ema_swap;
pub mod jsonl_logger;
pub mod lambda;
pub mod learning_rate_schedule;
pub mod reduce_on_plateau;
pub mod terminate_on_nan;
pub mod time_budget;
pub mod weight_statistics;

mod log_file;
