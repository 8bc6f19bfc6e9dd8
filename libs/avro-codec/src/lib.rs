//! Avro records in Confluent's wire format, with schema ids that are known before they are needed.
//!
//! A message is a zero byte, a four-byte schema id and a datum that means nothing without the schema of that id. The
//! usual codec asks the schema registry for it in the middle of decoding. Stream processing can't: its loop is
//! synchronous, holds a transaction open, and must neither wait for a registry nor drop a record because one is away.
//! So the question is asked elsewhere, in three parts:
//!
//! 1. [`Schemas`] is what a process knows. It is synchronous and does no IO; [`Schemas::status`] tells from the header
//!    alone whether a message can be decoded now, has to wait, or never will be.
//! 2. [`registry::Registry`] fills it before the first record: it looks up the id of every subject the process writes.
//!    Nothing is ever registered at run time; that is a step of its own, before.
//! 3. [`registry::Resolver`] fills it later: ids that turn up in data are requested from it and resolved in the
//!    background. Records of an id that is still [`Status::Unresolved`] stay where they are.
//!
//! An [`AvroRecord`] is read from data of its own schema straight into its fields, and from data of older and newer
//! versions by Avro's rules of resolution: unknown fields are ignored, missing ones take their defaults, unknown enum
//! symbols fall to the default symbol. Input is not trusted: no bytes cause a panic, and a datum that is truncated,
//! malformed or followed by more is an error that says so.
//!
//! ```
//! use avro_codec::{AvroRecord, SchemaId, Schemas, Status};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Reading {
//!     celsius: f64,
//! }
//!
//! impl AvroRecord for Reading {
//!     const SCHEMA: &'static str =
//!         r#"{"type": "record", "name": "Reading", "fields": [{"name": "celsius", "type": "double"}]}"#;
//! }
//!
//! let schemas = Schemas::new();
//! schemas.bind("readings-value", SchemaId(3), Reading::SCHEMA)?; // a registry does this
//! let bytes = schemas.encode("readings-value", &Reading { celsius: 21.5 })?;
//!
//! assert_eq!(bytes[..5], [0, 0, 0, 0, 3]);
//! assert_eq!(schemas.status(&bytes), Status::Known);
//! assert_eq!(schemas.decode::<Reading>(&bytes)?, Reading { celsius: 21.5 });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Sources: Confluent's
//! [wire format](https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format)
//! and [registry API](https://docs.confluent.io/platform/current/schema-registry/develop/api.html), the
//! [Avro specification](https://avro.apache.org/docs/1.12.0/specification/).

mod datum;
mod error;
mod json;
mod parsed;
mod record;
pub mod registry;
mod resolution;
mod schemas;
mod wire;

/// For `#[serde(with = "avro_codec::bytes")]` on fields of the type `bytes`.
pub use apache_avro::serde::bytes;
pub use error::{DecodeError, EncodeError, SchemaError};
pub use json::text_of;
pub use record::AvroRecord;
pub use resolution::can_read;
pub use schemas::{SchemaId, Schemas, Status};

/// The most that a length field can make a reader allocate. More than any record of a broker with sane limits needs, also
/// when it is read through a tree of values.
const MAX_ALLOCATION_BYTES: usize = 64 * 1024 * 1024;
