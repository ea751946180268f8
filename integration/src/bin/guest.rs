//! The program that runs inside the VM: hands over to the guest side. Nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    vfhook_lab::guest_main()
}
