use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::Problem;
use super::call::header;

/// What must hold of what is there for a change to be made: the client's side of optimistic concurrency (RFC 9110,
/// section 13.1). The entity tag of a version is its number in quotes.
///
/// A request without one is refused with 428 (RFC 6585, section 3). One whose tag is of no version that ever was, or weak,
/// with 412, since a weak tag matches nothing here. One with several, or that says something else, with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// `If-None-Match: *`: nothing is there.
    Absent,
    /// `If-Match: *`: something is there, whatever its version.
    Present,
    /// `If-Match: "3"`: the version is this one.
    Version(i32),
}

impl Precondition {
    fn required(headers: &HeaderMap) -> Result<Self, Problem> {
        match (only(headers, &IF_MATCH)?, only(headers, &IF_NONE_MATCH)?) {
            (Some("*"), None) => Ok(Self::Present),
            (Some(tag), None) if !is_one_tag(tag) => {
                Err(Problem::bad_request("`If-Match` must name one version, as `\"3\"` does, or be `*`."))
            }
            (Some(tag), None) => version(tag).map(Self::Version).ok_or_else(|| {
                Problem::new(StatusCode::PRECONDITION_FAILED, "`If-Match` names no version that ever was.")
            }),
            (None, Some("*")) => Ok(Self::Absent),
            (None, Some(_)) => {
                Err(Problem::bad_request("`If-None-Match` must be `*` in a request that changes something."))
            }
            (Some(_), Some(_)) => Err(Problem::bad_request("`If-Match` and `If-None-Match` exclude each other.")),
            (None, None) => {
                let detail =
                    "Say what you change: `If-Match` with the `ETag` you have read, or `If-None-Match: *` to create.";
                Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, detail))
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Precondition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::required(&parts.headers)
    }
}

impl IntoParams for Precondition {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            header("If-Match", "The `ETag` of the version to change, `*` for any"),
            header("If-None-Match", "`*`: create what is not there, and change nothing"),
        ]
    }
}

/// The header with the entity tag of a version.
pub fn etag(version: i32) -> (HeaderName, HeaderValue) {
    (ETAG, HeaderValue::try_from(format!("\"{version}\"")).expect("digits in quotes are a header value"))
}

/// Whether the client has this version already and does not want it again: `If-None-Match` of a read (RFC 9110, section
/// 13.1.2), for which the answer is 304. A list that cannot be read matches nothing.
pub fn is_known(headers: &HeaderMap, version: i32) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    // The comparison is the weak one.
    tags.any(|tag| tag == "*" || self::version(tag.strip_prefix("W/").unwrap_or(tag)) == Some(version))
}

/// The version that a tag is of, written in the one way in which we write it.
fn version(tag: &str) -> Option<i32> {
    let number = tag.strip_prefix('"')?.strip_suffix('"')?;
    number.parse().ok().filter(|version: &i32| *version > 0 && version.to_string() == number)
}

fn is_one_tag(text: &str) -> bool {
    let quoted = text.strip_prefix("W/").unwrap_or(text).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    quoted.is_some_and(|inner| !inner.contains('"'))
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => Ok(Some(value.to_str().unwrap_or_default().trim())),
        (Some(_), Some(_)) => Err(Problem::bad_request(format!("`{name}` must not be given more than once."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::try_from(*value).unwrap());
        }
        headers
    }

    fn required(pairs: &[(HeaderName, &str)]) -> Result<Precondition, u16> {
        Precondition::required(&headers(pairs)).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn a_change_names_the_version_it_is_of_or_none_at_all() {
        assert_eq!(required(&[(IF_MATCH, "\"3\"")]), Ok(Precondition::Version(3)));
        assert_eq!(required(&[(IF_MATCH, "*")]), Ok(Precondition::Present));
        assert_eq!(required(&[(IF_NONE_MATCH, "*")]), Ok(Precondition::Absent));
    }

    #[test]
    fn a_change_without_a_precondition_is_told_that_it_needs_one() {
        assert_eq!(required(&[]), Err(428));
    }

    #[test]
    fn a_tag_that_was_never_given_matches_nothing() {
        for tag in ["W/\"3\"", "\"0\"", "\"-1\"", "\"03\"", "\"+3\"", "\"abc\"", "\"\"", "\"2147483648\"", "\"3,4\""] {
            assert_eq!(required(&[(IF_MATCH, tag)]), Err(412), "{tag}");
        }
    }

    #[test]
    fn what_is_no_precondition_of_a_change_is_refused() {
        for tag in ["3", "", "\"3", "\"3\", \"4\"", "W/3", "é"] {
            assert_eq!(required(&[(IF_MATCH, tag)]), Err(400), "{tag}");
        }
        assert_eq!(required(&[(IF_NONE_MATCH, "\"3\"")]), Err(400));
        assert_eq!(required(&[(IF_MATCH, "\"3\""), (IF_NONE_MATCH, "*")]), Err(400));
        assert_eq!(required(&[(IF_MATCH, "\"3\""), (IF_MATCH, "\"4\"")]), Err(400));
    }

    #[test]
    fn who_has_the_version_is_not_given_it_again() {
        let known = |values: &[&str]| {
            let pairs: Vec<_> = values.iter().map(|value| (IF_NONE_MATCH, *value)).collect();
            is_known(&headers(&pairs), 3)
        };
        for values in [&["\"3\""][..], &["W/\"3\""], &["*"], &["\"2\", \"3\""], &["\"2\"", "\"3\""]] {
            assert!(known(values), "{values:?}");
        }
        for values in [&[][..], &["\"2\""], &["3"], &["\"03\""], &["nonsense"]] {
            assert!(!known(values), "{values:?}");
        }
    }

    #[test]
    fn the_tag_of_a_version_is_its_number_in_quotes() {
        assert_eq!(etag(3).1, "\"3\"");
    }
}
