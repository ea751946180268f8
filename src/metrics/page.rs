//! The table of metrics as a page of the documentation. Pure.

use super::{FAMILIES, Kind};

/// All metrics as a page of the documentation.
pub fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         `vfhook metrics` prints them once, for node_exporter's textfile collector; `vfhook serve --http 127.0.0.1:9118` (or `unix:PATH`; off unless \
         said) answers at `/metrics`, in OpenMetrics or in the text format, by what is asked for. Counts are of the history, so those of hooks \
         and commands are among them, and they outlive a daemon. There is no label of a pod or a sandbox: `vfhook history` is for those.\n\n\
         ```\n\
         scrape_configs:\n  - job_name: vfhook\n    static_configs:\n      - targets: [\"127.0.0.1:9118\"]\n\
         ```\n\n\
         Without a daemon, from a timer: \
         `vfhook metrics > /var/lib/prometheus/node-exporter/vfhook.next && mv /var/lib/prometheus/node-exporter/vfhook.next \
         /var/lib/prometheus/node-exporter/vfhook.prom`.\n\n\
         `/healthz` is 200 as long as leases are looked at, `/readyz` while a container runtime tells of its pods. Rules to alert by are in \
         [metrics/alerts.yml](metrics/alerts.yml), and a dashboard to import into Grafana in [metrics/dashboard.json](metrics/dashboard.json).\n\n\
         | metric | kind | what it tells | what to do |\n|---|---|---|---|\n",
    );
    for family in FAMILIES {
        let total = if family.kind == Kind::Counter { "_total" } else { "" };
        let line = [
            "| `",
            family.name,
            total,
            "` | ",
            family.kind.as_str(),
            " | ",
            family.help,
            " | ",
            family.watch,
            " |\n",
        ];
        page.extend(line);
    }
    page
}
