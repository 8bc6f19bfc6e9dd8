use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::Problem;

/// The query of a request's address, such as `?timeout=500`. Parameters that nobody asks for are ignored, unless the handler
/// [says](Self::no_others) that there are no others.
#[derive(Debug, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The parameter `name` as a span of time in whole milliseconds, or nothing where it is not given.
    ///
    /// # Errors
    /// 400 where it is no number, out of `range` or given more than once. It is not 422: that status speaks of the content
    /// of a request (RFC 9110, section 15.5.21), and an address has none.
    pub fn milliseconds(&self, name: &str, range: RangeInclusive<u64>) -> Result<Option<Duration>, Problem> {
        let Some(value) = self.only(name)? else { return Ok(None) };
        match value.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(Duration::from_millis(number))),
            _ => {
                let (least, most) = range.into_inner();
                let detail = format!("must be a whole number of milliseconds between {least} and {most}");
                Err(Problem::invalid_parameter(name, detail))
            }
        }
    }

    /// The parameter `name` as a whole number, or nothing where it is not given.
    ///
    /// # Errors
    /// 400 where it is no number, out of `range` or given more than once.
    pub fn number(&self, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, Problem> {
        let Some(value) = self.only(name)? else { return Ok(None) };
        match value.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let (least, most) = range.into_inner();
                Err(Problem::invalid_parameter(name, format!("must be a whole number between {least} and {most}")))
            }
        }
    }

    /// Makes sure that no others are given than these: a filter that is misspelt must not look as if it let all pass.
    ///
    /// # Errors
    /// 400 where there is another.
    pub fn no_others(&self, names: &[&str]) -> Result<(), Problem> {
        match self.0.iter().find(|(given, _)| !names.contains(&given.as_str())) {
            Some((other, _)) => Err(Problem::invalid_parameter(other, "is not known here")),
            None => Ok(()),
        }
    }

    /// The parameter `name` as it is, or nothing where it is not given.
    ///
    /// # Errors
    /// 400 where it is given more than once.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        self.only(name)
    }

    fn only(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.0.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (Some(_), Some(_)) => Err(Problem::invalid_parameter(name, "must not be given more than once")),
            (value, _) => Ok(value),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // Any query is a list of names and values (URL Standard, section 5), so the failure cannot happen.
        Ok(Query::try_from_uri(&parts.uri).map(|Query(pairs)| Self(pairs)).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, StatusCode};

    use super::*;

    async fn timeout(query: &str) -> Result<Option<Duration>, StatusCode> {
        parameters(query).await.milliseconds("timeout", 0..=60_000).map_err(|problem| problem.status())
    }

    async fn parameters(query: &str) -> Parameters {
        let request = Request::builder().uri(format!("/a?{query}")).body(()).unwrap();
        let Ok(parameters) = Parameters::from_request_parts(&mut request.into_parts().0, &()).await;
        parameters
    }

    #[tokio::test]
    async fn a_number_is_whole_and_in_range() {
        let number = async |query| parameters(query).await.number("a", -5..=5).map_err(|problem| problem.status());
        assert_eq!(number("").await, Ok(None));
        assert_eq!(number("a=-5").await, Ok(Some(-5)));
        for refused in ["a=6", "a=", "a=x", "a=1.0", "a=1&a=1", "a=99999999999999999999"] {
            assert_eq!(number(refused).await, Err(StatusCode::BAD_REQUEST), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_parameter_that_nobody_knows_is_refused_where_none_may_be() {
        let parameters = parameters("a=1&b=2").await;
        assert!(parameters.no_others(&["a", "b", "c"]).is_ok());
        let refused = parameters.no_others(&["a"]).map_err(|problem| problem.status());
        assert_eq!(refused, Err(StatusCode::BAD_REQUEST));
    }

    #[tokio::test]
    async fn a_span_of_time_is_a_whole_number_of_milliseconds_in_range() {
        assert_eq!(timeout("").await, Ok(None));
        assert_eq!(timeout("timeout=0").await, Ok(Some(Duration::ZERO)));
        assert_eq!(timeout("other=%ff&timeout=60000").await, Ok(Some(Duration::from_secs(60))));
        let refused = ["abc", "-1", "60001", "1.5", "1e3", "", "99999999999999999999", "%00", "1&timeout=1"];
        for value in refused {
            assert_eq!(timeout(&format!("timeout={value}")).await, Err(StatusCode::BAD_REQUEST), "{value}");
        }
    }
}
