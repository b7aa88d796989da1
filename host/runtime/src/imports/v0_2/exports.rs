//! `packets`, called with domain values and answered in them. A plugin says what it decides; what that comes to in
//! money is what the stores said.

use wasmtime::Result;

use super::bindings::exports::hongbao::plugin::packets;
use super::convert::words;
use crate::imports::call::{About, Call};
use crate::imports::{Breach, Calls, Exports};
use hongbao_domain::{Grabbed, Opened, PacketId, Request, SendError, Sent, Strategy, UserId};

impl Calls<'_> {
    pub(crate) async fn send(mut self, request: Request) -> Result<Result<Sent, SendError>> {
        let wit = wit_request(&request);
        self.begin(Call::of(About::Request(Box::new(request))));
        let Exports::V0_2(exports) = self.exports;
        let said = exports.packets.call_send(&mut *self.store, &wit).await?;
        // What the ledger said of the order counts, whatever the plugin says of it.
        match (self.store.data_mut().call.take_sent(), said) {
            (Some(sent), _) => Ok(sent),
            (None, Err(why)) => Ok(Err(SendError::InvalidArgument(words(&why)))),
            (None, Ok(())) => Err(Breach::Lie("a packet that was not sent").into()),
        }
    }

    pub(crate) async fn grab(mut self, taps: Vec<(PacketId, Vec<UserId>)>) -> Result<Vec<Grabbed>> {
        let tasks = self.begin_taps(About::Grab, taps);
        let Exports::V0_2(exports) = self.exports;
        let said = exports.packets.call_grab(&mut *self.store, &tasks).await?;
        let call = &self.store.data().call;
        let said = call.check_answers(said)?;
        let answers = said.into_iter().enumerate().map(|(place, said)| grabbed(call, place, said));
        Ok(answers.collect::<Result<_, Breach>>()?)
    }

    pub(crate) async fn open(mut self, taps: Vec<(PacketId, Vec<UserId>)>) -> Result<Vec<Opened>> {
        let tasks = self.begin_taps(About::Open, taps);
        let Exports::V0_2(exports) = self.exports;
        let said = exports.packets.call_open(&mut *self.store, &tasks).await?;
        let call = &self.store.data().call;
        let said = call.check_answers(said)?;
        let answers = said.into_iter().enumerate().map(|(place, said)| call.opened(place, opened(said)));
        Ok(answers.collect::<Result<_, Breach>>()?)
    }

    /// The shares in minor units, or the sentence that says why not.
    pub(crate) async fn preview(
        mut self,
        strategy: Strategy,
        total: u64,
        shares: u32,
    ) -> Result<Result<Vec<u64>, String>> {
        self.begin(Call::default());
        let Exports::V0_2(exports) = self.exports;
        let drawn = exports.packets.call_preview(&mut *self.store, strategy.as_str(), total, shares).await?;
        Ok(drawn.map_err(|why| words(&why)))
    }

    fn begin_taps(&mut self, about: About, taps: Vec<(PacketId, Vec<UserId>)>) -> Vec<packets::Task> {
        let call = Call::taps(about, &self.store.data().context.tenant, taps);
        let task = |users| packets::Task { users: u32::try_from(users).unwrap_or(u32::MAX) };
        let tasks = call.tasks().map(task).collect();
        self.begin(call);
        tasks
    }
}

fn wit_request(request: &Request) -> packets::Request {
    packets::Request {
        room: request.room.clone(),
        sender: request.sender.as_str().to_owned(),
        strategy: request.strategy.as_ref().map(|strategy| strategy.as_str().to_owned()),
        total: request.total,
        shares: request.shares,
        to: request.to.iter().map(|user| user.as_str().to_owned()).collect(),
        greeting: request.greeting.clone(),
        expires_in_ms: request.expires_in_ms,
    }
}

fn grabbed(call: &Call, place: usize, said: packets::Grabbed) -> Result<Grabbed, Breach> {
    Ok(match said {
        packets::Grabbed::NotFound => Grabbed::NotFound,
        packets::Grabbed::NotEligible => Grabbed::NotEligible,
        packets::Grabbed::AlreadyOpened => call.already_opened(place)?,
        packets::Grabbed::Expired => Grabbed::Expired,
        packets::Grabbed::AlreadyGrabbed => Grabbed::AlreadyGrabbed,
        packets::Grabbed::Exhausted => Grabbed::Exhausted,
        packets::Grabbed::Admitted => Grabbed::Admitted,
        packets::Grabbed::Contended => Grabbed::Contended,
        packets::Grabbed::Busy => Grabbed::Busy,
        packets::Grabbed::Unavailable => Grabbed::Unavailable,
    })
}

/// None of a user who has a share, by the plugin's word.
const fn opened(said: packets::Opened) -> Option<Opened> {
    Some(match said {
        packets::Opened::NotFound => Opened::NotFound,
        packets::Opened::Opened => return None,
        packets::Opened::Expired => Opened::Expired,
        packets::Opened::NotGrabbed => Opened::NotGrabbed,
        packets::Opened::Exhausted => Opened::Exhausted,
        packets::Opened::Busy => Opened::Busy,
        packets::Opened::Unavailable => Opened::Unavailable,
    })
}
