//! What may be a field of a model: parameters, containers of modules, and plain values.

use std::marker::PhantomData;

use crate::module::{Module, Visit, VisitMut};
use crate::param::{Buffer, Param};

impl Module for Param {
    fn type_name(&self) -> &'static str {
        "Param"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        at.param(self);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        at.param(self);
    }
}

impl Module for Buffer {
    fn type_name(&self) -> &'static str {
        "Buffer"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        at.param(self.as_param());
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        at.param(self.as_param_mut());
    }
}

/// A box is its content: no name of its own.
impl<M: Module + ?Sized> Module for Box<M> {
    fn type_name(&self) -> &'static str {
        (**self).type_name()
    }
    fn which(&self) -> usize {
        (**self).which()
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        (**self).visit(at);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        (**self).visit_mut(at);
    }
}

/// `None` has no parameters; `Some` is its content.
impl<M: Module> Module for Option<M> {
    fn type_name(&self) -> &'static str {
        self.as_ref().map_or("None", Module::type_name)
    }
    fn which(&self) -> usize {
        self.as_ref().map_or(0, Module::which)
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        if let Some(module) = self {
            module.visit(at);
        }
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        if let Some(module) = self {
            module.visit_mut(at);
        }
    }
}

impl<M: Module> Module for Vec<M> {
    fn type_name(&self) -> &'static str {
        "Vec"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        for (index, module) in self.iter().enumerate() {
            at.item(index, module);
        }
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        for (index, module) in self.iter_mut().enumerate() {
            at.item(index, module);
        }
    }
}

impl<M: Module, const N: usize> Module for [M; N] {
    fn type_name(&self) -> &'static str {
        "array"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        for (index, module) in self.iter().enumerate() {
            at.item(index, module);
        }
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        for (index, module) in self.iter_mut().enumerate() {
            at.item(index, module);
        }
    }
}

macro_rules! tuple {
    ($($member:ident $index:tt),+) => {
        impl<$($member: Module),+> Module for ($($member,)+) {
            fn type_name(&self) -> &'static str {
                "tuple"
            }
            fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
                $(at.item($index, &self.$index);)+
            }
            fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
                $(at.item($index, &mut self.$index);)+
            }
        }
    };
}
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

/// Plain values are settings of a layer, not parts of its tree.
macro_rules! plain {
    ($($type:ty),+ $(,)?) => {$(
        impl Module for $type {
            fn type_name(&self) -> &'static str {
                stringify!($type)
            }
            fn visit<'a>(&'a self, _at: &mut Visit<'a, '_>) {}
            fn visit_mut(&mut self, _at: &mut VisitMut<'_>) {}
        }
    )+};
}
plain!(bool, char, u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64, String, &'static str, ());

impl<T: ?Sized + Send + Sync> Module for PhantomData<T> {
    fn type_name(&self) -> &'static str {
        "PhantomData"
    }
    fn visit<'a>(&'a self, _at: &mut Visit<'a, '_>) {}
    fn visit_mut(&mut self, _at: &mut VisitMut<'_>) {}
}
