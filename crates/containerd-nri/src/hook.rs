//! OCI hooks, as runtimes tell of them and plugins ask for them. Plain data; runs nothing.

use crate::optional::{int, put_int};
use crate::wire::nri as wire;

/// OCI hooks by stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Hooks {
    /// Deprecated stage, run with `create_runtime`.
    pub prestart: Vec<Hook>,
    /// In the runtime's namespaces, once the container's exist.
    pub create_runtime: Vec<Hook>,
    /// In the container's namespaces, before its root is changed.
    pub create_container: Vec<Hook>,
    /// In the container, before its process starts.
    pub start_container: Vec<Hook>,
    /// After the container's process started.
    pub poststart: Vec<Hook>,
    /// After the container was deleted.
    pub poststop: Vec<Hook>,
}

/// An OCI hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Hook {
    /// The program, an absolute path.
    pub path: String,
    /// Its arguments, the first of them its name.
    #[cfg_attr(feature = "serde", serde(default))]
    pub args: Vec<String>,
    /// Its environment, each as `NAME=value`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub env: Vec<String>,
    /// After how many seconds the runtime kills it.
    pub timeout_s: Option<i64>,
}

impl Hook {
    /// This program, with these arguments after its name.
    pub fn new<A: Into<String>>(
        path: impl Into<String>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        let path = path.into();
        let args = std::iter::once(path.clone()).chain(args.into_iter().map(A::into)).collect();
        Self { path, args, env: Vec::new(), timeout_s: None }
    }
}

impl From<wire::Hooks> for Hooks {
    fn from(hooks: wire::Hooks) -> Self {
        let stage = |hooks: Vec<wire::Hook>| hooks.into_iter().map(Hook::from).collect();
        Self {
            prestart: stage(hooks.prestart),
            create_runtime: stage(hooks.create_runtime),
            create_container: stage(hooks.create_container),
            start_container: stage(hooks.start_container),
            poststart: stage(hooks.poststart),
            poststop: stage(hooks.poststop),
        }
    }
}

impl From<Hooks> for wire::Hooks {
    fn from(hooks: Hooks) -> Self {
        let stage = |hooks: Vec<Hook>| hooks.into_iter().map(wire::Hook::from).collect();
        Self {
            prestart: stage(hooks.prestart),
            create_runtime: stage(hooks.create_runtime),
            create_container: stage(hooks.create_container),
            start_container: stage(hooks.start_container),
            poststart: stage(hooks.poststart),
            poststop: stage(hooks.poststop),
            ..Self::default()
        }
    }
}

impl From<wire::Hook> for Hook {
    fn from(hook: wire::Hook) -> Self {
        let timeout_s = int(hook.timeout_s);
        Self { path: hook.path, args: hook.args, env: hook.env, timeout_s }
    }
}

impl From<Hook> for wire::Hook {
    fn from(hook: Hook) -> Self {
        Self {
            path: hook.path,
            args: hook.args,
            env: hook.env,
            timeout_s: put_int(hook.timeout_s),
            ..Self::default()
        }
    }
}
