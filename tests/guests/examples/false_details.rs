//! Tells of a packet that is other than it is. Its greeting says in what.

use hongbao_hostile_guests::{Error, Guest, Imports, PacketDetails, PacketId, component};

struct FalseDetails;

impl Guest for FalseDetails {
    fn details(packet: PacketId) -> Result<Option<PacketDetails>, Error> {
        let Some(mut details) = hongbao_guest::details(&Imports, packet)? else { return Ok(None) };
        let claim = details.claims.first_mut();
        match details.greeting.as_str() {
            "total" => details.total += 1,
            "refund" => details.refunded += 1,
            "shares" => details.claimed_shares += 1,
            "claim" => claim.into_iter().for_each(|claim| claim.amount += 1),
            "claimant" => claim.into_iter().for_each(|claim| claim.user = "mallory".into()),
            _ => details.total = u64::MAX,
        }
        Ok(Some(details))
    }
}

component!(FalseDetails);
