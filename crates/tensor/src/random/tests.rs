use super::*;
use rand::Rng;

/// The vectors that come with Random123 for philox4x32-10.
#[test]
fn philox_gives_the_known_answers() {
    assert_eq!(philox([0; 4], 0), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    assert_eq!(philox([u32::MAX; 4], u64::MAX), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
    let pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
    assert_eq!(philox(pi, 0x299f31d0_a4093822), [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]);
}

/// These bits are a promise: a change breaks every run that was seeded before it.
#[test]
fn streams_keep_their_bits() {
    let key = Key::new(42);
    assert_eq!([0, 1, 16, 64].map(|i| uniform_f32(key, i).to_bits()), PINNED.0);
    assert_eq!([0, 1, 16, 64].map(|i| normal_f32(key, i).to_bits()), PINNED.1);
    assert_eq!([0, 1, 16, 64].map(|i| uniform_f64(key, i).to_bits()), PINNED.2);
    assert_eq!([0, 1, 16, 64].map(|i| normal_f64(key, i).to_bits()), PINNED.3);
    assert_eq!(permutation(key, 8), PINNED.4);
    assert_eq!((key.fold(3).0, key.split().0.0, Seed(42).next().0), PINNED.5);
}

#[test]
fn filling_agrees_with_each_element() {
    let key = Key::new(9).fold(4);
    for first in [0, 1, 15, 16, 63, 64, 65, 1000, u64::from(u32::MAX) * 4 - 30, 1 << 50] {
        for n in [0, 1, 31, 64, 65, 200] {
            let (mut a, mut b) = (vec![0.0f32; n], vec![0.0f32; n]);
            let (mut c, mut d) = (vec![0.0f64; n], vec![0.0f64; n]);
            fill_uniform_f32(key, first, &mut a);
            fill_normal_f32(key, first, &mut b);
            fill_uniform_f64(key, first, &mut c);
            fill_normal_f64(key, first, &mut d);
            for (k, i) in (first..).take(n).enumerate() {
                assert_eq!(a[k].to_bits(), uniform_f32(key, i).to_bits(), "uniform f32 {i}");
                assert_eq!(b[k].to_bits(), normal_f32(key, i).to_bits(), "normal f32 {i}");
                assert_eq!(c[k].to_bits(), uniform_f64(key, i).to_bits(), "uniform f64 {i}");
                assert_eq!(d[k].to_bits(), normal_f64(key, i).to_bits(), "normal f64 {i}");
            }
        }
    }
}

#[test]
fn units_are_exact_and_below_one() {
    assert_eq!(unit_f32(u32::MAX), 1.0 - f32::EPSILON / 2.0);
    assert_eq!(unit_f32(0), 0.0);
    for bits in [0, 1 << 11, (1 << 11) | 5, 3 << 11, 1 << 63, u64::MAX, 0x0123_4567_89ab_cdef] {
        assert_eq!(unit_f64(bits), (bits >> 11) as f64 / (1u64 << 53) as f64, "{bits:#x}");
    }
    for word in [0, 1, 12345, u32::MAX] {
        assert_eq!(half_unit(word), f64::from(word) / 4294967296.0);
        assert_eq!(open_unit(word), (f64::from(word) + 0.5) / 4294967296.0);
    }
}

#[test]
fn box_muller_agrees_with_the_library() {
    for i in 0..20_000u64 {
        let [a, b, c, d] = philox([i as u32, 0, 0, 7], 1);
        let (u, t) = (unit_f64(join(a, b)) + HALF_ULP, unit_f64(join(c, d)));
        let radius = (-2.0 * u.ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * t).sin_cos();
        let [x, y] = normal_pair(u, t);
        assert!((x - radius * cos).abs() <= 4e-15 && (y - radius * sin).abs() <= 4e-15, "{u} {t}");
    }
    // The corners: no logarithm of zero, and exact quarters.
    assert!(normal_pair(HALF_ULP, 0.0)[0] < 8.7);
    assert_eq!(normal_pair(1.0, 0.3), [0.0, 0.0]);
    let quarter = |t| normal_pair((-0.5f64).exp(), t).map(|x| (x * 1e6).round());
    assert_eq!(quarter(0.0), [1e6, 0.0]);
    assert_eq!(quarter(0.25), [0.0, 1e6]);
    assert_eq!(quarter(0.5), [-1e6, 0.0]);
    assert_eq!(quarter(0.75), [0.0, -1e6]);
}

#[test]
fn moments_are_right() {
    const N: usize = 200_000;
    let moments = |values: &[f64]| {
        let mean = |f: &dyn Fn(f64) -> f64| values.iter().map(|&x| f(x)).sum::<f64>() / values.len() as f64;
        [mean(&|x| x), mean(&|x| x * x), mean(&|x| x * x * x), mean(&|x| x.powi(4))]
    };
    let near = |found: [f64; 4], want: [f64; 4], off: f64| {
        assert!(found.iter().zip(want).all(|(a, b)| (a - b).abs() < off), "{found:?} is not {want:?}");
    };
    let (mut f, mut d) = (vec![0.0f32; N], vec![0.0f64; N]);
    let wide = |f: &[f32]| f.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    fill_uniform_f32(Key::new(1), 0, &mut f);
    near(moments(&wide(&f)), [1.0 / 2.0, 1.0 / 3.0, 1.0 / 4.0, 1.0 / 5.0], 3e-3);
    fill_normal_f32(Key::new(1), 0, &mut f);
    near(moments(&wide(&f)), [0.0, 1.0, 0.0, 3.0], 5e-2);
    fill_normal_f64(Key::new(1), 0, &mut d);
    near(moments(&d), [0.0, 1.0, 0.0, 3.0], 5e-2);
    // Neighbours, and the two halves of a Box–Muller pair, know nothing of each other.
    for lag in [1, 16, 32, 48] {
        let product = d.iter().zip(&d[lag..]).map(|(x, y)| x * y).sum::<f64>() / N as f64;
        assert!(product.abs() < 1e-2, "lag {lag}: {product}");
    }
}

#[test]
fn keys_differ() {
    let mut seed = Seed(0);
    let mut keys: Vec<Key> = (0..1000).map(|_| seed.next()).collect();
    keys.extend((0..1000).map(|i| Key::new(0).fold(i)));
    keys.extend([Key::new(0), Key::new(0).split().0, Key::new(0).split().1]);
    let count = keys.len();
    keys.sort_by_key(|key| key.0);
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn permutations_are_fair() {
    assert_eq!(permutation(Key::new(1), 0), []);
    assert_eq!(permutation(Key::new(1), 1), [0]);
    let mut counts = [0; 6];
    for seed in 0..6000 {
        let p = permutation(Key::new(seed), 3);
        counts[p[0] * 2 + usize::from(p[1] > p[2])] += 1;
    }
    assert!(counts.iter().all(|&n| (850..1150).contains(&n)), "{counts:?}");
}

#[test]
fn the_generator_reads_the_blocks_in_order() {
    let mut rng = Philox::new(Key::new(5));
    let words: Vec<u32> = (0..2).flat_map(|i| philox([i, 0, 0, 0], 5)).collect();
    assert_eq!((0..8).map(|_| rng.next_u32()).collect::<Vec<_>>(), words);
    let mut bytes = [0; 7];
    let mut rng = Philox::seed_from_u64(3);
    rng.fill_bytes(&mut bytes);
    assert_ne!(bytes, [0; 7]);
    assert_eq!(Philox::from_seed(5u64.to_le_bytes()), Philox::new(Key::new(5)));
}

type Pinned = ([u32; 4], [u32; 4], [u64; 4], [u64; 4], [usize; 8], (u64, u64, u64));

const PINNED: Pinned = (
    [0x3f1ceaf0, 0x3f7cdb21, 0x3eefea92, 0x3f6ba45c],
    [0xbf785e5c, 0xbd95e030, 0x3e46ace8, 0x3e294eb7],
    [0x3fddfd524ee73abc, 0x3fd4ee9b3f7f36c8, 0x3fd5d0acf5c4afd4, 0x3fce57615b507c1c],
    [0xbfe54ac03c1a032b, 0xbff6f135c80fefcb, 0x3ff0938db380d762, 0xbfed589bf1b2ce59],
    [7, 0, 6, 2, 4, 1, 5, 3],
    (0xab8bc201db7e6005, 0x2ff5bc5753c0fa72, 0xbdd732262feb6e95),
);
