//! `vfhook-agent reclaim`: frees blocks of owners that are gone for good, marking them first. Decides nothing: the state machine does.

use std::{collections::BTreeSet, time::Duration};

use address_blocks::{Owner, Reclaimer, Request, Rules};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use vfhook::{lease::since_boot, operation::ExitCode, types::with_causes};

use super::{
    call::{self, read},
    machine,
    object::{self, AddressBlock, SaidPhase},
};
use crate::{
    api::{Api, ApiError, Credentials},
    arguments::Reclaim,
};

/// Objects of one answer.
const PAGE: u32 = 500;

/// Looks in the time that an owner must be gone for.
const LOOKS: u32 = 12;

/// A person's word that a machine is off.
const OFF: &str = "node.kubernetes.io/out-of-service";

#[derive(Deserialize)]
struct Page<T> {
    metadata: PageMetadata,
    items: Vec<T>,
}

#[derive(Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    more: String,
}

#[derive(Deserialize)]
struct Node {
    metadata: object::Metadata,
    #[serde(default)]
    spec: NodeSpec,
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Default, Deserialize)]
struct NodeSpec {
    #[serde(default)]
    taints: Vec<Taint>,
}

#[derive(Deserialize)]
struct Taint {
    key: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeStatus {
    #[serde(default)]
    node_info: NodeInfo,
}

#[derive(Default, Deserialize)]
struct NodeInfo {
    #[serde(default, rename = "machineID")]
    machine_id: String,
    #[serde(default, rename = "systemUUID")]
    system_uuid: String,
}

impl Node {
    fn owner(&self) -> Owner {
        let NodeInfo { machine_id, system_uuid } = &self.status.node_info;
        Owner {
            node: (*self.metadata.name).into(),
            machine: machine::named(machine_id, system_uuid).into(),
        }
    }

    fn is_off(&self) -> bool {
        self.spec.taints.iter().any(|taint| taint.key == OFF)
    }
}

/// Reclaims until SIGTERM or SIGINT.
pub(crate) fn reclaim(verb: &Reclaim) -> Result<(), (ExitCode, String)> {
    let variable = |name: &str| std::env::var(name).ok();
    let (server, authority) = (verb.api_server.as_deref(), verb.api_ca.clone());
    let credentials = Credentials::new(server, authority, verb.api_token.clone(), variable)
        .map_err(|error| (ExitCode::Usage, with_causes(&error)))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| (ExitCode::HostUnfit, with_causes(&error)))?;
    let wait = verb.wait;
    runtime
        .block_on(run(Api::new(credentials), wait.saturating_mul(1000)))
        .map_err(|error| (ExitCode::HostUnfit, error))
}

async fn run(api: Api, wait: u32) -> Result<(), String> {
    let failed = |error: std::io::Error| with_causes(&error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = look_on(&api, wait) => ended,
    }
}

/// Looks for as long as it is not dropped.
async fn look_on(api: &Api, wait: u32) -> Result<(), String> {
    let mut reclaimer = Reclaimer::new(wait, Rules::default());
    let now = || since_boot().map_err(|error| with_causes(&error));
    let mut last = now()?;
    loop {
        let began = now()?;
        let elapsed = u32::try_from(began - last).unwrap_or(u32::MAX);
        match look(api, &mut reclaimer, elapsed).await {
            // What is counted is time between what was seen.
            Ok(()) => last = began,
            Err(error) => tracing::warn!(error = with_causes(&error), "blocks are not looked at"),
        }
        sleep(Duration::from_millis((wait / LOOKS).into())).await;
    }
}

async fn look(api: &Api, reclaimer: &mut Reclaimer, elapsed: u32) -> Result<(), ApiError> {
    let listed: Vec<AddressBlock> = all(api, &call::path()).await?;
    // After the blocks: who is new by now has none that was seen.
    let nodes: Vec<Node> = all(api, "/api/v1/nodes").await?;
    let off = nodes.iter().filter(|node| node.is_off()).map(Node::owner).collect();
    let owners: BTreeSet<Owner> = nodes.iter().map(Node::owner).collect();
    let (names, blocks): (Vec<_>, Vec<_>) = listed
        .iter()
        .filter_map(|block| Some((block.metadata.name.as_str(), read(block)?)))
        .unzip();
    for request in reclaimer.look(elapsed, &blocks, &owners, &off) {
        let (Request::SetPhase { uid, .. } | Request::Delete { uid, .. }) = request else {
            continue;
        };
        let found = blocks.iter().zip(&names).find(|(block, _)| block.uid == uid);
        if let Some((block, name)) = found {
            let node = &block.owner.node;
            match write(api, name, &request).await {
                Ok(what) => tracing::info!(name, %node, "{what}: its owner is gone"),
                // It is another, or in another state: its owner is there, or somebody was faster.
                Err(error) if error.is_conflict() || error.is_absent() => {}
                Err(error) => tracing::warn!(name, error = with_causes(&error), "not freed"),
            }
        }
    }
    Ok(())
}

async fn write(api: &Api, name: &str, request: &Request) -> Result<&'static str, ApiError> {
    let path = format!("{}/{name}", call::path());
    match request {
        Request::SetPhase { uid, version, phase, .. } => {
            let change = json!({
                "metadata": {
                    "uid": object::uid_text(*uid), "resourceVersion": version.0.to_string()
                },
                "spec": { "phase": SaidPhase::from(*phase) }
            });
            api.merge::<AddressBlock>(&path, &change).await.map(|_| "marked")
        }
        Request::Delete { uid, version, .. } => {
            let version = version.0.to_string();
            api.delete_exactly(&path, &object::uid_text(*uid), &version).await.map(|()| "freed")
        }
        Request::Read | Request::Names | Request::Create { .. } => Ok("nothing"),
    }
}

/// A whole list, page by page, from the quorum.
async fn all<T: DeserializeOwned>(api: &Api, path: &str) -> Result<Vec<T>, ApiError> {
    let (mut items, mut more) = (Vec::new(), String::new());
    loop {
        let page: Page<T> = api.get(&format!("{path}?limit={PAGE}{more}")).await?;
        items.extend(page.items);
        if page.metadata.more.is_empty() {
            return Ok(items);
        }
        more = format!("&continue={}", page.metadata.more);
    }
}
