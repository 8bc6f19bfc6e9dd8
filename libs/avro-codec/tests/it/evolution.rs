use avro_codec::{AvroRecord, DecodeError, Schemas, can_read};

use crate::records::tally;

tally!(narrow, r#"{"type": "record", "name": "Tally", "fields": [
    {"name": "count", "type": "int"}
]}"#, { count: i32 });

tally!(wide, r#"{"type": "record", "name": "Tally", "fields": [
    {"name": "count", "type": "long"}
]}"#, { count: i64 });

tally!(extended, r#"{"type": "record", "name": "Tally", "fields": [
    {"name": "unit", "type": "string", "default": "piece"},
    {"name": "count", "type": "long"},
    {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []},
    {"name": "note", "type": ["null", "string"], "default": null}
]}"#, { unit: String, count: i64, tags: Vec<String>, note: Option<String> });

tally!(demanding, r#"{"type": "record", "name": "Tally", "fields": [
    {"name": "count", "type": "long"},
    {"name": "by", "type": "string"}
]}"#, { count: i64, by: String });

tally!(two_colours, r#"{"type": "record", "name": "Tally", "fields": [
    {"name": "colour", "type": {"type": "enum", "name": "Colour", "symbols": ["NONE", "RED"], "default": "NONE"}}
]}"#, { colour: super::Colour });

tally!(three_colours, r#"{"type": "record", "name": "Tally", "fields": [
    {"name": "colour", "type":
        {"type": "enum", "name": "Colour", "symbols": ["BLUE", "NONE", "RED"], "default": "NONE"}}
]}"#, { colour: super::Colour });

tally!(earlier_colour, r#"{"type": "record", "name": "Tally", "fields": [
    {"name": "before", "type": {"type": "enum", "name": "Colour", "symbols": ["NONE", "RED"], "default": "NONE"},
        "default": "NONE"},
    {"name": "colour", "type": "Colour"}
]}"#, { before: super::Colour, colour: super::Colour });

#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Colour {
    None,
    Red,
    Blue,
}

fn rewrite<W: AvroRecord, R: AvroRecord>(written: &W) -> Result<R, DecodeError> {
    let schemas = Schemas::local();
    let bytes = schemas.encode("tallies-value", written).expect("the value fits its own schema");
    schemas.decode(&bytes)
}

#[test]
fn fields_that_the_reader_does_not_know_are_ignored() {
    let written = extended::Tally {
        unit: "box".to_string(),
        count: 4,
        tags: vec!["a".to_string()],
        note: Some("late".to_string()),
    };
    assert_eq!(rewrite(&written), Ok(wide::Tally { count: 4 }));
}

#[test]
fn fields_that_the_writer_did_not_know_take_their_defaults() {
    let read = extended::Tally { unit: "piece".to_string(), count: 4, tags: vec![], note: None };
    assert_eq!(rewrite(&wide::Tally { count: 4 }), Ok(read));
}

#[test]
fn symbols_that_the_reader_does_not_know_fall_to_the_default_symbol() {
    let read = rewrite(&three_colours::Tally { colour: Colour::Blue });
    assert_eq!(read, Ok(two_colours::Tally { colour: Colour::None }));
}

#[test]
fn symbols_are_matched_by_name_not_by_position() {
    let read = rewrite(&three_colours::Tally { colour: Colour::Red });
    assert_eq!(read, Ok(two_colours::Tally { colour: Colour::Red }));
}

#[test]
fn a_type_may_be_named_again_where_another_version_defines_it() {
    let read = rewrite(&two_colours::Tally { colour: Colour::Red });
    assert_eq!(read, Ok(earlier_colour::Tally { before: Colour::None, colour: Colour::Red }));
}

#[test]
fn an_int_is_read_as_a_long_but_no_long_as_an_int() {
    assert_eq!(rewrite(&narrow::Tally { count: 4 }), Ok(wide::Tally { count: 4 }));

    let refused = rewrite::<_, narrow::Tally>(&wide::Tally { count: 4 });
    assert!(matches!(refused, Err(DecodeError::Incompatible { .. })), "{refused:?}");
}

#[test]
fn data_that_lacks_a_field_without_default_is_refused() {
    let refused = rewrite::<_, demanding::Tally>(&wide::Tally { count: 4 });
    assert!(matches!(refused, Err(DecodeError::Incompatible { .. })), "{refused:?}");
}

#[test]
fn data_of_another_record_is_refused() {
    let refused = rewrite::<_, wide::Tally>(&crate::records::measurement());
    assert!(matches!(refused, Err(DecodeError::Incompatible { .. })), "{refused:?}");
}

#[test]
fn an_older_version_may_be_bound_and_written_if_it_has_all_fields_of_the_value() {
    let schemas = Schemas::new();
    schemas.bind("tallies-value", avro_codec::SchemaId(1), extended::Tally::SCHEMA).unwrap();

    let bytes = schemas.encode("tallies-value", &wide::Tally { count: 4 }).unwrap();

    let read = schemas.decode::<extended::Tally>(&bytes).unwrap();
    assert_eq!((read.unit.as_str(), read.count), ("piece", 4));
}

#[test]
fn compatibility_is_judged_before_any_data_is_written() {
    let complaint = |writer, reader| can_read(writer, reader).map_err(|error| error.to_string());

    assert_eq!(complaint(wide::Tally::SCHEMA, extended::Tally::SCHEMA), Ok(()));
    assert_eq!(complaint(extended::Tally::SCHEMA, wide::Tally::SCHEMA), Ok(()));
    assert_eq!(complaint(three_colours::Tally::SCHEMA, two_colours::Tally::SCHEMA), Ok(()));

    let lost = "the schemas are incompatible: field by was not written and has no default".to_string();
    assert_eq!(complaint(wide::Tally::SCHEMA, demanding::Tally::SCHEMA), Err(lost));
    let narrowed = "the schemas are incompatible: field count: the types differ".to_string();
    assert_eq!(complaint(wide::Tally::SCHEMA, narrow::Tally::SCHEMA), Err(narrowed));
    let partial = "the schemas are incompatible: only some of the data can be read".to_string();
    assert_eq!(complaint(r#"["null", "string", "int"]"#, r#"["null", "string"]"#), Err(partial));
}
