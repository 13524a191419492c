//! The pool is one for the whole process, so this file has a process of its own, and one test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_tensor::dtype::DType;
use wengert_tensor::storage::{Storage, pool_clear, pool_limit, pool_stats};
use wengert_tensor::tensor::Tensor;

#[test]
fn the_pool_lends_the_same_memory_again() {
    // A steady loop allocates nothing: the same buffers, in the same shared boxes, go round.
    let sizes = [100, 4096, 1 << 20];
    let ids = || sizes.map(|bytes| Storage::take(bytes).map(|s| (s.id(), s.bytes().as_ptr().addr())).unwrap());
    let first = ids();
    let before = pool_stats();
    for _ in 0..100 {
        assert_eq!(ids(), first);
    }
    let after = pool_stats();
    assert_eq!((after.misses, after.hits), (before.misses, before.hits + 300));
    assert_eq!(after.held_bytes, before.held_bytes);

    // The last owner gives back, nobody before.
    let a = Storage::take(4096).unwrap();
    let b = a.clone();
    drop(a);
    assert!(pool_stats().held_bytes < after.held_bytes);
    assert_eq!((b.id(), b.bytes().as_ptr().addr()), first[1]);
    drop(b);
    assert_eq!(pool_stats().held_bytes, after.held_bytes);

    // Old contents never show where zeros were asked for; another length of the same class is the same memory.
    let mut dirty = Storage::take(4000).unwrap();
    dirty.get_mut().unwrap().bytes_mut().fill(7);
    drop(dirty);
    let clean = Storage::zeroed(4096).unwrap();
    assert_eq!(clean.id(), first[1].0);
    assert!(clean.bytes().iter().all(|&b| b == 0));
    drop(clean);

    // Two threads that pass tensors on recycle too.
    let (send, receive) = std::sync::mpsc::sync_channel::<Tensor>(1);
    let reader = std::thread::spawn(move || receive.iter().map(|x| x.to_f64_vec()[0]).sum::<f64>());
    for i in 0..50 {
        send.send(Tensor::full([1000], i as f32).unwrap()).unwrap();
    }
    drop(send);
    assert_eq!(reader.join().unwrap(), 1225.0);
    assert!(pool_stats().misses <= after.misses + 4);

    // The limit holds, and what is larger than it is not kept at all.
    pool_clear();
    assert_eq!(pool_stats().held_bytes, 0);
    pool_limit(1 << 20);
    drop(Tensor::zeros([1 << 20], DType::F32).unwrap());
    assert_eq!(pool_stats().held_bytes, 0);
    let many: Vec<Storage> = (0..40).map(|i| Storage::take(i << 12).unwrap()).collect();
    drop(many);
    let held = pool_stats().held_bytes;
    assert!(held <= 1 << 20 && held > 1 << 19, "{held}");
    pool_limit(0);
    assert_eq!(pool_stats().held_bytes, 0);
    drop(Storage::take(10).unwrap());
    assert_eq!(pool_stats().held_bytes, 0);
}
