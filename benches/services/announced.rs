//! Services of a cluster as its agent hands them over: as many as are asked for, each with backends on a network of the sandboxes'. Words only.

use std::fmt::Write;

/// Backends of a service.
const BACKENDS: usize = 5;

/// The services, of which any backend may be another from one moment to the next.
pub(crate) struct Announced {
    elements: Vec<String>,
}

impl Announced {
    /// So many of them.
    pub(crate) fn of(count: usize) -> Self {
        Self { elements: (0..count).map(|number| element(number, 0)).collect() }
    }

    /// One backend of this service is another.
    pub(crate) fn change(&mut self, number: usize, version: usize) {
        self.elements[number] = element(number, version);
    }

    /// The file, in which the service that is looked at has a backend or none.
    pub(crate) fn text(&self, has_backend: bool) -> String {
        let backend = if has_backend { backend(0, 0) } else { String::new() };
        let seen = service("10.97.0.1", "udp", &backend);
        let all: Vec<&str> =
            self.elements.iter().map(String::as_str).chain([seen.as_str()]).collect();
        format!(r#"{{"version":1,"service":[{}]}}"#, all.join(","))
    }
}

/// The address of the service that is looked at.
pub(crate) const SEEN: &str = "10.97.0.1:80";

fn element(number: usize, version: usize) -> String {
    let address = format!("10.96.{}.{}", number / 250, number % 250 + 1);
    let mut backends = String::new();
    for position in 0..BACKENDS {
        // The last of them is replaced.
        let version = if position + 1 == BACKENDS { version } else { 0 };
        let comma = if position == 0 { "" } else { "," };
        write!(backends, "{comma}{}", backend(number * BACKENDS + position, version)).unwrap();
    }
    service(&address, "tcp", &backends)
}

fn service(address: &str, protocol: &str, backends: &str) -> String {
    format!(
        r#"{{"namespace":"default","name":"service","address":"{address}","protocol":"{protocol}","ports":[80],"backends":[{backends}]}}"#
    )
}

/// Its pod's own address, and the one on the network; versions are ports.
fn backend(number: usize, version: usize) -> String {
    let own = format!("10.{}.{}.{}", 128 + number / 62_500, number / 250 % 250, number % 250 + 1);
    let wired = format!("172.16.{}.{}", number / 250 % 4, number % 250 + 1);
    let port = 1024 + number / 1000 + version % 1000;
    format!(
        r#"{{"address":"{own}","port":{port},"on":[{{"network":"backup","address":"{wired}"}}]}}"#
    )
}
