//! The head of a request, as far as it matters (RFC 9112). Pure: strangers write it, and what is not plainly right is refused.

/// Bytes that a head may have.
pub(super) const LONGEST: usize = 8 << 10;

/// Bytes that a path may have.
const LONGEST_PATH: usize = 256;

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Question {
    /// Whether the answer is to have no body.
    pub(super) is_head: bool,
    /// The path, without what stands behind a question mark.
    pub(super) path: String,
    /// The name by which the client calls us, without a port.
    pub(super) host: String,
    /// What it accepts.
    pub(super) accept: String,
    /// From where in a browser it is asked, where one says so.
    pub(super) fetch_site: Option<String>,
}

/// Why it is no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// It is not HTTP/1.
    Wrong(&'static str),
    /// Nothing is changed here.
    Method,
    /// It is too long.
    TooLong,
    /// It did not come in time.
    Slow,
    /// It ended before its end.
    Ended,
}

impl Question {
    /// Reads all up to the empty line.
    pub(super) fn parse(head: &[u8]) -> Result<Self, Bad> {
        let text = std::str::from_utf8(head).map_err(|_| Bad::Wrong("it is not text"))?;
        let mut lines = text.split("\r\n");
        let (is_head, path) = first(lines.next().unwrap_or_default())?;
        let mut question = Self { is_head, path, ..Self::default() };
        let mut hosts = 0;
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(Bad::Wrong("a line has no colon"))?;
            let is_token =
                |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            // A space before the colon, or a line that goes on, is read differently by others.
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(Bad::Wrong("a header has no name"));
            }
            let value = value.trim_matches([' ', '\t']);
            if value.contains(|letter: char| letter.is_control() && letter != '\t') {
                return Err(Bad::Wrong("a header has control characters"));
            }
            match name.to_ascii_lowercase().as_str() {
                "host" => {
                    hosts += 1;
                    question.host = without_port(value).to_ascii_lowercase();
                }
                "accept" => value.clone_into(&mut question.accept),
                "sec-fetch-site" => question.fetch_site = Some(value.to_owned()),
                "content-length" if value == "0" => {}
                "content-length" | "transfer-encoding" => {
                    return Err(Bad::Wrong("a question has no body here"));
                }
                _ => {}
            }
        }
        if hosts == 1 { Ok(question) } else { Err(Bad::Wrong("Host is needed, once")) }
    }
}

fn first(line: &str) -> Result<(bool, String), Bad> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Bad::Wrong("the first line is not METHOD PATH VERSION"));
    };
    if version != "HTTP/1.1" && version != "HTTP/1.0" {
        return Err(Bad::Wrong("it is not HTTP/1.1"));
    }
    let is_head = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(Bad::Method),
    };
    let path = target.split('?').next().unwrap_or_default();
    if path.len() > LONGEST_PATH {
        return Err(Bad::TooLong);
    }
    if !path.starts_with('/') || path.contains(|letter: char| letter.is_control()) {
        return Err(Bad::Wrong("the path begins with no slash"));
    }
    Ok((is_head, path.to_owned()))
}

/// A tunnel has a port of its own, so which one is named says nothing.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Result<Question, Bad> {
        Question::parse(lines.join("\r\n").as_bytes())
    }

    #[test]
    fn what_a_client_asks() {
        let asked = parse(&[
            "GET /metrics?x=1 HTTP/1.1",
            "HOST: [::1]:9118",
            "accept:\t text/plain ",
            "x: y",
        ]);
        let expected = Question {
            path: "/metrics".to_owned(),
            host: "[::1]".to_owned(),
            accept: "text/plain".to_owned(),
            ..Question::default()
        };
        assert_eq!(asked, Ok(expected));
        assert!(parse(&["HEAD / HTTP/1.0", "Host: localhost"]).unwrap().is_head);
        assert_eq!(parse(&["GET / HTTP/1.1", "Host: a:b"]).unwrap().host, "a:b");
    }

    #[test]
    fn what_is_not_plainly_right_is_refused() {
        let host = "Host: localhost";
        for lines in [
            &[""][..],
            &["GET /"],
            &["GET  / HTTP/1.1", host],
            &["GET / HTTP/2", host],
            &["GET http://localhost/ HTTP/1.1", host],
            &["GET * HTTP/1.1", host],
            &["GET /\u{7f} HTTP/1.1", host],
            &["GET / HTTP/1.1"],
            &["GET / HTTP/1.1", host, host],
            &["GET / HTTP/1.1", "Host : localhost"],
            &["GET / HTTP/1.1", host, " folded"],
            &["GET / HTTP/1.1", host, "x"],
            &["GET / HTTP/1.1", host, "x: a\0b"],
            &["GET / HTTP/1.1", host, "x: a\nb"],
            &["GET / HTTP/1.1", host, "Content-Length: 1"],
            &["GET / HTTP/1.1", host, "Transfer-Encoding: chunked"],
        ] {
            assert!(matches!(parse(lines), Err(Bad::Wrong(_))), "{lines:?}");
        }
        assert_eq!(parse(&["POST / HTTP/1.1", host]), Err(Bad::Method));
        let long = format!("GET /{} HTTP/1.1", "x".repeat(300));
        assert_eq!(parse(&[&long, host]), Err(Bad::TooLong));
        assert!(Question::parse(b"GET /\xff HTTP/1.1").is_err());
    }
}
