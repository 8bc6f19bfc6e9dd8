//! Each Rust type and its `.avsc` file say the same.

use std::any::type_name;
use std::collections::BTreeSet;

use apache_avro::schema::{EnumSchema, RecordSchema};
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Schema, from_value, to_value};
use avro_codec::{SchemaId, Schemas};

use crate::samples::{Sample, for_each_record};
use crate::schema_files;

#[test]
fn each_file_has_a_type_and_each_type_a_file() {
    let types: BTreeSet<_> = for_each_record!(rust_name).into_iter().map(str::to_string).collect();
    let files: BTreeSet<_> = schema_files::current().into_iter().map(|file| file.record).collect();
    assert_eq!(types, files);
}

#[test]
fn each_type_registers_the_text_of_the_file_of_its_name() {
    fn check<R: Sample>() {
        let files = schema_files::current();
        let own = files.iter().find(|file| file.record == rust_name::<R>()).map(|file| file.text.as_str());
        assert_eq!(own, Some(R::SCHEMA), "{}", rust_name::<R>());
    }
    for_each_record!(check);
}

#[test]
fn fields_have_the_same_names_types_and_order() {
    fn check<R: Sample>() {
        let schema = schema::<R>();
        for sample in [R::full(), R::minimal()] {
            let fields = fields(&sample);
            let names: Vec<_> = fields.iter().map(|(name, _)| name).collect();
            let expected: Vec<_> = schema.fields.iter().map(|field| &field.name).collect();
            assert_eq!(names, expected, "{}", rust_name::<R>());
            for ((name, value), field) in fields.iter().zip(&schema.fields) {
                assert!(fits(value, &field.schema), "{}.{name}: {value:?} is no {:?}", rust_name::<R>(), field.schema);
            }
        }
    }
    for_each_record!(check);
}

#[test]
fn samples_leave_nothing_out() {
    fn check<R: Sample>() {
        for (name, value) in fields(&R::full()) {
            let empty = match &value {
                Value::Array(items) => items.is_empty(),
                Value::Union(_, inner) => **inner == Value::Null,
                _ => false,
            };
            assert!(!empty, "{}.{name}: an empty sample proves nothing about its type", rust_name::<R>());
        }
    }
    for_each_record!(check);
}

#[test]
fn enums_have_the_same_symbols_in_the_same_order() {
    fn check<R: Sample>() {
        for field in schema::<R>().fields {
            if let Schema::Enum(EnumSchema { symbols, .. }) = &field.schema {
                let quoted: Vec<_> = symbols.iter().map(|symbol| format!("`{symbol}`")).collect();
                let expected = format!("expected one of {}", quoted.join(", "));
                let complaint = complaint_about::<R>(&field.name, "NO_SUCH_SYMBOL");
                assert!(complaint.ends_with(&expected), "{}.{}: {complaint}", rust_name::<R>(), field.name);
            }
        }
    }
    for_each_record!(check);
}

#[test]
fn what_is_written_is_read_back() {
    fn check<R: Sample>() {
        let schemas = Schemas::local();
        for sample in [R::full(), R::minimal()] {
            let bytes = schemas.encode("samples-value", &sample).unwrap();
            assert_eq!(schemas.decode::<R>(&bytes), Ok(sample));
        }
    }
    for_each_record!(check);
}

#[test]
fn fields_with_a_default_may_be_missing_from_older_data() {
    fn check<R: Sample>() {
        let current = schema::<R>();
        let mut older: serde_json::Value = serde_json::from_str(R::SCHEMA).unwrap();
        older["fields"].as_array_mut().unwrap().retain(|field| field.get("default").is_none());
        let schemas = Schemas::new();
        schemas.learn(SchemaId(1), &older.to_string()).unwrap();
        let older = Schema::parse(&older).unwrap();

        let mut kept = fields(&R::full());
        kept.retain(|(name, _)| current.fields.iter().any(|field| field.name == *name && field.default.is_none()));
        let datum = Value::Record(kept).resolve(&older).unwrap();
        let datum =
            GenericDatumWriter::builder(&older).build().and_then(|writer| writer.write_value_to_vec(datum)).unwrap();
        let read: R = schemas.decode(&[&[0, 0, 0, 0, 1], &datum[..]].concat()).unwrap();

        let read = serde_json::to_value(&read).unwrap();
        for field in current.fields {
            if let Some(default) = field.default {
                assert_eq!(read[&field.name], default, "{}.{}", rust_name::<R>(), field.name);
            }
        }
    }
    for_each_record!(check);
}

fn rust_name<R: Sample>() -> &'static str {
    type_name::<R>().rsplit("::").next().unwrap_or_default()
}

fn schema<R: Sample>() -> RecordSchema {
    match Schema::parse_str(R::SCHEMA) {
        Ok(Schema::Record(record)) => record,
        other => panic!("{} is no record: {other:?}", rust_name::<R>()),
    }
}

/// The fields as the Rust type gives them, without any schema.
fn fields<R: Sample>(sample: &R) -> Vec<(String, Value)> {
    match to_value(sample) {
        Ok(Value::Record(fields)) => fields,
        other => panic!("{} is no record: {other:?}", rust_name::<R>()),
    }
}

/// Strictly: nothing is widened, nothing is null that the schema does not call nullable, and the other way round.
fn fits(value: &Value, schema: &Schema) -> bool {
    match (value, schema) {
        (Value::Int(_), Schema::Int)
        | (Value::Long(_), Schema::Long | Schema::TimestampMillis)
        | (Value::String(_), Schema::String)
        | (Value::Bytes(_), Schema::Bytes) => true,
        (Value::String(symbol), Schema::Enum(schema)) => schema.symbols.contains(symbol),
        (Value::Array(items), Schema::Array(schema)) => items.iter().all(|item| fits(item, &schema.items)),
        (Value::Union(_, inner), Schema::Union(schema)) => match schema.variants() {
            [Schema::Null, other] => **inner == Value::Null || fits(inner, other),
            _ => false,
        },
        _ => false,
    }
}

/// What serde says if the field of the enum has that symbol: it lists the symbols that the Rust type has.
fn complaint_about<R: Sample>(field: &str, symbol: &str) -> String {
    let mut fields = fields(&R::full());
    for (name, value) in &mut fields {
        if name == field {
            *value = Value::Enum(u32::MAX, symbol.to_string());
        }
    }
    from_value::<R>(&Value::Record(fields)).expect_err("there is no such symbol").to_string()
}
