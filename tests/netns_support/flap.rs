//! A tenant that sets an interface of its own down and up as fast as it likes. It must not know who looks at it.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::{command::Leashed, sandbox::Sandbox};

/// Between two words of it: down and up again 100 times a second.
const PAUSE: Duration = Duration::from_millis(5);

/// Has `interface` of the sandbox go down and up while `meanwhile` runs.
pub(crate) fn flapping<T>(sandbox: &Sandbox, interface: &str, meanwhile: impl FnOnce() -> T) -> T {
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| sandbox.inside(|| flap(interface, &enough)));
        let came = meanwhile();
        enough.store(true, Ordering::Relaxed);
        came
    })
}

/// One process for all of it, which does each line as it comes; a line that fails is the tenant's affair.
fn flap(interface: &str, enough: &AtomicBool) {
    let mut command = Command::new("ip");
    command.args(["-force", "-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut ip = Leashed(command.spawn().expect("start ip"));
    let mut lines = ip.stdin.take().expect("stdin is a pipe");
    while !enough.load(Ordering::Relaxed) {
        for way in ["down", "up"] {
            writeln!(lines, "link set {interface} {way}").expect("ip reads on");
            thread::sleep(PAUSE);
        }
    }
    drop(lines);
    ip.wait().expect("ip ends with its input");
}
