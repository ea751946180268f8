//! Judges what the other plugins of a node ask for: rejects OCI hooks, namespaces and seccomp policies unless it is told to
//! allow them, and containers whose required plugins are not there. Needs NRI 0.10.
//!
//! Its arguments are the socket and, after it, any of `allow=hooks`, `allow=namespaces`, `allow=seccomp` and `require=NAME`.

use std::error::Error;

use containerd_nri::{
    Call, Container, Event, EventSet, FailurePolicy, Identity, Launch, Plugin, PodSandbox, Refusal,
    RuntimeInfo, Session, Setting, Validation,
};

#[derive(Default)]
struct Validator {
    allowed: Vec<String>,
    required: Vec<String>,
}

impl Validator {
    fn allows(&self, what: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == what)
    }
}

impl Plugin for Validator {
    fn events(&self) -> EventSet {
        EventSet::from(Event::ValidateContainerAdjustment)
    }

    fn failure_policy(&self) -> FailurePolicy {
        // A judge that does not answer has not agreed.
        FailurePolicy::CLOSED
    }

    async fn configure(&self, _: &Call, runtime: &RuntimeInfo) -> Result<(), Refusal> {
        if runtime.known_events.contains(Event::ValidateContainerAdjustment) {
            return Ok(());
        }
        Err(Refusal::new("this runtime lets nobody judge"))
    }

    async fn validate_container_adjustment(
        &self,
        _: &Call,
        _pod: PodSandbox,
        container: Container,
        validation: Validation,
    ) -> Result<(), Refusal> {
        for (setting, key, plugin) in validation.owners.iter(&container.id) {
            let what = match setting {
                Setting::OciHooks => "hooks",
                Setting::Namespaces => "namespaces",
                Setting::SeccompPolicy => "seccomp",
                _ => continue,
            };
            if !self.allows(what) {
                let key = key.unwrap_or_default();
                return Err(Refusal::new(format!("{plugin} may not set {what} {key}")));
            }
        }
        let is_there =
            |name: &&String| validation.plugins.iter().any(|plugin| plugin.name() == name.as_str());
        match self.required.iter().find(|name| !is_there(name)) {
            Some(missing) => {
                Err(Refusal::new(format!("the required plugin {missing} is not there")))
            }
            None => Ok(()),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let mut arguments = std::env::args().skip(1);
    let socket = arguments.next().unwrap_or_else(|| Launch::DEFAULT_SOCKET.to_owned());
    let mut validator = Validator::default();
    for argument in arguments {
        match argument.split_once('=') {
            Some(("allow", what)) => validator.allowed.push(what.to_owned()),
            Some(("require", name)) => validator.required.push(name.to_owned()),
            _ => return Err(format!("{argument}: give allow=… or require=…").into()),
        }
    }
    let identity = Identity::new("default-validator", "99")?;
    Ok(Session::new(identity, Launch::detect(socket)?, validator).run().await?)
}
