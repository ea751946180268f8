//! What `doctor` finds in the facts: a host without fault, and each fault of its devices, runtimes and state by itself.
#![cfg(test)]

mod doctor_support;

use doctor_support::{
    CONFIG, VFS, bind, card, config, each_is_found, findings, function, lend, mended_by, set, sound,
};
use vfhook::cdi;
use vfhook::config::parse;
use vfhook::doctor::{
    Code, Facts, Mend,
    Severity::{self, Error, Info, Warning},
    examine,
};
use vfhook::inventory::{Ability, IommuGroup, Ipv6, VfioFacts};

#[test]
fn a_host_without_fault_has_no_finding() {
    let facts = sound();
    assert_eq!(findings(&facts, CONFIG), []);
    let diagnosis = examine(&facts, &config(CONFIG));
    assert!(diagnosis.is_fit());
    assert_eq!((diagnosis.checks, diagnosis.findings.len()), (30, 1));
}

#[test]
fn what_is_not_asked_for_is_not_checked() {
    let mut facts = Facts::default();
    facts.host.has_cookies = true;
    let diagnosis = examine(&facts, &config("version = 1"));
    assert_eq!(diagnosis.checks, 11);
    assert!(diagnosis.is_fit());
}

#[test]
fn a_node_that_may_give_nothing_of_the_clusters_says_so() {
    let shared = format!(
        "{CONFIG}\n[[network]]\nname = \"shared\"\npool = \"fast\"\ninterface = \"net9\"\naddresses = [\"10.9.0.0/24\"]\ncluster = {{ block = 4 }}\n"
    );
    let mut facts = sound();
    assert_eq!(findings(&facts, &shared), []);
    facts.state.ungranted = vec!["network shared: nothing says which".to_owned()];
    let found = findings(&facts, &shared);
    assert_eq!((found.len(), found[0].code, found[0].severity), (1, Code::NotGranted, Error));
    assert!(found[0].breaks.contains("network shared"), "{found:?}");
    assert_eq!(findings(&facts, CONFIG), [], "it is not asked for");
}

#[test]
fn kernels() {
    each_is_found(&[
        (
            "too old",
            |f| {
                f.host.has_cookies = false;
                f.host.release = "5.10.0-28-amd64".to_owned();
            },
            Error,
            "kernel 5.10.0-28-amd64",
            "nothing can be attached",
            "5.14",
        ),
        (
            "without IPv6",
            |f| f.host.ipv6 = Ipv6::Absent,
            Error,
            "ipv6.disable",
            "attaching is refused",
            "without ipv6.disable=1",
        ),
    ]);
    for (ability, module) in [
        (Ability::Veth, "veth"),
        (Ability::Macvlan, "macvlan"),
        (Ability::Masquerade, "nft_chain_nat nft_masq"),
    ] {
        let mut facts = sound();
        facts.host.lacking = [ability].into();
        let found = findings(&facts, CONFIG);
        let [finding] = &found[..] else { panic!("{found:#?}") };
        assert_eq!((finding.severity, finding.subject.as_str()), (Error, module));
        assert!(mended_by(finding).contains(&format!("modprobe -a {module}`")), "{finding:#?}");
        assert_eq!(findings(&facts, "version = 1"), []);
    }
    let mut facts = sound();
    facts.host.ipv6 = Ipv6::Off;
    let found = findings(&facts, CONFIG);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].severity, &found[0].mend), (Info, &None));
    let ipv4 = CONFIG.replace(", \"fd00:96::/108\"", "").replace(", \"fd00:97::/112\"", "");
    for ipv6 in [Ipv6::Off, Ipv6::Absent] {
        facts.host.ipv6 = ipv6;
        assert_eq!(findings(&facts, &ipv4), []);
    }
}

#[test]
fn cards() {
    each_is_found(&[
        (
            "absent",
            |f| f.cards[0].found = Err("there is no such interface".to_owned()),
            Error,
            "ens1f0",
            "no such interface",
            "pf of pool fast",
        ),
        ("off in firmware", |f| function(f).total_vfs = 0, Error, "ens1f0", "firmware", "firmware"),
        ("no VF", |f| function(f).num_vfs = 0, Error, "ens1f0", "has no VF", "vfhook provision"),
        (
            "too few VFs",
            |f| function(f).num_vfs = 1,
            Warning,
            "ens1f0",
            "has 1 VFs, pool fast asks for 2",
            "when nothing uses the VFs",
        ),
        (
            "too few possible",
            |f| function(f).total_vfs = 1,
            Error,
            "ens1f0",
            "can make 1",
            "num_vfs",
        ),
        (
            "down",
            |f| f.host.links[1].up = false,
            Error,
            "ens1f0",
            "no carrier",
            "ip link set ens1f0 up",
        ),
        (
            "too short",
            |f| f.host.links[1].mtu = 1000,
            Error,
            "ens1f0",
            "its MTU is 1000, and network storage asks for 1400",
            "ip link set ens1f0 mtu 1400",
        ),
        ("none wanted", |f| f.cards[0].wanted = 0, Error, "ens1f0", "wants none", "selectors"),
    ]);
}

#[test]
fn virtual_functions() {
    each_is_found(&[
        (
            "one without driver",
            |f| bind(f, &VFS[..1], None),
            Warning,
            "ens1f0",
            "1 of the 2 VFs of pool fast have no driver",
            "for vf in 0000:01:10.0; do echo $vf > /sys/bus/pci/drivers_probe; done",
        ),
        (
            "all without driver",
            |f| bind(f, &VFS, None),
            Error,
            "ens1f0",
            "2 of the 2",
            "0000:01:10.0 0000:01:10.2;",
        ),
        (
            "elsewhere",
            |f| bind(f, &VFS[1..], Some("igbvf")),
            Warning,
            "ens1f0",
            "a namespace",
            "lsns",
        ),
    ]);
    each_is_found(&[
        (
            "one that was lent an address",
            |f| lend(f, &VFS[..1]),
            Warning,
            "ens1f0",
            "1 of the 2 VFs of pool fast have an address by DHCP or from a router",
            "host-files/",
        ),
        (
            "all that were lent one",
            |f| lend(f, &VFS),
            Error,
            "ens1f0",
            "ens1f0v0 192.168.7.20/24, ens1f0v1 192.168.7.21/24",
            "ip address flush dev NAME",
        ),
    ]);
    // A VF that is leased is in a sandbox, and counts as one that works.
    let mut leased = sound();
    leased.cards[0].idle.clear();
    assert_eq!(findings(&leased, CONFIG), []);
}

#[test]
fn an_iommu_matters_only_to_virtual_machines() {
    let mut facts = sound();
    bind(&mut facts, &VFS[..1], Some("vfio-pci"));
    let found = findings(&facts, CONFIG);
    let subjects: Vec<_> = found.iter().map(|one| (one.severity, one.subject.as_str())).collect();
    assert_eq!(subjects, [(Warning, "ens1f0"), (Info, "IOMMU")]);
    // A machine may run with it: nothing that one only has to copy takes it away.
    assert!(matches!(found[0].mend, Some(Mend::Do(_))), "{found:#?}");
    assert!(mended_by(&found[0]).contains("0000:01:10.0"), "{found:#?}");
    facts.host.command_line = "quiet intel_iommu=on".to_owned();
    assert_eq!(findings(&facts, CONFIG).len(), 1);
    facts.host.command_line.clear();
    facts.host.iommu_groups = true;
    assert_eq!(findings(&facts, CONFIG).len(), 1);
}

#[test]
fn vfs_that_are_given_to_programs() {
    const DRIVEN: &str = "version = 1\n[[pool]]\nname = \"fast\"\nkind = \"sriov\"\npf = [\"ens1f0\"]\nbind = \"vfio-pci\"\n";
    let group = |others: &[&str]| {
        let others = others.iter().map(|other| other.parse().unwrap()).collect();
        Some(IommuGroup { number: 20, is_noiommu: false, others })
    };
    let with = |has_driver, group: Option<IommuGroup>| {
        let mut facts = sound();
        let own = VfioFacts { has_driver, group, ..VfioFacts::default() };
        facts.cards[0].vfio = VFS.iter().map(|vf| (vf.parse().unwrap(), own.clone())).collect();
        facts
    };
    assert_eq!(findings(&with(true, group(&[])), DRIVEN), []);
    let noiommu = format!("{DRIVEN}noiommu = true\n");
    for (facts, text, code, cure) in [
        (with(false, group(&[])), DRIVEN, Code::VfioNotLoaded, "modprobe vfio-pci"),
        (with(true, None), DRIVEN, Code::VfioWithoutIommu, "intel_iommu=on"),
        (with(true, None), &noiommu, Code::VfioWithoutIommu, "enable_unsafe_noiommu_mode"),
        (with(true, group(&["0000:01:00.1"])), DRIVEN, Code::IommuGroupShared, "ACS"),
    ] {
        let found = findings(&facts, text);
        let [one] = &found[..] else { panic!("{code}: {found:#?}") };
        assert_eq!((one.code, one.severity), (code, Error), "{found:#?}");
        assert!(mended_by(one).contains(cure), "{found:#?}");
    }
    let mut open = with(true, None);
    open.cards[0].vfio.values_mut().for_each(|facts| facts.gives_noiommu = true);
    assert_eq!(findings(&open, &noiommu), []);
}

#[test]
fn parents_of_macvlans() {
    each_is_found(&[
        (
            "absent",
            |f| f.host.links.truncate(2),
            Error,
            "card0",
            "no such interface",
            "pf of pool slow",
        ),
        (
            "down",
            |f| f.host.links[2].up = false,
            Error,
            "card0",
            "no carrier",
            "ip link set card0 up",
        ),
        (
            "too short",
            |f| f.host.links[2].mtu = 1400,
            Error,
            "card0",
            "its MTU is 1400, and network lan asks for 1500",
            "ip link set card0 mtu 1500",
        ),
        (
            "enslaved",
            |f| f.host.links[2].master = Some(2),
            Warning,
            "card0",
            "belongs to eth0",
            "ip link set card0 nomaster",
        ),
    ]);
}

const HOOK: &str = include_str!("../hooks/vfhook-create-runtime.json");

#[test]
fn a_base_spec_that_lets_containers_open_few_files() {
    const SPEC: &str = "/etc/vfhook/base-runtime-spec.json";
    let with = |limits: &str| {
        let text = format!(r#"{{"process": {{"rlimits": {limits}}}}}"#);
        let mut facts = sound();
        facts.host.runtimes.base_specs = [(SPEC.into(), text)].into();
        findings(&facts, CONFIG)
    };
    let found = with(
        r#"[{"type": "RLIMIT_CORE", "hard": 0, "soft": 0}, {"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]"#,
    );
    let [finding] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((finding.severity, finding.subject.as_str()), (Warning, SPEC));
    assert!(finding.breaks.contains("more than 1024 files"), "{finding:#?}");
    let mend = mended_by(finding);
    assert!(
        mend.contains("del(.process.rlimits)") && mend.contains("restart containerd"),
        "{mend}"
    );
    for whole in [
        "null",
        "[]",
        r#"[{"type": "RLIMIT_NOFILE", "hard": 1048576, "soft": 1024}]"#,
        r#"[{"type": "RLIMIT_CORE", "hard": 1024, "soft": 0}]"#,
    ] {
        assert_eq!(with(whole), [], "{whole}");
    }
}

#[test]
fn who_tells_of_sandboxes() {
    each_is_found(&[
        (
            "nobody",
            |f| f.host.runtimes.nri_socket = false,
            Info,
            "/run/nri/nri.sock",
            "nothing tells",
            "vfhook setup",
        ),
        (
            "containerd without NRI",
            |f| {
                f.host.runtimes.nri_socket = false;
                let text = "version = 2\n[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = true";
                f.host.runtimes.containerd = Some(text.to_owned());
            },
            Warning,
            "/run/nri/nri.sock",
            "NRI disabled",
            "vfhook setup containerd",
        ),
        (
            "containerd that does not run",
            |f| {
                f.host.runtimes.nri_socket = false;
                let text = include_str!("../nri-config/containerd-2.toml");
                f.host.runtimes.containerd = Some(text.to_owned());
            },
            Warning,
            "/run/nri/nri.sock",
            "does not run",
            "what to restart",
        ),
        (
            "half of the hooks",
            |f| f.host.runtimes.hooks = [("/etc/a.json".into(), HOOK.to_owned())].into(),
            Warning,
            "/etc/a.json",
            "poststop",
            "vfhook setup podman",
        ),
    ]);
    let mut hooked = sound();
    hooked.host.runtimes.nri_socket = false;
    let other = include_str!("../hooks/vfhook-poststop.json");
    for (path, text) in [("/etc/a.json", HOOK), ("/etc/b.json", other), ("/etc/c.json", "{}")] {
        hooked.host.runtimes.hooks.insert(path.into(), text.to_owned());
    }
    assert_eq!(findings(&hooked, CONFIG), []);
}

#[test]
fn runtimes_are_told_of_the_networks_that_are_open() {
    let open = |networks: &[&str]| {
        let opened = networks.iter().fold(CONFIG.to_owned(), |text, name| {
            let line = format!("name = \"{name}\"\npool");
            text.replace(&line, &format!("allow = {{ cdi = true }}\n{line}"))
        });
        parse(&opened).unwrap()
    };
    let file = |networks: &[&str]| {
        let program = cdi::Program { path: "/usr/local/bin/vfhook".into(), options: Vec::new() };
        serde_json::to_string(&cdi::of_networks(&open(networks), &program)).unwrap()
    };
    let found = |networks: &[&str], text: Option<String>| {
        let mut facts = sound();
        facts.host.runtimes.cdi = text;
        let mut findings = examine(&facts, &Ok(open(networks))).findings;
        findings.retain(|finding| finding.subject == cdi::FILE);
        findings.iter().map(|found| (found.severity, found.breaks.clone(), mended_by(found))).next()
    };
    assert_eq!(found(&[], None), None);
    assert_eq!(found(&["storage", "lan"], Some(file(&["storage", "lan"]))), None);
    assert_eq!(found(&[], Some("{}".to_owned())), None, "what is not ours is nobody's affair");
    for (networks, text, severity, says, mend) in [
        (
            &["storage"][..],
            None,
            Info,
            "no runtime is told of networks that allow.cdi opens: storage",
            "vfhook cdi",
        ),
        (
            &["lan", "storage"],
            Some(file(&["lan"])),
            Warning,
            "lacks networks that allow.cdi opens: storage",
            "vfhook cdi",
        ),
        (
            &["lan"],
            Some(file(&["lan", "storage"])),
            Warning,
            "no longer opens, and containers",
            "vfhook cdi",
        ),
        (&[], Some(file(&["lan"])), Warning, "lan", "vfhook cdi --remove"),
        (&["lan"], Some("{}".to_owned()), Warning, "not vfhook's", "--file"),
    ] {
        let (found, breaks, cure) = found(networks, text).unwrap();
        assert!(
            found == severity && breaks.contains(says) && cure.contains(mend),
            "{breaks} {cure}"
        );
    }
}

#[test]
fn the_state_directory_and_its_leases() {
    each_is_found(&[
        (
            "unusable",
            |f| {
                f.state.directory = "/run/vfhook".into();
                f.state.unusable = Some("has mode 0777".to_owned());
            },
            Error,
            "/run/vfhook",
            "has mode 0777",
            "install -d -m 0700 -o root -g root /run/vfhook",
        ),
        (
            "unfinished",
            |f| f.state.unfinished = vec!["blue: half".to_owned()],
            Warning,
            "lease",
            "blue",
            "vfhook reconcile",
        ),
        (
            "unreadable",
            |f| f.state.unreadable = vec!["x".to_owned()],
            Warning,
            "lease",
            "x",
            "by hand",
        ),
    ]);
}

#[test]
fn a_wrong_configuration_is_found_with_its_fields_and_the_rest_is_looked_at() {
    let mut facts = sound();
    facts.state.unusable = Some("no".to_owned());
    let found = findings(&facts, "version = 2\nnonsense = 1");
    let subjects: Vec<&str> = found.iter().map(|one| one.subject.as_str()).collect();
    assert_eq!(subjects, ["", "version", "nonsense"]);
    assert!(found.iter().all(|one| one.severity == Error));
}

#[test]
fn the_worst_comes_first_and_nothing_twice() {
    let mut facts = sound();
    facts.host.runtimes.nri_socket = false;
    facts.host.links[1].up = false;
    facts.cards.push(card());
    set(&mut facts, "netfilter/nf_conntrack_max", 10);
    set(&mut facts, "netfilter/nf_conntrack_count", 10);
    let found = findings(&facts, CONFIG);
    let severities: Vec<Severity> = found.iter().map(|one| one.severity).collect();
    assert_eq!(severities, [Error, Warning, Info]);
}

#[test]
fn annotations_that_ask_must_be_handed_on_where_something_of_ours_reads_them() {
    let gate = "/etc/vfhook/base-runtime-spec.json";
    let gated = |keys: &str| {
        format!(
            "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\nbase_runtime_spec = \"{gate}\"\n{keys}\n"
        )
    };
    let wrapped = "[plugins.x.containerd.runtimes.fast]\n[plugins.x.containerd.runtimes.fast.options]\nBinaryName = \"/usr/bin/vfhook-runtime\"\n";
    let own = "pod_annotations = [\"vfhook.dev/*\"]";
    let genie = CONFIG.replacen("version = 1", "version = 1\naccept_annotations = [\"genie\"]", 1);
    for (containerd, spec, config, missing) in [
        (gated(own), "vfhook hook verify", CONFIG, None),
        (gated(own), "vfhook hook verify", &*genie, Some("ask by cni are")),
        (
            gated("pod_annotations = [\"vfhook.dev/*\", \"cni\"]"),
            "vfhook hook verify",
            &genie,
            None,
        ),
        (gated(""), "vfhook hook verify", &genie, Some("ask by vfhook.dev/networks, cni are")),
        (gated(""), "{}", &genie, None),
        (wrapped.to_owned(), "{}", CONFIG, Some("wrapped runtime")),
        (String::new(), "{}", &genie, None),
    ] {
        let mut facts = sound();
        facts.host.runtimes.containerd = Some(containerd.clone());
        facts.host.runtimes.base_specs = [(gate.into(), spec.to_owned())].into();
        let found = findings(&facts, config);
        let about: Vec<_> =
            found.iter().filter(|finding| finding.subject.starts_with("pod_annotations")).collect();
        match (missing, &about[..]) {
            (None, []) => {}
            (Some(words), [finding]) => {
                assert!(
                    finding.severity == Warning && finding.breaks.contains(words),
                    "{finding:#?}"
                );
                assert!(mended_by(finding).contains("vfhook.dev/*"), "{finding:#?}");
            }
            other => panic!("{containerd}: {other:#?}"),
        }
    }
}
