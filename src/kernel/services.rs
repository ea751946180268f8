//! What is asked of the maps and programs by which services become backends. None of it costs a netlink message.

use std::collections::BTreeSet;

use super::{KernelError, LinuxKernel, socket_translation};
use crate::{
    plan::step::Translate,
    types::{Conversation, Service, TranslationPlace, View},
};

/// The questions of [`Kernel`](super::Kernel) about services.
pub trait Services {
    /// Whether what would be published is there already, all of it and nothing else, as far as one number tells: it costs no more for many
    /// services.
    fn is_published(&mut self, publication: &Translate) -> Result<bool, KernelError>;

    /// The same, asked of each element: what others did to one shows. Costs more the more services there are.
    fn holds_publication(&mut self, publication: &Translate) -> Result<bool, KernelError>;

    /// The namespaces that have a view of services there, by their cookies, and the views that there are.
    fn views(
        &mut self,
        place: &TranslationPlace,
    ) -> Result<(BTreeSet<u64>, BTreeSet<View>), KernelError>;

    /// The services that a view has, with a backend for each part of their weights.
    fn services(
        &mut self,
        place: &TranslationPlace,
        view: View,
    ) -> Result<Vec<Service>, KernelError>;

    /// The UDP sockets of the sandbox that is open that are connected to what was chosen for a service there; none where the kernel tells
    /// nothing of UDP sockets. Costs two messages.
    fn conversations(&mut self, place: &TranslationPlace)
    -> Result<Vec<Conversation>, KernelError>;

    /// Why no UDP socket is ever freed of a backend, where the kernel cannot do that.
    fn inability_to_end_conversations(&mut self) -> Option<String>;

    /// What keeps services from becoming backends there, for a sandbox that comes now. Costs little where they do for others already.
    fn hindrance_to_services(
        &mut self,
        place: &TranslationPlace,
    ) -> Result<Option<String>, KernelError>;

    /// What would keep services from becoming backends there, a sentence each. Changes nothing that stays.
    fn obstacles_to_services(&mut self, place: &TranslationPlace) -> Vec<String>;
}

impl Services for LinuxKernel {
    fn is_published(&mut self, publication: &Translate) -> Result<bool, KernelError> {
        socket_translation::is_published(publication)
    }

    fn holds_publication(&mut self, publication: &Translate) -> Result<bool, KernelError> {
        socket_translation::holds(publication)
    }

    fn views(
        &mut self,
        place: &TranslationPlace,
    ) -> Result<(BTreeSet<u64>, BTreeSet<View>), KernelError> {
        socket_translation::views(place)
    }

    fn services(
        &mut self,
        place: &TranslationPlace,
        view: View,
    ) -> Result<Vec<Service>, KernelError> {
        socket_translation::services(place, view)
    }

    fn conversations(
        &mut self,
        place: &TranslationPlace,
    ) -> Result<Vec<Conversation>, KernelError> {
        socket_translation::conversations(self, place)
    }

    fn inability_to_end_conversations(&mut self) -> Option<String> {
        socket_translation::inability_to_end()
    }

    fn hindrance_to_services(
        &mut self,
        place: &TranslationPlace,
    ) -> Result<Option<String>, KernelError> {
        socket_translation::hindrance(place)
    }

    fn obstacles_to_services(&mut self, place: &TranslationPlace) -> Vec<String> {
        socket_translation::obstacles(place)
    }
}
