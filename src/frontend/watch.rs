//! `vfhook status --watch`: what `status` shows, on a page of the terminal's own, drawn anew whenever it changed. Judges nothing.

use std::time::Duration;

use super::{
    failure::CommandError,
    listing::text,
    terminal_page::{self, Drawn},
};
use crate::{
    kernel::LinuxKernel,
    lease::Seen,
    operation::{self, Context},
};

/// How long after a look the next one is, whatever changes.
const PAUSE: Duration = Duration::from_secs(1);

/// How long after a look the next one is, though nothing changed.
const ANYHOW: Duration = Duration::from_secs(3);

/// Shows it until somebody ends it.
pub(super) fn watch(context: &Context) -> Result<(), CommandError> {
    terminal_page::show(&mut Watched { context, seen: context.leases.seen() })
}

struct Watched<'a> {
    context: &'a Context,
    seen: Seen,
}

impl Drawn for Watched<'_> {
    const COMMAND: &'static str = "vfhook status";

    fn look(&mut self) -> Result<String, CommandError> {
        self.seen = self.context.leases.seen();
        let status = operation::status(&mut LinuxKernel::open()?, self.context)?;
        Ok(text(&status))
    }

    fn is_due(&self, since: Duration) -> bool {
        since >= ANYHOW || (since >= PAUSE && self.context.leases.seen() != self.seen)
    }
}
