//! Groups of values: what goes in as an array comes out as an array.

use crate::graph::Var;
use smallvec::SmallVec;

/// One value or several: `Var`, `[Var; N]`, `&[Var]`, `Vec<Var>`, and tuples of these. What is computed from them comes in the same form.
pub trait Vars<'t> {
    /// The same form with other contents.
    type Of<T>;

    /// The values.
    fn list(&self) -> SmallVec<[Var<'t>; 4]>;

    /// One result for each, in order; `None` when there are too few.
    fn collect<T>(&self, results: impl Iterator<Item = T>) -> Option<Self::Of<T>>;

    /// One result for each.
    fn map<T>(&self, f: impl FnMut(Var<'t>) -> T) -> Self::Of<T>;
}

impl<'t> Vars<'t> for Var<'t> {
    type Of<T> = T;

    fn list(&self) -> SmallVec<[Var<'t>; 4]> {
        SmallVec::from_slice(&[*self])
    }

    fn collect<T>(&self, mut results: impl Iterator<Item = T>) -> Option<T> {
        results.next()
    }

    fn map<T>(&self, mut f: impl FnMut(Var<'t>) -> T) -> T {
        f(*self)
    }
}

/// Nothing: a loop without inputs, or without results.
impl<'t> Vars<'t> for () {
    type Of<T> = ();

    fn list(&self) -> SmallVec<[Var<'t>; 4]> {
        SmallVec::new()
    }

    fn collect<T>(&self, _results: impl Iterator<Item = T>) -> Option<()> {
        Some(())
    }

    fn map<T>(&self, _f: impl FnMut(Var<'t>) -> T) {}
}

impl<'t, const N: usize> Vars<'t> for [Var<'t>; N] {
    type Of<T> = [T; N];

    fn list(&self) -> SmallVec<[Var<'t>; 4]> {
        SmallVec::from_slice(self)
    }

    fn collect<T>(&self, results: impl Iterator<Item = T>) -> Option<[T; N]> {
        results.take(N).collect::<Vec<T>>().try_into().ok()
    }

    fn map<T>(&self, f: impl FnMut(Var<'t>) -> T) -> [T; N] {
        (*self).map(f)
    }
}

macro_rules! several {
    ($($form:ty),+) => {
        $(impl<'t> Vars<'t> for $form {
            type Of<T> = Vec<T>;

            fn list(&self) -> SmallVec<[Var<'t>; 4]> {
                SmallVec::from_slice(self)
            }

            fn collect<T>(&self, results: impl Iterator<Item = T>) -> Option<Vec<T>> {
                let results: Vec<T> = results.take(self.len()).collect();
                (results.len() == self.len()).then_some(results)
            }

            fn map<T>(&self, f: impl FnMut(Var<'t>) -> T) -> Vec<T> {
                self.iter().copied().map(f).collect()
            }
        })+
    };
}

macro_rules! tuples {
    ($(($($T:ident $x:ident),+);)+) => {
        $(impl<'t, $($T: Vars<'t>),+> Vars<'t> for ($($T,)+) {
            type Of<T> = ($($T::Of<T>,)+);

            fn list(&self) -> SmallVec<[Var<'t>; 4]> {
                let ($($x,)+) = self;
                let mut list = SmallVec::new();
                $(list.extend($x.list());)+
                list
            }

            fn collect<T>(&self, results: impl Iterator<Item = T>) -> Option<Self::Of<T>> {
                let ($($x,)+) = self;
                let mut results = results;
                Some(($({
                    let part: Vec<T> = results.by_ref().take($x.list().len()).collect();
                    $x.collect(part.into_iter())?
                },)+))
            }

            fn map<T>(&self, mut f: impl FnMut(Var<'t>) -> T) -> Self::Of<T> {
                let ($($x,)+) = self;
                ($($x.map(&mut f),)+)
            }
        })+
    };
}

tuples! {
    (A a, B b);
    (A a, B b, C c);
    (A a, B b, C c, D d);
}

several!(&[Var<'t>], Vec<Var<'t>>, &Vec<Var<'t>>);

impl<'t, const N: usize> Vars<'t> for &[Var<'t>; N] {
    type Of<T> = [T; N];

    fn list(&self) -> SmallVec<[Var<'t>; 4]> {
        SmallVec::from_slice(*self)
    }

    fn collect<T>(&self, results: impl Iterator<Item = T>) -> Option<[T; N]> {
        (*self).collect(results)
    }

    fn map<T>(&self, f: impl FnMut(Var<'t>) -> T) -> [T; N] {
        (**self).map(f)
    }
}
