//! What the fake says of services that become backends.

use std::collections::BTreeSet;

use super::FakeKernel;
use crate::{
    kernel::{KernelError, Services},
    plan::step::Translate,
    types::{Conversation, Service, TranslationPlace, View},
};

impl Services for FakeKernel {
    fn is_published(&mut self, publication: &Translate) -> Result<bool, KernelError> {
        Ok(self.glance("is_published", |machine| machine.translation.is_published(publication)))
    }

    fn holds_publication(&mut self, publication: &Translate) -> Result<bool, KernelError> {
        let is_changed = self.glance("elements", |machine| machine.translation.is_changed);
        Ok(!is_changed && self.is_published(publication)?)
    }

    fn views(
        &mut self,
        place: &TranslationPlace,
    ) -> Result<(BTreeSet<u64>, BTreeSet<View>), KernelError> {
        Ok(self.glance("views", |machine| machine.translation.views(place)))
    }

    fn services(
        &mut self,
        place: &TranslationPlace,
        view: View,
    ) -> Result<Vec<Service>, KernelError> {
        Ok(self.glance("services", |machine| machine.translation.services(place, view)))
    }

    fn conversations(&mut self, _: &TranslationPlace) -> Result<Vec<Conversation>, KernelError> {
        let cookie = self.sandbox.as_ref().map(|netns| netns.cookie);
        Ok(self.glance("conversations", |machine| {
            let all = &machine.translation.conversations;
            cookie.and_then(|cookie| all.get(&cookie)).cloned().unwrap_or_default()
        }))
    }

    fn inability_to_end_conversations(&mut self) -> Option<String> {
        let ends_none = self.glance("inability", |machine| machine.translation.ends_none);
        ends_none.then(|| "sockets are not ended here".to_owned())
    }

    fn hindrance_to_services(
        &mut self,
        _: &TranslationPlace,
    ) -> Result<Option<String>, KernelError> {
        Ok(self.glance("hindrance_to_services", |machine| machine.translation.hindrance.clone()))
    }

    fn obstacles_to_services(&mut self, _: &TranslationPlace) -> Vec<String> {
        Vec::new()
    }
}
