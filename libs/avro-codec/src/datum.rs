use std::any::type_name;
use std::io::{self, Read};

use apache_avro::Schema;
use apache_avro::error::Details;
use apache_avro::reader::datum::GenericDatumReader;

use crate::{AvroRecord, DecodeError, SchemaId, parsed, resolution};

/// How data of one schema id becomes values of one Rust type; decided once, at the first record.
pub(crate) enum Reading {
    /// Written with the schema of the type: straight from the bytes into its fields.
    Direct(GenericDatumReader<'static>),
    /// Written with an older or newer version: through a tree of values, in which fields are added and dropped.
    Resolving(GenericDatumReader<'static>),
    /// Written with something else.
    Incompatible(DecodeError),
}

impl Reading {
    pub(crate) fn of<R: AvroRecord>(id: SchemaId, writer: &'static Schema) -> Self {
        Self::choose::<R>(writer)
            .unwrap_or_else(|why| Self::Incompatible(DecodeError::Incompatible { id, record: type_name::<R>(), why }))
    }

    fn choose<R: AvroRecord>(writer: &'static Schema) -> Result<Self, String> {
        let reader = parsed::parse(&R::schema()).map_err(|error| error.to_string())?;
        let building = GenericDatumReader::builder(writer);
        if writer == reader {
            return building.build().map(Self::Direct).map_err(sentence);
        }
        // Ask first, because the library's resolution is laxer than the specification: a long that fits becomes an int.
        resolution::compatibility(writer, reader).map_err(|error| error.to_string())?;
        building.reader_schema(reader).build().map(Self::Resolving).map_err(sentence)
    }

    pub(crate) fn read<R: AvroRecord>(&self, id: SchemaId, datum: &[u8]) -> Result<R, DecodeError> {
        match self {
            Self::Direct(reader) => exactly(id, datum, |input| reader.read_deser(input)),
            Self::Resolving(reader) => {
                exactly(id, datum, |input| reader.read_value(input).and_then(|value| apache_avro::from_value(&value)))
            }
            Self::Incompatible(error) => Err(error.clone()),
        }
    }
}

/// What `read` makes of all bytes of a datum, no more and no less.
pub(crate) fn exactly<T>(
    id: SchemaId,
    datum: &[u8],
    read: impl FnOnce(&mut Datum<'_>) -> apache_avro::AvroResult<T>,
) -> Result<T, DecodeError> {
    let mut input = Datum { rest: datum, overrun: false };
    let read = read(&mut input);
    if input.overrun {
        return Err(DecodeError::Truncated(id));
    }
    let value = read.map_err(|error| DecodeError::Malformed { id, why: sentence(error) })?;
    match input.rest.len() {
        0 => Ok(value),
        count => Err(DecodeError::TrailingBytes { id, count }),
    }
}

/// The bytes of one datum. Remembers a read past the end, because the library takes the end of the input for null when
/// it reads a string, a boolean or a union into a tree of values.
pub(crate) struct Datum<'a> {
    rest: &'a [u8],
    overrun: bool,
}

impl Read for Datum<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.rest.read(buffer)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.overrun |= self.rest.len() < buffer.len();
        self.rest.read_exact(buffer)
    }
}

/// The library's errors may carry a whole schema or value; this keeps what a person needs.
pub(crate) fn sentence(error: apache_avro::Error) -> String {
    const LONGEST: usize = 240;
    let message = match error.into_details() {
        Details::DeserializeSchemaAware { value, .. } | Details::SerializeValueWithSchema { value, .. } => value,
        Details::SerializeRecordFieldWithSchema { field_name, error, .. } => format!("field {field_name}: {error}"),
        Details::ParseSchemaJson(cause) => cause.to_string(),
        details => details.to_string(),
    };
    message.chars().take(LONGEST).collect()
}
