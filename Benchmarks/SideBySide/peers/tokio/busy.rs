// tokio's echo server with other tasks on the same current-thread runtime: `tokio_busy SHAPE PORT`.
//
// hog is a task that computes for 20 microseconds and yields, forever; slow is one that computes for 2 milliseconds at
// each tick of an interval of 50.
mod serving;

use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::interval;

fn thread_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Computes for so many nanoseconds of the thread's own time.
fn compute(nanoseconds: u64) {
    let end = thread_time() + nanoseconds;
    while thread_time() < end {}
}

async fn hog() {
    loop {
        compute(20_000);
        yield_now().await;
    }
}

async fn slow() {
    let mut ticks = interval(Duration::from_millis(50));
    loop {
        ticks.tick().await;
        compute(2_000_000);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("hog") => drop(tokio::spawn(hog())),
        Some("slow") => drop(tokio::spawn(slow())),
        _ => {
            eprintln!("usage: tokio_busy hog|slow PORT");
            std::process::exit(2);
        }
    }
    serving::serve(serving::port()).await
}
