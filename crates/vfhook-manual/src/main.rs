//! `vfhook-manual DIRECTORY` writes vfhook's manual pages to `man` there and what shells complete to `completions`, all from the same
//! description of its command line that reads it. It says nothing that `vfhook help` does not.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use vfhook::frontend::arguments::Arguments;

const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

fn main() -> ExitCode {
    let Some(directory) = env::args_os().nth(1).map(PathBuf::from) else {
        return failed("usage: vfhook-manual DIRECTORY");
    };
    match write(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("write the manual to {}: {error}", directory.display())),
    }
}

#[expect(clippy::print_stderr, reason = "it has nobody else to tell")]
fn failed(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::FAILURE
}

/// Writes a page for the program and for each of its verbs, and a file for each shell.
fn write(directory: &Path) -> io::Result<()> {
    let (man, completions) = (directory.join("man"), directory.join("completions"));
    for folder in [&man, &completions] {
        fs::create_dir_all(folder)?;
    }
    clap_mangen::generate_to(command(), &man)?;
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut command(), "vfhook", &completions)?;
    }
    Ok(())
}

fn command() -> Command {
    Arguments::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page_and_can_be_completed() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        let read = |path: &str| fs::read_to_string(directory.path().join(path)).unwrap();
        let (main, bash) = (read("man/vfhook.1"), read("completions/vfhook.bash"));
        assert!(main.contains("this host cannot do it"), "exit codes are in it");
        for verb in command().get_subcommands().map(Command::get_name) {
            assert!(read(&format!("man/vfhook-{verb}.1")).contains(".SH OPTIONS"), "{verb}");
            assert!(bash.contains(verb), "{verb}");
        }
        assert!(read("completions/_vfhook").starts_with("#compdef vfhook"));
        assert!(read("completions/vfhook.fish").contains("check-config"));
    }
}
