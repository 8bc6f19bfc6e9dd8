use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::error::CompatibilityError;
use apache_avro::schema::{Name, ResolvedSchema, UnionSchema};
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};

use crate::{SchemaError, parsed};

/// Whether all data of the schema `writer` can be read with the schema `reader`, by the rules that
/// [`Schemas::decode`](crate::Schemas::decode) goes by (schema resolution of the Avro specification, without aliases).
///
/// # Errors
/// [`SchemaError::Incompatible`] says where the two disagree; the others that a text is no schema.
pub fn can_read(writer: &str, reader: &str) -> Result<(), SchemaError> {
    match compatibility(parsed::parse(writer)?, parsed::parse(reader)?)? {
        Compatibility::Full => Ok(()),
        Compatibility::Partial => Err(SchemaError::Incompatible("only some of the data can be read".to_string())),
    }
}

/// Partial where it depends on the datum: a union that has lost a type, an enum without default that has lost a symbol.
pub(crate) fn compatibility(writer: &Schema, reader: &Schema) -> Result<Compatibility, SchemaError> {
    // The library takes a type and a reference to the same type for different.
    SchemaCompatibility::can_read(&without_references(writer)?, &without_references(reader)?)
        .map_err(|error| SchemaError::Incompatible(sentence(&error)))
}

fn without_references(schema: &Schema) -> Result<Schema, SchemaError> {
    let resolved = ResolvedSchema::new(schema).map_err(parsed::unparsable)?;
    let mut expanded = schema.clone();
    expand(&mut expanded, resolved.get_names())?;
    Ok(expanded)
}

/// Ends, and soon, because [`parsed::parse`] lets no recursive and no huge schema pass.
fn expand(schema: &mut Schema, names: &HashMap<Name, &Schema>) -> Result<(), SchemaError> {
    while let Schema::Ref { name } = schema
        && let Some(&target) = names.get(name)
    {
        *schema = target.clone();
    }
    match schema {
        Schema::Record(record) => record.fields.iter_mut().try_for_each(|field| expand(&mut field.schema, names)),
        Schema::Array(array) => expand(&mut array.items, names),
        Schema::Map(map) => expand(&mut map.types, names),
        Schema::Union(union) => {
            let mut variants = union.variants().to_vec();
            variants.iter_mut().try_for_each(|variant| expand(variant, names))?;
            *union = UnionSchema::new(variants).map_err(parsed::unparsable)?;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn sentence(error: &CompatibilityError) -> String {
    match error {
        CompatibilityError::FieldTypeMismatch(field, cause) => format!("field {field}: {}", sentence(cause)),
        CompatibilityError::WrongType { .. } => "the types differ".to_string(),
        CompatibilityError::MissingDefaultValue(field) => format!("field {field} was not written and has no default"),
        other => other.to_string(),
    }
}
