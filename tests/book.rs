//! The documents: each page of `docs` is in the book, and every link of every document leads to a file, and to a heading where it names one.
//! Nobody else's site is asked.
#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

/// Pages of the book link so to what is beside it, since there it is another site.
const REPOSITORY: &str = "https://github.com/vfhook/vfhook/blob/main/";

/// Not documents of ours: what is built, and what fuzzers are fed with.
const NOT_OURS: [&str; 3] = ["target", "corpus", "found"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every document below a folder, by its path from the root.
fn documents(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap_or_default();
        if path.is_dir() {
            if !name.starts_with('.') && !NOT_OURS.contains(&name) {
                documents(&path, found);
            }
        } else if path.extension().is_some_and(|end| end == "md") {
            let own = path.strip_prefix(root()).unwrap().to_owned();
            found.insert(own, fs::read_to_string(&path).unwrap());
        }
    }
}

fn all() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    documents(root(), &mut found);
    assert!(found.len() > 25, "{} documents", found.len());
    found
}

/// The text without its code, in which brackets mean something else.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code && !line.starts_with("    ") {
            for (number, part) in line.split('`').enumerate() {
                prose.push_str(if number % 2 == 0 { part } else { "code" });
            }
        }
        prose.push('\n');
    }
    prose
}

/// Where a document's links and pictures lead.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let ends = prose.split("](").skip(1);
    ends.filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect()
}

/// What its headings are called in links, as GitHub and mdBook both have it.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if !is_code && line.starts_with('#') && heading.starts_with(' ') {
            let letters = heading.trim().to_lowercase();
            let kept = letters.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            found.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
        }
    }
    found
}

/// A path without `..`, from the root.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => plain.pop().then_some(())?,
            Component::Normal(name) => plain.push(name),
            _ => {}
        }
    }
    Some(plain)
}

#[test]
fn every_link_leads_somewhere() {
    let all = all();
    let (mut dead, mut seen) = (Vec::new(), 0);
    for (own, text) in &all {
        let folder = own.parent().unwrap();
        for link in links(text) {
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if let Some(path) = path.strip_prefix(REPOSITORY) {
                PathBuf::from(path)
            } else if path.contains("://") || path.starts_with("mailto:") {
                continue;
            } else if path.is_empty() {
                own.clone()
            } else {
                folder.join(path)
            };
            seen += 1;
            let target = plain(&target).filter(|target| root().join(target).exists());
            let is_there = target.is_some_and(|target| {
                heading.is_empty() || all.get(&target).is_some_and(|t| anchors(t).contains(heading))
            });
            if !is_there {
                dead.push(format!("{}: {link}", own.display()));
            }
        }
    }
    assert!(seen > 100, "{seen} links");
    assert!(dead.is_empty(), "these lead nowhere: {dead:#?}");
}

#[test]
fn the_book_has_each_page_once_and_its_pages_stay_in_it() {
    let all = all();
    let summary = Path::new("docs/SUMMARY.md");
    let chapters = links(&all[summary]);
    let listed: BTreeSet<PathBuf> =
        chapters.iter().map(|link| Path::new("docs").join(link)).collect();
    assert_eq!(listed.len(), chapters.len(), "a page is in it twice");
    let pages: BTreeSet<PathBuf> =
        all.keys().filter(|own| own.starts_with("docs") && *own != summary).cloned().collect();
    assert_eq!(listed, pages, "docs/SUMMARY.md lists the pages of docs");
    for (own, text) in all.iter().filter(|(own, _)| own.starts_with("docs")) {
        for link in links(text).iter().filter(|link| !link.contains("://")) {
            let path = link.split('#').next().unwrap_or_default();
            let target = plain(&own.parent().unwrap().join(path));
            let stays = path.is_empty() || target.is_some_and(|to| to.starts_with("docs"));
            assert!(stays, "{}: {link} is outside the book; say {REPOSITORY}…", own.display());
            // mdBook calls that index.html in the book, where it is listed and nowhere else.
            let is_named = own != summary && link.contains("README.md");
            assert!(!is_named, "{}: {link}; link to its folder", own.display());
        }
    }
    let book: toml::Table = fs::read_to_string(root().join("book.toml")).unwrap().parse().unwrap();
    assert_eq!(book["book"]["src"].as_str(), Some("docs"));
}

#[test]
fn a_heading_is_called_as_github_calls_it() {
    let text = "# VFs that claims select (DRA)\n```\n# no heading\n```\n## `a` and b_c, d\n";
    let expected = ["a-and-b_c-d", "vfs-that-claims-select-dra"].map(str::to_owned);
    assert_eq!(anchors(text), BTreeSet::from(expected));
    assert_eq!(
        links("a [b](c.md#d) `[x](y)` ![p](q.svg)\n```\n[z](z)\n```\n"),
        ["c.md#d", "q.svg"]
    );
}
