//! Which instruction set the kernels run on, found once per process.

use std::sync::OnceLock;

/// A set of instructions that every kernel is compiled for.
///
/// Plain operations give the same bits on every level. The polynomials of [`crate::kernels::math`] fuse their
/// multiply-adds where the level has the instruction, so they may differ in the last bit between levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What the target always has: SSE2 on x86-64, NEON on aarch64.
    Baseline,
    /// AVX2 and FMA: 8 floats an instruction.
    Avx2,
    /// AVX-512 F, VL, BW and DQ: 16 floats an instruction.
    Avx512,
    /// AVX-512 with the matrix unit of AMX, which multiplies tiles of bf16: large products of f32 are sums of such.
    Amx,
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Level; 4] = [Level::Baseline, Level::Avx2, Level::Avx512, Level::Amx];

    /// The name that the environment variable `WENGERT_SIMD` takes.
    pub fn name(self) -> &'static str {
        match self {
            Level::Baseline => "baseline",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
            Level::Amx => "amx",
        }
    }

    /// Whether this machine can run kernels of this level.
    pub fn is_available(self) -> bool {
        self <= detected()
    }
}

/// The level that this process computes on: the highest one that the machine has.
///
/// The environment variable `WENGERT_SIMD` (`baseline`, `avx2`, `avx512` or `amx`) lowers it, never raises it. It is read
/// once; a name that is not known changes nothing.
pub fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        let wished = std::env::var("WENGERT_SIMD").unwrap_or_default();
        lowered(detected(), &wished)
    })
}

fn lowered(found: Level, wished: &str) -> Level {
    Level::ALL.into_iter().find(|l| l.name() == wished).map_or(found, |l| l.min(found))
}

fn detected() -> Level {
    static FOUND: OnceLock<Level> = OnceLock::new();
    *FOUND.get_or_init(detect)
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Level {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq");
    match (avx2, avx512) {
        (true, true) if has_tiles() => Level::Amx,
        (true, true) => Level::Avx512,
        (true, false) => Level::Avx2,
        _ => Level::Baseline,
    }
}

/// Whether there is a matrix unit for bf16, and the system lets this process use it.
#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
fn has_tiles() -> bool {
    use core::arch::x86_64::{__cpuid, __cpuid_count};
    const BF16: u32 = 1 << 22;
    const TILE: u32 = 1 << 24;
    const REQUEST: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    if __cpuid(0).eax < 7 || __cpuid_count(7, 0).edx & (BF16 | TILE) != BF16 | TILE {
        return false;
    }
    // The registers are large, so the system keeps them for those alone that ask: for all threads of the process.
    // SAFETY: the call takes two numbers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 }
}

#[cfg(all(target_arch = "x86_64", not(all(target_os = "linux", not(miri)))))]
fn has_tiles() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    Level::Baseline
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_lowers_and_never_raises() {
        assert_eq!(lowered(Level::Avx512, "avx2"), Level::Avx2);
        assert_eq!(lowered(Level::Amx, "avx512"), Level::Avx512);
        assert_eq!(lowered(Level::Avx2, "avx512"), Level::Avx2);
        assert_eq!(lowered(Level::Avx2, "baseline"), Level::Baseline);
        assert_eq!(lowered(Level::Avx2, ""), Level::Avx2);
        assert_eq!(lowered(Level::Avx2, "sse9"), Level::Avx2);
    }

    #[test]
    fn the_level_in_use_is_available() {
        assert!(level().is_available());
        assert!(Level::Baseline.is_available());
    }
}
