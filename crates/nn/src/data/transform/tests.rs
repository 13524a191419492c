use super::color::{ColorJitter, adjust_brightness, adjust_contrast, adjust_saturation};
use super::compose::{Compose, RandomApply};
use super::crop::{CenterCrop, RandomCrop};
use super::erase::RandomErasing;
use super::flip::RandomFlip;
use super::mix::{CutMix, Mix, Mixup};
use super::noise::GaussianNoise;
use super::resize::ResizeImage;
use super::rotate::{RandomRotation, rotate};
use super::scale::{MinMaxScaler, Normalize, StandardScaler};
use super::*;
use wengert_tensor::dtype::DType;

fn keys(range: std::ops::Range<u64>) -> Vec<Key> {
    range.map(Key::new).collect()
}

fn images(n: usize) -> Tensor {
    Tensor::uniform([n, 3, 6, 5], DType::F32, Key::new(9)).unwrap()
}

fn all() -> Vec<Box<dyn Transform>> {
    vec![
        Box::new(RandomFlip::horizontal()),
        Box::new(RandomFlip::vertical()),
        Box::new(RandomCrop::new(6, 5).padding(2)),
        Box::new(RandomCrop::new(3, 2)),
        Box::new(CenterCrop::new(3, 3)),
        Box::new(RandomRotation::new(30.0)),
        Box::new(ResizeImage::new(4, 9)),
        Box::new(ResizeImage::new(4, 9).nearest()),
        Box::new(ColorJitter::new().brightness(0.5).contrast(0.5).saturation(0.5)),
        Box::new(GaussianNoise::new(0.3)),
        Box::new(RandomErasing::new()),
        Box::new(RandomErasing::new().square(3)),
        Box::new(Normalize::new([0.1, 0.2, 0.3], [1.0, 2.0, 3.0]).unwrap()),
        Box::new(RandomApply::new(0.5, GaussianNoise::new(1.0))),
        Box::new(Compose::new().then(RandomFlip::vertical()).then(RandomCrop::new(6, 5).padding(1))),
    ]
}

/// A sample is changed in the same way, whatever else is in the batch.
#[test]
fn a_transform_is_a_function_of_the_sample_and_its_key() {
    let batch = images(12);
    for transform in all() {
        let whole = transform.apply(&batch, &keys(0..12)).unwrap();
        assert!(whole.equals(&transform.apply(&batch, &keys(0..12)).unwrap()), "{transform:?}");
        for at in [0, 5, 11] {
            let one = transform.apply(&batch.gather_rows(&[at]).unwrap(), &keys(at as u64..at as u64 + 1)).unwrap();
            assert!(one.equals(&whole.gather_rows(&[at]).unwrap()), "{transform:?} at {at}");
        }
    }
}

#[test]
fn what_is_random_depends_on_the_key() {
    let batch = images(12);
    for transform in all() {
        let named = format!("{transform:?}");
        let fixed = ["CenterCrop", "Resize", "Normalize"].iter().any(|name| named.contains(name));
        let (a, b) = (transform.apply(&batch, &keys(0..12)).unwrap(), transform.apply(&batch, &keys(50..62)).unwrap());
        assert_eq!(a.equals(&b), fixed, "{named}");
    }
}

#[test]
fn bad_input_is_an_error() {
    let vectors = Tensor::ones([2, 3], DType::F32).unwrap();
    let bytes = Tensor::ones([2, 3, 6, 5], DType::U8).unwrap();
    for transform in all() {
        let named = format!("{transform:?}");
        let vectorial = ["GaussianNoise", "RandomApply", "Normalize"].iter().any(|name| named.contains(name));
        assert_eq!(transform.apply(&vectors, &keys(0..2)).is_ok(), vectorial, "{named}");
        let arithmetic = ["Jitter", "Noise", "Normalize", "Rotation", "nearest: false"];
        let refuses = arithmetic.iter().any(|name| named.contains(name)) && !named.contains("RandomApply");
        if !named.contains("RandomApply") {
            assert_eq!(transform.apply(&bytes, &keys(0..2)).is_err(), refuses, "{named}");
        }
    }
    assert!(RandomCrop::new(9, 2).apply(&images(1), &keys(0..1)).unwrap_err().to_string().contains("9 × 2"));
    assert!(RandomCrop::new(0, 2).apply(&images(1), &keys(0..1)).is_err());
    assert!(RandomFlip::horizontal().apply(&images(2), &keys(0..1)).is_err());
    assert!(RandomFlip::horizontal().probability(1.5).apply(&images(1), &keys(0..1)).is_err());
    assert!(RandomRotation::new(f64::NAN).apply(&images(1), &keys(0..1)).is_err());
    assert!(GaussianNoise::new(-1.0).apply(&images(1), &keys(0..1)).is_err());
    assert!(ColorJitter::new().contrast(-1.0).apply(&images(1), &keys(0..1)).is_err());
    assert!(Normalize::new([0.0], [0.0]).is_err() && Normalize::new([0.0, 1.0], [1.0]).is_err());
    assert!(Normalize::new([0.0; 2], [1.0; 2]).unwrap().apply(&images(1), &[]).is_err());
    assert!(StandardScaler::fit(&Tensor::from([[1i64]])).is_err());
    assert!(MinMaxScaler::fit(&Tensor::zeros([0, 3], DType::F32).unwrap()).is_err());
    let labels = Tensor::from([0i64, 1]);
    assert!(Mixup::new(1.0).mix(&images(2), &labels, Key::new(1)).unwrap_err().to_string().contains(".classes(n)"));
    assert!(Mixup::new(1.0).classes(1).mix(&images(2), &labels, Key::new(1)).is_err());
    assert!(Mixup::new(-1.0).classes(2).mix(&images(2), &labels, Key::new(1)).is_err());
    assert!(CutMix::new(1.0).classes(2).mix(&vectors, &labels, Key::new(1)).is_err());
    assert!(CutMix::new(1.0).classes(2).mix(&images(3), &labels, Key::new(1)).is_err());
}

#[test]
fn rotations_agree_with_grid_sample() {
    // torch: grid_sample(x, affine_grid(R(30°)), align_corners=False) of a 4 × 4 image, as torchvision calls it.
    let image = Tensor::arange(16, DType::F64).unwrap().reshape([1, 4, 4]).unwrap();
    let turned = rotate(&image, 30.0, 0.0).unwrap().to_f64_vec();
    let expected = ROTATED;
    for (value, expected) in turned.iter().zip(expected) {
        assert!((value - expected).abs() < 1e-9, "{turned:?}");
    }
    for quarter in 0..4 {
        let once = rotate(&image, 90.0 * quarter as f64, 0.0).unwrap();
        let back = rotate(&once, -90.0 * quarter as f64, 0.0).unwrap();
        assert!(back.equals(&image), "{quarter}");
    }
}

/// torchvision 0.29: `adjust_brightness(x, 1.3)`, `adjust_contrast(x, 1.3)` and `adjust_saturation(x, 0.6)`.
#[test]
fn colours_agree_with_torchvision() {
    let values: Vec<f64> = (0..12).map(|i| f64::from(i * 7 % 11) / 11.0).collect();
    let image = Tensor::new(values, [1, 3, 2, 2]).unwrap();
    type Adjust = fn(&Tensor, &[f64]) -> Result<Tensor>;
    let cases: [(Adjust, f64, [f64; 12]); 3] = [
        (adjust_brightness, 1.3, BRIGHTER),
        (adjust_contrast, 1.3, MORE_CONTRAST),
        (adjust_saturation, 0.6, LESS_SATURATED),
    ];
    for (adjust, factor, expected) in cases {
        let found = adjust(&image, &[factor]).unwrap().to_f64_vec();
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        assert!(adjust(&image, &[]).is_err());
    }
}

#[test]
fn a_crop_shows_the_image_or_the_border() {
    let batch = images(200);
    let y = RandomCrop::new(6, 5).padding(1).value(-1.0).apply(&batch, &keys(0..200)).unwrap();
    let mut places = std::collections::BTreeSet::new();
    for at in 0..200 {
        let (x, y) = (batch.select(0, at).unwrap(), y.select(0, at).unwrap());
        // The first element of the middle is one of the nine around it.
        let value = y.select(0, 0).unwrap().select(0, 2).unwrap().select(0, 2).unwrap().item::<f32>().unwrap();
        let found = (0..9).find(|i| {
            let (row, column) = (1 + i / 3, 1 + i % 3);
            x.to_vec::<f32>().unwrap()[row * 5 + column] == value
        });
        places.insert(found.expect("an element of the image"));
    }
    assert_eq!(places.len(), 9, "every place is drawn");
}

const ROTATED: [f64; 16] = [
    0.4288475772933681,
    1.7278856829700258,
    4.486860279185587,
    3.0682759921434983,
    1.7189110867544652,
    4.5849364905389045,
    7.450961894323341,
    9.76442841485013,
    4.5,
    7.549038105676658,
    10.415063509461095,
    13.281088913245535,
    3.6961524227066316,
    10.513139720814412,
    12.536542731880104,
    6.335580837556762,
];

const BRIGHTER: [f64; 12] = [
    0.0,
    0.8272727272727273,
    0.35454545454545455,
    1.0,
    0.7090909090909091,
    0.2363636363636364,
    1.0,
    0.5909090909090909,
    0.1181818181818182,
    0.9454545454545455,
    0.4727272727272728,
    0.0,
];

const MORE_CONTRAST: [f64; 12] = [
    0.0,
    0.6883590909090909,
    0.21563181818181817,
    1.0,
    0.5701772727272727,
    0.09745000000000001,
    0.9247227272727273,
    0.45199545454545453,
    0.0,
    0.8065409090909091,
    0.33381363636363637,
    0.0,
];

const LESS_SATURATED: [f64; 12] = [
    0.1322181818181818,
    0.5337563636363636,
    0.40493454545454544,
    0.7608727272727271,
    0.459490909090909,
    0.26102909090909093,
    0.7322072727272727,
    0.4881454545454545,
    0.18676363636363633,
    0.5883018181818183,
    0.45948,
    0.2154181818181818,
];
