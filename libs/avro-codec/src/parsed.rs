use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, Name, ResolvedSchema, UuidSchema};

use crate::datum::sentence;
use crate::{MAX_ALLOCATION_BYTES, SchemaError};

/// Lists inside records inside lists: real schemas stay below ten, and the stack holds many more.
const MAX_DEPTH: usize = 64;

/// Types in a schema, counted anew at each use of a name. Bounds the work that a single datum can cause.
const MAX_TYPES: usize = 10_000;

/// Parses the text, once per process: readers and writers borrow from the schema they are built of, so schemas are never
/// freed, and there are no more of them than distinct texts.
pub(crate) fn parse(text: &str) -> Result<&'static Schema, SchemaError> {
    static PARSED: Mutex<BTreeMap<String, &'static Schema>> = Mutex::new(BTreeMap::new());
    let parsed = || PARSED.lock().expect("nothing panics while it holds the lock");

    if let Some(schema) = parsed().get(text) {
        return Ok(schema);
    }
    let schema = Schema::parse_str(text).map_err(unparsable)?;
    refuse_unsafe(&schema)?;
    Ok(parsed().entry(text.to_string()).or_insert_with(|| Box::leak(Box::new(schema))))
}

/// The Avro library reads a datum by recursion over the schema and trusts the schema's sizes, so a hostile schema
/// could exhaust stack, memory or time. None of these limits is near anything that is used for events.
fn refuse_unsafe(schema: &Schema) -> Result<(), SchemaError> {
    let resolved = ResolvedSchema::new(schema).map_err(unparsable)?;
    let mut walk = Walk { names: resolved.get_names(), types_left: MAX_TYPES };
    walk.takes_no_bytes(schema, 0).map_err(SchemaError::Unsafe).map(drop)
}

struct Walk<'a> {
    names: &'a HashMap<Name, &'a Schema>,
    types_left: usize,
}

impl Walk<'_> {
    /// Whether a datum of the schema may be zero bytes long: a list of such could have any length at no cost.
    fn takes_no_bytes(&mut self, schema: &Schema, depth: usize) -> Result<bool, &'static str> {
        if depth > MAX_DEPTH {
            return Err("it refers to itself or nests deeper than 64 types");
        }
        self.types_left = self.types_left.checked_sub(1).ok_or("it holds more than 10 000 types")?;
        match schema {
            Schema::Null => Ok(true),
            Schema::Fixed(fixed)
            | Schema::Duration(fixed)
            | Schema::Uuid(UuidSchema::Fixed(fixed))
            | Schema::Decimal(DecimalSchema { inner: InnerDecimalSchema::Fixed(fixed), .. }) => match fixed.size {
                0..=MAX_ALLOCATION_BYTES => Ok(fixed.size == 0),
                _ => Err("it holds a fixed type of more than 64 MiB"),
            },
            Schema::Ref { name } => {
                let target = *self.names.get(name).ok_or("it refers to another schema")?;
                self.takes_no_bytes(target, depth + 1)
            }
            Schema::Record(record) => {
                let mut none = true;
                for field in &record.fields {
                    none &= self.takes_no_bytes(&field.schema, depth + 1)?;
                }
                Ok(none)
            }
            Schema::Array(array) if self.takes_no_bytes(&array.items, depth + 1)? => {
                Err("the items of a list take no bytes")
            }
            Schema::Map(map) => self.takes_no_bytes(&map.types, depth + 1).map(|_| false),
            Schema::Union(union) => {
                for variant in union.variants() {
                    self.takes_no_bytes(variant, depth + 1)?;
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }
}

pub(crate) fn unparsable(error: apache_avro::Error) -> SchemaError {
    SchemaError::Unparsable(sentence(error))
}
