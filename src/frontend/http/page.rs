//! The files of the page, as they were when the program was built. They ask nobody but this server, and what strangers wrote they show
//! as text (`page/`).

/// What its files may do: run and look like our own files say, ask us, and nothing else. Where a browser knows how, no text becomes markup.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The kind and the text of the file at `path`.
pub(super) fn file(path: &str) -> Option<(&'static str, &'static str)> {
    let file = match path {
        "/" => ("text/html; charset=utf-8", include_str!("page/page.html")),
        "/page.css" => ("text/css; charset=utf-8", include_str!("page/page.css")),
        "/page.js" => (SCRIPT, include_str!("page/page.js")),
        "/cards.js" => (SCRIPT, include_str!("page/cards.js")),
        "/lists.js" => (SCRIPT, include_str!("page/lists.js")),
        "/way.js" => (SCRIPT, include_str!("page/way.js")),
        "/element.js" => (SCRIPT, include_str!("page/element.js")),
        "/icon.svg" => ("image/svg+xml", include_str!("page/icon.svg")),
        _ => return None,
    };
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [&str; 8] = [
        "/",
        "/page.css",
        "/page.js",
        "/cards.js",
        "/lists.js",
        "/way.js",
        "/element.js",
        "/icon.svg",
    ];

    #[test]
    fn strangers_words_can_become_nothing_but_text() {
        for path in FILES {
            let (_, text) = file(path).unwrap();
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                " style=",
                "onclick=",
                "http:",
            ] {
                // The name of SVG is no address that is asked.
                let text = text.replace("http://www.w3.org/2000/svg", "");
                assert!(!text.contains(word), "{path} has {word}");
            }
            assert!(text.lines().count() <= 300, "{path} is long");
        }
    }

    #[test]
    fn what_a_file_needs_is_there() {
        for path in FILES {
            let (_, text) = file(path).unwrap();
            let named = text.split('"').filter(|word| {
                word.starts_with(['/', '.']) && word.contains('.') && !word.contains(' ')
            });
            for name in named.map(|name| name.trim_start_matches('.')) {
                assert!(file(name).is_some() || name == "/events", "{path} names {name}");
            }
        }
    }
}
