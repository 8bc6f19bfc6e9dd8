//! The live page: files that come out of this binary.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::options::Options;

/// One file of the page.
#[derive(Clone, Copy, Debug)]
struct File {
    path: &'static str,
    media_type: &'static str,
    content: &'static [u8],
}

/// A file of `page/`, at the address of its name.
macro_rules! file {
    ($name:literal, $media_type:expr) => {
        File {
            path: concat!("/page/", $name),
            media_type: $media_type,
            content: include_bytes!(concat!("../../page/", $name)),
        }
    };
}

/// All files; the first is the page itself, and found at `/` as well.
const FILES: &[File] = &[
    file!("index.html", HTML),
    file!("api.js", SCRIPT),
    file!("customer-panel.js", SCRIPT),
    file!("drawing.js", SCRIPT),
    file!("elements.js", SCRIPT),
    file!("feed.js", SCRIPT),
    file!("icon.svg", PICTURE),
    file!("instances.js", SCRIPT),
    file!("json-text.js", SCRIPT),
    file!("layout.css", STYLE),
    file!("main.js", SCRIPT),
    file!("minutes-count.js", SCRIPT),
    file!("model.js", SCRIPT),
    file!("order-form.js", SCRIPT),
    file!("order-panel.js", SCRIPT),
    file!("orders-grid.js", SCRIPT),
    file!("orders-window.js", SCRIPT),
    file!("orders.css", STYLE),
    file!("panel.js", SCRIPT),
    file!("presets.js", SCRIPT),
    file!("side.js", SCRIPT),
    file!("theme.css", STYLE),
    file!("topics.css", STYLE),
    file!("topics.js", SCRIPT),
    file!("words.js", SCRIPT),
];

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// What the page may talk to, besides this service.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageDocument {
    /// Every instance of orders
    orders_urls: Vec<String>,
    /// Every instance of payments
    payments_urls: Vec<String>,
    /// Every instance of customers
    customers_urls: Vec<String>,
}

/// The page, and what it has to know.
pub fn router(options: &Options) -> OpenApiRouter {
    let page = Arc::new(PageDocument {
        orders_urls: options.orders_urls.0.clone(),
        payments_urls: options.payments_urls.0.clone(),
        customers_urls: options.customers_urls.0.clone(),
    });
    let policy = page.policy();
    let router = OpenApiRouter::new().routes(routes!(describe)).with_state(page);
    let files = FILES.iter().map(|file| (file.path, file)).chain([("/", &FILES[0])]);
    files.fold(router, |router, (path, file)| {
        let (tag, policy) = (file.tag(), policy.clone());
        router.route(path, get(async move |headers: HeaderMap| file.answer(&headers, &tag, policy)))
    })
}

/// Which services the page may talk to
#[utoipa::path(get, path = "/v1/page",
    responses((status = 200, description = "Their addresses", body = PageDocument)))]
async fn describe(State(page): State<Arc<PageDocument>>) -> Json<PageDocument> {
    Json(PageDocument::clone(&page))
}

impl PageDocument {
    /// What a browser may do in the name of the page: nothing that comes from elsewhere, and no talk with others.
    fn policy(&self) -> HeaderValue {
        let others = [&self.orders_urls[..], &self.payments_urls, &self.customers_urls].concat();
        let connect = others.iter().map(|url| format!(" {url}")).collect::<String>();
        let policy = format!(
            "default-src 'self'; connect-src 'self'{connect}; img-src 'self' data:; style-src 'self'; \
             script-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        // Addresses are made of characters that a header may have; without any the page still shows what there is.
        HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'self'"))
    }
}

impl File {
    fn answer(&self, headers: &HeaderMap, tag: &HeaderValue, policy: HeaderValue) -> Response {
        let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
        let mut known = known.flat_map(|line| line.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
        let caching = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
        if known.any(|known| known == "*" || known.as_bytes() == tag.as_bytes()) {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        }
        let nature = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.media_type)),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (header::CONTENT_SECURITY_POLICY, policy),
        ];
        (caching, nature, self.content).into_response()
    }

    /// The same as long as the content is.
    fn tag(&self) -> HeaderValue {
        let mut hasher = DefaultHasher::new();
        self.content.hash(&mut hasher);
        HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish())).expect("digits in quotes are a header value")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_in_the_program() -> anyhow::Result<()> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/page");
        let mut there = BTreeSet::new();
        for entry in fs::read_dir(folder)? {
            there.insert(format!("/page/{}", entry?.file_name().to_string_lossy()));
        }
        assert_eq!(FILES.iter().map(|file| file.path.to_string()).collect::<BTreeSet<_>>(), there);
        Ok(())
    }

    #[test]
    fn the_page_has_at_most_200_kilobytes_in_all() {
        assert!(FILES.iter().map(|file| file.content.len()).sum::<usize>() <= 200_000);
    }
}
