//! Whether services can become backends where sandboxes connect.

use super::{Code, Facts, Finding};
use crate::config::Config;

/// What keeps them from it.
pub(super) fn become_backends(facts: &Facts, config: &Config) -> Vec<Finding> {
    let path = &config.service_path;
    let subject = path.place.to_string();
    let advice = "do what the reason says, or have service_path.mode = \"veth\"";
    let finding = |why: &String| {
        let code = Code::ServicesStayOutside;
        let finding = if path.mode.has_pair() {
            let breaks = format!(
                "new sandboxes reach services by {} alone, since these cannot become backends: {why}",
                path.interface.as_ref().map_or("the pair", |interface| interface.as_str())
            );
            Finding::warning(code, subject.clone(), breaks)
        } else {
            let breaks =
                format!("sandboxes are refused, since services cannot become backends: {why}");
            Finding::error(code, subject.clone(), breaks)
        };
        finding.advise(advice)
    };
    facts.services.iter().map(finding).collect()
}

/// Whether UDP sockets can be freed of backends that went.
pub(super) fn free_sockets(facts: &Facts, config: &Config) -> Vec<Finding> {
    let subject = config.service_path.place.to_string();
    let finding = |why: &String| {
        let breaks = format!("clients that are connected by UDP keep a backend that went: {why}");
        let finding = Finding::warning(Code::SocketsKeepBackends, subject.clone(), breaks);
        finding.advise("load udp_diag, or run a kernel with CONFIG_INET_DIAG_DESTROY")
    };
    facts.sockets.iter().map(finding).collect()
}
