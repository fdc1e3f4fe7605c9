//! The micro works on tokio's current-thread runtime: `tokio_micro WORK N [PORT]`.
//!
//! - A callback for later is a spawned task. So is what a timer of timer_fire runs.
//! - A post from another thread is a send on an unbounded channel whose receiver is a task (burst1, burst4), or a task
//!   spawned by `Handle::spawn` (burst1_spawn, burst4_spawn), which is closer to a posted callback.
//! - Everything runs in a spawned task, as in servers: to wake the future of `block_on` itself costs a write to the
//!   eventfd each time.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot, Notify};
use tokio::time::{sleep, Instant, Sleep};

const NOT_OFFERED: i32 = 2;
const USAGE: i32 = 64;
const LOOP_CORE: usize = 0;
const OTHER_CORE: usize = 1;
const BATCH: i64 = 1000;
const LIVE: u64 = 10_000;
const SETS_PER_TURN: i64 = 1000;

// --- measuring

fn nanoseconds(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

struct Stopwatch {
    wall: u64,
    cpu: u64,
}

impl Stopwatch {
    fn start() -> Stopwatch {
        Stopwatch { wall: nanoseconds(libc::CLOCK_MONOTONIC), cpu: nanoseconds(libc::CLOCK_PROCESS_CPUTIME_ID) }
    }

    fn report(&self, operations: i64) {
        let end = Stopwatch::start();
        let (wall, cpu) = (end.wall - self.wall, end.cpu - self.cpu);
        println!("{{\"ops\":{operations},\"wall_ns\":{wall},\"cpu_ns\":{cpu}}}");
    }
}

/// Xorshift: the same numbers in every run and in every language.
struct Random(u64);

impl Random {
    fn new() -> Random {
        Random(88_172_645_463_325_252)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn pin_to(core: usize) {
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, std::mem::size_of_val(&set), &set);
    }
}

// --- counting down, in tasks that one thread runs: a load and a store do

static LEFT: AtomicI64 = AtomicI64::new(0);
static DONE: LazyLock<Notify> = LazyLock::new(Notify::new);

fn count_down() -> i64 {
    let left = LEFT.load(Relaxed) - 1;
    LEFT.store(left, Relaxed);
    left
}

fn count_down_to_the_end() {
    if count_down() == 0 {
        DONE.notify_one();
    }
}

// --- dispatch

struct Link;

impl Future for Link {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if count_down() > 0 {
            tokio::spawn(Link);
        } else {
            DONE.notify_one();
        }
        Poll::Ready(())
    }
}

async fn chain(count: i64) {
    LEFT.store(count, Relaxed);
    tokio::spawn(Link);
    DONE.notified().await;
}

async fn batch(count: i64) {
    for _ in 0..count / BATCH {
        for _ in 0..BATCH {
            tokio::spawn(async {
                count_down();
            });
        }
        tokio::task::yield_now().await;
    }
}

// --- tasks

async fn spawn(count: i64) {
    let mut sum = 0;
    for _ in 0..count {
        sum += tokio::spawn(async { 1 }).await.unwrap();
    }
    assert_eq!(sum, count);
}

async fn yields(count: i64) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// A task waits for what another one sends.
async fn continuation(count: i64) {
    for _ in 0..count {
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move { sender.send(()).unwrap() });
        receiver.await.unwrap();
    }
}

// --- wakes

fn eventfd() -> i32 {
    unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) }
}

fn ring(bell: i32) {
    let one = 1u64;
    assert_eq!(unsafe { libc::write(bell, (&one as *const u64).cast(), 8) }, 8);
}

fn wait_for(bell: i32) {
    let mut value = 0u64;
    assert_eq!(unsafe { libc::read(bell, (&mut value as *mut u64).cast(), 8) }, 8);
}

async fn pingpong(count: i64, core: usize) {
    pin_to(LOOP_CORE);
    let bell = eventfd();
    let (sender, mut receiver) = mpsc::unbounded_channel::<i64>();
    let thread = std::thread::spawn(move || {
        pin_to(core);
        for i in 0..count {
            sender.send(i).unwrap();
            wait_for(bell);
        }
    });
    while receiver.recv().await.is_some() {
        ring(bell);
    }
    thread.join().unwrap();
    unsafe { libc::close(bell) };
}

async fn burst(count: i64, producers: i64) {
    pin_to(LOOP_CORE);
    let (sender, mut receiver) = mpsc::unbounded_channel::<i64>();
    let threads: Vec<_> = (0..producers)
        .map(|_| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                pin_to(OTHER_CORE);
                for i in 0..count / producers {
                    sender.send(i).unwrap();
                }
            })
        })
        .collect();
    drop(sender);
    while receiver.recv().await.is_some() {}
    for thread in threads {
        thread.join().unwrap();
    }
}

async fn burst_of_tasks(count: i64, producers: i64) {
    pin_to(LOOP_CORE);
    let share = count / producers;
    LEFT.store(share * producers, Relaxed);
    let threads: Vec<_> = (0..producers)
        .map(|_| {
            let runtime = Handle::current();
            std::thread::spawn(move || {
                pin_to(OTHER_CORE);
                for _ in 0..share {
                    runtime.spawn(async { count_down_to_the_end() });
                }
            })
        })
        .collect();
    DONE.notified().await;
    for thread in threads {
        thread.join().unwrap();
    }
}

// --- timers

/// A sleep is in the wheel once it was polled.
async fn set(sleep: Pin<&mut Sleep>) {
    let mut sleep = Some(sleep);
    std::future::poll_fn(move |context| {
        if let Some(sleep) = sleep.take() {
            assert!(sleep.poll(context).is_pending());
        }
        Poll::Ready(())
    })
    .await
}

async fn timer_cancel(count: i64, random: &mut Random) {
    let mut sleeps = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let mut timer = Box::pin(sleep(Duration::from_millis(1000 + random.below(3_599_000))));
        set(timer.as_mut()).await;
        sleeps.push(timer);
    }
    drop(sleeps);
    tokio::task::yield_now().await;
}

async fn timer_fire(count: i64, random: &mut Random) {
    LEFT.store(count, Relaxed);
    for _ in 0..count {
        let delay = Duration::from_nanos(random.below(1_000_000_000));
        tokio::spawn(async move {
            sleep(delay).await;
            count_down_to_the_end();
        });
    }
    DONE.notified().await;
}

async fn live_timers() -> Vec<Pin<Box<Sleep>>> {
    let mut sleeps = Vec::new();
    for _ in 0..LIVE {
        let mut timer = Box::pin(sleep(Duration::from_secs(30)));
        set(timer.as_mut()).await;
        sleeps.push(timer);
    }
    sleeps
}

async fn timer_rearm(count: i64, random: &mut Random, sleeps: &mut [Pin<Box<Sleep>>]) {
    for _ in 0..count / SETS_PER_TURN {
        for _ in 0..SETS_PER_TURN {
            let timer = &mut sleeps[random.below(LIVE) as usize];
            timer.as_mut().reset(Instant::now() + Duration::from_secs(30));
        }
        tokio::task::yield_now().await;
    }
}

// --- processes, names, datagrams

async fn process(count: i64) {
    for _ in 0..count {
        let status = tokio::process::Command::new("/bin/true").status().await.unwrap();
        assert!(status.success());
    }
}

async fn literal(count: i64) {
    for _ in 0..count {
        assert_eq!(tokio::net::lookup_host("127.0.0.1:80").await.unwrap().count(), 1);
    }
}

async fn udp(count: i64, port: u16) {
    let socket = tokio::net::UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
    println!("ready");
    let mut bytes = [0u8; 2048];
    let warm_up = count / 10;
    let mut start = Stopwatch::start();
    for i in 0..warm_up + count {
        let (size, sender) = socket.recv_from(&mut bytes).await.unwrap();
        if i == warm_up {
            start = Stopwatch::start();
        }
        socket.send_to(&bytes[..size], sender).await.unwrap();
    }
    start.report(count);
}

/// Once unmeasured, once measured; timers know the whole count both times.
async fn measure(work: &str, count: i64) {
    let mut random = Random::new();
    let mut live = if work == "timer_rearm" { live_timers().await } else { Vec::new() };
    for is_measured in [false, true] {
        let some = if is_measured { count } else { (count / 10).max(1) };
        let start = Stopwatch::start();
        match work {
            "chain" => chain(some).await,
            "batch" => batch(some).await,
            "spawn" => spawn(some).await,
            "yield" => yields(some).await,
            "continuation" => continuation(some).await,
            "pingpong" => pingpong(some, OTHER_CORE).await,
            "pingpong_same" => pingpong(some, LOOP_CORE).await,
            "burst1" => burst(some, 1).await,
            "burst4" => burst(some, 4).await,
            "burst1_spawn" => burst_of_tasks(some, 1).await,
            "burst4_spawn" => burst_of_tasks(some, 4).await,
            "timer_cancel" => timer_cancel(count, &mut random).await,
            "timer_fire" => timer_fire(count, &mut random).await,
            "timer_rearm" => timer_rearm(some, &mut random, &mut live).await,
            "process" => process(if is_measured { count } else { 20 }).await,
            "literal" => literal(some).await,
            _ => std::process::exit(NOT_OFFERED),
        }
        if is_measured {
            start.report(count);
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let count = arguments.get(2).and_then(|n| n.parse().ok()).unwrap_or(0);
    if count <= 0 {
        eprintln!("usage: tokio_micro WORK N [PORT]");
        std::process::exit(USAGE);
    }
    let work = arguments[1].clone();
    let port = arguments.get(3).map(|port| port.parse().unwrap());
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let main = tokio::spawn(async move {
            match port {
                Some(port) if work.starts_with("udp") => udp(count, port).await,
                _ => measure(&work, count).await,
            }
        });
        main.await.unwrap()
    })
}
