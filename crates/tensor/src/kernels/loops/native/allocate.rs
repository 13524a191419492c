//! Registers for the values of a line, given in one walk over its operations.
//!
//! A value gets a register when it is computed or first needed, and loses it after its last use. When none is free, the value that is
//! needed last gives way: what memory holds anyway is read again, the rest waits on the stack.

use crate::kernels::loops::native::assembler::{Address, Instruction, Operand, VECTORS, Vector};
use crate::kernels::loops::native::emit::{Emitter, STACK};
use crate::kernels::loops::native::line::{Kind, Line, Op, Value};
use smallvec::SmallVec;

pub(super) type Uses = SmallVec<[Value; 4]>;

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
        let mut vector = [0; 32];
        let size = self.line.float.size();
        vector.chunks_mut(size).for_each(|lane| lane.copy_from_slice(&bits.to_le_bytes()[..size]));
        let at = self.pool.iter().position(|v| *v == vector).unwrap_or_else(|| {
            self.pool.push(vector);
            self.pool.len() - 1
        });
        Operand::Pool(at as u16)
    }

    pub(super) fn stack(&mut self) -> i32 {
        self.frame += 32;
        self.frame - 32
    }

    fn is_hoisted(&self, v: Value) -> bool {
        self.hoisted.contains(&v)
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
            Op::Load(slot, Kind::Floats, part) => {
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
        self.read(v, to);
        self.place[v as usize] = Some(to);
        self.holds[to.0 as usize] = Some(v);
        to
    }

    /// Reads a value that is in no register.
    fn read(&mut self, v: Value, to: Vector) {
        let float = self.line.float;
        if let Some(home) = self.home(v) {
            return self.asm.vector(Instruction::LOAD, to, None, home, None);
        }
        match self.line.ops[v as usize] {
            Op::Load(slot, Kind::Flags, part) => {
                let bytes = self.element(slot, 1, part);
                let zero = self.constant(0);
                self.asm.vector(Instruction::WIDEN_BYTES.of(float), to, None, Operand::Memory(bytes), None);
                self.asm.vector(Instruction::ABOVE.of(float), to, Some(to), zero, None);
            }
            Op::Load(slot, _, part) => {
                let whole = self.element(slot, 4, part);
                self.asm.vector(Instruction::FROM_I32.of(float), to, None, Operand::Memory(whole), None);
            }
            // Everything else that was computed is in a register or on the stack.
            _ => {}
        }
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
        let free = (0..VECTORS).find(|&r| self.holds[r].is_none());
        let r = free.unwrap_or_else(|| self.evict());
        let used = self.holds.iter().filter(|h| h.is_some()).count();
        self.peak = self.peak.max(used + 1);
        Vector(r as u8)
    }

    /// Frees the register of the value that is needed last.
    fn evict(&mut self) -> usize {
        let next = |v: Value| self.uses[v as usize].iter().find(|&&u| u >= self.at).copied().unwrap_or(Value::MAX);
        let free = |v: &Value| !self.pinned.contains(v) && !self.is_hoisted(*v);
        let held = self.holds.iter().enumerate().filter_map(|(r, v)| v.filter(|v| free(v)).map(|v| (r, v)));
        let Some((r, v)) = held.max_by_key(|&(_, v)| next(v)) else {
            self.lost = true;
            return 0;
        };
        let is_leaf = matches!(self.line.ops[v as usize], Op::Load(..) | Op::Uniform(_) | Op::Constant(_));
        if !is_leaf && self.stacked[v as usize].is_none() {
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
            if self.left(v) == 0
                && !self.is_hoisted(v)
                && let Some(r) = self.place[v as usize].take()
            {
                self.holds[r.0 as usize] = None;
            }
        }
    }

    /// The register of the result: maybe one of an operand, since instructions read before they write.
    pub(super) fn result(&mut self) -> Vector {
        self.release();
        let to = self.free();
        self.hold(to);
        to
    }

    fn hold(&mut self, to: Vector) {
        // What nobody reads needs no register for longer than this.
        if self.left(self.at) > 0 {
            self.holds[to.0 as usize] = Some(self.at);
            self.place[self.at as usize] = Some(to);
        }
    }
}
