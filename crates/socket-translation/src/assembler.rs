//! Instructions of the kernel's virtual machine (`linux/bpf.h`, kernel's Documentation/bpf/standardization/instruction-set.rst), and
//! jumps to labels. Knows no program. Written for little-endian machines: an instruction's register nibbles are swapped on others.

/// A register. `CONTEXT`, and those from 7 on, keep their value over a call of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Register(u8);

pub(crate) const R0: Register = Register(0);
pub(crate) const R1: Register = Register(1);
pub(crate) const R2: Register = Register(2);
pub(crate) const R3: Register = Register(3);
pub(crate) const R4: Register = Register(4);
pub(crate) const R6: Register = Register(6);
pub(crate) const R7: Register = Register(7);
pub(crate) const R8: Register = Register(8);
pub(crate) const R9: Register = Register(9);
/// The end of the stack, whose 512 bytes are below it.
pub(crate) const STACK: Register = Register(10);

/// How much is loaded or stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Size {
    Word = 0x00,
    Half = 0x08,
    Double = 0x18,
}

/// What is compared, for a jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Is {
    Equal = 0x10,
    AtLeast = 0x30,
    Other = 0x50,
    Less = 0xa0,
}

/// A place in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label(usize);

/// A program that is being written.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    code: Vec<Instruction>,
    /// Where each label is.
    places: Vec<Option<usize>>,
    jumps: Vec<(usize, Label)>,
}

#[derive(Debug, Clone, Copy)]
struct Instruction {
    operation: u8,
    to: u8,
    from: u8,
    offset: i16,
    immediate: i32,
}

const FROM_REGISTER: u8 = 0x08;
const ALU64: u8 = 0x07;
const ALU32: u8 = 0x04;
const JUMP: u8 = 0x05;
const LOAD: u8 = 0x61;
const STORE: u8 = 0x63;
const STORE_IMMEDIATE: u8 = 0x62;

impl Assembler {
    /// A label whose place is told later.
    pub(crate) fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// The label is here.
    pub(crate) fn place(&mut self, label: Label) {
        let here = self.code.len();
        if let Some(place) = self.places.get_mut(label.0) {
            *place = Some(here);
        }
    }

    /// `to = from`.
    pub(crate) fn copy(&mut self, to: Register, from: Register) {
        self.push(ALU64 | 0xb0 | FROM_REGISTER, to, from, 0, 0);
    }

    /// `to = number`.
    pub(crate) fn set(&mut self, to: Register, number: i32) {
        self.push(ALU64 | 0xb0, to, R0, 0, number);
    }

    /// `to += number`.
    pub(crate) fn add(&mut self, to: Register, number: i32) {
        self.push(ALU64, to, R0, 0, number);
    }

    /// `to += from`.
    pub(crate) fn add_register(&mut self, to: Register, from: Register) {
        self.push(ALU64 | FROM_REGISTER, to, from, 0, 0);
    }

    /// `to -= from`.
    pub(crate) fn subtract(&mut self, to: Register, from: Register) {
        self.push(ALU64 | 0x10 | FROM_REGISTER, to, from, 0, 0);
    }

    /// `to *= number`.
    pub(crate) fn multiply(&mut self, to: Register, number: i32) {
        self.push(ALU64 | 0x20, to, R0, 0, number);
    }

    /// `to &= number`.
    pub(crate) fn and(&mut self, to: Register, number: i32) {
        self.push(ALU64 | 0x50, to, R0, 0, number);
    }

    /// `to %= from`, both of 32 bits.
    pub(crate) fn modulo(&mut self, to: Register, from: Register) {
        self.push(ALU32 | 0x90 | FROM_REGISTER, to, from, 0, 0);
    }

    /// `to = *(from + offset)`.
    pub(crate) fn load(&mut self, size: Size, to: Register, from: Register, offset: i16) {
        self.push(LOAD | size as u8, to, from, offset, 0);
    }

    /// `*(to + offset) = from`.
    pub(crate) fn store(&mut self, size: Size, to: Register, offset: i16, from: Register) {
        self.push(STORE | size as u8, to, from, offset, 0);
    }

    /// `*(to + offset) = number`.
    pub(crate) fn store_number(&mut self, size: Size, to: Register, offset: i16, number: i32) {
        self.push(STORE_IMMEDIATE | size as u8, to, R0, offset, number);
    }

    /// Goes on at `label`.
    pub(crate) fn go(&mut self, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.push(JUMP, R0, R0, 0, 0);
    }

    /// Goes on at `label` if a register `is` to a number.
    pub(crate) fn go_if(&mut self, what: Register, is: Is, number: i32, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.push(JUMP | is as u8, what, R0, 0, number);
    }

    /// Goes on at `label` if a register `is` to another.
    pub(crate) fn go_if_register(&mut self, what: Register, is: Is, other: Register, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.push(JUMP | is as u8 | FROM_REGISTER, what, other, 0, 0);
    }

    /// Calls the kernel; its answer is in `R0`.
    pub(crate) fn call(&mut self, helper: i32) {
        self.push(0x85, R0, R0, 0, helper);
    }

    /// `to` = a map, by its descriptor (`BPF_PSEUDO_MAP_FD`).
    pub(crate) fn map(&mut self, to: Register, descriptor: i32) {
        self.push(0x18, to, R1, 0, descriptor);
        self.push(0, R0, R0, 0, 0);
    }

    /// The program's answer is in `R0`.
    pub(crate) fn exit(&mut self) {
        self.push(0x95, R0, R0, 0, 0);
    }

    /// The program as the kernel reads it. A jump to a label that has no place leads nowhere, which the verifier refuses.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        for (at, label) in &self.jumps {
            let place = self.places.get(label.0).copied().flatten();
            let distance = place.and_then(|place| distance(*at, place));
            if let Some(instruction) = self.code.get_mut(*at) {
                instruction.offset = distance.unwrap_or(i16::MAX);
            }
        }
        self.code.iter().flat_map(Instruction::bytes).collect()
    }

    fn push(&mut self, operation: u8, to: Register, from: Register, offset: i16, immediate: i32) {
        self.code.push(Instruction { operation, to: to.0, from: from.0, offset, immediate });
    }
}

/// A jump is counted from the instruction after it.
fn distance(at: usize, place: usize) -> Option<i16> {
    let (at, place) = (i64::try_from(at).ok()?, i64::try_from(place).ok()?);
    i16::try_from(place - at - 1).ok()
}

impl Instruction {
    fn bytes(&self) -> [u8; 8] {
        let [low, high] = self.offset.to_le_bytes();
        let [a, b, c, d] = self.immediate.to_le_bytes();
        [self.operation, self.from << 4 | self.to, low, high, a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Assembler)) -> Vec<[u8; 8]> {
        let mut assembler = Assembler::default();
        write(&mut assembler);
        let code = assembler.finish();
        code.chunks_exact(8).map(|bytes| bytes.try_into().unwrap()).collect()
    }

    #[test]
    fn instructions_are_those_of_the_kernels_documentation() {
        // Each as `bpf_asm` and clang's assembler put it.
        assert_eq!(written(|a| a.copy(R6, R1)), [[0xbf, 0x16, 0, 0, 0, 0, 0, 0]]);
        assert_eq!(written(|a| a.set(R1, -111)), [[0xb7, 1, 0, 0, 0x91, 0xff, 0xff, 0xff]]);
        assert_eq!(written(|a| a.add(R2, -8)), [[0x07, 2, 0, 0, 0xf8, 0xff, 0xff, 0xff]]);
        assert_eq!(written(|a| a.add_register(R8, R1)), [[0x0f, 0x18, 0, 0, 0, 0, 0, 0]]);
        assert_eq!(written(|a| a.subtract(R2, R1)), [[0x1f, 0x12, 0, 0, 0, 0, 0, 0]]);
        assert_eq!(written(|a| a.multiply(R1, 40)), [[0x27, 1, 0, 0, 40, 0, 0, 0]]);
        assert_eq!(written(|a| a.and(R1, 3)), [[0x57, 1, 0, 0, 3, 0, 0, 0]]);
        assert_eq!(written(|a| a.modulo(R0, R1)), [[0x9c, 0x10, 0, 0, 0, 0, 0, 0]]);
        assert_eq!(written(|a| a.load(Size::Word, R1, R6, 24)), [[0x61, 0x61, 24, 0, 0, 0, 0, 0]]);
        assert_eq!(
            written(|a| a.store(Size::Double, STACK, -8, R0)),
            [[0x7b, 0x0a, 0xf8, 0xff, 0, 0, 0, 0]]
        );
        assert_eq!(
            written(|a| a.store_number(Size::Half, STACK, -2, 7)),
            [[0x6a, 0x0a, 0xfe, 0xff, 7, 0, 0, 0]]
        );
        assert_eq!(written(|a| a.call(1)), [[0x85, 0, 0, 0, 1, 0, 0, 0]]);
        assert_eq!(
            written(|a| a.map(R1, 5)),
            [[0x18, 0x11, 0, 0, 5, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0]]
        );
        assert_eq!(written(Assembler::exit), [[0x95, 0, 0, 0, 0, 0, 0, 0]]);
    }

    #[test]
    fn jumps_lead_forth_and_back() {
        let code = written(|a| {
            let (back, forth) = (a.label(), a.label());
            a.place(back);
            a.go_if(R0, Is::Equal, 0, forth);
            a.go_if_register(R2, Is::AtLeast, R3, back);
            a.go(forth);
            a.exit();
            a.place(forth);
            a.exit();
        });
        assert_eq!(code[0], [0x15, 0, 3, 0, 0, 0, 0, 0]);
        assert_eq!(code[1], [0x3d, 0x32, 0xfe, 0xff, 0, 0, 0, 0]);
        assert_eq!(code[2], [0x05, 0, 1, 0, 0, 0, 0, 0]);
    }
}
