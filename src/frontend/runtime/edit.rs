//! Adds vfhook's hooks to a bundle's `config.json`. Every other value stays as it is, byte for byte, and in its place. Pure.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    frontend::oci_hook::{Called, Purpose},
    request::NETWORKS,
    types::JsonMembers,
};

/// How the hooks call vfhook.
#[derive(Debug, Clone)]
pub struct Hooks {
    /// The program.
    pub program: String,
    /// What it needs to be told before the verb.
    pub options: Vec<String>,
}

/// After how many seconds a runtime kills what attaches, and what takes back: longer than they take by themselves.
const TIMEOUTS: (u32, u32) = (15, 40);

/// A hook as the runtime specification has it.
#[derive(Serialize)]
struct Hook<'a> {
    path: &'a str,
    args: Vec<&'a str>,
    timeout: u32,
}

/// What `config` is with the hooks in it; `None` where its container asks for nothing, or has them already. An error says what is wrong
/// with it.
pub fn with_hooks(config: &str, hooks: &Hooks) -> Result<Option<String>, serde_json::Error> {
    let config: JsonMembers = serde_json::from_str(config)?;
    let asks = config.object("annotations")?.get(NETWORKS).is_some();
    if !asks {
        return Ok(None);
    }
    let had = config.object("hooks")?;
    let (mut attaching, mut taking_back) = (had.list("createRuntime")?, had.list("poststop")?);
    let called = |hook: &&RawValue| serde_json::from_str::<Called>(hook.get());
    let both = had
        .list("prestart")?
        .iter()
        .chain(&attaching)
        .map(called)
        .collect::<Result<Vec<_>, _>>()?;
    let last = taking_back.iter().map(called).collect::<Result<Vec<_>, _>>()?;
    let attaches = both.iter().any(|hook| hook.attaches() == Some(Purpose::Annotations));
    let gives_back = last.iter().any(Called::takes_back);
    if attaches && gives_back {
        return Ok(None);
    }
    let (attach, take_back) =
        (hooks.hook("create-runtime", TIMEOUTS.0)?, hooks.hook("poststop", TIMEOUTS.1)?);
    attaching.extend((!attaches).then_some(&*attach));
    taking_back.extend((!gives_back).then_some(&*take_back));
    let hooks = had.with("createRuntime", &list(&attaching)?).and_then(|text| {
        serde_json::from_str::<JsonMembers>(&text)?.with("poststop", &list(&taking_back)?)
    })?;
    config.with("hooks", &RawValue::from_string(hooks)?).map(Some)
}

pub(super) fn list(elements: &[&RawValue]) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::value::to_raw_value(elements)
}

impl Hooks {
    fn hook(&self, stage: &str, timeout: u32) -> Result<Box<RawValue>, serde_json::Error> {
        let options = self.options.iter().map(String::as_str);
        let args = std::iter::once("vfhook").chain(options).chain(["hook", stage]).collect();
        serde_json::value::to_raw_value(&Hook { path: &self.program, args, timeout })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn hooks() -> Hooks {
        Hooks { program: "/usr/bin/vfhook".to_owned(), options: Vec::new() }
    }

    fn edited(config: &str) -> String {
        with_hooks(config, &hooks()).unwrap().unwrap()
    }

    const ASKS: &str = r#""annotations":{"vfhook.dev/networks":"storage"}"#;

    #[test]
    fn both_hooks_come_behind_those_that_are_there() {
        let edited = edited(&format!(
            r#"{{"ociVersion":"1.2.0","hooks":{{"prestart":[{{"path":"/p"}}],"poststop":[{{"path":"/q","env":["A=1"]}}]}},{ASKS}}}"#
        ));
        let expected = json!({
            "ociVersion": "1.2.0",
            "annotations": { "vfhook.dev/networks": "storage" },
            "hooks": {
                "prestart": [{ "path": "/p" }],
                "createRuntime": [{ "path": "/usr/bin/vfhook", "args": ["vfhook", "hook", "create-runtime"], "timeout": 15 }],
                "poststop": [
                    { "path": "/q", "env": ["A=1"] },
                    { "path": "/usr/bin/vfhook", "args": ["vfhook", "hook", "poststop"], "timeout": 40 },
                ],
            },
        });
        assert_eq!(serde_json::from_str::<Value>(&edited).unwrap(), expected);
    }

    #[test]
    fn twice_is_once() {
        for hooks_before in
            ["", r#""hooks":null,"#, r#""hooks":{},"#, r#""hooks":{"poststop":null},"#]
        {
            let once = edited(&format!("{{{hooks_before}{ASKS}}}"));
            assert_eq!(with_hooks(&once, &hooks()).unwrap(), None, "{once}");
        }
        // As podman puts them there from hooks.d.
        let shipped = format!(
            r#"{{{ASKS},"hooks":{{"prestart":[{{"args":["vfhook","hook","prestart"]}}],"poststop":[{{"args":["vfhook","hook","poststop"]}}]}}}}"#
        );
        assert_eq!(with_hooks(&shipped, &hooks()).unwrap(), None);
        // A device's hook is for the device.
        let device = format!(
            r#"{{{ASKS},"hooks":{{"createRuntime":[{{"args":["vfhook","hook","create-runtime","--network","a"]}}]}}}}"#
        );
        assert_eq!(edited(&device).matches("create-runtime").count(), 2);
    }

    #[test]
    fn who_asks_for_nothing_is_left_alone() {
        for config in [
            "{}",
            r#"{"annotations":null}"#,
            r#"{"annotations":{"vfhook.dev/service-path":"off"}}"#,
            r#"{"x":{"annotations":{"vfhook.dev/networks":"a"}}}"#,
        ] {
            assert_eq!(with_hooks(config, &hooks()).unwrap(), None, "{config}");
        }
    }

    #[test]
    fn what_is_no_bundle_is_refused() {
        let deep = format!("{{{ASKS},\"x\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(with_hooks(&deep, &hooks()).is_ok());
        for config in [
            "",
            "[]",
            "{",
            "null",
            r#"{"annotations":[]}"#,
            &format!("{{{ASKS},{ASKS}}}"),
            &format!(r#"{{{ASKS},"hooks":{{}},"hooks":{{}}}}"#),
            &format!(r#"{{{ASKS},"hooks":[]}}"#),
            &format!(r#"{{{ASKS},"hooks":{{"poststop":{{}}}}}}"#),
            &format!(r#"{{{ASKS},"hooks":{{"poststop":["/bin/sh"]}}}}"#),
            &format!("{{{ASKS}}} {{}}"),
        ] {
            assert!(with_hooks(config, &hooks()).is_err(), "{config}");
        }
    }

    fn value() -> impl Strategy<Value = String> {
        // Numbers that no reader would give back as they were, and text that means the same in other letters.
        let leaf = prop_oneof![
            Just("18446744073709551616.10e-2".to_owned()),
            Just("-0".to_owned()),
            Just(r#""\u0041\/""#.to_owned()),
            Just("null".to_owned()),
            any::<i64>().prop_map(|number| number.to_string()),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|values| format!("[ {} ]", values.join(" , "))),
                prop::collection::vec(inner, 0..4).prop_map(|values| {
                    let members = values.iter().enumerate();
                    let members = members.map(|(name, value)| format!("\"k{name}\" : {value}"));
                    format!("{{ {} }}", members.collect::<Vec<_>>().join(" ,\n"))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn everything_else_stays_as_it_is(values in prop::collection::vec(value(), 1..6), place in 0_usize..6) {
            let mut members: Vec<String> =
                values.iter().enumerate().map(|(name, value)| format!("\"m{name}\":{value}")).collect();
            members.insert(place.min(members.len()), ASKS.to_owned());
            let edited = edited(&format!("{{{}}}", members.join(",")));
            let read: JsonMembers = serde_json::from_str(&edited).unwrap();
            let mut names: Vec<&str> = read.0.iter().map(|(name, _)| &**name).collect();
            prop_assert_eq!(names.pop(), Some("hooks"));
            let before: Vec<String> =
                members.iter().map(|member| member[1..].split('"').next().unwrap().to_owned()).collect();
            prop_assert_eq!(names, before);
            for (name, value) in values.iter().enumerate() {
                prop_assert_eq!(read.get(&format!("m{name}")).unwrap().get(), value);
            }
        }
    }
}
