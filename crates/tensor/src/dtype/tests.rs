use super::*;
use crate::kernels::scalar::sample;

#[test]
fn names_and_sizes() {
    let names: Vec<String> = DType::ALL.iter().map(DType::to_string).collect();
    assert_eq!(names, ["f32", "f64", "bf16", "f16", "i64", "i32", "u8", "bool"]);
    assert_eq!(DType::ALL.map(DType::size), [4, 8, 2, 2, 8, 4, 1, 1]);
    assert_eq!(DType::ALL.map(DType::is_float), [true, true, true, true, false, false, false, false]);
    assert_eq!(DType::ALL.map(DType::is_int), [false, false, false, false, true, true, true, false]);
    assert_eq!(format!("{:>5}|", DType::F32), "  f32|");
    for dtype in DType::ALL {
        dispatch!(dtype, T => {
            assert_eq!(T::DTYPE, dtype);
            assert_eq!(size_of::<<T as Element>::Stored>(), dtype.size());
            assert_eq!(dtype.path(), format!("DType::{dtype:?}"));
        });
    }
}

#[test]
fn floats_become_integers_by_truncation_and_saturation() {
    let values = [0.99, -0.99, 2.5, -1e300, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let max = (i64::MAX, i64::MIN);
    assert_eq!(values.map(i64::from_f64), [0, 0, 2, max.1, max.0, max.0, max.1, 0]);
    let max = (i32::MAX, i32::MIN);
    assert_eq!(values.map(i32::from_f64), [0, 0, 2, max.1, max.0, max.0, max.1, 0]);
    assert_eq!(values.map(u8::from_f64), [0, 0, 2, 0, 255, 255, 0, 0]);
    assert_eq!(values.map(bool::from_f64), [true; 8]);
    assert_eq!([0.0, -0.0].map(bool::from_f64), [false; 2]);
}

#[test]
fn integers_stay_exact_and_wrap_when_they_narrow() {
    let big = (1i64 << 53) + 1;
    assert_eq!(big.convert::<i64>(), big);
    assert_eq!(big.convert::<f64>(), (1i64 << 53) as f64);
    assert_eq!(((1i64 << 32) + 5).convert::<i32>(), 5);
    assert_eq!((-1i32).convert::<u8>(), 255);
    assert!((256i64).convert::<bool>());
    assert_eq!(true.convert::<f32>(), 1.0);
    // Rounded once: by way of f64 this would become 2⁵⁴ + 2³¹, and then be tied to even.
    let x = (1i64 << 54) + (1 << 30) + 1;
    assert_eq!(x.convert::<f32>(), x as f32);
}

#[test]
fn sixteen_bit_floats_round_to_even() {
    assert_eq!(<bf16 as Element>::from_f64(1.0 + 1.0 / 256.0).to_f64(), 1.0);
    assert_eq!(<bf16 as Element>::from_f64(1.0 + 3.0 / 256.0).to_f64(), 1.0 + 4.0 / 256.0);
    assert_eq!(<f16 as Element>::from_f64(65520.0).to_f64(), f64::INFINITY);
    assert_eq!(<f16 as Element>::from_f64(65519.0).to_f64(), 65504.0);
    assert_eq!((3.7f32).convert::<bf16>().convert::<i32>(), 3);
    assert!(<bf16 as Element>::from_f64(f64::NAN).to_f64().is_nan());
}

#[test]
fn sixteen_bit_floats_are_rounded_once() {
    // By way of the nearest f32 these would be ties, and infinite.
    assert_eq!(<f16 as Element>::from_f64(65519.99999999), f16::from_f32(65504.0));
    assert_eq!(<bf16 as Element>::from_f64(1.0 + 2f64.powi(-8) + 2f64.powi(-40)).to_f64(), 1.0078125);
    assert_eq!(bf16::from_i64((1 << 30) + (1 << 22) + 1).to_f64(), 2f64.powi(30) + 2f64.powi(23));
    for dtype in [DType::F16, DType::BF16] {
        for x in sample::between(dtype) {
            let (found, wanted) = (Scalar::new(dtype, x).to_f64(), sample::nearest(dtype, x));
            assert!(found == wanted || (found.is_nan() && wanted.is_nan()), "{dtype} of {x:e}: {found}, not {wanted}");
        }
        for x in sample::whole_between(dtype) {
            let (found, wanted) = (Scalar::from_i64(dtype, x).to_f64(), sample::nearest_whole(dtype, x));
            assert_eq!(found, wanted, "{dtype} of {x}");
        }
    }
}

#[test]
fn scalars_carry_every_type() {
    for dtype in DType::ALL {
        let one = Scalar::new(dtype, 1.0);
        assert_eq!((one.dtype(), one.to_f64()), (dtype, 1.0));
        assert_eq!(one, Scalar::from_i64(dtype, 1));
        assert_eq!(one.bits() >> (8 * dtype.size() - 1), 0);
        for other in DType::ALL {
            assert_eq!(one.cast(other), Scalar::new(other, 1.0));
        }
        dispatch!(dtype, T => {
            let stored = <T as Element>::from_i64(1).to_stored();
            assert_eq!(&one.to_bytes()[..dtype.size()], bytemuck::bytes_of(&stored));
            assert_eq!(one.get::<T>(), Some(T::from_i64(1)));
        });
    }
    assert_eq!(Scalar::from_i64(DType::I64, i64::MAX).get(), Some(i64::MAX));
    assert_eq!(Scalar::of(1.5f32).get::<f64>(), None);
    assert_eq!(Scalar::of(-2i32).bits(), 0xffff_fffe);
    assert_eq!(format!("{} {:?}", Scalar::of(true), Scalar::of(1.5f32)), "true 1.5 f32");
    assert_eq!(Scalar::from(3u8), Scalar::of(3u8));
    assert_ne!(Scalar::of(1i32), Scalar::of(1i64));
    assert_eq!(Scalar::of(f32::NAN), Scalar::of(f32::NAN), "bits decide");
}
