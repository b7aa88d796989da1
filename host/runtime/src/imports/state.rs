//! The state of an instance.

use std::sync::Arc;
use std::time::Duration;

use super::Breach;
use super::call::Call;
use super::context::TenantContext;
use super::memory::Memory;
use super::meter::Meter;
use super::stores::{Deadline, Stores};
use hongbao_domain::{Grant, Limit};

/// Plain data of one wasmtime store.
pub(crate) struct InstanceState {
    pub(crate) context: Arc<TenantContext>,
    pub(crate) memory: Memory,
    pub(super) call: Call,
    pub(super) meter: Meter,
    deadline: Deadline,
    host_calls: u32,
    pub(super) log_bytes: usize,
    /// Limits that this call reached and that did not stop it, each once.
    pub(crate) reached: Vec<Limit>,
}

impl InstanceState {
    pub(crate) fn new(context: Arc<TenantContext>) -> Self {
        Self {
            memory: Memory::new(&context.limits),
            context,
            call: Call::default(),
            meter: Meter::default(),
            deadline: Deadline::after(Duration::ZERO),
            host_calls: 0,
            log_bytes: 0,
            reached: Vec::new(),
        }
    }

    /// Before each call.
    pub(crate) fn begin(&mut self, call: Call) {
        self.call = call;
        self.meter = Meter::default();
        self.host_calls = 0;
        self.log_bytes = 0;
        self.reached.clear();
    }

    /// The call goes on without what this limit is about.
    pub(super) fn reach(&mut self, limit: Limit) {
        if !self.reached.contains(&limit) {
            self.reached.push(limit);
        }
    }

    /// When the next call must have its answer.
    pub(crate) const fn until(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// Counts a tick of the epoch.
    pub(crate) fn tick(&mut self) -> Result<(), Breach> {
        let (computed, most) = (self.meter.tick(), self.context.limits.cpu_ms);
        if computed >= Duration::from_millis(most.max(1)) { Err(Breach::Cpu(most)) } else { Ok(()) }
    }

    /// Every imported function comes through here first.
    pub(super) fn enter(&mut self, grant: Grant) -> Result<(), Breach> {
        if !self.context.grants.has(grant) {
            return Err(Breach::NotGranted(grant));
        }
        self.host_calls += 1;
        let most = self.context.limits.host_calls;
        if self.host_calls > most {
            return Err(Breach::HostCalls(most));
        }
        Ok(())
    }

    /// The parts that a question to the stores needs: what is asked, who waits, what is known.
    pub(super) fn parts(&mut self) -> (Stores<'_>, &mut Meter, &mut Call) {
        (Stores::new(&self.context, self.deadline), &mut self.meter, &mut self.call)
    }
}
