//! strace's way of making netlink messages fail: the call that would send one returns an error, and the kernel never sees it. It must not
//! know what the messages are for.

use std::fs;

use super::failure::Failure;

/// Where strace writes down which calls it made fail.
const TRACE: &str = "/tmp/lab-strace";

/// Which of a thread's messages fail, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fails {
    /// This one.
    Only(usize),
    /// This one and all after it.
    From(usize),
}

/// The command line of a strace that makes them fail with this errno; what it traces follows: a program, or `-p` and a pid.
pub(crate) fn line(errno: &str, fails: Fails) -> String {
    let when = match fails {
        Fails::Only(number) => number.to_string(),
        Fails::From(number) => format!("{number}+"),
    };
    format!("strace -f -qq -o {TRACE} -e trace=sendto -e inject=sendto:error={errno}:when={when}")
}

/// Whether the last strace made a netlink message fail.
pub(crate) fn has_struck() -> Result<bool, Failure> {
    let text = fs::read_to_string(TRACE).map_err(Failure::file("read", TRACE))?;
    Ok(text.lines().any(|line| line.contains("nlmsg_len") && line.contains("(INJECTED)")))
}
