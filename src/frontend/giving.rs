//! Attaches a container that no runtime has made yet, where something of what it asks for must be in its bundle: device nodes, variables,
//! a limit. Its hooks find it attached then. What it asks for is read as by them; what is put into the bundle, [`super::runtime`] knows.

use std::{
    io::{self, Read},
    path::Path,
    time::Duration,
};

use super::{
    arguments::Arguments,
    failure::CommandError,
    oci_hook::{self, Bundle, HookError, Network, bundle_in},
    open, output,
    runtime::{self, Given, RuntimeError, with_driving},
};
use crate::{
    config,
    kernel::{LinuxKernel, MadeNetns},
    request,
    types::{Deadline, NetnsSource, SandboxId},
};

/// How long it may take when nothing else is said: as long as the hook that would do it otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a bundle that are read, as by hooks.
const LONGEST: u64 = 16 << 20;

/// Why a namespace of its own is not made for a container with users of its own.
const OWN_USERS: &str = "one that vfhook makes would not be its users' (a user namespace); let it join one that exists (--network ns:PATH)";

/// Why podman's hook makes none.
const PODMANS: &str = "it ends before the container begins; let it join one that exists, or have vfhook-runtime run it";

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// A program that becomes the runtime, which can keep a namespace for it.
    Runtime,
    /// A hook that ends before there is a container.
    Podman,
}

/// The same for `vfhook-runtime`: what is put into the bundle, and the namespace that was made for the container. `None` where it needs
/// nothing before it is made.
pub(super) fn to_runtime(
    arguments: &Arguments,
    text: &str,
    folder: &Path,
    id: &SandboxId,
) -> Result<Option<Given>, CommandError> {
    let bundle = bundle_in(folder, text.as_bytes());
    give(arguments, text, &bundle, id, Caller::Runtime, TIMEOUT)
}

/// The hook `precreate` of podman: reads a bundle's `config.json` from `input`, and shows what is to be in its place.
pub(super) fn before_create(
    arguments: &Arguments,
    timeout: Option<Duration>,
    input: impl Read,
) -> Result<(), CommandError> {
    let mut text = String::new();
    input.take(LONGEST).read_to_string(&mut text).map_err(HookError::Read)?;
    let bundle = bundle_in(Path::new("."), text.as_bytes());
    let Some(id) = bundle.podmans_id.clone() else { return Err(HookError::Nameless.into()) };
    let ready = runtime::notified(arguments, Some(&id), &text)?.unwrap_or(text);
    let given = give(arguments, &ready, &bundle, &id, Caller::Podman, timeout.unwrap_or(TIMEOUT))?;
    output::whole(&given.map_or(ready, |given| given.text));
    Ok(())
}

fn give(
    arguments: &Arguments,
    text: &str,
    bundle: &Bundle,
    id: &SandboxId,
    caller: Caller,
    timeout: Duration,
) -> Result<Option<Given>, CommandError> {
    // Most containers have nothing to do with us. What is wrong with the configuration their hooks say, who had all before.
    if !bundle.by_annotation && bundle.devices.is_empty() {
        return Ok(None);
    }
    let Ok(config) = config::load(&arguments.config) else { return Ok(None) };
    let mut made = None;
    let netns = |networks: &[request::NetworkRequest]| {
        if !request::needs_bundle(&config, networks) {
            return Ok(None);
        }
        let source = match &bundle.network {
            Network::Path(path) => path.clone(),
            Network::Host => return Err(HookError::HostNetwork(id.clone())),
            // Its hooks say it.
            Network::Unknown => return Ok(None),
            Network::Own => made.insert(make(bundle, id, caller)?).path(),
        };
        Ok(Some(NetnsSource::Path(source)))
    };
    let event = oci_hook::asks(text, bundle, id.clone(), &config, netns)?;
    let Some(event) = event else { return Ok(None) };
    let mut kernel = LinuxKernel::open()?;
    let deadline = Deadline::after(timeout);
    let report = open::attach(arguments, &mut kernel, &event, deadline)?;
    let netns = made.as_ref().map(MadeNetns::path);
    let edited = with_driving(text, &report.driving(), netns.as_deref());
    let text =
        edited.map_err(|source| RuntimeError::NotBundle { path: "config.json".into(), source })?;
    Ok(Some(Given { text, netns: made }))
}

fn make(bundle: &Bundle, id: &SandboxId, caller: Caller) -> Result<MadeNetns, HookError> {
    let why = match caller {
        Caller::Podman => Some(PODMANS),
        Caller::Runtime => bundle.has_own_users.then_some(OWN_USERS),
    };
    if let Some(why) = why {
        return Err(HookError::NoNamespace { id: id.clone(), why });
    }
    let failed = |source: io::Error| HookError::Namespace { id: id.clone(), source };
    MadeNetns::make().map_err(failed)
}
