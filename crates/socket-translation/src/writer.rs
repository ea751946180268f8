//! What all parts of a program are written with: where things are on the stack, what the kernel does for a program, moves and lookups.

use crate::{
    assembler::{Assembler, R1, R2, Register, STACK, Size},
    layout::Which,
};

/// Numbers of what the kernel does for a program (`enum bpf_func_id`).
pub(crate) mod helper {
    pub(crate) const LOOKUP: i32 = 1;
    pub(crate) const UPDATE: i32 = 2;
    pub(crate) const NANOSECONDS: i32 = 5;
    pub(crate) const RANDOM: i32 = 7;
    pub(crate) const STORAGE: i32 = 107;
    pub(crate) const FORGET_STORAGE: i32 = 108;
    pub(crate) const COOKIE: i32 = 122;
    pub(crate) const SET_ERROR: i32 = 187;
}

/// Where what is on the stack.
pub(crate) mod stack {
    /// How often it was begun.
    pub(crate) const TRIES: i16 = -8;
    /// The key of a client: cookie, address, port, protocol.
    pub(crate) const CLIENT: i16 = -48;
    /// The key of a service: view, address, port, protocol.
    pub(crate) const SERVICE: i16 = -80;
    pub(crate) const ASKED: i16 = SERVICE + 8;
    pub(crate) const ASKED_PORT: i16 = ASKED + 16;
    /// What was chosen, and the key of a member: set, port, address.
    pub(crate) const MEMBER: i16 = -112;
    pub(crate) const CHOSEN_PORT: i16 = MEMBER + 4;
    pub(crate) const CHOSEN: i16 = MEMBER + 8;
    /// The key of a slot: set, number.
    pub(crate) const SLOT: i16 = -120;
    /// What is remembered of a client.
    pub(crate) const REMEMBERED: i16 = -152;
}

/// A program that is being written, and the maps that it asks.
pub(crate) struct Writer<'a> {
    pub(crate) code: Assembler,
    descriptor: &'a dyn Fn(Which) -> i32,
}

impl<'a> Writer<'a> {
    /// Nothing is written yet; `descriptor` tells the maps.
    pub(crate) fn new(descriptor: &'a dyn Fn(Which) -> i32) -> Self {
        Self { code: Assembler::default(), descriptor }
    }

    pub(crate) fn descriptor_of(&self, map: Which) -> i32 {
        (self.descriptor)(map)
    }

    /// `R0` = what the map has for the key at `key` of the stack; 0 where it has nothing.
    pub(crate) fn lookup(&mut self, map: Which, key: i16) {
        self.map_and_key(map, key);
        self.code.call(helper::LOOKUP);
    }

    /// The first two things that the kernel is told of a map.
    pub(crate) fn map_and_key(&mut self, map: Which, key: i16) {
        self.code.map(R1, self.descriptor_of(map));
        self.address_of(R2, key);
    }

    /// `to` = where this offset of the stack is.
    pub(crate) fn address_of(&mut self, to: Register, at: i16) {
        self.code.copy(to, STACK);
        self.code.add(to, i32::from(at));
    }

    /// Four words from one place to another.
    pub(crate) fn move_address(
        &mut self,
        (to, to_offset): (Register, i16),
        (from, from_offset): (Register, i16),
    ) {
        for word in [0, 4, 8, 12] {
            self.code.load(Size::Word, R1, from, from_offset + word);
            self.code.store(Size::Word, to, to_offset + word, R1);
        }
    }

    /// One word from one place to another.
    pub(crate) fn move_word(
        &mut self,
        (to, to_offset): (Register, i16),
        (from, from_offset): (Register, i16),
    ) {
        self.code.load(Size::Word, R1, from, from_offset);
        self.code.store(Size::Word, to, to_offset, R1);
    }
}
