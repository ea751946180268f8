//! Reads `src` and keeps the layers: who may name whom, and who may touch what. A rule that is in the way is
//! changed here, in the open, and in ARCHITECTURE.md.
#![cfg(test)]

mod support;

use support::{
    modules::Modules,
    source::{Source, code_of, paths, sources, sources_in},
};

/// A part of the program, and all that it may name of others. Each part names only parts above it in the list, so
/// that reading from the top down nothing is met before it is known.
struct Part {
    /// The folder, below `src`.
    folder: &'static str,
    /// Paths that it may name, with everything below them.
    may_name: &'static [&'static str],
}

const PARTS: [Part; 23] = [
    Part { folder: "types", may_name: &[] },
    Part { folder: "telemetry", may_name: &[] },
    Part { folder: "kill_point", may_name: &[] },
    Part { folder: "history", may_name: &["types"] },
    Part { folder: "metrics", may_name: &["history", "types"] },
    Part { folder: "config", may_name: &["types"] },
    Part { folder: "cdi", may_name: &["config", "types"] },
    Part { folder: "import", may_name: &["config", "types"] },
    Part { folder: "request", may_name: &["config", "types"] },
    Part { folder: "setup", may_name: &["config", "types"] },
    Part { folder: "inventory", may_name: &["types"] },
    Part {
        folder: "doctor",
        may_name: &["cdi", "config", "inventory", "request::NETWORKS", "request::Speaker", "types"],
    },
    Part { folder: "plan", may_name: &["config", "inventory", "request", "types"] },
    Part {
        folder: "lease",
        may_name: &["history", "kill_point", "plan", "request::NetworkRequest", "types"],
    },
    // A file that it publishes is a write to die at.
    Part {
        folder: "kernel",
        may_name: &["cdi::FILE", "inventory", "kill_point", "plan::Plan", "plan::step", "types"],
    },
    Part {
        folder: "kernel/fake",
        may_name: &["inventory", "kernel", "plan::Plan", "plan::sentence", "plan::step", "types"],
    },
    Part {
        folder: "execute",
        may_name: &["kernel::Kernel", "kernel::KernelError", "kill_point", "plan", "types"],
    },
    Part {
        folder: "operation",
        may_name: &[
            "cdi",
            "config",
            "doctor",
            "execute",
            "history",
            "inventory",
            "kernel::Concern",
            "kernel::CountsTraffic",
            "kernel::Kernel",
            "kernel::KernelError",
            // What another program is, says and reads.
            "kernel::Program",
            "kernel::host_name",
            "kernel::is_writable",
            "kernel::make_directory",
            "kernel::matching_files",
            "kernel::missing_directories",
            "kernel::publish_file",
            "kernel::published_file",
            "kernel::read_config",
            "kernel::remove_empty_directory",
            "kernel::resolved",
            "kernel::withdraw_file",
            "kernel::write_config",
            "kill_point",
            "lease",
            "metrics",
            "plan",
            "request",
            "setup",
            "types",
        ],
    },
    // Frontends make the real kernel and the real store, to hand them to an operation, and read a lease.
    Part {
        folder: "frontend/kubelet",
        may_name: &[
            "cdi",
            "config",
            "kernel::FileIdentity",
            "kernel::LinuxKernel",
            "kernel::OwnSocket",
            "kernel::directory_events",
            "kernel::publish_file",
            "kernel::withdraw_files",
            "lease::Claim",
            "lease::LeaseError",
            "lease::LeaseStore",
            "lease::PreparedClaim",
            "operation",
            "request",
            "types",
        ],
    },
    Part {
        folder: "frontend/http",
        may_name: &[
            "kernel::OwnSocket",
            "kernel::PassedSocket",
            "lease::Seen",
            "metrics",
            "operation::Picture",
            "types",
        ],
    },
    Part {
        folder: "frontend/nri",
        may_name: &[
            "config::Tell",
            "frontend::kubelet",
            "kernel::LinuxKernel",
            "lease::Claim",
            "lease::Lease",
            "operation",
            "request",
            "types",
        ],
    },
    Part {
        folder: "daemon",
        may_name: &[
            "config",
            "frontend::http",
            "frontend::kubelet",
            "frontend::nri",
            "history",
            "kernel::Concern",
            "kernel::Heard",
            "kernel::HostEvents",
            "kernel::LinuxKernel",
            "kernel::NotTaken",
            "kernel::PassedSocket",
            "lease::LeaseError",
            "lease::LeaseStore",
            "metrics",
            "operation",
            "types",
        ],
    },
    // Last: it names the daemon, which it starts.
    Part {
        folder: "frontend",
        may_name: &[
            "cdi",
            "config",
            "daemon",
            "history",
            "import",
            "kernel::Happened",
            "kernel::Kernel",
            "kernel::KernelError",
            "kernel::LinuxKernel",
            "kernel::MadeNetns",
            "kernel::Program",
            "kernel::Terminal",
            "kernel::ahead_of_utc",
            "kernel::append_line",
            "kernel::become_program",
            "kernel::is_this_program",
            "kernel::lacks_rights",
            "kernel::publish_file",
            "kernel::published_file",
            "kernel::read_config",
            "kernel::rewrite_file",
            "kernel::runs_as_itself",
            "kernel::runs_as_root",
            "lease::LeaseError",
            "lease::Lease",
            "lease::LeaseStore",
            "lease::Seen",
            "lease::new_serial",
            "metrics",
            "operation",
            "request",
            "setup",
            "telemetry",
            "types",
        ],
    },
];

/// Something of the world outside, and the only places that may name it.
struct Tool {
    /// The path as it is written.
    root: &'static str,
    /// What below it is meant; empty for all.
    below: &'static [&'static str],
    /// Folders or files.
    places: &'static [&'static str],
}

const TOOLS: [Tool; 21] = [
    // The configuration, what is imported and an OCI bundle are read, a process that is told to die says where; everything else with files is the
    // kernel's or a lease.
    Tool {
        root: "std",
        below: &["fs"],
        places: &[
            "kernel",
            "lease",
            "history",
            "config/load.rs",
            "frontend/import.rs",
            "frontend/oci_hook/bundle.rs",
            "kill_point/armed.rs",
        ],
    },
    // The system's log is a socket in the file system, and the journal a stream with a number.
    Tool { root: "std", below: &["os"], places: &["history", "kernel", "lease", "telemetry"] },
    Tool {
        root: "std",
        below: &["thread"],
        places: &["kernel", "lease/lock.rs", "daemon/keeper.rs", "frontend/top.rs"],
    },
    Tool {
        root: "std",
        below: &["time::Instant", "time::SystemTime"],
        places: &[
            "types/deadline.rs",
            "execute/timed.rs",
            "operation/mod.rs",
            "operation/journal.rs",
            "history/moment.rs",
            "daemon/pulse.rs",
            "frontend/http/mod.rs",
            "frontend/http/audience.rs",
            "frontend/terminal_page.rs",
            "frontend/top.rs",
            "daemon/keeper.rs",
        ],
    },
    Tool {
        root: "std",
        below: &["net::TcpStream", "net::TcpListener", "net::UdpSocket", "process"],
        // A thread that cannot leave a sandbox ends all; a wrapped runtime takes this process over; systemd hands a listener over.
        places: &[
            "main.rs",
            "kernel/netns.rs",
            "kernel/exec.rs",
            "kernel/made_netns.rs",
            "kernel/passed_socket.rs",
            "kernel/program.rs",
        ],
    },
    // CNI passes its arguments in variables, the journal its number; and who has a gate made says which program keeps it.
    Tool {
        root: "std",
        below: &["env"],
        places: &[
            "main.rs",
            "frontend/cni",
            "frontend/command.rs",
            "kernel/exec.rs",
            "kernel/program.rs",
            "kill_point/armed.rs",
            "telemetry",
        ],
    },
    Tool { root: "std", below: &["hash"], places: &["lease/store.rs"] },
    Tool {
        root: "nix",
        below: &[],
        places: &["history", "kernel", "lease", "kill_point/armed.rs", "telemetry/journal.rs"],
    },
    Tool { root: "netlink_packet_core", below: &[], places: &["kernel"] },
    Tool { root: "netlink_packet_route", below: &[], places: &["kernel"] },
    Tool { root: "netlink_sys", below: &[], places: &["kernel"] },
    Tool {
        root: "tracing",
        below: &[],
        places: &["kernel", "execute", "operation", "daemon", "frontend", "telemetry", "main.rs"],
    },
    Tool {
        root: "tokio",
        below: &[],
        places: &["daemon", "frontend/http", "frontend/kubelet", "frontend/nri"],
    },
    Tool { root: "grpc_unix", below: &[], places: &["frontend/kubelet"] },
    Tool { root: "prost", below: &[], places: &["frontend/kubelet"] },
    // The command line has the runtime's usual socket as a default.
    Tool {
        root: "containerd_nri",
        below: &[],
        places: &[
            "daemon",
            "frontend/nri",
            "frontend/arguments.rs",
            "frontend/runtime_arguments.rs",
        ],
    },
    Tool {
        root: "clap",
        below: &[],
        places: &[
            "frontend/arguments.rs",
            "frontend/history_arguments.rs",
            "frontend/runtime_arguments.rs",
            "frontend/attachment_arguments.rs",
            "frontend/setup_arguments.rs",
            "frontend/shortcut.rs",
            "main.rs",
        ],
    },
    Tool { root: "socket_translation", below: &[], places: &["kernel"] },
    Tool { root: "saphyr_parser", below: &[], places: &["import/yaml.rs"] },
    Tool { root: "toml_edit", below: &[], places: &["setup/toml_text.rs"] },
    Tool { root: "similar", below: &[], places: &["setup/diff.rs"] },
];

/// Words that only some places may have in their code.
const WORDS: [(&str, &[&str]); 6] = [
    ("unsafe {", &["kernel"]),
    ("async ", &["daemon", "frontend/http", "frontend/kubelet", "frontend/nri"]),
    (".await", &["daemon", "frontend/http", "frontend/kubelet", "frontend/nri"]),
    ("println!", &["frontend/output.rs"]),
    (
        // Where a container finds what it may know has a similar name.
        "/run/vfhook",
        &[
            "operation/mod.rs",
            "frontend/arguments.rs",
            "frontend/runtime_arguments.rs",
            "types/notice_name.rs",
        ],
    ),
    // A grant that is of another run of the machine is none.
    ("/proc/", &["kernel", "lease/boot.rs"]),
];

/// Ways to change files. What `kernel` changes is the machine; what `lease` changes is the state directory, and what `history` does, the
/// journal beside it.
const WRITES: [&str; 13] = [
    "fs::write",
    "fs::rename",
    "fs::copy",
    "fs::hard_link",
    "fs::remove_file",
    "fs::remove_dir",
    "fs::create_dir",
    "fs::set_permissions",
    "fs::symlink",
    "File::create",
    "File::options",
    "OpenOptions",
    "DirBuilder",
];

/// Parts that only compute: the same question has the same answer, whatever the clock and the machine say.
const PURE: [&str; 8] =
    ["types", "config", "import", "request", "setup", "inventory", "doctor", "plan"];

/// All that a part which only computes needs of the standard library.
const PURE_STD: [&str; 15] = [
    "borrow",
    "collections",
    "error",
    "fmt",
    "iter::once",
    "net::IpAddr",
    "net::Ipv4Addr",
    "net::Ipv6Addr",
    "net::SocketAddr",
    "num",
    "ops::Range",
    "path",
    "str",
    "sync::Arc",
    "sync::OnceLock",
];

fn is_below(path: &str, prefix: &str, separator: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}

fn is_in(source: &Source, places: &[&str]) -> bool {
    places.iter().any(|place| is_below(&source.path, place, "/"))
}

/// The innermost part that a file belongs to.
fn part_of(source: &Source) -> Option<&'static Part> {
    let inner = PARTS.iter().filter(|part| is_below(&source.path, part.folder, "/"));
    inner.max_by_key(|part| part.folder.len())
}

#[track_caller]
fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_part_names_only_what_it_may() {
    let mut broken = Vec::new();
    for source in sources() {
        let Some(part) = part_of(&source) else { continue };
        let own = part.folder.replace('/', "::");
        for path in source.paths("crate") {
            let may =
                part.may_name.iter().chain([&own.as_str()]).any(|may| is_below(&path, may, "::"));
            if !may {
                broken.push(format!("{} names {path}", source.path));
            }
        }
        let inside = source.depth() - part.folder.split('/').count();
        if source.ups() > inside {
            broken.push(format!("{} goes up out of {}", source.path, part.folder));
        }
    }
    assert_none(&broken);
}

#[test]
fn the_list_of_parts_is_an_order() {
    let part_named = |path: &str| {
        let named = PARTS.iter().position(|part| part.folder.replace('/', "::") == path);
        named.or_else(|| {
            let first = path.split("::").next();
            PARTS.iter().position(|part| Some(part.folder) == first)
        })
    };
    for (position, part) in PARTS.iter().enumerate() {
        for path in part.may_name {
            let named = part_named(path).unwrap_or_else(|| panic!("{path} is of no part"));
            assert!(named < position, "{} may name {path}, which comes later", part.folder);
        }
    }
}

/// Read in some order, no file of a folder names one that comes later. Parts have the order of the list.
#[test]
fn no_files_of_a_folder_name_each_other_in_a_circle() {
    let mut circles = Modules::of(&sources()).circles(false);
    for library in [
        "crates/address-blocks/src",
        "crates/containerd-nri/src",
        "crates/grpc-unix/src",
        "crates/socket-translation/src",
    ] {
        circles.extend(Modules::of(&sources_in(library)).circles(true));
    }
    assert_none(&circles);
}

#[test]
fn a_circle_is_found_by_whatever_path_it_is_closed() {
    let file = |path: &str, code: &str| Source {
        path: path.to_owned(),
        text: String::new(),
        code: code.to_owned(),
    };
    let circles = |closing: &str| {
        let sources = [
            file("lib.rs", "mod a;\nmod b;"),
            file("a/mod.rs", "mod one;\nmod two;\npub use one::{One, make};"),
            file("a/one.rs", "use super::two;"),
            file("a/two.rs", closing),
            file("b.rs", "use crate::a::{One, one};"),
        ];
        Modules::of(&sources).circles(true)
    };
    for closing in [
        "use super::one;",
        "use super::one::One;",
        "use crate::a::one::{self, make};",
        "use super::One;",
        "use crate::{a::make, b};",
        "fn two() { super::make() }",
    ] {
        let found = circles(closing);
        assert!(
            found.iter().any(|found| found.starts_with("a: one names two")),
            "{closing}: {found:?}"
        );
    }
    assert_eq!(circles("use super::Three;"), [""; 0]);
    assert_eq!(circles("use crate::b::B;"), [": a names b, b names a"]);
}

#[test]
fn every_file_belongs_to_a_part() {
    let outside = sources().into_iter().filter(|source| part_of(source).is_none());
    let outside: Vec<String> = outside.map(|source| source.path).collect();
    assert_eq!(outside, ["lib.rs", "main.rs"]);
    let main = sources().into_iter().find(|source| source.path == "main.rs").unwrap();
    let mut named = main.paths("vfhook").into_iter();
    assert!(
        named.all(|path| ["frontend", "telemetry"].iter().any(|may| is_below(&path, may, "::")))
    );
}

#[test]
fn what_is_outside_is_touched_only_where_it_may_be() {
    let mut broken = Vec::new();
    for source in sources() {
        for tool in TOOLS.iter().filter(|tool| !is_in(&source, tool.places)) {
            for path in source.paths(tool.root) {
                let meant = tool.below.is_empty()
                    || tool.below.iter().any(|below| is_below(&path, below, "::"));
                if meant {
                    broken.push(format!("{} names {}::{path}", source.path, tool.root));
                }
            }
        }
        for (word, places) in WORDS {
            if source.code.contains(word) && !is_in(&source, places) {
                broken.push(format!("{} says {word:?}", source.path));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn only_the_kernel_leases_and_the_history_change_files() {
    let mut broken = Vec::new();
    let places = ["history", "kernel", "lease", "kill_point/armed.rs"];
    for source in sources().iter().filter(|source| !is_in(source, &places)) {
        let written = WRITES.iter().filter(|word| source.code.contains(*word));
        broken.extend(written.map(|word| format!("{} says {word}", source.path)));
    }
    assert_none(&broken);
}

#[test]
fn parts_that_only_compute_have_no_clock_and_no_machine() {
    // Where time and files come in.
    const DOORS: [&str; 2] = ["types/deadline.rs", "config/load.rs"];
    let mut broken = Vec::new();
    let pure = |source: &&Source| is_in(source, &PURE) && !is_in(source, &DOORS);
    for source in sources().iter().filter(pure) {
        for path in source.paths("std") {
            if !PURE_STD.iter().any(|may| is_below(&path, may, "::")) {
                broken.push(format!("{} names std::{path}", source.path));
            }
        }
        if source.paths("crate").contains("types::Deadline") {
            broken.push(format!("{} knows of time", source.path));
        }
    }
    assert_none(&broken);
}

#[test]
fn every_file_has_one_job_says_which_and_is_short() {
    const NO_JOB: [&str; 7] = ["utils", "util", "helpers", "common", "manager", "misc", "imp"];
    const LONGEST: usize = 300;
    let mut broken = Vec::new();
    for source in sources() {
        let path = &source.path;
        if !source.text.starts_with("//! ") {
            broken.push(format!("{path} does not say its job in //!"));
        }
        let mut names = path.trim_end_matches(".rs").split('/');
        if names.any(|name| NO_JOB.contains(&name)) {
            broken.push(format!("{path} is named after no job"));
        }
        let lines = source.code.lines().count();
        if lines > LONGEST {
            broken.push(format!("{path} has {lines} lines before its tests"));
        }
    }
    assert_none(&broken);
}

#[test]
fn paths_are_read_as_rust_reads_them() {
    let code = code_of(
        "use crate::{\n    config::{self, Config},\n    plan::step::{Place as Where, Step}, // crate::no\n};\n\
         /// [`crate::lease::Lease`]\nlet x = crate::types::quote(crate::kernel::A { b });\nuse mycrate::no;\n\
         #[cfg(test)]\nmod tests {\n    use crate::execute;\n}\n",
    );
    let found: Vec<String> = paths(&code, "crate").into_iter().collect();
    let expected = [
        "config",
        "config::Config",
        "kernel::A",
        "plan::step::Place",
        "plan::step::Step",
        "types::quote",
    ];
    assert_eq!(found, expected);
}
