//! A VF chosen among ever more of them, on a machine in memory: what vfhook itself does with each, without a kernel's or a driver's
//! part.

use std::{cell::Cell, collections::BTreeMap, fmt::Debug, str::FromStr};

use vfhook::{
    config,
    kernel::fake::{CardTemplate, Driver, FakeHost, Machine},
    lease::LeaseStore,
    operation::{self, Context, Which},
    request::{NetworkRequest, SandboxEvent},
    types::{NetnsSource, Origin, PciAddress},
};

use crate::{
    held::in_time,
    netns_support::host::Host,
    sweep::{Point, Turn, sweep, timed},
};

/// VFs of the one card.
const SIZES: [usize; 4] = [1, 7, 64, 256];

const CONFIG: &str = r#"
version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.7.250/21"]
[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.0/20"]
"#;

/// The one that is attached and detached.
const MEASURED: &str = "measured";

/// Attaching where all VFs are free, and where all but one are others'.
pub(crate) fn beside_functions(host: &Host, rounds: usize) -> Vec<Point> {
    let nodes: BTreeMap<usize, [Node; 2]> =
        SIZES.map(|size| (size, [0, size - 1].map(|held| Node::new(host, size, held)))).into();
    let size = Cell::new(0);
    sweep(&SIZES, rounds, |next| size.set(next), |_| nodes[&size.get()].iter().map(play).collect())
}

fn play(node: &Node) -> Turn {
    let attach = timed(|| node.attach(MEASURED));
    (attach, timed(|| node.detach(MEASURED)))
}

/// A machine in memory, and the leases on it.
struct Node {
    kernel: FakeHost,
    context: Context,
}

impl Node {
    fn new(host: &Host, vfs: usize, held: usize) -> Self {
        let state = host.directory.join(format!("functions-{vfs}-{held}"));
        let leases = LeaseStore::open(&state).expect("a state directory on our own tmpfs");
        let context = Context { config: config::parse(CONFIG).expect("it is right"), leases };
        let mut machine = Machine::default();
        machine.add_card(&card(vfs), |_, _, _| {});
        let ids: Vec<String> = (0..held).map(|number| format!("held{number}")).collect();
        for id in ids.iter().map(String::as_str).chain([MEASURED]) {
            machine.add_sandbox(path(id));
        }
        let node = Self { kernel: FakeHost::new(machine), context };
        for id in &ids {
            node.attach(id);
        }
        node
    }

    fn attach(&self, id: &str) {
        let event = SandboxEvent {
            origin: Origin::Command,
            id: parse(id),
            netns: NetnsSource::Path(path(id).into()),
            pod: None,
            namespace: None,
            networks: vec![NetworkRequest::plain(parse("storage"))],
            service_path_off: false,
            primary: None,
            wording: None,
            more_to_come: false,
            outside: None,
        };
        operation::attach(&mut self.kernel.kernel(), &self.context, &event, in_time())
            .unwrap_or_else(|error| panic!("{error}: {error:?}"));
    }

    fn detach(&self, id: &str) {
        let which = Which::Id(parse(id));
        operation::detach(&mut self.kernel.kernel(), &self.context, &which, in_time())
            .unwrap_or_else(|error| panic!("{error}: {error:?}"));
    }
}

fn card(vfs: usize) -> CardTemplate {
    CardTemplate {
        address: parse("0000:01:00.0"),
        name: parse("ens1f0"),
        vfs: (0..vfs).map(vf).collect(),
        driver: Driver::default(),
    }
}

/// The VFs fill a bus of their own: 32 devices of 8 functions.
fn vf(number: usize) -> PciAddress {
    parse(&format!("0000:02:{:02x}.{}", number / 8, number % 8))
}

fn path(id: &str) -> String {
    format!("/run/netns/{id}")
}

fn parse<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}
