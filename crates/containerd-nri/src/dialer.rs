//! Where connections to the runtime come from: its socket, or whatever a plugin's author has. Makes one at a time; keeps none.

use std::future::{Future, pending};
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

/// Makes connections to a runtime, for [`Session::run_dialing`](crate::Session::run_dialing).
///
/// A closure is one: a socket that is seen in another mount namespace, a connection over TCP in a lab, a pipe in a test.
///
/// ```no_run
/// use containerd_nri::{Identity, Launch, Plugin, Session};
/// use tokio::net::UnixStream;
///
/// # async fn run(plugin: impl Plugin) -> Result<(), Box<dyn std::error::Error>> {
/// let launch = Launch::detect(Launch::DEFAULT_SOCKET)?;
/// let session = Session::new(Identity::new("inside", "10")?, launch, plugin);
/// session.run_dialing(|| UnixStream::connect("nri.sock")).await?;
/// # Ok(())
/// # }
/// ```
pub trait Dialer: Send {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + 'static;

    /// Makes a connection. When it is lost, or was not made, the session waits a while and asks again.
    fn dial(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Ends when there is reason to dial although that while is not over. It is dropped when the while is over; by default it
    /// never ends.
    fn hint(&mut self) -> impl Future<Output = ()> + Send {
        pending()
    }
}

impl<F, D, S> Dialer for F
where
    F: FnMut() -> D + Send,
    D: Future<Output = io::Result<S>> + Send,
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    type Stream = S;

    fn dial(&mut self) -> impl Future<Output = io::Result<S>> + Send {
        self()
    }
}
