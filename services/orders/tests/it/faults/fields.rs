use serde_json::Value;

/// A field that a client can send.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub is_required: bool,
    pub shape: Shape,
}

#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Text,
    /// A whole number in the range of its Avro type.
    Whole(Range),
    /// A decimal number whose minor units are in the range of their Avro type.
    Decimal(Range),
}

#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub least: i128,
    pub greatest: i128,
}

const INT: Range = Range { least: i32::MIN as i128, greatest: i32::MAX as i128 };
const LONG: Range = Range { least: i64::MIN as i128, greatest: i64::MAX as i128 };

/// What the journal calls a field, if not as the client does.
const CALLED: [(&str, &str); 2] = [("id", "orderId"), ("price", "priceMinor")];

/// What the journal keeps beside the client's fields.
const MADE_BY_US: [&str; 2] = ["body", "requestedAt"];

/// The fields of a request, by the OpenAPI document for clients and the Avro schema of the journal; or in which they differ.
pub fn fields(openapi: &Value, journal: &Value) -> Result<Vec<Field>, String> {
    let request = &openapi["components"]["schemas"]["NewOrder"];
    let properties = request["properties"].as_object().ok_or("the OpenAPI document does not describe NewOrder")?;
    let required: Vec<_> = request["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let kept: Vec<_> = journal["fields"].as_array().ok_or("OrderRequested has no fields")?.iter().collect();

    let mut fields = Vec::new();
    for (name, property) in properties {
        let kept = kept.iter().find(|kept| kept["name"] == in_journal(name));
        let kept = kept.ok_or_else(|| format!("clients may send `{name}`, but OrderRequested does not keep it"))?;
        let shape = shape(property, &kept["type"]).ok_or_else(|| {
            format!(
                "nothing is known of the faults of `{name}`, {property} to clients and {} in the journal",
                kept["type"]
            )
        })?;
        fields.push(Field { name: name.clone(), is_required: required.contains(&name.as_str()), shape });
    }
    for name in kept.iter().filter_map(|kept| kept["name"].as_str()) {
        if !MADE_BY_US.contains(&name) && !properties.keys().any(|sent| in_journal(sent) == name) {
            return Err(format!(
                "OrderRequested keeps `{name}`, but clients cannot send it; if the service makes it, say so in MADE_BY_US"
            ));
        }
    }
    Ok(fields)
}

fn in_journal(name: &str) -> &str {
    CALLED.iter().find(|(sent, _)| *sent == name).map_or(name, |(_, kept)| kept)
}

/// What OpenAPI and Avro say of one field, if they say the same.
fn shape(property: &Value, avro: &Value) -> Option<Shape> {
    let of_optional = property["type"].as_array().and_then(|types| types.iter().find(|of| *of != "null"));
    let json = of_optional.unwrap_or(&property["type"]).as_str()?;
    match (json, property["format"].as_str(), avro.as_str()?) {
        ("string", _, "string") => Some(Shape::Text),
        ("integer", Some("int32"), "int") => Some(Shape::Whole(INT)),
        ("integer", Some("int64"), "long") => Some(Shape::Whole(LONG)),
        ("number", _, "long") => Some(Shape::Decimal(LONG)),
        _ => None,
    }
}
