//! What comes of frames that no side should send, in both directions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use containerd_nri::Event;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::probe::{Plugged, Probe};
use crate::runtime::{Runtime, VERSIONS, since, with_each};

/// Whom bytes are slipped to.
#[derive(Clone, Copy, Debug)]
enum To {
    Plugin,
    Runtime,
}

/// A frame for a logical connection.
fn frame(connection: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = connection.to_be_bytes().to_vec();
    bytes.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Stands between the two, and slips bytes in when neither says anything.
struct Middle {
    slip: mpsc::UnboundedSender<(To, Vec<u8>)>,
}

impl Middle {
    /// Listens on `path` for the plugin, dials the runtime for each time it comes.
    fn between(path: &Path, runtime: PathBuf, tokio: &tokio::runtime::Runtime) -> Self {
        let (slip, mut slips) = mpsc::unbounded_channel();
        let listener = tokio.block_on(async { UnixListener::bind(path) }).unwrap();
        tokio.spawn(async move {
            while let Ok((plugin, _)) = listener.accept().await {
                let Ok(runtime) = UnixStream::connect(&runtime).await else { continue };
                carry(plugin, runtime, &mut slips).await;
            }
        });
        Self { slip }
    }
}

async fn carry(
    mut plugin: UnixStream,
    mut runtime: UnixStream,
    slips: &mut mpsc::UnboundedReceiver<(To, Vec<u8>)>,
) {
    let (mut from_plugin, mut from_runtime) = (Vec::new(), Vec::new());
    loop {
        tokio::select! {
            Some((to, bytes)) = slips.recv() => {
                let side = match to {
                    To::Plugin => &mut plugin,
                    To::Runtime => &mut runtime,
                };
                let _ = side.write_all(&bytes).await;
            }
            got = plugin.read_buf(&mut from_plugin) => match got {
                Ok(got) if got > 0 => { let _ = runtime.write_all(&whole(&mut from_plugin)).await; }
                _ => return,
            },
            got = runtime.read_buf(&mut from_runtime) => match got {
                Ok(got) if got > 0 => { let _ = plugin.write_all(&whole(&mut from_runtime)).await; }
                _ => return,
            },
        }
    }
}

/// Takes the frames that are there to the end: a runtime may write one in two pieces, and nothing is slipped in between.
fn whole(read: &mut Vec<u8>) -> Vec<u8> {
    let mut end = 0;
    while let Some(header) = read.get(end..end + 8) {
        let length = u32::from_be_bytes(header[4..].try_into().unwrap());
        let next = end + 8 + usize::try_from(length).unwrap();
        if next > read.len() {
            break;
        }
        end = next;
    }
    read.drain(..end).collect()
}

/// A plugin, a runtime, and somebody in the middle.
struct Scene {
    runtime: Runtime,
    plugged: Plugged,
    middle: Middle,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn of(version: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("middle.sock");
        let mut runtime = Runtime::of(version);
        runtime.start(1, 0, &Value::Null);
        let tokio = tokio::runtime::Runtime::new().unwrap();
        let middle = Middle::between(&path, runtime.socket.clone(), &tokio);
        let probe = Probe::of(&[Event::RunPodSandbox]);
        let plugged = Plugged::dialing_in(tokio, path, probe);
        runtime.synchronized();
        plugged.serves();
        Self { runtime, plugged, middle, _folder: folder }
    }

    fn slip(&self, to: To, bytes: Vec<u8>) {
        self.middle.slip.send((to, bytes)).unwrap();
    }

    /// Whether an event still reaches the plugin.
    fn goes_on(&mut self) -> bool {
        std::thread::sleep(Duration::from_millis(50));
        let heard = self.plugged.probe.told.lock().unwrap().len();
        assert_eq!(self.runtime.call("RunPodSandbox", "p")["error"], "");
        self.plugged.probe.told.lock().unwrap().len() == heard + 1
    }

    fn comes_back(&mut self) {
        assert_eq!(self.runtime.synchronized()["error"], "", "{}", self.runtime.version);
        self.plugged.serves();
        assert!(self.goes_on(), "{}", self.runtime.version);
    }
}

/// A frame for a connection that there is not is skipped by both sides.
#[test]
fn an_unknown_connection_is_skipped() {
    with_each(VERSIONS, |version| {
        let mut scene = Scene::of(version);
        for to in [To::Plugin, To::Runtime] {
            scene.slip(to, frame(9, b"nobody is there"));
            assert!(scene.goes_on(), "{version} {to:?}");
        }
    });
}

/// The plugin ends a connection that breaks the protocol, says how, and is back at once.
#[test]
fn a_plugin_leaves_a_runtime_that_breaks_the_protocol() {
    with_each(VERSIONS, |version| {
        let mut scene = Scene::of(version);
        for (bytes, reason) in [
            (frame(1, b""), "EmptyFrame"),
            (frame(1, &[0xff; 64]), "LongMessage"),
            (u32::MAX.to_be_bytes().repeat(2), "LongFrame"),
            (frame(1, &[0, 0, 0, 0, 0, 0, 0, 2, 1, 0]), "EvenStream"),
            (frame(2, &[0, 0, 0, 0, 0, 0, 0, 1, 1, 0]), "MessageKind"),
        ] {
            scene.slip(To::Plugin, bytes);
            let lost = scene.plugged.lost();
            assert!(lost.contains(reason), "{version}: {lost}");
            scene.comes_back();
        }
    });
}

/// What the runtimes' side makes of frames that this crate never sends: it does not mind an empty one or a request that is none,
/// closes at one longer than its buffer, and of an absurd length it waits for the rest, deaf to every answer, until it
/// drops the plugin. The plugin is back at once.
#[test]
fn a_runtime_leaves_a_plugin_that_it_cannot_read() {
    let absurd = u32::MAX.to_be_bytes().repeat(2);
    with_each(VERSIONS, |version| {
        let mut scene = Scene::of(version);
        for bytes in [frame(1, b""), frame(2, b""), frame(2, &[0, 0, 0, 1, 0, 0, 0, 9, 1, 0, 0xff])]
        {
            scene.slip(To::Runtime, bytes);
            assert!(scene.goes_on(), "{version}");
        }
        scene.slip(To::Runtime, frame(1, &[0; 4097]));
        assert!(scene.plugged.lost().contains("Closed"), "{version}");
        scene.comes_back();
        scene.slip(To::Runtime, absurd.clone());
        if !since(version, (12, 5)) {
            std::thread::sleep(Duration::from_millis(50));
            let unheard = scene.runtime.call("RunPodSandbox", "p");
            assert_eq!(unheard["error"], "", "{version}");
            assert!(unheard["took_ms"].as_u64().unwrap() >= 950, "{version}");
        }
        assert!(scene.plugged.lost().contains("Closed"), "{version}");
        scene.comes_back();
    });
}
