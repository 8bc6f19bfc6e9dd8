//! Data as JSON, for people and for programs that have no type for them.

use std::collections::HashMap;
use std::fmt::Write;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema::{DecimalSchema, Name, ResolvedSchema};
use apache_avro::types::Value;
use serde_json::{Map, Number, Value as Json};

use crate::datum::{exactly, sentence};
use crate::{DecodeError, SchemaId};

/// The datum as JSON. Unlike Avro's own JSON encoding it leaves out which branch of a union a value is of, writes bytes as
/// [`text_of`] them, and decimals with their point.
pub(crate) fn read(id: SchemaId, writer: &'static Schema, datum: &[u8]) -> Result<Json, DecodeError> {
    let malformed = |error| DecodeError::Malformed { id, why: sentence(error) };
    let reader = GenericDatumReader::builder(writer).build().map_err(malformed)?;
    let resolved = ResolvedSchema::new(writer).map_err(malformed)?;
    let value = exactly(id, datum, |input| reader.read_value(input))?;
    Ok(json(value, writer, resolved.get_names()))
}

/// Bytes as text where they are text, else as hexadecimal digits after `0x`.
pub fn text_of(bytes: &[u8]) -> String {
    let is_legible = |text: &&str| text.chars().all(|it| !it.is_control() || matches!(it, '\n' | '\r' | '\t'));
    match std::str::from_utf8(bytes).ok().filter(is_legible) {
        Some(text) => text.to_string(),
        None => bytes.iter().fold("0x".to_string(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}

/// The schema goes along only for the scale of decimals; it is no deeper than [`parse`](crate::parsed::parse) lets pass.
fn json(value: Value, schema: &Schema, names: &HashMap<Name, &Schema>) -> Json {
    let schema = referred(schema, names);
    match (value, schema) {
        (Value::Null, _) => Json::Null,
        (Value::Boolean(value), _) => value.into(),
        (Value::Int(number) | Value::Date(number) | Value::TimeMillis(number), _) => number.into(),
        (
            Value::Long(number)
            | Value::TimeMicros(number)
            | Value::TimestampMillis(number)
            | Value::TimestampMicros(number)
            | Value::TimestampNanos(number)
            | Value::LocalTimestampMillis(number)
            | Value::LocalTimestampMicros(number)
            | Value::LocalTimestampNanos(number),
            _,
        ) => number.into(),
        (Value::Float(number), _) => float(number.into()),
        (Value::Double(number), _) => float(number),
        (Value::Bytes(bytes) | Value::Fixed(_, bytes), _) => text_of(&bytes).into(),
        (Value::String(text) | Value::Enum(_, text), _) => text.into(),
        (Value::Uuid(id), _) => id.to_string().into(),
        (Value::BigDecimal(number), _) => number.to_string().into(),
        (Value::Decimal(number), Schema::Decimal(DecimalSchema { scale, .. })) => {
            <Vec<u8>>::try_from(&number).map_or(Json::Null, |bytes| decimal(&bytes, *scale).into())
        }
        (Value::Decimal(number), _) => <Vec<u8>>::try_from(&number).map_or(Json::Null, |bytes| text_of(&bytes).into()),
        (Value::Duration(span), _) => text_of(&<[u8; 12]>::from(span)).into(),
        (Value::Union(branch, value), Schema::Union(union)) => {
            let branch = usize::try_from(branch).ok().and_then(|branch| union.variants().get(branch));
            json(*value, branch.unwrap_or(&Schema::Null), names)
        }
        (Value::Union(_, value), _) => json(*value, &Schema::Null, names),
        (Value::Array(items), schema) => {
            let of = if let Schema::Array(array) = schema { &*array.items } else { &Schema::Null };
            items.into_iter().map(|item| json(item, of, names)).collect()
        }
        (Value::Map(entries), schema) => {
            let of = if let Schema::Map(map) = schema { &*map.types } else { &Schema::Null };
            entries.into_iter().map(|(key, value)| (key, json(value, of, names))).collect::<Map<_, _>>().into()
        }
        (Value::Record(values), schema) => {
            let fields = if let Schema::Record(record) = schema { &*record.fields } else { &[] };
            let of = fields.iter().map(|field| &field.schema).chain(std::iter::repeat(&Schema::Null));
            values
                .into_iter()
                .zip(of)
                .map(|((name, value), of)| (name, json(value, of, names)))
                .collect::<Map<_, _>>()
                .into()
        }
    }
}

fn referred<'s>(schema: &'s Schema, names: &HashMap<Name, &'s Schema>) -> &'s Schema {
    match schema {
        Schema::Ref { name } => names.get(name).copied().unwrap_or(&Schema::Null),
        schema => schema,
    }
}

/// JSON has no infinities and no NaN: they become text.
fn float(number: f64) -> Json {
    Number::from_f64(number).map_or_else(|| number.to_string().into(), Json::Number)
}

/// A number in two's complement, highest byte first, with so many digits behind its point.
fn decimal(bytes: &[u8], scale: usize) -> String {
    const MAX_SCALE: usize = 100;

    if bytes.len() > size_of::<i128>() || scale > MAX_SCALE {
        return text_of(bytes);
    }
    let is_negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let sign = if is_negative { -1 } else { 0 };
    let unscaled = bytes.iter().fold(sign, |number: i128, byte| number << 8 | i128::from(*byte));
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if is_negative { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_has_its_point_where_the_scale_says() {
        assert_eq!(decimal(&1234_i16.to_be_bytes(), 2), "12.34");
        assert_eq!(decimal(&(-5_i8).to_be_bytes(), 2), "-0.05");
        assert_eq!(decimal(&[], 2), "0.00");
        assert_eq!(decimal(&i128::MIN.to_be_bytes(), 0), i128::MIN.to_string());
        assert_eq!(decimal(&[1; 17], 2), text_of(&[1; 17]), "more than is calculated with here");
        assert_eq!(decimal(&[65], usize::MAX), "A", "a scale that nobody means");
    }

    #[test]
    fn bytes_are_text_where_they_can_be_read() {
        assert_eq!(text_of("naïve\tday\n".as_bytes()), "naïve\tday\n");
        assert_eq!(text_of(b"\0\0\0\x01"), "0x00000001");
        assert_eq!(text_of(b"\xff"), "0xff");
        assert_eq!(text_of(b""), "");
    }
}
