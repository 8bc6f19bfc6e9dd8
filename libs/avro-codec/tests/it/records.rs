//! One record with every kind of field that events use, and versions of it.

use std::collections::BTreeMap;

use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measurement {
    pub(crate) sensor: String,
    pub(crate) kind: Kind,
    pub(crate) value: f64,
    pub(crate) count: i32,
    pub(crate) total: i64,
    pub(crate) valid: bool,
    #[serde(with = "avro_codec::bytes")]
    pub(crate) raw: Vec<u8>,
    pub(crate) tags: Vec<String>,
    pub(crate) limits: BTreeMap<String, i64>,
    pub(crate) place: Place,
    #[serde(rename = "takenAt")]
    pub(crate) taken_at: i64,
    pub(crate) note: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Kind {
    Unknown,
    Wind,
    Rain,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) latitude: f32,
    pub(crate) longitude: f32,
}

impl AvroRecord for Measurement {
    const SCHEMA: &'static str = r#"{
        "type": "record", "name": "Measurement", "namespace": "test", "fields": [
            {"name": "sensor", "type": "string"},
            {"name": "kind", "type":
                {"type": "enum", "name": "Kind", "symbols": ["UNKNOWN", "WIND", "RAIN"], "default": "UNKNOWN"}},
            {"name": "value", "type": "double"},
            {"name": "count", "type": "int"},
            {"name": "total", "type": "long"},
            {"name": "valid", "type": "boolean"},
            {"name": "raw", "type": "bytes"},
            {"name": "tags", "type": {"type": "array", "items": "string"}},
            {"name": "limits", "type": {"type": "map", "values": "long"}},
            {"name": "place", "type": {"type": "record", "name": "Place", "fields": [
                {"name": "latitude", "type": "float"}, {"name": "longitude", "type": "float"}]}},
            {"name": "takenAt", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "note", "type": ["null", "string"], "default": null}
        ]}"#;
}

pub(crate) fn measurement() -> Measurement {
    Measurement {
        sensor: "mast-7".to_string(),
        kind: Kind::Wind,
        value: 12.75,
        count: -3,
        total: 1 << 40,
        valid: true,
        raw: vec![0, 255, 17],
        tags: vec!["north".to_string(), "högt".to_string()],
        limits: BTreeMap::from([("max".to_string(), 30), ("min".to_string(), -5)]),
        place: Place { latitude: 60.5, longitude: 17.25 },
        taken_at: 1_763_697_600_000,
        note: Some("gusts".to_string()),
    }
}

/// Defines a record `Tally`, a version of which other modules read as another.
macro_rules! tally {
    ($version:ident, $schema:literal, { $($field:ident: $type:ty),* }) => {
        pub(crate) mod $version {
            #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
            pub(crate) struct Tally { $(pub(crate) $field: $type),* }

            impl avro_codec::AvroRecord for Tally {
                const SCHEMA: &'static str = $schema;
            }
        }
    };
}
pub(crate) use tally;
