//! The files by which podman and CRI-O call our hooks, for this program and the annotations that it heeds. Says not where they go.

/// The shipped files: name and text. The last one alone takes back, and the first one is podman's alone.
const SHIPPED: [(&str, &str); 3] = [
    ("vfhook-precreate.json", include_str!("../../hooks/podman/vfhook-precreate.json")),
    ("vfhook-create-runtime.json", include_str!("../../hooks/vfhook-create-runtime.json")),
    ("vfhook-poststop.json", include_str!("../../hooks/vfhook-poststop.json")),
];

/// The program and the annotation in them.
const PROGRAM: &str = "\"/usr/bin/vfhook\"";
const ANNOTATION: &str = "\"^vfhook\\\\.dev/networks$\"";

/// Names and texts, which call the program at `vfhook` for containers that have one of `annotations`; `before_create` too, which only podman
/// knows.
pub(super) fn files(
    vfhook: &str,
    annotations: &[String],
    before_create: bool,
) -> Vec<(&'static str, String)> {
    let names: Vec<String> = annotations.iter().map(|name| name.replace('.', "\\.")).collect();
    let pattern = match &names[..] {
        [one] => format!("^{one}$"),
        more => format!("^({})$", more.join("|")),
    };
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let made =
        |text: &str| text.replace(PROGRAM, &quoted(vfhook)).replace(ANNOTATION, &quoted(&pattern));
    let wanted = SHIPPED.iter().skip(usize::from(!before_create));
    wanted.map(|(name, text)| (*name, made(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_shipped_unless_something_is_unusual() {
        let usual = |early| files("/usr/bin/vfhook", &["vfhook.dev/networks".to_owned()], early);
        let shipped = SHIPPED.map(|(name, text)| (name, text.to_owned()));
        assert_eq!(usual(true), shipped);
        assert_eq!(usual(false), shipped[1..]);
        let both = ["vfhook.dev/networks".to_owned(), "cni".to_owned()];
        for (_, text) in files("/opt/vfhook", &both, true) {
            assert!(text.contains(r#""path": "/opt/vfhook""#), "{text}");
            assert!(text.contains(r#""^(vfhook\\.dev/networks|cni)$""#), "{text}");
        }
    }
}
