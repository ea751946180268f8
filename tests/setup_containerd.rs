//! What `vfhook setup containerd` plans for configurations as they are found: in which file, by which names, with what of the operator's own
//! said again; and that taking it back is the bytes of before, or what somebody made of them since.
#![cfg(test)]

use std::{collections::BTreeMap, path::Path};

use vfhook::setup::{Change, Containerd, Plan, Refusal, Undo, Version, Wanted, undo_of};

const MAIN: &str = "/etc/containerd/config.toml";
const SPEC: &str = "/etc/vfhook/containerd-base-spec.json";
const DEFAULT_SPEC: &str =
    r#"{"process": {"rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024}], "cwd": "/"}}"#;

const ONE: Version = Version(1, 7, 24);
const TWO: Version = Version(2, 1, 9);

fn wanted() -> Wanted {
    Wanted {
        base_spec: Some(SPEC.into()),
        cdi: false,
        annotations: vec!["vfhook.dev/*".to_owned()],
        vfhook: "/usr/bin/vfhook".into(),
    }
}

/// A containerd that says this of itself, with these files.
fn containerd(version: Version, effective: &str, files: &[(&str, Option<&str>)]) -> Containerd {
    let file = |(path, text): &(&str, Option<&str>)| ((*path).into(), text.map(str::to_owned));
    Containerd {
        version,
        files: files.iter().map(file).collect(),
        effective: effective.parse().unwrap(),
        spec: DEFAULT_SPEC.to_owned(),
        specs: BTreeMap::new(),
    }
}

/// What a containerd with one runtime says.
fn effective(version: Version, more: &str) -> String {
    let (cri, nri) = if version < TWO {
        ("io.containerd.grpc.v1.cri", true)
    } else {
        ("io.containerd.cri.v1.runtime", false)
    };
    format!(
        "[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = {nri}\nsocket_path = \"/var/run/nri/nri.sock\"\n\
         [plugins.\"{cri}\".containerd.runtimes.runc]\nruntime_type = \"io.containerd.runc.v2\"\nbase_runtime_spec = \"\"\n{more}"
    )
}

/// The change of one file among those of a plan.
#[track_caller]
fn of<'a>(plan: &'a Plan, path: &str) -> &'a Change {
    plan.changes
        .iter()
        .find(|change| change.path == Path::new(path))
        .unwrap_or_else(|| panic!("{plan:#?}"))
}

fn undone(change: &Change, found: &str) -> Undo {
    undo_of(change, Some(found)).unwrap()
}

#[test]
fn without_a_guard_nothing_is_written_where_nri_is_on() {
    let unguarded = Wanted { base_spec: None, ..wanted() };
    let two = containerd(TWO, &effective(TWO, ""), &[(MAIN, Some("version = 3\n"))]);
    let plan = two.plan(&unguarded).unwrap();
    assert_eq!((plan.changes.len(), plan.restart.len()), (0, 0));
    assert!(plan.notes[0].contains("--base-spec"), "{:?}", plan.notes);
    let one = containerd(ONE, &effective(ONE, ""), &[(MAIN, Some("version = 2\n"))]);
    let plan = one.plan(&unguarded).unwrap();
    let [change] = &plan.changes[..] else { panic!("{plan:#?}") };
    assert_eq!(
        change.after,
        "version = 2\n\n[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = false\n"
    );
    assert_eq!(plan.restart, ["systemctl restart containerd"]);
}

#[test]
fn the_spec_comes_first_and_has_the_hook_and_no_limits() {
    let plan = containerd(TWO, &effective(TWO, ""), &[(MAIN, None)]).plan(&wanted()).unwrap();
    let paths: Vec<_> = plan.changes.iter().map(|change| change.path.to_str().unwrap()).collect();
    assert_eq!(paths, [SPEC, MAIN]);
    let spec = &plan.changes[0].after;
    assert!(!spec.contains("rlimits") && spec.contains("/usr/bin/vfhook"), "{spec}");
    assert!(of(&plan, MAIN).after.starts_with("version = 3\n"));
}

/// Up to 1.7 a drop-in would put its few lines in place of the operator's whole section.
#[test]
fn one_dot_seven_is_edited_where_its_table_is() {
    let dropped = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  enable_selinux = true\n  [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n    # ours\n    runtime_type = \"io.containerd.runc.v2\"\n    pod_annotations = [\"a.b/*\"]\n";
    let files = [
        (MAIN, Some("version = 2\nimports = [\"conf.d/*.toml\"]\n")),
        ("/etc/containerd/conf.d/a.toml", Some(dropped)),
    ];
    let plan = containerd(ONE, &effective(ONE, "pod_annotations = [\"a.b/*\"]"), &files)
        .plan(&wanted())
        .unwrap();
    let change = of(&plan, "/etc/containerd/conf.d/a.toml");
    assert_eq!(
        change.after,
        dropped.replace(
            "[\"a.b/*\"]\n",
            &format!("[\"vfhook.dev/*\", \"a.b/*\"]\n    base_runtime_spec = \"{SPEC}\"\n")
        )
    );
    // NRI, which no file has, goes into the main one.
    assert!(of(&plan, MAIN).after.contains("nri.v1.nri"));
}

#[test]
fn two_gets_a_file_beside_the_others_with_the_version_of_the_main_one() {
    for (version, names) in [(2, "io.containerd.grpc.v1.cri"), (3, "io.containerd.cri.v1.runtime")]
    {
        let main = format!("version = {version}\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n");
        let plan = containerd(
            TWO,
            &effective(TWO, "pod_annotations = [\"a.b/*\"]"),
            &[(MAIN, Some(&main))],
        );
        let plan = plan.plan(&wanted()).unwrap();
        let ours = of(&plan, "/etc/containerd/conf.d/99-vfhook.toml");
        assert!(ours.after.starts_with(&format!("version = {version}\n")), "{}", ours.after);
        assert!(ours.after.contains(names), "{}", ours.after);
        assert!(ours.after.contains("[\"vfhook.dev/*\", \"a.b/*\"]"), "{}", ours.after);
        assert_eq!(undone(ours, &ours.after), Undo::Restore(None));
        assert!(plan.changes.iter().all(|change| change.path != Path::new(MAIN)));
    }
}

#[test]
fn a_later_file_that_says_the_same_is_edited() {
    let theirs = "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\npod_annotations = [\n  'x.y/*', # theirs\n  'z.y/*', # too\n]\n";
    let files = [
        (MAIN, Some("version = 3\nimports = [\"conf.d/*.toml\"]\n")),
        ("/etc/containerd/conf.d/zz.toml", Some(theirs)),
    ];
    let plan = containerd(TWO, &effective(TWO, "pod_annotations = [\"x.y/*\", \"z.y/*\"]"), &files);
    let plan = plan.plan(&wanted()).unwrap();
    let change = of(&plan, "/etc/containerd/conf.d/zz.toml");
    assert_eq!(change.after, theirs.replace("[\n", "[\n  \"vfhook.dev/*\",\n"));
    assert!(of(&plan, "/etc/containerd/conf.d/99-vfhook.toml").after.contains(SPEC));
}

#[test]
fn every_runtime_like_runc_is_guarded_and_a_spec_of_its_own_is_kept() {
    let more = "[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.nvidia]\nruntime_type = \"io.containerd.runc.v2\"\n\
                base_runtime_spec = \"/etc/theirs.json\"\n\
                [plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.kata]\nruntime_type = \"io.containerd.kata.v2\"\n";
    let mut two = containerd(TWO, &effective(TWO, more), &[(MAIN, Some("version = 3\n"))]);
    assert!(two.plan(&wanted()).unwrap_err().why.contains("/etc/theirs.json"));
    two.specs.insert(
        "/etc/theirs.json".into(),
        r#"{"process": {"rlimits": [1]}, "mine": true}"#.to_owned(),
    );
    let plan = two.plan(&wanted()).unwrap();
    let theirs = of(&plan, "/etc/vfhook/containerd-base-spec-nvidia.json");
    assert!(
        theirs.after.contains("\"mine\"") && theirs.after.contains("rlimits"),
        "{}",
        theirs.after
    );
    assert!(!of(&plan, MAIN).after.contains("kata"));
    // Who wrote the hook there by hand has it.
    let by_hand = r#"{"hooks": {"createRuntime": [{"args": ["vfhook", "hook", "verify"]}]}}"#;
    two.specs.insert("/etc/theirs.json".into(), by_hand.to_owned());
    let plan = two.plan(&wanted()).unwrap();
    assert!(
        plan.changes
            .iter()
            .all(|change| !change.path.ends_with("containerd-base-spec-nvidia.json"))
    );
}

#[test]
fn what_no_file_of_ours_can_mend_is_told() {
    let refusal = |containerd: &Containerd| -> Refusal { containerd.plan(&wanted()).unwrap_err() };
    let old = containerd(Version(1, 6, 20), "", &[(MAIN, None)]);
    assert!(refusal(&old).why.contains("1.7 or later"));
    let disabled =
        format!("disabled_plugins = [\"io.containerd.nri.v1.nri\"]\n{}", effective(TWO, ""));
    assert!(
        refusal(&containerd(TWO, &disabled, &[(MAIN, Some("version = 3\n"))]))
            .why
            .contains("disabled_plugins")
    );
    let unversioned = containerd(ONE, &effective(ONE, ""), &[(MAIN, Some("root = \"/x\"\n"))]);
    assert!(refusal(&unversioned).why.contains("migrate"));
    let k3s = "/var/lib/rancher/k3s/agent/etc/containerd/config.toml";
    let generated = containerd(TWO, &effective(TWO, ""), &[(k3s, Some("version = 3\n"))]);
    let refused = refusal(&generated);
    assert!(refused.why.contains("template"), "{}", refused.why);
    assert!(refused.content.unwrap().contains("base_runtime_spec"));
}

#[test]
fn k3s_that_imports_gets_a_file_and_its_own_unit() {
    let directory = "/var/lib/rancher/k3s/agent/etc/containerd";
    let main = format!("version = 3\nimports = [\"{directory}/config-v3.toml.d/*.toml\"]\n");
    let k3s =
        containerd(TWO, &effective(TWO, ""), &[(&format!("{directory}/config.toml"), Some(&main))]);
    let plan = k3s.plan(&wanted()).unwrap();
    of(&plan, &format!("{directory}/config-v3.toml.d/99-vfhook.toml"));
    assert!(plan.restart[0].contains("k3s"), "{:?}", plan.restart);
}

#[test]
fn a_distribution_is_known_by_where_its_file_is() {
    for (main, directory, unit) in [
        (
            "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
            "config-v3.toml.d",
            "rke2-agent",
        ),
        ("/etc/k0s/containerd.toml", "containerd.d", "k0sworker"),
    ] {
        let folder = Path::new(main).parent().unwrap().join(directory);
        let text = format!("version = 3\nimports = [\"{}/*.toml\"]\n", folder.display());
        let its = containerd(TWO, &effective(TWO, ""), &[(main, Some(&text))]);
        let plan = its.plan(&wanted()).unwrap();
        let ours = of(&plan, folder.join("99-vfhook.toml").to_str().unwrap());
        assert!(ours.after.starts_with("version = 3\n"), "{}", ours.after);
        assert!(plan.restart[0].contains(unit), "{:?}", plan.restart);
        assert!(plan.changes.iter().all(|change| change.path != Path::new(main)), "{plan:#?}");
    }
    // Its file is made anew from a template, which is the operator's to change.
    let main = "/var/snap/microk8s/current/args/containerd.toml";
    let its = containerd(TWO, &effective(TWO, ""), &[(main, Some("version = 2\n"))]);
    let refused = its.plan(&wanted()).unwrap_err();
    assert!(refused.why.contains("containerd-template.toml"), "{}", refused.why);
    assert!(refused.content.unwrap().contains("io.containerd.grpc.v1.cri"));
}

#[test]
fn bytes_are_back_and_what_was_edited_since_is_taken_apart() {
    let before = "\u{feff}# mine\r\nversion = 2\r\n[plugins.\"io.containerd.nri.v1.nri\"]\r\n\tdisable = true # off\r\n";
    let effective = effective(ONE, "");
    let plan = containerd(ONE, &effective, &[(MAIN, Some(before))]).plan(&wanted()).unwrap();
    let change = of(&plan, MAIN);
    assert!(change.after.starts_with("\u{feff}# mine\r\nversion = 2\r\n"), "{:?}", change.after);
    assert!(change.after.contains("\tdisable = false # off\r\n"), "{:?}", change.after);
    assert!(!change.after.replace("\r\n", "").contains('\n'));
    assert_eq!(undone(change, &change.after), Undo::Restore(Some(before.to_owned())));
    assert_eq!(undone(change, before), Undo::Nothing);
    // Somebody writes a table behind ours, adds to our list and changes one value.
    let since = change.after.replace("[\"vfhook.dev/*\"]", "[\"vfhook.dev/*\", \"new/*\"]");
    let since = format!("{since}\r\n[metrics]\r\naddress = \"x\"\r\n");
    let Undo::TakeOut { then, left, .. } = undone(change, &since) else { panic!() };
    let then = then.unwrap();
    assert_eq!(left, []);
    assert!(!then.contains("vfhook"), "{then}");
    for kept in [
        "\tdisable = true # off\r\n",
        "pod_annotations = [\"new/*\"]",
        "[metrics]\r\naddress = \"x\"\r\n",
    ] {
        assert!(then.contains(kept), "{kept:?} in {then}");
    }
    let changed = change.after.replace(SPEC, "/etc/other.json");
    let Undo::TakeOut { then, left, .. } = undone(change, &changed) else { panic!() };
    assert!(then.unwrap().contains("/etc/other.json"));
    assert_eq!(left.len(), 1);
    assert!(left[0].to_string().ends_with("is \"/etc/other.json\" now: it stays"), "{}", left[0]);
}
