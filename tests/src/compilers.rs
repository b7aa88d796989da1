//! The compilers that a process has started, as the system sees them.

use std::fs;

/// A compiling child.
#[derive(Clone, Copy, Debug)]
pub struct CompilerProcess {
    /// Its id.
    pub id: u32,
    /// Memory that it has, in bytes.
    pub resident: u64,
    /// How far it stands back: 0 as any other, 19 at most.
    pub nice: i64,
}

/// Those of this process that live now.
#[must_use]
pub fn compilers(parent: u32) -> Vec<CompilerProcess> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| {
        let arguments = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let is_compiler = arguments.split(|byte| *byte == 0).any(|argument| argument == b"compile-plugin");
        let is_ours = status(id, "PPid:")? == u64::from(parent);
        (is_compiler && is_ours)
            .then(|| Some(CompilerProcess { id, resident: resident(id)?, nice: nice(id)? }))?
    })
    .collect()
}

/// Memory that a process has, in bytes; None where there is no such process.
#[must_use]
pub fn resident(id: u32) -> Option<u64> {
    Some(status(id, "VmRSS:")? * 1024)
}

/// The nineteenth field; those after the name, which may have spaces, begin with the third.
fn nice(id: u32) -> Option<i64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.parse().ok()
}

fn status(id: u32, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}
