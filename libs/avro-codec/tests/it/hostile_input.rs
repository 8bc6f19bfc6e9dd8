//! Bytes and schemas as an attacker, a bug or a bad disk would leave them: any answer is right that is not a panic, a
//! stall, or a value where there is none.

use avro_codec::{AvroRecord, DecodeError, SchemaError, SchemaId, Schemas};
use serde::{Deserialize, Serialize};

use crate::records::{Measurement, measurement};

/// Change it to try other inputs; a failure names it, so that it can be had again.
pub(crate) const SEED: u64 = 20_251_121;
pub(crate) const ROUNDS: usize = 20_000;

/// Reads the same data as [`Measurement`], but by way of a tree of values.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename = "Measurement")]
struct OlderMeasurement {
    sensor: String,
    note: Option<String>,
}

impl AvroRecord for OlderMeasurement {
    const SCHEMA: &'static str = r#"{
        "type": "record", "name": "Measurement", "namespace": "test", "fields": [
            {"name": "sensor", "type": "string"},
            {"name": "note", "type": ["null", "string"], "default": null}
        ]}"#;
}

fn message() -> (Schemas, Vec<u8>) {
    let schemas = Schemas::local();
    let bytes = schemas.encode("measurements-value", &measurement()).expect("the value fits its own schema");
    (schemas, bytes)
}

#[test]
fn a_message_that_ends_too_early_is_refused_wherever_it_ends() {
    let (schemas, bytes) = message();
    for end in 5..bytes.len() {
        let truncated = DecodeError::Truncated(SchemaId(1));
        assert_eq!(schemas.decode::<Measurement>(&bytes[..end]), Err(truncated.clone()), "after {end} bytes");
        assert_eq!(schemas.decode_json(&bytes[..end]), Err(truncated.clone()), "after {end} bytes, as JSON");
        assert_eq!(schemas.decode::<OlderMeasurement>(&bytes[..end]), Err(truncated), "after {end} bytes, resolved");
    }
}

#[test]
fn bytes_after_the_datum_are_refused() {
    let (schemas, mut bytes) = message();
    bytes.extend([0, 0]);
    let trailing = DecodeError::TrailingBytes { id: SchemaId(1), count: 2 };
    assert_eq!(schemas.decode::<Measurement>(&bytes), Err(trailing.clone()));
    assert_eq!(schemas.decode_json(&bytes), Err(trailing.clone()));
    assert_eq!(schemas.decode::<OlderMeasurement>(&bytes), Err(trailing));
}

#[test]
fn a_length_beyond_the_message_is_refused() {
    let (schemas, bytes) = message();
    for length in [i64::MAX, i64::MIN, -1, 1 << 40] {
        let forged = [&bytes[..5], &zigzag(length)[..], b"mast"].concat();
        schemas.decode::<Measurement>(&forged).unwrap_err();
        schemas.decode::<OlderMeasurement>(&forged).unwrap_err();
        schemas.decode_json(&forged).unwrap_err();
    }
}

#[test]
fn no_bytes_cause_a_panic() {
    let (schemas, original) = message();
    let mut random = Random(SEED);
    println!("seed {SEED}");
    for _ in 0..ROUNDS {
        let bytes = random.disturb(&original, 5);
        let direct = schemas.decode::<Measurement>(&bytes);
        let resolved = schemas.decode::<OlderMeasurement>(&bytes);
        let _ = schemas.decode_json(&bytes);
        // Both ways walk the same bytes; they may disagree only on what the other does not keep.
        if let (Ok(direct), Ok(resolved)) = (direct, resolved) {
            assert_eq!((direct.sensor, direct.note), (resolved.sensor, resolved.note), "seed {SEED}");
        }
    }
}

#[test]
fn no_schema_text_causes_a_panic() {
    let (_, message) = message();
    let mut random = Random(SEED);
    println!("seed {SEED}");
    for id in 0..ROUNDS / 10 {
        let text = match random.below(2) {
            0 => random.disturb(Measurement::SCHEMA.as_bytes(), 0),
            _ => random.swap_words(Measurement::SCHEMA).into_bytes(),
        };
        let id = SchemaId(u32::try_from(id).unwrap());
        let schemas = Schemas::new();
        if schemas.learn(id, &String::from_utf8_lossy(&text)).is_ok() {
            let bytes = [&[0], &id.0.to_be_bytes()[..], &message[5..]].concat();
            let _ = schemas.decode::<Measurement>(&bytes);
            let _ = schemas.decode::<OlderMeasurement>(&bytes);
            let _ = schemas.decode_json(&bytes);
        }
    }
}

#[test]
fn schemas_whose_data_could_exhaust_the_reader_are_refused() {
    let nested = (0..50).fold("\"int\"".to_string(), |inner, _| format!(r#"{{"type": "array", "items": {inner}}}"#));
    let chained = chain(80, |previous| format!(r#"{{"name": "a", "type": "{previous}"}}"#));
    let doubling = chain(30, |previous| {
        format!(r#"{{"name": "a", "type": "{previous}"}}, {{"name": "b", "type": "{previous}"}}"#)
    });
    for (what, text, safe) in [
        (
            "a list of itself",
            r#"{"type": "record", "name": "Node", "fields": [
            {"name": "next", "type": ["null", "Node"]}]}"#,
            false,
        ),
        ("lists in lists", &nested, true),
        ("a chain of records", &chained, false),
        ("a record with a billion fields", &doubling, false),
        ("a list of nothing", r#"{"type": "array", "items": "null"}"#, false),
        ("a fixed type that fills the memory", r#"{"type": "fixed", "name": "F", "size": 1099511627776}"#, false),
    ] {
        match Schemas::new().learn(SchemaId(1), text) {
            Ok(()) => assert!(safe, "{what} was accepted"),
            Err(SchemaError::Unsafe(_)) => assert!(!safe, "{what} was refused"),
            Err(error) => panic!("{what}: {error}"),
        }
    }
}

#[test]
fn texts_that_are_no_complete_schema_are_refused() {
    for text in [
        "",
        "{",
        "42",
        r#""Elsewhere""#,
        r#"{"type": "record", "name": "A", "fields": [
        {"name": "b", "type": "Elsewhere"}]}"#,
    ] {
        let refused = Schemas::new().learn(SchemaId(1), text);
        assert!(matches!(refused, Err(SchemaError::Unparsable(_))), "{text}: {refused:?}");
    }
}

/// A union of records `R0`, `R1`, ... each of whose fields are of the record before.
fn chain(length: usize, fields: impl Fn(&str) -> String) -> String {
    let mut records = vec![r#"{"type": "record", "name": "R0", "fields": [{"name": "a", "type": "int"}]}"#.to_string()];
    for n in 1..length {
        let fields = fields(&format!("R{}", n - 1));
        records.push(format!(r#"{{"type": "record", "name": "R{n}", "fields": [{fields}]}}"#));
    }
    format!("[{}]", records.join(", "))
}

fn zigzag(number: i64) -> Vec<u8> {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

/// SplitMix64 (Steele, Lea and Flood 2014): enough to shuffle bytes, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// Puts types and names of the text in place of others, so that it often stays a schema, but a different one.
    fn swap_words(&mut self, text: &str) -> String {
        const WORDS: [&str; 12] = [
            "null", "boolean", "int", "long", "float", "double", "bytes", "string", "fixed", "decimal", "uuid",
            "duration",
        ];
        let mut pieces: Vec<&str> = text.split('"').collect();
        for _ in 0..=self.below(3) {
            let at = self.below(pieces.len() / 2) * 2 + 1;
            pieces[at] = match self.below(2) {
                0 => WORDS[self.below(WORDS.len())],
                _ => pieces[self.below(pieces.len() / 2) * 2 + 1],
            };
        }
        pieces.join("\"")
    }

    /// Keeps the first `keep` bytes and truncates, overwrites, inserts, or makes up the rest.
    pub(crate) fn disturb(&mut self, original: &[u8], keep: usize) -> Vec<u8> {
        let mut bytes = original.to_vec();
        match self.below(4) {
            0 => bytes.truncate(keep + self.below(bytes.len() - keep)),
            1 => {
                for _ in 0..=self.below(4) {
                    let at = keep + self.below(bytes.len() - keep);
                    bytes[at] = self.byte();
                }
            }
            2 => {
                let at = keep + self.below(bytes.len() - keep);
                bytes.insert(at, self.byte());
            }
            _ => {
                bytes.truncate(keep);
                bytes.extend((0..self.below(200)).map(|_| self.byte()).collect::<Vec<_>>());
            }
        }
        bytes
    }
}
