//! Runs the body of the same name; must not decide anything.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vfhook_fuzz::announced::read(data));
