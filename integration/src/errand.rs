//! What a guest has the lab's host do for its cluster: to start a program of the size of `kubectl` takes an emulated machine ten seconds.
//! Data, and its way over one connection: the errand to its end, then the answer. It must not do anything.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The host as guests of QEMU's user network see it; what they connect to there is connected to its 127.0.0.1.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// The first guest of that network.
pub(crate) const GUEST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
/// Where the API server is.
pub(crate) const API_PORT: u16 = 6443;
/// Where kubelet is, whom the API server asks for logs and to run something in a container.
pub(crate) const KUBELET_PORT: u16 = 10250;
/// Where errands are taken.
pub(crate) const PORT: u16 = 7000;

/// Longer than anything that is asked for: a command in a container of an emulated machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Errand {
    /// The cluster's command line, as the administrator.
    Kubectl {
        /// Its arguments.
        arguments: Vec<String>,
        /// What it reads.
        stdin: String,
    },
    /// The API server is killed where it stands, and comes again.
    RestartApiServer,
}

/// What came of it; nothing said is that it is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The program's exit code; 1 where there is none.
    pub(crate) code: u8,
    /// What it wrote.
    pub(crate) stdout: String,
    /// What it complained of.
    pub(crate) stderr: String,
}

impl Answer {
    /// It could not be done.
    pub(crate) fn failed(why: &dyn std::fmt::Display) -> Self {
        Self { code: 1, stdout: String::new(), stderr: why.to_string() }
    }
}

/// Sends the errand from a guest, and waits for what comes of it.
pub(crate) fn send(errand: &Errand) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&SocketAddrV4::new(HOST, PORT).into(), PATIENCE)?;
    write(&mut stream, errand)?;
    read(&mut stream)
}

/// Takes what the other side has to say, to its end.
pub(crate) fn read<T: DeserializeOwned>(stream: &mut TcpStream) -> io::Result<T> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Says it all.
pub(crate) fn write<T: Serialize>(stream: &mut TcpStream, what: &T) -> io::Result<()> {
    stream.write_all(&serde_json::to_vec(what)?)?;
    stream.shutdown(Shutdown::Write)
}
