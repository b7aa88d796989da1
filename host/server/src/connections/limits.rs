//! Limits on connections.

use std::time::Duration;

use super::RESERVED;

/// Bounds on the connections of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections in all.
    pub all: usize,
    /// Connections of one IPv4 address, or of one IPv6 network of 64 bits.
    pub per_address: usize,
    /// Connections that count as one tenant's. Those beyond are as a stranger's, and the first to make room.
    pub per_tenant: usize,
    /// For the head of a request: of the first one from the moment the connection is accepted, of a later one over
    /// HTTP/1 from its first byte.
    pub head: Duration,
    /// So long a connection may go without a request, and an answer may take to be read.
    pub idle: Duration,
    /// So long a peer may read nothing while there is something to send.
    pub unread: Duration,
}

impl Default for ConnectionLimits {
    /// As many again as streams of events. Balancers keep idle connections for a minute: this side is to be the
    /// last to close one.
    fn default() -> Self {
        Self {
            all: 20_000,
            per_address: 10_000,
            per_tenant: 5_000,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            unread: Duration::from_secs(30),
        }
    }
}

impl ConnectionLimits {
    /// The same where no more than `descriptors` may be open in this process. An address that could have a part of
    /// all can still have a part, and no more than half; a tenant no more than a quarter.
    pub(crate) fn within(self, descriptors: u64) -> Self {
        let room = descriptors - RESERVED.min(descriptors / 2);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let all = self.all.min(room.saturating_sub(slack(room)).max(1));
        let per_address = match self.per_address {
            most if most >= self.all => all,
            most if most >= all => all.div_ceil(2),
            most => most,
        };
        let per_tenant = match self.per_tenant {
            most if most >= self.all => all,
            most if all < self.all => most.min(all.div_ceil(4)),
            most => most,
        };
        Self { all, per_address, per_tenant, ..self }
    }

    /// Those that were told to close count until they are gone, and there may be so many with them.
    pub(super) const fn at_most(&self) -> usize {
        self.all.saturating_add(slack(self.all))
    }
}

const fn slack(connections: usize) -> usize {
    let part = connections / 8;
    if part < 4 { 4 } else { part }
}

/// How many descriptors this process may have open.
pub(crate) fn descriptors() -> u64 {
    // Where nobody can tell, connections are bounded by the settings alone.
    rlimit::Resource::NOFILE.get_soft().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_to_the_stores() {
        let limits = ConnectionLimits::default();
        assert_eq!(limits.within(1 << 20), limits);
        let few = limits.within(1024);
        assert_eq!((few.all, few.per_address, few.per_tenant), (784, 392, 196));
        for descriptors in [16, 64, 100, 256, 1024, 4096, 20_000] {
            let within = limits.within(descriptors);
            let left = descriptors - u64::try_from(within.at_most()).unwrap();
            assert!(within.all >= 1 && left >= RESERVED.min(descriptors / 2), "{descriptors}: {within:?}");
        }
        let address = ConnectionLimits { per_address: 7, ..limits };
        assert_eq!(address.within(1024).per_address, 7);
        let balancer = ConnectionLimits { per_address: limits.all, ..limits };
        assert_eq!(balancer.within(1024).per_address, 784);
        let alone = ConnectionLimits { per_tenant: limits.all, ..limits };
        assert_eq!(alone.within(1024).per_tenant, 784);
    }
}
