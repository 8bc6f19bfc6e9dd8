use axum::Router;
use utoipa::openapi::{Info, OpenApi};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::Problem;

/// Serves `router` with its description at `/openapi.json` and a page to read and try it at `/docs`. The page and all its
/// parts come out of this binary; it works without any other address.
pub fn document(name: &str, router: OpenApiRouter) -> Router {
    let (router, mut api) = router.split_for_parts();
    describe(name, &mut api);
    // Unless told otherwise the page shows a badge that it fetches from a public validator.
    let config = Config::default().validator_url("none");
    router.merge(SwaggerUi::new("/docs").url("/openapi.json", api).config(config))
}

fn describe(name: &str, api: &mut OpenApi) {
    // A router that was given no description calls itself what its library is called.
    if ["", "utoipa-axum"].contains(&api.info.title.as_str()) {
        api.info = Info::new(name, "1");
    }
    // The refusals of this module name it without bringing it along.
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    api.components.get_or_insert_default().schemas.extend(schemas);
}
