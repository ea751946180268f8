//! Calls from a client to a server, both as they are used.
#![cfg(test)]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use grpc_unix::{CallError, Code, Replies, Server, Service, Status, call, decode, stream};
use tokio::net::UnixListener;

const LIMIT: Duration = Duration::from_secs(10);

/// Answers in a few ways.
#[derive(Default)]
struct Echo {
    /// Whether a call was dropped that had no end.
    dropped: Arc<AtomicBool>,
}

struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Service for Echo {
    async fn call(&self, method: &str, request: Vec<u8>, replies: Replies) -> Result<(), Status> {
        match method {
            "test.Echo/Same" => {
                let text: String = decode(&request)?;
                Ok(replies.send(&text).await?)
            }
            "test.Echo/Often" => {
                let text: String = decode(&request)?;
                for length in 0..text.len() {
                    replies.send(&text[..length].to_owned()).await?;
                }
                Err(Status::new(Code::Unavailable, "no more"))
            }
            "test.Echo/Refuse" => {
                Err(Status::new(Code::FailedPrecondition, "no VF: 100 % “taken”\n"))
            }
            "test.Echo/Endless" => {
                let _flag = Flag(Arc::clone(&self.dropped));
                std::future::pending().await
            }
            _ => Err(Status::new(Code::Unimplemented, "")),
        }
    }
}

struct Scene {
    _directory: tempfile::TempDir,
    socket: PathBuf,
    dropped: Arc<AtomicBool>,
}

fn scene() -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let service = Echo::default();
    let dropped = Arc::clone(&service.dropped);
    let server = Server::new(UnixListener::bind(&socket).unwrap());
    tokio::spawn(server.run(Arc::new(service)));
    Scene { _directory: directory, socket, dropped }
}

async fn said(scene: &Scene, method: &str, text: &str) -> Result<String, CallError> {
    call(&scene.socket, &format!("test.Echo/{method}"), &text.to_owned(), LIMIT).await
}

#[tokio::test]
async fn an_answer_comes_whole_however_long_it_is() {
    let scene = scene();
    for length in [0, 1, 16_000, 70_000, 1_000_000] {
        let text = "x".repeat(length);
        assert_eq!(said(&scene, "Same", &text).await.unwrap(), text);
    }
}

#[tokio::test]
async fn a_refusal_comes_with_its_words() {
    let scene = scene();
    let refused = |error| match error {
        CallError::Refused(status) => status,
        other => panic!("{other}"),
    };
    let status = refused(said(&scene, "Refuse", "").await.unwrap_err());
    assert_eq!(status, Status::new(Code::FailedPrecondition, "no VF: 100 % “taken”\n"));
    let status = refused(said(&scene, "Other", "").await.unwrap_err());
    assert_eq!(status.code, Code::Unimplemented);
}

#[tokio::test]
async fn answers_come_one_by_one_until_the_end_is_told() {
    let scene = scene();
    let text = "x".repeat(500);
    let mut answers = stream(&scene.socket, "test.Echo/Often", &text).await.unwrap();
    for length in 0..500 {
        assert_eq!(answers.next::<String>().await.unwrap().unwrap().len(), length);
    }
    let Err(CallError::Refused(status)) = answers.next::<String>().await else { panic!("more") };
    assert_eq!(status, Status::new(Code::Unavailable, "no more"));
}

#[tokio::test]
async fn a_call_ends_when_its_caller_goes() {
    let scene = scene();
    let limit = Duration::from_millis(50);
    let request = String::new();
    let late = call::<_, String>(&scene.socket, "test.Echo/Endless", &request, limit).await;
    assert!(matches!(late, Err(CallError::Late(_))));
    for _ in 0..500 {
        if scene.dropped.load(Ordering::SeqCst) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the call goes on");
}

#[tokio::test]
async fn what_is_no_message_and_who_does_not_listen_are_told() {
    let scene = scene();
    // Bytes are a message of another type with the same shape; these are no text.
    let bytes = vec![0xff];
    let broken = call::<_, String>(&scene.socket, "test.Echo/Same", &bytes, LIMIT).await;
    let Err(CallError::Refused(status)) = broken else { panic!("taken") };
    assert_eq!(status.code, Code::InvalidArgument);
    let nobody = scene.socket.with_extension("none");
    let absent = call::<String, String>(&nobody, "test.Echo/Same", &String::new(), LIMIT).await;
    assert!(matches!(absent, Err(CallError::Connect(_))));
}
