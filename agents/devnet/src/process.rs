//! Child processes that never outlive their owner.

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};

/// Lines of a log that a failure shows.
const TAIL_LINES: usize = 25;

/// A child process in a process group of its own, which is killed when this is dropped. Both its outputs go into a log.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; its output is appended to `log`.
    ///
    /// # Errors
    /// If the log cannot be written or the program cannot be started.
    pub fn spawn(name: &str, mut command: Command, log: PathBuf) -> Result<Self> {
        let output = File::options().create(true).append(true).open(&log);
        let output = output.with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        die_with_parent(&mut command);
        let child = command.spawn().with_context(|| format!("cannot start {name} ({:?})", command.get_program()))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Fails if the process has ended, with the end of its log.
    ///
    /// # Errors
    /// If it has ended.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}); its log ends:\n{}", self.name, self.tail()),
        }
    }

    /// Kills at once, as `kill -9` does, the process and what it started.
    pub fn kill(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        if let Some(group) = self.pid() {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }

    /// Freezes the process until [`Self::resume`].
    ///
    /// # Errors
    /// If it has ended.
    pub fn pause(&mut self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    /// If it has ended.
    pub fn resume(&mut self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Asks the process to end and waits. One that has not ended after `patience` is killed.
    ///
    /// # Errors
    /// If it had to be killed or did not exit with 0, with the end of its log.
    pub async fn stop(&mut self, patience: Duration) -> Result<()> {
        self.check()?;
        let pid = self.pid().ok_or_else(|| anyhow!("{} has no process id", self.name))?;
        kill_process(pid, Signal::TERM)?;
        match self.wait(patience).await? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("{} ended with {status} when asked to; its log ends:\n{}", self.name, self.tail()),
            None => {
                self.kill();
                bail!("{} had not ended {patience:?} after SIGTERM; its log ends:\n{}", self.name, self.tail())
            }
        }
    }

    /// Waits for the process to end by itself; `None` if it has not within `patience`.
    ///
    /// # Errors
    /// If the operating system does not know the process.
    pub async fn wait(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            sleep(Duration::from_millis(25)).await;
        }
    }

    /// All that the process printed so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The end of the log.
    pub fn tail(&self) -> String {
        tail(&self.log())
    }

    /// Where the log is.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        self.check()?;
        let group = self.pid().ok_or_else(|| anyhow!("{} has no process id", self.name))?;
        Ok(kill_process_group(group, signal)?)
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs `command` to its end.
///
/// # Errors
/// If it cannot be started, fails or takes longer than `patience`, with the end of what it printed.
pub async fn run(name: &str, command: Command, patience: Duration) -> Result<Output> {
    let output = output(name, command, patience).await?;
    if !output.status.success() {
        let printed = [output.stdout, output.stderr].concat();
        bail!("{name} failed ({}):\n{}", output.status, tail(&String::from_utf8_lossy(&printed)));
    }
    Ok(output)
}

/// Runs `command` to its end, whatever its exit status.
///
/// # Errors
/// If it cannot be started or takes longer than `patience`.
pub async fn output(name: &str, mut command: Command, patience: Duration) -> Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    die_with_parent(&mut command);
    let mut command = tokio::process::Command::from(command);
    let output = command.kill_on_drop(true).output();
    timeout(patience, output)
        .await
        .map_err(|_| anyhow!("{name} had not finished after {patience:?}"))?
        .with_context(|| format!("cannot run {name}"))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Even a parent that was killed with -9 leaves no child behind. Linux only; elsewhere `Drop` must do.
///
/// The signal comes when the *thread* that started the child ends, so children are started from threads that live as
/// long as the program: the main thread and the runtime's workers, never from `spawn_blocking`.
fn die_with_parent(command: &mut Command) {
    #[cfg(target_os = "linux")]
    // SAFETY: between fork and exec only one system call is made, which is safe there.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}
