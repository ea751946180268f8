//! Reads CNI-Genie's annotation: words with commas between them, each a network, `WORD` or `WORD@INTERFACE`. A word that the cluster's
//! own network gives is passed over, and counted for the names of interfaces. Looks into no directory for words.

use super::{
    NetworkRequest,
    annotation_error::{AnnotationError, Flaw, bounded, few},
    interface_names::{Rule, named},
};
use crate::{
    config::{Config, Meaning, Tool},
    types::{InterfaceName, Invalid},
};

/// The annotation of CNI-Genie.
pub const CNI: &str = "cni";

/// An element of the annotation.
struct Element<'a> {
    word: &'a str,
    interface: Option<&'a str>,
}

/// What the value asks us for: nothing where other plugins give all of it.
pub(super) fn networks(
    config: &Config,
    value: &str,
) -> Result<Vec<NetworkRequest>, AnnotationError> {
    let value = bounded(CNI, value)?;
    if value.is_empty() {
        let cure = "CNI-Genie would choose a network by itself, and nobody here does; name each, such as calico,sriov";
        return Err(AnnotationError::Empty { key: CNI, cure });
    }
    let wrong = |index: usize, text: &str, why: Flaw| AnnotationError::Element {
        key: CNI,
        element: index + 1,
        text: text.to_owned(),
        why,
    };
    let mut elements = Vec::new();
    for (index, text) in value.split(',').enumerate() {
        elements.push(element(text).map_err(|why| wrong(index, text.trim(), why.into()))?);
    }
    let asked: Vec<_> = elements.iter().map(|element| element.interface).collect();
    let names = named(Rule::Eth(0), &asked).map_err(|(index, interface)| {
        wrong(index, elements[index].word, Flaw::InterfaceTwice { interface, by: "WORD@INTERFACE" })
    })?;
    let mut requests = Vec::new();
    for (index, (element, interface)) in elements.iter().zip(&names).enumerate() {
        let wrong = |why| wrong(index, element.word, why);
        match config.meaning(Tool::Genie, &[element.word]) {
            Meaning::Network(network, _) => {
                let interface: InterfaceName =
                    interface.parse().map_err(|why: Invalid| wrong(why.into()))?;
                let network = NetworkRequest::plain(network.clone());
                requests.push(NetworkRequest { interface: Some(interface), ..network });
            }
            Meaning::Another => {}
            Meaning::Unknown => {
                return Err(wrong(Flaw::unknown(config, Tool::Genie, element.word)));
            }
        }
    }
    few(CNI, requests)
}

fn element(text: &str) -> Result<Element<'_>, Invalid> {
    let mut parts = text.split('@').map(str::trim);
    let (word, interface) = (parts.next().unwrap_or_default(), parts.next());
    if parts.next().is_some() || !Tool::Genie.can_name(word) {
        let expected = "WORD or WORD@INTERFACE, the word of 1 to 63 letters, digits, dots, dashes and underscores";
        return Err(Invalid::new(text.trim(), expected));
    }
    interface.map_or(Ok(()), |name| name.parse::<InterfaceName>().map(drop))?;
    Ok(Element { word, interface })
}
