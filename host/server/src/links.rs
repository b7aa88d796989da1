//! Links of the specification: from a call that creates something to the calls that use what it created,
//! for people who read and for tools that try the API on their own.

use utoipa::openapi::link::Link;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, RefOr};

/// From an operation to another one, whose parameters are known from the first.
struct Way {
    from: &'static str,
    to: &'static str,
    /// Names of parameters, and where their values stand (runtime expressions of OpenAPI).
    parameters: &'static [(&'static str, &'static str)],
    /// The same for members of the body.
    body: &'static [(&'static str, &'static str)],
}

const fn way(
    from: &'static str,
    to: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    body: &'static [(&'static str, &'static str)],
) -> Way {
    Way { from, to, parameters, body }
}

const PACKET: &[(&str, &str)] = &[("packet", "$response.body#/packet")];
const SAME_PACKET: &[(&str, &str)] = &[("packet", "$request.path.packet")];
const SENDER: &[(&str, &str)] = &[("user", "$request.body#/sender")];
const ROOM: &[(&str, &str)] = &[("room", "$request.body#/room")];
const FIRST: &[(&str, &str)] = &[("packet", "$response.body#/items/0/packet")];
const CARD: &str = "$response.body#/replies/0/card/packet";
const USER: &[(&str, &str)] = &[("user", "$request.path.user")];
const WITHDRAWAL: &[(&str, &str)] =
    &[("user", "$request.path.user"), ("withdrawal", "$response.body#/withdrawal/id")];
const TAPPER: &[(&str, &str)] = &[("user", "$request.body#/user")];
const TENANT: &[(&str, &str)] = &[("tenant", "$response.body#/tenant")];
const SAME_TENANT: &[(&str, &str)] = &[("tenant", "$request.path.tenant")];

const NEW_WEBHOOK: &[(&str, &str)] = &[("tenant", "$request.path.tenant"), ("webhook", "$response.body#/id")];

const WAYS: &[Way] = &[
    way("send", "details", PACKET, &[]),
    way("send", "grab", PACKET, SENDER),
    way("send", "open", PACKET, SENDER),
    way("send", "grab_and_open", PACKET, SENDER),
    way("send", "press", &[("packet", "$response.body#/packet"), ("action", "show")], SENDER),
    way("send", "room_packets", ROOM, &[]),
    way("send", "events", ROOM, &[]),
    way("send", "sent", SENDER, &[]),
    way("send", "wallet", SENDER, &[]),
    way("send", "statement", SENDER, &[]),
    way("grab", "open", SAME_PACKET, TAPPER),
    way("open", "details", SAME_PACKET, &[]),
    way("open", "received", TAPPER, &[]),
    way("say", "details", &[("packet", CARD)], &[]),
    way("say", "press", &[("packet", CARD), ("action", "grab")], &[("user", "$request.body#/sender")]),
    way("room_packets", "details", FIRST, &[]),
    way("sent", "details", FIRST, &[]),
    way("fund", "wallet", USER, &[]),
    way("fund", "statement", USER, &[]),
    way("fund", "send", &[], &[("sender", "$request.path.user")]),
    way("fund", "withdraw", USER, &[]),
    way("withdraw", "wallet", USER, &[]),
    way("withdraw", "statement", USER, &[]),
    way("withdraw", "withdrawals", USER, &[]),
    way("withdraw", "withdrawal", WITHDRAWAL, &[]),
    way("withdraw", "complete_withdrawal", WITHDRAWAL, &[]),
    way("withdraw", "cancel_withdrawal", WITHDRAWAL, &[]),
    way("create_tenant", "tenant", TENANT, &[]),
    way("create_tenant", "configure", TENANT, &[]),
    way("create_tenant", "create_key", TENANT, &[]),
    way("create_tenant", "keys", TENANT, &[]),
    way("create_tenant", "install", TENANT, &[]),
    way("create_tenant", "plugins", TENANT, &[]),
    way("create_tenant", "upgrade", TENANT, &[]),
    way("create_tenant", "suspend", TENANT, &[]),
    way("create_tenant", "resume", TENANT, &[]),
    way("create_tenant", "audit", TENANT, &[]),
    way("create_tenant", "reconcile", TENANT, &[]),
    way("create_tenant", "log", TENANT, &[]),
    way("create_key", "keys", SAME_TENANT, &[]),
    way("create_tenant", "webhooks", TENANT, &[]),
    way("create_webhook", "webhook", NEW_WEBHOOK, &[]),
    way("create_webhook", "test_webhook", NEW_WEBHOOK, &[]),
    way("create_webhook", "remove_webhook", NEW_WEBHOOK, &[]),
    way(
        "create_key",
        "revoke_key",
        &[("tenant", "$request.path.tenant"), ("key", "$response.body#/id")],
        &[],
    ),
    way("create_operator_key", "revoke_operator_key", &[("key", "$response.body#/id")], &[]),
    way("install", "plugins", SAME_TENANT, &[]),
    way("install", "upgrade", SAME_TENANT, &[("digest", "$response.body#/digest")]),
    way("upgrade", "rollback", SAME_TENANT, &[]),
    way("suspend", "resume", SAME_TENANT, &[]),
];

/// Every operation of the specification.
pub(super) fn operations(openapi: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    openapi.paths.paths.values_mut().flat_map(|item| {
        let all = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch];
        all.into_iter().flatten()
    })
}

/// Writes the links into the successes of the operations that they begin at.
pub(super) fn with_links(mut openapi: OpenApi) -> OpenApi {
    for operation in operations(&mut openapi) {
        let from = operation.operation_id.clone().unwrap_or_default();
        let responses = operation.responses.responses.iter_mut();
        let successes = responses.filter(|(status, _)| status.starts_with('2'));
        for (_, response) in successes {
            let RefOr::T(response) = response else { continue };
            for way in WAYS.iter().filter(|way| way.from == from) {
                response.links.insert(way.to.to_owned(), RefOr::T(way.link()));
            }
        }
    }
    openapi
}

impl Way {
    fn link(&self) -> Link {
        let link = Link::builder().operation_id(self.to);
        let link = self.parameters.iter().fold(link, |link, (name, value)| link.parameter(*name, *value));
        let body: serde_json::Map<_, _> =
            self.body.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let body = (!body.is_empty()).then_some(serde_json::Value::Object(body));
        link.request_body(body).build()
    }
}
