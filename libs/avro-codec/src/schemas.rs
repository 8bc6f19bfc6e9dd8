use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use apache_avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;

use crate::datum::{Reading, sentence};
use crate::{AvroRecord, DecodeError, EncodeError, SchemaError, json, parsed, wire};

/// Number under which a registry knows the text of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaId(pub u32);

impl SchemaId {
    /// The id in the header of a message; none if it has no such header.
    pub fn of(message: &[u8]) -> Option<Self> {
        wire::split(message).ok().map(|(id, _)| id)
    }
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is known about the schema id in the header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `decode` has all it needs, if only to say what is wrong with the header.
    Known,
    /// The registry has not answered yet: the record has to wait.
    Unresolved(SchemaId),
    /// The registry has answered, and `decode` will say why the record cannot be read.
    Refused,
}

/// The schemas a process knows: by id for reading, by subject for writing.
///
/// Cheap to clone; all clones share what any of them learns. Nothing here does IO or waits, and what is known stays
/// known for the life of the process, so that an outage of the registry cannot take it away.
#[derive(Clone)]
pub struct Schemas {
    known: Arc<RwLock<Known>>,
    /// Without a registry, subjects get ids of their own making.
    makes_up_ids: bool,
}

#[derive(Default)]
struct Known {
    answers: HashMap<SchemaId, Answer>,
    readings: HashMap<(SchemaId, TypeId), Arc<Reading>>,
    bindings: HashMap<String, Arc<Binding>>,
}

enum Answer {
    Schema { schema: &'static Schema, text: Arc<str> },
    Refused(String),
}

/// What values for a subject are written with.
pub(crate) struct Binding {
    pub(crate) id: SchemaId,
    pub(crate) text: String,
    writer: GenericDatumWriter<'static>,
}

impl Schemas {
    /// Knows nothing yet; a [`Registry`](crate::registry::Registry) teaches it.
    pub fn new() -> Self {
        Self::with_ids_made_up(false)
    }

    /// For drivers without a registry: every subject gets an id of its own the first time it is written.
    pub fn local() -> Self {
        Self::with_ids_made_up(true)
    }

    fn with_ids_made_up(makes_up_ids: bool) -> Self {
        // A length field of garbage must not allocate more than this. The library takes the limit once per process.
        apache_avro::util::max_allocation_bytes(crate::MAX_ALLOCATION_BYTES);
        Self { known: Arc::default(), makes_up_ids }
    }

    /// Takes in the schema of an id, also after it was refused.
    ///
    /// # Errors
    /// The text is no schema, data of it would be unsafe to read, or the id is known under another schema.
    pub fn learn(&self, id: SchemaId, text: &str) -> Result<(), SchemaError> {
        let schema = parsed::parse(text)?;
        self.write().learn(id, text, schema)
    }

    /// Takes in the schema of an id under which values for this subject are to be written.
    ///
    /// # Errors
    /// As [`learn`](Self::learn).
    pub fn bind(&self, subject: &str, id: SchemaId, text: &str) -> Result<(), SchemaError> {
        let schema = parsed::parse(text)?;
        let mut known = self.write();
        known.learn(id, text, schema)?;
        known.bind(subject, id, text, schema).map(drop)
    }

    /// Writes a value: header and datum, ready to be sent.
    ///
    /// # Errors
    /// Nothing is bound to the subject, or the value does not fit the schema that is.
    pub fn encode<R: AvroRecord>(&self, subject: &str, value: &R) -> Result<Vec<u8>, EncodeError> {
        /// Most events are smaller, so that their buffer never grows.
        const TYPICAL_BYTES: usize = 256;

        let bound = self.read().bindings.get(subject).cloned();
        let binding = match bound {
            Some(binding) => binding,
            None if self.makes_up_ids => self.bind_made_up(subject, &R::schema())?,
            None => return Err(EncodeError::UnboundSubject(subject.to_string())),
        };
        let mut bytes = Vec::with_capacity(TYPICAL_BYTES);
        bytes.extend_from_slice(&wire::header(binding.id));
        match binding.writer.write_ser(&mut bytes, value) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(EncodeError::Mismatch { subject: subject.to_string(), cause: sentence(error) }),
        }
    }

    /// Reads a value that was written with the schema of `R` or with an older or newer version of it.
    ///
    /// # Errors
    /// See [`DecodeError`]: no bytes cause a panic.
    pub fn decode<R: AvroRecord>(&self, bytes: &[u8]) -> Result<R, DecodeError> {
        let (id, datum) = wire::split(bytes)?;
        let decided = self.read().readings.get(&(id, TypeId::of::<R>())).cloned();
        let reading = match decided {
            Some(reading) => reading,
            None => self.decide_reading::<R>(id)?,
        };
        reading.read(id, datum)
    }

    /// Reads a value of any known schema, to be shown: records become objects, enums their symbols, decimals and bytes that
    /// are text become text ([`text_of`](crate::text_of) the others), times are the numbers they are.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_json(&self, bytes: &[u8]) -> Result<serde_json::Value, DecodeError> {
        let (id, datum) = wire::split(bytes)?;
        json::read(id, self.writer(id)?, datum)
    }

    /// The text of the schema of an id, as it was learned; none unless it is known.
    pub fn text(&self, id: SchemaId) -> Option<Arc<str>> {
        match self.read().answers.get(&id)? {
            Answer::Schema { text, .. } => Some(Arc::clone(text)),
            Answer::Refused(_) => None,
        }
    }

    /// What is known about the schema of these bytes; looks only at their header.
    pub fn status(&self, bytes: &[u8]) -> Status {
        wire::split(bytes).map_or(Status::Known, |(id, _)| self.status_of(id))
    }

    /// What is known about an id.
    pub fn status_of(&self, id: SchemaId) -> Status {
        match self.read().answers.get(&id) {
            Some(Answer::Schema { .. }) => Status::Known,
            Some(Answer::Refused(_)) => Status::Refused,
            None => Status::Unresolved(id),
        }
    }

    /// Notes the final answer of the registry for an id. A known id stays known.
    pub fn refuse(&self, id: SchemaId, why: String) {
        self.write().answers.entry(id).or_insert(Answer::Refused(why));
    }

    /// Forgets a refusal: the id is unresolved again.
    pub fn reconsider(&self, id: SchemaId) {
        let mut known = self.write();
        if let Some(Answer::Refused(_)) = known.answers.get(&id) {
            known.answers.remove(&id);
        }
    }

    /// Every subject that is bound, with what to.
    pub(crate) fn bindings(&self) -> Vec<(String, Arc<Binding>)> {
        self.read().bindings.iter().map(|(subject, binding)| (subject.clone(), Arc::clone(binding))).collect()
    }

    fn bind_made_up(&self, subject: &str, text: &str) -> Result<Arc<Binding>, EncodeError> {
        let refused = |cause| EncodeError::Schema { subject: subject.to_string(), cause };
        let schema = parsed::parse(text).map_err(refused)?;
        let mut known = self.write();
        if let Some(binding) = known.bindings.get(subject) {
            return Ok(Arc::clone(binding));
        }
        let next = (1..).map(SchemaId).find(|id| !known.answers.contains_key(id)).expect("ids are never used up");
        known.learn(next, text, schema).map_err(refused)?;
        known.bind(subject, next, text, schema).map_err(refused)
    }

    fn decide_reading<R: AvroRecord>(&self, id: SchemaId) -> Result<Arc<Reading>, DecodeError> {
        let reading = Arc::new(Reading::of::<R>(id, self.writer(id)?));
        self.write().readings.insert((id, TypeId::of::<R>()), Arc::clone(&reading));
        Ok(reading)
    }

    /// What data of the id are written with.
    fn writer(&self, id: SchemaId) -> Result<&'static Schema, DecodeError> {
        match self.read().answers.get(&id) {
            Some(Answer::Schema { schema, .. }) => Ok(schema),
            Some(Answer::Refused(why)) => Err(DecodeError::RefusedSchema { id, why: why.clone() }),
            None => Err(DecodeError::UnknownSchema(id)),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().expect("nothing panics while it holds the lock")
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().expect("nothing panics while it holds the lock")
    }
}

impl Default for Schemas {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.read();
        f.debug_struct("Schemas")
            .field("ids", &known.answers.keys())
            .field("subjects", &known.bindings.keys())
            .finish_non_exhaustive()
    }
}

impl Known {
    fn learn(&mut self, id: SchemaId, text: &str, schema: &'static Schema) -> Result<(), SchemaError> {
        match self.answers.get(&id) {
            Some(Answer::Schema { schema: known, .. }) if *known != schema => Err(SchemaError::Changed(id)),
            Some(Answer::Schema { .. }) => Ok(()),
            Some(Answer::Refused(_)) | None => {
                self.answers.insert(id, Answer::Schema { schema, text: text.into() });
                Ok(())
            }
        }
    }

    fn bind(
        &mut self,
        subject: &str,
        id: SchemaId,
        text: &str,
        schema: &'static Schema,
    ) -> Result<Arc<Binding>, SchemaError> {
        let writer =
            GenericDatumWriter::builder(schema).build().map_err(|error| SchemaError::Unparsable(sentence(error)))?;
        let binding = Arc::new(Binding { id, text: text.to_string(), writer });
        self.bindings.insert(subject.to_string(), Arc::clone(&binding));
        Ok(binding)
    }
}
