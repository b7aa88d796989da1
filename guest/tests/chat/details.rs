//! Who got what.

use hongbao_guest::bindings::exports::hongbao::plugin::chat::{Reply, Theme};
use hongbao_guest::bindings::hongbao::plugin::policy::Limits;
use hongbao_guest::chat::money::shown;

use crate::fake::{Fake, limits};
use crate::{code, fields, message, press, private, reply, send};

fn take(host: &Fake, id: u32, user: &str) {
    press(host, id, "grab", &[(user, "en")]);
    press(host, id, "open", &[(user, "en")]);
}

#[test]
fn every_claim_has_its_amount_its_time_and_the_luckiest_its_mark() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 3 hi");
    for (user, wait_ms) in [("bob", 3_250), ("carol", 120_000), ("dave", 2 * 3_600_000)] {
        host.advance(wait_ms);
        take(&host, id, user);
    }
    let claims = host.claims_of(id);
    let most = claims.iter().map(|claim| claim.amount).max().unwrap();
    let best = claims.iter().position(|claim| claim.amount == most).unwrap();
    for (language, times, mark, body) in [
        ("en", ["3.2 s", "2 min", "2 h"], " · best luck", "hi\n3/3 shares opened, ¥10.00/¥10.00"),
        ("zh", ["3.2秒", "2分钟", "2小时"], " · 手气最佳", "hi\n已领取3/3个，共¥10.00/¥10.00"),
    ] {
        let replies = press(&host, id, "details", &[("bob", language)]);
        let card = private(&replies[0]);
        assert_eq!((card.theme, &*card.body), (Theme::Finished, body));
        for (index, field) in fields(card).into_iter().enumerate() {
            let mark = if index == best { mark } else { "" };
            let value = format!("{} · +{}{mark}", shown(claims[index].amount, &limits()), times[index]);
            assert_eq!(field, (&*claims[index].user, &*format!("#{}", index + 1), &*value));
        }
        assert_eq!(card.fields.len(), 3);
    }
}

#[test]
fn before_the_end_the_luckiest_is_so_only_so_far() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 3 hi");
    let nobody = press(&host, id, "details", &[("bob", "en")]);
    assert_eq!(private(&nobody[0]).body, "hi\n0/3 shares opened, ¥0.00/¥10.00");
    take(&host, id, "bob");
    let replies = press(&host, id, "details", &[("bob", "en"), ("carol", "zh")]);
    let ends = [" · +0.0 s · best luck so far", " · +0.0秒 · 暂时手气最佳"];
    for (replies, end) in replies.iter().zip(ends) {
        let card = private(replies);
        assert_eq!(card.theme, Theme::Sealed);
        assert!(card.fields[0].value.ends_with(end), "{:?}", card.fields);
    }
}

#[test]
fn what_nobody_took_goes_back() {
    let host = Fake::default();
    let id = send(&host, "/hongbao each 5 x 2 hi");
    take(&host, id, "bob");
    host.advance(86_400_000);
    let seen = |language| private(&press(&host, id, "details", &[("bob", language)])[0]).clone();
    let card = seen("en");
    assert_eq!((card.theme, &*card.title), (Theme::Expired, "This red packet has expired"));
    assert_eq!(card.body, "hi\n1/2 shares opened, ¥5.00/¥10.00\n¥5.00 is going back to the sender");
    host.refund(id);
    assert_eq!(seen("en").body, "hi\n1/2 shares opened, ¥5.00/¥10.00\n¥5.00 went back to the sender");
    assert_eq!(seen("zh").body, "hi\n已领取1/2个，共¥5.00/¥10.00\n已退回¥5.00");
    assert_eq!(seen("en").fields[0].value, "¥5.00 · +0.0 s", "where all is the same nobody is lucky");
}

#[test]
fn a_hundred_claims_are_listed_and_the_rest_counted() {
    let host = Fake::new(Limits { max_shares: 300, ..limits() });
    let id = send(&host, "/hongbao 250 250 hi");
    let names: Vec<String> = (0..250).map(|number| format!("user-{number}")).collect();
    let by: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "en")).collect();
    for (count, more) in [(100, None), (101, Some("… and 1 more")), (250, Some("… and 150 more"))] {
        press(&host, id, "grab", &by[..count]);
        press(&host, id, "open", &by[..count]);
        let replies = press(&host, id, "details", &by[..1]);
        let card = private(&replies[0]);
        assert_eq!(fields(card)[99].0, "user-99");
        assert_eq!(fields(card).get(100).map(|field| field.1), more);
        assert_eq!(card.fields.len(), 100 + usize::from(more.is_some()));
    }
    // However late the luckiest came, the best luck stands on top.
    let Reply::Card(card) = reply(&host, &message("/hongbao best", "en")) else { panic!() };
    let claims = host.claims_of(id);
    let most = claims.iter().map(|claim| claim.amount).max().unwrap();
    let best = claims.iter().find(|claim| claim.amount == most).unwrap();
    let value = format!("{} · best luck", shown(most, &limits()));
    assert_eq!(fields(&card)[0], (&*best.user, "Best luck", &*value));
    assert_eq!(card.fields.len(), 102);
}

#[test]
fn best_shows_the_latest_packet_of_the_room_to_whoever_asks() {
    let host = Fake::default();
    for (text, language, said) in [
        ("/hongbao best", "en", "There has been no red packet here yet. Send the first!"),
        ("/红包 手气最佳", "zh", "这里还没有人发过红包，来发第一个吧"),
    ] {
        assert_eq!(reply(&host, &message(text, language)), Reply::Notice(said.into()));
    }
    send(&host, "/hongbao 10 2 older");
    let id = send(&host, "/hongbao 10 1 latest");
    let elsewhere =
        crate::command(&host, &crate::Message { room: "work".into(), ..message("/hongbao 9 1", "en") });
    assert_eq!(elsewhere.len(), 1);
    take(&host, id, "bob");
    for text in
        ["/hongbao best", "/hongbao BEST", "/红包 最佳", "/红包 手气最佳", "/红包 手气", "/hongbao ｂｅｓｔ"]
    {
        let replies = [reply(&host, &message(text, "en"))];
        let card = private(&replies);
        assert_eq!((card.packet, &*card.title), (Some(id), "Who got what"), "{text}");
        assert_eq!(card.body, "latest\n1/1 shares opened, ¥10.00/¥10.00");
        let expected =
            [("bob", "Best luck", "¥10.00 · best luck"), ("bob", "#1", "¥10.00 · +0.0 s · best luck")];
        assert_eq!(fields(card), expected);
    }
}

#[test]
fn best_says_when_the_ledger_is_away() {
    let host = Fake::default();
    use hongbao_guest::bindings::hongbao::plugin::types::Failure;
    host.ledger_away.replace(Some(Failure::Unavailable));
    assert_eq!(code(&[reply(&host, &message("/hongbao best", "en"))]), "unavailable");
}
