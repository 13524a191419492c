//! The named figures of one epoch.

use std::fmt::{self, Display, Formatter};

/// Names and values in the order they were reported: `loss`, then the metrics, then the same of the validation data
/// with `val_` in front.
///
/// ```
/// use wengert_nn::train::logs::Logs;
///
/// let logs = Logs::from([("loss", 0.25), ("accuracy", 0.9375)]);
/// assert_eq!(logs.get("accuracy"), Some(0.9375));
/// assert_eq!(logs.to_string(), "loss 0.2500  accuracy 0.9375");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logs(Vec<(String, f64)>);

impl Logs {
    /// No figures.
    pub fn new() -> Logs {
        Logs::default()
    }

    /// Sets a value, replacing an older one of the same name.
    pub fn set(&mut self, name: impl Into<String>, value: f64) {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// All names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The number of figures.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over all figures of `other` with `prefix` in front of their names.
    pub fn extend(&mut self, prefix: &str, other: &Logs) {
        for (name, value) in other.iter() {
            self.set(format!("{prefix}{name}"), value);
        }
    }
}

impl<S: Into<String>, const N: usize> From<[(S, f64); N]> for Logs {
    fn from(figures: [(S, f64); N]) -> Logs {
        let mut logs = Logs::new();
        for (name, value) in figures {
            logs.set(name, value);
        }
        logs
    }
}

impl Display for Logs {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name} {}", if at == 0 { "" } else { "  " }, figure(value))?;
        }
        Ok(())
    }
}

/// Four decimals where they say something, else the exponent.
pub(crate) fn figure(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e6).contains(&size) || !value.is_finite() {
        format!("{value:.4}")
    } else {
        format!("{value:.3e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stay_short() {
        let cases = [
            (0.5, "0.5000"),
            (0.0, "0.0000"),
            (1.5e-5, "1.500e-5"),
            (2e9, "2.000e9"),
            (f64::NAN, "NaN"),
            (-12.0, "-12.0000"),
        ];
        for (value, text) in cases {
            assert_eq!(figure(value), text);
        }
    }

    #[test]
    fn a_name_is_there_once() {
        let mut logs = Logs::from([("loss", 1.0), ("loss", 2.0)]);
        assert_eq!((logs.len(), logs.get("loss")), (1, Some(2.0)));
        logs.extend("val_", &Logs::from([("loss", 3.0)]));
        assert_eq!(logs.to_string(), "loss 2.0000  val_loss 3.0000");
    }
}
