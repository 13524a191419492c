//! The formulas of `tile/` and `math/` as operations of a line: the same ones in the same order, so that the bits are the same.

use crate::dtype::DType;
use crate::kernels::loops::code::Meaning;
use crate::kernels::loops::native::assembler::{Float, Instruction, Predicate, Width};
use crate::kernels::loops::native::line::{Kind, Line, Op, Value};
use crate::kernels::scalar::ScalarFn;

/// The type that a dtype is computed in.
pub(super) fn float(dtype: DType) -> Option<Float> {
    match dtype {
        DType::F32 => Some(Float::F32),
        DType::F64 => Some(Float::F64),
        _ => None,
    }
}

/// The type of the lanes of a kernel that [`write`] knows; `None` for the others. Kernels of flags go with lanes of any type.
pub(super) fn lanes(meaning: &Meaning) -> Option<Option<Float>> {
    use ScalarFn::*;
    match *meaning {
        Meaning::Map(f, DType::Bool) => matches!(f, And | Or | Xor | Eq | Ne | Not | Maximum | Minimum).then_some(None),
        Meaning::Map(f, dtype) => {
            let float = float(dtype)?;
            let plain = matches!(
                f,
                Neg | Abs
                    | Sign
                    | Recip
                    | Square
                    | Sqrt
                    | Rsqrt
                    | Floor
                    | Ceil
                    | Round
                    | Trunc
                    | Relu
                    | IsNan
                    | IsInf
                    | IsFinite
                    | Add
                    | Sub
                    | Mul
                    | Div
                    | Maximum
                    | Minimum
                    | CopySign
                    | MulMasked
                    | Eq
                    | Ne
                    | Lt
                    | Le
                    | Gt
                    | Ge
                    | Select
            );
            plain.then_some(Some(float))
        }
        Meaning::Pair(.., dtype) => Some(Some(float(dtype)?)),
        Meaning::Cast(DType::Bool, dtype) => Some(Some(float(dtype)?)),
        Meaning::Cast(DType::I32, dtype) => Some(Some(float(dtype)?)),
        Meaning::Cast(dtype, DType::Bool) => Some(Some(float(dtype)?)),
        Meaning::Cast(..) | Meaning::Opaque => None,
    }
}

/// What the operands of a kernel are, in their order.
pub(super) fn operands(meaning: &Meaning) -> ([Kind; 3], usize) {
    let (floats, flags) = (Kind::Floats, Kind::Flags);
    match *meaning {
        Meaning::Map(ScalarFn::Select, _) => ([flags, floats, floats], 3),
        Meaning::Map(f, DType::Bool) => ([flags; 3], f.arity()),
        Meaning::Map(f, _) => ([floats; 3], f.arity()),
        Meaning::Pair(..) => ([floats; 3], 3),
        Meaning::Cast(DType::Bool, _) => ([flags; 3], 1),
        Meaning::Cast(DType::I32, _) => ([Kind::Integers; 3], 1),
        Meaning::Cast(..) | Meaning::Opaque => ([floats; 3], 1),
    }
}

/// Whether the result is a mask.
pub(super) fn gives_flags(meaning: &Meaning) -> bool {
    match *meaning {
        Meaning::Map(f, dtype) => f.output(dtype) == DType::Bool,
        Meaning::Cast(_, to) => to == DType::Bool,
        _ => false,
    }
}

/// Writes the operations of a kernel.
pub(super) fn write(line: &mut Line, meaning: &Meaning, [a, b, c]: [Value; 3]) -> Option<Value> {
    let mut w = Writer { line };
    match *meaning {
        Meaning::Map(f, DType::Bool) => w.flags(f, a, b),
        Meaning::Map(ScalarFn::Select, _) => Some(w.line.push(Op::Blend { mask: a, yes: b, no: c })),
        Meaning::Map(f, _) => w.map(f, a, b),
        Meaning::Pair(first, second, right, _) => {
            let inner = w.map(first, a, b)?;
            if right { w.map(second, c, inner) } else { w.map(second, inner, c) }
        }
        Meaning::Cast(DType::Bool, _) => {
            let one = w.number(1.0);
            Some(w.keep(a, one))
        }
        // The load has done it.
        Meaning::Cast(DType::I32, _) => Some(a),
        Meaning::Cast(_, DType::Bool) => {
            let zero = w.number(0.0);
            Some(w.compare(Predicate::Unequal, a, zero))
        }
        Meaning::Cast(..) | Meaning::Opaque => None,
    }
}

struct Writer<'a> {
    line: &'a mut Line,
}

impl Writer<'_> {
    fn number(&mut self, x: f64) -> Value {
        let bits = match self.line.float {
            Float::F32 => u64::from((x as f32).to_bits()),
            Float::F64 => x.to_bits(),
        };
        self.line.once(Op::Constant(bits))
    }

    /// The sign bit, or all others.
    fn sign(&mut self, itself: bool) -> Value {
        let bits = match self.line.float {
            Float::F32 => 1 << 31,
            Float::F64 => 1 << 63,
        };
        let all = u64::MAX >> (64 - 8 * self.line.float.size());
        self.line.once(Op::Constant(if itself { bits } else { all ^ bits }))
    }

    fn one(&mut self, i: Instruction, a: Value) -> Value {
        self.line.push(Op::One(i.of(self.line.float), None, a))
    }

    fn two(&mut self, i: Instruction, a: Value, b: Value) -> Value {
        self.line.push(Op::Two(i.of(self.line.float), None, a, b))
    }

    fn compare(&mut self, p: Predicate, a: Value, b: Value) -> Value {
        // Masked products ask the same of one factor again and again.
        self.line.once(Op::Compare(p, a, b))
    }

    /// `a` where the mask is set, else zero.
    fn keep(&mut self, mask: Value, a: Value) -> Value {
        match self.line.width {
            Width::Ymm => self.two(Instruction::AND, mask, a),
            Width::Zmm => self.line.push(Op::Keep(mask, Instruction::LOAD.of(self.line.float), a, None)),
        }
    }

    fn round(&mut self, mode: u8, a: Value) -> Value {
        // Bit 3: without the exception for what is inexact.
        self.line.push(Op::One(Instruction::ROUND.of(self.line.float), Some(8 | mode), a))
    }

    /// `yes` where the mask is set, else `no`.
    fn blend(&mut self, mask: Value, yes: Value, no: Value) -> Value {
        self.line.push(Op::Blend { mask, yes, no })
    }

    fn flags(&mut self, f: ScalarFn, a: Value, b: Value) -> Option<Value> {
        use ScalarFn::{And, Eq, Maximum, Minimum, Ne, Not, Or, Xor};
        let all = u64::MAX >> (64 - 8 * self.line.float.size());
        Some(match f {
            And | Minimum => self.two(Instruction::AND, a, b),
            Or | Maximum => self.two(Instruction::OR, a, b),
            Xor | Ne => self.two(Instruction::XOR, a, b),
            Not | Eq => {
                let differ = if f == Eq { self.two(Instruction::XOR, a, b) } else { a };
                let all = self.line.once(Op::Constant(all));
                self.two(Instruction::XOR, differ, all)
            }
            _ => return None,
        })
    }

    fn map(&mut self, f: ScalarFn, a: Value, b: Value) -> Option<Value> {
        use ScalarFn::*;
        Some(match f {
            Add => self.two(Instruction::ADD, a, b),
            Sub => self.two(Instruction::SUB, a, b),
            Mul => self.two(Instruction::MUL, a, b),
            Div => self.two(Instruction::DIV, a, b),
            Square => self.two(Instruction::MUL, a, a),
            Sqrt => self.one(Instruction::SQRT, a),
            Recip => {
                let one = self.number(1.0);
                self.two(Instruction::DIV, one, a)
            }
            Rsqrt => {
                let (one, root) = (self.number(1.0), self.one(Instruction::SQRT, a));
                self.two(Instruction::DIV, one, root)
            }
            Neg => {
                let sign = self.sign(true);
                self.two(Instruction::XOR, a, sign)
            }
            Abs => {
                let rest = self.sign(false);
                self.two(Instruction::AND, a, rest)
            }
            CopySign => {
                let (sign, rest) = (self.sign(true), self.sign(false));
                let (size, sign) = (self.two(Instruction::AND, a, rest), self.two(Instruction::AND, b, sign));
                self.two(Instruction::OR, size, sign)
            }
            Sign => {
                let (zero, one, less) = (self.number(0.0), self.number(1.0), self.number(-1.0));
                let same = self.two(Instruction::ADD, a, zero);
                let below = self.compare(Predicate::Less, a, zero);
                let rest = self.blend(below, less, same);
                let above = self.compare(Predicate::Greater, a, zero);
                self.blend(above, one, rest)
            }
            Relu => {
                let zero = self.number(0.0);
                let high = self.compare(Predicate::NotLessEqual, a, zero);
                self.keep(high, a)
            }
            MulMasked => self.masked_product(a, b),
            // The instructions give their second operand when one is NaN.
            Maximum | Minimum => {
                let i = if f == Maximum { Instruction::MAX } else { Instruction::MIN };
                let extreme = self.two(i, a, b);
                let nan = self.compare(Predicate::Unordered, a, a);
                self.blend(nan, a, extreme)
            }
            Eq => self.compare(Predicate::Equal, a, b),
            Ne => self.compare(Predicate::Unequal, a, b),
            Lt => self.compare(Predicate::Less, a, b),
            Le => self.compare(Predicate::LessEqual, a, b),
            Gt => self.compare(Predicate::Greater, a, b),
            Ge => self.compare(Predicate::GreaterEqual, a, b),
            IsNan => self.compare(Predicate::Unordered, a, a),
            IsInf | IsFinite => {
                let (rest, infinity) = (self.sign(false), self.number(f64::INFINITY));
                let size = self.two(Instruction::AND, a, rest);
                let p = if f == IsInf { Predicate::Equal } else { Predicate::Less };
                self.compare(p, size, infinity)
            }
            Round => self.round(0, a),
            Floor => self.round(1, a),
            Ceil => self.round(2, a),
            Trunc => self.round(3, a),
            _ => return None,
        })
    }

    /// The product, or zero where a factor is zero.
    fn masked_product(&mut self, a: Value, b: Value) -> Value {
        let zero = self.number(0.0);
        if self.line.width == Width::Ymm {
            let (left, right) = (self.compare(Predicate::Equal, a, zero), self.compare(Predicate::Equal, b, zero));
            let nothing = self.two(Instruction::OR, left, right);
            let product = self.two(Instruction::MUL, a, b);
            return self.two(Instruction::AND_NOT, nothing, product);
        }
        let mut both = self.compare(Predicate::Unequal, a, zero);
        if a != b {
            both = self.line.push(Op::CompareUnder(both, Predicate::Unequal, b, zero));
        }
        self.line.push(Op::Keep(both, Instruction::MUL.of(self.line.float), a, Some(b)))
    }
}
