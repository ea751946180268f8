//! Who tells of its steps, but the daemon: the library to a listener on this thread, a process to its log.

use std::{process, time::Instant};

use crate::{
    command::Command,
    contender::Contender as _,
    hook::Hook,
    in_process::InProcess,
    steps::{Lap, Traced},
};

impl Traced for InProcess<'_> {
    fn attach_traced(&mut self) -> Lap {
        Lap::on_this_thread(|| self.attach())
    }

    fn detach_traced(&mut self) -> Lap {
        Lap::on_this_thread(|| self.detach())
    }
}

impl Traced for Hook<'_> {
    fn attach_traced(&mut self) -> Lap {
        logged(&mut self.command("create-runtime"))
    }

    fn detach_traced(&mut self) -> Lap {
        logged(&mut self.command("poststop"))
    }
}

impl Traced for Command<'_> {
    fn attach_traced(&mut self) -> Lap {
        logged(&mut self.attaching_process())
    }

    fn detach_traced(&mut self) -> Lap {
        logged(&mut self.detaching_process())
    }
}

/// Runs a vfhook that tells of each step.
fn logged(command: &mut process::Command) -> Lap {
    let began = Instant::now();
    let ended = command.env("VFHOOK_LOG", "debug").output().expect("start vfhook");
    let took = began.elapsed();
    let log = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?}: {log}");
    Lap::written(took, &log, true)
}
