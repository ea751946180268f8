//! The links and maps themselves: pinned, judged, put right, in somebody's way, and gone without a trace. Needs root.
#![expect(clippy::unwrap_used, reason = "a test")]

mod ground;

use std::fs;

use ground::{Ground, alone, ask_tcp, service, wire};
use socket_translation::{Capacity, Error, Place, Protocol, Service, Translation, digest};

const VIP: &str = "10.96.0.10:80";

fn pins(ground: &Ground) -> Vec<String> {
    let Ok(listed) = fs::read_dir(ground.place.bpffs.join("vfhook")) else { return Vec::new() };
    let mut names: Vec<String> =
        listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn one() -> Service {
    service(VIP, Protocol::Tcp, &["10.0.0.11:8080"])
}

#[test]
fn it_outlives_its_maker_and_goes_without_a_trace() {
    alone("it_outlives_its_maker_and_goes_without_a_trace", |ground| {
        let (client, servers) = wire();
        servers.serve("one", "10.0.0.11:8080");
        assert!(Translation::open(&ground.place).unwrap().is_none());
        assert!(Translation::complaint(&ground.place).unwrap().unwrap().contains("no maps"));
        let made = ground.install();
        made.publish(1, &[one()]).unwrap();
        made.give_view(client.cookie, 1).unwrap();
        drop(made);
        // Nothing of it is open any more in this process; what is pinned works on.
        assert_eq!(pins(ground).len(), 18);
        assert_eq!(client.run(|| ask_tcp(VIP).unwrap().0), "one");
        assert_eq!(Translation::complaint(&ground.place).unwrap(), None);
        let found = Translation::open(&ground.place).unwrap().unwrap();
        assert_eq!(found.services(1).unwrap(), [one()]);
        assert_eq!(found.published(1).unwrap(), Some(digest(&[one()])));
        assert_eq!(found.view_of(client.cookie).unwrap(), Some(1));
        assert_eq!(found.namespaces().unwrap(), [client.cookie].into());
        drop(found);
        // Once more changes nothing.
        let again = ground.install();
        assert_eq!(again.services(1).unwrap(), [one()]);
        drop(again);
        Translation::remove(&ground.place).unwrap();
        assert_eq!(pins(ground), [""; 0]);
        assert!(!ground.place.bpffs.join("vfhook").exists());
        assert!(client.run(|| ask_tcp(VIP)).is_err());
        assert_eq!(attached(&ground.place), 0);
        Translation::remove(&ground.place).unwrap();
    });
}

/// How many programs are attached to the cgroup, by the kernel's own word.
fn attached(place: &Place) -> usize {
    let hooks = [10, 11, 14, 15, 19, 20, 29, 30];
    hooks.iter().map(|hook| ground::raw::programs_at(&place.cgroup, *hook)).sum()
}

#[test]
fn what_somebody_broke_is_told_and_put_right_with_the_services_in_place() {
    alone("what_somebody_broke_is_told_and_put_right_with_the_services_in_place", |ground| {
        let (client, servers) = wire();
        servers.serve("one", "10.0.0.11:8080");
        let made = ground.install();
        made.publish(1, &[one()]).unwrap();
        made.give_view(client.cookie, 1).unwrap();
        assert_eq!(attached(&ground.place), 8);
        let directory = ground.place.bpffs.join("vfhook");
        let complaint = || Translation::complaint(&ground.place).unwrap();
        // A link is unpinned.
        fs::remove_file(directory.join("vfh_connect4")).unwrap();
        assert_eq!(complaint().unwrap(), "vfh_connect4: is not attached");
        // The kernel takes it apart in its own time.
        while attached(&ground.place) == 8 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(client.run(|| ask_tcp(VIP)).is_err());
        ground.install();
        assert_eq!(complaint(), None);
        assert_eq!(client.run(|| ask_tcp(VIP).unwrap().0), "one");
        // Another program is put in the place of ours.
        ground::raw::replace_program(&directory.join("vfh_connect4"), 10);
        assert!(complaint().unwrap().contains("another program"));
        assert!(client.run(|| ask_tcp(VIP)).is_err());
        ground.install();
        assert_eq!(complaint(), None);
        assert_eq!(client.run(|| ask_tcp(VIP).unwrap().0), "one");
        assert_eq!(attached(&ground.place), 8);
        // A map is unpinned: all is made anew, empty.
        fs::remove_file(directory.join("vfh_services")).unwrap();
        assert!(complaint().unwrap().contains("no maps"));
        let anew = ground.install();
        assert_eq!(complaint(), None);
        assert_eq!(anew.views().unwrap(), [].into());
        assert_eq!(attached(&ground.place), 8);
        // The cgroup is removed, and made again under the same name.
        let root = ground.root().join("cgroup.procs");
        fs::write(&root, std::process::id().to_string()).unwrap();
        fs::remove_dir(&ground.place.cgroup).unwrap();
        assert_eq!(complaint().unwrap(), "vfh_connect4: its cgroup was removed");
        fs::create_dir(&ground.place.cgroup).unwrap();
        ground.install();
        assert_eq!(complaint(), None);
        assert_eq!(attached(&ground.place), 8);
    });
}

#[test]
fn who_is_in_the_way_is_named() {
    alone("who_is_in_the_way_is_named", |ground| {
        // At a parent, as Cilium's old socket hook is at the root.
        let below = Place { cgroup: ground.place.cgroup.join("below"), ..ground.place.clone() };
        fs::create_dir(&below.cgroup).unwrap();
        assert_eq!(Translation::obstacles(&below).len(), 0);
        let stranger = ground::raw::attach_without_flags(&ground.place.cgroup, 14, "cil_sock4");
        let told: Vec<String> =
            Translation::obstacles(&below).iter().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].contains("\"cil_sock4\""), "{told:?}");
        let refused = Translation::install(&below, &Capacity::default()).unwrap_err();
        let Error::InTheWay { hook, cgroup, program } = &refused else { panic!("{refused}") };
        assert_eq!((*hook, cgroup), ("vfh_sendmsg4", &ground.place.cgroup));
        assert!(program.starts_with("\"cil_sock4\""), "{program}");
        assert!(refused.to_string().contains("bpftool cgroup detach"), "{refused}");
        ground::raw::detach(&ground.place.cgroup, 14, &stranger);
        Translation::install(&below, &Capacity::default()).unwrap();
        // And ours keeps such a program out, rather than being put aside by it.
        assert!(ground::raw::try_attach(&below.cgroup, 14, &stranger, 0).is_err());
        Translation::remove(&below).unwrap();
        fs::remove_dir(&below.cgroup).unwrap();
    });
}

#[test]
fn who_cleans_up_by_programs_alone_does_not_take_ours() {
    alone("who_cleans_up_by_programs_alone_does_not_take_ours", |ground| {
        // Some of Cilium's versions detach whatever is attached where they find it.
        ground.install();
        for hook in [10, 11, 14, 15, 19, 20, 29, 30] {
            let told = ground::raw::try_detach(&ground.place.cgroup, hook);
            assert_eq!(told, Err(nix::errno::Errno::ENOENT), "{hook}");
        }
        assert_eq!(attached(&ground.place), 8);
        assert_eq!(Translation::complaint(&ground.place).unwrap(), None);
    });
}

#[test]
fn what_goes_with_bpffs_is_told_and_made_again() {
    alone("what_goes_with_bpffs_is_told_and_made_again", |ground| {
        let (client, servers) = wire();
        servers.serve("one", "10.0.0.11:8080");
        let give = || {
            let made = ground.install();
            made.publish(1, &[one()]).unwrap();
            made.give_view(client.cookie, 1).unwrap();
        };
        give();
        let bpffs = &ground.place.bpffs;
        nix::mount::umount2(bpffs, nix::mount::MntFlags::empty()).unwrap();
        assert!(Translation::open(&ground.place).unwrap().is_none());
        assert!(Translation::complaint(&ground.place).unwrap().unwrap().contains("no maps"));
        let told = Translation::hindrance(&ground.place).unwrap().unwrap().to_string();
        assert!(told.contains("is not on bpffs"), "{told}");
        while attached(&ground.place) > 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(client.run(|| ask_tcp(VIP)).is_err());
        let (kind, none) = (Some("bpf"), None::<&str>);
        nix::mount::mount(kind, bpffs, kind, nix::mount::MsFlags::empty(), none).unwrap();
        give();
        assert_eq!(client.run(|| ask_tcp(VIP).unwrap().0), "one");
        assert_eq!(Translation::complaint(&ground.place).unwrap(), None);
    });
}

#[test]
fn what_is_no_cgroup2_and_no_bpffs_is_told() {
    alone("what_is_no_cgroup2_and_no_bpffs_is_told", |ground| {
        let tmp = std::env::temp_dir();
        for (place, kind) in [
            (Place { cgroup: tmp.clone(), ..ground.place.clone() }, "cgroup2"),
            (Place { bpffs: tmp.clone(), ..ground.place.clone() }, "bpffs"),
        ] {
            let refused = Translation::install(&place, &Capacity::default()).unwrap_err();
            assert!(refused.to_string().contains(kind), "{refused}");
            let told = Translation::obstacles(&place);
            assert!(told.len() == 1 && told[0].to_string() == refused.to_string(), "{told:?}");
        }
    });
}

#[test]
fn a_full_map_refuses_a_whole_service_and_no_other() {
    alone("a_full_map_refuses_a_whole_service_and_no_other", |ground| {
        let capacity = Capacity { services: 3, endpoints: 5, sandboxes: 1, clients: 64 };
        let translation = Translation::install(&ground.place, &capacity).unwrap();
        let small = service("10.96.0.1:80", Protocol::Tcp, &["10.0.0.1:1", "10.0.0.2:1"]);
        let large = service(
            "10.96.0.2:80",
            Protocol::Tcp,
            &["10.0.0.1:2", "10.0.0.2:2", "10.0.0.3:2", "10.0.0.4:2"],
        );
        let last = service("10.96.0.3:80", Protocol::Tcp, &["10.0.0.1:3", "10.0.0.2:3"]);
        let told =
            translation.publish(1, &[small.clone(), large.clone(), last.clone()]).unwrap_err();
        assert!(
            matches!(&told, Error::Full { service, .. } if service.contains("10.96.0.2:80")),
            "{told}"
        );
        assert_eq!(translation.services(1).unwrap(), [small.clone(), last.clone()]);
        assert_eq!(translation.published(1).unwrap(), None);
        // One that was there stays as it was when its new backends have no room.
        let grown = Service { backends: large.backends.clone(), ..small.clone() };
        translation.publish(1, &[grown, last.clone()]).unwrap_err();
        assert_eq!(translation.services(1).unwrap(), [small.clone(), last.clone()]);
        // And what was written for it in vain is away: there is room for one backend more.
        let third = service("10.96.0.4:80", Protocol::Udp, &["10.0.0.9:1"]);
        let all = [small, last, third];
        translation.publish(1, &all).unwrap();
        assert_eq!(translation.services(1).unwrap(), all);
        let fourth = service("10.96.0.5:80", Protocol::Udp, &[]);
        let told = translation.publish(2, &[fourth]).unwrap_err();
        assert!(told.to_string().contains("vfh_services is full"), "{told}");
        assert!(translation.give_view(1, 1).unwrap());
        assert!(!translation.give_view(2, 1).unwrap());
    });
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    alone("what_cannot_be_is_refused_before_anything_is_written", |ground| {
        let translation = ground.install();
        for (services, why) in [
            (vec![one(), one()], "another has the same"),
            (vec![service(VIP, Protocol::Tcp, &["[fd00::1]:80"])], "family"),
            (vec![service(VIP, Protocol::Tcp, &["10.0.0.1:0"])], "no port"),
        ] {
            let told = translation.publish(1, &services).unwrap_err();
            assert!(told.to_string().contains(why), "{told}");
        }
        assert_eq!(translation.views().unwrap(), [].into());
    });
}

/// A process publishes one of two sets in turn and is killed at any moment; whoever looks finds one of both, and whoever publishes next
/// leaves nothing else.
#[test]
fn a_publisher_that_is_killed_leaves_services_whole() {
    const TWO: [&[&str]; 2] = [
        &["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"],
        &["10.0.1.1:1", "10.0.1.2:1", "10.0.1.3:1", "10.0.1.4:1"],
    ];
    alone("a_publisher_that_is_killed_leaves_services_whole", |ground| {
        let capacity = Capacity { services: 16, endpoints: 64, ..Capacity::default() };
        let translation = Translation::install(&ground.place, &capacity).unwrap();
        let sets = TWO.map(|backends| {
            [1, 2, 3]
                .map(|number| service(&format!("10.96.0.{number}:80"), Protocol::Tcp, backends))
        });
        translation.publish(1, &sets[0]).unwrap();
        let mut unfinished = 0;
        for round in 0..150_u64 {
            let child = ground::raw::forked(|| {
                let own = Translation::open(&ground.place).unwrap().unwrap();
                for set in sets.iter().cycle() {
                    own.publish(1, set).unwrap();
                }
            });
            std::thread::sleep(std::time::Duration::from_micros(1500 + 37 * round));
            ground::raw::kill(child);
            for found in translation.services(1).unwrap() {
                let is_whole = sets.iter().any(|set| set.contains(&found));
                assert!(is_whole, "round {round}: {found:?}");
            }
            unfinished += u32::from(translation.published(1).unwrap().is_none());
            translation.publish(1, &sets[1]).unwrap();
            assert_eq!(translation.services(1).unwrap(), sets[1]);
        }
        assert!(unfinished > 20, "killed between the writes only {unfinished} times");
        // 12 endpoints are there, and 52 more have room: nothing is left of all the rounds.
        let rest: Vec<String> = (0..52).map(|number| format!("10.0.2.{number}:1")).collect();
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        translation.publish(2, &[service(VIP, Protocol::Tcp, &rest)]).unwrap();
        let one_more = service("10.96.0.99:80", Protocol::Tcp, &["10.0.0.1:1"]);
        translation.publish(3, &[one_more]).unwrap_err();
    });
}

#[test]
fn who_died_while_installing_left_what_the_next_one_finishes() {
    alone("who_died_while_installing_left_what_the_next_one_finishes", |ground| {
        for round in 0..40_u64 {
            let child = ground::raw::forked(|| {
                loop {
                    ground.install();
                    Translation::remove(&ground.place).unwrap();
                }
            });
            std::thread::sleep(std::time::Duration::from_micros(3000 + 611 * round));
            ground::raw::kill(child);
            ground.install();
            assert_eq!(Translation::complaint(&ground.place).unwrap(), None, "round {round}");
            assert_eq!(attached(&ground.place), 8);
            Translation::remove(&ground.place).unwrap();
            assert_eq!(attached(&ground.place), 0);
        }
        assert!(!ground.place.bpffs.join("vfhook").exists());
    });
}

/// A place below the test's own cgroup: what is attached to that is in nobody else's way.
fn below(ground: &Ground) -> Place {
    let cgroup = ground.place.cgroup.join("below");
    fs::create_dir(&cgroup).unwrap();
    Place { cgroup, bpffs: ground.place.bpffs.clone() }
}

#[test]
fn cilium_at_work_is_another_that_translates() {
    const CONNECT: u32 = 10;
    const MULTI: u32 = 2;
    alone("cilium_at_work_is_another_that_translates", |ground| {
        let place = below(ground);
        assert!(Translation::hindrance(&place).unwrap().is_none());
        assert!(!ground.place.bpffs.join("vfhook").exists(), "a look leaves nothing");
        assert_eq!(attached(&place), 0);
        Translation::install(&place, &Capacity::default()).unwrap();
        assert!(Translation::hindrance(&place).unwrap().is_none());
        // Above, as Cilium's is; somebody else's is none of our business.
        for (name, is_cilium) in [("cil_sock4_conne", true), ("somebody", false)] {
            let program = ground::raw::program(CONNECT, name);
            ground::raw::try_attach(&ground.place.cgroup, CONNECT, &program, MULTI).unwrap();
            let told = Translation::hindrance(&place).unwrap().map(|told| told.to_string());
            assert_eq!(told.is_some(), is_cilium, "{told:?}");
            let all = Translation::obstacles(&place);
            assert_eq!(all.iter().any(|one| one.to_string().contains("Cilium")), is_cilium);
            ground::raw::detach(&ground.place.cgroup, CONNECT, &program);
        }
        assert!(Translation::hindrance(&place).unwrap().is_none());
        Translation::remove(&place).unwrap();
        fs::remove_dir(&place.cgroup).unwrap();
    });
}

#[test]
fn who_shuts_others_out_is_a_hindrance_until_he_is_gone() {
    const CONNECT: u32 = 10;
    alone("who_shuts_others_out_is_a_hindrance_until_he_is_gone", |ground| {
        let place = below(ground);
        let program = ground::raw::attach_without_flags(&ground.place.cgroup, CONNECT, "stranger");
        let told = Translation::hindrance(&place).unwrap().unwrap().to_string();
        assert!(told.contains("stranger") && told.contains("without flags"), "{told}");
        ground::raw::detach(&ground.place.cgroup, CONNECT, &program);
        assert!(Translation::hindrance(&place).unwrap().is_none());
        Translation::remove(&place).unwrap();
        fs::remove_dir(&place.cgroup).unwrap();
    });
}

#[test]
fn an_element_that_somebody_changed_is_seen_and_put_right() {
    alone("an_element_that_somebody_changed_is_seen_and_put_right", |ground| {
        let translation = ground.install();
        let backends = ["10.0.0.1:1", "10.0.0.2:1"];
        let services = [
            service(VIP, Protocol::Tcp, &backends),
            Service {
                affinity: Some(std::time::Duration::from_secs(9)),
                ..service("10.96.0.11:80", Protocol::Tcp, &backends)
            },
        ];
        translation.publish(7, &services).unwrap();
        assert!(translation.holds(7, &services).unwrap());
        assert!(!translation.holds(7, &services[..1]).unwrap());
        let directory = ground.place.bpffs.join("vfhook");
        for map in ["vfh_services", "vfh_endpoints", "vfh_members"] {
            ground::raw::remove_first(&directory.join(map));
            assert!(!translation.holds(7, &services).unwrap(), "{map}");
            // One number for all of it does not tell.
            assert!(translation.published(7).unwrap().is_some());
            translation.publish(7, &services).unwrap();
            assert!(translation.holds(7, &services).unwrap(), "{map}");
        }
    });
}
