//! Which program is behind a socket, how it was started, and what a program answers when it is asked about itself. Judges no answer.

use std::{
    env, fs, io,
    os::unix::{ffi::OsStringExt, net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::{
    sys::socket::{getsockopt, sockopt::PeerCredentials},
    unistd::geteuid,
};

/// Whether this process may change what is root's.
pub fn runs_as_root() -> bool {
    geteuid().is_root()
}

/// A program, as it runs or could be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// The words that it was started with, its own name first.
    pub words: Vec<String>,
    /// The directory that relative names begin at.
    pub directory: PathBuf,
    /// Whether it runs.
    pub runs: bool,
}

impl Program {
    /// The one that listens at a unix socket; `None` where nobody does, or its process is not to be seen.
    pub fn behind(socket: &Path) -> Option<Self> {
        let stream = UnixStream::connect(socket).ok()?;
        let pid = getsockopt(&stream, PeerCredentials).ok()?.pid();
        // systemd may listen in its place, and what is in another namespace is number 0.
        (pid > 1).then(|| Self::of_process(pid.unsigned_abs()))?
    }

    /// A process.
    fn of_process(pid: u32) -> Option<Self> {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let path = fs::read_link(process.join("exe")).ok()?.into_os_string();
        // Replaced by an update since: what is there now is what a restart runs.
        let path = path.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
        let words = fs::read(process.join("cmdline")).ok()?;
        let words = words.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        Some(Self {
            path: path.into(),
            words: words.map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
            directory: fs::read_link(process.join("cwd")).unwrap_or_else(|_| "/".into()),
            runs: true,
        })
    }

    /// The process of this name, where there is one alone.
    pub fn running(name: &str) -> Option<Self> {
        let entries = fs::read_dir("/proc").ok()?.flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let is_it = |pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|found| found.trim_end() == name)
        };
        let mut found = pids.filter(is_it);
        let first = found.next()?;
        found.next().is_none().then(|| Self::of_process(first))?
    }

    /// The program of this name that a shell would run.
    pub fn in_path(name: &str) -> Option<Self> {
        let path = env::var_os("PATH").map_or_else(
            || "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            |path| String::from_utf8_lossy(&path.into_vec()).into_owned(),
        );
        let directories = path.split(':').filter(|directory| directory.starts_with('/'));
        let found = directories
            .map(|directory| Path::new(directory).join(name))
            .find(|path| path.is_file());
        found.map(|path| Self::at(&path))
    }

    /// The program in this file.
    pub fn at(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { path: path.to_owned(), words: vec![name], directory: "/".into(), runs: false }
    }

    /// The value of an option that was given to it: `--name value`, `--name=value`.
    pub fn option(&self, names: &[&str]) -> Option<PathBuf> {
        let mut words = self.words.iter();
        while let Some(word) = words.next() {
            for name in names {
                let value = match word.strip_prefix(name) {
                    Some("") => words.as_slice().first().map(String::as_str),
                    Some(rest) => rest.strip_prefix('='),
                    None => continue,
                };
                if let Some(value) = value {
                    return Some(self.directory.join(value));
                }
            }
        }
        None
    }

    /// The program of this name beside it, or where a shell would find it.
    pub fn companion(&self, name: &str) -> Option<Self> {
        let beside = self.path.parent().map(|directory| directory.join(name));
        beside
            .filter(|path| path.is_file())
            .map(|path| Self::at(&path))
            .or_else(|| Self::in_path(name))
    }

    /// What it answers on stdout to these words; an error has what it said on stderr.
    pub fn ask(&self, words: &[&str]) -> io::Result<String> {
        let mut command = Command::new(&self.path);
        // Some are many programs in one file, and look at their name.
        command.arg0(self.words.first().map_or("", String::as_str));
        command.args(words).current_dir(&self.directory).stdin(Stdio::null());
        let output = command.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            return Err(io::Error::other(format!("{}: {}", output.status, last.trim())));
        }
        String::from_utf8(output.stdout)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_as_they_are_written() {
        let program = |words: &[&str]| Program {
            words: words.iter().map(ToString::to_string).collect(),
            directory: "/var".into(),
            ..Program::at(Path::new("/usr/bin/containerd"))
        };
        for words in [
            &["containerd", "--config", "/a.toml"][..],
            &["containerd", "-c=/a.toml"],
            &["containerd", "--log-level", "info", "--config=/a.toml"],
        ] {
            assert_eq!(
                program(words).option(&["--config", "-c"]),
                Some("/a.toml".into()),
                "{words:?}"
            );
        }
        assert_eq!(program(&["x", "-c", "a"]).option(&["-c"]), Some("/var/a".into()));
        assert_eq!(program(&["x", "--config-dir", "a"]).option(&["--config", "-c"]), None);
    }

    #[test]
    fn who_listens_is_found_by_its_socket() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let found = Program::behind(&path).unwrap();
        assert_eq!(found.path, fs::canonicalize("/proc/self/exe").unwrap());
        assert!(found.runs);
        assert_eq!(Program::behind(&place.path().join("none")), None);
    }

    #[test]
    fn an_answer_or_the_last_words() {
        let shell = Program::in_path("sh").unwrap();
        assert_eq!(shell.ask(&["-c", "echo yes"]).unwrap(), "yes\n");
        let error = shell.ask(&["-c", "echo first >&2; echo why >&2; exit 3"]).unwrap_err();
        assert!(error.to_string().contains("why"), "{error}");
    }
}
