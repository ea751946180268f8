//! The programs: what is asked of the maps at each hook, and what is written into the kernel's question. Instructions only; loads nothing.
//!
//! `linux/bpf.h`: `struct bpf_sock_addr` is the question, helpers have numbers. None of those that are called is for programs under the GPL
//! alone. A connect or a send is answered with 1 (go on, to what is written in the question) or 0 (refused, with the error that was set);
//! the other hooks always with 1.

use crate::{
    affinity,
    assembler::{Is, Label, R0, R1, R2, R3, R4, R6, R7, R8, R9, Register, STACK, Size},
    hook::{Hook, Question},
    layout::{Which, asked, endpoint, service},
    writer::{Writer, helper, stack},
};

/// Offsets in `struct bpf_sock_addr`.
mod question {
    pub(super) const IPV4: i16 = 4;
    pub(super) const IPV6: i16 = 8;
    pub(super) const PORT: i16 = 24;
    pub(super) const PROTOCOL: i16 = 36;
    pub(super) const SOCKET: i16 = 64;
}

const REFUSED: i32 = -111;
const UDP: i32 = 17;
/// A set that was replaced between two looks is looked for anew.
const TRIES: i32 = 4;

/// The program of a hook, with the descriptors of its maps.
pub(crate) fn program(hook: &Hook, descriptor: impl Fn(Which) -> i32) -> Vec<u8> {
    let mut writer = Writer::new(&descriptor);
    match hook.question {
        Question::Connect | Question::Send => writer.translate(hook),
        Question::Tell => writer.tell(hook),
    }
    writer.code.finish()
}

impl Writer<'_> {
    /// The program of connect(2) and sendto(2). `R6` is the question, `R7` the service's element, `R9` the time.
    fn translate(&mut self, hook: &Hook) {
        let [again, choose, found, chosen, refuse, stranger, pass] =
            std::array::from_fn(|_| self.code.label());
        self.code.copy(R6, R1);
        self.code.set(R9, 0);
        self.code.set(R1, 0);
        self.code.store(Size::Double, STACK, stack::TRIES, R1);
        self.whose(pass);
        self.read_question(hook);
        self.code.load(Size::Word, R1, R6, question::PROTOCOL);
        self.code.store(Size::Half, STACK, stack::ASKED_PORT + 2, R1);
        self.code.place(again);
        self.lookup(Which::Services, stack::SERVICE);
        self.code.go_if(R0, Is::Equal, 0, stranger);
        self.code.copy(R7, R0);
        self.code.load(Size::Word, R1, R7, service::COUNT);
        self.code.go_if(R1, Is::Equal, 0, refuse);
        affinity::recall(self, choose, chosen);
        self.code.place(choose);
        self.choose(found);
        // The set is gone: the service has another by now.
        self.code.load(Size::Double, R1, STACK, stack::TRIES);
        self.code.add(R1, 1);
        self.code.store(Size::Double, STACK, stack::TRIES, R1);
        self.code.go_if(R1, Is::Less, TRIES, again);
        self.code.go(refuse);
        self.code.place(found);
        self.move_address((STACK, stack::CHOSEN), (R0, 0));
        self.move_word((STACK, stack::CHOSEN_PORT), (R0, endpoint::PORT));
        self.code.place(chosen);
        affinity::remember(self);
        if hook.question == Question::Connect {
            self.note_peer();
        }
        self.note_asked();
        self.write_answer(hook, (STACK, stack::CHOSEN), (STACK, stack::CHOSEN_PORT));
        self.answer(pass);
        self.code.place(stranger);
        self.refuse_other_ports(refuse);
        self.forget_asked(hook, pass);
        self.code.place(refuse);
        self.code.set(R1, REFUSED);
        self.code.call(helper::SET_ERROR);
        self.code.set(R0, 0);
        self.code.exit();
    }

    /// The view of the namespace that the socket is of; none of ours passes.
    fn whose(&mut self, pass: Label) {
        self.code.copy(R1, R6);
        self.code.call(helper::COOKIE);
        self.code.store(Size::Double, STACK, stack::CLIENT, R0);
        self.lookup(Which::Sandboxes, stack::CLIENT);
        self.code.go_if(R0, Is::Equal, 0, pass);
        self.code.load(Size::Double, R1, R0, 0);
        self.code.store(Size::Double, STACK, stack::SERVICE, R1);
    }

    /// Address and port of the question, as keys have them.
    fn read_question(&mut self, hook: &Hook) {
        if hook.ipv6 {
            self.move_address((STACK, stack::ASKED), (R6, question::IPV6));
        } else {
            self.code.store_number(Size::Word, STACK, stack::ASKED, 0);
            self.code.store_number(Size::Word, STACK, stack::ASKED + 4, 0);
            self.code.store_number(Size::Word, STACK, stack::ASKED + 8, MAPPED);
            self.move_word((STACK, stack::ASKED + 12), (R6, question::IPV4));
        }
        // In network order, in the lower half.
        self.move_word((STACK, stack::ASKED_PORT), (R6, question::PORT));
    }

    /// Goes to `refuse` where the address has services, of which none has the port, and that is said to be so.
    fn refuse_other_ports(&mut self, refuse: Label) {
        self.code.store_number(Size::Word, STACK, stack::ASKED_PORT, 0);
        self.lookup(Which::Services, stack::SERVICE);
        self.code.go_if(R0, Is::Other, 0, refuse);
        self.move_word((STACK, stack::ASKED_PORT), (R6, question::PORT));
    }

    /// One of the service's slots, by chance: goes to `found` with it in `R0`.
    fn choose(&mut self, found: Label) {
        self.code.call(helper::RANDOM);
        self.code.load(Size::Word, R1, R7, service::COUNT);
        self.code.modulo(R0, R1);
        self.code.store(Size::Word, STACK, stack::SLOT + 4, R0);
        self.move_word((STACK, stack::SLOT), (R7, service::SET));
        self.move_word((STACK, stack::MEMBER), (R7, service::SET));
        self.lookup(Which::Endpoints, stack::SLOT);
        self.code.go_if(R0, Is::Other, 0, found);
    }

    /// Of the namespace: that a UDP socket is connected to what was chosen. The key of a client is needed no more, and becomes that of a peer.
    fn note_peer(&mut self) {
        let done = self.code.label();
        self.code.load(Size::Half, R1, STACK, stack::ASKED_PORT + 2);
        self.code.go_if(R1, Is::Other, UDP, done);
        self.move_address((STACK, stack::CLIENT + 8), (STACK, stack::CHOSEN));
        self.move_word((STACK, stack::CLIENT + 24), (STACK, stack::CHOSEN_PORT));
        self.lookup(Which::Peers, stack::CLIENT);
        self.code.go_if(R0, Is::Other, 0, done);
        self.code.store_number(Size::Word, STACK, stack::REMEMBERED, 1);
        self.map_and_key(Which::Peers, stack::CLIENT);
        self.address_of(R3, stack::REMEMBERED);
        self.code.set(R4, 0);
        self.code.call(helper::UPDATE);
        self.code.place(done);
    }

    /// Of the socket: what it asked and what was chosen, in place of the same choice or of the oldest one.
    fn note_asked(&mut self) {
        let [put, done] = std::array::from_fn(|_| self.code.label());
        self.storage(1);
        self.code.go_if(R0, Is::Equal, 0, done);
        self.code.copy(R8, R0);
        for slot in 0..asked::SLOTS {
            let other = self.code.label();
            let at = asked::FIRST + slot * asked::SLOT;
            self.unless_same(at, (stack::CHOSEN, stack::CHOSEN_PORT), other);
            self.code.add(R8, i32::from(at));
            self.code.go(put);
            self.code.place(other);
        }
        self.code.load(Size::Word, R1, R8, 0);
        self.code.and(R1, i32::from(asked::SLOTS) - 1);
        self.code.copy(R2, R1);
        self.code.add(R2, 1);
        self.code.store(Size::Word, R8, 0, R2);
        self.code.multiply(R1, i32::from(asked::SLOT));
        self.code.add(R1, i32::from(asked::FIRST));
        self.code.add_register(R8, R1);
        self.code.place(put);
        self.move_address((R8, asked::SERVICE), (STACK, stack::ASKED));
        // The port without the protocol beside it.
        self.code.load(Size::Half, R1, STACK, stack::ASKED_PORT);
        self.code.store(Size::Word, R8, asked::SERVICE_PORT, R1);
        self.move_address((R8, asked::BACKEND), (STACK, stack::CHOSEN));
        self.move_word((R8, asked::BACKEND_PORT), (STACK, stack::CHOSEN_PORT));
        self.code.place(done);
    }

    /// What is asked for is no service: it is told of as it is from here on, also if it was chosen before.
    fn forget_asked(&mut self, hook: &Hook, pass: Label) {
        if hook.question == Question::Connect {
            self.code.map(R1, self.descriptor_of(Which::Asked));
            self.code.load(Size::Double, R2, R6, question::SOCKET);
            self.code.call(helper::FORGET_STORAGE);
            self.code.go(pass);
            return;
        }
        self.storage(0);
        self.code.go_if(R0, Is::Equal, 0, pass);
        self.code.copy(R8, R0);
        // The port without the protocol beside it.
        self.code.load(Size::Half, R1, STACK, stack::ASKED_PORT);
        self.code.store(Size::Word, STACK, stack::ASKED_PORT, R1);
        for slot in 0..asked::SLOTS {
            let other = self.code.label();
            let at = asked::FIRST + slot * asked::SLOT;
            self.unless_same(at, (stack::ASKED, stack::ASKED_PORT), other);
            self.code.store_number(Size::Word, R8, at + asked::BACKEND_PORT, 0);
            self.code.place(other);
        }
        self.code.go(pass);
    }

    /// The program of recvfrom(2) and getpeername(2): where the kernel tells of what was chosen, the service is told of.
    fn tell(&mut self, hook: &Hook) {
        let pass = self.code.label();
        self.code.copy(R6, R1);
        self.storage(0);
        self.code.go_if(R0, Is::Equal, 0, pass);
        self.code.copy(R8, R0);
        self.read_question(hook);
        for slot in 0..asked::SLOTS {
            let other = self.code.label();
            let at = asked::FIRST + slot * asked::SLOT;
            self.unless_same(at, (stack::ASKED, stack::ASKED_PORT), other);
            self.write_answer(hook, (R8, at + asked::SERVICE), (R8, at + asked::SERVICE_PORT));
            self.code.go(pass);
            self.code.place(other);
        }
        self.answer(pass);
    }

    /// `R0` = what is kept with the socket; made where there is none, if `create`.
    fn storage(&mut self, create: i32) {
        self.code.map(R1, self.descriptor_of(Which::Asked));
        self.code.load(Size::Double, R2, R6, question::SOCKET);
        self.code.set(R3, 0);
        self.code.set(R4, create);
        self.code.call(helper::STORAGE);
    }

    /// Goes on if the backend of the slot of `R8` at `slot` is what is on the stack.
    fn unless_same(&mut self, slot: i16, (address, port): (i16, i16), other: Label) {
        let words = [0, 4, 8, 12].map(|word| (asked::BACKEND + word, address + word));
        for (kept, on_stack) in words.into_iter().chain([(asked::BACKEND_PORT, port)]) {
            self.code.load(Size::Word, R1, R8, slot + kept);
            self.code.load(Size::Word, R2, STACK, on_stack);
            self.code.go_if_register(R1, Is::Other, R2, other);
        }
    }

    /// An address and a port into the question.
    fn write_answer(&mut self, hook: &Hook, address: (Register, i16), port: (Register, i16)) {
        if hook.ipv6 {
            self.move_address((R6, question::IPV6), address);
        } else {
            self.move_word((R6, question::IPV4), (address.0, address.1 + 12));
        }
        self.move_word((R6, question::PORT), port);
    }

    /// Answers that it may go on.
    fn answer(&mut self, pass: Label) {
        self.code.place(pass);
        self.code.set(R0, 1);
        self.code.exit();
    }
}

/// The third word of an IPv4 address in an IPv6 one, as a little-endian machine reads it.
const MAPPED: i32 = -0x1_0000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::HOOKS;

    #[test]
    fn programs_are_short_and_no_two_hooks_of_a_kind_have_the_same() {
        let lengths: Vec<usize> = HOOKS.iter().map(|hook| program(hook, |_| 0).len() / 8).collect();
        assert!(lengths.iter().all(|length| (50..450).contains(length)), "{lengths:?}");
        assert_eq!(program(&HOOKS[4], |_| 0), program(&HOOKS[6], |_| 0));
        assert_ne!(program(&HOOKS[0], |_| 0), program(&HOOKS[1], |_| 0));
        assert_ne!(program(&HOOKS[0], |_| 0), program(&HOOKS[2], |_| 0));
    }
}
