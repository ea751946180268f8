//! Waits for something to come or go in a directory. What it was is not read: whoever waits looks for what it wants.

use std::{io, path::Path};

use tokio::net::unix::pipe::Receiver;

use crate::kernel::directory_events;

/// A directory, from the moment on at which this was made.
#[derive(Debug)]
pub struct Watched(Receiver);

impl Watched {
    /// The directory at this path, which must be there.
    pub fn at(directory: &Path) -> io::Result<Self> {
        Receiver::from_owned_fd_unchecked(directory_events(directory)?).map(Self)
    }

    /// Waits until something came or went since the last time.
    pub async fn changed(&self) -> io::Result<()> {
        loop {
            self.0.readable().await?;
            match self.0.try_read(&mut [0; 4096]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read.map(drop),
            }
        }
    }
}
