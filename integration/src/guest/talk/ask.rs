//! The asking side, in a process of its own in the place from which it asks. It must not judge what it hears.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Protocol, Question, Reply};
use crate::say;

/// How long one try may take; a server on an emulated machine may be busy.
const PATIENCE: Duration = Duration::from_secs(3);
/// Tries before nothing counts as nothing.
const TRIES: usize = 2;
/// Questions at a time.
const AT_ONCE: usize = 8;
const BEAT: Duration = Duration::from_millis(500);

/// `guest ask-many`: reads questions, writes replies.
pub(crate) fn ask_many() -> ExitCode {
    let mut text = String::new();
    if io::stdin().read_to_string(&mut text).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(questions) = serde_json::from_str::<Vec<Question>>(&text) else {
        return ExitCode::FAILURE;
    };
    let next = AtomicUsize::new(0);
    let replies = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(questions.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(question) = questions.get(index) else { return };
                    let reply = put(question);
                    replies.lock().unwrap_or_else(PoisonError::into_inner).push((index, reply));
                }
            });
        }
    });
    let mut replies = replies.into_inner().unwrap_or_else(PoisonError::into_inner);
    replies.sort_by_key(|(index, _)| *index);
    let replies: Vec<Reply> = replies.into_iter().map(|(_, reply)| reply).collect();
    let Ok(text) = serde_json::to_string(&replies) else { return ExitCode::FAILURE };
    say::line(&text);
    ExitCode::SUCCESS
}

fn put(question: &Question) -> Reply {
    let mut reply = Reply::Silent { how: "not asked".into() };
    for _ in 0..TRIES {
        let begun = Instant::now();
        let answer = match question.protocol {
            Protocol::Tcp => over_tcp(question),
            Protocol::Udp => over_udp(question),
        };
        reply = judge(question, answer, begun);
        if !matches!(reply, Reply::Silent { .. }) {
            break;
        }
    }
    reply
}

fn judge(question: &Question, answer: io::Result<String>, begun: Instant) -> Reply {
    match answer {
        Ok(answer) if answer.len() != question.bytes => Reply::Silent {
            how: format!("{} bytes came instead of {}", answer.len(), question.bytes),
        },
        Ok(answer) => {
            let mut words = answer.split_whitespace().map(str::to_owned);
            let (by, seen_as) = (words.next(), words.next());
            Reply::Answered { by: by.unwrap_or_default(), seen_as: seen_as.unwrap_or_default() }
        }
        Err(error) if is_silence(error.kind()) => Reply::Silent { how: error.kind().to_string() },
        Err(error) => Reply::Refused {
            how: error.kind().to_string(),
            milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        },
    }
}

fn is_silence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::UnexpectedEof)
}

/// A question of this many bytes, its end of line among them.
fn text(bytes: usize) -> Vec<u8> {
    let mut text = vec![b'x'; bytes.saturating_sub(1)];
    text.push(b'\n');
    text
}

fn over_tcp(question: &Question) -> io::Result<String> {
    exchange(&mut connect(question.target)?, question.bytes)
}

fn connect(target: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&target, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

fn exchange(connection: &mut BufReader<TcpStream>, bytes: usize) -> io::Result<String> {
    connection.get_mut().write_all(&text(bytes))?;
    let mut line = String::new();
    connection.read_line(&mut line)?;
    Ok(line)
}

fn over_udp(question: &Question) -> io::Result<String> {
    let any: SocketAddr = if question.target.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(question.target)?;
    socket.send(&text(question.bytes))?;
    let mut buffer = vec![0; 65536];
    let count = socket.recv(&mut buffer)?;
    buffer.truncate(count);
    String::from_utf8(buffer).map_err(|_| ErrorKind::InvalidData.into())
}

/// `guest hold ADDRESS:PORT SECONDS`: one connection, a question twice a second, each answered in time.
pub(crate) fn hold_on(target: &str, seconds: &str) -> ExitCode {
    let hold = || -> Option<io::Result<u32>> {
        let end = Instant::now() + Duration::from_secs(seconds.parse().ok()?);
        let target = target.parse().ok()?;
        Some(connect(target).and_then(|mut connection| {
            let mut count = 0;
            while Instant::now() < end {
                let line = exchange(&mut connection, 100)?;
                if line.len() != 100 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                count += 1;
                std::thread::sleep(BEAT);
            }
            Ok(count)
        }))
    };
    match hold() {
        Some(Ok(count)) => {
            say::line(&format!("held to the end: {count} answers"));
            ExitCode::SUCCESS
        }
        other => {
            say::line(&format!("broken: {other:?}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        Question { protocol: Protocol::Tcp, target: ([127, 0, 0, 1], 1).into(), bytes: 20 }
    }

    #[test]
    fn an_answer_that_is_cut_short_is_none() {
        let short = judge(&question(), Ok("web 10.0.0.1\n".into()), Instant::now());
        assert!(matches!(short, Reply::Silent { .. }), "{short}");
        let whole = judge(&question(), Ok("web 10.0.0.1 xxxxxx\n".into()), Instant::now());
        assert_eq!(whole.to_string(), "web answered 10.0.0.1");
    }

    #[test]
    fn a_refusal_is_not_silence() {
        let refused = judge(&question(), Err(ErrorKind::ConnectionRefused.into()), Instant::now());
        assert!(matches!(refused, Reply::Refused { .. }), "{refused}");
        let silent = judge(&question(), Err(ErrorKind::WouldBlock.into()), Instant::now());
        assert!(matches!(silent, Reply::Silent { .. }), "{silent}");
    }
}
