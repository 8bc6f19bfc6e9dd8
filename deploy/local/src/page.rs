//! The page that views serves calls other services straight from the browser: it is told where they are, and they from where
//! they are called.

use crate::addresses::Addresses;

const PAGE: &str = "views";
const CALLED: [&str; 3] = ["orders", "payments", "customers"];

/// What a service is told about it; nothing, if the other side does not belong to the stack.
pub(crate) fn environment(service: &str, addresses: &Addresses) -> Vec<(String, String)> {
    let urls = |service| addresses.services.iter().filter(move |instance| instance.service == service);
    let urls = |service| urls(service).filter_map(|instance| instance.url.as_deref());
    let mut variables = Vec::new();
    if service == PAGE {
        for called in CALLED {
            variables.push((format!("{}_URLS", called.to_uppercase()), urls(called).collect::<Vec<_>>().join(",")));
        }
    } else if CALLED.contains(&service) {
        // To a browser these are two origins.
        let origins = urls(PAGE).flat_map(|url| [url.to_string(), url.replace("127.0.0.1", "localhost")]);
        variables.push(("HTTP_CORS_ORIGINS".to_string(), origins.collect::<Vec<_>>().join(",")));
    }
    variables.retain(|(_, value)| !value.is_empty());
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::{Declaration, PARTS};

    fn addresses(is_there: impl Fn(&Declaration) -> bool) -> Addresses {
        let parts: Vec<&Declaration> = PARTS.iter().filter(|part| is_there(part)).collect();
        let ports: Vec<(String, u16)> = parts.iter().flat_map(|part| part.ports()).collect();
        let port = |name: &str| ports.iter().find(|(known, _)| known == name).map_or(0, |(_, port)| *port);
        Addresses::new(&parts, port)
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_string(), value.to_string())
    }

    #[test]
    fn the_page_is_told_of_all_instances_it_calls_and_they_of_all_its_origins() {
        let addresses = addresses(|_| true);
        let called = [
            pair("ORDERS_URLS", "http://127.0.0.1:8080,http://127.0.0.1:8090"),
            pair("PAYMENTS_URLS", "http://127.0.0.1:8480,http://127.0.0.1:8490"),
            pair("CUSTOMERS_URLS", "http://127.0.0.1:8580,http://127.0.0.1:8590"),
        ];
        assert_eq!(environment("views", &addresses), called);
        let origins = "http://127.0.0.1:8780,http://localhost:8780,http://127.0.0.1:8790,http://localhost:8790";
        assert_eq!(environment("orders", &addresses), [pair("HTTP_CORS_ORIGINS", origins)]);
        assert_eq!(environment("fraud", &addresses), []);
    }

    #[test]
    fn what_the_stack_does_not_have_nobody_is_told_of() {
        let without_payments = addresses(|part| part.service() != Some("payments"));
        let told = environment("views", &without_payments);
        assert_eq!(told.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["ORDERS_URLS", "CUSTOMERS_URLS"]);
        let without_page = addresses(|part| part.service() != Some("views"));
        assert_eq!(environment("orders", &without_page), []);
    }
}
