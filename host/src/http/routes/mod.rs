//! What can be asked, and the specification of it.

mod books;
mod keys;
mod operations;
mod packets;
mod rooms;
mod stream;
mod tenants;
mod users;

use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::Service;
use super::specification::Specification;

/// Every route of the API, with its specification.
pub(super) fn router(with_metrics: bool) -> OpenApiRouter<Service> {
    OpenApiRouter::with_openapi(Specification::openapi())
        .merge(packets::router())
        .merge(rooms::router())
        .merge(users::router())
        .merge(tenants::router())
        .merge(keys::router())
        .merge(books::router())
        .merge(operations::router(with_metrics))
}
