//! Services that become backends at the socket: hands steps and questions to the library that does it, in its words.

use std::{collections::BTreeSet, time::Duration};

use ::socket_translation::{
    Backend, Capacity, Conversation, Error, Place, Protocol, Service, Translation, digest,
};

use crate::{
    kernel::{KernelError, LinuxKernel},
    plan::step::Translate,
    types::{self, TranslationPlace, View, with_causes},
};

/// Does a step; what is not installed has nothing to be taken away.
pub(super) fn apply(kernel: &LinuxKernel, step: &Translate) -> Result<(), KernelError> {
    match step {
        Translate::Install { place } => {
            Translation::install(&place_of(place), &Capacity::default())?;
        }
        Translate::Remove { place } => Translation::remove(&place_of(place))?,
        Translate::GiveView { place, cookie, reach } => {
            if !installed(place)?.give_view(*cookie, reach.view().0)? {
                let reason = "there is no room for another namespace with a view of services";
                return Err(KernelError::absent(place.to_string(), reason));
            }
        }
        Translate::TakeView { place, cookie } => {
            if let Some(translation) = Translation::open(&place_of(place))? {
                translation.take_view(*cookie)?;
            }
        }
        Translate::Publish { place, reach, services } => {
            installed(place)?.publish(reach.view().0, &services_of(services))?;
        }
        Translate::ForgetView { place, view } => {
            if let Some(translation) = Translation::open(&place_of(place))? {
                translation.forget(view.0)?;
            }
        }
        Translate::End { conversations } => {
            let known = |one: &types::Conversation| {
                let types::Conversation { backend, local, device, cookie } = *one;
                Conversation { backend, local, device, cookie }
            };
            let all: Vec<Conversation> = conversations.iter().map(known).collect();
            kernel.sandbox()?.inside(|| Translation::end(&all))??;
        }
    }
    Ok(())
}

/// What is wrong with what should be installed.
pub(super) fn judge(place: &TranslationPlace) -> Result<Option<String>, KernelError> {
    Ok(Translation::complaint(&place_of(place))?)
}

/// The view that a namespace has.
pub(super) fn view_of(place: &TranslationPlace, cookie: u64) -> Result<Option<View>, KernelError> {
    let Some(translation) = Translation::open(&place_of(place))? else { return Ok(None) };
    Ok(translation.view_of(cookie)?.map(View))
}

/// Whether what would be published is what was last, to the end.
pub(super) fn is_published(publication: &Translate) -> Result<bool, KernelError> {
    let Translate::Publish { place, reach, services } = publication else { return Ok(true) };
    let Some(translation) = Translation::open(&place_of(place))? else { return Ok(false) };
    Ok(translation.published(reach.view().0)? == Some(digest(&services_of(services))))
}

/// The same of each element.
pub(super) fn holds(publication: &Translate) -> Result<bool, KernelError> {
    let Translate::Publish { place, reach, services } = publication else { return Ok(true) };
    let Some(translation) = Translation::open(&place_of(place))? else { return Ok(false) };
    Ok(translation.holds(reach.view().0, &services_of(services))?)
}

/// Who has a view, and what views there are.
pub(super) fn views(
    place: &TranslationPlace,
) -> Result<(BTreeSet<u64>, BTreeSet<View>), KernelError> {
    let Some(translation) = Translation::open(&place_of(place))? else {
        return Ok((BTreeSet::new(), BTreeSet::new()));
    };
    let views = translation.views()?.into_iter().map(View).collect();
    Ok((translation.namespaces()?, views))
}

/// What a view has.
pub(super) fn services(
    place: &TranslationPlace,
    view: View,
) -> Result<Vec<types::Service>, KernelError> {
    let Some(translation) = Translation::open(&place_of(place))? else { return Ok(Vec::new()) };
    Ok(translation.services(view.0)?.into_iter().map(service_from).collect())
}

/// The conversations of the sandbox that is open.
pub(super) fn conversations(
    kernel: &mut LinuxKernel,
    place: &TranslationPlace,
) -> Result<Vec<types::Conversation>, KernelError> {
    let Some(translation) = Translation::open(&place_of(place))? else { return Ok(Vec::new()) };
    kernel.other_messages += 2;
    let sandbox = kernel.sandbox()?;
    let cookie = sandbox.identity.cookie;
    let found = match sandbox.inside(|| translation.conversations(cookie))? {
        // Whoever examines the host is told, not whoever follows a change.
        Err(Error::CannotEnd { .. }) => return Ok(Vec::new()),
        found => found?,
    };
    let known = |Conversation { backend, local, device, cookie }| types::Conversation {
        backend,
        local,
        device,
        cookie,
    };
    Ok(found.into_iter().map(known).collect())
}

/// Why no conversation is ended here.
pub(super) fn inability_to_end() -> Option<String> {
    Translation::inability_to_end().map(|error| with_causes(&error))
}

/// What keeps services of another sandbox from becoming backends.
pub(super) fn hindrance(place: &TranslationPlace) -> Result<Option<String>, KernelError> {
    let found = Translation::hindrance(&place_of(place))?;
    Ok(found.map(|error| with_causes(&error)))
}

/// What would keep it from being installed, a sentence each.
pub(super) fn obstacles(place: &TranslationPlace) -> Vec<String> {
    Translation::obstacles(&place_of(place)).iter().map(|error| with_causes(error)).collect()
}

fn installed(place: &TranslationPlace) -> Result<Translation, KernelError> {
    Translation::open(&place_of(place))?.ok_or_else(|| {
        KernelError::absent(place.to_string(), "what translates services is not installed there")
    })
}

fn place_of(place: &TranslationPlace) -> Place {
    Place { cgroup: place.cgroup.clone(), bpffs: place.bpffs.clone() }
}

fn services_of(services: &[types::Service]) -> Vec<Service> {
    services.iter().map(service_of).collect()
}

fn service_from(service: Service) -> types::Service {
    let backend = |backend: Backend| types::Backend {
        address: backend.address,
        port: backend.port,
        weight: backend.weight,
    };
    let affinity = service.affinity.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    types::Service {
        address: service.address,
        port: service.port,
        protocol: match service.protocol {
            Protocol::Tcp => types::Protocol::Tcp,
            Protocol::Udp => types::Protocol::Udp,
        },
        backends: service.backends.into_iter().map(backend).collect(),
        affinity,
    }
}

fn service_of(service: &types::Service) -> Service {
    let backend = |backend: &types::Backend| Backend {
        address: backend.address,
        port: backend.port,
        weight: backend.weight,
    };
    Service {
        address: service.address,
        port: service.port,
        protocol: match service.protocol {
            types::Protocol::Tcp => Protocol::Tcp,
            types::Protocol::Udp => Protocol::Udp,
        },
        backends: service.backends.iter().map(backend).collect(),
        affinity: service.affinity.map(|seconds| Duration::from_secs(seconds.into())),
    }
}

impl From<Error> for KernelError {
    fn from(error: Error) -> Self {
        Self::Translation(Box::new(error))
    }
}
