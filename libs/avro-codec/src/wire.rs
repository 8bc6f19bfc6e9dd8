//! The header: magic byte 0, then the schema id as four bytes, big endian (Confluent's wire format).

use crate::{DecodeError, SchemaId};

const MAGIC: u8 = 0;

/// Splits a message into schema id and datum.
pub(crate) fn split(bytes: &[u8]) -> Result<(SchemaId, &[u8]), DecodeError> {
    let ([magic, a, b, c, d], datum) = bytes.split_first_chunk().ok_or(DecodeError::TooShort(bytes.len()))?;
    if *magic != MAGIC {
        return Err(DecodeError::WrongMagic(*magic));
    }
    Ok((SchemaId(u32::from_be_bytes([*a, *b, *c, *d])), datum))
}

/// The header of a message.
pub(crate) fn header(SchemaId(id): SchemaId) -> [u8; 5] {
    let [a, b, c, d] = id.to_be_bytes();
    [MAGIC, a, b, c, d]
}
