//! Processes that are measured: what processor time and memory they take.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Who sleeps for so long twice, without a moment of work between, is waiting for others.
const AT_REST: Duration = Duration::from_millis(2);

/// A process under measurement, killed when dropped.
///
/// One ends at a time: what it took is told from what all ended ones took.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    clock: ClockId,
}

/// What came of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Processor time, its own and the kernel's for it, from `exec` to its end.
    pub(crate) cpu: Duration,
}

impl Process {
    /// Starts a process that writes to `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file = std::fs::File::create(log).with_context(|| format!("create {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("start {command:?}"))?;
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(child.id())?))?;
        Ok(Self { child, log: log.to_owned(), clock })
    }

    /// Processor time so far, all threads, as soon as it takes none for a moment.
    pub(crate) async fn cpu_at_rest(&self) -> anyhow::Result<Duration> {
        let mut before = [Duration::MAX; 2];
        loop {
            let cpu = Duration::from(clock_gettime(self.clock)?);
            if before == [cpu; 2] {
                return Ok(cpu);
            }
            before = [before[1], cpu];
            tokio::time::sleep(AT_REST).await;
        }
    }

    /// Bytes of memory that it has now.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        memory(&self.child.id().to_string(), "VmRSS:")
    }

    /// The most bytes of memory that it has had.
    pub(crate) fn peak(&self) -> anyhow::Result<u64> {
        memory(&self.child.id().to_string(), "VmHWM:")
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<Ended> {
        loop {
            if let Some(ended) = self.reap()? {
                return Ok(ended);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until it has done what it was started for; anything but success is an error.
    pub(crate) async fn succeeded(mut self) -> anyhow::Result<Ended> {
        let ended = self.ended().await?;
        if !ended.status.success() {
            bail!("{}", self.told(&format!("it ended: {}", ended.status)));
        }
        Ok(ended)
    }

    /// Ends it where it stands.
    pub(crate) async fn kill(mut self) -> anyhow::Result<Ended> {
        self.child.kill()?;
        let ended = self.ended().await?;
        if ended.status.signal() != Some(9) {
            bail!("{}", self.told(&format!("it ended before its time: {}", ended.status)));
        }
        Ok(ended)
    }

    /// A complaint about it, with what it wrote.
    pub(crate) fn told(&self, complaint: &str) -> String {
        let written = std::fs::read_to_string(&self.log).unwrap_or_default();
        format!("{complaint}\nwhat it wrote:\n{written}")
    }

    fn reap(&mut self) -> anyhow::Result<Option<Ended>> {
        let before = used(UsageWho::RUSAGE_CHILDREN)?;
        let Some(status) = self.child.try_wait()? else { return Ok(None) };
        Ok(Some(Ended { status, cpu: used(UsageWho::RUSAGE_CHILDREN)? - before }))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both do nothing to a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time that this process has taken.
pub(crate) fn own_cpu() -> anyhow::Result<Duration> {
    used(UsageWho::RUSAGE_SELF)
}

/// The most bytes of memory that this process has had.
pub(crate) fn own_peak() -> anyhow::Result<u64> {
    memory("self", "VmHWM:")
}

fn memory(process: &str, field: &str) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let line = line.with_context(|| format!("{path} has no {field}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

fn used(who: UsageWho) -> anyhow::Result<Duration> {
    let usage = getrusage(who)?;
    let both = usage.user_time() + usage.system_time();
    Ok(Duration::new(u64::try_from(both.tv_sec())?, u32::try_from(both.tv_usec())? * 1000))
}
