//! The files by which podman and CRI-O call our hooks, for this program and the annotations that it heeds. Says not where they go.

/// The shipped files: name and text.
const SHIPPED: [(&str, &str); 2] = [
    ("vfhook-create-runtime.json", include_str!("../../hooks/vfhook-create-runtime.json")),
    ("vfhook-poststop.json", include_str!("../../hooks/vfhook-poststop.json")),
];

/// The program and the annotation in them.
const PROGRAM: &str = "\"/usr/bin/vfhook\"";
const ANNOTATION: &str = "\"^vfhook\\\\.dev/networks$\"";

/// Names and texts, which call the program at `vfhook` for containers that have one of `annotations`.
pub(super) fn files(vfhook: &str, annotations: &[String]) -> Vec<(&'static str, String)> {
    let names: Vec<String> = annotations.iter().map(|name| name.replace('.', "\\.")).collect();
    let pattern = match &names[..] {
        [one] => format!("^{one}$"),
        more => format!("^({})$", more.join("|")),
    };
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let made =
        |text: &str| text.replace(PROGRAM, &quoted(vfhook)).replace(ANNOTATION, &quoted(&pattern));
    SHIPPED.iter().map(|(name, text)| (*name, made(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_shipped_unless_something_is_unusual() {
        let usual = files("/usr/bin/vfhook", &["vfhook.dev/networks".to_owned()]);
        assert_eq!(usual, SHIPPED.map(|(name, text)| (name, text.to_owned())));
        let both = ["vfhook.dev/networks".to_owned(), "cni".to_owned()];
        for (_, text) in files("/opt/vfhook", &both) {
            assert!(text.contains(r#""path": "/opt/vfhook""#), "{text}");
            assert!(text.contains(r#""^(vfhook\\.dev/networks|cni)$""#), "{text}");
        }
    }
}
