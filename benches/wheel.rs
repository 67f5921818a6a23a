//! What a deadline costs among ten million, beside two other libraries, and what a turn costs at worst.
//!
//! `in_order` takes keys as the hub hands out slots, one after the other; `scattered` in an order that has nothing to do with that
//! of their slots, their ticks or their coming, the worst for every cache. Ticks are random over the span. Each structure
//! holds 10 M deadlines all the while, and is warm.

use criterion::{Criterion, Throughput, criterion_group};
use enroute::wheel::Wheel;
use hierarchical_hash_wheel_timer::IdOnlyTimerEntry;
use hierarchical_hash_wheel_timer::wheels::cancellable::QuadWheelWithOverflow;
use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::time::Instant as TokioInstant;
use tokio_util::time::delay_queue::{DelayQueue, Key};

const DEADLINES: u32 = 10_000_000;
/// In ticks of 10 ms.
const SPANS: [(&str, u64); 2] = [("1_hour", 360_000), ("180_days", 180 * 8_640_000)];
/// Keys that are handled in one stretch of time taken.
const STRETCH: usize = 1_000_000;
/// What the hub spends in one turn.
const BUDGET: usize = 5_000;

/// What is compared: deadlines by key.
trait Subject {
    const NAME: &'static str;
    fn empty() -> Self;
    fn insert(&mut self, key: u32, tick: u64);
    fn cancel(&mut self, key: u32);
    fn reschedule(&mut self, key: u32, tick: u64);
}

impl Subject for Wheel {
    const NAME: &'static str = "enroute";

    fn empty() -> Self {
        Self::new(0)
    }

    fn insert(&mut self, key: u32, tick: u64) {
        Self::insert(self, key, tick);
    }

    fn cancel(&mut self, key: u32) {
        assert!(Self::cancel(self, key));
    }

    fn reschedule(&mut self, key: u32, tick: u64) {
        assert!(Self::reschedule(self, key, tick));
    }
}

/// tokio-util's, in milliseconds as it counts them; what it calls a key is its place.
struct Delays {
    queue: DelayQueue<u32>,
    keys: Vec<Option<Key>>,
    start: TokioInstant,
}

impl Subject for Delays {
    const NAME: &'static str = "tokio_util_delay_queue";

    fn empty() -> Self {
        let keys = vec![None; DEADLINES as usize];
        Self { queue: DelayQueue::new(), keys, start: TokioInstant::now() }
    }

    fn insert(&mut self, key: u32, tick: u64) {
        let at = self.start + Duration::from_millis(tick * 10);
        self.keys[key as usize] = Some(self.queue.insert_at(key, at));
    }

    fn cancel(&mut self, key: u32) {
        let place = self.keys[key as usize].take().expect("it was inserted");
        self.queue.remove(&place);
    }

    fn reschedule(&mut self, key: u32, tick: u64) {
        let place = self.keys[key as usize].expect("it was inserted");
        self.queue.reset_at(&place, self.start + Duration::from_millis(tick * 10));
    }
}

/// One unit of its time is one tick. It keeps what was cancelled until its time comes.
type HashWheel = QuadWheelWithOverflow<IdOnlyTimerEntry<u32>>;

impl Subject for HashWheel {
    const NAME: &'static str = "hierarchical_hash_wheel";

    fn empty() -> Self {
        Self::new()
    }

    fn insert(&mut self, id: u32, tick: u64) {
        let entry = IdOnlyTimerEntry { id, delay: Duration::from_millis(tick) };
        Self::insert(self, entry).expect("no tick is 0");
    }

    fn cancel(&mut self, key: u32) {
        Self::cancel(self, &key).expect("it was inserted");
    }

    fn reschedule(&mut self, key: u32, tick: u64) {
        Subject::cancel(self, key);
        Subject::insert(self, key, tick);
    }
}

fn among_ten_million(c: &mut Criterion) {
    if !std::env::args().any(|arg| arg == "--bench") {
        return; // `cargo test --benches` and the like only want to know that it builds
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("time needs nothing of the machine");
    let _inside = runtime.enter(); // DelayQueue will not live elsewhere
    for (span_name, span) in SPANS {
        for order in [Order::InOrder, Order::Scattered] {
            operations::<Wheel>(c, span_name, span, order);
            operations::<Delays>(c, span_name, span, order);
            operations::<HashWheel>(c, span_name, span, order);
        }
    }
}

fn operations<S: Subject>(c: &mut Criterion, span_name: &str, span: u64, order: Order) {
    let shape = format!("10m_over_{span_name}/{}", order.name());
    let mut ticks = Ticks { state: 1, span };
    let before = ALLOCATED.load(Relaxed);
    let mut subject = S::empty();
    (0..DEADLINES).for_each(|key| subject.insert(key, ticks.next()));
    let filled = ALLOCATED.load(Relaxed) - before;

    let mut group = c.benchmark_group(format!("wheel/{shape}"));
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Elements(1));
    let mut turn = Stretches::new(order, ticks);
    group.bench_function(format!("insert/{}", S::NAME), |b| {
        b.iter_custom(|count| {
            turn.time(count, |pairs| {
                pairs.iter().for_each(|(key, _)| subject.cancel(*key));
                let start = clock();
                pairs.iter().for_each(|(key, tick)| subject.insert(*key, *tick));
                start.elapsed()
            })
        });
    });
    group.bench_function(format!("cancel/{}", S::NAME), |b| {
        b.iter_custom(|count| {
            turn.time(count, |pairs| {
                let start = clock();
                pairs.iter().for_each(|(key, _)| subject.cancel(*key));
                let took = start.elapsed();
                pairs.iter().for_each(|(key, tick)| subject.insert(*key, *tick));
                took
            })
        });
    });
    group.bench_function(format!("reschedule/{}", S::NAME), |b| {
        b.iter_custom(|count| {
            turn.time(count, |pairs| {
                let start = clock();
                pairs.iter().for_each(|(key, tick)| subject.reschedule(*key, *tick));
                start.elapsed()
            })
        });
    });
    group.finish();
    drop(turn);
    let worked = ALLOCATED.load(Relaxed) - before;
    let of_each = |octets: usize| octets as f64 / f64::from(DEADLINES);
    println!(
        "wheel/{shape}/{}: {:.1} octets an entry, {:.1} after all that",
        S::NAME,
        of_each(filled),
        of_each(worked)
    );
    black_box(&mut subject);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    InOrder,
    Scattered,
}

impl Order {
    const fn name(self) -> &'static str {
        match self {
            Self::InOrder => "in_order",
            Self::Scattered => "scattered",
        }
    }
}

/// Hands out all keys in their order, round and round, each with a new tick.
struct Stretches {
    order: Order,
    keys: Vec<u32>,
    at: usize,
    ticks: Ticks,
    pairs: Vec<(u32, u64)>,
    random: fastrand::Rng,
}

impl Stretches {
    fn new(order: Order, ticks: Ticks) -> Self {
        let keys = (0..DEADLINES).collect();
        Self { order, keys, at: 0, ticks, pairs: Vec::new(), random: fastrand::Rng::with_seed(4) }
    }

    /// The sum of what `timed` says of so many keys in all.
    fn time(&mut self, count: u64, mut timed: impl FnMut(&[(u32, u64)]) -> Duration) -> Duration {
        let mut left = count as usize;
        let mut sum = Duration::ZERO;
        while left > 0 {
            if self.at == 0 && self.order == Order::Scattered {
                self.random.shuffle(&mut self.keys); // anew, or they would come in the order of their last coming
            }
            let end = self.keys.len().min(self.at + left.min(STRETCH));
            self.pairs.clear();
            self.pairs.extend(self.keys[self.at..end].iter().map(|key| (*key, self.ticks.next())));
            sum += timed(&self.pairs);
            left -= end - self.at;
            self.at = end % self.keys.len();
        }
        sum
    }
}

/// Random ticks of a span, none of them 0: a step of splitmix64 each.
struct Ticks {
    state: u64,
    span: u64,
}

impl Ticks {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        1 + ((u128::from(mixed ^ mixed >> 27) * u128::from(self.span)) >> 64) as u64
    }
}

/// A wheel of `count` deadlines, inserted in no order.
fn wheel_of(count: u32, mut tick: impl FnMut(u32) -> u64) -> Wheel {
    let mut keys: Vec<u32> = (0..count).collect();
    fastrand::Rng::with_seed(4).shuffle(&mut keys);
    let mut wheel = Wheel::new(0);
    keys.into_iter().for_each(|key| wheel.insert(key, tick(key)));
    wheel
}

/// Turns a wheel until it is empty, waking when it asks for it, and says what the turns took. That is done three times with the same
/// wheel, and of each turn the shortest counts: what a turn costs, without what the machine did to others meanwhile.
fn turns(name: &str, wheel: impl Fn() -> Wheel) {
    let mut all: Vec<Duration> = Vec::new();
    let (mut deadlines, mut longest) = (0, [Duration::ZERO; 3]);
    for longest in &mut longest {
        let mut wheel = wheel();
        deadlines = wheel.len();
        let (mut fired, mut turn) = (Vec::with_capacity(BUDGET), 0);
        while let Some(next) = wheel.next_tick() {
            let start = clock();
            wheel.advance(black_box(next), BUDGET, &mut fired);
            let took = start.elapsed();
            *longest = took.max(*longest);
            match all.get_mut(turn) {
                Some(least) => *least = took.min(*least),
                None => all.push(took),
            }
            fired.clear();
            turn += 1;
        }
    }
    let sum: Duration = all.iter().sum();
    all.sort_unstable();
    println!(
        "wheel/turns/{name}: {} turns, the longest {:.2?} ({longest:.2?} in single runs), 99 in 100 within {:.2?}, {:.0} ns a deadline in all",
        all.len(),
        all[all.len() - 1],
        all[all.len() * 99 / 100],
        sum.as_nanos() as f64 / deadlines as f64
    );
}

/// Reads the clock: this is a bench.
#[allow(clippy::disallowed_methods, reason = "a bench measures real time")]
fn clock() -> Instant {
    Instant::now()
}

criterion_group!(benches, among_ten_million);

fn main() {
    benches();
    if std::env::args().any(|arg| arg == "--bench") {
        turns("1m_in_one_tick", || wheel_of(1_000_000, |_| 8_640_000));
        // A slot of level 4 with them all, then one of level 3, then one of level 2.
        turns("10m_in_41_s_in_180_days", || wheel_of(DEADLINES, |key| (92 << 24) + u64::from(key) % 4096));
        turns("10m_over_1_hour", || {
            let mut ticks = Ticks { state: 1, span: 360_000 };
            wheel_of(DEADLINES, |_| ticks.next())
        });
    }
}

/// Counts what is allocated, as it was asked for.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to mimalloc as it came.
#[allow(unsafe_code, reason = "an allocator cannot be had otherwise")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATED.fetch_add(size, Relaxed);
        ALLOCATED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { MiMalloc.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;
