//! Where the API server is, how it is known to be that, and what this agent is known by there.

use std::{fs, io, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, InvalidDnsNameError, ServerName, pem::PemObject},
};

/// Where a pod finds what it is known by.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How an API server is spoken to.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// `host:port`.
    pub(super) authority: String,
    pub(super) name: ServerName<'static>,
    pub(super) tls: Arc<ClientConfig>,
    token: PathBuf,
}

/// Why an API server cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error(
        "nothing says where the API server is: --api-server https://HOST:PORT, or run in a pod of the cluster"
    )]
    Nowhere,
    #[error("--api-server {0}: expected https://HOST or https://HOST:PORT")]
    Server(String),
    #[error("--api-server {0}")]
    Name(String, #[source] InvalidDnsNameError),
    #[error("read the certificates in {}", .0.display())]
    Certificates(PathBuf, #[source] rustls::pki_types::pem::Error),
    #[error("use the certificates in {}", .0.display())]
    Unusable(PathBuf, #[source] rustls::Error),
    #[error("there is no certificate in {}", .0.display())]
    NoCertificate(PathBuf),
    #[error("TLS")]
    Tls(#[from] rustls::Error),
}

impl Credentials {
    /// What is said, and where nothing is said, what a pod has; `variable` looks up the environment.
    pub(crate) fn new(
        server: Option<&str>,
        authority: Option<PathBuf>,
        token: Option<PathBuf>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, CredentialsError> {
        let of_account = |file: &str| PathBuf::from(ACCOUNT).join(file);
        let certificates = authority.unwrap_or_else(|| of_account("ca.crt"));
        let server = server.map(str::to_owned).or_else(|| of_pod(variable));
        let server = server.ok_or(CredentialsError::Nowhere)?;
        let (host, authority) = parse(&server)?;
        let name = ServerName::try_from(host)
            .map_err(|error| CredentialsError::Name(server.clone(), error))?;
        let roots = roots(certificates)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let token = token.unwrap_or_else(|| of_account("token"));
        Ok(Self { authority, name, tls: Arc::new(tls), token })
    }

    /// The token, which somebody renews: read anew each time.
    pub(super) fn token(&self) -> io::Result<String> {
        let text = fs::read_to_string(&self.token).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("read the token {}: {error}", self.token.display()),
            )
        })?;
        Ok(text.trim().to_owned())
    }
}

fn of_pod(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let host = variable("KUBERNETES_SERVICE_HOST")?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Some(format!("https://{host}:{}", variable("KUBERNETES_SERVICE_PORT")?))
}

/// The host, and the host with its port.
fn parse(server: &str) -> Result<(String, String), CredentialsError> {
    let wrong = || CredentialsError::Server(server.to_owned());
    let rest = server.strip_prefix("https://").ok_or_else(wrong)?.trim_end_matches('/');
    let authority: http::uri::Authority = rest.parse().map_err(|_| wrong())?;
    if authority.as_str().contains('@') || rest.contains('/') {
        return Err(wrong());
    }
    let port = authority.port_u16().unwrap_or(443);
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok((bare, format!("{host}:{port}")))
}

fn roots(path: PathBuf) -> Result<RootCertStore, CredentialsError> {
    let unreadable = |error| CredentialsError::Certificates(path.clone(), error);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        roots.add(certificate).map_err(|error| CredentialsError::Unusable(path.clone(), error))?;
    }
    if roots.is_empty() { Err(CredentialsError::NoCertificate(path)) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port() {
        for (server, host, authority) in [
            ("https://10.96.0.1:6443", "10.96.0.1", "10.96.0.1:6443"),
            ("https://api.example", "api.example", "api.example:443"),
            ("https://[fd00::1]:6443/", "fd00::1", "[fd00::1]:6443"),
        ] {
            let expected = (host.to_owned(), authority.to_owned());
            assert_eq!(parse(server).unwrap(), expected, "{server}");
        }
        for server in ["", "http://a", "https://", "a:6443", "https://a/b", "https://u@a"] {
            assert!(parse(server).is_err(), "{server}");
        }
    }

    #[test]
    fn a_pod_knows_where_its_server_is() {
        let variable = |name: &str| match name {
            "KUBERNETES_SERVICE_HOST" => Some("fd00::1".to_owned()),
            "KUBERNETES_SERVICE_PORT" => Some("443".to_owned()),
            _ => None,
        };
        assert_eq!(of_pod(variable).unwrap(), "https://[fd00::1]:443");
        assert_eq!(of_pod(|_| None), None);
    }
}
