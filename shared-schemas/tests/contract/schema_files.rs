//! The `.avsc` files by themselves: how they are written, and that versions fit each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use avro_codec::can_read;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value, json};

/// The text of one file, and the record that it is named after.
pub(crate) struct SchemaFile {
    pub(crate) record: String,
    pub(crate) text: String,
}

/// The current version of each record.
pub(crate) fn current() -> Vec<SchemaFile> {
    let files: Vec<_> = entries(&folder()).into_iter().filter(|path| path.is_file()).map(read).collect();
    assert!(!files.is_empty(), "no schema files");
    files
}

/// All versions of a record that were ever registered, the oldest first.
fn versions(record: &str) -> Vec<String> {
    let folder = folder().join("history").join(record);
    let mut files: Vec<_> = entries(&folder).into_iter().map(read).collect();
    files.sort_by_key(|file| file.record.parse::<u32>().expect("versions are numbers"));
    let numbers: Vec<_> = files.iter().map(|file| file.record.clone()).collect();
    let expected: Vec<_> = (1..=files.len()).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected, "versions of {record}");
    files.into_iter().map(|file| file.text).collect()
}

#[test]
fn each_version_can_read_every_other() {
    for SchemaFile { record, .. } in current() {
        let versions = versions(&record);
        for writer in &versions {
            for reader in &versions {
                assert_eq!(can_read(writer, reader), Ok(()), "{record}");
            }
        }
    }
}

#[test]
fn the_newest_version_in_the_history_is_the_current_one() {
    for SchemaFile { record, text } in current() {
        assert_eq!(versions(&record).last(), Some(&text), "{record}: copy the file to its history, as the next number");
    }
}

#[test]
fn no_record_is_dropped() {
    let current: BTreeSet<_> = current().into_iter().map(|file| file.record).collect();
    let ever: BTreeSet<_> = entries(&folder().join("history")).iter().map(|path| stem(path)).collect();
    assert_eq!(current, ever);
}

#[test]
fn each_file_is_named_after_its_record() {
    for SchemaFile { record, text } in current() {
        let schema = parse(&text);
        assert_eq!((&schema["name"], &schema["namespace"]), (&json!(record), &json!("millrace")));
    }
}

#[test]
fn each_file_is_formatted_in_the_one_way() {
    for SchemaFile { record, text } in current() {
        let formatted = serde_json::to_string_pretty(&InOrder(&parse(&text))).expect("JSON stays JSON") + "\n";
        assert_eq!(text, formatted, "{record}");
    }
}

#[test]
fn each_record_and_field_and_enum_says_what_it_means() {
    for SchemaFile { record, text } in current() {
        let schema = parse(&text);
        let fields = schema["fields"].as_array().expect("a record has fields");
        let enums = fields.iter().map(|field| &field["type"]).filter(|inner| inner["type"] == "enum");
        for documented in fields.iter().chain(enums).chain([&schema]) {
            let doc = documented["doc"].as_str().unwrap_or_default();
            assert!(doc.ends_with('.'), "{record}: {} has no sentence that explains it", documented["name"]);
        }
    }
}

#[test]
fn each_enum_has_a_default_symbol_for_what_is_added_later() {
    for SchemaFile { record, text } in current() {
        for field in parse(&text)["fields"].as_array().expect("a record has fields") {
            if field["type"]["type"] == "enum" {
                let symbols = field["type"]["symbols"].as_array().expect("an enum has symbols");
                assert!(symbols.contains(&field["type"]["default"]), "{record}: {}", field["name"]);
            }
        }
    }
}

#[test]
fn moments_have_the_type_of_a_moment_and_nothing_is_a_float() {
    for SchemaFile { record, text } in current() {
        for field in parse(&text)["fields"].as_array().expect("a record has fields") {
            let name = field["name"].as_str().expect("a field has a name");
            let moment = field["type"] == json!({"type": "long", "logicalType": "timestamp-millis"});
            assert_eq!(name.ends_with("At"), moment, "{record}: {name}");
        }
        assert!(!text.contains("\"float\"") && !text.contains("\"double\""), "{record}: money is never a float");
    }
}

#[test]
fn no_field_has_an_alias_because_fields_are_never_renamed() {
    for SchemaFile { record, text } in current() {
        assert!(!text.contains("\"aliases\""), "{record}");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("avro")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("the folder can be listed").path()).collect()
}

fn read(path: PathBuf) -> SchemaFile {
    assert_eq!(path.extension(), Some("avsc".as_ref()), "{}", path.display());
    SchemaFile { record: stem(&path), text: fs::read_to_string(path).expect("the file is text") }
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a file has a name").to_string_lossy().into_owned()
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("the file is JSON")
}

/// Writes the attributes of a schema in the order in which one reads them.
struct InOrder<'a>(&'a Value);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const ORDER: [&str; 10] =
            ["type", "name", "namespace", "doc", "fields", "symbols", "items", "values", "logicalType", "default"];
        const FIELD_ORDER: [&str; 4] = ["name", "doc", "type", "default"];

        match self.0 {
            Value::Object(attributes) => {
                let is_field = attributes.contains_key("name")
                    && !attributes.contains_key("namespace")
                    && attributes["type"] != "enum";
                let order = if is_field { &FIELD_ORDER[..] } else { &ORDER[..] };
                let mut map = serializer.serialize_map(Some(attributes.len()))?;
                for name in order {
                    if let Some(value) = attributes.get(*name) {
                        map.serialize_entry(name, &InOrder(value))?;
                    }
                }
                map.end()
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(InOrder)),
            plain => plain.serialize(serializer),
        }
    }
}
