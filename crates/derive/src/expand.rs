//! From the parsed type to the `impl Module`.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Field, Fields, Generics, Ident, Index, Lifetime, Result, parse_quote};

use crate::attributes;

/// The whole `impl Module for …`.
pub(crate) fn module(input: DeriveInput) -> Result<TokenStream> {
    let DeriveInput { attrs, ident: name, mut generics, data, .. } = input;
    let krate = attributes::krate(&attrs)?;
    let private = quote!(#krate::__private);
    let (visit, visit_mut, visited) = match &data {
        Data::Struct(data) => of_struct(&data.fields)?,
        Data::Enum(data) => of_enum(
            data.variants.iter().map(|variant| (&variant.ident, &variant.fields)).collect::<Vec<_>>().as_slice(),
        )?,
        Data::Union(data) => {
            return Err(syn::Error::new(data.union_token.span, "a union has no fields that can be visited safely"));
        }
    };

    let type_name = name.unraw().to_string();
    bind(&mut generics, &visited, &private);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    // A lifetime of an uncommon name, since the type may well have an `'a` of its own.
    let life = Lifetime::new("'module", Span::call_site());
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #private::Module for #name #type_generics #where_clause {
            fn type_name(&self) -> &'static str {
                #type_name
            }
            fn visit<#life>(&#life self, at: &mut #private::Visit<#life, '_>) {
                let _ = &at;
                #visit
            }
            fn visit_mut(&mut self, at: &mut #private::VisitMut<'_>) {
                let _ = &at;
                #visit_mut
            }
        }
    })
}

type Bodies<'a> = (TokenStream, TokenStream, Vec<&'a Field>);

fn of_struct(fields: &Fields) -> Result<Bodies<'_>> {
    let (mut visit, mut visit_mut, mut visited) = (TokenStream::new(), TokenStream::new(), Vec::new());
    for (index, field) in fields.iter().enumerate() {
        let options = attributes::field(field)?;
        if options.skip {
            continue;
        }
        let member = match &field.ident {
            Some(ident) => ident.to_token_stream(),
            None => Index::from(index).to_token_stream(),
        };
        match &options.name {
            Some(name) => {
                visit.extend(quote!(at.field(#name, &self.#member);));
                visit_mut.extend(quote!(at.field(#name, &mut self.#member);));
            }
            None => {
                visit.extend(quote!(at.item(#index, &self.#member);));
                visit_mut.extend(quote!(at.item(#index, &mut self.#member);));
            }
        }
        visited.push(field);
    }
    Ok((visit, visit_mut, visited))
}

fn of_enum<'a>(variants: &[(&'a Ident, &'a Fields)]) -> Result<Bodies<'a>> {
    if variants.is_empty() {
        return Ok((quote!(match *self {}), quote!(match *self {}), Vec::new()));
    }
    let (mut arms, mut visited) = (TokenStream::new(), Vec::new());
    for &(variant, fields) in variants {
        let (mut pattern, mut calls) = (TokenStream::new(), TokenStream::new());
        for (index, field) in fields.iter().enumerate() {
            let options = attributes::field(field)?;
            if options.skip {
                continue;
            }
            let binding = format_ident!("field_{}", index);
            let member = match &field.ident {
                Some(ident) => ident.to_token_stream(),
                None => Index::from(index).to_token_stream(),
            };
            pattern.extend(quote!(#member: #binding,));
            calls.extend(match &options.name {
                Some(name) => quote!(at.field(#name, #binding);),
                None => quote!(at.item(#index, #binding);),
            });
            visited.push(field);
        }
        arms.extend(quote!(Self::#variant { #pattern .. } => { #calls }));
    }
    // The binding modes of `match self` make the same arms serve both receivers.
    Ok((quote!(match self { #arms }), quote!(match self { #arms }), visited))
}

/// Adds `T: Module` for every type parameter that a visited field mentions.
fn bind(generics: &mut Generics, visited: &[&Field], private: &TokenStream) {
    for parameter in generics.type_params_mut() {
        if visited.iter().any(|field| mentions(field.ty.to_token_stream(), &parameter.ident)) {
            parameter.bounds.push(parse_quote!(#private::Module));
        }
    }
}

fn mentions(tokens: TokenStream, ident: &Ident) -> bool {
    // An explicit list of streams in place of recursion: types nest as deep as the user likes.
    let mut streams = vec![tokens];
    while let Some(stream) = streams.pop() {
        for tree in stream {
            match tree {
                TokenTree::Ident(found) if found == *ident => return true,
                TokenTree::Group(group) => streams.push(group.stream()),
                _ => {}
            }
        }
    }
    false
}
