//! What is answered, and who is answered at all. Pure.

use std::{borrow::Cow, time::Duration};

use super::{
    page::POLICY,
    question::{Bad, Question},
};

/// Names by which this machine is called from itself, or through a tunnel that ends here. A page of another name that was made to lead
/// here is refused by them.
const OUR_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// What a browser may do with what is no page.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// How long the keeper of leases may be at one look: longer than one that waits for a device.
const LATE: Duration = Duration::from_secs(60);

/// Whether the daemon does what it is there for.
#[derive(Debug, Clone, Copy)]
pub struct Health {
    /// How long ago the keeper of leases had finished a look.
    pub looked: Duration,
    /// Whether a container runtime tells of its pods.
    pub serving: bool,
}

impl Health {
    /// Whether the keeper goes on.
    pub fn is_alive(&self) -> bool {
        self.looked < LATE
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    status: u16,
    kind: &'static str,
    /// Whether to try again soon.
    again: bool,
    /// What a browser may do with it.
    policy: &'static str,
    body: Cow<'static, str>,
}

impl Answer {
    pub(super) fn of(status: u16, kind: &'static str, body: String) -> Self {
        Self { status, kind, again: false, policy: NOTHING, body: body.into() }
    }

    /// A file of the page.
    pub(super) fn of_page((kind, text): (&'static str, &'static str)) -> Self {
        Self { status: 200, kind, again: false, policy: POLICY, body: text.into() }
    }

    pub(super) fn plain(status: u16, body: &str) -> Self {
        Self::of(status, "text/plain; charset=utf-8", body.to_owned())
    }

    /// The same, to be asked again soon.
    pub(super) fn again(self) -> Self {
        Self { again: true, ..self }
    }

    pub(super) fn bad(bad: Bad) -> Self {
        match bad {
            Bad::Wrong(why) => Self::plain(400, &format!("{why}\n")),
            Bad::Method => Self::plain(405, "nothing is changed here: GET or HEAD\n"),
            Bad::TooLong => Self::plain(431, "too long\n"),
            Bad::Slow => Self::plain(408, "too slow\n"),
            Bad::Ended => Self::plain(400, "it ended too early\n"),
        }
    }

    /// Why a question is not answered.
    pub(super) fn refused(question: &Question) -> Option<Self> {
        if !OUR_NAMES.contains(&question.host.as_str()) {
            let why = "the name in Host is not this machine's: ask for localhost, 127.0.0.1 or [::1], \
                       through a tunnel too\n";
            return Some(Self::plain(403, why));
        }
        let site = question.fetch_site.as_deref();
        let is_own = matches!(site, None | Some("same-origin" | "none"));
        // Somebody may follow a link to the page, which tells nothing by itself.
        let is_open = ["/", "/healthz"].contains(&question.path.as_str());
        (!is_own && !is_open).then(|| Self::plain(403, "another site's page asks\n"))
    }

    pub(super) fn alive(health: &Health) -> Self {
        let ago = health.looked.as_secs();
        if health.is_alive() {
            Self::plain(200, &format!("the keeper of leases finished a look {ago} s ago\n"))
        } else {
            let why =
                format!("the keeper of leases is at a look for {ago} s: does a driver hang?\n");
            Self::plain(503, &why)
        }
    }

    pub(super) fn ready(health: &Health) -> Self {
        if health.serving {
            Self::plain(200, "a container runtime tells of its pods\n")
        } else {
            Self::plain(503, "no container runtime tells of its pods\n")
        }
    }

    /// As it is sent. Nobody may show it inside of a page, take it for anything else, or keep it.
    pub(super) fn bytes(&self, with_body: bool) -> Vec<u8> {
        let Self { status, kind, again, policy, body } = self;
        let (reason, length) = (reason(*status), body.len());
        let again = if *again { "Retry-After: 2\r\n" } else { "" };
        let allow = if *status == 405 { "Allow: GET, HEAD\r\n" } else { "" };
        let body = if with_body { body.as_ref() } else { "" };
        format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{again}{allow}{}{body}",
            guards(policy)
        )
        .into_bytes()
    }
}

/// How an answer begins that goes on until one of the two ends it.
pub(super) fn stream_head() -> Vec<u8> {
    let guards = guards(NOTHING);
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n{guards}retry: 2000\n\n").into_bytes()
}

/// The end of each head.
fn guards(policy: &str) -> String {
    format!(
        "Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Security-Policy: {policy}\r\nCross-Origin-Resource-Policy: same-origin\r\n\
         Cross-Origin-Opener-Policy: same-origin\r\nReferrer-Policy: no-referrer\r\n\r\n"
    )
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(host: &str, path: &str, site: Option<&str>) -> Option<u16> {
        let question = Question {
            host: host.to_owned(),
            path: path.to_owned(),
            fetch_site: site.map(str::to_owned),
            ..Question::default()
        };
        Answer::refused(&question).map(|refused| refused.status)
    }

    #[test]
    fn only_who_knows_our_name_is_answered_and_no_other_sites_page() {
        for host in OUR_NAMES {
            assert_eq!(asked(host, "/metrics", None), None);
        }
        for host in ["", "evil.example", "localhost.evil.example", "127.0.0.2", "::1"] {
            assert_eq!(asked(host, "/metrics", None), Some(403), "{host}");
        }
        assert_eq!(asked("localhost", "/metrics", Some("cross-site")), Some(403));
        assert_eq!(asked("localhost", "/metrics", Some("same-site")), Some(403));
        assert_eq!(asked("localhost", "/events", Some("cross-site")), Some(403));
        assert_eq!(asked("localhost", "/healthz", Some("cross-site")), None);
        assert_eq!(asked("localhost", "/", Some("cross-site")), None);
        assert_eq!(asked("localhost", "/metrics", Some("same-origin")), None);
    }

    #[test]
    fn a_head_has_the_length_and_no_body() {
        let answer = Answer::plain(200, "well\n");
        let text = |with_body| String::from_utf8(answer.bytes(with_body)).unwrap();
        assert!(text(true).ends_with("\r\n\r\nwell\n") && text(false).ends_with("\r\n\r\n"));
        assert!(text(false).contains("Content-Length: 5\r\n"));
        assert!(!text(true).contains("Access-Control"));
    }

    #[test]
    fn it_is_well_while_leases_are_looked_at() {
        let health = |seconds, serving| Health { looked: Duration::from_secs(seconds), serving };
        assert_eq!(Answer::alive(&health(3, false)).status, 200);
        assert_eq!(Answer::alive(&health(61, true)).status, 503);
        assert_eq!(Answer::ready(&health(3, true)).status, 200);
        assert_eq!(Answer::ready(&health(3, false)).status, 503);
    }
}
