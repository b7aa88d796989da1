//! All routes, and the specification made from them.

mod books;
mod keys;
mod money_events;
mod operations;
mod packets;
mod plugins;
mod rooms;
mod stream;
mod tenants;
mod users;
mod webhooks;
mod withdrawals;

use axum::middleware::from_fn_with_state;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::Service;
use super::notes::administration;
use super::specification::Specification;

/// Every route of the API, with its specification.
pub(super) fn router(service: &Service) -> OpenApiRouter<Service> {
    let administered = OpenApiRouter::new()
        .merge(tenants::router())
        .merge(plugins::router())
        .merge(keys::router())
        .merge(books::router())
        .merge(webhooks::router())
        .layer(from_fn_with_state(service.clone(), administration));
    OpenApiRouter::with_openapi(Specification::openapi())
        .merge(packets::router())
        .merge(rooms::router())
        .merge(money_events::router())
        .merge(users::router())
        .merge(withdrawals::router())
        .merge(administered)
        .merge(operations::router(service.settings().metrics))
}
