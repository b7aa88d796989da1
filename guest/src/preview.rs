//! Preview: the shares of an imaginary packet, so that simulations run the real code.

use crate::Host;
use crate::allocation::{Rule, Strategy, check};
use crate::draws::Draws;

/// Shares in the order of claiming, or the sentence that says why there are none.
pub fn preview(host: &impl Host, strategy: &str, total: u64, shares: u32) -> Result<Vec<u64>, String> {
    let limits = host.limits();
    let strategy = Strategy::named(strategy)?;
    check(strategy, total, shares, &limits)?;
    let rule = Rule { strategy, total, shares, max_share: limits.max_share };
    Ok(rule.draw_all(&mut Draws::new(None, shares, |_, count| host.u64s(count))))
}
