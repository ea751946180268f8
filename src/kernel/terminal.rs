//! A terminal that a program has for itself for a while: keys come one by one, and what it was is put back however that ends, unless the
//! process is killed outright. Draws nothing.

use std::{
    io::{self, IsTerminal, stdin, stdout},
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use nix::{
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
        termios::{self, LocalFlags, SetArg, SpecialCharacterIndices, Termios},
    },
    unistd::read,
};

/// The key that Ctrl and C make, where the terminal makes no signal of it.
const CTRL_C: u8 = 3;

/// A terminal in our hands. While it is, signals to end are heard by [`Terminal::wait`] instead of ending the process.
#[derive(Debug)]
pub struct Terminal {
    was: Termios,
    signals: SignalFd,
}

/// What happened at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// Nothing, as long as was waited.
    Nothing,
    /// It has another size, or came back from somebody else's hands.
    Redraw,
    /// It is to end: `q`, Ctrl-C, a signal, or nobody is at the terminal any more.
    End,
}

impl Terminal {
    /// Whether somebody is at one: stdin and stdout are.
    pub fn is_here() -> bool {
        stdin().is_terminal() && stdout().is_terminal()
    }

    /// Takes the terminal; `None` where stdin or stdout is none.
    pub fn take() -> io::Result<Option<Self>> {
        if !Self::is_here() {
            return Ok(None);
        }
        let was = termios::tcgetattr(stdin())?;
        let mut heard = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGWINCH] {
            heard.add(signal);
        }
        heard.thread_block()?;
        let signals = SignalFd::with_flags(&heard, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let mut raw = was.clone();
        // Stopping it by Ctrl-Z would leave the shell with what we made of the terminal.
        raw.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG);
        raw.control_chars[SpecialCharacterIndices::VMIN as usize] = 0;
        raw.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        termios::tcsetattr(stdin(), SetArg::TCSANOW, &raw)?;
        Ok(Some(Self { was, signals }))
    }

    /// Waits until something happens.
    pub fn wait(&self, longest: Duration) -> io::Result<Happened> {
        let input = stdin();
        let mut places = [
            PollFd::new(input.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
        ];
        let longest = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
        if poll(&mut places, longest)? == 0 {
            return Ok(Happened::Nothing);
        }
        let is_typed = places[0].revents().is_some_and(|events| !events.is_empty());
        if let Some(signal) = self.signals.read_signal()? {
            let is_size = i32::try_from(signal.ssi_signo) == Ok(libc::SIGWINCH);
            return Ok(if is_size { Happened::Redraw } else { Happened::End });
        }
        if !is_typed {
            return Ok(Happened::Nothing);
        }
        let mut keys = [0; 64];
        let typed = read(&input, &mut keys)?;
        let ends = |key: &u8| [b'q', b'Q', CTRL_C].contains(key);
        // Readable and empty: it is gone.
        let is_end = typed == 0 || keys[..typed].iter().any(ends);
        Ok(if is_end { Happened::End } else { Happened::Redraw })
    }

    /// How many columns and lines there are.
    #[expect(unsafe_code, reason = "the size of a terminal has no safe wrapper here")]
    pub fn size() -> (usize, usize) {
        let mut size = MaybeUninit::<libc::winsize>::zeroed();
        // SAFETY: the structure is valid for the call, and all zeros are a value of it where that fails.
        let size = unsafe {
            libc::ioctl(stdout().as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr());
            size.assume_init()
        };
        match (size.ws_col, size.ws_row) {
            (0, _) | (_, 0) => (80, 24),
            (columns, lines) => (columns.into(), lines.into()),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Where it is gone there is nothing to put back.
        let _ = termios::tcsetattr(stdin(), SetArg::TCSADRAIN, &self.was);
    }
}
