//! Conversions from and to the types of the OCI runtime specification, as the crate `oci-spec` has them. Where one side has a word
//! or a field that the other lacks, an error says so on the way there, and it is left out on the way here; changes nothing.

mod process;
mod resources;
mod seccomp;

use std::fmt;
use std::path::{Path, PathBuf};

use oci_spec::runtime as oci;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::device::Device;
use crate::hook::{Hook, Hooks};
use crate::mount::Mount;
use crate::pod::Namespace;

/// A word that the runtime specification does not have, as the crate `oci-spec` knows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the runtime specification has no {what} {word:?}")]
#[non_exhaustive]
pub struct NotInSpec {
    /// What it would be.
    pub what: &'static str,
    /// The word.
    pub word: String,
}

/// A word of the specification, as its JSON has it.
fn word<T: DeserializeOwned>(what: &'static str, word: &str) -> Result<T, NotInSpec> {
    let missing = |_| NotInSpec { what, word: word.to_owned() };
    serde_json::from_value(Value::String(word.to_owned())).map_err(missing)
}

fn words<T: DeserializeOwned>(
    what: &'static str,
    texts: &[String],
) -> Result<Option<Vec<T>>, NotInSpec> {
    let words: Vec<T> = texts.iter().map(|text| word(what, text)).collect::<Result<_, _>>()?;
    Ok(some(words))
}

/// The specification's word for this.
fn text<T: Serialize>(word: &T) -> String {
    match serde_json::to_value(word) {
        Ok(Value::String(text)) => text,
        _ => String::new(),
    }
}

fn texts<T: Serialize>(words: Option<&Vec<T>>) -> Vec<String> {
    words.into_iter().flatten().map(text).collect()
}

/// The specification leaves empty lists out.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn list<F: Clone, T: From<F>>(from: Option<&Vec<F>>) -> Vec<T> {
    from.into_iter().flatten().cloned().map(T::from).collect()
}

fn path(text: String) -> Option<PathBuf> {
    Some(text).filter(|text| !text.is_empty()).map(PathBuf::from)
}

/// Paths that are not UTF-8 do not come over NRI either.
fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Gives each variant here its counterpart there.
macro_rules! counterparts {
    ($here:ident, $there:ident, $what:literal: $($one:ident = $other:ident,)+) => {
        impl TryFrom<$here> for oci::$there {
            type Error = NotInSpec;

            fn try_from(here: $here) -> Result<Self, NotInSpec> {
                match here {
                    $($here::$one => Ok(Self::$other),)+
                    other => Err(unknown($what, other)),
                }
            }
        }

        impl From<oci::$there> for $here {
            fn from(there: oci::$there) -> Self {
                match there {
                    $(oci::$there::$other => Self::$one,)+
                }
            }
        }
    };
}

use counterparts;

fn unknown(what: &'static str, word: impl fmt::Debug) -> NotInSpec {
    NotInSpec { what, word: format!("{word:?}") }
}

impl From<Mount> for oci::Mount {
    fn from(mount: Mount) -> Self {
        let mut there = Self::default();
        there
            .set_destination(mount.destination.into())
            .set_typ(Some(mount.kind).filter(|kind| !kind.is_empty()))
            .set_source(path(mount.source))
            .set_options(some(mount.options));
        there
    }
}

impl From<oci::Mount> for Mount {
    fn from(mount: oci::Mount) -> Self {
        let kind = mount.typ().clone().unwrap_or_default();
        let source = mount.source().as_deref().map(shown).unwrap_or_default();
        let options = mount.options().clone().unwrap_or_default();
        Self::new(kind, source, shown(mount.destination())).with_options(options)
    }
}

impl TryFrom<Device> for oci::LinuxDevice {
    type Error = NotInSpec;

    fn try_from(device: Device) -> Result<Self, NotInSpec> {
        let mut there = Self::default();
        there
            .set_path(device.path.into())
            .set_typ(word("type of device", &device.kind)?)
            .set_major(device.major)
            .set_minor(device.minor)
            .set_file_mode(device.file_mode)
            .set_uid(device.uid)
            .set_gid(device.gid);
        Ok(there)
    }
}

impl From<oci::LinuxDevice> for Device {
    fn from(device: oci::LinuxDevice) -> Self {
        Self {
            path: shown(device.path()),
            kind: text(&device.typ()),
            major: device.major(),
            minor: device.minor(),
            file_mode: device.file_mode(),
            uid: device.uid(),
            gid: device.gid(),
        }
    }
}

impl TryFrom<Namespace> for oci::LinuxNamespace {
    type Error = NotInSpec;

    fn try_from(namespace: Namespace) -> Result<Self, NotInSpec> {
        let mut there = Self::default();
        there.set_typ(word("namespace", &namespace.kind)?).set_path(path(namespace.path));
        Ok(there)
    }
}

impl From<oci::LinuxNamespace> for Namespace {
    fn from(namespace: oci::LinuxNamespace) -> Self {
        let path = namespace.path().as_deref().map(shown).unwrap_or_default();
        Self::new(text(&namespace.typ()), path)
    }
}

impl From<Hook> for oci::Hook {
    fn from(hook: Hook) -> Self {
        let mut there = Self::default();
        there
            .set_path(hook.path.into())
            .set_args(some(hook.args))
            .set_env(some(hook.env))
            .set_timeout(hook.timeout_s);
        there
    }
}

impl From<oci::Hook> for Hook {
    fn from(hook: oci::Hook) -> Self {
        Self {
            path: shown(hook.path()),
            args: hook.args().clone().unwrap_or_default(),
            env: hook.env().clone().unwrap_or_default(),
            timeout_s: hook.timeout(),
        }
    }
}

impl From<Hooks> for oci::Hooks {
    fn from(hooks: Hooks) -> Self {
        let stage = |hooks: Vec<Hook>| some(hooks.into_iter().map(oci::Hook::from).collect());
        let mut there = Self::default();
        there
            .set_prestart(stage(hooks.prestart))
            .set_create_runtime(stage(hooks.create_runtime))
            .set_create_container(stage(hooks.create_container))
            .set_start_container(stage(hooks.start_container))
            .set_poststart(stage(hooks.poststart))
            .set_poststop(stage(hooks.poststop));
        there
    }
}

impl From<oci::Hooks> for Hooks {
    fn from(hooks: oci::Hooks) -> Self {
        Self {
            prestart: list(hooks.prestart().as_ref()),
            create_runtime: list(hooks.create_runtime().as_ref()),
            create_container: list(hooks.create_container().as_ref()),
            start_container: list(hooks.start_container().as_ref()),
            poststart: list(hooks.poststart().as_ref()),
            poststop: list(hooks.poststop().as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_bundle_is_read_and_written_again() {
        let mount = Mount::new("tmpfs", "tmpfs", "/tmp").with_options(["nosuid", "size=64k"]);
        assert_eq!(Mount::from(oci::Mount::from(mount.clone())), mount);
        let device = Device::block("/dev/x", 8, 1).with_mode(0o660);
        let there = oci::LinuxDevice::try_from(device.clone()).unwrap();
        assert_eq!(there.typ(), oci::LinuxDeviceType::B);
        assert_eq!(Device::from(there), device);
        for namespace in [Namespace::new("network", "/run/netns/a"), Namespace::new("mount", "")] {
            let there = oci::LinuxNamespace::try_from(namespace.clone()).unwrap();
            assert_eq!(there.path().is_some(), !namespace.path.is_empty());
            assert_eq!(Namespace::from(there), namespace);
        }
        let mut hook = Hook::new("/bin/hook", ["a"]);
        (hook.env, hook.timeout_s) = (vec!["A=b".to_owned()], Some(3));
        let stage = |name: &str| vec![Hook::new(name, [name])];
        let hooks = Hooks {
            prestart: stage("/a"),
            create_runtime: vec![hook],
            create_container: stage("/c"),
            start_container: stage("/d"),
            poststart: stage("/e"),
            poststop: stage("/f"),
        };
        assert_eq!(Hooks::from(oci::Hooks::from(hooks.clone())), hooks);
        assert_eq!(oci::Hooks::from(Hooks::default()), oci::Hooks::default());
    }

    #[test]
    fn a_word_that_is_none_is_told() {
        let device = Device { kind: "x".to_owned(), ..Device::default() };
        let error = oci::LinuxDevice::try_from(device).unwrap_err();
        assert_eq!(error.to_string(), "the runtime specification has no type of device \"x\"");
        let error = oci::LinuxNamespace::try_from(Namespace::new("net", "")).unwrap_err();
        assert_eq!((error.what, &*error.word), ("namespace", "net"));
    }
}
