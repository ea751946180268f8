//! Which namespace an operation of the fake's holds open.

use super::FakeKernel;
use crate::{
    kernel::KernelError,
    types::{NetnsIdentity, NetnsSource},
};

impl FakeKernel {
    /// The cookie of what is to be opened.
    pub(super) fn find(&mut self, source: &NetnsSource) -> Result<u64, KernelError> {
        let not = |reason: &str| KernelError::NotASandbox {
            object: source.to_string(),
            reason: reason.to_owned(),
        };
        if matches!(source, NetnsSource::Path(path) if path.starts_with("/proc/1/")) {
            return Err(not("this is the host's namespace; nothing is ever moved there"));
        }
        self.session(|session| {
            let found = session.machine.sources.iter().find(|(known, _)| known == source);
            found.map(|(_, cookie)| *cookie).ok_or_else(|| not("there is nothing at this path"))
        })
    }

    pub(super) fn enter(&mut self, netns: NetnsIdentity) {
        // The new one is opened before the old one is closed: they may be the same.
        self.host.with(|machine| machine.hold(netns.cookie));
        self.leave();
        self.sandbox = Some(netns);
    }

    pub(super) fn leave(&mut self) {
        if let Some(old) = self.sandbox.take() {
            self.host.with(|machine| machine.let_go(old.cookie));
        }
    }
}

impl Drop for FakeKernel {
    fn drop(&mut self) {
        self.leave();
    }
}
