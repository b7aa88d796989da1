//! `counter`: the host adds the tenant, the time and the length of a lease, and builds what the cache has lost.

use wasmtime::Result;

use super::bindings::hongbao::plugin::counter::{self, Host};
use super::bindings::hongbao::plugin::types::Failure as WitFailure;
use super::convert::wit_failure;
use crate::imports::call::{Call, PacketInCall};
use crate::imports::failure::Failure;
use crate::imports::{Breach, InstanceState};
use hongbao_domain::{Grant, UserId};
use hongbao_store::{Lookup, Seat, Swap, Swapped, View};

impl Host for InstanceState {
    async fn load(&mut self, packets: Vec<u32>) -> Result<counter::Views> {
        self.enter(Grant::Counter)?;
        let (stores, meter, call) = self.parts();
        call.check_packets(packets.iter().copied())?;
        let kept = packets.iter().map(|place| Ok(call.packet_mut(*place)?.view.take()));
        let kept = kept.collect::<Result<Vec<_>, Breach>>()?;
        let loaded = {
            let unknown = packets.iter().zip(&kept).filter(|(_, kept)| kept.is_none());
            let lookups =
                unknown.map(|(place, _)| call.lookup(*place)).collect::<Result<Vec<_>, Breach>>()?;
            let views = match lookups.as_slice() {
                [] => Vec::new(),
                asked => meter.wait(stores.views(asked)).await,
            };
            let mut views = views.into_iter();
            let view = |kept: Option<View>| match kept {
                Some(view) => Ok(view),
                None => views.next().unwrap_or(Err(Failure::NotFound)),
            };
            kept.into_iter().map(view).collect::<Vec<_>>()
        };
        let mut views = counter::Views { packets: Vec::with_capacity(packets.len()), seats: Vec::new() };
        for (place, view) in packets.iter().zip(loaded) {
            let packet = call.packet(*place)?;
            seats(call, packet, view.as_ref().ok(), &mut views.seats);
            if let Ok(view) = &view {
                call.saw_view(*place, view);
            }
            views.packets.push(view.map(|view| wit_view(&view)).map_err(wit_failure));
        }
        Ok(views)
    }

    async fn swap(
        &mut self,
        attempts: Vec<counter::Attempt>,
        users: Vec<u32>,
    ) -> Result<Vec<Result<counter::Swapped, WitFailure>>> {
        self.enter(Grant::Counter)?;
        let (stores, meter, call) = self.parts();
        let (swapped, whole) = {
            let call = &*call;
            let groups = attempts.iter().map(|attempt| (attempt.packet, attempt.users));
            let groups = own(call, groups, &users)?;
            let swaps: Vec<_> = attempts
                .iter()
                .zip(&groups)
                .map(|(attempt, group)| Swap {
                    key: &group.packet.key,
                    version: attempt.version,
                    take: group.users(call),
                })
                .collect();
            let swapped = meter.wait(stores.swap(&swaps)).await;
            (swapped, groups.iter().map(Group::is_whole).collect::<Vec<_>>())
        };
        let mut answers = Vec::with_capacity(attempts.len());
        for ((attempt, swapped), is_whole) in attempts.iter().zip(swapped).zip(whole) {
            answers.push(match swapped {
                Ok(Swapped::Won(_)) => Ok(counter::Swapped::Won),
                Ok(Swapped::Missing) => Ok(counter::Swapped::Stale),
                Ok(Swapped::Stale(view)) => {
                    // What a refusal shows is of use only if it is about all users of the packet.
                    if is_whole {
                        call.packet_mut(attempt.packet)?.view = Some(view);
                    }
                    Ok(counter::Swapped::Stale)
                }
                Err(failure) => Err(wit_failure(failure)),
            });
        }
        Ok(answers)
    }

    async fn admit(
        &mut self,
        groups: Vec<counter::Group>,
        users: Vec<u32>,
    ) -> Result<Vec<Result<(), WitFailure>>> {
        self.enter(Grant::Counter)?;
        let (stores, meter, call) = self.parts();
        let call = &*call;
        let groups = own(call, groups.iter().map(|group| (group.packet, group.users)), &users)?;
        let lookups: Vec<_> =
            groups.iter().map(|group| Lookup { key: &group.packet.key, users: group.users(call) }).collect();
        let admitted = meter.wait(stores.admit(&lookups)).await;
        Ok(admitted.into_iter().map(|admitted| admitted.map_err(wit_failure)).collect())
    }

    async fn seats(&mut self, packets: Vec<u32>) -> Result<counter::Seatings> {
        self.enter(Grant::Counter)?;
        let (stores, meter, call) = self.parts();
        call.check_packets(packets.iter().copied())?;
        let call = &*call;
        let lookups = packets.iter().map(|place| call.lookup(*place)).collect::<Result<Vec<_>, Breach>>()?;
        let asked = meter.wait(stores.seatings(&lookups)).await;
        let mut seatings = counter::Seatings { packets: Vec::new(), may_open: Vec::new() };
        for (asked, seating) in lookups.iter().zip(asked) {
            let first = seatings.may_open.len();
            let is_lenient = seating.as_ref().is_ok_and(|seating| seating.lenient);
            seatings.may_open.resize(first + asked.users.len(), is_lenient);
            for holder in seating.iter().flat_map(|seating| &seating.holders) {
                if let Some(may_open) = seatings.may_open.get_mut(first + holder.index as usize) {
                    *may_open = true;
                }
            }
            seatings.packets.push(seating.map(drop).map_err(wit_failure));
        }
        Ok(seatings)
    }
}

/// Some users of a packet.
struct Group<'c> {
    packet: &'c PacketInCall,
    count: usize,
    /// Empty where they are all users of the packet.
    some: Vec<UserId>,
}

impl Group<'_> {
    fn is_whole(&self) -> bool {
        self.count == self.packet.users.len()
    }

    fn users<'g>(&'g self, call: &'g Call) -> &'g [UserId] {
        if self.is_whole() { call.users_of(self.packet) } else { &self.some }
    }
}

/// The users that belong to each packet, if they are users of it.
fn own<'c>(
    call: &'c Call,
    groups: impl ExactSizeIterator<Item = (u32, u32)> + Clone,
    users: &[u32],
) -> Result<Vec<Group<'c>>, Breach> {
    const COUNT: Breach = Breach::Beyond("more or fewer users than it says");
    call.check_packets(groups.clone().map(|(packet, _)| packet))?;
    let (mut rest, mut all) = (users, Vec::with_capacity(groups.len()));
    for (place, count) in groups {
        let (own, others) = rest.split_at_checked(count as usize).ok_or(COUNT)?;
        let packet = call.packet(place)?;
        call.check_users(packet, own.iter().copied())?;
        let mut group = Group { packet, count: own.len(), some: Vec::new() };
        if !group.is_whole() {
            group.some = own.iter().filter_map(|user| call.user(*user).cloned()).collect();
        }
        all.push(group);
        rest = others;
    }
    if rest.is_empty() { Ok(all) } else { Err(COUNT) }
}

/// The seats of all users of a packet.
fn seats(call: &Call, packet: &PacketInCall, view: Option<&View>, seats: &mut Vec<counter::Seat>) {
    let first = seats.len();
    let seat = |user: &UserId| match view {
        Some(view) if !view.card.audience.admits(user) => counter::Seat::NotEligible,
        _ => counter::Seat::None,
    };
    seats.extend(call.users_of(packet).iter().map(seat));
    for holder in view.into_iter().flat_map(|view| &view.holders) {
        if let Some(seat @ counter::Seat::None) = seats.get_mut(first + holder.index as usize) {
            *seat = match holder.seat {
                Seat::Leased => counter::Seat::Leased,
                Seat::Opened(_) => counter::Seat::Opened,
            };
        }
    }
}

fn wit_view(view: &View) -> counter::View {
    counter::View {
        version: view.version,
        slots: view.slots,
        finished: view.finished,
        expires_at_ms: view.card.expires_at_ms,
    }
}
