use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::Context;

/// What a process has used of the processor so far, all its threads together.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    Ok(Stat::of(pid)?.used)
}

/// What a process and those that it has started have used of the processor so far, whether or not these still run.
pub(crate) fn cpu_time_of_tree(pid: u32) -> anyhow::Result<Duration> {
    let own = Stat::of(pid)?;
    let processes = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // One that has gone meanwhile counts among those its parent has waited for.
    let children = processes.filter_map(|process| Stat::of(process).ok()).filter(|stat| stat.parent == pid);
    Ok(children.map(|child| child.used).sum::<Duration>() + own.used + own.used_by_children)
}

/// The line in which the kernel tells of a process.
struct Stat {
    parent: u32,
    used: Duration,
    used_by_children: Duration,
}

impl Stat {
    fn of(pid: u32) -> anyhow::Result<Self> {
        // The unit of these fields on every Linux (USER_HZ), whatever the kernel's own clock.
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
        // The name, in parentheses, may hold anything. Behind it the first field is the third of the line.
        let (_, behind_name) = stat.rsplit_once(')').context("no name in the line")?;
        let fields: Vec<&str> = behind_name.split_whitespace().collect();
        let field = |number: usize| anyhow::Ok(fields.get(number - 3).context("too few fields")?.parse::<f64>()?);
        let time =
            |number| anyhow::Ok(Duration::from_secs_f64((field(number)? + field(number + 1)?) / TICKS_PER_SECOND));
        let parent = fields.get(1).context("too few fields")?.parse()?;
        Ok(Self { parent, used: time(14)?, used_by_children: time(16)? })
    }
}

/// The memory a process holds (resident set), in MiB.
pub(crate) fn memory_mib(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

/// What the figures were measured on, and how busy it was with other things just before.
pub(crate) fn machine() -> anyhow::Result<String> {
    let load = fs::read_to_string("/proc/loadavg")?;
    let last_minute = load.split_whitespace().next().context("a load average")?;
    let cores = thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).context("no MemTotal")?;
    let gib = total.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0 / 1024.0;
    Ok(format!("{cores} cores, {gib:.0} GiB; load average before: {last_minute}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_time_and_memory() -> anyhow::Result<()> {
        let me = std::process::id();
        let before = cpu_time(me)?;
        let mut numbers: Vec<u64> = (0..4_000_000).collect();
        while cpu_time(me)? == before {
            numbers.rotate_left(1);
        }
        assert!(memory_mib(me)? > 4_000_000.0 * 8.0 / 1024.0 / 1024.0);
        Ok(())
    }
}
