//! The tasks of a call: which of its users belong to which of its packets.

use core::ops::Range;

use crate::bindings::exports::hongbao::plugin::packets::Task;
use crate::bindings::hongbao::plugin::types::PacketIndex;

/// Where each packet's users stand in the lists over all users.
pub(crate) struct Tasks(Vec<Range<usize>>);

impl Tasks {
    pub(crate) fn of(tasks: &[Task]) -> Self {
        let mut next = 0;
        let range = |task: &Task| {
            let range = next..next + task.users as usize;
            next = range.end;
            range
        };
        Self(tasks.iter().map(range).collect())
    }

    /// How many users there are.
    pub(crate) fn users(&self) -> usize {
        self.0.last().map_or(0, |last| last.end)
    }

    /// All packets.
    pub(crate) fn packets(&self) -> Vec<PacketIndex> {
        (0..self.0.len() as PacketIndex).collect()
    }

    /// The places of a packet's users.
    pub(crate) fn users_of(&self, packet: PacketIndex) -> Range<usize> {
        self.0.get(packet as usize).cloned().unwrap_or_default()
    }
}
