use std::collections::BTreeSet;

use serde_json::Value;

use super::bounds::{Given, Taken};
use super::{Answer, Case, Contract, Field, Shape};

/// The members of a body, each with its value in JSON.
type Members = Vec<(String, String)>;

const JSON: (&str, &str) = ("content-type", "application/json");

/// The largest body that is taken, by the service's default.
const BODY_BYTES: usize = 65_536;

/// How deep arrays and objects may nest in a body.
const DEPTH: usize = 32;

impl Contract<'_> {
    /// All cases of all fields, and of the body as a whole; or why there may be more.
    ///
    /// # Errors
    /// The documents differ in a field, or nobody has said which of its values are taken.
    pub fn cases(&self) -> Result<Vec<Case>, String> {
        let fields = self.fields()?;
        let mut cases = Vec::new();
        for field in &fields {
            cases.extend(self.of_presence(field));
            cases.extend(self.of_type(field));
            cases.extend(self.of_syntax(field));
            let bounds = (self.bounds)(field).ok_or_else(|| {
                let name = &field.name;
                format!("`{name}` has no cases: say which of its values are taken and which are refused")
            })?;
            cases.extend(bounds.inside.into_iter().map(|value| self.inside(field, value)));
            cases.extend(bounds.outside.into_iter().map(|value| self.outside(field, value)));
        }
        cases.extend(self.of_names(&fields));
        cases.extend(self.of_whole_bodies(&fields));
        cases.extend(self.of_media_types());
        Ok(cases)
    }

    /// A case of one field that has this value.
    pub fn of_value(&self, field: &str, json: &str, answer: Answer) -> Case {
        let shown: String = json.chars().take(80).collect();
        Case::new(format!("{field} is {shown}"), self.with(field, json), answer)
    }

    /// The field is missing, or `null`.
    fn of_presence(&self, field: &Field) -> [Case; 2] {
        let answer = || if field.is_required { unacceptable(&field.name) } else { Answer::Taken { told: Vec::new() } };
        let mut without = self.members();
        without.retain(|(name, _)| *name != field.name);
        [
            Case::new(format!("without {}", field.name), without, answer()),
            Case::new(format!("{} is null", field.name), self.with(&field.name, "null"), answer()),
        ]
    }

    /// The field has a value of every other JSON type.
    fn of_type(&self, field: &Field) -> Vec<Case> {
        let others = ["true", "[]", "{}", "[1]", r#"["a"]"#, r#"{"a":1}"#];
        let numbers_or_text = match field.shape {
            Shape::Text => ["1", "1.5", "-0"],
            Shape::Whole(_) => [r#""1""#, r#""""#, "1.5"],
            Shape::Decimal(_) => [r#""5""#, r#""""#, r#""5.00 USD""#],
        };
        let values = others.into_iter().chain(numbers_or_text);
        values.map(|json| self.of_value(&field.name, json, unacceptable(&field.name))).collect()
    }

    /// The value is no JSON, the field is there twice, or it nests too deep.
    fn of_syntax(&self, field: &Field) -> Vec<Case> {
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
        let mut cases: Vec<_> = malformed.map(|json| self.of_value(&field.name, json, malformed_body())).into();
        cases.push(self.of_value(&field.name, &nested(DEPTH - 1), unacceptable(&field.name)));
        cases.push(self.of_value(&field.name, &nested(DEPTH), malformed_body()));
        let mut twice = self.with(&field.name, "null");
        twice.push((field.name.clone(), "null".to_string()));
        cases.push(Case::new(format!("{} twice", field.name), twice, malformed_body()));
        cases
    }

    fn inside(&self, field: &Field, Taken { given, told }: Taken) -> Case {
        let mut told = vec![(field.name.clone(), told)];
        told.extend(given.beside.clone().map(|(name, json)| (name.to_string(), json)));
        self.of_given(field, &given, Answer::Taken { told })
    }

    fn outside(&self, field: &Field, given: Given) -> Case {
        self.of_given(field, &given, unacceptable(&field.name))
    }

    fn of_given(&self, field: &Field, given: &Given, answer: Answer) -> Case {
        let case = self.of_value(&field.name, &given.json, answer);
        let Some((name, json)) = &given.beside else { return case };
        let mut members = self.with(&field.name, &given.json);
        members.push((name.to_string(), json.clone()));
        Case { name: format!("{} beside {name} {json}", case.name), body: text(&members).into(), ..case }
    }

    /// Members that are no fields: those that others than the client give a value, and fields by another name.
    fn of_names(&self, fields: &[Field]) -> Vec<Case> {
        let of_fields = fields.iter().map(|field| field.name.as_str());
        let sent: BTreeSet<&str> = of_fields.chain(self.also_sent.iter().copied()).collect();
        let of_records = [self.journal, self.told].into_iter().flat_map(|record| record["fields"].as_array()).flatten();
        let ours = of_records.filter_map(|field| field["name"].as_str()).map(str::to_string);
        let in_capitals = sent.iter().map(|name| name.to_uppercase());
        let invented = ["discount", "", " ", "__proto__", "$ref"].map(str::to_string);
        let names: BTreeSet<String> =
            ours.chain(in_capitals).chain(invented).filter(|name| !sent.contains(name.as_str())).collect();
        names.iter().flat_map(|name| ["1", "null"].map(|json| self.of_value(name, json, unacceptable(name)))).collect()
    }

    /// The body ends too early, goes on too long, or is no object.
    fn of_whole_bodies(&self, fields: &[Field]) -> Vec<Case> {
        let body = text(&self.members());
        let of_size = |bytes: usize| format!("{body}{}", " ".repeat(bytes - body.len()));
        let cut =
            (0..body.len()).filter(|end| body.is_char_boundary(*end)).map(|end| (body[..end].to_string(), 400, None));
        let no_objects = ["null", "[]", "1", r#""text""#, "true"].map(|json| (json.to_string(), 422, None));
        let two = (format!("{body}{body}"), 400, None);
        let too_large = (of_size(BODY_BYTES + 1), 413, None);
        let refused = cut.chain(no_objects).chain([two, too_large]).map(|(body, status, field)| {
            let name =
                format!("{} bytes, of which the last are {:?}", body.len(), &body[body.len().saturating_sub(20)..]);
            Case { name, headers: vec![JSON], body: body.into(), answer: Answer::Refused { status, field } }
        });
        let a_text = fields.iter().find(|field| matches!(field.shape, Shape::Text)).map_or("", |field| &field.name);
        let broken = text(&self.with(a_text, "\"@\"")).into_bytes();
        let no_text = Case {
            name: format!("{a_text} is not UTF-8"),
            headers: vec![JSON],
            body: broken.into_iter().map(|byte| if byte == b'@' { 0xff } else { byte }).collect(),
            answer: malformed_body(),
        };
        let largest = Case {
            name: "the largest body".to_string(),
            headers: vec![JSON],
            body: of_size(BODY_BYTES).into(),
            answer: Answer::Taken { told: Vec::new() },
        };
        refused.chain([no_text, largest]).collect()
    }

    /// The body is something else than JSON by its headers.
    fn of_media_types(&self) -> Vec<Case> {
        let taken: [&[_]; 3] = [
            &[("content-type", "application/json; charset=UTF-8")],
            &[("content-type", "application/vnd.test+json")],
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
            body: text(&self.members()).into(),
            answer,
        };
        let taken = taken.map(|headers| with(headers, Answer::Taken { told: Vec::new() }));
        let refused = refused.map(|headers| with(headers, Answer::Refused { status: 415, field: None }));
        taken.into_iter().chain(refused).collect()
    }

    /// Those of a request without fault.
    fn members(&self) -> Members {
        let sample = (self.sample)();
        sample.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.to_string())).collect()
    }

    /// The same with another value of one field.
    fn with(&self, field: &str, json: &str) -> Members {
        let mut members = self.members();
        members.retain(|(name, _)| name != field);
        members.push((field.to_string(), json.to_string()));
        members
    }
}

impl Case {
    fn new(name: String, members: Members, answer: Answer) -> Self {
        Self { name, headers: vec![JSON], body: text(&members).into(), answer }
    }
}

fn unacceptable(field: &str) -> Answer {
    Answer::unacceptable(field)
}

fn malformed_body() -> Answer {
    Answer::Refused { status: 400, field: None }
}

fn text(members: &Members) -> String {
    let members: Vec<_> = members.iter().map(|(name, json)| format!("{}:{json}", Value::from(name.as_str()))).collect();
    format!("{{{}}}", members.join(","))
}
