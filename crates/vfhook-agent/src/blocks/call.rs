//! What a holder asks of the API server, asked; and what came of it. It must not decide what is asked.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use address_blocks::{Answer, Cell, Grid, Owner, Request};
use http::Method;
use serde::Deserialize;
use serde_json::json;
use vfhook::types::{Name, with_causes};

use super::{
    event::Said,
    object::{self, AddressBlock, Family, GROUP, PLURAL, SaidPhase, VERSION},
};
use crate::api::{Api, ApiError};

/// Whose blocks, and where.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) api: Api,
    pub(crate) network: Name,
    pub(crate) ipv6: bool,
    pub(crate) owner: Owner,
    /// The size of blocks as this node has it.
    pub(crate) grid: Grid,
    /// Whether the cluster's blocks were seen to have that size, or that there are none.
    pub(crate) fits: AtomicBool,
}

/// A list of blocks.
#[derive(Deserialize)]
struct Blocks {
    metadata: ListMetadata,
    items: Vec<AddressBlock>,
}

/// A list of names. An empty one is `null`.
#[derive(Deserialize)]
struct Names {
    items: Option<Vec<Named>>,
}

#[derive(Deserialize)]
struct Named {
    metadata: object::Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMetadata {
    resource_version: String,
}

/// Where blocks are.
pub(crate) fn path() -> String {
    format!("/apis/{GROUP}/{VERSION}/{PLURAL}")
}

impl Caller {
    /// Asks, and says what came of it.
    pub(super) async fn ask(&self, request: &Request) -> Said {
        let mut version = None;
        let answer = match self.call(request, &mut version).await {
            Ok(answer) => answer,
            Err(error) => {
                let answer = of_error(request, &error);
                if !matches!(answer, Answer::Exists | Answer::Absent) {
                    let (network, error) = (&self.network, with_causes(&error));
                    tracing::warn!(%network, error, "a block of addresses is not as it should be");
                }
                answer
            }
        };
        Said { answer, version }
    }

    async fn call(
        &self,
        request: &Request,
        version: &mut Option<String>,
    ) -> Result<Answer, ApiError> {
        Ok(match request {
            Request::Read => {
                let list: Blocks = self.api.get(&self.own()).await?;
                *version = Some(list.metadata.resource_version);
                Answer::Read(list.items.iter().filter_map(read).collect())
            }
            Request::Names => Answer::Names(self.names("&resourceVersion=0").await?),
            Request::Create { cell } => self.create(*cell).await?,
            Request::SetPhase { cell, uid, version, phase } => {
                let patch = json!({
                    "metadata": {
                        "uid": object::uid_text(*uid), "resourceVersion": version.0.to_string()
                    },
                    "spec": { "phase": SaidPhase::from(*phase) }
                });
                let written: AddressBlock = self.api.merge(&self.block(*cell), &patch).await?;
                let version = object::version(&written.metadata.resource_version);
                version.map_or(Answer::Lost, |version| Answer::Written { version })
            }
            Request::Delete { cell, uid, version } => {
                let (uid, version) = (object::uid_text(*uid), version.0.to_string());
                self.api.delete_exactly(&self.block(*cell), &uid, &version).await?;
                Answer::Deleted
            }
        })
    }

    async fn create(&self, cell: Cell) -> Result<Answer, ApiError> {
        if !self.fits.load(Ordering::Relaxed) {
            // One is enough: all have the size of the first, and nobody takes one of another.
            let there = self.names("&limit=1").await?;
            if let Some(other) = there.iter().find(|other| other.prefix() != cell.prefix()) {
                let (network, other) = (&self.network, other.to_string());
                tracing::error!(%network, other, "the cluster's blocks have another size than cluster.block says here: none is taken");
                return Ok(Answer::Refused);
            }
            self.fits.store(true, Ordering::Relaxed);
        }
        let block = object::new(self.network.as_str(), cell, &self.owner);
        let made: AddressBlock = self.api.write(Method::POST, &path(), &block).await?;
        let made = object::read(&made).ok();
        Ok(made
            .map_or(Answer::Lost, |made| Answer::Created { uid: made.uid, version: made.version }))
    }

    async fn names(&self, more: &str) -> Result<BTreeSet<Cell>, ApiError> {
        let path = format!("{}?fieldSelector={}{more}", path(), self.of_network());
        let names: Names = self.api.metadata(&path).await?;
        let prefix = format!("{}-", self.network);
        let cells = names
            .items
            .iter()
            .flatten()
            .filter_map(|item| Cell::named(item.metadata.name.strip_prefix(&prefix)?));
        Ok(cells.collect())
    }

    /// The list of this node's blocks.
    pub(crate) fn own(&self) -> String {
        let node = &self.owner.node;
        format!("{}?fieldSelector={}%2Cspec.node%3D{node}", path(), self.of_network())
    }

    fn of_network(&self) -> String {
        let family = Family::of(self.ipv6).as_str();
        format!("spec.network%3D{}%2Cspec.family%3D{family}", self.network)
    }

    fn block(&self, cell: Cell) -> String {
        format!("{}/{}", path(), object::name(self.network.as_str(), cell))
    }
}

/// A block that cannot be read is nobody's that we know: it is left alone.
pub(crate) fn read(block: &AddressBlock) -> Option<address_blocks::Object> {
    match object::read(block) {
        Ok(object) => Some(object),
        Err(error) => {
            tracing::error!(error, "a block of addresses that is none is left alone");
            None
        }
    }
}

/// What is known when a request ended so. What the server did not say that it left undone may be done.
fn of_error(request: &Request, error: &ApiError) -> Answer {
    match request {
        Request::Create { .. } if error.is_conflict() => Answer::Exists,
        Request::SetPhase { .. } | Request::Delete { .. } if error.is_conflict() => {
            Answer::Conflict
        }
        Request::SetPhase { .. } | Request::Delete { .. } if error.is_absent() => Answer::Absent,
        _ if error.is_without_effect() => Answer::Refused,
        _ => Answer::Lost,
    }
}

#[cfg(test)]
mod tests {
    use address_blocks::{Phase, Uid, Version};

    use super::*;

    #[test]
    fn what_may_have_been_done_is_lost() {
        let cell = Cell::around("10.0.0.1".parse().unwrap(), 28);
        let (uid, version) = (Uid(1), Version(2));
        let create = Request::Create { cell };
        let mark = Request::SetPhase { cell, uid, version, phase: Phase::Draining };
        let delete = Request::Delete { cell, uid, version };
        let refused =
            |code| ApiError::Refused { what: String::new(), code, message: String::new() };
        for (request, code, answer) in [
            (&create, 409, Answer::Exists),
            (&create, 404, Answer::Refused),
            (&create, 422, Answer::Refused),
            (&create, 429, Answer::Refused),
            // The server's store did not say in time whether it has it.
            (&create, 500, Answer::Lost),
            (&create, 504, Answer::Lost),
            (&mark, 409, Answer::Conflict),
            (&mark, 404, Answer::Absent),
            (&mark, 403, Answer::Refused),
            (&delete, 409, Answer::Conflict),
            (&delete, 404, Answer::Absent),
            (&Request::Read, 404, Answer::Refused),
            (&Request::Read, 503, Answer::Lost),
        ] {
            assert_eq!(of_error(request, &refused(code)), answer, "{request:?} {code}");
        }
        let gone = ApiError::Unreachable { server: String::new(), why: String::new() };
        assert_eq!(of_error(&create, &gone), Answer::Lost);
    }
}
