//! The `DeviceClass` of each network on a pool that claims are for: what a cluster's administrator applies once. Pure.

use serde_json::{Value, json};
use vfhook::{
    config::{Config, Publish},
    types::Name,
};

use crate::names::DRIVER;

/// Why there is no class.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClassError {
    #[error(
        "no network stands on a pool with publish = \"dra\": there is nothing to make a class of"
    )]
    NoNetwork,
    #[error(
        "network {0} has the name of a pool that kubelet counts: vfhook.dev/{0} would be both; rename one of them"
    )]
    TwoBooks(Name),
}

/// The classes, as one list that `kubectl apply -f -` takes.
pub(crate) fn classes(config: &Config) -> Result<Value, ClassError> {
    let pools: Vec<&Name> = config.published(Publish::Dra).collect();
    let counted: Vec<&Name> = config.published(Publish::DevicePlugin).collect();
    let own = config.networks.iter().filter(|(_, network)| pools.contains(&&network.pool));
    let class = |(name, network): (&Name, &vfhook::config::Network)| {
        if counted.contains(&name) {
            return Err(ClassError::TwoBooks(name.clone()));
        }
        Ok(of_network(name, &network.pool))
    };
    let classes = own.map(class).collect::<Result<Vec<_>, _>>()?;
    if classes.is_empty() {
        return Err(ClassError::NoNetwork);
    }
    Ok(json!({ "apiVersion": "v1", "kind": "List", "items": classes }))
}

fn of_network(network: &Name, pool: &Name) -> Value {
    let expression = format!(
        "device.driver == \"{DRIVER}\" && device.attributes[\"{DRIVER}\"].pool == \"{pool}\""
    );
    json!({
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": { "name": network },
        "spec": {
            // From Kubernetes 1.36 on, `resources.limits` may ask for it by this name.
            "extendedResourceName": format!("{DRIVER}/{network}"),
            "selectors": [{ "cel": { "expression": expression } }],
            "config": [{ "opaque": { "driver": DRIVER, "parameters": {
                "apiVersion": "vfhook.dev/v1alpha1", "kind": "Attachment", "network": network,
            } } }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOLS: &str = r#"
version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["p0"]
publish = "dra"
[[pool]]
name = "slow"
kind = "sriov"
pf = ["p1"]
publish = "device-plugin"
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
[[network]]
name = "video"
pool = "slow"
interface = "net2"
"#;

    #[test]
    fn each_network_that_claims_are_for_has_a_class() {
        let list = classes(&vfhook::config::parse(POOLS).unwrap()).unwrap();
        let [class] = &list["items"].as_array().unwrap()[..] else { panic!("{list}") };
        assert_eq!(class["metadata"]["name"], "storage");
        assert_eq!(class["spec"]["extendedResourceName"], "vfhook.dev/storage");
        assert_eq!(class["spec"]["config"][0]["opaque"]["parameters"]["network"], "storage");
    }

    #[test]
    fn a_resource_is_not_in_two_books() {
        let both = POOLS.replace("\"storage\"", "\"slow\"");
        let config = vfhook::config::parse(&both).unwrap();
        assert_eq!(classes(&config), Err(ClassError::TwoBooks("slow".parse().unwrap())));
        let none = POOLS.replace("publish = \"dra\"", "");
        let config = vfhook::config::parse(&none).unwrap();
        assert_eq!(classes(&config), Err(ClassError::NoNetwork));
    }
}
