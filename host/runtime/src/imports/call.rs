//! The state of one call: its packets and users, and what the stores answered.
//!
//! A plugin names packets and users by their places here, so it can name no others. What it answers is a decision;
//! the amounts, places and ids that belong to it are taken from here.

use std::ops::Range;
use std::sync::Arc;

use super::Breach;
use hongbao_domain::{
    Amount, Grabbed, Message, Opened, OpenedShare, Packet, PacketId, PacketKey, Request, SendError, Sent,
    TenantId, UserId,
};
use hongbao_store::{Loaded, Lookup, Seat, View};

/// What a call is for.
#[derive(Default)]
pub(crate) enum About {
    /// Nothing: what a plugin says of itself, a preview.
    #[default]
    Nothing,
    /// Seats.
    Grab,
    /// Shares.
    Open,
    /// A button.
    Action,
    /// To send what was asked for.
    Request(Box<Request>),
    /// To do what a message says: send one packet of its sender's, or look at those of its room.
    Message(Box<Message>),
}

/// A packet of a call.
pub(super) struct PacketInCall {
    pub(super) key: PacketKey,
    pub(super) users: Range<usize>,
    /// What a lost race showed of the counter: the next look at it needs no round trip.
    pub(super) view: Option<View>,
    /// What a lost race showed of the packet.
    pub(super) packet: Option<Packet>,
}

/// A share, as a store told of it.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) amount: Amount,
    /// The cache knows no places.
    sequence: Option<u32>,
    /// Claimed in this call.
    is_new: bool,
}

/// One call.
#[derive(Default)]
pub(crate) struct Call {
    about: About,
    packets: Vec<PacketInCall>,
    users: Vec<UserId>,
    /// Of each user, as far as a store said so in this call.
    shares: Vec<Option<Known>>,
    /// What became of the order.
    sent: Option<Result<Sent, SendError>>,
}

const OTHER_PACKET: Breach = Breach::Beyond("a packet that the call is not about");
const OTHER_USER: Breach = Breach::Beyond("a user who did not ask");
const NO_SHARE: Breach = Breach::Lie("a share that nobody has");

impl Call {
    /// About no packet yet.
    pub(crate) fn of(about: About) -> Self {
        Self { about, ..Self::default() }
    }

    /// About these packets and users.
    pub(crate) fn taps(about: About, tenant: &TenantId, taps: Vec<(PacketId, Vec<UserId>)>) -> Self {
        let mut call = Self::of(about);
        for (packet, users) in taps {
            let first = call.users.len();
            call.users.extend(users);
            call.add(PacketKey { tenant: tenant.clone(), packet }, first..call.users.len());
        }
        call.shares.resize(call.users.len(), None);
        call
    }

    fn add(&mut self, key: PacketKey, users: Range<usize>) {
        self.packets.push(PacketInCall { key, users, view: None, packet: None });
    }

    pub(super) const fn about(&self) -> &About {
        &self.about
    }

    /// Adds a packet that the call came upon, and gives its place.
    pub(super) fn found(&mut self, key: PacketKey) -> u32 {
        let known = self.packets.iter().position(|packet| packet.key == key);
        let place = known.unwrap_or_else(|| {
            self.add(key, 0..0);
            self.packets.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// How many users each task has.
    pub(super) fn tasks(&self) -> impl ExactSizeIterator<Item = usize> {
        self.packets.iter().map(|packet| packet.users.len())
    }

    pub(super) fn packet(&self, place: u32) -> Result<&PacketInCall, Breach> {
        self.packets.get(place as usize).ok_or(OTHER_PACKET)
    }

    pub(super) fn packet_mut(&mut self, place: u32) -> Result<&mut PacketInCall, Breach> {
        self.packets.get_mut(place as usize).ok_or(OTHER_PACKET)
    }

    /// The packet that a card is about.
    pub(super) fn id(&self, place: u32) -> Result<PacketId, Breach> {
        Ok(self.packet(place)?.key.packet)
    }

    /// Whether these are packets of the call, in ascending order: so none is there twice.
    pub(super) fn check_packets(&self, places: impl Iterator<Item = u32>) -> Result<(), Breach> {
        let mut least = 0;
        for place in places {
            if place < least {
                return Err(Breach::Beyond("packets out of order"));
            }
            self.packet(place)?;
            least = place.saturating_add(1);
        }
        Ok(())
    }

    /// A question about a packet of the call and all its users.
    pub(super) fn lookup(&self, place: u32) -> Result<Lookup<'_>, Breach> {
        let packet = self.packet(place)?;
        Ok(Lookup { key: &packet.key, users: self.users_of(packet) })
    }

    pub(super) fn users_of(&self, packet: &PacketInCall) -> &[UserId] {
        self.users.get(packet.users.clone()).unwrap_or_default()
    }

    pub(super) fn user(&self, place: u32) -> Option<&UserId> {
        self.users.get(place as usize)
    }

    pub(super) fn share(&self, place: usize) -> Option<Known> {
        self.shares.get(place).copied().flatten()
    }

    /// Whether these are users of the packet, in ascending order: so none is there twice.
    pub(super) fn check_users(
        &self,
        packet: &PacketInCall,
        places: impl Iterator<Item = u32>,
    ) -> Result<(), Breach> {
        let mut least = packet.users.start;
        for place in places {
            let place = place as usize;
            if place >= packet.users.end || place < packet.users.start {
                return Err(OTHER_USER);
            }
            if place < least {
                return Err(Breach::Beyond("users out of order"));
            }
            least = place + 1;
        }
        Ok(())
    }

    /// Remembers the shares that a view tells of. It is of all users of the packet.
    pub(super) fn saw_view(&mut self, place: u32, view: &View) {
        let Ok(first) = self.packet(place).map(|packet| packet.users.start) else { return };
        for holder in &view.holders {
            if let Seat::Opened(amount) = holder.seat
                && let Some(share) = self.shares.get_mut(first + holder.index as usize)
                && share.is_none()
            {
                *share = Some(Known { amount, sequence: None, is_new: false });
            }
        }
    }

    /// Remembers the claims of the packet's users.
    pub(super) fn saw_loaded(&mut self, place: u32, loaded: &Loaded) {
        let Some(packet) = self.packets.get(place as usize) else { return };
        let users = packet.users.clone();
        let own = self.users.get(users.clone()).unwrap_or_default();
        let mut near = 0;
        for claim in &loaded.claims {
            // Claims come in the order of the users, mostly.
            let (before, after) = own.split_at(near.min(own.len()));
            let ahead = after.iter().position(|user| *user == claim.user).map(|place| near + place);
            let found = ahead.or_else(|| before.iter().position(|user| *user == claim.user));
            let Some(found) = found else { continue };
            near = found + 1;
            if let Some(share) = self.shares.get_mut(users.start + found) {
                let is_new = share.is_some_and(|known| known.is_new);
                *share = Some(Known { amount: claim.amount, sequence: Some(claim.sequence), is_new });
            }
        }
    }

    /// Remembers a share that was claimed in this call.
    pub(super) fn claimed(&mut self, user: u32, amount: Amount, sequence: u32) {
        if let Some(share) = self.shares.get_mut(user as usize) {
            *share = Some(Known { amount, sequence: Some(sequence), is_new: true });
        }
    }

    /// Whether a claim of a user of this packet is known.
    pub(super) fn has_claimed(&self, place: usize) -> bool {
        self.share(place).is_some_and(|share| share.sequence.is_some())
    }

    pub(super) const fn has_sent(&self) -> bool {
        matches!(self.sent, Some(Ok(_)))
    }

    pub(super) fn sent(&mut self, sent: Result<Sent, SendError>) {
        self.sent = Some(sent);
    }

    /// What became of the order; None where none was given.
    pub(super) fn take_sent(&mut self) -> Option<Result<Sent, SendError>> {
        self.sent.take()
    }

    /// Whether each user has one answer.
    pub(super) fn check_answers<T>(&self, answers: Vec<T>) -> Result<Vec<T>, Breach> {
        let (given, asked) = (answers.len(), self.users.len());
        if given == asked { Ok(answers) } else { Err(Breach::Answers { given, asked }) }
    }

    /// The answer of a user who has opened before, by the plugin's word.
    pub(super) fn already_opened(&self, place: usize) -> Result<Grabbed, Breach> {
        self.share(place).map(|share| Grabbed::AlreadyOpened(share.amount)).ok_or(NO_SHARE)
    }

    /// The answer of a user by the plugin's word; of one who has a share, by the ledger's.
    pub(super) fn opened(&self, place: usize, said: Option<Opened>) -> Result<Opened, Breach> {
        match self.share(place) {
            Some(Known { amount, sequence: Some(sequence), is_new }) => {
                let share = OpenedShare { amount, sequence };
                Ok(if is_new { Opened::Opened(share) } else { Opened::AlreadyOpened(share) })
            }
            _ => said.ok_or(NO_SHARE),
        }
    }

    /// The share of a user, as a plugin is told of it.
    pub(super) fn claim_of(&self, place: usize) -> Option<(Amount, u32)> {
        let Known { amount, sequence, .. } = self.share(place)?;
        Some((amount, sequence?))
    }

    /// The names of a packet's users.
    pub(super) fn names(&self, place: u32) -> Result<Vec<String>, Breach> {
        let packet = self.packet(place)?;
        Ok(self.users_of(packet).iter().map(|user| user.as_str().to_owned()).collect())
    }
}

/// Whom an order may be for, by places in a list of users.
pub(super) fn named(places: &[u32], users: &[&UserId]) -> Result<Arc<[UserId]>, Breach> {
    let user = |place: &u32| users.get(*place as usize).map(|user| (*user).clone());
    places
        .iter()
        .map(user)
        .collect::<Option<Arc<[UserId]>>>()
        .ok_or(Breach::Beyond("a user whom nobody named"))
}
