//! What the comparisons with other libraries share: steps that are named on the command line, timed one after the other, each told as a line
//! of JSON.

use std::time::{Duration, Instant};
use wengert::prelude::Result;

/// A step of a case. It gives a number, so that none of its work is idle.
pub type Step = Box<dyn FnMut() -> Result<f64>>;

struct Options {
    threads: usize,
    seconds: f64,
    report: bool,
    cases: Vec<String>,
}

fn options() -> Options {
    let mut options = Options { threads: 0, seconds: 1.5, report: false, cases: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|n| n.parse::<f64>().ok());
        match word.as_str() {
            "--threads" => options.threads = number().unwrap_or(0.0) as usize,
            "--seconds" => options.seconds = number().unwrap_or(options.seconds),
            "--report" => options.report = true,
            "--bench" => {}
            _ => options.cases.push(word),
        }
    }
    options
}

/// Pins this process to the first `threads` of its processors, as the peers do.
fn pin(threads: usize) {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        if let Ok(all) = sched_getaffinity(None) {
            let mut first = CpuSet::new();
            (0..CpuSet::MAX_CPU).filter(|&cpu| all.is_set(cpu)).take(threads).for_each(|cpu| first.set(cpu));
            if let Err(error) = sched_setaffinity(None, &first) {
                eprintln!("not pinned: {error}");
            }
        }
    }
    wengert::tensor::kernels::threads::set_threads(threads);
}

/// Runs the cases that the command line names, or all: `--threads N` pins to the first N processors, `--seconds S` is how long each is
/// repeated, and with `--report` what the plans of its step do is printed instead, with the least time of each of their steps in twenty runs.
///
/// # Errors
/// Those of the cases.
pub fn run<'a>(cases: impl IntoIterator<Item = (String, Box<dyn FnOnce() -> Result<Step> + 'a>)>) -> Result<()> {
    let options = options();
    if options.threads > 0 {
        pin(options.threads);
    }
    for (name, build) in cases {
        if !options.cases.is_empty() && !options.cases.contains(&name) {
            continue;
        }
        let start = Instant::now();
        let mut step = build()?;
        step()?;
        let first = start.elapsed();
        if options.report {
            let (done, reports) = wengert::autograd::plan_reports(20, &mut step);
            done?;
            reports.iter().for_each(|report| println!("{name}\n{report}"));
            continue;
        }
        for _ in 0..5 {
            step()?;
        }
        let end = Instant::now() + Duration::from_secs_f64(options.seconds);
        let mut times = Vec::new();
        while Instant::now() < end && times.len() < 20_000 {
            let start = Instant::now();
            step()?;
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
        times.sort_by(f64::total_cmp);
        let (least, median) = (times.first().unwrap_or(&0.0), times.get(times.len() / 2).unwrap_or(&0.0));
        println!(
            r#"{{"case": "{name}", "min_us": {least:.2}, "median_us": {median:.2}, "n": {}, "first_s": {:.4}}}"#,
            times.len(),
            first.as_secs_f64()
        );
    }
    Ok(())
}
