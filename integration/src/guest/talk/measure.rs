//! How fast a service is: what goes over one connection in a time, and how often it answers. It must not judge.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::say;

/// Begins a line after which so many bytes follow, which are only read.
const TAKE: &str = "take ";
/// Sent at a time: enough that what is measured is the way and not its beginning.
const PORTION: usize = 4 << 20;
const PATIENCE: Duration = Duration::from_secs(20);

/// What one connection reached at its best: a machine that also does something else is not what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Speed {
    /// Towards the server, in MiB per second.
    pub(crate) throughput: f64,
    /// From a question of a line to its answer, in microseconds.
    pub(crate) round_trip: f64,
}

/// How many bytes follow this line, when it announces some.
pub(super) fn bytes_to_take(line: &str) -> Option<u64> {
    line.strip_prefix(TAKE)?.trim_end().parse().ok()
}

/// `guest measure ADDRESS:PORT MILLISECONDS`: sends for so long, then asks for so long.
pub(crate) fn measure(target: &str, milliseconds: &str) -> ExitCode {
    let (Ok(target), Ok(milliseconds)) = (target.parse(), milliseconds.parse()) else {
        return ExitCode::FAILURE;
    };
    let speed = speed(target, Duration::from_millis(milliseconds));
    match speed
        .map_err(|error| error.to_string())
        .and_then(|speed| serde_json::to_string(&speed).map_err(|error| error.to_string()))
    {
        Ok(text) => {
            say::line(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            say::note(&format!("{target}: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn speed(target: SocketAddr, time: Duration) -> io::Result<Speed> {
    let stream = TcpStream::connect_timeout(&target, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut connection = BufReader::new(stream);
    let portion = vec![b'x'; PORTION];
    let send = |connection: &mut BufReader<TcpStream>| {
        connection.get_mut().write_all(format!("{TAKE}{PORTION}\n").as_bytes())?;
        connection.get_mut().write_all(&portion)?;
        answered(connection)
    };
    let ask = |connection: &mut BufReader<TcpStream>| {
        connection.get_mut().write_all(b"a question that fits into one packet\n")?;
        answered(connection)
    };
    // Once for nothing: the windows open.
    send(&mut connection)?;
    let portion_time = least(&mut connection, time, send)?;
    let round_trip = least(&mut connection, time, ask)?;
    let throughput = f64::from(u32::try_from(PORTION >> 20).unwrap_or(u32::MAX)) / portion_time;
    Ok(Speed { throughput, round_trip: round_trip * 1e6 })
}

/// How long it takes when nothing is in the way, in seconds: the shortest of as many times as there is time for.
fn least(
    connection: &mut BufReader<TcpStream>,
    time: Duration,
    work: impl Fn(&mut BufReader<TcpStream>) -> io::Result<()>,
) -> io::Result<f64> {
    let begun = Instant::now();
    let mut least = Duration::MAX;
    while begun.elapsed() < time {
        let begun = Instant::now();
        work(connection)?;
        least = least.min(begun.elapsed());
    }
    Ok(least.as_secs_f64())
}

fn answered(connection: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_announces_bytes_or_does_not() {
        assert_eq!(bytes_to_take("take 4096\n"), Some(4096));
        assert_eq!(bytes_to_take("xxxxxxxxx\n"), None);
    }
}
