//! The formulas of `tile/` and `math/` as operations of a line: the same ones in the same order, so that the bits are the same.

use crate::dtype::DType;
use crate::kernels::loops::code::Meaning;
use crate::kernels::loops::native::assembler::{Float, Instruction, Predicate, Width};
use crate::kernels::loops::native::line::{Kind, Line, Op, Value};
use crate::kernels::math::{exp, poly, tanh};
use crate::kernels::scalar::ScalarFn;
use std::f32::consts::LOG2_E;

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
            (plain || is_long(meaning)).then_some(Some(float))
        }
        Meaning::Pair(.., dtype) => Some(Some(float(dtype)?)),
        Meaning::Cast(DType::Bool, dtype) => Some(Some(float(dtype)?)),
        Meaning::Cast(DType::I32, dtype) => Some(Some(float(dtype)?)),
        Meaning::Cast(dtype, DType::Bool) => Some(Some(float(dtype)?)),
        Meaning::Cast(..) | Meaning::Opaque => None,
    }
}

/// Whether it is one of the functions that `math` computes, with a long way from operand to result.
pub(super) fn is_long(meaning: &Meaning) -> bool {
    use ScalarFn::{Exp, Exp2, Expm1, Sigmoid, Tanh};
    matches!(meaning, Meaning::Map(Exp | Exp2 | Expm1 | Tanh | Sigmoid, DType::F32))
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
            CopySign => self.copy_sign(a, b),
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
            _ if self.line.float == Float::F32 => return self.transcendental(f, a),
            _ => return None,
        })
    }

    fn copy_sign(&mut self, a: Value, b: Value) -> Value {
        let (sign, rest) = (self.sign(true), self.sign(false));
        let (size, sign) = (self.two(Instruction::AND, a, rest), self.two(Instruction::AND, b, sign));
        self.two(Instruction::OR, size, sign)
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

/// The functions of f32 that `math` computes from polynomials.
impl Writer<'_> {
    fn transcendental(&mut self, f: ScalarFn, x: Value) -> Option<Value> {
        Some(match f {
            ScalarFn::Exp => self.exp(x),
            ScalarFn::Exp2 => self.exp2(x),
            ScalarFn::Expm1 => self.expm1(x),
            ScalarFn::Tanh => self.tanh(x),
            ScalarFn::Sigmoid => self.sigmoid(x),
            _ => return None,
        })
    }

    fn float(&mut self, x: f32) -> Value {
        self.bits(x.to_bits())
    }

    fn bits(&mut self, bits: u32) -> Value {
        self.line.once(Op::Constant(u64::from(bits)))
    }

    /// a · b + c
    fn fma(&mut self, a: Value, b: Value, c: Value) -> Value {
        self.line.push(Op::Fused { negative: false, a, b, c })
    }

    /// c − a · b
    fn less_product(&mut self, a: Value, b: Value, c: Value) -> Value {
        self.line.push(Op::Fused { negative: true, a, b, c })
    }

    fn size(&mut self, x: Value) -> Value {
        let rest = self.sign(false);
        self.two(Instruction::AND, x, rest)
    }

    /// `most` where x is larger; NaN stays NaN.
    fn at_most(&mut self, most: f32, x: Value) -> Value {
        let most = self.float(most);
        self.two(Instruction::MIN, most, x)
    }

    /// Within bounds; NaN stays NaN.
    fn clamp(&mut self, [low, high]: [f32; 2], x: Value) -> Value {
        let (low, below) = (self.float(low), self.at_most(high, x));
        self.two(Instruction::MAX, low, below)
    }

    /// The lanes whose sign bit is set.
    fn is_negative(&mut self, x: Value) -> Value {
        let zero = self.float(0.0);
        if self.line.width == Width::Ymm {
            return self.two(Instruction::ABOVE, zero, x);
        }
        let (sign, one) = (self.sign(true), self.float(1.0));
        let sign = self.two(Instruction::AND, x, sign);
        let signed = self.two(Instruction::OR, sign, one);
        self.compare(Predicate::Less, signed, zero)
    }

    /// x², once for all that want it.
    fn square(&mut self, x: Value) -> Value {
        self.line.once(Op::Two(Instruction::MUL, None, x, x))
    }

    fn polynomial(&mut self, x: Value, c: &[f32]) -> Value {
        let square = self.square(x);
        let mut pairs = c.chunks(2).map(|pair| (pair[0], pair.get(1).copied())).rev();
        let join = |w: &mut Self, (even, odd): (f32, Option<f32>)| {
            let even = w.float(even);
            match odd {
                Some(odd) => {
                    let odd = w.float(odd);
                    w.fma(odd, x, even)
                }
                None => even,
            }
        };
        let Some(last) = pairs.next() else { return self.float(0.0) };
        let mut y = join(self, last);
        for pair in pairs {
            let pair = join(self, pair);
            y = self.fma(y, square, pair);
        }
        y
    }

    /// The integer nearest to `x · scale`, as float, and in the low bits of the other one, larger by `bias`.
    fn nearest(&mut self, x: Value, scale: f32, bias: f32) -> (Value, Value) {
        let (scale, shift) = (self.float(scale), self.float(poly::SHIFT + bias));
        let shifted = self.fma(x, scale, shift);
        (self.two(Instruction::SUB, shifted, shift), shifted)
    }

    fn power_of_two(&mut self, biased: Value) -> Value {
        let places = self.bits(23);
        self.two(Instruction::LEFT, biased, places)
    }

    /// x − n · ln 2, and n.
    fn reduced(&mut self, x: Value, bias: f32) -> (Value, Value) {
        let (turns, n) = self.nearest(x, LOG2_E, bias);
        let [high, low] = [exp::LN_2_HIGH, exp::LN_2_LOW].map(|part| self.float(part));
        let r = self.less_product(turns, high, x);
        (self.less_product(turns, low, r), n)
    }

    /// eʳ − 1
    fn remainder(&mut self, r: Value) -> Value {
        let square = self.square(r);
        let rest = self.polynomial(r, &exp::EXP);
        self.fma(square, rest, r)
    }

    fn scale(&mut self, p: Value, n: Value) -> Value {
        let one = self.bits(1);
        let half = self.two(Instruction::RIGHT, n, one);
        let other = self.two(Instruction::SUB_I32, n, half);
        let [half, other] = [half, other].map(|n| self.power_of_two(n));
        let p = self.two(Instruction::MUL, p, half);
        self.two(Instruction::MUL, p, other)
    }

    fn exp(&mut self, x: Value) -> Value {
        let tiny = self.float(exp::TINY);
        let large = self.compare(Predicate::NotLessEqual, x, tiny);
        let x = self.keep(large, x);
        let x = self.at_most(exp::HUGE, x);
        let (r, n) = self.reduced(x, 254.0);
        let (one, rest) = (self.float(1.0), self.remainder(r));
        let p = self.two(Instruction::ADD, rest, one);
        let y = self.scale(p, n);
        self.keep(large, y)
    }

    fn exp2(&mut self, x: Value) -> Value {
        let x = self.clamp(exp::EXP2_BOUNDS, x);
        let (turns, n) = self.nearest(x, 1.0, 254.0);
        let r = self.two(Instruction::SUB, x, turns);
        let (one, rest) = (self.float(1.0), self.polynomial(r, &exp::EXP2));
        let p = self.fma(r, rest, one);
        self.scale(p, n)
    }

    fn expm1(&mut self, x: Value) -> Value {
        let within = self.clamp(exp::EXPM1_BOUNDS, x);
        let (r, n) = self.reduced(within, 126.0);
        let (half, rest) = (self.power_of_two(n), self.remainder(r));
        let (part, two, zero) = (self.float(0.5), self.float(2.0), self.float(0.0));
        let less = self.two(Instruction::SUB, half, part);
        let y = self.fma(half, rest, less);
        let y = self.two(Instruction::MUL, y, two);
        let nothing = self.compare(Predicate::Equal, x, zero);
        self.blend(nothing, x, y)
    }

    fn tanh(&mut self, x: Value) -> Value {
        let size = self.size(x);
        let size = self.at_most(tanh::FAR, size);
        let (turns, n) = self.nearest(size, 2.0 * LOG2_E, 126.0);
        let half_ln_2 = self.float(tanh::HALF_LN_2);
        let r = self.less_product(turns, half_ln_2, size);
        let (square, twice) = (self.square(r), self.two(Instruction::ADD, r, r));
        let rest = self.polynomial(r, &tanh::EXP);
        let p = self.fma(square, rest, twice);
        let (scale, part) = (self.power_of_two(n), self.float(0.5));
        let less = self.two(Instruction::SUB, scale, part);
        let half = self.fma(scale, p, less);
        let (a, one) = (self.at_most(1.0, half), self.float(1.0));
        let more = self.two(Instruction::ADD, half, one);
        let quotient = self.two(Instruction::DIV, a, more);
        let y = self.less_product(a, quotient, a);
        self.copy_sign(y, x)
    }

    /// e⁻|ˣ|
    fn falling(&mut self, x: Value) -> Value {
        let sign = self.sign(true);
        let below = self.two(Instruction::OR, x, sign);
        self.exp(below)
    }

    fn sigmoid(&mut self, x: Value) -> Value {
        let (power, negative, one) = (self.falling(x), self.is_negative(x), self.float(1.0));
        let a = self.blend(negative, power, one);
        let more = self.two(Instruction::ADD, power, one);
        let quotient = self.two(Instruction::DIV, power, more);
        self.less_product(a, quotient, a)
    }
}
