//! The schema registry, the only IO of this crate: looks ids up before they are needed, and resolves the ids of others
//! as they turn up.
//!
//! Speaks the API of Confluent's registry, which others offer too (Apicurio under `/apis/ccompat/v7`).
//! Texts are compared byte by byte there: a schema is registered, and looked up, as the text in its file.

mod resolver;

use std::error::Error;
use std::time::Duration;

use reqwest::StatusCode;
use schema_registry_converter::async_impl::schema_registry::{SrSettings, perform_sr_call};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, RawRegisteredSchema, SrCall};
use serde_json::json;

use crate::schemas::Binding;
use crate::{SchemaError, SchemaId, Schemas};

pub use resolver::Resolver;

/// How often, and after what time, a change is tried again that another one got in the way of.
const CONFLICT_ATTEMPTS: u32 = 20;
const CONFLICT_INTERVAL: Duration = Duration::from_millis(50);

/// A client of one schema registry. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {
    url: String,
    settings: SrSettings,
    /// For the one call that the registry client lacks.
    http: reqwest::Client,
}

/// How the versions of a subject have to fit each other; the registry checks it when one is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compatibility {
    /// Every version can read every other: for topics that others read, who are upgraded before or after the writer.
    FullTransitive,
    /// A version can read all earlier ones: for what a service writes for itself.
    BackwardTransitive,
}

/// Why the registry did not do as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// No answer, or none that makes sense: ask again later.
    #[error("the schema registry at {url} is unavailable: {cause}")]
    Unavailable {
        /// Base address of the registry.
        url: String,
        /// What went wrong.
        cause: String,
    },
    /// Nothing is registered under the subject (yet).
    #[error("the schema registry has no subject {0}")]
    SubjectMissing(String),
    /// The subject is registered, but not (yet) with the text that was looked up.
    #[error("the schema registry has the subject {0}, but not this version of its schema")]
    TextMissing(String),
    /// The registry does not know the id, and nothing is bound that would tell whether it is the right registry.
    #[error("the schema registry does not know schema id {0}, and no subject is bound to recognize the registry by")]
    IdMissing(SchemaId),
    /// The registry does not accept the text, for instance because it does not fit earlier versions.
    #[error("the schema registry refuses the schema of the subject {subject}: {message}")]
    Refused {
        /// Subject that was to be registered.
        subject: String,
        /// The registry's own words.
        message: String,
    },
    /// The text cannot be used by this process.
    #[error("the schema of the subject {subject} cannot be used: {cause}")]
    Schema {
        /// Subject of the schema.
        subject: String,
        /// What is wrong with it.
        cause: SchemaError,
    },
    /// An id that is in use stands for something else now; going on would misread data and write what others misread.
    #[error(
        "schema id {id}, bound to the subject {subject}, has changed its meaning in the schema registry: {change}; \
         restore the registry's data before starting again"
    )]
    MeaningChanged {
        /// Subject whose values are written under the id.
        subject: String,
        /// The id.
        id: SchemaId,
        /// What the registry says now.
        change: String,
    },
}

impl Registry {
    /// A client of the registry whose API starts at `url`, such as `http://127.0.0.1:8081/apis/ccompat/v7`. Does not
    /// connect yet. A call that takes longer than `timeout` counts as unavailable.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`] if the HTTP client cannot be set up, say because of a malformed proxy variable.
    pub fn new(url: &str, timeout: Duration) -> Result<Self, RegistryError> {
        let url = url.trim_end_matches('/').to_string();
        let unavailable = |error: &dyn Error| unavailable(&url, error);
        let settings =
            SrSettings::new_builder(url.clone()).set_timeout(timeout).build().map_err(|error| unavailable(&error))?;
        let http = reqwest::Client::builder().timeout(timeout).build().map_err(|error| unavailable(&error))?;
        Ok(Self { url, settings, http })
    }

    /// Looks up the id of each text under its subject and binds it in `schemas`. Never registers anything.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`], [`RegistryError::SubjectMissing`] and [`RegistryError::TextMissing`] are worth
    /// waiting for; what was bound until then stays bound.
    pub async fn bind_all(&self, schemas: &Schemas, subjects: &[(String, String)]) -> Result<(), RegistryError> {
        for (subject, text) in subjects {
            let id = self.lookup(subject, text).await?;
            let unusable = |cause| RegistryError::Schema { subject: subject.clone(), cause };
            schemas.bind(subject, id, text).map_err(unusable)?;
        }
        Ok(())
    }

    /// Registers a text under a subject, for the step that prepares the registry. The same text again changes nothing.
    ///
    /// The subject's rule is set first, so that not even the first two versions can be at odds.
    ///
    /// # Errors
    /// [`RegistryError::Refused`] with the registry's message if the text is no schema or does not fit earlier versions.
    pub async fn register(
        &self,
        subject: &str,
        text: &str,
        compatibility: Compatibility,
    ) -> Result<SchemaId, RegistryError> {
        self.set_compatibility(subject, compatibility).await?;
        let answer = self.call(SrCall::PostNew(subject, &body(text))).await;
        self.id_in(answer.map_err(|failure| match failure {
            Failure::Unavailable(cause) => self.unavailable(cause),
            Failure::SubjectNotFound(message) | Failure::TextNotFound(message) | Failure::Refused(message) => {
                RegistryError::Refused { subject: subject.to_string(), message }
            }
        })?)
    }

    async fn set_compatibility(&self, subject: &str, compatibility: Compatibility) -> Result<(), RegistryError> {
        let level = match compatibility {
            Compatibility::FullTransitive => "FULL_TRANSITIVE",
            Compatibility::BackwardTransitive => "BACKWARD_TRANSITIVE",
        };
        let request = || {
            let put = self.http.put(format!("{}/config/{subject}", self.url));
            let put = put.header("content-type", "application/vnd.schemaregistry.v1+json");
            put.body(json!({ "compatibility": level }).to_string())
        };
        let mut attempts = 0;
        loop {
            let answer = request().send().await.and_then(reqwest::Response::error_for_status);
            match answer {
                // Somebody else sets the level of a new subject at the same moment; then it is there.
                Err(error) if error.status() == Some(StatusCode::CONFLICT) && attempts < CONFLICT_ATTEMPTS => {
                    attempts += 1;
                    tokio::time::sleep(CONFLICT_INTERVAL).await;
                }
                answer => return answer.map(drop).map_err(|error| unavailable(&self.url, &error)),
            }
        }
    }

    /// The id of the text under the subject.
    async fn lookup(&self, subject: &str, text: &str) -> Result<SchemaId, RegistryError> {
        let answer = self.call(SrCall::PostForVersion(subject, &body(text))).await;
        self.id_in(answer.map_err(|failure| match failure {
            Failure::Unavailable(cause) => self.unavailable(cause),
            Failure::SubjectNotFound(_) => RegistryError::SubjectMissing(subject.to_string()),
            Failure::TextNotFound(_) => RegistryError::TextMissing(subject.to_string()),
            Failure::Refused(message) => RegistryError::Refused { subject: subject.to_string(), message },
        })?)
    }

    /// The text of an id; none if the registry says that there is no such id.
    async fn text(&self, SchemaId(id): SchemaId) -> Result<Option<String>, RegistryError> {
        match self.call(SrCall::GetById(id)).await {
            Ok(answer) => match answer.schema {
                Some(text) => Ok(Some(text)),
                None => Err(self.unavailable("it answered without a schema".to_string())),
            },
            Err(Failure::SubjectNotFound(_) | Failure::TextNotFound(_)) => Ok(None),
            Err(Failure::Unavailable(cause) | Failure::Refused(cause)) => Err(self.unavailable(cause)),
        }
    }

    /// Makes sure that an id still stands for the text under the subject.
    async fn verify(&self, schemas: &Schemas, subject: &str, binding: &Binding) -> Result<(), RegistryError> {
        let changed =
            |change: String| RegistryError::MeaningChanged { subject: subject.to_string(), id: binding.id, change };
        match self.lookup(subject, &binding.text).await {
            Ok(id) if id == binding.id => Ok(()),
            Ok(id) => Err(changed(format!("the text of the subject has id {id}"))),
            Err(missing @ (RegistryError::SubjectMissing(_) | RegistryError::TextMissing(_))) => {
                match self.text(binding.id).await? {
                    Some(text) if schemas.learn(binding.id, &text).is_err() => {
                        Err(changed("the id has another text".to_string()))
                    }
                    _ => Err(missing),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn call(&self, call: SrCall<'_>) -> Result<RawRegisteredSchema, Failure> {
        perform_sr_call(&self.settings, call).await.map_err(Failure::from)
    }

    fn id_in(&self, answer: RawRegisteredSchema) -> Result<SchemaId, RegistryError> {
        answer.id.map(SchemaId).ok_or_else(|| self.unavailable("it answered without an id".to_string()))
    }

    fn unavailable(&self, cause: String) -> RegistryError {
        RegistryError::Unavailable { url: self.url.clone(), cause }
    }
}

/// What a call that failed means, whichever call it was.
enum Failure {
    Unavailable(String),
    SubjectNotFound(String),
    /// Neither under the subject nor, when asked by id, anywhere.
    TextNotFound(String),
    Refused(String),
}

impl From<SRCError> for Failure {
    /// Error codes of Confluent's API; a body that is not the API's own counts as unavailable, whatever its status.
    fn from(error: SRCError) -> Self {
        match error.source().and_then(|source| source.downcast_ref::<RawError>()) {
            Some(RawError { error_code: 40401, message, .. }) => Self::SubjectNotFound(message.clone()),
            Some(RawError { error_code: 40402 | 40403, message, .. }) => Self::TextNotFound(message.clone()),
            Some(RawError { error_code: 409 | 422 | 42201, message, .. }) => Self::Refused(message.clone()),
            _ => Self::Unavailable(format!("{}: {}", error.error, innermost(&error))),
        }
    }
}

fn body(text: &str) -> String {
    json!({ "schema": text, "schemaType": "AVRO" }).to_string()
}

fn unavailable(url: &str, error: &dyn Error) -> RegistryError {
    RegistryError::Unavailable { url: url.to_string(), cause: innermost(error).to_string() }
}

/// What lies at the bottom ("Connection refused"); the errors above it mostly repeat the URL.
fn innermost(error: &dyn Error) -> &dyn Error {
    error.source().map_or(error, innermost)
}
