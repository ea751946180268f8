//! Turns `proto/nri.proto` into Rust, with no `protoc` on the machine.
//!
//! The generated code is not checked in. It says itself that it goes with one version of `protobuf` alone, so a copy would hold
//! whoever uses this crate to that version; here, cargo chooses generator and library together. `ttrpc` builds the same
//! generator for its own messages, so that costs two small crates.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use ttrpc_codegen::{Codegen, Customize, ProtobufCustomize};

/// Only the fake runtime uses the generated client.
const WIRE: &str =
    "pub(crate) mod nri;\n#[cfg(feature = \"fake-runtime\")]\npub(crate) mod nri_ttrpc;\n";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/nri.proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    Codegen::new()
        .out_dir(&out)
        .input("proto/nri.proto")
        .include("proto")
        .rust_protobuf()
        .rust_protobuf_customize(ProtobufCustomize::default().gen_mod_rs(false).lite_runtime(true))
        .customize(Customize { async_all: true, gen_mod: false, ..Customize::default() })
        .run()?;
    // Both generators can write a `mod.rs`, each without the other's module, and it starts with
    // inner attributes that `include!` rejects.
    fs::write(out.join("wire.rs"), WIRE)?;
    Ok(())
}
