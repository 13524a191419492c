//! Where in the model an op was recorded.

use crate::hash::Table;
use std::fmt;

/// The name of a layer for errors and reports: its type, and its field in the layer around it when that is known.
///
/// A layer does not know its field. Where it says [which](ScopeName::which) of its type it is, [`Tape::note_layers`](crate::Tape::note_layers)
/// gives the fields later, from the model.
///
/// ```
/// use wengert_autograd::ScopeName;
/// assert_eq!(ScopeName::from("Net").to_string(), "Net");
/// assert_eq!(ScopeName::from(("head", "Dense")).to_string(), "head (Dense)");
/// assert_eq!(ScopeName::from((3, "Dense")).to_string(), "3 (Dense)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScopeName {
    type_name: &'static str,
    field: Field,
    /// Tells layers of one type apart; 0 does not.
    which: usize,
}

impl ScopeName {
    /// Which layer of its type it is: a number that no other of this type has, such as its address. 0 says nothing.
    #[must_use]
    pub fn which(self, which: usize) -> ScopeName {
        ScopeName { which, ..self }
    }

    /// Whether a layer that enters itself by this name is the one that `self` is the name of, by the container around it.
    fn is_also(&self, inner: &ScopeName) -> bool {
        self.field != Field::Unknown
            && inner.field == Field::Unknown
            && self.type_name == inner.type_name
            && (self.which == inner.which || self.which == 0 || inner.which == 0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Field {
    Unknown,
    Name(&'static str),
    Index(usize),
}

impl From<&'static str> for ScopeName {
    fn from(type_name: &'static str) -> ScopeName {
        ScopeName { type_name, field: Field::Unknown, which: 0 }
    }
}

impl From<(&'static str, &'static str)> for ScopeName {
    fn from((field, type_name): (&'static str, &'static str)) -> ScopeName {
        ScopeName { type_name, field: Field::Name(field), which: 0 }
    }
}

impl From<(usize, &'static str)> for ScopeName {
    fn from((index, type_name): (usize, &'static str)) -> ScopeName {
        ScopeName { type_name, field: Field::Index(index), which: 0 }
    }
}

impl fmt::Display for ScopeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Field::Unknown => f.write_str(self.type_name),
            Field::Name(name) => write!(f, "{name} ({})", self.type_name),
            Field::Index(index) => write!(f, "{index} ({})", self.type_name),
        }
    }
}

/// Every scope that was ever entered on a tape, each with the one around it. Number 0 is the user's own code.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    entered: Vec<(u32, ScopeName)>,
    /// The layers that were not left yet, from the outside in.
    open: Vec<Open>,
    /// The ticket of the next layer.
    next: u64,
    /// Where layers stand in their model, by type and number; `None` for those that cannot be told apart.
    places: Table<(&'static str, usize), Option<String>>,
}

#[derive(Debug)]
struct Open {
    ticket: u64,
    name: ScopeName,
    scope: u32,
}

impl Scopes {
    /// Enters a layer, and gives a ticket to leave it by and the number of its scope.
    pub(crate) fn open(&mut self, name: ScopeName) -> (u64, u32) {
        let scope = self.enter(self.open.last().map_or(0, |around| around.scope), name);
        let ticket = self.next;
        self.next += 1;
        self.open.push(Open { ticket, name, scope });
        (ticket, scope)
    }

    /// Leaves a layer, and gives the number of the scope that one is in then. Layers within it that are not left yet go
    /// on without it around them.
    pub(crate) fn close(&mut self, ticket: u64) -> u32 {
        let place = self.open.iter().rposition(|open| open.ticket == ticket).unwrap_or(self.open.len());
        let inner: Vec<Open> = self.open.drain(place..).skip(1).collect();
        for open in inner {
            let scope = self.enter(self.open.last().map_or(0, |around| around.scope), open.name);
            self.open.push(Open { scope, ..open });
        }
        self.open.last().map_or(0, |around| around.scope)
    }

    /// Enters a scope within `parent` and gives its number. Entering the same one twice in a row gives the same number.
    ///
    /// A container knows the place of a layer and enters `2 (Dense)`; the layer knows its type and enters `Dense`: one scope.
    fn enter(&mut self, parent: u32, name: ScopeName) -> u32 {
        let around = (parent as usize).checked_sub(1).and_then(|i| self.entered.get_mut(i));
        if let Some((_, around)) = around.filter(|(_, around)| around.is_also(&name)) {
            around.which = around.which.max(name.which);
            return parent;
        }
        if self.entered.last() != Some(&(parent, name)) {
            self.entered.push((parent, name));
        }
        self.entered.len() as u32
    }

    /// How many were entered.
    pub(crate) fn len(&self) -> usize {
        self.entered.len()
    }

    /// Takes up where layers stand in their model: type, number and place. What two layers share is no name for either.
    pub(crate) fn note(&mut self, layers: impl Iterator<Item = (&'static str, usize, String)>) {
        let mut places: Table<(&'static str, usize), Option<String>> = Table::default();
        for (type_name, which, place) in layers.filter(|(_, which, _)| *which != 0) {
            let known = places.entry((type_name, which)).or_insert_with(|| Some(place.clone()));
            if known.as_ref() != Some(&place) {
                *known = None;
            }
        }
        self.places.extend(places);
    }

    /// `Net › head (Dense)`; empty for the user's own code.
    pub(crate) fn path(&self, scope: u32) -> String {
        let mut around = None;
        self.chain(scope).iter().map(|name| self.told(name, &mut around)).collect::<Vec<_>>().join(" › ")
    }

    /// The place in its model of the innermost layer whose place is known, and the path from there on.
    pub(crate) fn place(&self, scope: u32) -> Option<(String, String)> {
        let chain = self.chain(scope);
        let at = chain.iter().rposition(|name| self.known(name).is_some())?;
        let place = chain.get(at).and_then(|name| self.known(name))?.to_string();
        let inner: Vec<String> = chain.iter().skip(at + 1).map(ScopeName::to_string).collect();
        Some((place, inner.join(" › ")))
    }

    /// Every scope from number 1 on: its name, and the number of the one around it.
    pub(crate) fn all(&self) -> impl Iterator<Item = (String, usize)> {
        self.entered.iter().map(|(parent, name)| {
            let mut around = self.chain(*parent).iter().rev().find_map(|name| self.known(name));
            (self.told(name, &mut around), *parent as usize)
        })
    }

    /// A scope and those around it, from the outside in.
    fn chain(&self, scope: u32) -> Vec<ScopeName> {
        let mut names = Vec::new();
        let mut at = scope;
        while let Some((parent, name)) = (at as usize).checked_sub(1).and_then(|i| self.entered.get(i)) {
            names.push(*name);
            at = *parent;
        }
        names.reverse();
        names
    }

    /// The place of a layer, if it was noted.
    fn known(&self, name: &ScopeName) -> Option<&str> {
        self.places.get(&(name.type_name, name.which)).and_then(|place| place.as_deref())
    }

    /// A name, with the way there from the layer `around`, whose place is known; `around` becomes this one.
    fn told<'s>(&'s self, name: &ScopeName, around: &mut Option<&'s str>) -> String {
        let place = self.known(name);
        let outer = if place.is_some() { std::mem::replace(around, place) } else { None };
        let within = place.map(|place| {
            let below = outer.and_then(|outer| place.strip_prefix(outer));
            below.and_then(|below| below.strip_prefix('.')).unwrap_or(place)
        });
        match (name.field, within) {
            (Field::Unknown, Some(way)) if !way.is_empty() => format!("{way} ({})", name.type_name),
            _ => name.to_string(),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entered.clear();
        self.open.clear();
        self.places.clear();
    }
}
