//! `src/wire` is what the generators make of `proto/nri.proto`, but for one line. `BLESS=1` writes it anew. It is checked in, so
//! that who depends on this crate runs no generator for it.
//!
//! The line says that the code goes with one version of `protobuf` alone, since its author promises nothing for others. It would
//! hold whoever uses this crate to that version. What `Cargo.toml` asks for instead is the version that the generator is of, or a
//! later one before 4.0; `make minimal` compiles the crate with the oldest.

#![cfg(test)]

use std::fs;
use std::path::Path;

use ttrpc_codegen::{Codegen, Customize, ProtobufCustomize};

/// The line.
const PIN: &str = "const _PROTOBUF_VERSION_CHECK: () = ::protobuf::VERSION_3_7_2;";

#[test]
fn the_wire_types_are_what_the_generators_make() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = tempfile::tempdir().unwrap();
    generate(folder, made.path());
    for name in ["nri.rs", "nri_ttrpc.rs"] {
        let text = without_pin(&fs::read_to_string(made.path().join(name)).unwrap());
        let file = folder.join("src/wire").join(name);
        if std::env::var_os("BLESS").is_some() {
            fs::write(&file, &text).unwrap();
        }
        let known = fs::read_to_string(&file).unwrap_or_default();
        let line = known.lines().zip(text.lines()).position(|(known, made)| known != made);
        assert!(
            known == text,
            "src/wire/{name} is another from line {:?} on (of {} and {}); BLESS=1 writes it anew",
            line.map(|line| line + 1),
            known.lines().count(),
            text.lines().count()
        );
    }
}

/// The library that is asked for is that of the generator, so that nothing older is taken.
#[test]
fn the_library_is_as_old_as_the_generator_at_most() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let asked = manifest.lines().find_map(|line| line.strip_prefix("protobuf = \""));
    let of = asked.unwrap().trim_end_matches('"').replace('.', "_");
    assert!(PIN.ends_with(&format!("VERSION_{of};")), "{of}");
}

fn generate(folder: &Path, out: &Path) {
    Codegen::new()
        .out_dir(out)
        .input(folder.join("proto/nri.proto"))
        .include(folder.join("proto"))
        .rust_protobuf()
        .rust_protobuf_customize(ProtobufCustomize::default().gen_mod_rs(false).lite_runtime(true))
        .customize(Customize { async_all: true, gen_mod: false, ..Customize::default() })
        .run()
        .unwrap();
}

/// Without the line and the words about it; the generator of the services writes none.
fn without_pin(text: &str) -> String {
    let about =
        "/// Generated files are compatible only with the same version\n/// of protobuf runtime.\n";
    let text = text.replacen(&format!("{about}{PIN}\n\n"), "", 1);
    assert!(!text.contains("VERSION_CHECK"), "the generator is of another version than {PIN}");
    text
}
