//! The eight places where the kernel asks about the address of a socket (`linux/bpf.h`, `enum bpf_attach_type`). Names only.

/// What a program is asked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hook {
    /// Its number.
    pub(crate) number: u32,
    /// What our program there is called, and its link in bpffs.
    pub(crate) name: &'static str,
    /// What is asked.
    pub(crate) question: Question,
    /// Whether addresses are of IPv6, among them those of IPv4 as IPv6 sockets have them.
    pub(crate) ipv6: bool,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// connect(2): where to.
    Connect,
    /// sendto(2) of a socket that is not connected: where to.
    Send,
    /// recvfrom(2) or getpeername(2): who is told of.
    Tell,
}

const fn hook(number: u32, name: &'static str, question: Question, ipv6: bool) -> Hook {
    Hook { number, name, question, ipv6 }
}

/// All of them: an IPv4 service needs the IPv6 hooks too, for a socket of both families goes by those.
pub(crate) const HOOKS: [Hook; 8] = [
    hook(10, "vfh_connect4", Question::Connect, false),
    hook(11, "vfh_connect6", Question::Connect, true),
    hook(14, "vfh_sendmsg4", Question::Send, false),
    hook(15, "vfh_sendmsg6", Question::Send, true),
    hook(19, "vfh_recvmsg4", Question::Tell, false),
    hook(20, "vfh_recvmsg6", Question::Tell, true),
    hook(29, "vfh_getpeer4", Question::Tell, false),
    hook(30, "vfh_getpeer6", Question::Tell, true),
];
