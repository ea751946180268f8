//! Reads files, whatever each is, to drafts of pools and networks. What is wrong in one is not in the way of the next.

use super::{
    Place, Remark, Source, cni, device_plugin,
    draft::{NetworkDraft, PoolDraft},
    json,
    kubernetes::{self, Found, Named},
    node::{Node, Text},
    placeholder, yaml,
};
use crate::types::quote;

/// The longest file that is read, in bytes: an object of Kubernetes has at most a third of that, and a file may have several.
pub const LONGEST: usize = 4 << 20;

/// All that files say.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    pub(super) pools: Vec<PoolDraft>,
    pub(super) networks: Vec<NetworkDraft>,
    /// Definitions whose network is in another file.
    pub(super) named: Vec<Named>,
    /// Whether CNI-Genie chooses networks by the names of files.
    pub(super) genie: bool,
    pub(super) refused: Vec<Remark>,
    /// What belongs to no pool and no network.
    pub(super) remarks: Vec<Remark>,
}

/// Reads them all.
pub(super) fn read(sources: &[Source]) -> Drafts {
    let mut drafts = Drafts::default();
    for source in sources {
        let first = Place::new(&source.name, 1);
        let said = (drafts.refused.len(), drafts.remarks.len());
        let had = (drafts.pools.len(), drafts.networks.len(), drafts.named.len());
        drafts.file(source, &first);
        let said = said != (drafts.refused.len(), drafts.remarks.len());
        let has = had != (drafts.pools.len(), drafts.networks.len(), drafts.named.len());
        if !said && !has {
            drafts.refused.push(first.remark("there is nothing in it to import"));
        }
    }
    drafts
}

impl Drafts {
    fn file(&mut self, source: &Source, first: &Place) {
        let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
        if text.len() > LONGEST {
            let length = text.len();
            let wrong = format!("is {length} bytes long: {LONGEST} are read, cut it into files");
            return self.refused.push(first.remark(wrong));
        }
        if text.trim_start().starts_with(['{', '[']) {
            match json::parse(text, first) {
                Ok(node) => return self.document(&node, source),
                // YAML may begin so too.
                Err(_) if is_called_yaml(&source.name) => {}
                Err(wrong) => {
                    let template = placeholder::in_text(text, first);
                    return self.refused.push(template.unwrap_or(wrong));
                }
            }
        }
        for document in yaml::documents(text, first) {
            match yaml::parse(&document) {
                Ok(nodes) => nodes.iter().for_each(|node| self.document(node, source)),
                Err(wrong) => {
                    let template = placeholder::in_text(document.text, &document.first);
                    self.refused.push(template.unwrap_or(wrong));
                }
            }
        }
    }

    fn document(&mut self, node: &Node, source: &Source) {
        if kubernetes::is_object(node) {
            self.object(node, source);
        } else if !self.configuration(node, Some(source)) {
            let keys = node.map().unwrap_or_default().iter().map(|(key, _)| quote(&key.name));
            let keys = keys.take(5).collect::<Vec<_>>().join(", ");
            let what =
                if keys.is_empty() { node.shown() } else { format!("an object with {keys}") };
            self.refused.push(node.place.remark(format!(
                "is no object of Kubernetes, no CNI configuration and none of the device plugin: {what}"
            )));
        }
    }

    /// Reads what other programs' files hold; whether it was such.
    fn configuration(&mut self, node: &Node, source: Option<&Source>) -> bool {
        if node.has("resourceList") {
            let Self { pools, refused, remarks, .. } = self;
            let read = device_plugin::read(node, remarks, |pool| match pool {
                Ok(pool) => pools.push(pool),
                Err(wrong) => refused.push(wrong),
            });
            self.refused.extend(read.err());
            return true;
        }
        if !node.has("type") && !node.has("plugins") {
            return false;
        }
        self.genie |= node.map().unwrap_or_default().iter().any(|(key, node)| {
            key.name.eq_ignore_ascii_case("type") && node.text() == Some("genie")
        });
        let read =
            placeholder::refuse(node).and_then(|()| cni::read(node, None, &mut self.remarks));
        match read {
            Ok(None) => {}
            Ok(Some(mut network)) => {
                network.word = source.and_then(|source| word(&source.name)).map(str::to_owned);
                network.of_file = true;
                self.networks.push(network);
            }
            Err(wrong) => self.refused.push(wrong),
        }
        true
    }

    fn object(&mut self, node: &Node, source: &Source) {
        match kubernetes::read(node, &mut self.remarks) {
            Ok(Found::Pool(pool)) => self.pools.push(*pool),
            Ok(Found::Network(network)) => self.networks.push(*network),
            Ok(Found::Named(named)) => self.named.push(named),
            Ok(Found::Items(items)) => items.iter().for_each(|item| self.document(item, source)),
            Ok(Found::Files(files)) => {
                for (key, node, text) in files {
                    self.held(key, node, text);
                }
            }
            Ok(Found::Nothing) => {}
            Err(wrong) => self.refused.push(wrong),
        }
    }

    /// A file that a `ConfigMap` holds.
    fn held(&mut self, key: &str, node: &Node, text: &Text) {
        let name = quote(key);
        let other = || node.place.remark(format!("passed over: {name} of a ConfigMap"));
        if !text.value.trim_start().starts_with('{') {
            return self.remarks.push(other());
        }
        match json::parse_inside(text, &node.place) {
            Ok(inside) => {
                if !self.configuration(&inside, None) {
                    self.remarks.push(other());
                }
            }
            Err(wrong) => self.refused.push(placeholder::refuse(node).err().unwrap_or(wrong)),
        }
    }
}

fn is_called_yaml(path: &str) -> bool {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    ["yaml", "yml"].iter().any(|yaml| ending.eq_ignore_ascii_case(yaml))
}

/// What CNI-Genie calls the network of a file: between the first dash and the last dot of its name.
fn word(path: &str) -> Option<&str> {
    let file = path.rsplit('/').next()?;
    let (stem, _) = file.rsplit_once('.')?;
    let (_, word) = stem.split_once('-')?;
    Some(word).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genies_words() {
        assert_eq!(word("/etc/cni/net.d/10-sriov.conf"), Some("sriov"));
        assert_eq!(word("10-my-net.v2.conf"), Some("my-net.v2"));
        assert_eq!(word("sriov.conf"), None);
    }
}
