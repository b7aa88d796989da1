//! Cards that go on: each is drawn again when its packet changes, at most once a second, until its end.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::bridge::{Bridge, Told, now_ms};
use crate::card::{self, FIELD, Mark};
use crate::fault::Fault;
use crate::hongbao::{Card, Details, Field, Reply};
use crate::json::at;
use crate::stream;

/// Between two edits of a card.
const BETWEEN: Duration = Duration::from_secs(1);
/// An event of Hongbao may be lost, so a card is looked at without one now and then.
const LOOK_EVERY: Duration = Duration::from_mins(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A card on display.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) room: String,
    /// The event of its message.
    pub(crate) message: String,
    pub(crate) mark: Mark,
    /// How the packet stood when it was drawn.
    pub(crate) drawn: Drawn,
}

/// What a drawing depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drawn {
    state: String,
    claimed_shares: u32,
    refunded: u64,
}

impl Drawn {
    pub(crate) fn of(details: &Details) -> Self {
        Self {
            state: details.state.clone(),
            claimed_shares: details.claimed_shares,
            refunded: details.refunded,
        }
    }

    /// As the latest edit of a message says, which the homeserver gives with the message.
    fn read(event: &Value) -> Self {
        let edit = at(event, &["unsigned", "m.relations", "m.replace", "content", "m.new_content", FIELD]);
        let drawn = if edit.is_object() { edit } else { at(event, &["content", FIELD]) };
        Self {
            state: at(drawn, &["state"]).as_str().unwrap_or_default().to_owned(),
            claimed_shares: at(drawn, &["claimed_shares"])
                .as_u64()
                .and_then(|n| n.try_into().ok())
                .unwrap_or_default(),
            refunded: at(drawn, &["refunded"]).as_u64().unwrap_or_default(),
        }
    }
}

/// Those that go on, and the rooms whose events are listened to.
#[derive(Default)]
pub(crate) struct Live(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    cards: HashMap<String, (String, Arc<Notify>)>,
    listened: HashSet<String>,
}

impl Live {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A packet changed, or may have.
    pub(crate) fn wake(&self, packet: &str) {
        if let Some((_, wake)) = self.lock().cards.get(packet) {
            wake.notify_one();
        }
    }

    /// All packets of a room may have changed.
    pub(crate) fn wake_room(&self, room: &str) {
        for (_, wake) in self.lock().cards.values().filter(|(place, _)| place == room) {
            wake.notify_one();
        }
    }

    /// Whether to go on listening to a room. If not, whoever draws a card there begins anew.
    pub(crate) fn is_listened(&self, room: &str) -> bool {
        let mut inner = self.lock();
        let goes_on = inner.cards.values().any(|(place, _)| place == room);
        if !goes_on {
            inner.listened.remove(room);
        }
        goes_on
    }

    pub(crate) fn forget(&self, packet: &str) {
        // Its task sees that it is no longer there.
        if let Some((_, wake)) = self.lock().cards.remove(packet) {
            wake.notify_one();
        }
    }

    pub(crate) fn forget_room(&self, room: &str) {
        self.lock().cards.retain(|_, (place, wake)| {
            let stays = place != room;
            if !stays {
                wake.notify_one();
            }
            stays
        });
    }

    fn is_shown(&self, packet: &str, wake: &Arc<Notify>) -> bool {
        self.lock().cards.get(packet).is_some_and(|(_, current)| Arc::ptr_eq(current, wake))
    }
}

/// Draws a card from now on until its end, unless that is being done.
pub(crate) fn follow(bridge: &Arc<Bridge>, shown: Shown) {
    let wake = Arc::new(Notify::new());
    let mut inner = bridge.live.lock();
    if inner.cards.contains_key(&shown.mark.packet) {
        return;
    }
    inner.cards.insert(shown.mark.packet.clone(), (shown.room.clone(), Arc::clone(&wake)));
    if inner.listened.insert(shown.room.clone()) {
        tokio::spawn(stream::listen(Arc::clone(bridge), shown.room.clone()));
    }
    drop(inner);
    tokio::spawn(until_the_end(Arc::clone(bridge), shown, wake));
}

/// Finds the cards that went on when the bridge ended.
pub(crate) async fn recover(bridge: Arc<Bridge>) {
    let mut pause = BETWEEN;
    while let Err(fault) = recover_all(&bridge).await {
        tracing::warn!("open cards cannot be looked up yet: {fault}");
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn recover_all(bridge: &Arc<Bridge>) -> Result<(), Fault> {
    let mut found = 0;
    for room in bridge.matrix.joined_rooms().await? {
        found += recover_room(bridge, &room).await?;
    }
    tracing::info!(cards = found, "open cards were looked up");
    Ok(())
}

/// Goes on with the cards of a room; gives how many there are.
pub(crate) async fn recover_room(bridge: &Arc<Bridge>, room: &str) -> Result<usize, Fault> {
    let mut found = 0;
    for message in bridge.rooms.read(&bridge.matrix, room).await?.cards.into_values() {
        let Some(event) = bridge.matrix.event(room, &message).await? else { continue };
        let Some(mark) = card::mark(&event, &bridge.matrix.bot, room) else { continue };
        follow(bridge, Shown { room: room.to_owned(), message, mark, drawn: Drawn::read(&event) });
        found += 1;
    }
    Ok(found)
}

async fn until_the_end(bridge: Arc<Bridge>, mut shown: Shown, wake: Arc<Notify>) {
    let packet = shown.mark.packet.clone();
    let mut pause = BETWEEN;
    while bridge.live.is_shown(&packet, &wake) {
        let began = Instant::now();
        match draw(&bridge, &mut shown).await {
            Ok(None) => break,
            Ok(Some(next_look)) => {
                pause = BETWEEN;
                tokio::select! {
                    () = wake.notified() => {}
                    () = sleep(next_look) => {}
                }
                sleep_until(began + BETWEEN).await;
            }
            Err(fault) => {
                tracing::debug!(packet, "a card is drawn later: {fault}");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    // A card that was taken away meanwhile is another's to forget.
    if bridge.live.is_shown(&packet, &wake) {
        bridge.live.forget(&packet);
    }
}

/// Draws a card as its packet stands; gives when to look again, or none if this was its end.
async fn draw(bridge: &Arc<Bridge>, shown: &mut Shown) -> Result<Option<Duration>, Fault> {
    let details = match bridge.hongbao.details(&shown.mark.packet).await {
        Err(fault @ Fault::Final { .. }) => {
            tracing::warn!(packet = shown.mark.packet, "a card's packet is gone: {fault}");
            return forget(bridge, shown).await.map(|()| None);
        }
        details => details?,
    };
    let now = Drawn::of(&details);
    if now != shown.drawn {
        let content = drawing(bridge, &shown.mark, &details).await?;
        edit(bridge, shown, &content, &now).await?;
        shown.drawn = now;
    }
    if !is_over(&details) {
        return Ok(Some(next_look(&details)));
    }
    if details.state == "expired" {
        tell_expiry(bridge, shown, &details).await?;
    }
    forget(bridge, shown).await.map(|()| None)
}

/// Whether nothing can change any more: what is left after the end has gone back.
fn is_over(details: &Details) -> bool {
    let rest = details.total.saturating_sub(details.claimed_amount).saturating_sub(details.refunded);
    details.state == "finished" || details.state == "expired" && rest == 0
}

fn next_look(details: &Details) -> Duration {
    if details.state == "expired" {
        return BETWEEN;
    }
    let left = Duration::from_millis(details.expires_at_ms.saturating_sub(now_ms()));
    LOOK_EVERY.min(left + Duration::from_millis(100))
}

/// A card's message as its packet stands.
pub(crate) async fn drawing(bridge: &Bridge, mark: &Mark, details: &Details) -> Result<Value, Fault> {
    let card = pressed(bridge, mark, details, "show").await?;
    let card = card.ok_or_else(|| Fault::Doubtful("the plugin shows no card of the packet".into()))?;
    let claims = match details.state.as_str() {
        "open" => Vec::new(),
        _ => claims(pressed(bridge, mark, details, "details").await?),
    };
    Ok(card::content(mark, &card, details, &claims))
}

/// The card that a button answers with. It is pressed for the sender: each user's requests are limited, and the bridge
/// draws the cards of many.
async fn pressed(
    bridge: &Bridge,
    mark: &Mark,
    details: &Details,
    action: &str,
) -> Result<Option<Card>, Fault> {
    let replies = bridge.hongbao.press(&mark.packet, action, &details.sender, &mark.language).await?;
    Ok(replies.into_iter().find_map(|reply| match reply {
        Reply::Card { card } => Some(card),
        _ => None,
    }))
}

fn claims(card: Option<Card>) -> Vec<Field> {
    let fields = card.map(|card| card.fields).unwrap_or_default();
    fields.into_iter().filter(|field| field.user.is_some()).collect()
}

/// The transaction id is made of the state, so the same state is not written twice.
async fn edit(bridge: &Bridge, shown: &Shown, content: &Value, now: &Drawn) -> Result<(), Fault> {
    let Drawn { state, claimed_shares, refunded } = now;
    let transaction = format!("hongbao.edit.{}.{state}.{claimed_shares}.{refunded}", shown.mark.packet);
    let edit = card::edit(content, &shown.message);
    match bridge.matrix.send(&shown.room, "m.room.message", &transaction, &edit).await {
        Err(Fault::Final { code, message }) => {
            tracing::warn!(room = ?shown.room, code, why = ?message, "a card could not be drawn");
            Ok(())
        }
        sent => sent.map(drop),
    }
}

/// An edit calls nobody, so the sender is told what came back.
async fn tell_expiry(bridge: &Bridge, shown: &Shown, details: &Details) -> Result<(), Fault> {
    let Some(card) = pressed(bridge, &shown.mark, details, "show").await? else { return Ok(()) };
    let text = format!("{}\n{}", card.title, card.body);
    let sender = details.sender.as_str();
    bridge
        .tell(&Told {
            room: &shown.room,
            root: shown.mark.root(&shown.message),
            transaction: &format!("hongbao.expired.{}", shown.mark.packet),
            users: &[sender],
            body: &format!("{}: {text}", card::isolated(sender)),
            html: &format!("{}: {}", card::link(sender), card::escaped(&text)),
        })
        .await
}

async fn forget(bridge: &Bridge, shown: &Shown) -> Result<(), Fault> {
    bridge.rooms.change(&bridge.matrix, &shown.room, |room| drop(room.cards.remove(&shown.mark.packet))).await
}
