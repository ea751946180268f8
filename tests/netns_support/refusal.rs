//! Proof that something was refused: the documented exit code, a message that names what is wrong, and nothing changed.

use super::{command::Ran, container::Container, dump::Dump, host::Host};

/// The exit codes that scripts rely on.
pub(crate) const FAILED: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const NOTHING_FREE: i32 = 3;
pub(crate) const UNFIT: i32 = 5;

/// A host, and how it looked.
pub(crate) struct Baseline<'a> {
    host: &'a Host,
    dump: Dump,
}

impl<'a> Baseline<'a> {
    /// The host as it is, with its state directory.
    pub(crate) fn as_is(host: &'a Host) -> Self {
        Self { host, dump: Dump::of_host_at_rest(host) }
    }

    /// The host with something attached already, which is not to suffer.
    pub(crate) fn of(host: &'a Host) -> Self {
        let neighbour = host.sandbox("neighbour").quiet();
        host.attach(&neighbour, "backup", &[]).ok();
        Self::as_is(host)
    }

    /// Proves that `ran` was refused as documented and changed nothing.
    pub(crate) fn refused(&self, ran: Ran, code: i32, words: &[&str]) {
        let ran = ran.must_exit(code);
        let line = ran.line.clone();
        let fit = |character: char| !character.is_control() || character == '\n';
        assert!(ran.stderr.chars().all(fit), "{line}: {:?}", ran.stderr);
        assert!(ran.stderr.len() < 1500, "{line}: a message of {} bytes", ran.stderr.len());
        for word in words {
            assert!(ran.stderr.contains(word), "{line}: {word:?} is not in {}", ran.stderr);
        }
        self.dump.must_be_again(self.host);
    }

    /// The same of an attachment by hand.
    pub(crate) fn attach_refused(&self, netns: &str, network: &str, code: i32, words: &[&str]) {
        let given = ["attach", "--netns", netns, "--network", network];
        self.refused(self.host.vfhook(&given), code, words);
    }

    /// The same of a container's hook; its namespace has not changed either.
    pub(crate) fn hook_refused(&self, container: &Container, code: i32, words: &[&str]) {
        let inside = Dump::of_sandbox(&container.sandbox());
        self.refused(container.hook(self.host, "create-runtime"), code, words);
        inside.must_be_again_in(&container.sandbox());
    }

    /// The same of a container with this annotation.
    pub(crate) fn asking_refused(&self, networks: &str, code: i32, words: &[&str]) {
        let container = Container::with_own_namespace(self.host, "c1").asking_for(networks);
        self.hook_refused(&container, code, words);
    }
}
