use serde::Serialize;
use serde::de::DeserializeOwned;

/// A Rust type that stands for an Avro record.
///
/// Its serde field names are those of the schema, so that the datum is written and read without a tree of values in
/// between. `bytes` fields need `#[serde(with = "avro_codec::bytes")]`, nullable fields are `Option`s, enums are Rust
/// enums whose variants are named (or renamed) like the symbols, `int` is `i32` and `long` is `i64`. Fields are found by
/// their names, never by aliases.
pub trait AvroRecord: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Text of the schema the type writes, and reads older and newer versions into.
    const SCHEMA: &'static str;

    /// The text that counts: [`SCHEMA`](Self::SCHEMA), unless a generic type puts it together from those of its parts.
    fn schema() -> String {
        Self::SCHEMA.to_string()
    }
}
