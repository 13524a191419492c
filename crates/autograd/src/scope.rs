//! Where in the model an op was recorded.

use std::fmt;

/// The name of a layer for errors and reports: its type, and its field in the layer around it when that is known.
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Field {
    Unknown,
    Name(&'static str),
    Index(usize),
}

impl From<&'static str> for ScopeName {
    fn from(type_name: &'static str) -> ScopeName {
        ScopeName { type_name, field: Field::Unknown }
    }
}

impl From<(&'static str, &'static str)> for ScopeName {
    fn from((field, type_name): (&'static str, &'static str)) -> ScopeName {
        ScopeName { type_name, field: Field::Name(field) }
    }
}

impl From<(usize, &'static str)> for ScopeName {
    fn from((index, type_name): (usize, &'static str)) -> ScopeName {
        ScopeName { type_name, field: Field::Index(index) }
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
        let around = (parent as usize).checked_sub(1).and_then(|i| self.entered.get(i)).map(|(_, around)| around);
        if name.field == Field::Unknown
            && around.is_some_and(|around| around.type_name == name.type_name && around.field != Field::Unknown)
        {
            return parent;
        }
        if self.entered.last() != Some(&(parent, name)) {
            self.entered.push((parent, name));
        }
        self.entered.len() as u32
    }

    /// `Net › head (Dense)`; empty for the user's own code.
    pub(crate) fn path(&self, scope: u32) -> String {
        let mut names = Vec::new();
        let mut at = scope;
        while let Some((parent, name)) = (at as usize).checked_sub(1).and_then(|i| self.entered.get(i)) {
            names.push(name.to_string());
            at = *parent;
        }
        names.reverse();
        names.join(" › ")
    }

    /// Every scope from number 1 on: its name, and the number of the one around it.
    pub(crate) fn all(&self) -> impl Iterator<Item = (String, usize)> {
        self.entered.iter().map(|(parent, name)| (name.to_string(), *parent as usize))
    }

    pub(crate) fn clear(&mut self) {
        self.entered.clear();
        self.open.clear();
    }
}
