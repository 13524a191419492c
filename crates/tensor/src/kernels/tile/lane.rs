//! What formulas are written over: the elements of a tile, and what the instruction set can do.

/// A type that tiles are made of. `()` is the operand that a formula does not have.
pub(crate) trait Lane: Copy {
    const ZERO: Self;
}

macro_rules! lanes {
    ($($t:ty = $zero:expr),* $(,)?) => { $(impl Lane for $t { const ZERO: Self = $zero; })* };
}

lanes!(f32 = 0.0, f64 = 0.0, i64 = 0, i32 = 0, u8 = 0, u16 = 0, u32 = 0, u64 = 0, () = ());
lanes!(Flag = Flag(0), Half = Half(0), Brain = Brain(0));

/// A bool in memory: 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub(crate) struct Flag(pub(crate) u8);

impl Flag {
    #[inline(always)]
    pub(crate) fn new(value: bool) -> Self {
        Flag(value as u8)
    }

    #[inline(always)]
    pub(crate) fn get(self) -> bool {
        self.0 != 0
    }
}

/// The bits of an f16 in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Half(pub(crate) u16);

/// The bits of a bf16 in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Brain(pub(crate) u16);

/// What formulas may ask of the instruction set that they are compiled for.
pub(crate) trait Machine {
    /// Multiply-add is one instruction with one rounding.
    const FUSED: bool;
    /// Rounding to an integral float is one instruction.
    const ROUNDS: bool;
}

/// What every machine of the target has.
pub(crate) enum Baseline {}

/// AVX2 with FMA, and everything above.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
pub(crate) enum Wide {}

impl Machine for Baseline {
    const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
    const ROUNDS: bool = cfg!(any(target_feature = "sse4.1", target_arch = "aarch64"));
}

impl Machine for Wide {
    const FUSED: bool = true;
    const ROUNDS: bool = true;
}
