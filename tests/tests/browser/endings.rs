//! Ends that come without anybody pressing anything: of a packet's time, and of a session.

use serde_json::json;

use super::stage::{Stage, join, shown};
use super::two::{card, packet};

#[tokio::test]
async fn a_packet_expires_before_everybodys_eyes() {
    let stage = Stage::start();
    let (alice, bob) = (stage.person("alice").await, stage.person("bob").await);
    let own = stage.member_of(&alice).await;
    let id = own.send(500, 2, "Be quick", json!({"expires_in_ms": 5000})).await;
    assert_eq!(packet(&bob, "Be quick").await, id);
    bob.sees(&card(&id, "[data-state=sealed]")).await;
    let taken = stage.member_of(&bob).await.take(&id).await;
    for window in [&alice, &bob] {
        window.sees(&card(&id, "[data-state=expired]")).await;
        window.says(&card(&id, ""), "has expired").await;
        window.says(&card(&id, ""), &shown(500 - taken)).await;
        assert_eq!(window.count(&card(&id, " [data-action=grab]")).await, 0);
    }
    // What nobody took is back.
    alice.reads("#balance-amount", &shown(100_000 - taken)).await;
    alice.says(&card(&id, ""), "went back to the sender").await;
    bob.picture("expired").await;
    stage.end(&[&alice, &bob]).await;
}

#[tokio::test]
async fn who_leaves_is_told_so_and_not_warned() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    alice.click("#leave").await;
    alice.says("#join-left", "You have left the room.").await;
    alice.misses("#join-notice").await;
    alice.picture("left").await;
    // Its edge is not that of what went wrong.
    let edges = "return ['join-left', 'join-notice'] \
                 .map((id) => getComputedStyle(document.getElementById(id)).borderLeftColor)";
    let edges = alice.script(edges, &[]).await;
    assert_ne!(edges[0], edges[1]);
    join(&alice, "alice").await;
    stage.end(&[&alice]).await;
}

#[tokio::test]
async fn a_refused_key_leads_back_to_the_welcome() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    let script = "const kept = JSON.parse(sessionStorage.getItem('hongbao.session')); \
                  kept.key = kept.key.slice(0, -4) + (kept.key.endsWith('0000') ? '1111' : '0000'); \
                  sessionStorage.setItem('hongbao.session', JSON.stringify(kept))";
    alice.script(script, &[]).await;
    alice.reload().await;
    alice.sees("#welcome").await;
    alice.says("#join-notice", "Your session has ended").await;
    alice.misses("#chat").await;
    alice.picture("session-refused").await;
    assert_eq!(alice.count("dialog[open]").await, 0);
    assert!(alice.script("return sessionStorage.getItem('hongbao.session')", &[]).await.is_null());
    // The browser itself complains of the answer, and of nothing else.
    let complaints = alice.console().await;
    assert!(!complaints.is_empty());
    assert!(complaints.iter().all(|one| one.contains("status of 401")), "{complaints:?}");

    // The same name is the same person.
    join(&alice, "alice").await;
    alice.reads("#balance-amount", &shown(100_000)).await;
    assert!(
        alice.script("return document.getElementById('join-notice').checkVisibility()", &[]).await == false
    );
    stage.end(&[&alice]).await;
}
