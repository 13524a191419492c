//! Reading `#[module(…)]`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::{Attribute, Field, LitStr, Path, Result, Token};

/// What stands in the `#[module(…)]` attributes of a field.
pub(crate) struct FieldOptions {
    /// The field is no part of the tree.
    pub(crate) skip: bool,
    /// The name under which the field is visited; `None` for the unnamed fields of a tuple.
    pub(crate) name: Option<LitStr>,
}

/// Reads the options of a field.
pub(crate) fn field(field: &Field) -> Result<FieldOptions> {
    let mut options = FieldOptions {
        skip: false,
        name: field.ident.as_ref().map(|ident| LitStr::new(&ident.unraw().to_string(), ident.span())),
    };
    for attribute in of_module(&field.attrs) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("skip") {
                options.skip = true;
                return Ok(());
            }
            if meta.path.is_ident("name") {
                let name: LitStr = meta.value()?.parse()?;
                if name.value().is_empty() || name.value().contains('.') {
                    return Err(syn::Error::new(name.span(), "a name is not empty and holds no `.`"));
                }
                options.name = Some(name);
                return Ok(());
            }
            Err(meta.error("a field takes `skip` or `name = \"…\"`"))
        })?;
    }
    Ok(options)
}

/// The path of the crate that the generated code names, `::wengert` unless `#[module(crate = …)]` says otherwise.
pub(crate) fn krate(attributes: &[Attribute]) -> Result<Path> {
    let mut krate = None;
    for attribute in of_module(attributes) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("a type takes `crate = path`"));
            }
            meta.input.parse::<Token![=]>()?;
            krate = Some(meta.input.call(Path::parse_mod_style)?);
            Ok(())
        })?;
    }
    match krate {
        Some(path) => Ok(path),
        None => syn::parse_str::<Path>("::wengert").map_err(|error| syn::Error::new(Span::call_site(), error)),
    }
}

fn of_module(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("module"))
}
