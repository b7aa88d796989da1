//! Errors that stop a plugin.

use hongbao_domain::{AmountError, Grant, IdError, Limit};

/// Why a plugin was stopped. Each costs the instance.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Breach {
    #[error("the plugin computed for more than {0} ms")]
    Cpu(u64),
    #[error("the plugin made more than {0} host calls in one call")]
    HostCalls(u32),
    #[error("the plugin wanted more than {0} bytes of memory")]
    Memory(usize),
    #[error("the plugin wanted a table of more than {0} elements")]
    Tables(usize),
    #[error("the plugin handed over more than {0} bytes at once")]
    HostBytes(usize),
    #[error("the plugin called `{0}`, which it was not granted")]
    NotGranted(Grant),
    #[error("the plugin named a user that is none: a user {0}")]
    Name(IdError),
    #[error("the plugin used an amount that is none: {0}")]
    Amount(AmountError),
    #[error("the plugin asked for {0} random numbers at once")]
    Entropy(u64),
    /// It reached for something that this call is not about.
    #[error("the plugin reached for {0}")]
    Beyond(&'static str),
    /// It answered what the stores did not say.
    #[error("the plugin told of {0}")]
    Lie(&'static str),
    #[error("the plugin gave {given} answers to {asked} users")]
    Answers { given: usize, asked: usize },
    /// It answered what no platform could show.
    #[error("the plugin's answer has {0}")]
    Reply(&'static str),
}

impl Breach {
    /// The limit that was reached; None where it was none.
    pub(crate) const fn limit(&self) -> Option<Limit> {
        match self {
            Self::Cpu(_) => Some(Limit::Cpu),
            Self::HostCalls(_) => Some(Limit::HostCalls),
            Self::Memory(_) => Some(Limit::Memory),
            Self::Tables(_) => Some(Limit::Tables),
            Self::HostBytes(_) => Some(Limit::HostBytes),
            _ => None,
        }
    }
}
