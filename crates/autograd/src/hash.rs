//! Structural hashes of 128 bits, computed while the graph is recorded.
//!
//! A plan is found again by these alone, so they are wide enough that two different graphs never share one by accident.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

const K1: u64 = 0x9e37_79b9_7f4a_7c15;
const K2: u64 = 0xd6e8_feb8_6659_fd93;

/// A fast mixer with a state of 128 bits: two widening multiplications a word, whose halves cross.
#[derive(Clone, Copy, Debug)]
pub struct Mixer {
    low: u64,
    high: u64,
}

impl Mixer {
    /// A mixer for one `kind` of thing; different kinds give unrelated hashes.
    #[inline]
    pub fn new(kind: u64) -> Mixer {
        let mut mixer = Mixer { low: 0x243f_6a88_85a3_08d3, high: 0x1319_8a2e_0370_7344 };
        mixer.word(kind);
        mixer
    }

    /// Takes in one word.
    #[inline(always)]
    pub fn word(&mut self, word: u64) {
        self.halves(word, word.rotate_left(32));
    }

    /// Takes in another hash, whose halves are mixed already: each goes into one of the multiplications.
    #[inline(always)]
    pub fn wide(&mut self, hash: u128) {
        self.halves(hash as u64, (hash >> 64) as u64);
    }

    #[inline(always)]
    fn halves(&mut self, a: u64, b: u64) {
        let p = u128::from(self.low ^ a) * u128::from(K1);
        let q = u128::from(self.high.wrapping_add(b)) * u128::from(K2);
        self.low = p as u64 ^ (q >> 64) as u64;
        self.high = q as u64 ^ (p >> 64) as u64;
    }

    /// The hash of all that was taken in.
    #[inline]
    pub fn wide_finish(mut self) -> u128 {
        self.word(K2);
        u128::from(self.low) | u128::from(self.high) << 64
    }
}

impl Default for Mixer {
    fn default() -> Mixer {
        Mixer::new(0)
    }
}

/// A table whose keys nobody chooses to collide.
pub(crate) type Table<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.wide_finish() as u64
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            for (to, from) in last.iter_mut().zip(rest) {
                *to = *from;
            }
            self.word(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
        }
    }

    #[inline]
    fn write_u8(&mut self, i: u8) {
        self.word(u64::from(i));
    }

    #[inline]
    fn write_u32(&mut self, i: u32) {
        self.word(u64::from(i));
    }

    #[inline]
    fn write_u64(&mut self, i: u64) {
        self.word(i);
    }

    #[inline]
    fn write_usize(&mut self, i: usize) {
        self.word(i as u64);
    }
}

/// The wide hash of one value.
pub fn wide_hash<T: Hash + ?Sized>(kind: u64, value: &T) -> u128 {
    let mut mixer = Mixer::new(kind);
    value.hash(&mut mixer);
    mixer.wide_finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn small_inputs_do_not_collide_even_in_one_half() {
        let mut low = HashSet::new();
        let mut high = HashSet::new();
        for a in 0..300u64 {
            for b in 0..300u64 {
                let mut m = Mixer::new(a);
                m.word(b);
                let h = m.wide_finish();
                assert!(low.insert(h as u64) && high.insert((h >> 64) as u64));
            }
        }
    }

    #[test]
    fn hashes_of_neighbours_do_not_collide() {
        let mut seen = HashSet::new();
        let hashes: Vec<u128> = (0..300u64).map(|a| wide_hash(0, &a)).collect();
        for a in &hashes {
            for b in &hashes {
                let mut m = Mixer::new(1);
                m.wide(*a);
                m.wide(*b);
                let h = m.wide_finish();
                assert!(seen.insert(h as u64) && seen.insert((h >> 64) as u64));
            }
        }
    }

    #[test]
    fn order_and_length_matter() {
        assert_ne!(wide_hash(0, &[1u64, 2]), wide_hash(0, &[2u64, 1]));
        assert_ne!(wide_hash(0, &[0u64][..]), wide_hash(0, &[0u64, 0][..]));
        assert_ne!(wide_hash(0, "ab"), wide_hash(0, "abc"));
        assert_ne!(wide_hash(0, &1u64), wide_hash(1, &1u64));
    }
}
