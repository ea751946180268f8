//! What makes services backends at the socket: installed at places, a view for a namespace, services for a view.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    plan::step::Translate,
    types::{Conversation, Service, TranslationPlace, View},
};

/// What is installed, by where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Translations {
    /// It.
    pub at: BTreeMap<TranslationPlace, Translation>,
    /// What keeps services from becoming backends.
    pub hindrance: Option<String>,
    /// The UDP sockets of each namespace that are connected to backends, by its cookie.
    pub conversations: BTreeMap<u64, Vec<Conversation>>,
    /// Whether the kernel ends none of them.
    pub ends_none: bool,
    /// Whether somebody changed an element of the maps, until services are published again.
    pub is_changed: bool,
}

/// What is installed at one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Translation {
    /// The view of each namespace, by cookie.
    pub views: BTreeMap<u64, View>,
    /// The services of each view.
    pub services: BTreeMap<View, Vec<Service>>,
}

impl Translations {
    pub(super) fn judge(&self, place: &TranslationPlace) -> Option<String> {
        (!self.at.contains_key(place)).then(|| NOT_THERE.to_owned())
    }

    pub(super) fn view_of(&self, place: &TranslationPlace, cookie: u64) -> Option<View> {
        self.at.get(place)?.views.get(&cookie).copied()
    }

    pub(super) fn is_published(&self, publication: &Translate) -> bool {
        let Translate::Publish { place, reach, services } = publication else { return true };
        let found = self.at.get(place).and_then(|at| at.services.get(&reach.view()));
        found.is_some_and(|found| found == services)
    }

    pub(super) fn views(&self, place: &TranslationPlace) -> (BTreeSet<u64>, BTreeSet<View>) {
        let found = self.at.get(place);
        let namespaces = found.map(|at| at.views.keys().copied().collect());
        let views = found.map(|at| at.services.keys().copied().collect());
        (namespaces.unwrap_or_default(), views.unwrap_or_default())
    }

    pub(super) fn services(&self, place: &TranslationPlace, view: View) -> Vec<Service> {
        let found = self.at.get(place).and_then(|at| at.services.get(&view));
        found.cloned().unwrap_or_default()
    }

    /// Does one step; what is not installed has nothing to be taken away.
    pub(super) fn apply(
        &mut self,
        sandbox: Option<u64>,
        step: &Translate,
    ) -> Result<(), &'static str> {
        match step {
            Translate::Install { place } => drop(self.at.entry(place.clone()).or_default()),
            Translate::Remove { place } => drop(self.at.remove(place)),
            Translate::GiveView { place, cookie, reach } => {
                let at = self.at.get_mut(place).ok_or(NOT_THERE)?;
                at.views.insert(*cookie, reach.view());
            }
            Translate::TakeView { place, cookie } => {
                if let Some(at) = self.at.get_mut(place) {
                    at.views.remove(cookie);
                }
            }
            Translate::Publish { place, reach, services } => {
                let at = self.at.get_mut(place).ok_or(NOT_THERE)?;
                at.services.insert(reach.view(), services.clone());
                self.is_changed = false;
            }
            Translate::ForgetView { place, view } => {
                if let Some(at) = self.at.get_mut(place) {
                    at.services.remove(view);
                }
            }
            Translate::End { .. } if self.ends_none => return Err("sockets are not ended here"),
            Translate::End { conversations } => {
                if let Some(all) = sandbox.and_then(|cookie| self.conversations.get_mut(&cookie)) {
                    all.retain(|one| !conversations.contains(one));
                }
            }
        }
        Ok(())
    }
}

const NOT_THERE: &str = "nothing is installed";
