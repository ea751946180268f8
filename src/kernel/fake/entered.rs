//! Which namespace an operation of the fake's holds open.

use super::FakeKernel;
use crate::types::NetnsIdentity;

impl FakeKernel {
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
