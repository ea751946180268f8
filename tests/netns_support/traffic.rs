//! Real connections between namespaces, made with sockets of the test's own.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{host::Host, sandbox::Sandbox};

const PATIENCE: Duration = Duration::from_secs(10);

/// A namespace behind a router's leg of the host: it knows no way to any source address of a service path.
pub(crate) fn backend(host: &Host) -> Sandbox {
    let backend = host.sandbox("backend");
    host.ip(&[
        "link add leg0 type veth peer name eth0 netns backend",
        "address add 10.1.0.1/24 dev leg0",
        "address add fd00:1::1/64 dev leg0",
        "link set leg0 up",
    ]);
    for words in [
        "address add 10.1.0.2/24 dev eth0",
        "address add fd00:1::2/64 dev eth0 nodad",
        "link set eth0 up",
    ] {
        backend.ip(words);
    }
    backend
}

/// A server in a sandbox that answers one connection with the address that it saw, then ends.
pub(crate) struct Backend {
    serving: JoinHandle<SocketAddr>,
}

impl Backend {
    pub(crate) fn listen(sandbox: &Sandbox, at: &str) -> Self {
        let listener = sandbox.inside(|| {
            TcpListener::bind(at).unwrap_or_else(|error| panic!("listen at {at}: {error}"))
        });
        // A socket stays in the namespace that it was made in, whoever uses it.
        let serving = thread::spawn(move || {
            let (mut stream, peer) = listener.accept().expect("accept a connection");
            stream.write_all(peer.to_string().as_bytes()).expect("answer");
            peer
        });
        Self { serving }
    }

    /// Whom it served.
    pub(crate) fn served(self) -> SocketAddr {
        self.serving.join().expect("the backend served")
    }
}

/// Connects from the sandbox and reads all of the answer.
pub(crate) fn ask(sandbox: &Sandbox, whom: &str) -> Result<String, std::io::Error> {
    let whom: SocketAddr = whom.parse().map_err(std::io::Error::other)?;
    sandbox.inside(|| {
        let mut stream = TcpStream::connect_timeout(&whom, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })
}
