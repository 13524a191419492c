//! `#[derive(Module)]`: a struct or enum as a tree of named parameters, buffers and child modules.
//!
//! Every field is visited under its own name, in the order of declaration, so `struct Net { body: Gated, head: Dense }`
//! has the parameters `body.….weight`, `head.weight`, `head.bias`. The fields of tuple structs are named by their
//! index, and an enum visits the fields of the variant that it holds.
//!
//! | attribute | on | meaning |
//! |---|---|---|
//! | `#[module(skip)]` | a field | is no part of the tree (its type need not be a `Module`) |
//! | `#[module(name = "fc1")]` | a field | is visited under another name |
//! | `#[module(crate = path::to::wengert)]` | the type | where the derive finds Wengert when it was re-exported |

mod attributes;
mod expand;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Module` by visiting every field under its name. See the crate's page for the attributes.
///
/// ```text
/// #[derive(Module)]
/// struct Gated { value: Dense, gate: Dense }
/// ```
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::module(input).unwrap_or_else(|error| error.to_compile_error()).into()
}
