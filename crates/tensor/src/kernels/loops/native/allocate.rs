//! Registers for the values of a line, given in one walk over its operations.
//!
//! A value gets a register when it is computed or first needed, and loses it after its last use. When none is free, the value that is
//! needed last gives way: what memory holds anyway is read again, the rest waits on the stack.
//!
//! Beside wide vectors, masks have registers of their own, of a bit a lane. A mask becomes a vector where an instruction wants one, or
//! where another mask needs the register; and a mask again where it is asked for as such.

use crate::kernels::loops::native::assembler::{Address, Float, Instruction, Mask, Operand, Under, Vector, Width};
use crate::kernels::loops::native::emit::{Emitter, STACK};
use crate::kernels::loops::native::line::{Kind, Line, Op, Value};
use smallvec::SmallVec;

pub(super) type Uses = SmallVec<[Value; 4]>;

/// The mask of the elements that are left behind the last whole vector.
pub(super) const TAIL: Mask = Mask(7);
/// The others; the first of all means that there is no mask.
pub(super) const MASKS: [Mask; 6] = [Mask(1), Mask(2), Mask(3), Mask(4), Mask(5), Mask(6)];

/// For each value, the operations that read it, in order.
pub(super) fn uses(line: &Line) -> Vec<Uses> {
    let mut uses: Vec<Uses> = vec![Uses::new(); line.ops.len()];
    for (at, op) in line.ops.iter().enumerate() {
        for v in op.operands() {
            uses[v as usize].push(at as Value);
        }
    }
    uses
}

impl Emitter<'_> {
    pub(super) fn constant(&mut self, bits: u64) -> Operand {
        let at = self.pool.iter().position(|v| *v == bits).unwrap_or_else(|| {
            self.pool.push(bits);
            self.pool.len() - 1
        });
        Operand::Pool(at as u16)
    }

    pub(super) fn stack(&mut self) -> i32 {
        let size = self.line.width.bytes() as i32;
        self.frame += size;
        self.frame - size
    }

    fn is_hoisted(&self, v: Value) -> bool {
        self.hoisted.contains(&v)
    }

    /// Whether the operation at hand may write over the register of `v`.
    pub(super) fn gives_way(&self, v: Value) -> bool {
        self.place[v as usize].is_some() && self.left(v) == 0 && !self.is_hoisted(v)
    }

    /// How many operations after this one read `v`.
    fn left(&self, v: Value) -> usize {
        self.uses[v as usize].iter().filter(|&&u| u > self.at).count()
    }

    /// Where `v` is beside its register, if an instruction can read it there.
    fn home(&mut self, v: Value) -> Option<Operand> {
        if let Some(at) = self.stacked[v as usize] {
            return Some(Operand::Memory(Address::at(STACK, at)));
        }
        match self.line.ops[v as usize] {
            // Instructions read all lanes.
            Op::Load(slot, Kind::Floats, part) if !self.is_tail() => {
                Some(Operand::Memory(self.element(slot, self.line.float.size(), part)))
            }
            Op::Constant(bits) => Some(self.constant(bits)),
            _ => None,
        }
    }

    /// `v` in a register.
    pub(super) fn register(&mut self, v: Value) -> Vector {
        if let Some(r) = self.place[v as usize] {
            return r;
        }
        let to = self.free();
        self.place[v as usize] = Some(to);
        self.holds[to.0 as usize] = Some(v);
        self.read(v, to);
        to
    }

    /// Reads a value that is in no register.
    pub(super) fn read(&mut self, v: Value, to: Vector) {
        let float = self.line.float;
        if let Some(home) = self.home(v) {
            return self.asm.vector(Instruction::LOAD, to, None, home, None);
        }
        match (self.line.ops[v as usize], self.line.width) {
            (Op::Load(slot, Kind::Flags, part), Width::Ymm) => {
                let bytes = self.element(slot, 1, part);
                let zero = self.constant(0);
                self.asm.vector(Instruction::WIDEN_BYTES.of(float), to, None, Operand::Memory(bytes), None);
                self.asm.vector(Instruction::ABOVE.of(float), to, Some(to), zero, None);
            }
            (Op::Load(slot, Kind::Floats, part), _) => {
                let whole = self.element(slot, float.size(), part);
                self.asm.masked(Instruction::LOAD.of(float), self.kept(), to, None, Operand::Memory(whole));
            }
            (Op::Load(slot, Kind::Integers, part), Width::Zmm) => {
                let whole = self.element(slot, 4, part);
                self.asm.masked(Instruction::FROM_I32.of(float), self.kept(), to, None, Operand::Memory(whole));
            }
            (Op::Load(slot, Kind::Integers, part), Width::Ymm) => {
                let whole = self.element(slot, 4, part);
                self.asm.vector(Instruction::FROM_I32.of(float), to, None, Operand::Memory(whole), None);
            }
            (_, Width::Zmm) => {
                let mask = self.mask(v);
                self.asm.vector(Instruction::FROM_MASK.of(float), to, None, Operand::Mask(mask), None);
            }
            // Everything else that was computed is in a register or on the stack.
            _ => {}
        }
    }

    /// The lanes that a load keeps.
    fn kept(&self) -> Under {
        if self.is_tail() { Under::Zero(TAIL) } else { Under::All }
    }

    /// `v` as a mask, in a register of masks.
    pub(super) fn mask(&mut self, v: Value) -> Mask {
        if let Some(mask) = self.masks.iter().position(|held| *held == Some(v)) {
            return MASKS[mask];
        }
        let to = self.free_mask();
        self.hold_mask(v, to);
        let float = self.line.float;
        match self.line.ops[v as usize] {
            Op::Load(slot, Kind::Flags, part) => {
                let bytes = self.free();
                let from = Operand::Memory(self.element(slot, 1, part));
                match (self.is_tail(), float) {
                    (true, _) => self.asm.masked(Instruction::LOAD_BYTES, Under::Zero(TAIL), bytes, None, from),
                    (false, Float::F32) => self.asm.vector(Instruction::LOAD_BYTES, bytes, None, from, None),
                    (false, Float::F64) => self.asm.vector(Instruction::LOAD_8, bytes, None, from, None),
                }
                let all = Operand::Register(bytes);
                self.asm.write_mask(Instruction::TEST_BYTES, Under::All, to, Some(bytes), all, None);
            }
            _ => {
                let from = Operand::Register(self.register(v));
                self.asm.write_mask(Instruction::TO_MASK.of(float), Under::All, to, None, from, None);
            }
        }
        to
    }

    /// The register of the mask that the operation at hand makes.
    pub(super) fn result_mask(&mut self) -> Mask {
        // What gives way may need a vector, so the operands keep theirs until then.
        let to = self.free_mask();
        self.release();
        if self.left(self.at) > 0 {
            self.hold_mask(self.at, to);
        }
        to
    }

    fn hold_mask(&mut self, v: Value, to: Mask) {
        for (held, mask) in self.masks.iter_mut().zip(MASKS) {
            if mask == to {
                *held = Some(v);
            }
        }
    }

    /// A register of masks that is free, or made so.
    fn free_mask(&mut self) -> Mask {
        if let Some(free) = self.masks.iter().position(Option::is_none) {
            return MASKS[free];
        }
        let held = self.masks.iter().enumerate().filter_map(|(at, v)| v.map(|v| (at, v)));
        let Some((at, v)) = held.filter(|(_, v)| !self.pinned.contains(v)).max_by_key(|&(_, v)| self.next(v)) else {
            self.lost = true;
            return MASKS[0];
        };
        let is_read = matches!(self.line.ops[v as usize], Op::Load(..));
        if self.place[v as usize].is_none() && self.stacked[v as usize].is_none() && !is_read {
            self.register(v);
        }
        self.masks[at] = None;
        MASKS[at]
    }

    /// `v` as the last operand of the operation: in memory, if nobody after it gains from a register.
    pub(super) fn last(&mut self, v: Value) -> Operand {
        if let Some(r) = self.place[v as usize] {
            return Operand::Register(r);
        }
        if self.left(v) > 0 && !self.line.ops[v as usize].is_uniform() {
            return Operand::Register(self.register(v));
        }
        match self.home(v) {
            Some(home) => home,
            None => Operand::Register(self.register(v)),
        }
    }

    /// A register that is free, or made so.
    pub(super) fn free(&mut self) -> Vector {
        let free = (0..self.line.width.registers()).find(|&r| self.holds[r].is_none());
        let r = free.unwrap_or_else(|| self.evict());
        let used = self.holds.iter().filter(|h| h.is_some()).count();
        self.peak = self.peak.max(used + 1);
        Vector(r as u8)
    }

    /// The operation that reads `v` next.
    fn next(&self, v: Value) -> Value {
        self.uses[v as usize].iter().find(|&&u| u >= self.at).copied().unwrap_or(Value::MAX)
    }

    /// Frees the register of the value that is needed last.
    fn evict(&mut self) -> usize {
        let free = |v: &Value| !self.pinned.contains(v) && !self.is_hoisted(*v);
        let held = self.holds.iter().enumerate().filter_map(|(r, v)| v.filter(|v| free(v)).map(|v| (r, v)));
        let Some((r, v)) = held.max_by_key(|&(_, v)| self.next(v)) else {
            self.lost = true;
            return 0;
        };
        let is_leaf = matches!(self.line.ops[v as usize], Op::Load(..) | Op::Uniform(_) | Op::Constant(_));
        if !is_leaf && self.stacked[v as usize].is_none() && !self.masks.contains(&Some(v)) {
            let at = self.stack();
            self.stacked[v as usize] = Some(at);
            let to = Operand::Memory(Address::at(STACK, at));
            self.asm.vector(Instruction::STORE, Vector(r as u8), None, to, None);
        }
        self.place[v as usize] = None;
        self.holds[r] = None;
        r
    }

    /// Frees the registers of operands that nobody reads again.
    pub(super) fn release(&mut self) {
        for v in std::mem::take(&mut self.pinned) {
            if self.left(v) > 0 || self.is_hoisted(v) {
                continue;
            }
            if let Some(r) = self.place[v as usize].take() {
                self.holds[r.0 as usize] = None;
            }
            self.masks.iter_mut().filter(|held| **held == Some(v)).for_each(|held| *held = None);
        }
    }

    /// The register of the result: maybe one of an operand, since instructions read before they write.
    pub(super) fn result(&mut self) -> Vector {
        self.release();
        let to = self.free();
        self.hold(to);
        to
    }

    pub(super) fn hold(&mut self, to: Vector) {
        // What nobody reads needs no register for longer than this.
        if self.left(self.at) > 0 {
            self.holds[to.0 as usize] = Some(self.at);
            self.place[self.at as usize] = Some(to);
        }
    }
}
