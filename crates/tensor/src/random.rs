//! Random bits as a function: element `i` of a stream is `f(key, i)`, whoever computes it, in whatever order.
//!
//! Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) turns a counter and a key into 128
//! bits. Uniform and normal numbers are made of them with additions, products and square roots only, so they are the
//! same bits on every machine.
//!
//! ```
//! use wengert_tensor::random::{Key, normal_f32, uniform_f32};
//! let key = Key::new(7);
//! let u = uniform_f32(key, 1_000_000);
//! assert!((0.0..1.0).contains(&u));
//! assert_eq!(u, uniform_f32(key, 1_000_000));
//! assert_ne!(normal_f32(key.fold(1), 0), normal_f32(key.fold(2), 0));
//! ```

mod box_muller;

use crate::random::box_muller::{HALF_ULP, half_unit, normal_pair, open_unit, unit_f64};
use rand::SeedableRng;
use rand::rand_core::TryRng;
use std::convert::Infallible;

/// What a stream is a function of. Two keys give two independent streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub u64);

/// The words of a counter that never meet: elements of a stream, keys made by [`Key::fold`], and by [`Key::split`].
const FOLD: u32 = 1;
const SPLIT: u32 = 2;

impl Key {
    /// The key of a seed.
    pub fn new(seed: u64) -> Key {
        Key(seed)
    }

    /// The key of a part: of an op, a layer, a step. Different data give different streams.
    ///
    /// ```
    /// # use wengert_tensor::random::Key;
    /// let key = Key::new(1);
    /// assert_ne!(key.fold(0), key.fold(1));
    /// assert_ne!(key.fold(0), key);
    /// ```
    pub fn fold(self, data: u64) -> Key {
        let [a, b, _, _] = philox([data as u32, (data >> 32) as u32, 0, FOLD], self.0);
        Key(join(a, b))
    }

    /// Two keys, different from each other and from this.
    pub fn split(self) -> (Key, Key) {
        let [a, b, c, d] = philox([0, 0, 0, SPLIT], self.0);
        (Key(join(a, b)), Key(join(c, d)))
    }
}

impl From<u64> for Key {
    fn from(seed: u64) -> Key {
        Key::new(seed)
    }
}

impl From<Seed> for Key {
    fn from(seed: Seed) -> Key {
        seed.key()
    }
}

/// A number that the user chose, and that hands out keys.
///
/// ```
/// use wengert_tensor::random::Seed;
/// let mut seed = Seed(42);
/// let (first, second) = (seed.next(), seed.next());
/// assert_ne!(first, second);
/// assert_eq!(Seed(42).next(), first);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seed(pub u64);

impl Seed {
    /// A key that no earlier call gave, until 2⁶⁴ calls have been made.
    #[expect(clippy::should_implement_trait, reason = "a seed never ends, so an Option would be in the way")]
    pub fn next(&mut self) -> Key {
        // SplitMix64: an odd step and a bijective finish, so that no key comes twice.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Key(z ^ (z >> 31))
    }

    /// The key of this seed itself.
    pub fn key(&self) -> Key {
        Key::new(self.0)
    }
}

fn join(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// Philox-4x32-10: 128 random bits for a counter and a key.
///
/// ```
/// use wengert_tensor::random::philox;
/// assert_eq!(philox([0; 4], 0), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
/// ```
#[inline(always)]
pub fn philox(counter: [u32; 4], key: u64) -> [u32; 4] {
    let [mut a, mut b, mut c, mut d] = counter;
    let (mut k0, mut k1) = (key as u32, (key >> 32) as u32);
    for _ in 0..10 {
        let (left, right) = (u64::from(a) * 0xd251_1f53, u64::from(c) * 0xcd9e_8d57);
        (a, c) = ((right >> 32) as u32 ^ b ^ k0, (left >> 32) as u32 ^ d ^ k1);
        (b, d) = (right as u32, left as u32);
        (k0, k1) = (k0.wrapping_add(0x9e37_79b9), k1.wrapping_add(0xbb67_ae85));
    }
    [a, b, c, d]
}

/// How many blocks stand side by side: the elements of a stream are the first words of this many blocks, then their
/// second words, and so on, so that loops over lanes write neighbours.
const LANES: usize = 16;

type Words = [[u32; LANES]; 4];

/// Blocks `LANES·group ..` of the stream of `key`, word by word.
#[inline(always)]
fn blocks(key: Key, group: u64) -> Words {
    let first = group.wrapping_mul(LANES as u64);
    let mut words = [[0; LANES]; 4];
    let [a, b, c, d] = &mut words;
    for (i, (((a, b), c), d)) in a.iter_mut().zip(b).zip(c).zip(d).enumerate() {
        // A multiple of the lanes plus a lane: the low word never carries.
        [*a, *b, *c, *d] = philox([first as u32 + i as u32, (first >> 32) as u32, 0, 0], key.0);
    }
    words
}

/// The block and the place in it that hold element `i`, when a block holds `per`.
#[inline(always)]
fn locate(key: Key, i: u64, per: u64) -> ([u32; 4], usize) {
    let (lanes, size) = (LANES as u64, LANES as u64 * per);
    let block = (i / size).wrapping_mul(lanes).wrapping_add(i % lanes);
    (philox([block as u32, (block >> 32) as u32, 0, 0], key.0), (i % size / lanes) as usize)
}

/// Element `i` of a stream of uniform numbers in `[0, 1)`, multiples of 2⁻²⁴.
#[inline]
pub fn uniform_f32(key: Key, i: u64) -> f32 {
    let (words, place) = locate(key, i, 4);
    unit_f32(words[place])
}

/// Element `i` of a stream of uniform numbers in `[0, 1)`, multiples of 2⁻⁵³.
#[inline]
pub fn uniform_f64(key: Key, i: u64) -> f64 {
    let ([a, b, c, d], place) = locate(key, i, 2);
    unit_f64([join(a, b), join(c, d)][place])
}

/// Element `i` of a stream of normal numbers of mean 0 and deviation 1 (Box–Muller), each the f32 nearest to its f64.
#[inline]
pub fn normal_f32(key: Key, i: u64) -> f32 {
    let ([a, b, c, d], place) = locate(key, i, 4);
    let (radius, turn) = if place < 2 { (a, b) } else { (c, d) };
    normal_pair(open_unit(radius), half_unit(turn))[place % 2] as f32
}

/// Element `i` of a stream of normal numbers of mean 0 and deviation 1 (Box–Muller).
#[inline]
pub fn normal_f64(key: Key, i: u64) -> f64 {
    let ([a, b, c, d], place) = locate(key, i, 2);
    normal_pair(unit_f64(join(a, b)) + HALF_ULP, unit_f64(join(c, d)))[place]
}

/// Elements `first..` of the stream of [`uniform_f32`].
///
/// ```
/// # use wengert_tensor::random::{Key, fill_uniform_f32, uniform_f32};
/// let mut out = [0.0; 100];
/// fill_uniform_f32(Key::new(3), 7, &mut out);
/// assert_eq!(out[42], uniform_f32(Key::new(3), 7 + 42));
/// ```
#[inline(always)]
pub fn fill_uniform_f32(key: Key, first: u64, out: &mut [f32]) {
    fill(first, out, |group, out: &mut [[f32; LANES]; 4]| {
        for (out, words) in out.iter_mut().zip(blocks(key, group)) {
            *out = words.map(unit_f32);
        }
    });
}

/// Elements `first..` of the stream of [`uniform_f64`].
#[inline(always)]
pub fn fill_uniform_f64(key: Key, first: u64, out: &mut [f64]) {
    fill(first, out, |group, out: &mut [[f64; LANES]; 2]| {
        let [a, b, c, d] = blocks(key, group);
        for i in 0..LANES {
            out[0][i] = unit_f64(join(a[i], b[i]));
            out[1][i] = unit_f64(join(c[i], d[i]));
        }
    });
}

/// Elements `first..` of the stream of [`normal_f32`].
#[inline(always)]
pub fn fill_normal_f32(key: Key, first: u64, out: &mut [f32]) {
    fill(first, out, |group, out: &mut [[f32; LANES]; 4]| {
        let [a, b, c, d] = blocks(key, group);
        for (half, (radius, turn)) in [(a, b), (c, d)].into_iter().enumerate() {
            for i in 0..LANES {
                let [cos, sin] = normal_pair(open_unit(radius[i]), half_unit(turn[i]));
                (out[2 * half][i], out[2 * half + 1][i]) = (cos as f32, sin as f32);
            }
        }
    });
}

/// Elements `first..` of the stream of [`normal_f64`].
#[inline(always)]
pub fn fill_normal_f64(key: Key, first: u64, out: &mut [f64]) {
    fill(first, out, |group, out: &mut [[f64; LANES]; 2]| {
        let [a, b, c, d] = blocks(key, group);
        for i in 0..LANES {
            let pair = normal_pair(unit_f64(join(a[i], b[i])) + HALF_ULP, unit_f64(join(c[i], d[i])));
            [out[0][i], out[1][i]] = pair;
        }
    });
}

/// Writes elements `first..` of a stream that `make` writes in groups of `PER·LANES`.
#[inline(always)]
fn fill<T: Copy + Default, const PER: usize>(
    first: u64,
    mut out: &mut [T],
    make: impl Fn(u64, &mut [[T; LANES]; PER]),
) {
    let size = (PER * LANES) as u64;
    let (mut group, mut skip) = (first / size, (first % size) as usize);
    while !out.is_empty() {
        let mut values = [[T::default(); LANES]; PER];
        make(group, &mut values);
        let values = &values.as_flattened()[skip..];
        let n = values.len().min(out.len());
        let (now, later) = std::mem::take(&mut out).split_at_mut(n);
        now.copy_from_slice(&values[..n]);
        (out, group, skip) = (later, group.wrapping_add(1), 0);
    }
}

#[inline(always)]
fn unit_f32(word: u32) -> f32 {
    // Below 2²⁴ the signed conversion is the same, and every instruction set has it.
    (word >> 8) as i32 as f32 * (1.0 / (1u32 << 24) as f32)
}

/// The numbers `0..n` in random order.
///
/// ```
/// # use wengert_tensor::random::{Key, permutation};
/// let mut order = permutation(Key::new(1), 100);
/// assert_ne!(order, (0..100).collect::<Vec<_>>());
/// order.sort();
/// assert_eq!(order, (0..100).collect::<Vec<_>>());
/// ```
pub fn permutation(key: Key, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        // The upper half of a 128-bit product is uniform below i + 1, but for a bias of at most n·2⁻⁶⁴.
        let [a, b, _, _] = philox([i as u32, (i as u64 >> 32) as u32, 0, 0], key.0);
        let j = (u128::from(join(a, b)) * (i as u128 + 1)) >> 64;
        order.swap(i, j as usize);
    }
    order
}

/// A stream as a generator, for all that takes one of `rand`'s.
///
/// ```
/// use rand::{Rng, SeedableRng};
/// use wengert_tensor::random::{Key, Philox};
/// let mut rng = Philox::new(Key::new(0));
/// assert_eq!(rng.next_u32(), 0x6627e8d5);
/// assert_eq!(Philox::seed_from_u64(5).next_u64(), Philox::seed_from_u64(5).next_u64());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Philox {
    key: Key,
    /// The next word, counted from the start of the stream.
    at: u64,
    words: [u32; 4],
}

impl Philox {
    /// The stream of `key` from its start.
    pub fn new(key: Key) -> Philox {
        Philox { key, at: 0, words: [0; 4] }
    }

    fn word(&mut self) -> u32 {
        if self.at.is_multiple_of(4) {
            let block = self.at / 4;
            self.words = philox([block as u32, (block >> 32) as u32, 0, 0], self.key.0);
        }
        let word = self.words[(self.at % 4) as usize];
        self.at = self.at.wrapping_add(1);
        word
    }
}

impl TryRng for Philox {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = self.word();
        Ok(join(low, self.word()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(4) {
            for (to, byte) in chunk.iter_mut().zip(self.word().to_le_bytes()) {
                *to = byte;
            }
        }
        Ok(())
    }
}

impl SeedableRng for Philox {
    type Seed = [u8; 8];

    fn from_seed(seed: [u8; 8]) -> Philox {
        Philox::new(Key::new(u64::from_le_bytes(seed)))
    }
}

#[cfg(test)]
mod tests;
