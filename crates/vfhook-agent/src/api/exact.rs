//! Calls that say exactly which object, in which state, they are about, and lists of names alone.

use std::time::Duration;

use http::Method;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::{Api, ApiError, Body, Watch, encode};

/// A list without what is in the objects.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

impl Api {
    /// Changes what `change` says of the object at this path. Where that names uid and resourceVersion, another object or state is a conflict.
    pub(crate) async fn merge<T: DeserializeOwned>(
        &self,
        path: &str,
        change: &impl Serialize,
    ) -> Result<T, ApiError> {
        self.call(Method::PATCH, path, Some((Body::Merge, encode(path, change)?))).await
    }

    /// Deletes the object at this path if it is this one in this state; any other is a conflict.
    pub(crate) async fn delete_exactly(
        &self,
        path: &str,
        uid: &str,
        version: &str,
    ) -> Result<(), ApiError> {
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "preconditions": { "uid": uid, "resourceVersion": version }
        });
        let body = Some((Body::Object, encode(path, &options)?));
        self.call::<serde_json::Value>(Method::DELETE, path, body).await.map(drop)
    }

    /// The list at a path, with the metadata of its objects alone.
    pub(crate) async fn metadata<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.call_for(METADATA, Method::GET, path, None).await
    }

    /// What becomes of the objects in the list at this path from a version on, for so long.
    pub(crate) async fn watch_until(
        &self,
        path: &str,
        version: &str,
        limit: Duration,
    ) -> Result<Watch, ApiError> {
        self.watch_for(path, version, limit).await
    }
}
