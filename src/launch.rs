//! Starting a contained process and learning what became of it.
//!
//! Every job is run by our own binary, started again as `workbench enter …`. If the kernel
//! refuses a system call, the child writes the [`Refusal`] into a pipe. If it refuses none, the
//! pipe is closed by `execve`, and the end of the file is the news that the program has begun.
//! Where the program is a child of that child, its number comes by the same pipe.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, pipe2};
use serde::{Deserialize, Serialize};

use crate::job::Job;
use crate::observation::Observation;
use crate::refusal::Refusal;

/// Starts jobs with one binary and one environment.
#[derive(Debug, Clone)]
pub struct Launcher {
    program: PathBuf,
    path: OsString,
}

/// How a job ended, and what it printed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What the kernel, or the program's status, answered.
    pub observation: Observation,
    /// Standard output and standard error in the order in which they came.
    pub said: String,
}

impl Launcher {
    /// Starts jobs with `program`, which is `/proc/self/exe` but for tests. Inside, `PATH` is
    /// `path`.
    pub fn new(program: PathBuf, path: OsString) -> Self {
        Self { program, path }
    }

    /// Runs a job to its end and gathers what it says.
    ///
    /// # Errors
    /// When the child cannot be started; a refusal of the kernel is an observation, no error.
    pub fn run(&self, job: &Job) -> Result<Outcome> {
        self.follow(job, |_| ())
    }

    /// The same, and each line is heard as soon as it is said.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn follow(&self, job: &Job, mut hear: impl FnMut(&str)) -> Result<Outcome> {
        let mut running = self.begin(job)?;
        let mut output = BufReader::new(running.output.try_clone()?);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line)? > 0 {
            hear(String::from_utf8_lossy(&line).trim_end());
            running.said.append(&mut line);
        }
        running.outcome()
    }

    /// Starts a job that may be stopped before its end.
    ///
    /// # Errors
    /// When the child cannot be started.
    pub fn begin(&self, job: &Job) -> Result<Running> {
        let (output, input) = pipe()?;
        let (child, report) = self.start(job, |command| {
            // An empty pipe is what /dev/null would be, on a host that may not have one.
            let (nothing, _) = pipe()?;
            command.stdin(nothing).stdout(input.try_clone()?).stderr(input);
            Ok(())
        })?;
        Ok(Running { child, report, output: File::from(output), said: Vec::new() })
    }

    /// Starts a job that stays alive until it is dropped. It has to print one line when it is
    /// ready, and then to wait for the end of its standard input.
    ///
    /// # Errors
    /// When the kernel refuses a call, or the job ends before it is ready.
    pub fn hold(&self, job: &Job) -> Result<Held> {
        let (mut child, mut report) = self.start(job, |command| {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            Ok(())
        })?;
        let stdout = child.stdout.take();
        let mut held = Held { pid: child.id(), child };
        let Told { inhabitant, refusal } = report.read()?;
        if let Some(refusal) = refusal {
            return Err(refusal.into());
        }
        held.pid = inhabitant.unwrap_or(held.pid);
        let mut line = String::new();
        BufReader::new(stdout.context("no pipe from the child")?).read_line(&mut line)?;
        if line.is_empty() {
            bail!("{} ended before it was ready", job.as_typed());
        }
        Ok(held)
    }

    /// Runs a job on the caller's own terminal, with a few variables more.
    ///
    /// # Errors
    /// When the child cannot be started, or the kernel refuses a call.
    pub fn attend(&self, job: &Job, variables: &[(&str, OsString)]) -> Result<ExitStatus> {
        let (mut child, mut report) = self.start(job, |command| {
            // Without a file for its history, the shell writes nothing but what is typed into it.
            command.env("HISTFILE", "").env("PATH", self.path_of_shells());
            command.envs(variables.iter().map(|(name, value)| (name, value)));
            Ok(())
        })?;
        let status = child.wait()?;
        report.read()?.refusal.map_or(Ok(status), |refusal| Err(refusal.into()))
    }

    /// In a shell, what the lesson shows can be typed: `workbench` is found as well.
    fn path_of_shells(&self) -> OsString {
        let ours = std::env::current_exe().ok().and_then(|file| Some(file.parent()?.to_owned()));
        let places = std::env::split_paths(&self.path).chain(ours);
        std::env::join_paths(places).unwrap_or_else(|_| self.path.clone())
    }

    /// The child gets a clean environment: `LD_PRELOAD` or `BASH_ENV` of the caller would speak
    /// about files that do not exist inside.
    fn start(
        &self,
        job: &Job,
        streams: impl FnOnce(&mut Command) -> Result<()>,
    ) -> Result<(Child, Report)> {
        let (reader, writer) = pipe()?;
        // The child must inherit this end; it closes it when it becomes the program.
        fcntl(&writer, FcntlArg::F_SETFD(FdFlag::empty()))
            .map_err(Refusal::of("fcntl", "F_SETFD"))?;
        let mut words = job.to_args();
        words.splice(1..1, ["--report".into(), writer.as_raw_fd().to_string().into()]);
        let mut command = Command::new(&self.program);
        command.args(words).env_clear().env("PATH", &self.path).env("HOME", "/");
        for name in ["TERM", "COLORTERM", "NO_COLOR"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        streams(&mut command)?;
        let child = command.spawn().map_err(Refusal::io("execve", &self.program))?;
        Ok((child, Report(File::from(reader))))
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    Ok(pipe2(OFlag::O_CLOEXEC).map_err(Refusal::of("pipe2", "O_CLOEXEC"))?)
}

/// The reading end of the pipe by which the child reports.
#[derive(Debug)]
struct Report(File);

/// A line of the report.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// The program lives in this process, a child of the one that was started.
    Inhabitant(u32),
    /// The kernel refused this call, and there will be no program.
    Refused(Refusal),
}

/// The whole report.
#[derive(Debug, Default)]
struct Told {
    inhabitant: Option<u32>,
    refusal: Option<Refusal>,
}

impl Report {
    /// Waits until the program has begun, or the kernel has refused.
    fn read(&mut self) -> Result<Told> {
        let mut text = String::new();
        self.0.read_to_string(&mut text)?;
        let mut told = Told::default();
        for line in text.lines() {
            match serde_json::from_str(line).context("the child's report is damaged")? {
                News::Inhabitant(pid) => told.inhabitant = Some(pid),
                News::Refused(refusal) => told.refusal = Some(refusal),
            }
        }
        Ok(told)
    }
}

/// Writes a line of the report.
///
/// # Errors
/// When nobody reads it.
pub fn tell(report: &OwnedFd, news: &News) -> Result<()> {
    // In one piece: two processes write into this pipe, and a short write is never divided
    // (pipe(7), PIPE_BUF).
    let line = format!("{}\n", serde_json::to_string(news)?);
    Ok(File::from(report.try_clone()?).write_all(line.as_bytes())?)
}

/// A job that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    report: Report,
    output: File,
    said: Vec<u8>,
}

impl Running {
    /// Listens to what the job says until it has ended, but no longer than this.
    ///
    /// # Errors
    /// When the pipe breaks.
    pub fn wait_for(&mut self, at_most: Duration) -> Result<Option<Outcome>> {
        let until = Instant::now() + at_most;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut pipe = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            if poll(&mut pipe, timeout).map_err(Refusal::of("poll", "the job's output"))? == 0 {
                return Ok(None);
            }
            let mut bytes = [0; 4096];
            match self.output.read(&mut bytes)? {
                0 => return self.outcome().map(Some),
                count => self.said.extend(&bytes[..count]),
            }
        }
    }

    /// Ends it now. What it has started itself becomes ours, and is ended as well.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn stop(&mut self) -> Result<Outcome> {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.outcome()
    }

    fn outcome(&mut self) -> Result<Outcome> {
        let status = self.child.wait()?;
        let observation =
            self.report.read()?.refusal.map_or_else(|| status.into(), Observation::from);
        let said = String::from_utf8_lossy(&self.said).trim_end().to_owned();
        Ok(Outcome { observation, said })
    }
}

/// A contained process that waits. Dropping it kills it and waits for its end.
#[derive(Debug)]
pub struct Held {
    child: Child,
    /// The contained process: the child itself, or a child of it.
    pid: u32,
}

impl Held {
    /// Its number as the host sees it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the end that someone else brings about, and says which it was. The process is
    /// left to be reaped later, so that it can be asked again (waitid(2), `WNOWAIT`).
    ///
    /// # Errors
    /// When it is no child of ours any more.
    pub fn end(&self) -> Result<Observation> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        let pid = Pid::from_raw(i32::try_from(self.child.id())?);
        match waitid(Id::Pid(pid), flags).map_err(Refusal::of("waitid", pid))? {
            WaitStatus::Signaled(_, signal, _) => Ok(Observation::killed(signal)),
            WaitStatus::Exited(_, status) => Ok(Observation::Exited { status }),
            other => bail!("waitid {pid}: unexpected {other:?}"),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The contained process first: then the one that waits for it ends by itself, and leaves
        // no orphan. Each fails only if the process has ended, which is what is wanted.
        let is_apart = self.pid != self.child.id();
        let inhabitant = i32::try_from(self.pid).ok().filter(|_| is_apart).map(Pid::from_raw);
        if inhabitant.is_none_or(|pid| kill(pid, Signal::SIGKILL).is_err()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
