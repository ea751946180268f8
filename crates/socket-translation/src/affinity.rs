//! The part of a program that remembers which backend served a client: a client is a namespace, and what it asks is an address, a port and a
//! protocol, so that what is remembered outlives a change of the service.

use crate::{
    assembler::{Is, Label, R0, R1, R2, R3, R4, R7, R9, STACK, Size},
    layout::{Which, client, service},
    writer::{Writer, helper, stack},
};

/// Takes the backend that is remembered, goes to `chosen` with it on the stack, or to `choose`. `R7` is the service's element; `R9` becomes
/// the time.
pub(crate) fn recall(writer: &mut Writer, choose: Label, chosen: Label) {
    // Also where nobody is remembered: before Linux 6.3 the verifier wants a key whole on every way that it can think of.
    writer.move_address((STACK, stack::CLIENT + 8), (STACK, stack::ASKED));
    writer.move_word((STACK, stack::CLIENT + 24), (STACK, stack::ASKED_PORT));
    writer.code.load(Size::Word, R1, R7, service::REMEMBERS);
    writer.code.go_if(R1, Is::Equal, 0, choose);
    writer.code.call(helper::NANOSECONDS);
    writer.code.copy(R9, R0);
    writer.lookup(Which::Clients, stack::CLIENT);
    writer.code.go_if(R0, Is::Equal, 0, choose);
    writer.code.load(Size::Double, R1, R0, client::TIME);
    writer.code.copy(R2, R9);
    writer.code.subtract(R2, R1);
    writer.code.load(Size::Double, R3, R7, service::TIMEOUT);
    writer.code.go_if_register(R2, Is::AtLeast, R3, choose);
    writer.move_address((STACK, stack::CHOSEN), (R0, client::ADDRESS));
    writer.move_word((STACK, stack::CHOSEN_PORT), (R0, client::PORT));
    writer.move_word((STACK, stack::MEMBER), (R7, service::SET));
    writer.lookup(Which::Members, stack::MEMBER);
    writer.code.go_if(R0, Is::Other, 0, chosen);
}

/// Remembers what is on the stack as chosen, from now on.
pub(crate) fn remember(writer: &mut Writer) {
    let done = writer.code.label();
    writer.code.load(Size::Word, R1, R7, service::REMEMBERS);
    writer.code.go_if(R1, Is::Equal, 0, done);
    writer.code.store(Size::Double, STACK, stack::REMEMBERED, R9);
    let value = |offset| (STACK, stack::REMEMBERED + offset);
    writer.move_address(value(client::ADDRESS), (STACK, stack::CHOSEN));
    writer.move_word(value(client::PORT), (STACK, stack::CHOSEN_PORT));
    writer.code.store_number(Size::Word, STACK, stack::REMEMBERED + client::PORT + 4, 0);
    writer.map_and_key(Which::Clients, stack::CLIENT);
    writer.address_of(R3, stack::REMEMBERED);
    writer.code.set(R4, 0);
    writer.code.call(helper::UPDATE);
    writer.code.place(done);
}
