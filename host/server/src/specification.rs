//! The OpenAPI 3.1 document, generated from the code.

use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::links::{operations, with_links};
use super::problem::{Document, Kind, PROBLEM_JSON};
use super::schemas::tidied;

#[derive(OpenApi)]
#[openapi(
    info(title = "Hongbao", license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    components(schemas(Document)),
    modifiers(&Bearer, &Words),
    security(("key" = [])),
    servers((url = "/", description = "The host that this was read from")),
    tags(
        (name = "packets", description = "A packet's life: sent, grabbed, opened, looked at"),
        (name = "chat", description = "What people type and press, answered by the tenant's plugin"),
        (name = "events", description = "What happens in a room, while it happens, and to a tenant's money, for ever"),
        (name = "wallets", description = "Money of users"),
        (name = "tenants", description = "Tenants and their plugins"),
        (name = "keys", description = "API keys"),
        (name = "webhooks", description = "Endpoints that are told of events of money"),
        (name = "books", description = "Books added up and compared, and what administrators did"),
        (name = "operations", description = "For machines that look after this one"),
    ),
)]
pub(super) struct Specification;

/// The text of `api.md`, with the table of problems.
struct Words;

impl Modify for Words {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let text = include_str!("api.md").replace("{problems}", &Kind::table());
        openapi.info.description = Some(text);
    }
}

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("hb_…").build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(bearer));
    }
}

/// Says of every operation which problems it may answer with, each under its status.
fn with_problems(mut openapi: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let of_the_api =
        |operation: &&mut Operation| operation.tags.iter().flatten().all(|tag| tag != "operations");
    operations(&mut openapi).filter(of_the_api).for_each(add_problems);
    openapi
}

/// The whole specification, from what the routes say.
pub(super) fn complete(openapi: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    with_links(with_problems(tidied(openapi)))
}

fn add_problems(operation: &mut Operation) {
    let has_key = operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => {
            parameter.parameter_in == ParameterIn::Header && parameter.name == "Idempotency-Key"
        }
        RefOr::Ref(_) => false,
    });
    let ends = ["complete_withdrawal", "cancel_withdrawal"];
    let ends = operation.operation_id.as_deref().is_some_and(|id| ends.contains(&id));
    let has_body = operation.request_body.is_some();
    for kind in Kind::ALL {
        let applies = match kind.status.as_u16() {
            405 => false,
            410 => operation.operation_id.as_deref() == Some("tenant_events"),
            413 | 415 => has_body,
            409 => has_key || ends || has_tag(operation, &["tenants", "webhooks"]),
            422 => has_key || has_tag(operation, &["tenants", "wallets", "webhooks"]),
            _ => true,
        };
        if applies {
            let status = kind.status.as_u16().to_string();
            operation.responses.responses.entry(status).or_insert_with(|| problem(kind.status.as_u16()));
        }
    }
}

fn has_tag(operation: &Operation, tags: &[&str]) -> bool {
    operation.tags.iter().flatten().any(|tag| tags.contains(&tag.as_str()))
}

fn problem(status: u16) -> RefOr<Response> {
    let codes = Kind::ALL.iter().filter(|kind| kind.status.as_u16() == status);
    let codes = codes.map(|kind| format!("`{}`: {}", kind.code, kind.title)).collect::<Vec<_>>();
    let document = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new().description(codes.join("; ")).content(PROBLEM_JSON, document);
    RefOr::T(response.build())
}
