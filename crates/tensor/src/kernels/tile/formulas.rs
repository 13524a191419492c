//! The notation in which formulas are written: a name, and per group of types the expression.

/// Declares formulas: `Name { [types] |a, b| expression; … }` is a type `Name<T>` with a [`Map`] for each type listed.
///
/// `-> Type` after the name says that the result is another type than the operand. `by element` before a row says that
/// its expression calls the standard library, so that vector instructions do not help it. In an expression, `M` is the
/// [`Machine`] that it is compiled for.
///
/// [`Map`]: crate::kernels::tile::Map
/// [`Machine`]: crate::kernels::tile::lane::Machine
macro_rules! formulas {
    ($($(#[$doc:meta])* $name:ident $(-> $out:ty)? { $($rows:tt)+ })*) => {$(
        $(#[$doc])*
        pub(crate) struct $name<T>(std::marker::PhantomData<T>);
        formula_rows!($name ($($out)?) $($rows)+);
    )*};
}

/// The rows of one formula, one at a time; before a row stands whether it goes by element.
macro_rules! formula_rows {
    ($name:ident $out:tt) => {};
    ($name:ident $out:tt by element $($rest:tt)+) => { formula_rows!(@true $name $out $($rest)+); };
    ($name:ident $out:tt $types:tt $($rest:tt)+) => { formula_rows!(@false $name $out $types $($rest)+); };
    (@$by:literal $name:ident $out:tt [$($t:ty),+] |$a:ident| $body:expr; $($rest:tt)*) => {
        $(formula_row!($by $name $out $t; $a: $t, _b: (), _c: (); $body);)+
        formula_rows!($name $out $($rest)*);
    };
    (@$by:literal $name:ident $out:tt [$($t:ty),+] |$a:ident, $b:ident| $body:expr; $($rest:tt)*) => {
        $(formula_row!($by $name $out $t; $a: $t, $b: $t, _c: (); $body);)+
        formula_rows!($name $out $($rest)*);
    };
    (@$by:literal $name:ident $out:tt [$($t:ty),+] |$a:ident: $first:ty, $b:ident, $c:ident| $body:expr; $($rest:tt)*) => {
        $(formula_row!($by $name $out $t; $a: $first, $b: $t, $c: $t; $body);)+
        formula_rows!($name $out $($rest)*);
    };
}

/// One formula for one type.
macro_rules! formula_row {
    ($by:literal $name:ident () $t:ty; $($rest:tt)+) => { formula_row!($by $name ($t) $t; $($rest)+); };
    ($by:literal $name:ident ($out:ty) $t:ty; $a:ident: $ta:ty, $b:ident: $tb:ty, $c:ident: $tc:ty; $body:expr) => {
        impl crate::kernels::tile::Map for $name<$t> {
            type A = $ta;
            type B = $tb;
            type C = $tc;
            type Out = $out;
            const BY_ELEMENT: bool = $by;

            #[inline(always)]
            fn map<M: crate::kernels::tile::lane::Machine>($a: $ta, $b: $tb, $c: $tc) -> $out {
                $body
            }
        }
    };
}
