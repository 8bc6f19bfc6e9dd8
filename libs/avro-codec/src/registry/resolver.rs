use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Registry, RegistryError};
use crate::{SchemaId, Schemas};

/// Asks the registry for schema ids that turned up in data.
///
/// A handle: clones share the ids that wait. A registry that is away, was emptied or is another one altogether settles
/// nothing; the ids wait until the right one is back.
#[derive(Clone, Debug)]
pub struct Resolver(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    registry: Registry,
    schemas: Schemas,
    waiting: Mutex<BTreeSet<SchemaId>>,
    arrived: Notify,
}

/// How long a final answer is believed, so that a schema that is registered late heals by itself.
const REFUSAL_LASTS: Duration = Duration::from_secs(10);

impl Resolver {
    /// A resolver that teaches `schemas` what `registry` answers. Nothing happens before [`run`](Self::run).
    ///
    /// The subjects that are bound in `schemas` are how it recognizes its own registry: a process that only reads
    /// should bind the subjects it reads.
    pub fn new(registry: Registry, schemas: Schemas) -> Self {
        let waiting = Mutex::default();
        Self(Arc::new(Shared { registry, schemas, waiting, arrived: Notify::new() }))
    }

    /// Asks for an id; returns at once, and may be called again and again while the id is unresolved.
    pub fn request(&self, id: SchemaId) {
        if self.waiting().insert(id) {
            self.0.arrived.notify_one();
        }
    }

    /// Resolves what is requested, one id at a time. To be spawned, once.
    ///
    /// Returns only with [`RegistryError::MeaningChanged`], after which the process must not go on.
    pub async fn run(&self) -> RegistryError {
        let mut refusals = JoinSet::new();
        let mut outage = Outage::default();
        let mut last = None;
        loop {
            let Some(id) = self.next_waiting(last) else {
                tokio::select! {
                    () = self.0.arrived.notified() => {}
                    Some(_) = refusals.join_next() => {}
                }
                continue;
            };
            last = Some(id);
            match self.resolve(id).await {
                Ok(answer) => {
                    self.waiting().remove(&id);
                    outage = Outage::default();
                    if let Answer::Refused = answer {
                        refusals.spawn(self.clone().reconsider_later(id));
                    }
                }
                Err(fatal @ RegistryError::MeaningChanged { .. }) => return fatal,
                Err(error) => sleep(outage.note(id, error)).await,
            }
        }
    }

    /// Asks for the id, and only then whether the registry is still the one that was bound to, so that no answer of
    /// another registry is ever believed.
    async fn resolve(&self, id: SchemaId) -> Result<Answer, RegistryError> {
        let Shared { registry, schemas, .. } = &*self.0;
        let text = registry.text(id).await?;
        let bindings = schemas.bindings();
        for (subject, binding) in &bindings {
            registry.verify(schemas, subject, binding).await?;
        }
        let why = match text {
            Some(text) => match schemas.learn(id, &text) {
                Ok(()) => return Ok(Answer::Learned),
                Err(unusable) => unusable.to_string(),
            },
            None if bindings.is_empty() => return Err(RegistryError::IdMissing(id)),
            None => "the schema registry does not know it".to_string(),
        };
        tracing::warn!(schema_id = id.0, why, "schema id is refused");
        schemas.refuse(id, why);
        Ok(Answer::Refused)
    }

    async fn reconsider_later(self, id: SchemaId) {
        sleep(REFUSAL_LASTS).await;
        self.0.schemas.reconsider(id);
    }

    /// In turn, so that an id which the registry has trouble with does not keep the others waiting.
    fn next_waiting(&self, last: Option<SchemaId>) -> Option<SchemaId> {
        let waiting = self.waiting();
        let later = waiting.range((last.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)).next();
        later.or_else(|| waiting.first()).copied()
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeSet<SchemaId>> {
        self.0.waiting.lock().expect("nothing panics while it holds the lock")
    }
}

enum Answer {
    Learned,
    Refused,
}

/// Attempts in a row that settled nothing.
#[derive(Default)]
struct Outage {
    attempts: u32,
    last: Option<RegistryError>,
}

impl Outage {
    const FIRST_PAUSE: Duration = Duration::from_millis(100);
    const LONGEST_PAUSE: Duration = Duration::from_secs(3);
    /// The same complaint is heard every half minute of an outage.
    const COMPLAIN_EVERY: u32 = 10;

    /// Notes a failed attempt and says how long to wait before the next.
    fn note(&mut self, id: SchemaId, error: RegistryError) -> Duration {
        if self.attempts.is_multiple_of(Self::COMPLAIN_EVERY) || self.last.as_ref() != Some(&error) {
            tracing::warn!(schema_id = id.0, %error, "schema id is unresolved, its records wait");
        }
        let pause = Self::FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.attempts)).min(Self::LONGEST_PAUSE);
        self.attempts += 1;
        self.last = Some(error);
        pause
    }
}
