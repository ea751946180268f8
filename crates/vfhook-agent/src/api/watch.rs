//! What becomes of objects: one JSON document a line, for as long as the server goes on.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::timeout;

/// How long the server is asked to go on.
pub(super) const LIMIT: Duration = Duration::from_secs(300);

/// How much longer a connection that says nothing is taken for alive.
const GRACE: Duration = Duration::from_secs(30);

/// Bytes of one change that are read.
const LONGEST: usize = 4 << 20;

/// Changes that come.
#[derive(Debug)]
pub(crate) struct Watch {
    body: h2::RecvStream,
    /// What came and is no whole line yet.
    waiting: Vec<u8>,
}

/// What became of an object.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE", tag = "type")]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
    /// Nothing; only the version is another.
    Bookmark,
    /// The server cannot go on from the version that it was asked for.
    Error,
}

impl Watch {
    pub(super) fn new(body: h2::RecvStream) -> Self {
        Self { body, waiting: Vec::new() }
    }

    /// The next change; `None` when there will be none, for whatever reason.
    pub(crate) async fn next(&mut self) -> Option<Change> {
        serde_json::from_slice(&self.line().await?).ok()
    }

    /// The next change and the object as it is then, where it is one and can be read.
    pub(crate) async fn next_of<T: DeserializeOwned>(&mut self) -> Option<(Change, Option<T>)> {
        #[derive(Deserialize)]
        struct Of<T> {
            object: T,
        }
        let line = self.line().await?;
        let change = serde_json::from_slice(&line).ok()?;
        let object = serde_json::from_slice(&line).ok().map(|of: Of<T>| of.object);
        Some((change, object))
    }

    async fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(line) = first_line(&mut self.waiting) {
                return Some(line);
            }
            let chunk = timeout(LIMIT + GRACE, self.body.data()).await.ok()??.ok()?;
            self.body.flow_control().release_capacity(chunk.len()).ok()?;
            if self.waiting.len() + chunk.len() > LONGEST {
                return None;
            }
            self.waiting.extend_from_slice(&chunk);
        }
    }
}

fn first_line(waiting: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = waiting.iter().position(|byte| *byte == b'\n')?;
    let rest = waiting.split_off(end + 1);
    Some(std::mem::replace(waiting, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_change() {
        let mut waiting = b"{\"type\":\"ADDED\",\"object\":{}}\n{\"type\":\"BOOK".to_vec();
        let change = |line: Vec<u8>| serde_json::from_slice::<Change>(&line).unwrap();
        assert_eq!(change(first_line(&mut waiting).unwrap()), Change::Added);
        assert_eq!(first_line(&mut waiting), None);
        waiting.extend_from_slice(b"MARK\",\"object\":{}}\n");
        assert_eq!(change(first_line(&mut waiting).unwrap()), Change::Bookmark);
    }
}
