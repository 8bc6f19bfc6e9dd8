use crate::SchemaId;

/// What is wrong with the text of a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Not a schema, or one that refers to others (references between subjects are not used).
    #[error("the text is not an Avro schema: {0}")]
    Unparsable(String),
    /// A datum of such a schema could exhaust the stack or the memory of its reader.
    #[error("the schema is refused: {0}")]
    Unsafe(&'static str),
    /// Data of one schema cannot be read with another.
    #[error("the schemas are incompatible: {0}")]
    Incompatible(String),
    /// An id means one schema for ever.
    #[error("schema id {0} is already known under another text")]
    Changed(SchemaId),
}

/// Why a value was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// [`Schemas::bind`](crate::Schemas::bind) was not called for the subject.
    #[error("no schema id is bound to the subject {0}")]
    UnboundSubject(String),
    /// The schema of the Rust type itself cannot be used.
    #[error("the schema of the subject {subject} cannot be used: {cause}")]
    Schema {
        /// Subject that was written to.
        subject: String,
        /// What is wrong with the schema.
        cause: SchemaError,
    },
    /// The value and the schema that is bound to the subject do not fit.
    #[error("the value does not fit the schema of the subject {subject}: {cause}")]
    Mismatch {
        /// Subject that was written to.
        subject: String,
        /// What the Avro library says.
        cause: String,
    },
}

/// Why bytes were not read. Every variant but [`DecodeError::UnknownSchema`] is final for these bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than the header of magic byte and schema id.
    #[error("{0} bytes are too few for the 5-byte header of magic byte and schema id")]
    TooShort(usize),
    /// The first byte is not the magic byte 0.
    #[error("the first byte is {0:#04x}, not the magic byte 0x00")]
    WrongMagic(u8),
    /// The id is neither known nor refused (yet); see [`Schemas::status`](crate::Schemas::status).
    #[error("schema id {0} is unknown")]
    UnknownSchema(SchemaId),
    /// The registry's final answer about the id.
    #[error("schema id {id} is refused: {why}")]
    RefusedSchema {
        /// Id in the header.
        id: SchemaId,
        /// Why it was refused.
        why: String,
    },
    /// Data of the writer's schema can never be read as the wanted type.
    #[error("data of schema id {id} cannot be read as {record}: {why}")]
    Incompatible {
        /// Id in the header.
        id: SchemaId,
        /// Rust type that was asked for.
        record: &'static str,
        /// Where the schemas disagree.
        why: String,
    },
    /// The datum ends in the middle.
    #[error("the datum of schema id {0} ends too early")]
    Truncated(SchemaId),
    /// The datum is followed by more bytes.
    #[error("the datum of schema id {id} is followed by {count} more bytes")]
    TrailingBytes {
        /// Id in the header.
        id: SchemaId,
        /// How many bytes are left over.
        count: usize,
    },
    /// The bytes are no datum of the writer's schema.
    #[error("the bytes are no datum of schema id {id}: {why}")]
    Malformed {
        /// Id in the header.
        id: SchemaId,
        /// What the Avro library says.
        why: String,
    },
}
