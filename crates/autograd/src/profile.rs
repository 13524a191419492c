//! Where the time of a step goes: tables by op and by layer, against what the machine can do, and a timeline for a viewer.

use crate::json::{number, quoted};
use crate::report::{PlanReport, StepReport, plan_reports, short};
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

/// The plans that ran in a step, each with the time of its steps.
///
/// ```
/// use wengert_autograd::{Profile, Tape};
/// use wengert_tensor::tensor::Tensor;
/// let (loss, profile) = Profile::measure(3, || {
///     let tape = Tape::new();
///     let x = tape.input(&Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]));
///     let _net = tape.scope("Net");
///     x.matmul(x).tanh().sum().item::<f32>()
/// });
/// println!("{}\n{}", profile.by_op(), profile.by_layer());
/// assert_eq!(profile.by_layer().rows[0].name, "Net");
/// assert!(profile.chrome_trace().starts_with("{\"traceEvents\":["));
/// # loss?;
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// What ran, in order.
    pub plans: Vec<PlanReport>,
}

impl From<PlanReport> for Profile {
    fn from(plan: PlanReport) -> Profile {
        Profile { plans: vec![plan] }
    }
}

impl Profile {
    /// Calls a closure, and measures every plan that runs in it on this thread in so many runs of its own: see [`plan_reports`]. What was
    /// compiled is among them: a [`Program`](crate::Program), a training step.
    pub fn measure<R>(runs: usize, f: impl FnOnce() -> R) -> (R, Profile) {
        let (result, plans) = plan_reports(runs, f);
        (result, Profile { plans })
    }

    /// The time of all steps.
    pub fn time(&self) -> Duration {
        self.steps().filter_map(|step| step.time).sum()
    }

    /// What was spent on each kind of step: on the ops that a fused loop computes, on products, on each kernel. The longest first.
    pub fn by_op(&self) -> Breakdown {
        self.breakdown("op", |step| {
            let mut ops: Vec<&str> = Vec::new();
            for op in &step.ops {
                if !ops.contains(op) {
                    ops.push(op);
                }
            }
            ops.join(", ")
        })
    }

    /// What was spent in each layer, forward and backward, the longest first. A loop that is fused over layers belongs to the one around
    /// them.
    pub fn by_layer(&self) -> Breakdown {
        self.breakdown("layer", |step| match step.layer.as_str() {
            "" => "outside of layers".to_string(),
            layer => layer.to_string(),
        })
    }

    /// The steps one after another, in the [trace event
    /// format](https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU), which `chrome://tracing`,
    /// <https://ui.perfetto.dev> and `edge://tracing` show. One row has the steps, one the layers, and a curve the bytes that the arena
    /// holds. Times are the least of those that were measured, in microseconds; steps without one have none.
    pub fn chrome_trace(&self) -> String {
        let mut events: Vec<String> = [(1, "steps"), (2, "layers")]
            .iter()
            .map(|(row, name)| {
                format!(r#"{{"name":"thread_name","ph":"M","pid":1,"tid":{row},"args":{{"name":{}}}}}"#, quoted(name))
            })
            .collect();
        let mut start = 0.0;
        let mut layer: Option<(&str, f64)> = None;
        let end = |events: &mut Vec<String>, layer: Option<(&str, f64)>, now: f64| {
            if let Some((name, from)) = layer.filter(|(name, _)| !name.is_empty()) {
                events.push(event(name, "layer", 2, from, now - from, ""));
            }
        };
        for (n, plan) in self.plans.iter().enumerate() {
            for (i, step) in plan.steps.iter().enumerate() {
                let time = step.time.map_or(0.0, |time| time.as_secs_f64() * 1e6);
                if layer.is_none_or(|(name, _)| name != step.layer) {
                    end(&mut events, layer, start);
                    layer = Some((&step.layer, start));
                }
                let results: Vec<String> = step.results.iter().map(|meta| meta.to_string()).collect();
                let flops = step.traffic.flops.map_or("null".to_string(), |flops| flops.to_string());
                let arguments = format!(
                    r#","args":{{"plan":{n},"step":{i},"kind":{},"layer":{},"results":{},"flops":{flops},"read":{},"written":{}}}"#,
                    quoted(&step.kind.to_string()),
                    quoted(&step.layer),
                    quoted(&results.join(", ")),
                    step.traffic.read,
                    step.traffic.written,
                );
                events.push(event(&step.ops.join(", "), "step", 1, start, time, &arguments));
                events.push(format!(
                    r#"{{"name":"arena","ph":"C","pid":1,"ts":{},"args":{{"bytes":{}}}}}"#,
                    number(start),
                    step.live_bytes
                ));
                start += time;
            }
        }
        end(&mut events, layer, start);
        format!("{{\"traceEvents\":[\n{}\n],\"displayTimeUnit\":\"ns\"}}\n", events.join(",\n"))
    }

    fn steps(&self) -> impl Iterator<Item = &StepReport> {
        self.plans.iter().flat_map(|plan| &plan.steps)
    }

    fn breakdown(&self, by: &'static str, name: impl Fn(&StepReport) -> String) -> Breakdown {
        let mut rows: Vec<BreakdownRow> = Vec::new();
        for step in self.steps() {
            let name = name(step);
            let at = rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
                rows.push(BreakdownRow { name, ..BreakdownRow::default() });
                rows.len() - 1
            });
            if let Some(row) = rows.get_mut(at) {
                row.steps += 1;
                row.time += step.time.unwrap_or_default();
                row.bytes += (step.traffic.read + step.traffic.written) as u64;
                row.flops += step.traffic.flops.unwrap_or(0);
                row.unknown |= step.traffic.flops.is_none();
                row.work.push((step.traffic.flops.unwrap_or(0), (step.traffic.read + step.traffic.written) as u64));
            }
        }
        rows.sort_by_key(|row| std::cmp::Reverse((row.time, row.flops, row.bytes)));
        Breakdown { by, rows, peak: None }
    }
}

/// One trace event of a duration.
fn event(name: &str, category: &str, row: usize, start: f64, time: f64, arguments: &str) -> String {
    let (name, start, time) = (quoted(name), number(start), number(time));
    format!(r#"{{"name":{name},"cat":"{category}","ph":"X","pid":1,"tid":{row},"ts":{start},"dur":{time}{arguments}}}"#)
}

/// A table of what was spent on what. Printed, it has a row for each; with a [peak](Breakdown::against), how near each came to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Breakdown {
    /// What a row is: an op, a layer.
    pub by: &'static str,
    /// The rows, the longest first.
    pub rows: Vec<BreakdownRow>,
    peak: Option<Peak>,
}

/// What was spent on one thing.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct BreakdownRow {
    /// On what.
    pub name: String,
    /// The number of steps.
    pub steps: usize,
    /// The time of all of them.
    pub time: Duration,
    /// Operations, as far as they are known.
    pub flops: u64,
    /// Whether some step is a kernel that does not say what it computes.
    pub unknown: bool,
    /// Bytes read and written.
    pub bytes: u64,
    /// Operations and bytes of each step.
    work: Vec<(u64, u64)>,
}

impl BreakdownRow {
    /// The share of the roofline: the least time that the machine could take for the operations and bytes of each step, whichever of the
    /// two takes longer, over the time that was taken. `None` without a time. More than 1 is what data in the caches makes of it.
    pub fn roofline(&self, peak: &Peak) -> Option<f64> {
        let least = |&(flops, bytes): &(u64, u64)| {
            (flops as f64 / peak.flops_per_second).max(bytes as f64 / peak.bytes_per_second)
        };
        let least: f64 = self.work.iter().map(least).sum();
        (self.time > Duration::ZERO).then(|| least / self.time.as_secs_f64())
    }
}

impl Breakdown {
    /// Adds the share of the roofline to the table.
    ///
    /// ```no_run
    /// use wengert_autograd::{Peak, Profile};
    /// # fn table(profile: Profile) -> wengert_tensor::error::Result<()> {
    /// println!("{}", profile.by_op().against(Peak::measured()?));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn against(self, peak: Peak) -> Breakdown {
        Breakdown { peak: Some(peak), ..self }
    }
}

/// What the machine can do, in f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// Floating-point operations of a large product of matrices in a second.
    pub flops_per_second: f64,
    /// Bytes that a loop over much more than the caches hold reads and writes in a second.
    pub bytes_per_second: f64,
}

impl Peak {
    /// Measured by a product of 1024 × 1024 matrices and a loop over 64 MiB, the best of a few runs: a tenth of a second or so, once in a
    /// process.
    ///
    /// # Errors
    /// `Memory`, when there is no room for them.
    pub fn measured() -> Result<Peak> {
        static PEAK: OnceLock<Peak> = OnceLock::new();
        if let Some(peak) = PEAK.get() {
            return Ok(*peak);
        }
        let peak = measure()?;
        Ok(*PEAK.get_or_init(|| peak))
    }
}

fn measure() -> Result<Peak> {
    const RUNS: usize = 5;
    let best = |rate: fn(&StepReport) -> f64, report: PlanReport| {
        let rates = report.steps.iter().filter_map(|step| Some(rate(step) / step.time?.as_secs_f64().max(1e-9)));
        rates.fold(f64::NAN, f64::max)
    };
    let tape = crate::graph::Tape::new();
    let square = tape.full([1024, 1024], 0.5, DType::F32) + 0.25;
    let square = tape.input(&square.value()?);
    let flops = best(|step| step.traffic.flops.unwrap_or(0) as f64, tape.profile(square.matmul(square), RUNS)?);
    let long = tape.input(&tape.full([16 << 20], 0.5, DType::F32).value()?);
    let moved = |step: &StepReport| (step.traffic.read + step.traffic.written) as f64;
    let bytes = best(moved, tape.profile(long * 2.0, RUNS)?);
    match flops > 0.0 && bytes > 0.0 {
        true => Ok(Peak { flops_per_second: flops, bytes_per_second: bytes }),
        false => Err(Error::state("no step was measured").op("Peak::measured")),
    }
}

impl fmt::Display for Peak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}F/s, {}B/s", short(self.flops_per_second), short(self.bytes_per_second))
    }
}

impl fmt::Display for Breakdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// A name is cut here.
        const WIDTH: usize = 44;
        let all: f64 = self.rows.iter().map(|row| row.time.as_secs_f64()).sum();
        write!(f, "{:<WIDTH$} {:>5} {:>12} {:>6} ", self.by, "steps", "time", "share")?;
        write!(f, "{:>8} {:>9} {:>8} {:>9}", "flops", "compute", "bytes", "memory")?;
        writeln!(f, "{}", if self.peak.is_some() { "  of peak" } else { "" })?;
        for row in &self.rows {
            let mut name = row.name.clone();
            if name.chars().count() > WIDTH {
                name = name.chars().take(WIDTH - 1).chain(['…']).collect();
            }
            let seconds = row.time.as_secs_f64();
            let share = if all > 0.0 { 100.0 * seconds / all } else { 0.0 };
            let rate = |amount: u64| if seconds > 0.0 { short(amount as f64 / seconds) } else { "- ".to_string() };
            let flops = match (row.flops, row.unknown) {
                (0, true) => "- ".to_string(),
                (flops, _) => short(flops as f64),
            };
            write!(f, "{name:<WIDTH$} {:>5} {:>9.1} µs {share:>5.1}% ", row.steps, seconds * 1e6)?;
            let compute = if row.flops == 0 && row.unknown { "- ".to_string() } else { rate(row.flops) };
            write!(f, "{flops:>7}  {compute:>6}F/s {:>7}B {:>6}B/s", short(row.bytes as f64), rate(row.bytes))?;
            match self.peak.and_then(|peak| row.roofline(&peak)) {
                Some(share) => writeln!(f, " {:>7.0}%", 100.0 * share)?,
                None => writeln!(f)?,
            }
        }
        let steps: usize = self.rows.iter().map(|row| row.steps).sum();
        writeln!(f, "{:<WIDTH$} {steps:>5} {:>9.1} µs", "all", all * 1e6)?;
        match self.peak {
            Some(peak) => writeln!(f, "peak: {peak} (f32)"),
            None => Ok(()),
        }
    }
}
