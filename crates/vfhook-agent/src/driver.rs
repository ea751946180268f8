//! What kubelet calls when a pod with claims is to run here (DRA API, `v1` and `v1beta1`): a claim's devices are kept for its pod, and let
//! go of when the pod has ended. A pod's sandbox is given them by whoever attaches it, which is not this program.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use grpc_unix::{Code, Replies, Service, Status, decode};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use vfhook::{
    lease::PreparedClaim as Kept,
    types::{Name, Uid, quote, with_causes},
};

use crate::{
    api::{Api, ApiError},
    claim::{self, ResourceClaim},
    message::{Claim, Claims, Device, Prepared, PreparedClaim, Unprepared, UnpreparedClaim},
    names,
    node::{Node, PrepareError},
};

/// How long a claim may take. Kubelet waits 45 s, and after an error tries again in 60 to 90 s: waiting here is the shorter way.
const LIMIT: Duration = Duration::from_secs(40);

/// How soon it is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// How soon the API server is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// What answers kubelet.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) node: Arc<Node>,
    pub(crate) api: Api,
    /// Told when something was kept or let go of.
    pub(crate) changed: Arc<Notify>,
}

impl Service for Driver {
    async fn call(&self, method: &str, request: Vec<u8>, replies: Replies) -> Result<(), Status> {
        let own = method.strip_prefix("k8s.io.kubelet.pkg.apis.dra.");
        match own.and_then(|own| own.split_once(".DRAPlugin/")) {
            Some(("v1" | "v1beta1", "NodePrepareResources")) => {
                Ok(replies.send(&self.prepare_all(decode(&request)?).await).await?)
            }
            Some(("v1" | "v1beta1", "NodeUnprepareResources")) => {
                Ok(replies.send(&self.unprepare_all(decode(&request)?).await).await?)
            }
            // Kubelet 1.36 asks for more whether it was offered or not.
            _ => Err(Status::new(Code::Unimplemented, "a DRA driver has no such method")),
        }
    }
}

impl Driver {
    async fn prepare_all(&self, request: Claims) -> Prepared {
        let by = Instant::now() + LIMIT;
        let mut answer = Prepared::default();
        for claim in request.claims {
            let (namespace, name) = (quote(&claim.namespace), quote(&claim.name));
            let prepared = match self.prepare(&claim, by).await {
                Ok(devices) => {
                    tracing::info!(%namespace, claim = %name, devices = devices.len(), "prepared");
                    PreparedClaim { devices, error: String::new() }
                }
                Err(why) => {
                    tracing::warn!(%namespace, claim = %name, why, "not prepared");
                    PreparedClaim { devices: Vec::new(), error: format!("vfhook: {why}") }
                }
            };
            answer.claims.insert(claim.uid, prepared);
        }
        self.changed.notify_one();
        answer
    }

    /// Keeps the devices of one claim, waiting for what is on its way home.
    async fn prepare(&self, asked: &Claim, by: Instant) -> Result<Vec<Device>, String> {
        let kept = self.look_up(asked, by).await?;
        loop {
            match self.node.prepare(kept.clone()).await {
                Ok(mounts) => return Ok(self.devices(&kept, mounts)),
                Err(PrepareError::Claim(error)) if error.may_pass() && Instant::now() < by => {
                    sleep(AGAIN).await;
                }
                Err(error) => return Err(with_causes(&error)),
            }
        }
    }

    /// What the claim is to have by what the API server says of it; by what is recorded, where it says nothing.
    async fn look_up(&self, asked: &Claim, by: Instant) -> Result<Kept, String> {
        let uid: Uid = asked.uid.parse().map_err(|error| format!("the claim's uid: {error}"))?;
        let known = self.node.context().leases.prepared_of(&uid);
        let known = known.map_err(|error| with_causes(&error))?;
        loop {
            match self.read(asked).await {
                Ok(claim) => {
                    let kept = claim::prepared(&claim, &self.node.name, &asked.uid);
                    return kept.map_err(|error| with_causes(&error));
                }
                Err(error) if !error.is_answer() => {
                    if let Some(known) = known {
                        return Ok(known);
                    }
                    if Instant::now() + ASK_AGAIN > by {
                        return Err(with_causes(&error));
                    }
                    sleep(ASK_AGAIN).await;
                }
                Err(error) => return Err(with_causes(&error)),
            }
        }
    }

    async fn read(&self, asked: &Claim) -> Result<ResourceClaim, ApiError> {
        let Claim { namespace, name, .. } = asked;
        let path = format!("/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims/{name}");
        self.api.get(&path).await
    }

    /// What kubelet is told; the mount of a request is with its first device, since a container has all of a request's.
    fn devices(&self, kept: &Kept, mut mounts: BTreeMap<Name, String>) -> Vec<Device> {
        let device = |had: &vfhook::lease::PreparedDevice| {
            let allotted = (&had.device).into();
            let gate = self.node.gates.name(&had.pool, allotted);
            Device {
                requests: vec![had.request.to_string()],
                pool: names::pool(&self.node.name, &had.pool),
                name: names::device(allotted),
                cdi_devices: gate.into_iter().chain(mounts.remove(had.request.main())).collect(),
                share: had.device.share().map(ToString::to_string),
            }
        };
        kept.devices.iter().map(device).collect()
    }

    /// A pod whose claims cannot be let go of never ends: nothing is asked of the API server or of a VF here.
    async fn unprepare_all(&self, request: Claims) -> Unprepared {
        let mut answer = Unprepared::default();
        for claim in request.claims {
            let (namespace, name) = (quote(&claim.namespace), quote(&claim.name));
            let error = match claim.uid.parse() {
                Ok(uid) => self.node.unprepare(uid).await.err().unwrap_or_default(),
                // What has no identity was never prepared.
                Err(_) => String::new(),
            };
            if error.is_empty() {
                tracing::info!(%namespace, claim = %name, "let go of");
            } else {
                tracing::error!(%namespace, claim = %name, error, "not let go of");
            }
            answer.claims.insert(claim.uid, UnpreparedClaim { error });
        }
        self.changed.notify_one();
        answer
    }
}
