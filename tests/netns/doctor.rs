//! `vfhook doctor` on a host without fault, and on one that is made unfit in one way at a time. What it says to be broken
//! is broken, and the commands that it prints mend it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    thread,
    time::Duration,
};

use crate::netns_support::{
    command::shell,
    config::VETH,
    diagnosis::{about, examine, is_mended_by_what_it_says, must_find, must_not_find},
    dump::Dump,
    host::on_a_host,
};
use vfhook::kernel::Kernel as _;

#[test]
fn a_host_without_fault_is_fit_and_stays_as_it_is() {
    on_a_host(|host| {
        shell("nft add table ip kube-proxy; nft add chain ip kube-proxy services").ok();
        let before = Dump::of_host_at_rest(host);
        let findings = examine(host, 0);
        assert!(findings.iter().all(|one| one["severity"] == "info"), "{findings:#?}");
        before.must_be_again(host);
    });
}

#[test]
fn people_get_lines_of_80_columns_and_a_count() {
    on_a_host(|host| {
        shell("iptables -P FORWARD DROP; ip link set card0 down; sysctl -q -w net.ipv4.conf.all.rp_filter=1").ok();
        let said = host.vfhook(&["doctor"]).must_exit(5).stdout;
        for line in said.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        let findings = examine(host, 5).len();
        let last = said.lines().last().unwrap_or_default();
        assert!(last.ends_with(&format!(" checks, {findings} findings")), "{last}");
        let commands = commands_in(&said);
        assert!(
            commands.iter().any(|command| command.contains("\\\n")),
            "no line was broken: {said}"
        );
        for command in &commands {
            shell(command).ok();
        }
        let left = examine(host, 0);
        assert!(about(&left, "", "ip filter FORWARD").is_none());
        assert!(about(&left, "", "card0").is_none());
    });
}

/// The commands as one would copy them, broken lines and all.
fn commands_in(said: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in said.lines().map(str::trim_start) {
        match (commands.last_mut(), line.strip_prefix("$ ")) {
            (Some(last), _) if goes_on => *last = format!("{last}\n{line}"),
            (_, Some(begun)) => commands.push(begun.to_owned()),
            _ => continue,
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

#[test]
fn a_parent_that_is_down_or_absent_or_enslaved() {
    on_a_host(|host| {
        host.ip(&["link set card0 down"]);
        is_mended_by_what_it_says(host, "error", "card0");
        host.ip(&["link add br0 type bridge", "link set card0 master br0"]);
        must_find(host, "warning", "card0");
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).must_exit(1);
        host.ip(&["link set card0 nomaster"]);
        must_not_find(host, "card0");
        host.attach(&blue, "storage", &[]).ok();
        host.detach(&blue).ok();
        host.ip(&["link delete card0"]);
        must_find(host, "error", "card0");
    });
}

#[test]
fn a_parent_that_is_shorter_than_its_network() {
    on_a_host(|host| {
        host.ip(&["link set card0 mtu 1280"]);
        is_mended_by_what_it_says(host, "error", "card0");
        host.attach(&host.sandbox("blue"), "storage", &[]).ok();
    });
}

#[test]
fn an_address_with_an_end_is_one_that_was_lent() {
    on_a_host(|host| {
        host.ip(&[
            "address add 192.168.7.1/24 dev card0",
            "address add 192.168.7.9/24 dev card1 valid_lft 600 preferred_lft 600",
            "address add fd00:7::9/64 dev card1 valid_lft 600 preferred_lft 600 nodad",
        ]);
        let facts = host.kernel().host_facts().expect("a look at the host");
        let lent: Vec<String> = facts.lent.values().flatten().map(ToString::to_string).collect();
        assert_eq!(
            (facts.lent.len(), lent),
            (1, vec!["192.168.7.9/24".to_owned(), "fd00:7::9/64".to_owned()])
        );
    });
}

#[test]
fn what_replaces_kube_proxy_is_named() {
    on_a_host(|host| {
        for (link, who) in [("cilium_host", "Cilium"), ("bpfin.cali", "Calico")] {
            host.ip(&[&format!("link add {link} type veth peer name other0")]);
            let finding = must_find(host, "warning", who);
            assert!(finding["mend"]["do"].as_str().is_some_and(|what| what.contains("vfh")));
            must_not_find(host, "kube-proxy");
            host.ip(&[&format!("link delete {link}")]);
        }
    });
}

#[test]
fn a_wrong_configuration_is_an_error_with_its_field() {
    on_a_host(|host| {
        host.configure("version = 1\n[service_path]\nmode = \"sideways\"");
        must_find(host, "error", "service_path.mode");
        fs::remove_file(host.config_file()).expect("remove our own file");
        let path = host.config_file();
        must_find(host, "error", path.to_str().expect("ASCII"));
        host.configure(VETH);
        examine(host, 0);
    });
}

#[test]
fn the_mode_of_kube_proxy_is_seen() {
    on_a_host(|host| {
        must_find(host, "warning", "kube-proxy");
        for (set_up, mode) in [
            ("nft add table ip kube-proxy; nft add chain ip kube-proxy services", "nftables"),
            ("nft delete table ip kube-proxy; iptables -t nat -N KUBE-SERVICES", "iptables"),
            ("ip link add kube-ipvs0 type veth peer name other0", "ipvs"),
        ] {
            shell(set_up).ok();
            let finding = must_find(host, "info", "kube-proxy");
            let breaks = finding["breaks"].as_str().expect("a sentence");
            assert_eq!(breaks, format!("services are answered by its {mode} rules"));
        }
        shell("ip link delete kube-ipvs0; iptables -t nat -X KUBE-SERVICES").ok();
        must_find(host, "warning", "kube-proxy");
        // vfhook's own table answers for nothing.
        host.attach(&host.sandbox("blue"), "storage", &[]).ok();
        must_find(host, "warning", "kube-proxy");
        shell("iptables -t nat -A PREROUTING -d 10.96.0.10 -p tcp --dport 80 -j DNAT --to 10.1.0.2:8080").ok();
        must_find(host, "info", "kube-proxy");
    });
}

#[test]
fn addresses_that_the_host_uses_itself() {
    on_a_host(|host| {
        host.ip(&["address add 169.254.100.1/24 dev card1", "address add 10.100.0.1/16 dev card1"]);
        must_find(host, "warning", "service_path.source 169.254.96.0/20");
        must_find(host, "info", "service_path.cidrs 10.96.0.0/12");
        host.ip(&["address flush dev card1"]);
        must_not_find(host, "service_path.source 169.254.96.0/20");
        // What vfhook itself put there is meant so.
        host.attach(&host.sandbox("blue"), "storage", &[]).ok();
        must_not_find(host, "service_path.source 169.254.96.0/20");
    });
}

#[test]
fn a_state_directory_that_others_may_use_and_a_lease_whose_sandbox_is_gone() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        fs::set_permissions(host.state_dir(), Permissions::from_mode(0o755)).expect("our own");
        let directory = host.state_dir();
        is_mended_by_what_it_says(host, "error", directory.to_str().expect("ASCII"));
        must_not_find(host, "lease");
        blue.delete();
        while !host.vfhook(&["status"]).ok().contains("attention:") {
            thread::sleep(Duration::from_millis(20));
        }
        let finding = must_find(host, "warning", "lease");
        assert_eq!(finding["mend"]["run"][0], "vfhook reconcile");
        host.vfhook(&["reconcile"]).ok();
        must_not_find(host, "lease");
    });
}

#[test]
fn udev_leaves_the_addresses_of_our_links_alone() {
    // Its MACAddressPolicy=persistent is for addresses that the kernel made up; 3 is NET_ADDR_SET.
    let how = |name: &str| {
        let path = format!("/sys/class/net/{name}/addr_assign_type");
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        let names = fs::read_dir("/sys/class/net").expect("interfaces").flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let ours: Vec<String> = names.filter(|name| name.starts_with("vfh")).collect();
        assert_eq!(ours.len(), 1);
        assert_eq!(how(&ours[0]), "3\n");
    });
}

#[test]
fn what_is_offered_is_run_when_agreed_to_and_nothing_else() {
    on_a_host(|host| {
        shell(
            "ip link set card0 down; sysctl -q -w net.ipv4.ip_forward=0; iptables -P FORWARD DROP",
        )
        .ok();
        let before = Dump::of_host_at_rest(host);
        // There is nobody to ask.
        host.vfhook(&["doctor", "--fix"]).must_exit(2).must_say(&["--yes"]);
        before.must_be_again(host);
        // A firewall is somebody's, who must know.
        let ran = host.vfhook(&["doctor", "--fix", "--yes"]).must_exit(5);
        ran.must_say(&["VFH0033 card0: ran `ip link set card0 up`", "VFH0035", "VFH0042"]);
        let left = examine(host, 5);
        assert!(
            about(&left, "", "card0").is_none()
                && about(&left, "", "net.ipv4.ip_forward").is_none()
        );
        assert_eq!(about(&left, "error", "ip filter FORWARD").unwrap()["code"], "VFH0042");
        shell("iptables -P FORWARD ACCEPT").ok();
        host.vfhook(&["doctor", "--fix", "--yes"]).ok();
    });
}
