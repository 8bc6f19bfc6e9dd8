use std::collections::{BTreeMap, HashSet};
use std::fmt;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{InvalidField, Problem};

/// How deep arrays and objects may nest in a body.
const MAX_DEPTH: usize = 32;

/// A JSON object that came as a request's body: its bytes as received, and its members to be [read](Self::read) strictly.
///
/// The extractor refuses another media type than `application/json` or `…+json`, another character set than UTF-8 and
/// any content encoding (415), and whatever is not exactly one JSON text with unique names, at most 32 levels deep (400).
/// A text that is no object is refused as well (422). Values stay as they were written until they are read, so that a
/// decimal number loses no digit.
#[derive(Clone, Debug)]
pub struct JsonBody {
    bytes: Bytes,
    members: BTreeMap<String, Box<RawValue>>,
}

/// The members of a [`JsonBody`] while they are read; remembers what was wrong with each.
#[derive(Debug)]
pub struct Fields<'a> {
    members: BTreeMap<&'a str, &'a RawValue>,
    errors: Vec<InvalidField>,
}

impl JsonBody {
    /// The body exactly as received.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Makes a value of the members. Every member must be asked for by name; those that are missing, of the wrong type
    /// or never asked for are all named in one problem.
    ///
    /// ```
    /// # use service_kit::http::{JsonBody, Problem, int32, text};
    /// struct Reading { sensor: String, celsius: i32, note: Option<String> }
    ///
    /// fn reading(body: &JsonBody) -> Result<Reading, Problem> {
    ///     body.read(|fields| Reading {
    ///         sensor: fields.required("sensor", text),
    ///         celsius: fields.required("celsius", int32),
    ///         note: fields.optional("note", text),
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    /// 422 with one entry per member that is not acceptable.
    pub fn read<T>(&self, read: impl FnOnce(&mut Fields<'_>) -> T) -> Result<T, Problem> {
        let members = self.members.iter().map(|(name, raw)| (name.as_str(), raw.as_ref()));
        let mut fields = Fields { members: members.collect(), errors: Vec::new() };
        let value = read(&mut fields);
        fields.refuse_unknown();
        if fields.errors.is_empty() { Ok(value) } else { Err(Problem::invalid(fields.errors)) }
    }

    fn parse(bytes: Bytes) -> Result<Self, Problem> {
        let malformed = |reason: String| Problem::bad_request(format!("The body is not well-formed JSON: {reason}."));
        let text = std::str::from_utf8(&bytes).map_err(|error| malformed(error.to_string()))?;
        let root: &RawValue = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        check(root, 1).map_err(malformed)?;
        if !root.get().starts_with('{') {
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "The body must be a JSON object."));
        }
        let members = members(root).map_err(malformed)?;
        let members = members.into_iter().map(|(name, raw)| (name, raw.to_owned())).collect();
        Ok(Self { bytes, members })
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        require_json(request.headers())?;
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
        Self::parse(bytes)
    }
}

impl Fields<'_> {
    /// The member `name`, which must be there. Where it is not, or `read` refuses it, a stand-in is returned that
    /// [`JsonBody::read`] never lets out.
    pub fn required<T: Default>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> T {
        match self.members.remove(name) {
            Some(raw) => self.value(name, raw, read).unwrap_or_default(),
            None => {
                self.refuse(name, "is missing");
                T::default()
            }
        }
    }

    /// The member `name`, or nothing where it is missing or `null`.
    pub fn optional<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let raw = self.members.remove(name).filter(|raw| raw.get() != "null")?;
        self.value(name, raw, read)
    }

    /// Notes that the member `name` is not acceptable, for a reason that shows only when several are seen together.
    pub fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(InvalidField::of_body(name, detail));
    }

    fn value<T>(&mut self, name: &str, raw: &RawValue, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        read(raw.get()).map_err(|detail| self.refuse(name, detail)).ok()
    }

    fn refuse_unknown(&mut self) {
        for name in std::mem::take(&mut self.members).into_keys() {
            self.refuse(name, "is not known");
        }
    }
}

/// Reads a JSON string. For [`Fields::required`] and [`Fields::optional`], as are all readers: it is given the JSON of
/// the value as it was written.
///
/// # Errors
/// The value is not a string.
pub fn text(json: &str) -> Result<String, String> {
    serde_json::from_str(json).map_err(|_| "must be a string".to_owned())
}

/// Reads a JSON number without fraction or exponent into 32 bits (Avro's `int`, OpenAPI's `int32`).
///
/// # Errors
/// The value is something else, or out of range.
pub fn int32(json: &str) -> Result<i32, String> {
    json.parse().map_err(|_| format!("must be an integer between {} and {}", i32::MIN, i32::MAX))
}

/// Reads a JSON number without fraction or exponent into 64 bits (Avro's `long`, OpenAPI's `int64`).
///
/// # Errors
/// The value is something else, or out of range.
pub fn int64(json: &str) -> Result<i64, String> {
    json.parse().map_err(|_| format!("must be an integer between {} and {}", i64::MIN, i64::MAX))
}

/// The digits of a JSON number as they were written, for a reader of a type that is exact where a float is not.
///
/// # Errors
/// The value is not a number.
pub fn number(json: &str) -> Result<&str, String> {
    let is_number = json.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    if is_number { Ok(json) } else { Err("must be a number".to_owned()) }
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    const JSON: &str = "application/json";
    let refuse = |detail| Err(Problem::unsupported_media_type(detail, JSON));
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    let essence = parts.next().unwrap_or_default();
    if essence != JSON && !(essence.starts_with("application/") && essence.ends_with("+json")) {
        return refuse("The body must be `application/json`, and `Content-Type` must say so.");
    }
    let charset = parts.find_map(|part| part.strip_prefix("charset=").map(|value| value.trim_matches('"').to_owned()));
    if charset.is_some_and(|charset| charset != "utf-8") {
        return refuse("The body must be encoded in UTF-8.");
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return refuse("The body must not be compressed.");
    }
    Ok(())
}

/// What well-formed JSON must not have either: a name twice in one object (RFC 8259 leaves open what that means), half of a
/// surrogate pair, nesting without end.
fn check(raw: &RawValue, depth: usize) -> Result<(), String> {
    let is_container = raw.get().starts_with(['{', '[']);
    if is_container && depth > MAX_DEPTH {
        return Err(format!("it nests more than {MAX_DEPTH} levels deep"));
    }
    match raw.get().as_bytes().first() {
        Some(b'{') => members(raw)?.into_iter().try_for_each(|(_, value)| check(value, depth + 1)),
        Some(b'[') => parse_part::<Vec<&RawValue>>(raw)?.into_iter().try_for_each(|value| check(value, depth + 1)),
        Some(b'"') => parse_part::<String>(raw).map(drop),
        _ => Ok(()),
    }
}

fn members(object: &RawValue) -> Result<Vec<(String, &RawValue)>, String> {
    let Members(members) = parse_part(object)?;
    let mut names = HashSet::new();
    match members.iter().find(|(name, _)| !names.insert(name.as_str())) {
        Some((name, _)) => Err(format!("the name {name:?} occurs twice in one object")),
        None => Ok(members),
    }
}

fn parse_part<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, String> {
    // The syntax of the whole has been checked; what is left are escapes that stand for no character.
    serde_json::from_str(raw.get()).map_err(|_| "a string holds half of a surrogate pair".to_owned())
}

/// The members of an object in their order, also those with the same name.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn refusal(body: &str) -> StatusCode {
        JsonBody::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap_err().status()
    }

    fn body(text: &'static str) -> JsonBody {
        JsonBody::parse(Bytes::from_static(text.as_bytes())).unwrap()
    }

    #[test]
    fn text_that_is_not_exactly_one_well_formed_value_is_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(32), "]".repeat(32));
        let malformed = [
            "",
            "{",
            "{}{}",
            "{\"a\":1,}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":NaN}",
            "\u{feff}{}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":1,\"a\":1}",
            "{\"a\":{\"b\":1,\"b\":2}}",
            "{\"a\":[{\"b\":1,\"b\":2}]}",
            &deep,
        ];
        for text in malformed {
            assert_eq!(refusal(text), StatusCode::BAD_REQUEST, "{text}");
        }
        let invalid_utf_8 = JsonBody::parse(Bytes::from_static(b"{\"a\":\"\xff\"}"));
        assert_eq!(invalid_utf_8.unwrap_err().status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn nesting_as_deep_as_a_million_levels_does_not_overflow_the_stack() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(refusal(&deep), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_value_that_is_no_object_is_unprocessable() {
        for text in ["[]", "1", "null", "\"a\""] {
            assert_eq!(refusal(text), StatusCode::UNPROCESSABLE_ENTITY, "{text}");
        }
    }

    #[test]
    fn every_member_that_is_not_acceptable_is_named() {
        let body = body(r#"{"small":2147483648,"big":9223372036854775808,"word":1,"strange":true}"#);
        let problem = body.read(|fields| {
            (
                fields.required("small", int32),
                fields.required("big", int64),
                fields.required("word", text),
                fields.required("gone", text),
            )
        });
        let document: serde_json::Value = serde_json::from_slice(&problem.unwrap_err().body()).unwrap();
        let errors = document["errors"].as_array().unwrap();
        let named: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(named, ["#/small", "#/big", "#/word", "#/gone", "#/strange"]);
    }

    #[test]
    fn numbers_arrive_as_they_were_written() {
        let body = body(r#" {"price": 0.10000000000000000001, "huge": 1e999, "exact": -9223372036854775808} "#);
        let digits = |json: &str| number(json).map(str::to_owned);
        let read = body.read(|fields| {
            (fields.required("price", digits), fields.required("huge", digits), fields.required("exact", int64))
        });
        assert_eq!(read.unwrap(), ("0.10000000000000000001".to_owned(), "1e999".to_owned(), i64::MIN));
    }

    #[test]
    fn an_integer_has_neither_fraction_nor_exponent_nor_quotes() {
        for json in ["1.0", "1e2", "\"1\"", "null", "true", "[1]"] {
            assert!(int64(json).is_err(), "{json}");
        }
        assert_eq!(int32("-2147483648"), Ok(i32::MIN));
    }

    #[test]
    fn an_optional_member_may_be_missing_or_null_but_not_wrong() {
        let read = |text_of_body| body(text_of_body).read(|fields| fields.optional("note", text));
        assert_eq!(read("{}").unwrap(), None);
        assert_eq!(read(r#"{"note":null}"#).unwrap(), None);
        assert_eq!(read(r#"{"note":"\u00e9"}"#).unwrap().as_deref(), Some("é"));
        assert_eq!(read(r#"{"note":1}"#).unwrap_err().status(), StatusCode::UNPROCESSABLE_ENTITY);
    }

    #[test]
    fn only_uncompressed_utf_8_json_is_taken() {
        let status = |name, value| {
            let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
            headers.insert(name, HeaderValue::from_static(value));
            require_json(&headers).err().map(|problem| problem.status())
        };
        for accepted in
            ["application/json", "Application/JSON; charset=UTF-8", "application/vnd.a+json;charset=\"utf-8\""]
        {
            assert_eq!(status(CONTENT_TYPE, accepted), None, "{accepted}");
        }
        for refused in ["", "text/json", "application/xml", "application/json;charset=latin1", "application/jsonp"] {
            assert_eq!(status(CONTENT_TYPE, refused), Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{refused}");
        }
        assert_eq!(status(CONTENT_ENCODING, "gzip"), Some(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        assert_eq!(status(CONTENT_ENCODING, "identity"), None);
        assert!(require_json(&HeaderMap::new()).is_err());
    }
}
