//! The socket at which a manager of services listens for us and which it hands over when it starts us (`sd_listen_fds(3)`). Whoever started
//! us may have put anything there, so it is looked at before it is taken, and an address that strangers reach is refused as it is elsewhere.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
        unix::{fs::FileTypeExt as _, net::UnixListener},
    },
    sync::atomic::{AtomicBool, Ordering},
};

use nix::sys::socket::{
    AddressFamily, SockType, SockaddrLike as _, SockaddrStorage, getsockname, getsockopt, sockopt,
};

/// A socket that listens. It is its manager's: nothing of it is removed when we end.
#[derive(Debug)]
pub enum PassedSocket {
    /// At a path.
    Unix(UnixListener),
    /// At an address of the machine's own.
    Loopback(TcpListener),
}

/// Why what was handed over is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// What says what was handed over is wrong.
    #[error("read LISTEN_PID and LISTEN_FDS, by which systemd hands sockets over")]
    Variables(#[source] io::Error),
    /// There are several.
    #[error(
        "systemd hands {0} sockets over, and one is used: let vfhook.socket have one ListenStream="
    )]
    Several(usize),
    /// It is something else.
    #[error(
        "descriptor {descriptor}, which systemd hands over, {is}: vfhook.socket needs one ListenStream=, a path or 127.0.0.1:PORT"
    )]
    Unfit {
        /// Its number.
        descriptor: RawFd,
        /// What it is.
        is: String,
    },
    /// It cannot be asked what it is.
    #[error("look at descriptor {descriptor}, which systemd hands over")]
    Unseen {
        /// Its number.
        descriptor: RawFd,
        /// Why.
        source: io::Error,
    },
}

impl PassedSocket {
    /// Takes it, if there is one for this process. It does not block, and no child has it. Nothing is there a second time.
    pub fn take() -> Result<Option<Self>, NotTaken> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let mut descriptors = sd_notify::listen_fds().map_err(NotTaken::Variables)?;
        let several = descriptors.len();
        let Some(descriptor) = descriptors.next() else { return Ok(None) };
        if several > 1 {
            return Err(NotTaken::Several(several));
        }
        let unseen = |source| NotTaken::Unseen { descriptor, source };
        let unfit = |is: &str| NotTaken::Unfit { descriptor, is: is.to_owned() };
        let kind = fs::metadata(format!("/proc/self/fd/{descriptor}")).map_err(unseen)?.file_type();
        if !kind.is_socket() {
            return Err(unfit("is no socket"));
        }
        if TAKEN.swap(true, Ordering::SeqCst) {
            return Ok(None);
        }
        #[expect(unsafe_code, reason = "there is no other way to a descriptor that was inherited")]
        // SAFETY: It is open: it was just looked at. By the protocol of its start this process owns it, and `TAKEN` keeps it from being
        // owned twice.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Self::of(socket)
            .map_err(|why| match why {
                Wrong::Is(is) => unfit(&is),
                Wrong::Unseen(source) => unseen(source),
            })
            .map(Some)
    }

    /// What it is, if it is one of ours.
    fn of(socket: OwnedFd) -> Result<Self, Wrong> {
        let is_stream = getsockopt(&socket, sockopt::SockType)? == SockType::Stream;
        if !is_stream || !getsockopt(&socket, sockopt::AcceptConn)? {
            return Err(Wrong::Is("listens for no connections".to_owned()));
        }
        match getsockname::<SockaddrStorage>(socket.as_raw_fd())?.family() {
            Some(AddressFamily::Unix) => {
                let listener = UnixListener::from(socket);
                // Whoever is in the namespace may connect to a name that is no path.
                if listener.local_addr()?.as_pathname().is_none() {
                    return Err(Wrong::Is("has no path, so nobody is kept from it".to_owned()));
                }
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(listener))
            }
            Some(AddressFamily::Inet | AddressFamily::Inet6) => {
                let listener = TcpListener::from(socket);
                refuse_strangers(listener.local_addr()?)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Loopback(listener))
            }
            other => Err(Wrong::Is(format!("is of the family {other:?}"))),
        }
    }
}

fn refuse_strangers(address: SocketAddr) -> Result<(), Wrong> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(Wrong::Is(format!("listens at {address}, which would tell strangers of pods")))
}

/// Why a socket is none of ours.
enum Wrong {
    Is(String),
    Unseen(io::Error),
}

impl From<io::Error> for Wrong {
    fn from(source: io::Error) -> Self {
        Self::Unseen(source)
    }
}

impl From<nix::Error> for Wrong {
    fn from(source: nix::Error) -> Self {
        Self::Unseen(source.into())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::UdpSocket,
        os::{linux::net::SocketAddrExt as _, unix::net::UnixStream},
    };

    use super::*;

    fn why(socket: impl Into<OwnedFd>) -> String {
        match PassedSocket::of(socket.into()) {
            Err(Wrong::Is(is)) => is,
            Err(Wrong::Unseen(error)) => panic!("{error}"),
            Ok(socket) => panic!("{socket:?}"),
        }
    }

    #[test]
    fn a_socket_that_others_reach_or_that_does_not_listen_is_not_taken() {
        let nameless = std::os::unix::net::SocketAddr::from_abstract_name(b"vfhook-test").unwrap();
        assert!(why(UnixListener::bind_addr(&nameless).unwrap()).contains("has no path"));
        assert!(why(TcpListener::bind("0.0.0.0:0").unwrap()).contains("0.0.0.0"));
        assert!(why(TcpListener::bind("[::]:0").unwrap()).contains("strangers"));
        assert!(why(UdpSocket::bind("127.0.0.1:0").unwrap()).contains("no connections"));
        assert!(why(UnixStream::pair().unwrap().0).contains("no connections"));
    }

    #[test]
    fn a_path_and_an_address_of_the_machines_own_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let unix = UnixListener::bind(folder.path().join("http.sock")).unwrap();
        assert!(matches!(PassedSocket::of(unix.into()), Ok(PassedSocket::Unix(_))));
        for address in ["127.0.0.1:0", "127.8.0.1:0", "[::1]:0"] {
            let own = TcpListener::bind(address).unwrap();
            assert!(
                matches!(PassedSocket::of(own.into()), Ok(PassedSocket::Loopback(_))),
                "{address}"
            );
        }
    }
}
