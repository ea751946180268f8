//! Where versions do not hand on what they are given. Each line is a fact about published modules, found by these
//! conversations, and told to readers in `docs/runtimes.md`.

/// What versions leave out or change of a message.
pub(crate) struct Differences(
    &'static [(&'static [&'static str], &'static str, &'static [&'static str])],
);

impl Differences {
    /// The fields in question, for one version.
    pub(crate) fn of(&self, version: &str, message: &str) -> Vec<String> {
        let here = |(versions, of, _): &&(&[&str], &str, &[&str])| {
            *of == message && versions.contains(&version)
        };
        let mut found: Vec<String> = self
            .0
            .iter()
            .filter(here)
            .flat_map(|(_, _, fields)| fields.iter().map(|field| (*field).to_owned()))
            .collect();
        found.sort();
        found
    }
}

/// Of what plugins are told.
pub(crate) const CONTAINERS: Differences = Differences(&[]);

/// Of what plugins ask for.
pub(crate) const ADJUSTMENTS: Differences = Differences(&[
    (
        &["0.3.0", "0.4.0", "0.5.0", "0.6.1", "0.7.0", "0.8.0", "0.9.0"],
        "ContainerAdjustment",
        &["/linux/resources/devices"],
    ),
    // Not asked for: see the test of what it does.
    (&["0.11.0"], "ContainerAdjustment", &["/linux/sysctl"]),
    (&["0.11.0", "0.12.0", "0.12.5"], "ContainerAdjustment", &["/linux/rdt/remove"]),
]);
