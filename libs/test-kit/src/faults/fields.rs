use serde_json::Value;

use super::Contract;

/// A field that a client can send.
#[derive(Debug)]
pub struct Field {
    /// What the client calls it.
    pub name: String,
    /// Whether a request needs it.
    pub is_required: bool,
    /// What it looks like.
    pub shape: Shape,
}

/// What a field looks like to a client, and in the journal.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A text, or a word of an enumeration.
    Text,
    /// A whole number in the range of its Avro type.
    Whole(Range),
    /// A decimal number whose minor units are in the range of their Avro type.
    Decimal(Range),
}

/// The numbers from the least to the greatest.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The least of them.
    pub least: i128,
    /// The greatest of them.
    pub greatest: i128,
}

const INT: Range = Range { least: i32::MIN as i128, greatest: i32::MAX as i128 };
const LONG: Range = Range { least: i64::MIN as i128, greatest: i64::MAX as i128 };

/// The fields of a request, by the OpenAPI document for clients and the Avro schema of the journal; or in which they differ.
pub(super) fn fields(contract: &Contract<'_>) -> Result<Vec<Field>, String> {
    let Contract { request, journal, .. } = contract;
    let record = journal["name"].as_str().unwrap_or_default();
    let request = &contract.openapi["components"]["schemas"][request];
    let properties = request["properties"].as_object().ok_or("the OpenAPI document does not describe the request")?;
    let required: Vec<_> = request["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let kept: Vec<_> = journal["fields"].as_array().ok_or("the journaled record has no fields")?.iter().collect();

    let mut fields = Vec::new();
    for (name, property) in properties {
        let kept = kept.iter().find(|kept| kept["name"] == contract.in_journal(name));
        let kept = kept.ok_or_else(|| format!("clients may send `{name}`, but {record} does not keep it"))?;
        let shape = shape(property, &kept["type"]).ok_or_else(|| {
            format!(
                "nothing is known of the faults of `{name}`, {property} to clients and {} in the journal",
                kept["type"]
            )
        })?;
        fields.push(Field { name: name.clone(), is_required: required.contains(&name.as_str()), shape });
    }
    for name in kept.iter().filter_map(|kept| kept["name"].as_str()) {
        if !contract.made_by_us.contains(&name) && !properties.keys().any(|sent| contract.in_journal(sent) == name) {
            return Err(format!(
                "{record} keeps `{name}`, but clients cannot send it; if the service makes it, say so in `made_by_us`"
            ));
        }
    }
    Ok(fields)
}

/// What OpenAPI and Avro say of one field, if they say the same.
fn shape(property: &Value, avro: &Value) -> Option<Shape> {
    let of_optional = property["type"].as_array().and_then(|types| types.iter().find(|of| *of != "null"));
    let json = of_optional.unwrap_or(&property["type"]).as_str()?;
    // An enum is a type with a name and symbols of its own.
    match (json, property["format"].as_str(), avro["type"].as_str().or(avro.as_str())?) {
        ("string", _, "string" | "enum") => Some(Shape::Text),
        ("integer", Some("int32"), "int") => Some(Shape::Whole(INT)),
        ("integer", Some("int64"), "long") => Some(Shape::Whole(LONG)),
        ("number", _, "long") => Some(Shape::Decimal(LONG)),
        _ => None,
    }
}
