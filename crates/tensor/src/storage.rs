//! Bytes of elements, shared by all who read them, and the pool that lends the same memory again.

use crate::error::{Error, Result};
use crate::kernels::huge::{HUGE, huge_pages};
use bytemuck::Pod;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Every buffer begins at a multiple of this many bytes: a cache line, and the widest register.
pub const ALIGN: usize = 64;

/// Large buffers begin at one of this many places within a large page,
const STREAMS: usize = 7;
/// so many bytes apart.
const STAGGER: usize = 9 * ALIGN;

/// A run of bytes that begins at a multiple of [`ALIGN`].
pub struct Buffer {
    /// Never grows, so `start` stays aligned.
    memory: Vec<u8>,
    start: usize,
    len: usize,
    class: usize,
}

impl Buffer {
    /// Zeroed memory of a size class, if the system has it.
    fn allocate(class: usize) -> Option<Buffer> {
        // Zeroed pages of a large block are mapped when they are first touched, not here.
        let size = class_size(class);
        if size < 2 * HUGE {
            let memory: Vec<u8> = bytemuck::try_zeroed_vec(size + ALIGN - 1).ok()?;
            let start = memory.as_ptr().align_offset(ALIGN);
            return Some(Buffer { memory, start, len: 0, class });
        }
        // Streams that are walked together must not fall on the same lines of the first-level cache.
        let stagger = POOL.misses.load(Ordering::Relaxed) as usize % STREAMS * STAGGER;
        let mut memory: Vec<u8> = bytemuck::try_zeroed_vec(size + HUGE + STREAMS * STAGGER).ok()?;
        let start = memory.as_ptr().align_offset(HUGE) + stagger;
        huge_pages(memory.get_mut(start - stagger..start + size)?);
        Some(Buffer { memory, start, len: 0, class })
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    /// The bytes, to be written.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }

    /// The whole elements of type `T` that fit.
    pub fn as_slice<T: Pod>(&self) -> &[T] {
        whole::<T>(self.len).and_then(|n| bytemuck::try_cast_slice(&self.bytes()[..n]).ok()).unwrap_or_default()
    }

    /// The whole elements of type `T` that fit, to be written.
    pub fn as_mut_slice<T: Pod>(&mut self) -> &mut [T] {
        whole::<T>(self.len)
            .and_then(|n| bytemuck::try_cast_slice_mut(&mut self.bytes_mut()[..n]).ok())
            .unwrap_or_default()
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.len)
    }
}

/// The bytes of as many whole `T` as fit into `len`.
fn whole<T>(len: usize) -> Option<usize> {
    len.checked_rem(size_of::<T>()).map(|rest| len - rest)
}

/// Shared bytes. The last owner gives them back to a process-wide pool, which lends them again.
///
/// ```
/// use wengert_tensor::storage::Storage;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut a = Storage::zeroed(16)?;
/// if let Some(buffer) = a.get_mut() {
///     buffer.as_mut_slice::<f32>()[3] = 1.0;
/// }
/// let b = a.clone();
/// assert_eq!(b.as_slice::<f32>(), [0.0, 0.0, 0.0, 1.0]);
/// assert!(a.get_mut().is_none(), "shared memory is never written");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Storage(Option<Arc<Buffer>>);

impl Storage {
    /// `bytes` bytes of unspecified content, from the pool if it holds a fitting buffer.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`](crate::error::ErrorKind::Memory) when the system refuses.
    pub fn take(bytes: usize) -> Result<Storage> {
        let (mut storage, _) = Storage::lend(bytes)?;
        if POOL.poison.load(Ordering::Relaxed)
            && let Some(buffer) = storage.get_mut()
        {
            buffer.bytes_mut().fill(0xff);
        }
        Ok(storage)
    }

    /// `bytes` bytes of 0.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`](crate::error::ErrorKind::Memory) when the system refuses.
    pub fn zeroed(bytes: usize) -> Result<Storage> {
        let (mut storage, fresh) = Storage::lend(bytes)?;
        if !fresh && let Some(buffer) = storage.get_mut() {
            buffer.bytes_mut().fill(0);
        }
        Ok(storage)
    }

    /// `bytes` bytes that `fill` writes.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`](crate::error::ErrorKind::Memory) when the system refuses.
    pub(crate) fn filled<T: Pod>(bytes: usize, fill: impl FnOnce(&mut [T])) -> Result<Storage> {
        let mut storage = Storage::take(bytes)?;
        if let Some(buffer) = storage.get_mut() {
            fill(buffer.as_mut_slice());
        }
        Ok(storage)
    }

    /// Memory, and whether it is fresh and thus zeroed.
    fn lend(bytes: usize) -> Result<(Storage, bool)> {
        let refused = || Error::memory(format!("{bytes} bytes could not be allocated"));
        let class = class_of(bytes).ok_or_else(refused)?;
        let pooled = lock(class).pop();
        let fresh = pooled.is_none();
        let mut arc = match pooled {
            Some(arc) => {
                POOL.held.fetch_sub(class_size(class), Ordering::Relaxed);
                POOL.hits.fetch_add(1, Ordering::Relaxed);
                arc
            }
            None => {
                POOL.misses.fetch_add(1, Ordering::Relaxed);
                Arc::new(Buffer::allocate(class).ok_or_else(refused)?)
            }
        };
        if let Some(buffer) = Arc::get_mut(&mut arc) {
            buffer.len = bytes;
        }
        Ok((Storage(Some(arc)), fresh))
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.buffer().map_or(0, Buffer::len)
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn buffer(&self) -> Option<&Buffer> {
        self.0.as_deref()
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.buffer().map(Buffer::bytes).unwrap_or_default()
    }

    /// The whole elements of type `T` that fit.
    pub fn as_slice<T: Pod>(&self) -> &[T] {
        self.buffer().map(Buffer::as_slice).unwrap_or_default()
    }

    /// The buffer, to be written, if nobody else reads it.
    pub fn get_mut(&mut self) -> Option<&mut Buffer> {
        self.0.as_mut().and_then(Arc::get_mut)
    }

    /// Whether both are the same memory.
    pub fn same(&self, other: &Storage) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// A number that is equal for the same memory and differs between memories that are alive together.
    pub fn id(&self) -> usize {
        self.0.as_ref().map_or(0, |arc| Arc::as_ptr(arc).addr())
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        let Some(mut arc) = self.0.take() else { return };
        // Two last owners that drop at the same moment may both see the other; the memory then goes to the allocator. To look at the count
        // first is cheaper where there are others.
        if Arc::strong_count(&arc) == 1 && Arc::get_mut(&mut arc).is_some() {
            give_back(arc);
        }
    }
}

/// What the pool holds and did. The counts run from the start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStats {
    /// Bytes that are held and lent to nobody.
    pub held_bytes: usize,
    /// How often a request was answered from the pool.
    pub hits: u64,
    /// How often memory had to be allocated.
    pub misses: u64,
}

struct Pool {
    held: AtomicUsize,
    limit: AtomicUsize,
    hits: AtomicU64,
    misses: AtomicU64,
    poison: AtomicBool,
    classes: [Mutex<Vec<Arc<Buffer>>>; CLASSES],
}

static POOL: Pool = Pool {
    held: AtomicUsize::new(0),
    limit: AtomicUsize::new(2 << 30),
    hits: AtomicU64::new(0),
    misses: AtomicU64::new(0),
    poison: AtomicBool::new(false),
    classes: [const { Mutex::new(Vec::new()) }; CLASSES],
};

/// What the pool holds and did.
pub fn pool_stats() -> PoolStats {
    PoolStats {
        held_bytes: POOL.held.load(Ordering::Relaxed),
        hits: POOL.hits.load(Ordering::Relaxed),
        misses: POOL.misses.load(Ordering::Relaxed),
    }
}

/// The bytes of the buffer that the pool lends for `bytes`: at most an eighth more.
///
/// ```
/// use wengert_tensor::storage::lent_bytes;
/// assert_eq!((lent_bytes(0), lent_bytes(100), lent_bytes(1000)), (64, 128, 1024));
/// ```
pub fn lent_bytes(bytes: usize) -> usize {
    class_of(bytes).map_or(bytes, class_size)
}

/// Sets how many unused bytes the pool may hold (2 GiB at first), and frees what is above.
pub fn pool_limit(bytes: usize) {
    POOL.limit.store(bytes, Ordering::Relaxed);
    shrink_to(bytes);
}

/// Has all memory of unspecified content filled with the bits of NaN, so that what reads it before it is written is found.
pub fn pool_poison(on: bool) {
    POOL.poison.store(on, Ordering::Relaxed);
}

/// Frees all that the pool holds.
pub fn pool_clear() {
    shrink_to(0);
}

fn lock(class: usize) -> MutexGuard<'static, Vec<Arc<Buffer>>> {
    // A list of buffers is valid at any moment, so a panic elsewhere does not matter.
    POOL.classes[class].lock().unwrap_or_else(PoisonError::into_inner)
}

fn give_back(arc: Arc<Buffer>) {
    let (class, size) = (arc.class, class_size(arc.class));
    let limit = POOL.limit.load(Ordering::Relaxed);
    if size > limit {
        return;
    }
    if POOL.held.load(Ordering::Relaxed) > limit - size {
        shrink_to(limit - size);
    }
    POOL.held.fetch_add(size, Ordering::Relaxed);
    lock(class).push(arc);
}

/// Frees buffers, the largest first, until at most `bytes` are held.
fn shrink_to(bytes: usize) {
    for class in (0..CLASSES).rev() {
        while POOL.held.load(Ordering::Relaxed) > bytes {
            // The lock must not be held while the memory is freed.
            let Some(arc) = lock(class).pop() else { break };
            POOL.held.fetch_sub(class_size(class), Ordering::Relaxed);
            drop(arc);
        }
    }
}

/// Size classes: multiples of 64 bytes up to 512, then eight steps to each doubling, so at most 12.5 % is slack.
const CLASSES: usize = 8 * 52;

/// The least class that holds `bytes`.
fn class_of(bytes: usize) -> Option<usize> {
    let units = bytes.div_ceil(ALIGN).max(1) - 1;
    let class = match units {
        0..8 => units,
        _ => {
            let octave = units.ilog2() as usize - 3;
            8 * octave + (units >> octave)
        }
    };
    (class < CLASSES && bytes <= isize::MAX as usize / 2).then_some(class)
}

/// The bytes of a class.
fn class_size(class: usize) -> usize {
    let units = match class {
        0..8 => class + 1,
        _ => {
            let octave = class / 8 - 1;
            (8 + class % 8 + 1) << octave
        }
    };
    units * ALIGN
}

#[cfg(test)]
mod tests;
