//! `cargo lab`: hands its arguments to the host side and exits with what that says. Nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    vfhook_lab::lab_main()
}
