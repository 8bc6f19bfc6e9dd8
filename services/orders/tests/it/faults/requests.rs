use std::collections::BTreeSet;

use serde_json::Value;
use test_kit::unique;

use super::bounds::{Given, Taken, bounds};
use super::fields::{Field, Shape, fields};
use crate::harness::order;

/// One request, and what it must be answered with.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: Vec<u8>,
    pub answer: Answer,
}

#[derive(Clone, Debug)]
pub enum Answer {
    /// 201, and of these fields the order tells this, in JSON.
    Created { told: Vec<(String, String)> },
    /// A problem with this status, and if one field is to blame this one and no other.
    Refused { status: u16, field: Option<String> },
}

/// The members of a body, each with its value in JSON.
type Members = Vec<(String, String)>;

const JSON: (&str, &str) = ("content-type", "application/json");

/// The largest body that is taken, by the service's default.
const BODY_BYTES: usize = 65_536;

/// How deep arrays and objects may nest in a body.
const DEPTH: usize = 32;

/// All cases there are by the OpenAPI document, the schema of the journal and that of the order; or why there may be more.
pub fn cases(openapi: &Value, journal: &Value, order: &Value) -> Result<Vec<Case>, String> {
    let fields = fields(openapi, journal)?;
    let mut cases = Vec::new();
    for field in &fields {
        cases.extend(of_presence(field));
        cases.extend(of_type(field));
        cases.extend(of_syntax(field));
        let bounds = bounds(field)?;
        cases.extend(bounds.inside.into_iter().map(|value| inside(field, value)));
        cases.extend(bounds.outside.into_iter().map(|value| outside(field, value)));
    }
    cases.extend(of_names(&fields, [journal, order]));
    cases.extend(of_state(order));
    cases.extend(of_whole_bodies());
    cases.extend(of_media_types());
    Ok(cases)
}

/// The field is missing, or `null`.
fn of_presence(field: &Field) -> [Case; 2] {
    let answer = || if field.is_required { unacceptable(&field.name) } else { Answer::Created { told: Vec::new() } };
    let mut without = members();
    without.retain(|(name, _)| *name != field.name);
    [
        Case::new(format!("without {}", field.name), without, answer()),
        Case::new(format!("{} is null", field.name), with(&field.name, "null"), answer()),
    ]
}

/// The field has a value of every other JSON type.
fn of_type(field: &Field) -> impl Iterator<Item = Case> {
    let others = ["true", "[]", "{}", "[1]", r#"["a"]"#, r#"{"a":1}"#];
    let numbers_or_text = match field.shape {
        Shape::Text => ["1", "1.5", "-0"],
        Shape::Whole(_) => [r#""1""#, r#""""#, "1.5"],
        Shape::Decimal(_) => [r#""5""#, r#""""#, r#""5.00 USD""#],
    };
    let values = others.into_iter().chain(numbers_or_text);
    values.map(|json| of_value(&field.name, json, unacceptable(&field.name)))
}

/// The value is no JSON, the field is there twice, or it nests too deep.
fn of_syntax(field: &Field) -> Vec<Case> {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let malformed = [
        "",
        "nope",
        "'a'",
        "01",
        "+1",
        ".5",
        "1.",
        "0x1",
        "NaN",
        "-Infinity",
        "\"a",
        "\"\t\"",
        r#""\ud800""#,
        r#""\x""#,
        "[1,]",
        "1 2",
    ];
    let mut cases: Vec<_> = malformed.map(|json| of_value(&field.name, json, malformed_body())).into();
    cases.push(of_value(&field.name, &nested(DEPTH - 1), unacceptable(&field.name)));
    cases.push(of_value(&field.name, &nested(DEPTH), malformed_body()));
    let mut twice = with(&field.name, "null");
    twice.push((field.name.clone(), "null".to_string()));
    cases.push(Case::new(format!("{} twice", field.name), twice, malformed_body()));
    cases
}

fn inside(field: &Field, Taken { given, told }: Taken) -> Case {
    let mut told = vec![(field.name.clone(), told)];
    told.extend(given.currency.map(|currency| ("currency".to_string(), format!("{currency:?}"))));
    of_value(&field.name, &given.json, Answer::Created { told }).in_currency(field, &given)
}

fn outside(field: &Field, given: Given) -> Case {
    of_value(&field.name, &given.json, unacceptable(&field.name)).in_currency(field, &given)
}

/// Members that are no fields: those that others than the client give a value, and fields by another name.
fn of_names(fields: &[Field], records: [&Value; 2]) -> Vec<Case> {
    let sent: BTreeSet<&str> = fields.iter().map(|field| field.name.as_str()).chain(["state"]).collect();
    let of_records = records.iter().flat_map(|record| record["fields"].as_array()).flatten();
    let ours = of_records.filter_map(|field| field["name"].as_str()).map(str::to_string);
    let in_capitals = sent.iter().map(|name| name.to_uppercase());
    let invented = ["discount", "", " ", "__proto__", "$ref"].map(str::to_string);
    let names: BTreeSet<String> =
        ours.chain(in_capitals).chain(invented).filter(|name| !sent.contains(name.as_str())).collect();
    names.iter().flat_map(|name| ["1", "null"].map(|json| of_value(name, json, unacceptable(name)))).collect()
}

/// An order is created by being placed; every other state is the server's to give.
fn of_state(order: &Value) -> Vec<Case> {
    let fields = order["fields"].as_array().into_iter().flatten();
    let symbols =
        fields.filter(|field| field["name"] == "state").filter_map(|field| field["type"]["symbols"].as_array());
    let others = symbols.flatten().filter(|symbol| *symbol != "CREATED").map(Value::to_string);
    let values = others.chain([r#""created""#, r#""""#, "1", "true", "[]", "{}"].map(str::to_string));
    let mut cases: Vec<_> = values.map(|json| of_value("state", &json, unacceptable("state"))).collect();
    for json in [r#""CREATED""#, "null"] {
        let told = vec![("state".to_string(), r#""CREATED""#.to_string())];
        cases.push(of_value("state", json, Answer::Created { told }));
    }
    cases
}

/// The body ends too early, goes on too long, or is no object.
fn of_whole_bodies() -> Vec<Case> {
    let body = text(&members());
    let of_size = |bytes: usize| format!("{body}{}", " ".repeat(bytes - body.len()));
    let cut = (0..body.len()).filter(|end| body.is_char_boundary(*end)).map(|end| (body[..end].to_string(), 400, None));
    let no_objects = ["null", "[]", "1", r#""order""#, "true"].map(|json| (json.to_string(), 422, None));
    let two = (format!("{body}{body}"), 400, None);
    let too_large = (of_size(BODY_BYTES + 1), 413, None);
    let refused = cut.chain(no_objects).chain([two, too_large]).map(|(body, status, field)| {
        let name = format!("{} bytes, of which the last are {:?}", body.len(), &body[body.len().saturating_sub(20)..]);
        Case { name, headers: vec![JSON], body: body.into(), answer: Answer::Refused { status, field } }
    });
    let no_text = Case {
        name: "a product that is not UTF-8".to_string(),
        headers: vec![JSON],
        body: text(&with("product", "\"@\""))
            .into_bytes()
            .into_iter()
            .map(|byte| if byte == b'@' { 0xff } else { byte })
            .collect(),
        answer: malformed_body(),
    };
    let largest = Case {
        name: "the largest body".to_string(),
        headers: vec![JSON],
        body: of_size(BODY_BYTES).into(),
        answer: Answer::Created { told: Vec::new() },
    };
    refused.chain([no_text, largest]).collect()
}

/// The body is something else than JSON by its headers.
fn of_media_types() -> Vec<Case> {
    let taken: [&[_]; 3] = [
        &[("content-type", "application/json; charset=UTF-8")],
        &[("content-type", "application/vnd.order+json")],
        &[JSON, ("content-encoding", "identity")],
    ];
    let refused: [&[_]; 7] = [
        &[],
        &[("content-type", "")],
        &[("content-type", "text/plain")],
        &[("content-type", "application/xml")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "application/json; charset=latin1")],
        &[JSON, ("content-encoding", "gzip")],
    ];
    let with = |headers: &[(&'static str, &'static str)], answer| Case {
        name: format!("with {headers:?}"),
        headers: headers.to_vec(),
        body: text(&members()).into(),
        answer,
    };
    let taken = taken.map(|headers| with(headers, Answer::Created { told: Vec::new() }));
    let refused = refused.map(|headers| with(headers, Answer::Refused { status: 415, field: None }));
    taken.into_iter().chain(refused).collect()
}

impl Case {
    fn new(name: String, members: Members, answer: Answer) -> Self {
        Self { name, headers: vec![JSON], body: text(&members).into(), answer }
    }

    /// The same in the currency that its value needs.
    fn in_currency(self, field: &Field, given: &Given) -> Self {
        let Some(currency) = given.currency else { return self };
        let mut members = with(&field.name, &given.json);
        members.push(("currency".to_string(), format!("{currency:?}")));
        Self { name: format!("{} in {currency}", self.name), body: text(&members).into(), ..self }
    }
}

/// A case of one field that has this value.
fn of_value(field: &str, json: &str, answer: Answer) -> Case {
    let shown: String = json.chars().take(80).collect();
    Case::new(format!("{field} is {shown}"), with(field, json), answer)
}

fn unacceptable(field: &str) -> Answer {
    Answer::Refused { status: 422, field: Some(field.to_string()) }
}

fn malformed_body() -> Answer {
    Answer::Refused { status: 400, field: None }
}

/// Those of an order without fault, under an id of its own.
fn members() -> Members {
    let order = order(&unique("fault"));
    order.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.to_string())).collect()
}

/// The same with another value of one field.
fn with(field: &str, json: &str) -> Members {
    let mut members = members();
    members.retain(|(name, _)| name != field);
    members.push((field.to_string(), json.to_string()));
    members
}

fn text(members: &Members) -> String {
    let members: Vec<_> = members.iter().map(|(name, json)| format!("{}:{json}", Value::from(name.as_str()))).collect();
    format!("{{{}}}", members.join(","))
}
