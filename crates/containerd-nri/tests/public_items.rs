//! The public API, item by item, as it stands in `tests/public_items.txt`: nobody changes it unseen. `BLESS=1` writes that file
//! anew; whoever does looks at the difference, and says in CHANGELOG.md what breaks.
//!
//! It reads the sources, since what rustdoc and `cargo public-api` know of an API needs a nightly compiler. So it sees what is
//! written, and not what a type implements by itself (`Send`, `Unpin`).

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::{Attribute, ImplItem, Item, ItemImpl, ItemTrait, TraitItem, Visibility};

#[test]
fn the_public_api_is_the_one_that_is_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut items = BTreeMap::new();
    files(&folder.join("src"), &mut |path| {
        let source = std::fs::read_to_string(path).unwrap();
        let mut found = Vec::new();
        syn::parse_file(&source).unwrap().items.iter().for_each(|item| list(item, &mut found));
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        items.insert(name, found);
    });
    let public: BTreeSet<String> =
        items.values().flatten().filter_map(|item| declared(item)).collect();
    for found in items.values_mut() {
        found.retain(|item| {
            !item.contains("impl") || !item.contains(" for ") || is_seen(item, &public)
        });
    }
    let mut text = String::new();
    for (name, found) in items.iter().filter(|(_, found)| !found.is_empty()) {
        writeln!(text, "{name}").unwrap();
        for item in found {
            writeln!(text, "    {item}").unwrap();
        }
    }
    let file = folder.join("tests/public_items.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let known = std::fs::read_to_string(&file).unwrap();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (known, text) = (lines(&known), lines(&text));
    let missing: Vec<_> = known.iter().filter(|line| !text.contains(line)).collect();
    let new: Vec<_> = text.iter().filter(|line| !known.contains(line)).collect();
    assert!(
        known == text,
        "the public API is another: gone {missing:#?}, new {new:#?}; BLESS=1 writes it down"
    );
}

fn files(folder: &Path, each: &mut dyn FnMut(&PathBuf)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // What is generated is nobody's but the crate's.
            if !path.ends_with("wire") {
                files(&path, each);
            }
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            each(&path);
        }
    }
}

/// The type or trait that an item declares.
fn declared(item: &str) -> Option<String> {
    let kinds = ["struct ", "enum ", "trait "];
    let at = kinds.iter().find_map(|kind| item.split_once(kind).map(|(_, name)| name))?;
    Some(at.chars().take_while(|letter| letter.is_alphanumeric()).collect())
}

/// Whether an implementation is between public types: neither the wire's nor the crate's own.
fn is_seen(item: &str, public: &BTreeSet<String>) -> bool {
    let names = item.split(|letter: char| !letter.is_alphanumeric());
    !item.contains("wire::") && names.into_iter().any(|name| public.contains(name))
}

/// What a stranger sees of an item.
fn list(item: &Item, found: &mut Vec<String>) {
    match item {
        Item::Struct(it) if is_public(&it.vis) => {
            found.push(format!(
                "{}struct {}{}",
                attributes(&it.attrs),
                it.ident,
                shown(&it.generics)
            ));
            for field in it.fields.iter().filter(|field| is_public(&field.vis)) {
                let (name, kind) = (field.ident.as_ref().unwrap(), shown(&field.ty));
                found.push(format!("{}::{}{name}: {kind}", it.ident, attributes(&field.attrs)));
            }
        }
        Item::Enum(it) if is_public(&it.vis) => {
            found.push(format!(
                "{}enum {}{}",
                attributes(&it.attrs),
                it.ident,
                shown(&it.generics)
            ));
            for variant in &it.variants {
                let mut variant = variant.clone();
                variant.attrs.clear();
                variant.fields.iter_mut().for_each(|field| field.attrs.clear());
                found.push(format!("{}::{}", it.ident, shown(&variant)));
            }
        }
        Item::Trait(it) if is_public(&it.vis) => of_trait(it, found),
        Item::Impl(it) => of_impl(it, found),
        Item::Use(it) if is_public(&it.vis) => found.push(shown(it)),
        Item::Mod(it) if is_public(&it.vis) => {
            found.push(format!("{}mod {}", attributes(&it.attrs), it.ident));
        }
        // What a macro declares, by its call; `optional` declares nothing public.
        Item::Macro(it) if it.ident.is_none() && !it.mac.path.is_ident("optional") => {
            found.push(format!("{}! {}", shown(&it.mac.path), words(&it.mac.tokens.to_string())));
        }
        _ => {}
    }
}

fn of_trait(it: &ItemTrait, found: &mut Vec<String>) {
    found.push(format!("trait {}: {}", it.ident, shown(&it.supertraits)));
    for item in &it.items {
        let item = match item {
            TraitItem::Fn(it) => {
                let required = if it.default.is_none() { "required " } else { "" };
                format!("{required}{}", shown(&it.sig))
            }
            TraitItem::Type(it) => format!("type {}: {}", it.ident, shown(&it.bounds)),
            other => shown(other),
        };
        found.push(format!("{}::{item}", it.ident));
    }
}

fn of_impl(it: &ItemImpl, found: &mut Vec<String>) {
    let of = shown(&it.self_ty);
    if let Some((_, of_trait, _)) = &it.trait_ {
        let condition = shown(&it.generics.where_clause);
        let generics = shown(&it.generics);
        found.push(format!(
            "{}impl{generics} {} for {of} {condition}",
            attributes(&it.attrs),
            shown(of_trait)
        ));
    }
    for item in &it.items {
        match item {
            ImplItem::Fn(it) if is_public(&it.vis) => {
                found.push(format!("{of}::{}{}", attributes(&it.attrs), shown(&it.sig)));
            }
            ImplItem::Const(it) if is_public(&it.vis) => {
                found.push(format!("{of}::const {}: {}", it.ident, shown(&it.ty)));
            }
            _ => {}
        }
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Those that are a part of the promise.
fn attributes(attributes: &[Attribute]) -> String {
    let promised = ["derive", "non_exhaustive", "cfg", "cfg_attr", "must_use"];
    let told = attributes.iter().filter(|it| promised.iter().any(|name| it.path().is_ident(name)));
    told.fold(String::new(), |text, it| text + &shown(it) + " ")
}

fn shown(tokens: &impl ToTokens) -> String {
    words(&tokens.to_token_stream().to_string())
}

/// Tokens with their spaces as a reader knows them, without comments.
fn words(tokens: &str) -> String {
    let mut text = String::new();
    let mut rest = tokens;
    while let Some(at) = rest.find("# [doc") {
        text += &rest[..at];
        let end = rest[at..].find(']').map_or(rest.len(), |end| at + end + 1);
        rest = &rest[end..];
    }
    text += rest;
    for (from, to) in [
        (" :: ", "::"),
        (" ,", ","),
        (" < ", "<"),
        ("< ", "<"),
        (" > ", "> "),
        (" >", ">"),
        ("& ", "&"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        (" : ", ": "),
        (" ;", ";"),
        ("# [", "#["),
        (" ! ", "!"),
        ("  ", " "),
    ] {
        text = text.replace(from, to);
    }
    text.trim().to_owned()
}
