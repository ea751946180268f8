//! A client of a cluster's API server, as far as this agent needs one: objects are got, written, applied, deleted and watched, as JSON over
//! HTTP/2 and TLS. Each call has a connection of its own, so that no dead one has to be noticed. It knows no kind of object.

mod connection;
mod credentials;
mod exact;
mod watch;

use std::{sync::Arc, time::Duration};

use http::{Method, Request, StatusCode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::timeout;

pub(crate) use self::credentials::{Credentials, CredentialsError};
pub(crate) use self::watch::{Change, Watch};

/// How long a call that is answered at once may take.
const LIMIT: Duration = Duration::from_secs(15);

/// What most answers are.
const JSON: &str = "application/json";

/// Bytes of an answer that are read.
const LONGEST: usize = 16 << 20;

/// The API server.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    credentials: Arc<Credentials>,
}

/// Why a call did nothing, as far as is known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// Nobody answers.
    #[error("reach the API server at {server}: {why}")]
    Unreachable { server: String, why: String },
    /// The server says no.
    #[error("{what}: {message} (HTTP {code})")]
    Refused { what: String, code: u16, message: String },
    /// What came is no such object.
    #[error("{what}: the answer")]
    Malformed { what: String, source: serde_json::Error },
}

impl ApiError {
    /// Whether there is no such object.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Refused { code: 404, .. })
    }

    /// Whether it is not the object that was meant.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { code: 409, .. })
    }

    /// Whether the server said that it did nothing.
    pub(crate) fn is_without_effect(&self) -> bool {
        matches!(self, Self::Refused { code: 400..=499, .. })
    }

    /// Whether the server said anything at all.
    pub(crate) fn is_answer(&self) -> bool {
        !matches!(self, Self::Unreachable { .. })
    }
}

/// How a body is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    /// A whole object.
    Object,
    /// What shall be there of an object, by its one owner (server-side apply).
    Apply,
    /// What shall be different in an object (RFC 7386).
    Merge,
}

impl Body {
    fn content_type(self) -> &'static str {
        match self {
            Self::Object => "application/json",
            // JSON is YAML.
            Self::Apply => "application/apply-patch+yaml",
            Self::Merge => "application/merge-patch+json",
        }
    }
}

/// What the server says where it refuses.
#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    message: String,
}

impl Api {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { credentials: Arc::new(credentials) }
    }

    /// The object, or the list of objects, at a path.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.call(Method::GET, path, None).await
    }

    /// Writes an object: `POST` makes one in the list at this path, `PUT` puts it in place of that at this path.
    pub(crate) async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        object: &impl Serialize,
    ) -> Result<T, ApiError> {
        self.call(method, path, Some((Body::Object, encode(path, object)?))).await
    }

    /// Makes the object at this path have what is said of it.
    pub(crate) async fn apply<T: DeserializeOwned>(
        &self,
        path: &str,
        object: &impl Serialize,
    ) -> Result<T, ApiError> {
        self.call(Method::PATCH, path, Some((Body::Apply, encode(path, object)?))).await
    }

    /// Deletes the object at this path; one that is gone is no failure.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), ApiError> {
        match self.call::<serde_json::Value>(Method::DELETE, path, None).await {
            Err(error) if !error.is_absent() => Err(error),
            _ => Ok(()),
        }
    }

    /// What becomes of the objects in the list at this path from a version on.
    pub(crate) async fn watch(&self, path: &str, version: &str) -> Result<Watch, ApiError> {
        self.watch_for(path, version, watch::LIMIT).await
    }

    async fn watch_for(
        &self,
        path: &str,
        version: &str,
        limit: Duration,
    ) -> Result<Watch, ApiError> {
        let rest = format!(
            "&watch=true&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={version}",
            limit.as_secs()
        );
        let path = format!("{path}{rest}");
        let what = format!("GET {path}");
        let request = self.request(Method::GET, &path, None, JSON)?;
        let response = timeout(LIMIT, connection::send(&self.credentials, request, None)).await;
        let response = response.map_err(|_| self.late())?.map_err(|why| self.unreachable(why))?;
        if response.status() == StatusCode::OK {
            return Ok(Watch::new(response.into_body()));
        }
        let (code, body) = (response.status(), self.body(response.into_body()).await?);
        Err(refused(what, code, &body))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<(Body, Vec<u8>)>,
    ) -> Result<T, ApiError> {
        self.call_for(JSON, method, path, body).await
    }

    /// A call whose answer is to be of this type.
    async fn call_for<T: DeserializeOwned>(
        &self,
        accept: &'static str,
        method: Method,
        path: &str,
        body: Option<(Body, Vec<u8>)>,
    ) -> Result<T, ApiError> {
        let what = format!("{method} {path}");
        let (meant, body) = body.unzip();
        let request = self.request(method, path, meant, accept)?;
        let exchange = async {
            let response = connection::send(&self.credentials, request, body).await;
            let response = response.map_err(|why| self.unreachable(why))?;
            Ok((response.status(), self.body(response.into_body()).await?))
        };
        let (code, body) = timeout(LIMIT, exchange).await.map_err(|_| self.late())??;
        if !code.is_success() {
            return Err(refused(what, code, &body));
        }
        serde_json::from_slice(&body).map_err(|source| ApiError::Malformed { what, source })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        meant: Option<Body>,
        accept: &'static str,
    ) -> Result<Request<()>, ApiError> {
        let token =
            self.credentials.token().map_err(|error| self.unreachable(error.to_string()))?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://{}{path}", self.credentials.authority))
            .header("accept", accept)
            .header("user-agent", concat!("vfhook-agent/", env!("CARGO_PKG_VERSION")))
            .header("authorization", format!("Bearer {token}"));
        if let Some(meant) = meant {
            request = request.header("content-type", meant.content_type());
        }
        request.body(()).map_err(|error| self.unreachable(error.to_string()))
    }

    async fn body(&self, mut stream: h2::RecvStream) -> Result<Vec<u8>, ApiError> {
        let mut body = Vec::new();
        while let Some(chunk) = stream.data().await {
            let chunk = chunk.map_err(|error| self.unreachable(error.to_string()))?;
            // It counts for a stream that goes on.
            let _ = stream.flow_control().release_capacity(chunk.len());
            if body.len() + chunk.len() > LONGEST {
                return Err(self.unreachable("an answer of more than 16 MiB".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn late(&self) -> ApiError {
        self.unreachable(format!("no answer within {} s", LIMIT.as_secs()))
    }

    fn unreachable(&self, why: String) -> ApiError {
        ApiError::Unreachable { server: self.credentials.authority.clone(), why }
    }
}

fn encode(path: &str, object: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(object)
        .map_err(|source| ApiError::Malformed { what: format!("encode for {path}"), source })
}

fn refused(what: String, code: StatusCode, body: &[u8]) -> ApiError {
    let said = serde_json::from_slice(body).map(|status: Status| status.message);
    let message =
        said.unwrap_or_else(|_| String::from_utf8_lossy(body).chars().take(200).collect());
    ApiError::Refused { what, code: code.as_u16(), message }
}
