//! Two people in two windows, and a packet between them.

use super::stage::{Stage, balance, minor, shown};
use super::window::Window;

/// What everybody begins with.
const WELCOME: u64 = 100_000;

/// The packet with this greeting, as soon as the window shows its card.
pub async fn packet(window: &Window, greeting: &str) -> String {
    const FIND: &str = "const one = [...document.querySelectorAll('[data-packet]')] \
                        .find((one) => one.innerText.includes(arguments[0]));";
    let is_there = format!("{FIND} return !!one");
    window.until(&format!("a packet says {greeting:?}"), &is_there, &[greeting.into()]).await;
    let id = window.script(&format!("{FIND} return one.dataset.packet"), &[greeting.into()]).await;
    id.as_str().unwrap().to_owned()
}

/// A part of a packet's card in the room.
pub fn card(packet: &str, part: &str) -> String {
    format!("[data-packet=\"{packet}\"]{part}")
}

/// Sends a packet of equal or random shares by the dialog.
pub async fn send(window: &Window, amount: &str, shares: &str, greeting: &str) {
    window.click("#send-packet").await;
    window.fill("#send-amount", amount).await;
    window.fill("#send-shares", shares).await;
    window.fill("#send-greeting", greeting).await;
    window.click("#send-submit").await;
    window.misses("#send-dialog").await;
}

/// Taps the card and then the coin; gives the amount, and leaves the sheet open.
async fn open(window: &Window, packet: &str) -> u64 {
    window.click(&card(packet, " [data-action=grab]")).await;
    window.sees("#packet-dialog .envelope").await;
    window.picture(&format!("two-{}-envelope", window.name)).await;
    let watch = "document.querySelector('.coin').onanimationstart = (event) => { \
                   window.moved = event.animationName; }";
    window.script(watch, &[]).await;
    window.click("#packet-dialog .coin[data-action=open]").await;
    window.sees("#packet-dialog .opened-sheet.revealing[data-state=opened]").await;
    // The coin turned for a moment before what is under it was lifted.
    assert_eq!(window.script("return window.moved", &[]).await, "turn");
    window.picture(&format!("two-{}-opened", window.name)).await;
    minor(&window.text("#packet-dialog .amount").await)
}

/// Who got what and who was luckiest, as the open dialog lists it.
async fn listed(window: &Window) -> Vec<(String, u64, bool)> {
    let script = "return [...document.querySelectorAll('#packet-dialog .field[data-user]')].map((one) => \
                  [one.dataset.user, one.querySelector('.field-value').firstChild.textContent, \
                   !!one.querySelector('.badge')])";
    let rows = window.script(script, &[]).await;
    let row = |row: &serde_json::Value| {
        let (user, amount) = (row[0].as_str().unwrap(), row[1].as_str().unwrap());
        (user.to_owned(), minor(amount), row[2].as_bool().unwrap())
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

#[tokio::test]
async fn two_people_open_a_packet_and_see_each_other_do_it() {
    let stage = Stage::start();
    let (alice, bob) = (stage.person("alice").await, stage.person("bob").await);
    for window in [&alice, &bob] {
        window.reads("#balance-amount", &shown(WELCOME)).await;
    }

    send(&alice, "8.88", "2", "Good luck").await;
    let id = packet(&bob, "Good luck").await;
    for window in [&alice, &bob] {
        window.sees(&card(&id, "[data-state=sealed] [data-progress=\"0/2\"]")).await;
        window.picture(&format!("two-{}-sealed", window.name)).await;
    }
    alice.reads("#balance-amount", &shown(WELCOME - 888)).await;

    let of_bob = open(&bob, &id).await;
    bob.click("#packet-dialog [data-close]").await;
    bob.misses("#packet-dialog").await;
    for window in [&alice, &bob] {
        window.sees(&card(&id, "[data-state=sealed] [data-progress=\"1/2\"]")).await;
    }
    assert_eq!(bob.count(&card(&id, " .card[data-opened]")).await, 1);
    assert_eq!(alice.count(&card(&id, " .card[data-opened]")).await, 0);
    alice.picture("two-alice-one-of-two").await;

    let of_alice = open(&alice, &id).await;
    assert_eq!(of_alice + of_bob, 888);
    for window in [&alice, &bob] {
        window.has(&card(&id, "[data-state=finished] [data-action=details]")).await;
    }
    bob.reads("#balance-amount", &shown(WELCOME + of_bob)).await;
    alice.reads("#balance-amount", &shown(WELCOME - 888 + of_alice)).await;

    alice.click("#packet-dialog [data-action=details]").await;
    check_details(&alice, of_alice, of_bob).await;
    bob.click(&card(&id, " [data-action=details]")).await;
    check_details(&bob, of_alice, of_bob).await;
    stage.end(&[&alice, &bob]).await;
}

/// The luckiest stands on top, and once more among all in their order.
async fn check_details(window: &Window, of_alice: u64, of_bob: u64) {
    window.sees("#packet-dialog .opened-sheet[data-state=finished] .field[data-user=bob]").await;
    window.picture(&format!("two-{}-details", window.name)).await;
    let rows = listed(window).await;
    // Of two who got the same, the first to open is the luckier.
    let best = if of_alice > of_bob { "alice" } else { "bob" };
    let row = |user: &str, amount| (user.to_owned(), amount, user == best);
    let all = [row("bob", of_bob), row("alice", of_alice)];
    let of_all = &rows[rows.len() - 2..];
    assert_eq!(of_all, all, "{rows:?}");
    let on_top = all.iter().filter(|(_, _, is_best)| *is_best).cloned().collect::<Vec<_>>();
    assert!(rows.len() == 2 || rows[..rows.len() - 2] == on_top, "{rows:?}");
    assert!(window.text("#packet-dialog .opened-head").await.contains("2/2"));
}

#[tokio::test]
async fn a_reload_keeps_everything() {
    let stage = Stage::start();
    let (alice, bob) = (stage.person("alice").await, stage.person("bob").await);
    bob.fill("#message", "still here").await;
    bob.click("#send-message").await;
    bob.has("[data-message]:not([data-pending])").await;
    send(&alice, "5", "3", "Keep this").await;
    let id = packet(&bob, "Keep this").await;
    let amount = open(&bob, &id).await;
    bob.reads("#balance-amount", &shown(WELCOME + amount)).await;
    let before = bob.script("return sessionStorage.getItem('hongbao.session')", &[]).await;

    bob.reload().await;
    bob.sees("#chat").await;
    bob.misses("#welcome").await;
    assert_eq!(bob.script("return sessionStorage.getItem('hongbao.session')", &[]).await, before);
    bob.says("[data-message] .bubble", "still here").await;
    bob.sees(&card(&id, "[data-state=sealed] .card[data-opened] [data-progress=\"1/3\"]")).await;
    bob.reads("#balance-amount", &shown(WELCOME + amount)).await;
    bob.sees("#people [data-person=alice]").await;
    assert_eq!(bob.count("[data-message]").await, 1);
    assert_eq!(bob.count("[data-packet]").await, 1);
    bob.picture("reload-kept").await;

    // Who has a share is shown it again, and gets no second one.
    bob.click(&card(&id, " [data-action=grab]")).await;
    bob.sees("#packet-dialog .opened-sheet[data-state=opened]").await;
    assert_eq!(minor(&bob.text("#packet-dialog .amount").await), amount);
    assert_eq!(balance(&bob).await, WELCOME + amount);
    // The other window took no part in it.
    alice.sees(&card(&id, "[data-state=sealed] .card:not([data-opened]) [data-progress=\"1/3\"]")).await;
    stage.end(&[&alice, &bob]).await;
}
