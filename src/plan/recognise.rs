//! Whether something that was seen is what was given, by what nobody in a sandbox changes. Says nothing of what should be there.

use super::{mac::is_group_of_ours, step::TakeDevice};
use crate::{
    inventory::{Link, Route, Scene, SeenRoute},
    types::KernelText,
};

/// The interface of a device in the sandbox, by what it is: a tenant may call it as it likes.
pub(super) fn device_in<'a>(scene: &'a Scene, step: &TakeDevice) -> Option<&'a Link> {
    let links = &scene.sandbox.links;
    let is_it = |link: &&Link| link.parent == Some(step.device);
    // A device of a bus whose interfaces do not say what they belong to keeps its number and our tag. Each namespace counts for
    // itself and links that we made are tagged too, but those stand on something or are in a group of ours.
    let is_tagged = |link: &&Link| {
        let tag = step.tag.to_string();
        let ours = link.alias.as_ref().is_some_and(|alias| *alias == *tag);
        let is_made = link.below.is_some() || link.group().is_some_and(is_group_of_ours);
        let is_device = link.parent.is_none() && !is_made;
        is_device && link.index == step.index && ours
    };
    links.iter().find(is_it).or_else(|| links.iter().find(is_tagged))
}

/// Whether a route that was seen over `interface` is this one of ours.
pub(super) fn is_there(seen: &SeenRoute, route: &Route, interface: &KernelText) -> bool {
    let marks = (seen.to, seen.metric, seen.protocol, seen.table);
    let leads = seen.hops.iter().any(|hop| hop.via == route.via && hop.interface == *interface);
    // When an address goes, IPv6 leaves the routes that named it as a source, without that.
    let has_source = route.source.is_none() || seen.source == route.source;
    marks == (route.to.trunc(), route.metric, route.protocol, route.table) && leads && has_source
}
