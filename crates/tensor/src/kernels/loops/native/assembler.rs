//! A small assembler for x86-64: vector instructions in the encodings VEX and EVEX, and the few others that a loop needs.
//!
//! An instruction is data ([`Instruction`]), so that those who choose instructions name them and never see a byte.

/// A vector register: `ymm0` to `ymm15`, or `zmm0` to `zmm31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vector(pub(super) u8);

/// The most vector registers that there are.
pub(super) const VECTORS: usize = 32;

/// A register of one bit a lane: `k1` to `k7`. They exist beside wide vectors only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mask(pub(super) u8);

/// How long vectors are, which also says how instructions are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// 32 bytes, of AVX2.
    Ymm,
    /// 64 bytes, of AVX-512.
    Zmm,
}

impl Width {
    pub(super) fn bytes(self) -> usize {
        match self {
            Width::Ymm => 32,
            Width::Zmm => 64,
        }
    }

    /// How many vector registers there are.
    pub(super) fn registers(self) -> usize {
        match self {
            Width::Ymm => 16,
            Width::Zmm => VECTORS,
        }
    }
}

/// A general register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[rustfmt::skip]
pub(super) enum General { Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15 }

/// `base + index · scale + offset`; the scale is a power of two, given by its exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) base: General,
    pub(super) index: Option<(General, u8)>,
    pub(super) offset: i32,
}

impl Address {
    /// `base + offset`
    pub(super) fn at(base: General, offset: i32) -> Self {
        Self { base, index: None, offset }
    }
}

/// Where the last operand of an instruction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Register(Vector),
    Mask(Mask),
    Memory(Address),
    /// A vector of the pool that lies behind the code.
    Pool(u16),
}

/// The type that lanes are computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Float {
    F32,
    F64,
}

impl Float {
    pub(super) fn size(self) -> usize {
        match self {
            Float::F32 => 4,
            Float::F64 => 8,
        }
    }
}

/// How much of a vector an instruction works on, or reads or writes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// A whole vector.
    Whole,
    /// A whole vector of which memory holds less.
    Spread,
    /// 16 bytes at most.
    Part,
}

/// What selects an instruction: mandatory prefix, opcode map, opcode, and bit W, which VEX ignores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    prefix: u8,
    map: u8,
    opcode: u8,
    wide: bool,
    extent: Extent,
}

const fn code(prefix: u8, map: u8, opcode: u8) -> Instruction {
    Instruction { prefix, map, opcode, wide: false, extent: Extent::Whole }
}

const fn spread(prefix: u8, map: u8, opcode: u8) -> Instruction {
    Instruction { extent: Extent::Spread, ..code(prefix, map, opcode) }
}

const fn part(prefix: u8, map: u8, opcode: u8) -> Instruction {
    Instruction { extent: Extent::Part, ..code(prefix, map, opcode) }
}

/// Instructions on f32; [`Instruction::of`] gives those on f64 where there are both.
impl Instruction {
    pub(super) const SQRT: Self = code(0, 1, 0x51);
    pub(super) const AND: Self = code(0, 1, 0x54);
    pub(super) const AND_NOT: Self = code(0, 1, 0x55);
    pub(super) const OR: Self = code(0, 1, 0x56);
    pub(super) const XOR: Self = code(0, 1, 0x57);
    pub(super) const ADD: Self = code(0, 1, 0x58);
    pub(super) const MUL: Self = code(0, 1, 0x59);
    pub(super) const SUB: Self = code(0, 1, 0x5c);
    pub(super) const MIN: Self = code(0, 1, 0x5d);
    pub(super) const DIV: Self = code(0, 1, 0x5e);
    pub(super) const MAX: Self = code(0, 1, 0x5f);
    /// To a vector, or to a mask where vectors are wide.
    pub(super) const COMPARE: Self = code(0, 1, 0xc2);
    pub(super) const LOAD: Self = code(0, 1, 0x10);
    pub(super) const STORE: Self = code(0, 1, 0x11);
    /// A store past the caches, to an aligned address.
    pub(super) const STREAM: Self = code(0, 1, 0x2b);
    pub(super) const FROM_I32: Self = code(0, 1, 0x5b);
    pub(super) const ROUND: Self = code(1, 3, 0x08);
    pub(super) const BROADCAST: Self = spread(1, 2, 0x18);

    // On lanes of four bytes only. With one rounding: result · first + last, and first · last + result; the others from the sum subtract.
    pub(super) const FACTOR: Self = code(1, 2, 0xa8);
    pub(super) const FACTOR_NEGATIVE: Self = code(1, 2, 0xac);
    pub(super) const SUM: Self = code(1, 2, 0xb8);
    pub(super) const SUM_NEGATIVE: Self = code(1, 2, 0xbc);
    pub(super) const SUB_I32: Self = code(1, 1, 0xfa);
    /// The bits of each lane, moved by as many places as the last operand says.
    pub(super) const LEFT: Self = code(1, 2, 0x47);
    pub(super) const RIGHT: Self = code(1, 2, 0x45);

    // Of AVX2 only: masks are vectors.
    pub(super) const BLEND: Self = code(1, 3, 0x4a);
    /// Bytes to lanes, without sign.
    pub(super) const WIDEN_BYTES: Self = spread(1, 2, 0x31);
    pub(super) const ABOVE: Self = code(1, 1, 0x66);
    /// The upper half of a vector.
    pub(super) const UPPER: Self = code(1, 3, 0x39);
    pub(super) const PACK_32: Self = part(1, 1, 0x6b);
    pub(super) const PACK_16: Self = part(1, 1, 0x63);
    pub(super) const STORE_4: Self = part(1, 1, 0x7e);

    /// The size of each byte.
    pub(super) const ABS_BYTES: Self = part(1, 2, 0x1c);
    pub(super) const STORE_8: Self = Self { wide: true, ..part(1, 1, 0xd6) };

    // Of AVX-512 only: masks have registers of their own.
    pub(super) const BLEND_MASK: Self = code(1, 2, 0x65);
    /// All bits of a lane for each bit.
    pub(super) const FROM_MASK: Self = code(2, 2, 0x38);
    /// The highest bit of each lane.
    pub(super) const TO_MASK: Self = code(2, 2, 0x39);
    /// All bits of a byte for each bit.
    pub(super) const BYTES_FROM_MASK: Self = part(2, 2, 0x28);
    /// A bit for each byte with bits in common.
    pub(super) const TEST_BYTES: Self = part(1, 2, 0x26);
    pub(super) const LOAD_BYTES: Self = part(3, 1, 0x6f);
    pub(super) const STORE_BYTES: Self = part(3, 1, 0x7f);
    pub(super) const LOAD_8: Self = Self { wide: true, ..part(2, 1, 0x7e) };

    /// The same on lanes of this type.
    pub(super) fn of(self, float: Float) -> Self {
        if float == Float::F32 {
            return self;
        }
        match self {
            Self::ABOVE => code(1, 2, 0x37),
            Self::FROM_I32 => spread(2, 1, 0xe6),
            Self { map: 1, .. } => Self { prefix: 1, wide: true, ..self },
            Self::BLEND_MASK | Self::FROM_MASK | Self::TO_MASK => Self { wide: true, ..self },
            Self { opcode, .. } => Self { opcode: opcode + 1, wide: true, ..self },
        }
    }
}

/// Comparisons: the last byte of [`Instruction::COMPARE`]. With NaN all but `Unequal`, `Unordered` and `NotLessEqual` are false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Predicate {
    Equal = 0x00,
    Unordered = 0x03,
    Unequal = 0x04,
    Less = 0x11,
    LessEqual = 0x12,
    NotLessEqual = 0x16,
    GreaterEqual = 0x1d,
    Greater = 0x1e,
}

/// What becomes of the lanes that a mask leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Under {
    /// There is no mask.
    All,
    /// They keep what they were, and memory is not touched there; it also names the mask of a blend.
    Merge(Mask),
    /// They become zero, and memory is not read there.
    Zero(Mask),
}

/// Code under construction.
#[derive(Debug)]
pub(super) struct Assembler {
    width: Width,
    bytes: Vec<u8>,
    /// Places of distances to vectors of the pool, with how far behind each its instruction ends.
    fixups: Vec<(usize, u16, u8)>,
}

impl Assembler {
    pub(super) fn new(width: Width) -> Self {
        Self { width, bytes: Vec::new(), fixups: Vec::new() }
    }

    pub(super) fn here(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn align(&mut self, to: usize) {
        // What lies between is never run.
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0xcc);
    }

    /// Fills up to the start of a line of code with instructions that do nothing.
    pub(super) fn align_code(&mut self) {
        while !self.bytes.len().is_multiple_of(32) {
            self.bytes.push(0x90);
        }
    }

    /// A vector instruction: result (or source of a store), first operand where there are two, last operand, last byte.
    pub(super) fn vector(
        &mut self,
        i: Instruction,
        reg: Vector,
        first: Option<Vector>,
        last: Operand,
        byte: Option<u8>,
    ) {
        match self.width {
            Width::Ymm => self.vex(i, reg, first, last, byte),
            Width::Zmm => self.evex(i, Under::All, reg.0, first, last, byte),
        }
    }

    /// As `vector`, under a mask, where vectors are wide.
    pub(super) fn masked(&mut self, i: Instruction, under: Under, reg: Vector, first: Option<Vector>, last: Operand) {
        self.evex(i, under, reg.0, first, last, None);
    }

    /// As `masked`, for an instruction whose result is a mask.
    pub(super) fn write_mask(
        &mut self,
        i: Instruction,
        under: Under,
        to: Mask,
        first: Option<Vector>,
        last: Operand,
        byte: Option<u8>,
    ) {
        self.evex(i, under, to.0, first, last, byte);
    }

    fn vex(&mut self, i: Instruction, reg: Vector, first: Option<Vector>, last: Operand, byte: Option<u8>) {
        let (reg, first) = (reg.0, first.map_or(0, |v| v.0));
        let (x, b) = match last {
            Operand::Register(v) => (0, v.0 >> 3),
            Operand::Mask(_) | Operand::Pool(_) => (0, 0),
            Operand::Memory(m) => (m.index.map_or(0, |i| i.0 as u8 >> 3), m.base as u8 >> 3),
        };
        let tail = (!first & 15) << 3 | u8::from(i.extent != Extent::Part) << 2 | i.prefix;
        let r = (!reg >> 3 & 1) << 7;
        if i.map == 1 && x == 0 && b == 0 {
            self.bytes.extend([0xc5, r | tail]);
        } else {
            self.bytes.extend([0xc4, r | (x ^ 1) << 6 | (b ^ 1) << 5 | i.map, tail]);
        }
        self.bytes.push(i.opcode);
        self.last(reg, last, byte, None);
    }

    fn evex(&mut self, i: Instruction, under: Under, reg: u8, first: Option<Vector>, last: Operand, byte: Option<u8>) {
        let first = first.map_or(0, |v| v.0);
        // Bits 3 and 4 of the last operand, or bit 3 of its base and of its index.
        let (x, b) = match last {
            Operand::Register(v) => (v.0 >> 4, v.0 >> 3 & 1),
            Operand::Mask(_) | Operand::Pool(_) => (0, 0),
            Operand::Memory(m) => (m.index.map_or(0, |i| i.0 as u8 >> 3), m.base as u8 >> 3),
        };
        let (mask, zero) = match under {
            Under::All => (0, false),
            Under::Merge(mask) => (mask.0, false),
            Under::Zero(mask) => (mask.0, true),
        };
        let length = if i.extent == Extent::Part { 0 } else { 2 };
        self.bytes.extend([
            0x62,
            (!reg >> 3 & 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | (!reg >> 4 & 1) << 4 | i.map,
            u8::from(i.wide) << 7 | (!first & 15) << 3 | 4 | i.prefix,
            u8::from(zero) << 7 | length << 5 | (!first >> 4 & 1) << 3 | mask,
            i.opcode,
        ]);
        // A short offset counts in units of what is in memory.
        let unit = if i.extent == Extent::Whole { self.width.bytes() as i32 } else { i32::MAX };
        self.last(reg, last, byte, Some(unit));
    }

    /// The bytes of the last operand, and the last byte.
    fn last(&mut self, reg: u8, last: Operand, byte: Option<u8>, unit: Option<i32>) {
        match last {
            Operand::Register(Vector(r)) | Operand::Mask(Mask(r)) => self.bytes.push(0xc0 | (reg & 7) << 3 | r & 7),
            Operand::Memory(m) => self.address(reg, m, unit.unwrap_or(1)),
            Operand::Pool(vector) => {
                self.bytes.push((reg & 7) << 3 | 5);
                self.fixups.push((self.bytes.len(), vector, 4 + u8::from(byte.is_some())));
                self.bytes.extend([0; 4]);
            }
        }
        self.bytes.extend(byte);
    }

    /// The bytes that name a place in memory; an offset of one byte counts units.
    fn address(&mut self, reg: u8, m: Address, unit: i32) {
        let base = m.base as u8;
        let short = if m.offset % unit == 0 { i8::try_from(m.offset / unit).ok() } else { None };
        // `rbp` and `r13` without an offset would mean something else.
        let mode = match (m.offset, short) {
            (0, _) if base & 7 != 5 => 0,
            (_, Some(_)) => 1,
            _ => 2,
        };
        let head = mode << 6 | (reg & 7) << 3;
        match m.index {
            Some((index, scale)) => self.bytes.extend([head | 4, scale << 6 | (index as u8 & 7) << 3 | base & 7]),
            None if base & 7 == 4 => self.bytes.extend([head | 4, 0x20 | base & 7]),
            None => self.bytes.push(head | base & 7),
        }
        match mode {
            0 => {}
            1 => self.bytes.push((m.offset / unit) as u8),
            _ => self.bytes.extend(m.offset.to_le_bytes()),
        }
    }

    fn rex(&mut self, wide: bool, reg: u8, m: Address) {
        let index = m.index.map_or(0, |i| i.0 as u8 >> 3);
        self.bytes.push(0x40 | u8::from(wide) << 3 | (reg >> 3) << 2 | index << 1 | m.base as u8 >> 3);
    }

    /// Loads a general register.
    pub(super) fn load(&mut self, to: General, from: Address) {
        self.rex(true, to as u8, from);
        self.bytes.push(0x8b);
        self.address(to as u8, from, 1);
    }

    /// Asks for a line of memory.
    pub(super) fn prefetch(&mut self, at: Address) {
        self.rex(false, 1, at);
        self.bytes.extend([0x0f, 0x18]);
        self.address(1, at, 1);
    }

    /// The lower bits of a general register, as a mask.
    pub(super) fn move_mask(&mut self, to: Mask, from: General) {
        let from = from as u8;
        match from >> 3 {
            0 => self.bytes.extend([0xc5, 0xfb]),
            _ => self.bytes.extend([0xc4, 0xc1, 0x7b]),
        }
        self.bytes.extend([0x92, 0xc0 | to.0 << 3 | from & 7]);
    }

    pub(super) fn push(&mut self, r: General) {
        self.bytes.extend([0x40 | r as u8 >> 3, 0x50 | r as u8 & 7]);
    }

    pub(super) fn pop(&mut self, r: General) {
        self.bytes.extend([0x40 | r as u8 >> 3, 0x58 | r as u8 & 7]);
    }

    /// Adds a constant; the place of its four bytes is what is returned, for [`Assembler::patch`].
    pub(super) fn add(&mut self, r: General, value: i32) -> usize {
        let r = r as u8;
        self.bytes.extend([0x48 | r >> 3, 0x81, 0xc0 | r & 7]);
        self.bytes.extend(value.to_le_bytes());
        self.bytes.len() - 4
    }

    /// Copies a general register.
    pub(super) fn copy(&mut self, to: General, from: General) {
        let (to, from) = (to as u8, from as u8);
        self.bytes.extend([0x48 | from >> 3 << 2 | to >> 3, 0x89, 0xc0 | (from & 7) << 3 | to & 7]);
    }

    /// Makes a general register zero.
    pub(super) fn clear(&mut self, r: General) {
        let r = r as u8;
        self.bytes.extend([0x40 | r >> 3 << 2 | r >> 3, 0x31, 0xc0 | (r & 7) << 3 | r & 7]);
    }

    pub(super) fn patch(&mut self, at: usize, value: i32) {
        if let Some(bytes) = self.bytes.get_mut(at..at + 4) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// Jumps to `to` while `a` is below `b`.
    pub(super) fn loop_while_below(&mut self, a: General, b: General, to: usize) {
        let (a, b) = (a as u8, b as u8);
        self.bytes.extend([0x48 | b >> 3 << 2 | a >> 3, 0x39, 0xc0 | (b & 7) << 3 | a & 7, 0x0f, 0x82]);
        let distance = to as i64 - (self.bytes.len() as i64 + 4);
        self.bytes.extend((distance as i32).to_le_bytes());
    }

    /// Jumps if `a` is not below `b`; the place is for [`Assembler::land`].
    pub(super) fn jump_unless_below(&mut self, a: General, b: General) -> usize {
        let (a, b) = (a as u8, b as u8);
        self.bytes.extend([0x48 | b >> 3 << 2 | a >> 3, 0x39, 0xc0 | (b & 7) << 3 | a & 7, 0x0f, 0x83]);
        self.bytes.extend([0; 4]);
        self.bytes.len() - 4
    }

    /// Lets a jump ahead end here.
    pub(super) fn land(&mut self, jump: usize) {
        let distance = self.bytes.len() - (jump + 4);
        self.patch(jump, distance as i32);
    }

    /// Jumps back to `to`.
    pub(super) fn jump_back(&mut self, to: usize) {
        self.bytes.push(0xe9);
        let distance = to as i64 - (self.bytes.len() as i64 + 4);
        self.bytes.extend((distance as i32).to_le_bytes());
    }

    /// Leaves, with the upper halves of the vector registers clean.
    pub(super) fn leave(&mut self) {
        self.bytes.extend([0xc5, 0xf8, 0x77, 0xc3]);
    }

    /// The code with the pool behind it.
    pub(super) fn finish(mut self, pool: &[u64], float: Float) -> Vec<u8> {
        let size = self.width.bytes();
        self.align(size);
        let start = self.bytes.len() as i64;
        for (at, vector, left) in std::mem::take(&mut self.fixups) {
            let distance = start + size as i64 * i64::from(vector) - (at as i64 + i64::from(left));
            self.patch(at, distance as i32);
        }
        for bits in pool {
            let lane = &bits.to_le_bytes()[..float.size()];
            (0..size / float.size()).for_each(|_| self.bytes.extend(lane));
        }
        self.align(64);
        self.bytes
    }
}

#[cfg(test)]
mod tests;
