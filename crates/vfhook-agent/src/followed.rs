//! Objects of one kind, all of the cluster's, as the API server tells of them: listed once, then followed. What is known stays when nobody
//! answers. Knows no kind.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use vfhook::types::with_causes;

use crate::{
    anew::{Anew, FIRST_WAIT},
    api::{Api, ApiError, Change},
};

/// Objects of one answer: all of them may be more than is read of one.
const PAGE: usize = 500;

/// How long one watch goes on: the server says once a minute that it is there, and each node that begins anew costs it more than one that stays.
const LONGEST: Duration = Duration::from_secs(3600);

/// Namespace, which is empty for what has none, and name.
pub(crate) type Key = (String, String);

/// Objects by their keys; `None` until all were listed once.
type Objects<T> = Option<BTreeMap<Key, T>>;

/// The objects of a kind.
#[derive(Debug)]
pub(crate) struct Followed<T> {
    api: Api,
    /// The list of the kind, with a question mark somewhere.
    path: &'static str,
    /// Told when something is other than it was.
    changed: Arc<Notify>,
    objects: Mutex<Objects<T>>,
}

#[derive(Deserialize)]
struct Page {
    metadata: PageMetadata,
    items: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    resource_version: String,
    #[serde(default)]
    r#continue: String,
}

#[derive(Deserialize)]
struct Named {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
    resource_version: String,
}

impl<T: DeserializeOwned> Followed<T> {
    pub(crate) fn new(api: Api, path: &'static str, changed: Arc<Notify>) -> Self {
        Self { api, path, changed, objects: Mutex::default() }
    }

    /// What is known now.
    pub(crate) fn objects(&self) -> MutexGuard<'_, Objects<T>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows for as long as it is not dropped.
    pub(crate) async fn keep(&self) {
        let mut anew = Anew::begin();
        loop {
            if let Err(error) = self.stay().await {
                let error = with_causes(&error);
                tracing::warn!(error, path = self.path, "what was heard of it before stays");
            }
            anew.wait().await;
        }
    }

    /// Lists and watches, until the server cannot go on from what it told.
    async fn stay(&self) -> Result<(), ApiError> {
        let mut version = self.list().await?;
        loop {
            let mut watch = self.api.watch_until(self.path, &version, LONGEST).await?;
            let began = Instant::now();
            while let Some((change, object)) = watch.next_of::<Value>().await {
                match self.heard(&change, object.unwrap_or_default()) {
                    Some(next) => version = next,
                    None => return Ok(()),
                }
            }
            // A watch ends by itself in the end. One that ends at once is no reason to ask at once.
            if began.elapsed() < FIRST_WAIT {
                sleep(FIRST_WAIT).await;
            }
        }
    }

    /// All of them, in parts; gives the version of the list.
    async fn list(&self) -> Result<String, ApiError> {
        let (mut objects, mut next) = (BTreeMap::new(), String::new());
        loop {
            let path = format!("{}&limit={PAGE}{next}", self.path);
            let Page { metadata, items } = self.api.get(&path).await?;
            for item in items.into_iter().flatten() {
                if let Some((key, object)) = read(item) {
                    objects.insert(key, object);
                }
            }
            if metadata.r#continue.is_empty() {
                *self.objects() = Some(objects);
                self.changed.notify_one();
                return Ok(metadata.resource_version);
            }
            next = format!("&continue={}", escaped(&metadata.r#continue));
        }
    }

    /// Takes a change in; gives the version to go on from, or nothing where there is none.
    fn heard(&self, change: &Change, object: Value) -> Option<String> {
        let Named { metadata } = Named::deserialize(&object).ok()?;
        let key = (metadata.namespace, metadata.name);
        match change {
            Change::Error => return None,
            Change::Bookmark => {}
            Change::Deleted => {
                self.objects().as_mut()?.remove(&key);
                self.changed.notify_one();
            }
            Change::Added | Change::Modified => {
                match read(object) {
                    Some((key, object)) => self.objects().as_mut()?.insert(key, object),
                    None => self.objects().as_mut()?.remove(&key),
                };
                self.changed.notify_one();
            }
        }
        Some(metadata.resource_version)
    }
}

/// What cannot be read is told of and left out.
fn read<T: DeserializeOwned>(object: Value) -> Option<(Key, T)> {
    let Named { metadata } = Named::deserialize(&object).ok()?;
    let (namespace, name) = (metadata.namespace, metadata.name);
    match serde_json::from_value(object) {
        Ok(object) => Some(((namespace, name), object)),
        Err(error) => {
            tracing::warn!(namespace, name, %error, "an object is left out");
            None
        }
    }
}

/// As a part of a query. Servers make these of base64, in which these three need it.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}
