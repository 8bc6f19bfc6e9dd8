//! Data of any schema, to be shown to people.

use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Days, Decimal, Duration, Millis, Months, Schema};
use avro_codec::{AvroRecord, DecodeError, SchemaId, Schemas};
use serde_json::json;

use crate::hostile_input::{ROUNDS, Random, SEED};
use crate::records::{Measurement, measurement};

/// What no event of ours has, and those of others may.
const ODDITIES: &str = r#"{"type": "record", "name": "Oddities", "fields": [
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    {"name": "prices", "type": {"type": "array", "items": ["null",
        {"type": "fixed", "name": "Exact", "size": 4, "logicalType": "decimal", "precision": 9, "scale": 3}]}},
    {"name": "last", "type": ["null", "Exact"]},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "micros", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
    {"name": "span", "type": {"type": "fixed", "name": "Span", "size": 12, "logicalType": "duration"}},
    {"name": "ratio", "type": "double"},
    {"name": "code", "type": {"type": "fixed", "name": "Code", "size": 2}},
    {"name": "named", "type": {"type": "map", "values": "Exact"}}]}"#;

const ID: SchemaId = SchemaId(7);

fn oddities() -> Result<(Schemas, Vec<u8>), Box<dyn std::error::Error>> {
    let schema = Schema::parse_str(ODDITIES)?;
    let exact = |unscaled: i32| Value::Decimal(Decimal::from(unscaled.to_be_bytes()));
    let either = |value| Value::Union(1, Box::new(value));
    let record = [
        ("price", Value::Decimal(Decimal::from(1234_i16.to_be_bytes()))),
        ("prices", Value::Array(vec![Value::Union(0, Box::new(Value::Null)), either(exact(-5))])),
        ("last", either(exact(1_000_000))),
        ("day", Value::Date(19_000)),
        ("micros", Value::TimestampMicros(-1)),
        ("id", Value::Uuid("0190163d-8694-739b-aea5-966c26f8ad91".parse()?)),
        ("span", Value::Duration(Duration::new(Months::new(1), Days::new(2), Millis::new(3)))),
        ("ratio", Value::Double(f64::NAN)),
        ("code", Value::Fixed(2, vec![0, 0xff])),
        ("named", Value::Map([("a".to_string(), exact(2500))].into())),
    ];
    let record = Value::Record(record.map(|(name, value)| (name.to_string(), value)).to_vec());
    let datum = GenericDatumWriter::builder(&schema).build()?.write_value_to_vec(record)?;
    let schemas = Schemas::new();
    schemas.learn(ID, ODDITIES)?;
    Ok((schemas, [&[0], &ID.0.to_be_bytes()[..], &datum].concat()))
}

#[test]
fn an_event_is_shown_without_a_type_for_it() {
    let schemas = Schemas::local();
    let bytes = schemas.encode("measurements-value", &measurement()).unwrap();
    let mut expected = serde_json::to_value(measurement()).unwrap();
    expected["raw"] = json!("0x00ff11");
    assert_eq!(schemas.decode_json(&bytes).unwrap(), expected);
}

#[test]
fn what_json_has_no_type_for_is_shown_as_people_would_write_it() {
    let (schemas, bytes) = oddities().unwrap();
    let expected = json!({
        "price": "12.34", "prices": [null, "-0.005"], "last": "1000.000", "day": 19_000, "micros": -1,
        "id": "0190163d-8694-739b-aea5-966c26f8ad91", "span": "0x010000000200000003000000", "ratio": "NaN",
        "code": "0x00ff", "named": {"a": "2.500"}
    });
    assert_eq!(schemas.decode_json(&bytes).unwrap(), expected);
}

#[test]
fn no_bytes_cause_a_panic_when_they_are_shown() {
    let (schemas, original) = oddities().unwrap();
    let mut random = Random(SEED);
    println!("seed {SEED}");
    let shown = (0..ROUNDS).filter(|_| schemas.decode_json(&random.disturb(&original, 5)).is_ok()).count();
    assert!((1..ROUNDS).contains(&shown), "{shown} of {ROUNDS} are data");
}

#[test]
fn the_text_of_a_schema_is_the_one_that_was_learned() {
    let (schemas, _) = oddities().unwrap();
    assert_eq!(schemas.text(ID).as_deref(), Some(ODDITIES));
    schemas.bind("measurements-value", SchemaId(8), Measurement::SCHEMA).unwrap();
    assert_eq!(schemas.text(SchemaId(8)).as_deref(), Some(Measurement::SCHEMA));
    schemas.refuse(SchemaId(9), "nobody knows it".to_string());
    assert_eq!([SchemaId(9), SchemaId(10)].map(|id| schemas.text(id)), [None, None]);
}

#[test]
fn data_of_an_unknown_or_refused_schema_are_not_shown() {
    let schemas = Schemas::new();
    assert_eq!(schemas.decode_json(&[0, 0, 0, 0, 9, 1]), Err(DecodeError::UnknownSchema(SchemaId(9))));
    schemas.refuse(SchemaId(9), "nobody knows it".to_string());
    let refused = DecodeError::RefusedSchema { id: SchemaId(9), why: "nobody knows it".to_string() };
    assert_eq!(schemas.decode_json(&[0, 0, 0, 0, 9, 1]), Err(refused));
    assert_eq!(schemas.decode_json(b"text"), Err(DecodeError::TooShort(4)));
}
