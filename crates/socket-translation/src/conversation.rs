//! UDP sockets that are connected to a backend of a service: they keep it whatever becomes of it, until somebody ends that. Found by what was
//! written down when a backend was chosen, so that no socket of a namespace is met that never asked for a service. Decides nothing.

use std::net::{SocketAddr, UdpSocket};

use nix::errno::Errno;

use crate::{
    Error,
    diag::{Diag, Name},
    layout::{Which, peer_key},
    maps::Maps,
};

/// A UDP socket that is connected to what was chosen for a service in its namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conversation {
    /// Address and port of the backend; of a socket of both families in the mapped form, as `local` is then.
    pub backend: SocketAddr,
    /// The socket's own.
    pub local: SocketAddr,
    /// The number of the interface that the socket is bound to, or 0.
    pub device: u32,
    /// What no other socket of this machine has, nor will have.
    pub cookie: u64,
}

/// Those of the calling thread's namespace, which has this cookie.
pub(crate) fn all(maps: &Maps, namespace: u64) -> Result<Vec<Conversation>, Error> {
    let found = Diag::open().and_then(|diag| diag.connected()).map_err(|errno| match errno {
        Errno::ENOENT => Error::CannotEnd { reason: NO_UDP_DIAG },
        errno => Error::refused("list sockets", "of UDP")(errno),
    })?;
    let mut conversations = Vec::new();
    for Name { local, remote: backend, device, cookie } in found {
        let key = peer_key(namespace, backend);
        if maps.get(Which::Peers).get::<4>(&key)?.is_some() {
            conversations.push(Conversation { backend, local, device, cookie });
        }
    }
    Ok(conversations)
}

/// Ends these; what is over is over. Who waits for an answer hears `ECONNABORTED`; who sends is told that he is connected to nobody.
pub(crate) fn end(conversations: &[Conversation]) -> Result<(), Error> {
    let diag = Diag::open().map_err(Error::refused("open", "sock_diag"))?;
    for one in conversations {
        let Conversation { local, backend: remote, device, cookie, .. } = *one;
        match diag.destroy(&Name { local, remote, device, cookie }) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(Errno::EOPNOTSUPP) => return Err(Error::CannotEnd { reason: NO_DESTROY }),
            Err(errno) => {
                let object = format!("of {local} to {remote}");
                return Err(Error::refused("end UDP socket", object)(errno));
            }
        }
    }
    Ok(())
}

/// Why none can be ended here. Ends a socket of its own to see that.
pub(crate) fn inability() -> Option<Error> {
    let done = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        let (local, nobody) = (socket.local_addr()?, SocketAddr::from(([0; 4], 0)));
        // Whichever cookie it has: nobody else has its port.
        let name = Name { local, remote: nobody, device: 0, cookie: u64::MAX };
        Diag::open().and_then(|diag| diag.destroy(&name)).map_err(Into::into)
    });
    let error = done.err()?;
    Some(lacking(Errno::from_raw(error.raw_os_error().unwrap_or_default())))
}

/// What a socket that is there, and that the kernel does not end, tells of the kernel.
fn lacking(errno: Errno) -> Error {
    match errno {
        Errno::ENOENT => Error::CannotEnd { reason: NO_UDP_DIAG },
        Errno::EOPNOTSUPP => Error::CannotEnd { reason: NO_DESTROY },
        errno => Error::refused("end a UDP socket", "of its own")(errno),
    }
}

const NO_UDP_DIAG: &str = "this kernel tells nothing of UDP sockets: load udp_diag, or build one with CONFIG_INET_UDP_DIAG";
const NO_DESTROY: &str =
    "this kernel ends no sockets: it was built without CONFIG_INET_DIAG_DESTROY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_lacks_is_named() {
        for (errno, part) in [
            (Errno::ENOENT, "udp_diag"),
            (Errno::EOPNOTSUPP, "CONFIG_INET_DIAG_DESTROY"),
            (Errno::EPERM, "end a UDP socket of its own"),
        ] {
            let told = lacking(errno).to_string();
            assert!(told.contains(part), "{told}");
        }
    }
}
