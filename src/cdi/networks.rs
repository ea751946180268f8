//! A device for each network that says so. A container that is given one has hooks for it from then on, and so the network: CDI knows no
//! namespaces and asks nobody, so what is written here is the permission.

use std::path::PathBuf;

use super::{Device, Document, Edits, Hook, HookName};
use crate::{config::Config, types::Name};

/// Where runtimes look for devices that outlive the machine's run, and a name of our own.
pub const FILE: &str = "/etc/cdi/vfhook.json";

/// What all of these devices are. No pool's gates have a device of a network's name: those are addresses.
const KIND: &str = "vfhook.dev/net";

/// After how many seconds a runtime kills what attaches, and what takes back: longer than they take by themselves.
const TIMEOUTS: (u32, u32) = (15, 40);

/// How a runtime is to call vfhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// What it needs to be told before all verbs: a configuration or a state directory in an unusual place.
    pub options: Vec<String>,
}

/// The devices of `config`; `None` where it has none, for a file without any is refused by who reads it.
pub fn of_networks(config: &Config, program: &Program) -> Option<Document> {
    let open = config.networks.iter().filter(|(_, network)| network.allow.cdi);
    let devices: Vec<Device> = open.map(|(name, _)| device(name, program)).collect();
    (!devices.is_empty()).then(|| Document::new(KIND.to_owned(), devices))
}

/// Whether vfhook wrote a document, in this version or another: it is of our kind, and calls nothing but a vfhook.
pub fn is_ours(document: &Document) -> bool {
    let mut hooks = document.devices.iter().flat_map(|device| &device.container_edits.hooks);
    document.kind == KIND
        && hooks.all(|hook| hook.args.first().is_some_and(|name| name == Program::NAME))
}

impl Document {
    /// The devices as a container is given them.
    pub fn qualified_names(&self) -> Vec<String> {
        let names = self.devices.iter().map(|device| format!("{}={}", self.kind, device.name));
        names.collect()
    }
}

impl Program {
    const NAME: &str = "vfhook";

    fn hook(&self, stage: HookName, words: &[&str], timeout: u32) -> Hook {
        let words = words.iter().map(ToString::to_string);
        let args = std::iter::once(Self::NAME.to_owned()).chain(self.options.clone()).chain(words);
        Hook {
            hook_name: stage,
            path: self.path.clone(),
            args: args.collect(),
            timeout: Some(timeout),
        }
    }
}

fn device(network: &Name, program: &Program) -> Device {
    let attach = ["hook", "create-runtime", "--network", network.as_str()];
    let hooks = vec![
        program.hook(HookName::CreateRuntime, &attach, TIMEOUTS.0),
        program.hook(HookName::Poststop, &["hook", "poststop"], TIMEOUTS.1),
    ];
    Device { name: network.to_string(), container_edits: Edits { hooks } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn config(storage: &str, backup: &str) -> Config {
        let network = |name: &str, allow: &str| {
            format!(
                "[[network]]\nname = \"{name}\"\npool = \"fast\"\ninterface = \"net1\"\nallow = {{ {allow} }}\n"
            )
        };
        let pool = "version = 1\n[[pool]]\nname = \"fast\"\nkind = \"macvlan\"\npf = [\"card0\"]\n";
        parse(&[pool, &network("storage", storage), &network("backup", backup)].concat()).unwrap()
    }

    fn program() -> Program {
        Program { path: "/usr/bin/vfhook".into(), options: Vec::new() }
    }

    #[test]
    fn only_networks_that_say_so_are_devices() {
        assert_eq!(of_networks(&config("", "cdi = false"), &program()), None);
        let document = of_networks(&config("cdi = true", ""), &program()).unwrap();
        assert_eq!(document.qualified_names(), ["vfhook.dev/net=storage"]);
    }

    #[test]
    fn the_document_is_what_the_format_says() {
        let options = vec!["--config".to_owned(), "/srv/x.toml".to_owned()];
        let program = Program { options, ..program() };
        let document = of_networks(&config("cdi = true", ""), &program).unwrap();
        let expected = serde_json::json!({
            "cdiVersion": "0.5.0",
            "kind": "vfhook.dev/net",
            "devices": [{ "name": "storage", "containerEdits": { "hooks": [
                {
                    "hookName": "createRuntime", "path": "/usr/bin/vfhook", "timeout": 15,
                    "args": ["vfhook", "--config", "/srv/x.toml", "hook", "create-runtime", "--network", "storage"],
                },
                {
                    "hookName": "poststop", "path": "/usr/bin/vfhook", "timeout": 40,
                    "args": ["vfhook", "--config", "/srv/x.toml", "hook", "poststop"],
                },
            ] } }],
        });
        assert_eq!(serde_json::to_value(&document).unwrap(), expected);
    }

    #[test]
    fn ours_is_known_and_others_are_not() {
        let document = of_networks(&config("cdi = true", "cdi = true"), &program()).unwrap();
        assert!(is_ours(&document));
        let mut other = document.clone();
        other.kind = "nvidia.com/gpu".to_owned();
        assert!(!is_ours(&other));
        let mut other = document;
        other.devices[1].container_edits.hooks[0].args[0] = "nvidia-ctk".to_owned();
        assert!(!is_ours(&other));
    }
}
