//! Starting a contained process and learning what became of it.
//!
//! Every job is run by our own binary, started again as `workbench enter …`. If the kernel
//! refuses a system call, the child writes the [`Refusal`] into a pipe. If it refuses none, the
//! pipe is closed by `execve`, and the end of the file is the news that the program has begun.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, pipe2};

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
        let (output, input) = pipe()?;
        let (mut child, report) = self.start(job, |command| {
            // An empty pipe is what /dev/null would be, on a host that may not have one.
            let (nothing, _) = pipe()?;
            command.stdin(nothing).stdout(input.try_clone()?).stderr(input);
            Ok(())
        })?;
        let mut said = Vec::new();
        File::from(output).read_to_end(&mut said)?;
        let status = child.wait()?;
        let observation = report.refusal()?.map_or_else(|| status.into(), Observation::from);
        Ok(Outcome { observation, said: String::from_utf8_lossy(&said).trim_end().to_owned() })
    }

    /// Starts a job that stays alive until it is dropped. It has to print one line when it is
    /// ready, and then to wait for the end of its standard input.
    ///
    /// # Errors
    /// When the kernel refuses a call, or the job ends before it is ready.
    pub fn hold(&self, job: &Job) -> Result<Held> {
        let (mut child, report) = self.start(job, |command| {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            Ok(())
        })?;
        let stdout = child.stdout.take();
        let held = Held { child };
        if let Some(refusal) = report.refusal()? {
            return Err(refusal.into());
        }
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
        let (mut child, report) = self.start(job, |command| {
            // Without a file for its history, the shell writes nothing but what is typed into it.
            command.env("HISTFILE", "").env("PATH", self.path_of_shells());
            command.envs(variables.iter().map(|(name, value)| (name, value)));
            Ok(())
        })?;
        let status = child.wait()?;
        report.refusal()?.map_or(Ok(status), |refusal| Err(refusal.into()))
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
        Ok((child, Report(reader)))
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    Ok(pipe2(OFlag::O_CLOEXEC).map_err(Refusal::of("pipe2", "O_CLOEXEC"))?)
}

/// The reading end of the pipe by which the child reports.
struct Report(OwnedFd);

impl Report {
    /// Waits until the program has begun, or the kernel has refused.
    fn refusal(self) -> Result<Option<Refusal>> {
        let mut text = String::new();
        File::from(self.0).read_to_string(&mut text)?;
        if text.is_empty() {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&text).context("the child's report is damaged")?))
    }
}

/// A contained process that waits. Dropping it kills it and waits for its end.
#[derive(Debug)]
pub struct Held {
    child: Child,
}

impl Held {
    /// Its number as the host sees it.
    pub fn pid(&self) -> u32 {
        self.child.id()
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
        // Both fail only if the process has ended and been reaped, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child's end of the pipe, taken over from the number on its command line.
///
/// # Errors
/// When there is no such descriptor.
pub fn report_writer(number: i32) -> Result<OwnedFd, Refusal> {
    // Opening the descriptor's own file gives one that `execve` closes, without `unsafe`.
    let path = PathBuf::from(format!("/proc/self/fd/{number}"));
    let file = File::options().write(true).open(&path).map_err(Refusal::io("open", &path))?;
    nix::unistd::close(number).map_err(Refusal::of("close", number))?;
    Ok(OwnedFd::from(file))
}
