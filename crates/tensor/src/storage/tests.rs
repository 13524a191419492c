use super::*;

#[test]
fn classes_hold_what_they_say() {
    for bytes in (0..5000).chain((12..45).flat_map(|p| [(1 << p) - 1, 1 << p, (1 << p) + 1, (1 << p) * 5 / 4])) {
        let class = class_of(bytes).unwrap();
        let size = class_size(class);
        assert!(size >= bytes && size.is_multiple_of(64), "{bytes} in {size}");
        assert!(class == 0 || class_size(class - 1) < bytes, "{bytes} fits the class below {size}");
        if bytes > 512 {
            assert!((size - bytes.next_multiple_of(64)) * 8 <= bytes, "{bytes} wastes {}", size - bytes);
        }
    }
    assert_eq!(class_of(usize::MAX), None);
}

#[test]
fn memory_that_cannot_be_had_is_an_error() {
    for bytes in [usize::MAX, isize::MAX as usize, 1 << 60] {
        let e = Storage::take(bytes).unwrap_err();
        assert_eq!(e.kind(), crate::error::ErrorKind::Memory);
        assert_eq!(e.message(), format!("{bytes} bytes could not be allocated"));
    }
}

#[test]
fn buffers_are_aligned_and_typed() {
    for bytes in [0, 1, 63, 64, 65, 1000, 100_000, 4 << 20, (4 << 20) + 1, 5_000_001] {
        let mut storage = Storage::zeroed(bytes).unwrap();
        assert!(storage.bytes().as_ptr().addr().is_multiple_of(ALIGN));
        assert_eq!((storage.len(), storage.is_empty()), (bytes, bytes == 0));
        assert!(storage.bytes().iter().all(|&b| b == 0));
        assert_eq!(storage.as_slice::<f64>().len(), bytes / 8);
        let buffer = storage.get_mut().unwrap();
        buffer.as_mut_slice::<i32>().fill(-1);
        assert_eq!(buffer.bytes().iter().filter(|&&b| b == 255).count(), bytes / 4 * 4);
        assert_eq!((buffer.len(), buffer.is_empty()), (bytes, bytes == 0));
        assert_eq!(buffer.as_slice::<()>(), []);
    }
}

#[test]
fn shared_memory_is_never_written() {
    let mut a = Storage::zeroed(64).unwrap();
    let b = a.clone();
    assert!(a.same(&b) && a.id() == b.id() && a.get_mut().is_none());
    assert!(!a.same(&Storage::zeroed(64).unwrap()));
    drop(b);
    assert!(a.get_mut().is_some());
    assert_eq!(format!("{a:?}"), "Storage(Some(Buffer(64 bytes)))");
}
