use avro_codec::{AvroRecord, DecodeError, EncodeError, SchemaError, SchemaId, Schemas, Status};

use crate::records::{Measurement, measurement, tally};

tally!(small, r#"{"type": "record", "name": "Tally", "fields": [{"name": "count", "type": "long"}]}"#, { count: i64 });

#[test]
fn a_message_is_a_zero_byte_the_id_big_endian_and_the_datum() {
    let schemas = Schemas::new();
    schemas.bind("tallies-value", SchemaId(0x0102_0304), small::Tally::SCHEMA).unwrap();

    let bytes = schemas.encode("tallies-value", &small::Tally { count: -2 }).unwrap();

    assert_eq!(bytes, [0, 1, 2, 3, 4, 3]);
}

#[test]
fn what_is_written_is_read_back() {
    let schemas = Schemas::local();
    for note in [None, Some(String::new()), Some("gusts".to_string())] {
        let written = Measurement { note, ..measurement() };
        let bytes = schemas.encode("measurements-value", &written).unwrap();
        assert_eq!(schemas.decode::<Measurement>(&bytes), Ok(written));
    }
}

#[test]
fn clones_share_what_one_of_them_learns() {
    let schemas = Schemas::new();
    let clone = schemas.clone();
    schemas.bind("tallies-value", SchemaId(7), small::Tally::SCHEMA).unwrap();

    let bytes = clone.encode("tallies-value", &small::Tally { count: 5 }).unwrap();

    assert_eq!(clone.decode::<small::Tally>(&bytes), Ok(small::Tally { count: 5 }));
}

#[test]
fn without_a_registry_each_subject_keeps_an_id_of_its_own() {
    let schemas = Schemas::local();
    let id_of = |subject| schemas.encode(subject, &small::Tally { count: 1 }).unwrap()[..5].to_vec();

    let first = id_of("a-value");

    assert_ne!(first, id_of("b-value"));
    assert_eq!(first, id_of("a-value"));
}

#[test]
fn a_subject_that_is_not_bound_cannot_be_written_to() {
    let refused = Schemas::new().encode("tallies-value", &small::Tally { count: 1 });
    assert_eq!(refused, Err(EncodeError::UnboundSubject("tallies-value".to_string())));
}

#[test]
fn a_value_that_does_not_fit_the_schema_of_its_subject_is_not_written() {
    let schemas = Schemas::new();
    schemas.bind("measurements-value", SchemaId(1), Measurement::SCHEMA).unwrap();

    let refused = schemas.encode("measurements-value", &small::Tally { count: 1 });

    assert!(matches!(refused, Err(EncodeError::Mismatch { .. })), "{refused:?}");
}

#[test]
fn an_id_is_unresolved_until_it_is_learned() {
    let schemas = Schemas::new();
    let bytes = [0, 0, 0, 0, 9, 2];
    assert_eq!(schemas.status(&bytes), Status::Unresolved(SchemaId(9)));
    assert_eq!(schemas.decode::<small::Tally>(&bytes), Err(DecodeError::UnknownSchema(SchemaId(9))));

    schemas.learn(SchemaId(9), small::Tally::SCHEMA).unwrap();

    assert_eq!(schemas.status(&bytes), Status::Known);
    assert_eq!(schemas.decode::<small::Tally>(&bytes), Ok(small::Tally { count: 1 }));
}

#[test]
fn a_refused_id_says_why_until_it_is_reconsidered() {
    let schemas = Schemas::new();
    let bytes = [0, 0, 0, 0, 9, 2];
    schemas.refuse(SchemaId(9), "nobody knows it".to_string());
    assert_eq!(schemas.status(&bytes), Status::Refused);
    let error = schemas.decode::<small::Tally>(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "schema id 9 is refused: nobody knows it");

    schemas.reconsider(SchemaId(9));

    assert_eq!(schemas.status(&bytes), Status::Unresolved(SchemaId(9)));
}

#[test]
fn learning_an_id_overrules_its_refusal_and_a_known_id_stays_known() {
    let schemas = Schemas::new();
    schemas.refuse(SchemaId(9), "nobody knows it".to_string());
    schemas.learn(SchemaId(9), small::Tally::SCHEMA).unwrap();
    schemas.refuse(SchemaId(9), "forgotten".to_string());
    schemas.reconsider(SchemaId(9));
    assert_eq!(schemas.status(&[0, 0, 0, 0, 9]), Status::Known);
}

#[test]
fn an_id_keeps_its_meaning() {
    let schemas = Schemas::new();
    schemas.learn(SchemaId(9), small::Tally::SCHEMA).unwrap();

    assert_eq!(schemas.learn(SchemaId(9), Measurement::SCHEMA), Err(SchemaError::Changed(SchemaId(9))));
    let only_spaced_differently = small::Tally::SCHEMA.replace(' ', "\n");
    assert_eq!(schemas.learn(SchemaId(9), &only_spaced_differently), Ok(()));
}

#[test]
fn bytes_without_a_valid_header_count_as_known_and_fail_to_decode() {
    let schemas = Schemas::new();
    for (bytes, error) in [
        (&[][..], DecodeError::TooShort(0)),
        (&[0, 0, 0, 0], DecodeError::TooShort(4)),
        (&[1, 0, 0, 0, 9, 2], DecodeError::WrongMagic(1)),
        (b"{\"count\": 1}", DecodeError::WrongMagic(b'{')),
    ] {
        assert_eq!(schemas.status(bytes), Status::Known);
        assert_eq!(schemas.decode::<small::Tally>(bytes), Err(error));
    }
}
