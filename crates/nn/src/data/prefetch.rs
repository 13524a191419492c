//! Batches that other threads make in advance.

use super::dataset::{Dataset, InMemory};
use super::loader::{DataLoader, Position};
use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use wengert_tensor::error::{Error, Result};

/// A loader whose batches are made by threads while the last ones are used; from [`DataLoader::workers`].
///
/// The batches, their order and their errors are those of the loader itself, whatever the number of threads. No more
/// batches than [`prefetch`](Prefetched::prefetch) says are ever in memory beside those that were handed out. The threads
/// live as long as the iterator: dropping it stops them, after the batch that each is making.
///
/// The threads share the data, so it is owned: `tensor.clone()` copies no elements, and an `Arc` shares anything.
///
/// ```
/// use wengert_nn::data::loader::DataLoader;
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let data = (Tensor::zeros([100, 4], DType::F32)?, Tensor::zeros([100], DType::I64)?);
/// let loader = DataLoader::new(data, 8)?.shuffle(7).workers(2).prefetch(6);
/// let samples: usize = loader.epochs(3).map(|(_, y)| y.len()).sum();
/// assert_eq!(samples, 300);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Prefetched<D> {
    loader: Arc<DataLoader<D>>,
    workers: usize,
    ahead: Option<usize>,
}

impl<D: Dataset> Prefetched<D> {
    /// One thread that is two batches ahead.
    pub fn new(loader: DataLoader<D>) -> Prefetched<D> {
        Prefetched { loader: Arc::new(loader), workers: 1, ahead: None }
    }

    /// So many threads, at least one.
    #[must_use]
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = threads.max(1);
        self
    }

    /// How many batches are made in advance, at least one (default: two for each thread).
    #[must_use]
    pub fn prefetch(mut self, batches: usize) -> Self {
        self.ahead = Some(batches.max(1));
        self
    }

    /// What the threads work for.
    pub fn loader(&self) -> &DataLoader<D> {
        &self.loader
    }
}

impl<D> Prefetched<D>
where
    D: Dataset + Send + Sync + 'static,
    D::Batch: Send + 'static,
{
    /// The batches of one epoch.
    pub fn epoch(&self, epoch: usize) -> PrefetchedEpochs<D> {
        self.run(Position { epoch, batch: 0 }, epoch.saturating_add(1))
    }

    /// The batches of `n` epochs, from where the loader [resumes](DataLoader::resume_at).
    pub fn try_epochs(&self, n: usize) -> PrefetchedEpochs<D> {
        self.run(self.loader.position(), n)
    }

    /// The batches of `n` epochs of data in memory.
    pub fn epochs(&self, n: usize) -> impl Iterator<Item = D::Batch> + use<D>
    where
        D: InMemory,
    {
        self.try_epochs(n).map_while(Result::ok)
    }

    fn run(&self, start: Position, n: usize) -> PrefetchedEpochs<D> {
        let total = n.saturating_sub(start.epoch).saturating_mul(self.loader.len()).saturating_sub(start.batch);
        let ahead = self.ahead.unwrap_or(self.workers.saturating_mul(2));
        let shared = Arc::new(Shared {
            loader: Arc::clone(&self.loader),
            start,
            total,
            ahead,
            progress: Mutex::new(Progress { taken: 0, used: 0, made: BTreeMap::new(), stopped: false }),
            room: Condvar::new(),
            made: Condvar::new(),
            orders: Mutex::new(VecDeque::new()),
        });
        let spawn = |_| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name("wengert-loader".into()).spawn(move || shared.work()).ok()
        };
        // Where the system gives no thread, the batches are made when they are asked for.
        let threads = (0..self.workers.min(ahead).min(total)).filter_map(spawn).collect();
        PrefetchedEpochs { shared, threads }
    }
}

/// The batches, in their order; from [`Prefetched::try_epochs`].
pub struct PrefetchedEpochs<D: Dataset> {
    shared: Arc<Shared<D>>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads and the iterator know of each other.
struct Shared<D: Dataset> {
    loader: Arc<DataLoader<D>>,
    start: Position,
    total: usize,
    ahead: usize,
    progress: Mutex<Progress<D::Batch>>,
    /// A batch was used: there is room for another.
    room: Condvar,
    /// A batch was made.
    made: Condvar,
    /// The orders of the epochs at work.
    orders: Mutex<VecDeque<(usize, Arc<Vec<usize>>)>>,
}

/// Batches are numbered from the start of the run.
struct Progress<B> {
    taken: usize,
    used: usize,
    made: BTreeMap<usize, Result<B>>,
    stopped: bool,
}

impl<D: Dataset> Shared<D> {
    fn progress(&self) -> MutexGuard<'_, Progress<D::Batch>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread does: take the number of a batch when there is room, make it, hand it over.
    fn work(&self) {
        loop {
            let mut progress = self.progress();
            while !progress.stopped && progress.taken < self.total && progress.taken - progress.used >= self.ahead {
                progress = self.room.wait(progress).unwrap_or_else(PoisonError::into_inner);
            }
            if progress.stopped || progress.taken >= self.total {
                return;
            }
            let number = progress.taken;
            progress.taken += 1;
            drop(progress);
            let batch = self.make(number);
            self.progress().made.insert(number, batch);
            self.made.notify_all();
        }
    }

    fn position(&self, number: usize) -> Position {
        let (batches, at) = (self.loader.len().max(1), self.start.batch.saturating_add(number));
        Position { epoch: self.start.epoch.saturating_add(at / batches), batch: at % batches }
    }

    /// A panic in somebody's data set is an error of its batch: a thread that ended would leave the user waiting.
    fn make(&self, number: usize) -> Result<D::Batch> {
        let position = self.position(number);
        let made = catch_unwind(AssertUnwindSafe(|| self.loader.batch_at(position, &self.order(position.epoch))));
        match made {
            Ok(Some(batch)) => batch,
            Ok(None) => Err(Error::state("the sampler gave fewer samples than it said")),
            Err(panic) => Err(Error::state(format!("the data set panicked: {}", said(&*panic)))
                .operand("epoch", position.epoch.to_string())
                .operand("batch", position.batch.to_string())),
        }
    }

    fn order(&self, epoch: usize) -> Arc<Vec<usize>> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, order)) = orders.iter().find(|(other, _)| *other == epoch) {
            return Arc::clone(order);
        }
        let order = Arc::new(self.loader.order(epoch));
        orders.push_back((epoch, Arc::clone(&order)));
        // Threads are at work on an epoch and on the next.
        if orders.len() > 2 {
            orders.pop_front();
        }
        order
    }
}

impl<D: Dataset> PrefetchedEpochs<D> {
    /// The batch that comes next: where a [resumed](DataLoader::resume_at) run goes on.
    pub fn place(&self) -> Position {
        self.shared.position(self.shared.progress().used)
    }
}

impl<D: Dataset> Iterator for PrefetchedEpochs<D> {
    type Item = Result<D::Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut progress = self.shared.progress();
        let number = progress.used;
        if number >= self.shared.total {
            return None;
        }
        let batch = if self.threads.is_empty() {
            drop(progress);
            let batch = self.shared.make(number);
            progress = self.shared.progress();
            batch
        } else {
            loop {
                match progress.made.remove(&number) {
                    Some(batch) => break batch,
                    None => progress = self.shared.made.wait(progress).unwrap_or_else(PoisonError::into_inner),
                }
            }
        };
        progress.used += 1;
        drop(progress);
        self.shared.room.notify_all();
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.shared.total - self.shared.progress().used;
        (left, Some(left))
    }
}

impl<D: Dataset> ExactSizeIterator for PrefetchedEpochs<D> {}

impl<D: Dataset> Drop for PrefetchedEpochs<D> {
    fn drop(&mut self) {
        self.shared.progress().stopped = true;
        self.shared.room.notify_all();
        for thread in self.threads.drain(..) {
            // A thread does not panic: what it calls is caught.
            thread.join().ok();
        }
    }
}

/// The text of a panic.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// Slower for some batches than for others, so that threads overtake each other.
    #[derive(Default)]
    struct Uneven {
        made: AtomicUsize,
        fails: Option<usize>,
        panics: Option<usize>,
    }

    impl Dataset for Uneven {
        type Batch = Vec<usize>;

        fn len(&self) -> usize {
            23
        }

        fn batch(&self, indices: &[usize]) -> Result<Vec<usize>> {
            self.made.fetch_add(1, Ordering::SeqCst);
            let first = indices.first().copied().unwrap_or(0);
            std::thread::sleep(Duration::from_micros([900, 0, 300][first % 3]));
            assert!(self.panics.is_none_or(|at| !indices.contains(&at)), "sample {first} is cursed");
            match self.fails.is_some_and(|at| indices.contains(&at)) {
                true => Err(Error::io("a sample is gone")),
                false => Ok(indices.to_vec()),
            }
        }
    }

    fn loader(data: Uneven) -> DataLoader<Arc<Uneven>> {
        DataLoader::new(Arc::new(data), 3).unwrap().shuffle(5)
    }

    fn told<B>(batch: Result<B>) -> Result<B, String> {
        batch.map_err(|error| error.to_string())
    }

    #[test]
    fn the_batches_are_those_of_the_loader_for_any_number_of_threads() {
        let plain: Vec<_> = loader(Uneven::default()).try_epochs(3).map(told).collect();
        for (workers, ahead) in [(1, 1), (1, 5), (2, 1), (3, 4), (8, 3), (4, 100)] {
            let run = loader(Uneven::default()).workers(workers).prefetch(ahead);
            assert_eq!(run.try_epochs(3).map(told).collect::<Vec<_>>(), plain, "{workers} {ahead}");
            assert_eq!(run.epoch(2).map(told).collect::<Vec<_>>(), plain[16..]);
        }
        let rest = loader(Uneven::default()).resume_at(1, 3).workers(2);
        let mut run = rest.try_epochs(3);
        assert_eq!(run.len(), plain.len() - 11);
        assert_eq!(run.place(), Position { epoch: 1, batch: 3 });
        assert_eq!(told(run.next().unwrap()), plain[11]);
        assert_eq!(run.place(), Position { epoch: 1, batch: 4 });
        assert_eq!(run.map(told).collect::<Vec<_>>(), plain[12..]);
    }

    #[test]
    fn no_more_is_made_than_there_is_room_for() {
        let loader = loader(Uneven::default()).workers(4).prefetch(5);
        let mut run = loader.try_epochs(usize::MAX);
        for used in 1..12 {
            run.next().unwrap().unwrap();
            std::thread::sleep(Duration::from_millis(3));
            let made = loader.loader().data().made.load(Ordering::SeqCst);
            assert!(made >= used && made <= used + 5, "{made} made, {used} used");
        }
        drop(run);
        let made = loader.loader().data().made.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(loader.loader().data().made.load(Ordering::SeqCst), made, "the threads have ended");
    }

    #[test]
    fn errors_and_panics_come_in_their_place_and_the_run_goes_on() {
        let failing = || Uneven { fails: Some(7), ..Uneven::default() };
        let plain: Vec<_> = loader(failing()).try_epochs(2).map(told).collect();
        assert_eq!(plain.iter().filter(|batch| batch.is_err()).count(), 2);
        assert_eq!(loader(failing()).workers(3).try_epochs(2).map(told).collect::<Vec<_>>(), plain);
        let cursed = loader(Uneven { panics: Some(7), ..Uneven::default() }).workers(3);
        let results: Vec<_> = cursed.epoch(0).map(told).collect();
        assert_eq!(results.len(), 8);
        let errors: Vec<&String> = results.iter().filter_map(|batch| batch.as_ref().err()).collect();
        assert!(errors.len() == 1 && errors[0].contains("the data set panicked") && errors[0].contains("cursed"));
    }

    #[test]
    fn nothing_to_load_ends_at_once() {
        let none = loader(Uneven::default()).resume_at(5, 0).workers(2);
        assert!(none.try_epochs(3).next().is_none());
        let dropped = DataLoader::new(vec![1, 2], 3).unwrap().drop_last(true).prefetch(2);
        assert!(dropped.epochs(usize::MAX).next().is_none());
    }
}
