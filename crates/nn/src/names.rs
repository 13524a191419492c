//! Guesses which name was meant when one does not exist, and keeps names that live as long as the process.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use wengert_tensor::error::{Error, Result};

use crate::module::Module;
use crate::path::covers;

/// A name as paths and scopes hold it. One that was made while running is kept, once, until the process ends.
pub(crate) fn interned(name: Cow<'static, str>) -> &'static str {
    static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    match name {
        Cow::Borrowed(name) => name,
        Cow::Owned(name) => {
            let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = kept.get(&*name) {
                return known;
            }
            let new: &'static str = Box::leak(name.into_boxed_str());
            kept.insert(new);
            new
        }
    }
}

/// Whether `name` is that of a weight of the model, or of a part with weights below it.
pub(crate) fn fits<M: Module + ?Sized>(model: &M, name: &str) -> bool {
    model.parameters().iter().any(|(parameter, _)| covers(name, parameter))
}

/// That each name is that of a weight, or of a part with weights; `op` is the method that was given them.
pub(crate) fn known<M: Module + ?Sized>(model: &M, op: &'static str, names: &[&str]) -> Result<()> {
    match names.iter().find(|name| !fits(model, name)) {
        Some(name) => Err(unknown(model, name).op(op)),
        None => Ok(()),
    }
}

/// That no weight has this name and none lies below it, with the name that was probably meant and those that there are.
pub(crate) fn unknown<M: Module + ?Sized>(model: &M, name: &str) -> Error {
    const SHOWN: usize = 12;
    let parameters = model.parameters();
    // Every prefix of a name that ends at a dot is a name too.
    let mut known: Vec<&str> = Vec::new();
    for (parameter, _) in &parameters {
        for end in parameter.match_indices('.').map(|(at, _)| at).chain([parameter.len()]) {
            known.extend(parameter.get(..end).filter(|prefix| !known.contains(prefix)));
        }
    }
    let mut list = known.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if known.len() > SHOWN {
        list.push_str(&format!(" and {} more", known.len() - SHOWN));
    }
    let help = match nearest(name, known.iter().copied()) {
        Some(guess) => format!("did you mean `{guess}`? known are {list}"),
        None if known.is_empty() => "the model has no parameters".to_string(),
        None => format!("known are {list}"),
    };
    Error::value(format!("`{}` has no parameter `{name}` and none below it", model.type_name())).help(help)
}

/// The candidate that is most like `wanted`, when one is like it at all.
///
/// A name that differs only by a path in front (`module.head.weight` and `head.weight`) is the best guess; otherwise
/// the fewest edits win, at most a third of the name.
pub(crate) fn nearest<'a>(wanted: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .filter_map(|candidate| {
            let (short, long) = if wanted.len() < candidate.len() { (wanted, candidate) } else { (candidate, wanted) };
            let tail = !short.is_empty() && long.strip_suffix(short).is_some_and(|front| front.ends_with('.'));
            let cost = if tail { 0 } else { 1 + edits(wanted, candidate)? };
            Some((cost, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// The insertions, deletions and replacements between two names; `None` beyond a third of the longer one.
fn edits(a: &str, b: &str) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let limit = (a.len().max(b.len()) / 3).max(1);
    // Names of a file may be anything: the table stays small.
    if a.len().abs_diff(b.len()) > limit || a.len().max(b.len()) > 256 {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().filter(|&cost| cost <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(edits("kitten", "sitting"), None);
        assert_eq!(edits("head.weight", "heed.weights"), Some(2));
        assert_eq!(edits("", ""), Some(0));
        assert_eq!(edits("a", ""), Some(1));
        assert_eq!(edits("Weight", "weight"), Some(0));
    }

    #[test]
    fn prefers_a_path_in_front_then_the_fewest_edits() {
        let names = ["model.head.weight", "head.weights", "head.bias"];
        assert_eq!(nearest("head.weight", names.into_iter()), Some("model.head.weight"));
        assert_eq!(nearest("head.biass", names.into_iter()), Some("head.bias"));
        assert_eq!(nearest("embedding.table", names.into_iter()), None);
    }
}
