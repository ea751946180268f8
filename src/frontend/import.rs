//! Reads the files that `import` is given. Makes nothing of them.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::import::{LONGEST, Source};

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("read {}", path.display())]
pub(super) struct UnreadFile {
    path: PathBuf,
    source: io::Error,
}

/// Reads the file at `path`, or stdin where that is `-`; one that is too long only so far that it is seen to be.
pub(super) fn read(path: &Path) -> Result<Source, UnreadFile> {
    let (name, text) = if path == Path::new("-") {
        ("stdin".to_owned(), text(io::stdin().lock()))
    } else {
        (path.display().to_string(), File::open(path).and_then(text))
    };
    match text {
        Ok(text) => Ok(Source { name, text }),
        Err(source) => Err(UnreadFile { path: path.to_owned(), source }),
    }
}

fn text(file: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    // A letter may be cut in two there.
    if bytes.len() > LONGEST {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
