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
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Level; 3] = [Level::Baseline, Level::Avx2, Level::Avx512];

    /// The name that the environment variable `WENGERT_SIMD` takes.
    pub fn name(self) -> &'static str {
        match self {
            Level::Baseline => "baseline",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }

    /// Whether this machine can run kernels of this level.
    pub fn is_available(self) -> bool {
        self <= detected()
    }
}

/// The level that this process computes on: the highest one that the machine has.
///
/// The environment variable `WENGERT_SIMD` (`baseline`, `avx2` or `avx512`) lowers it, never raises it. It is read
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

#[cfg(target_arch = "x86_64")]
fn detected() -> Level {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq");
    match (avx2, avx512) {
        (true, true) => Level::Avx512,
        (true, false) => Level::Avx2,
        _ => Level::Baseline,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> Level {
    Level::Baseline
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_lowers_and_never_raises() {
        assert_eq!(lowered(Level::Avx512, "avx2"), Level::Avx2);
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
