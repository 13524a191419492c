//! The place of a parameter in its model: `encoder.0.weight`.

use std::fmt;

use smallvec::SmallVec;

/// One step down the tree of modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A named field.
    Name(&'static str),
    /// A member of a list or tuple.
    Index(usize),
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Name(name) => f.write_str(name),
            Segment::Index(index) => write!(f, "{index}"),
        }
    }
}

/// The way from the root of a model to one of its parts; `Display` joins the segments by dots.
///
/// Walking a model pushes and pops segments of one path, which allocates nothing up to a depth of eight. Only where a
/// name is asked for is it written out.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Path(SmallVec<[Segment; 8]>);

impl Path {
    /// The root: the empty path.
    pub fn root() -> Path {
        Path::default()
    }

    /// The segments from the root down.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// True for the root itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path without its last segment.
    pub fn parent(&self) -> Path {
        let mut parent = self.clone();
        parent.pop();
        parent
    }

    /// The written path joined with dots; the root is the empty string.
    pub fn name(&self) -> String {
        self.to_string()
    }

    /// True if `name` is this path or leads to it at a dot boundary: `head` covers `head.weight` but not `header.weight`.
    pub fn is_within(&self, name: &str) -> bool {
        covers(name, &self.name())
    }

    pub(crate) fn push(&mut self, segment: Segment) {
        self.0.push(segment);
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }
}

/// True if the written name `prefix` is `name` or ends at one of its dots. The empty prefix covers everything.
pub(crate) fn covers(prefix: &str, name: &str) -> bool {
    match name.strip_prefix(prefix) {
        Some(rest) => prefix.is_empty() || rest.is_empty() || rest.starts_with('.'),
        None => false,
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, segment) in self.0.iter().enumerate() {
            if depth > 0 {
                f.write_str(".")?;
            }
            fmt::Display::fmt(segment, f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_dot() {
        assert!(covers("head", "head.weight"));
        assert!(covers("head.weight", "head.weight"));
        assert!(covers("", "head.weight"));
        assert!(!covers("head", "header.weight"));
        assert!(!covers("head.weight", "head"));
    }

    #[test]
    fn joins_by_dots() {
        let mut path = Path::root();
        assert_eq!(path.name(), "");
        path.push(Segment::Name("encoder"));
        path.push(Segment::Index(0));
        path.push(Segment::Name("weight"));
        assert_eq!(path.name(), "encoder.0.weight");
        assert_eq!(path.parent().name(), "encoder.0");
        assert!(path.is_within("encoder.0") && !path.is_within("enc"));
    }
}
