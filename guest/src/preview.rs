//! Preview: the shares of an imaginary packet, so that simulations run the real code.

use crate::Host;
use crate::allocation::{Rule, check};
use crate::bindings::hongbao::plugin::types::Strategy;
use crate::draws::Draws;

/// Shares in the order of claiming, or the sentence that says why there are none.
pub fn preview(host: &impl Host, strategy: Strategy, total: u64, shares: u32) -> Result<Vec<u64>, String> {
    let limits = host.limits();
    check(strategy, total, shares, &limits)?;
    let rule = Rule { strategy, total, shares, max_share: limits.max_share };
    Ok(rule.draw_all(&mut Draws::new(host, shares)))
}
