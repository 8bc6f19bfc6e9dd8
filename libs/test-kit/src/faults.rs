//! Every field of a request × every fault, and every boundary from both sides, made out of two documents: the OpenAPI
//! document that a service shows its clients, and the Avro schema that its journal is written with. A field that is added
//! without its cases is named.

mod bounds;
mod cases;
mod fields;

use std::collections::BTreeMap;

use anyhow::ensure;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use serde_json::value::RawValue;

pub use self::bounds::{Bounds, Given, Taken};
pub use self::fields::{Field, Range, Shape};
use crate::problem;

/// What a service promises for the body of one of its requests.
#[derive(Clone, Copy, Debug)]
pub struct Contract<'a> {
    /// What the service shows its clients.
    pub openapi: &'a Value,
    /// The name of the body in there.
    pub request: &'a str,
    /// The Avro schema of the record that the request is journaled as.
    pub journal: &'a Value,
    /// The Avro schema of the record that the service makes of it, whose other fields are not for clients to set.
    pub told: &'a Value,
    /// What the journal calls a field, if not as the client does.
    pub called: &'a [(&'a str, &'a str)],
    /// What the journal keeps beside the client's fields.
    pub made_by_us: &'a [&'a str],
    /// What a client may send besides, without effect.
    pub also_sent: &'a [&'a str],
    /// What is known of a field beyond its type, which alone does not tell what a value means.
    pub bounds: fn(&Field) -> Option<Bounds>,
    /// A body without fault, another one each time.
    pub sample: fn() -> Value,
}

/// One request, and what it must be answered with.
#[derive(Debug)]
pub struct Case {
    /// What is special about it.
    pub name: String,
    /// Its header fields.
    pub headers: Vec<(&'static str, &'static str)>,
    /// Its body.
    pub body: Vec<u8>,
    /// What must come back.
    pub answer: Answer,
}

/// What must come back.
#[derive(Clone, Debug)]
pub enum Answer {
    /// 201, and of these fields the answer tells this, in JSON.
    Taken {
        /// The fields.
        told: Vec<(String, String)>,
    },
    /// A problem with this status, and if one field is to blame this one and no other.
    Refused {
        /// The status.
        status: u16,
        /// The field.
        field: Option<String>,
    },
}

impl Contract<'_> {
    /// The fields that a client can send.
    ///
    /// # Errors
    /// The two documents differ in one.
    pub fn fields(&self) -> Result<Vec<Field>, String> {
        fields::fields(self)
    }

    fn in_journal<'n>(&'n self, name: &'n str) -> &'n str {
        self.called.iter().find(|(sent, _)| *sent == name).map_or(name, |(_, kept)| kept)
    }
}

impl Case {
    /// Sends the request to an address, and compares the answer.
    ///
    /// # Errors
    /// It is another.
    pub async fn ask(&self, request: RequestBuilder) -> anyhow::Result<()> {
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.compare(request.body(self.body.clone()).send().await?).await
    }

    async fn compare(&self, response: Response) -> anyhow::Result<()> {
        match &self.answer {
            Answer::Taken { told } => {
                let (status, text) = (response.status(), response.text().await?);
                ensure!(status == 201, "{status} instead of 201: {text}");
                let document: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text)?;
                for (field, json) in told {
                    let found = document.get(field).map(|found| found.get());
                    ensure!(found == Some(json), "{field} came back as {found:?} instead of {json}");
                }
            }
            Answer::Refused { status, field } => {
                let problem = problem(response, *status).await?;
                let pointers = problem["errors"].as_array().into_iter().flatten().map(|error| &error["pointer"]);
                let expected: Vec<_> = field.iter().map(|field| format!("#/{field}")).collect();
                ensure!(pointers.eq(&expected), "instead of {expected:?} it names {}", problem["errors"]);
            }
        }
        Ok(())
    }
}

impl Answer {
    /// 422, and the field is named.
    pub fn unacceptable(field: &str) -> Self {
        Self::Refused { status: 422, field: Some(field.to_string()) }
    }
}
