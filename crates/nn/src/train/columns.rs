//! The names that a run will report, known before its first epoch.

use crate::names::nearest;
use wengert_tensor::error::{Error, Result};

/// The columns of a run's [`Logs`](super::logs::Logs), and which of them are better when they are larger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns(Vec<(String, bool)>);

impl Columns {
    /// Takes a column in. Of two with one name the first one counts.
    pub(super) fn push(&mut self, name: impl Into<String>, higher_is_better: bool) {
        let name = name.into();
        if !self.contains(&name) {
            self.0.push((name, higher_is_better));
        }
    }

    /// The names, in the order of the logs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Whether there will be a column of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Whether a larger figure is a better one: true for an accuracy, false for a loss and for what is not known.
    pub fn higher_is_better(&self, name: &str) -> bool {
        self.0.iter().any(|(known, higher)| known == name && *higher)
    }

    /// That a name that somebody watches will be there.
    pub(super) fn expect(&self, who: &str, name: &str) -> Result<()> {
        if self.contains(name) {
            return Ok(());
        }
        let known: Vec<String> = self.names().map(|name| format!("`{name}`")).collect();
        let error =
            Error::value(format!("there will be no `{name}`, which {who} watches")).operand("known", known.join(", "));
        Err(match nearest(name, self.names()) {
            Some(near) => error.help(format!("perhaps `{near}` was meant")),
            None if name.starts_with("val_") => error.help("names with `val_` need `.validation(&data)`"),
            None => {
                error.help("`.metric(…)` reports a figure under its name, and with `val_` that of the validation data")
            }
        })
    }
}
