//! Measuring: what the kernel counts while a job runs, over a window that ends as soon as the
//! answer is clear.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use crate::job::Job;
use crate::launch::{Launcher, Outcome};
use crate::observation::{Observation, Quantity};
use crate::refusal::Refusal;

/// How often somebody looks. A live view is redrawn so often, and not more.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// From this many processors on, one line stands for all of them.
const MANY: usize = 9;

// ANCHOR: meter
/// What is measured while a job runs.
pub struct Meter {
    /// What it is.
    pub quantity: Quantity,
    /// The kernel's counters that it is calculated from.
    pub counters: Vec<Counter>,
    /// The calculation: from how much each counter has grown, and in how many seconds.
    pub value: Box<Calculation>,
    /// From the same, how many seconds of processor time the job has used. Only where that is
    /// measured can others who use the processors disturb it.
    pub used: Option<fn(grown: &[f64]) -> f64>,
    /// Brings a counter back to its beginning.
    pub reset: Box<dyn Fn() -> Result<()>>,
    /// Nothing is counted before this has passed: to begin is not yet to be under way.
    pub warm_up: Duration,
    /// From then on, the answer is not clear before this has passed.
    pub least: Duration,
    /// Nor does it become clearer afterwards.
    pub most: Duration,
}

/// Takes what each counter has grown by, and the seconds in which it did.
pub type Calculation = dyn Fn(&[f64], f64) -> f64;

/// A number of the kernel's that only grows.
pub struct Counter {
    /// Whose it is.
    pub label: String,
    /// Reads it.
    pub read: Box<dyn Fn() -> Result<f64>>,
    /// By how much it grows in a second when its bar is full.
    pub full: f64,
}
// ANCHOR_END: meter

/// How things stand.
pub struct Sample {
    /// Since the job was started.
    pub elapsed: Duration,
    /// A line for each processor and each counter.
    pub bars: Vec<Bar>,
    /// Whether it is the last.
    pub is_last: bool,
}

/// A line of the live view.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Whose it is.
    pub label: String,
    /// How full, from 0 to 1.
    pub share: f64,
}

/// What came of it.
pub struct Measured {
    /// What was observed: the measured value, or how the job failed.
    pub outcome: Outcome,
    /// The part of the processors that others took meanwhile, from 0 to 1.
    pub others: f64,
}

impl Meter {
    // ANCHOR: measure
    /// Runs a job, and looks at the counters until the value `is_expected` or time is up.
    ///
    /// # Errors
    /// When the job cannot be started, or a counter cannot be read.
    pub fn measure(
        &self,
        launcher: &Launcher,
        job: &Job,
        is_expected: impl Fn(f64) -> bool,
        mut watch: impl FnMut(&Sample) -> Result<()>,
    ) -> Result<Measured> {
        (self.reset)()?;
        let began = Instant::now();
        let at_first = self.look(began)?;
        let (mut start, mut last) = (at_first.clone(), at_first.clone());
        let mut running = launcher.begin(job)?;
        let mut is_warm = false;
        loop {
            let ended = running.wait_for(BETWEEN_LOOKS)?;
            let now = self.look(began)?;
            let seen = now.elapsed.saturating_sub(start.elapsed);
            if ended.is_some() && seen < self.least {
                // It was over before it was under way: then all of it counts.
                start = at_first.clone();
            }
            let value = self.value_of(&start, &now);
            let is_clear = is_warm && seen >= self.least && is_expected(value);
            let is_last = ended.is_some() || is_clear || is_warm && seen >= self.most;
            let bars = self.bars(&last, &now);
            watch(&Sample { elapsed: now.elapsed, bars, is_last })?;
            if is_last {
                let outcome = ended.map_or_else(|| running.stop(), Ok)?;
                let others = self.others(&start, &now);
                return Ok(Measured { outcome: self.observed(outcome, value), others });
            }
            if !is_warm && now.elapsed >= self.warm_up {
                (start, is_warm) = (now.clone(), true);
            }
            last = now;
        }
    }
    // ANCHOR_END: measure

    /// A job that failed has measured nothing.
    fn observed(&self, outcome: Outcome, value: f64) -> Outcome {
        let Quantity { what, unit } = self.quantity;
        let has_failed = match &outcome.observation {
            // We have stopped it ourselves.
            Observation::Killed { signal } => signal != "SIGKILL",
            observation => *observation != (Observation::Exited { status: 0 }),
        };
        if has_failed {
            return outcome;
        }
        let (what, unit) = (what.to_owned(), unit.to_owned());
        Outcome { observation: Observation::Measured { what, value, unit }, ..outcome }
    }

    fn look(&self, began: Instant) -> Result<Look> {
        let all = self.counters.iter().map(|counter| (counter.read)());
        let counters = all.collect::<Result<_>>()?;
        Ok(Look { counters, elapsed: began.elapsed(), processors: Processor::all()? })
    }

    fn value_of(&self, start: &Look, now: &Look) -> f64 {
        let seconds = now.elapsed.saturating_sub(start.elapsed).as_secs_f64().max(f64::EPSILON);
        (self.value)(&grown(&start.counters, &now.counters), seconds)
    }

    /// How it was since the last look.
    fn bars(&self, last: &Look, now: &Look) -> Vec<Bar> {
        let seconds = now.elapsed.saturating_sub(last.elapsed).as_secs_f64().max(0.001);
        let busy: Vec<f64> = now
            .processors
            .iter()
            .zip(&last.processors)
            .map(|(now, last)| now.busy_since(last))
            .collect();
        let mut bars = Vec::new();
        if busy.len() < MANY {
            let each = busy.iter().zip(&now.processors);
            bars.extend(
                each.map(|(share, cpu)| Bar {
                    label: format!("cpu {}", cpu.number),
                    share: *share,
                }),
            );
        } else {
            #[allow(clippy::cast_precision_loss)] // No machine has that many.
            let share = busy.iter().sum::<f64>() / busy.len() as f64;
            bars.push(Bar { label: format!("{} cpus", busy.len()), share });
        }
        let grown = grown(&last.counters, &now.counters);
        bars.extend(self.counters.iter().zip(grown).map(|(counter, grown)| Bar {
            label: counter.label.clone(),
            share: (grown / seconds / counter.full).clamp(0.0, 1.0),
        }));
        bars
    }

    /// What of the processors' time somebody else has used.
    fn others(&self, start: &Look, now: &Look) -> f64 {
        let Some(used) = self.used else { return 0.0 };
        let pairs = now.processors.iter().zip(&start.processors);
        let total: u64 =
            pairs.clone().map(|(now, start)| now.total.saturating_sub(start.total)).sum();
        let busy: u64 = pairs.map(|(now, start)| now.busy.saturating_sub(start.busy)).sum();
        let ours = used(&grown(&start.counters, &now.counters)) * TICKS_IN_A_SECOND;
        #[allow(clippy::cast_precision_loss)] // No machine runs that long.
        let (busy, total) = (busy as f64, total.max(1) as f64);
        ((busy - ours) / total).clamp(0.0, 1.0)
    }
}

/// The processor that is the least busy at the moment.
///
/// # Errors
/// When `/proc` is not mounted, or this process may use no processor at all.
pub fn idlest_processor() -> Result<usize> {
    let before = Processor::all()?;
    thread::sleep(BETWEEN_LOOKS);
    let now = Processor::all()?;
    let allowed =
        sched_getaffinity(Pid::from_raw(0)).map_err(Refusal::of("sched_getaffinity", 0))?;
    let pairs = now.iter().zip(&before);
    let usable = pairs.filter(|(now, _)| allowed.is_set(now.number).unwrap_or_default());
    let idlest = usable.min_by(|(now, before), (other, once)| {
        now.busy_since(before).total_cmp(&other.busy_since(once))
    });
    // In some containers, /proc/stat has numbers of its own.
    let first = || (0..CpuSet::count()).find(|number| allowed.is_set(*number).unwrap_or_default());
    let idlest = idlest.map(|(now, _)| now.number).or_else(first);
    idlest.context("no processor may be used")
}

/// All counters at one moment.
#[derive(Clone)]
struct Look {
    counters: Vec<f64>,
    processors: Vec<Processor>,
    elapsed: Duration,
}

fn grown(before: &[f64], after: &[f64]) -> Vec<f64> {
    after.iter().zip(before).map(|(after, before)| after - before).collect()
}

/// In `/proc/stat`, time is counted in hundredths of a second (`getconf CLK_TCK`).
const TICKS_IN_A_SECOND: f64 = 100.0;

/// A line of `/proc/stat` (proc_stat(5)): how long a processor was busy.
#[derive(Clone)]
struct Processor {
    number: usize,
    busy: u64,
    total: u64,
}

impl Processor {
    fn all() -> Result<Vec<Self>> {
        let file = Path::new("/proc/stat");
        let text = fs::read_to_string(file).map_err(Refusal::io("open", file))?;
        let all: Vec<Self> = text.lines().filter_map(Self::of_line).collect();
        if all.is_empty() { Err(anyhow!("/proc/stat knows no processor")) } else { Ok(all) }
    }

    /// `cpu0 USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL …`; the line of all together is none.
    fn of_line(line: &str) -> Option<Self> {
        let (name, times) = line.split_once(' ')?;
        let number = name.strip_prefix("cpu")?.parse().ok()?;
        // The last two are contained in the first two.
        let times: Vec<u64> =
            times.split_whitespace().take(8).filter_map(|time| time.parse().ok()).collect();
        let total: u64 = times.iter().sum();
        let idle: u64 = times.iter().skip(3).take(2).sum();
        Some(Self { number, busy: total.saturating_sub(idle), total })
    }

    #[allow(clippy::cast_precision_loss)]
    fn busy_since(&self, before: &Self) -> f64 {
        let total = self.total.saturating_sub(before.total);
        let busy = self.busy.saturating_sub(before.busy);
        if total == 0 { 0.0 } else { busy as f64 / total as f64 }
    }
}
