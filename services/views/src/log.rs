//! What is read, and how a record of it becomes an event.

use service_kit::SinkRecord;
use shared_schemas::{
    CUSTOMERS, MAILS_SENT, ORDER_EXPIRATIONS, ORDER_REQUESTS, ORDERS, OrderValidation, PAYMENTS, WAREHOUSE_INVENTORY,
    order_validations,
};
use streams::{Refusal, TopicDeclaration};

use crate::domain::{Event, Place};
use crate::options::Options;

/// Every topic that is read.
pub fn topics(options: &Options) -> Vec<TopicDeclaration> {
    let mut topics = vec![
        ORDER_REQUESTS.declaration(),
        ORDER_EXPIRATIONS.declaration(),
        ORDERS.declaration(),
        PAYMENTS.declaration(),
        CUSTOMERS.declaration(),
        WAREHOUSE_INVENTORY.declaration(),
        MAILS_SENT.declaration(),
    ];
    topics.extend(options.checks().iter().map(|check| order_validations(check).declaration()));
    topics
}

/// Understands records.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The topic of each check, and its name.
    checks: Vec<(String, String)>,
}

impl Reader {
    pub fn new(options: &Options) -> Self {
        let of = |check: &String| (order_validations(check).name().to_string(), check.clone());
        Self { checks: options.checks().iter().map(of).collect() }
    }

    /// What a record says, and where.
    ///
    /// # Errors
    /// It says nothing that can be understood: a record for the dead letters.
    pub fn event(&self, record: &SinkRecord) -> Result<(Place, Event), Refusal> {
        let source = record.source();
        let event = match &*source.topic {
            topic if topic == ORDERS.name() => Event::Ordered(record.value()?),
            topic if topic == ORDER_REQUESTS.name() => Event::Requested(record.value()?),
            topic if topic == ORDER_EXPIRATIONS.name() => Event::Expired(record.value()?),
            topic if topic == PAYMENTS.name() => Event::Paid(record.value()?),
            topic if topic == MAILS_SENT.name() => Event::Mailed(record.value()?),
            topic if topic == CUSTOMERS.name() && record.is_tombstone() => {
                let id = record.key()?.parse();
                Event::CustomerGone(id.map_err(|_| Refusal::Undecodable("the key is no id of a customer".to_string()))?)
            }
            topic if topic == CUSTOMERS.name() => Event::CustomerChanged(record.value()?),
            topic if topic == WAREHOUSE_INVENTORY.name() && record.is_tombstone() => {
                Event::ProductGone(record.key()?.to_string())
            }
            topic if topic == WAREHOUSE_INVENTORY.name() => Event::StockChanged(record.value()?),
            topic => {
                // Each check has a topic of its own, and the topic says whose verdict it is.
                let (_, check) = self
                    .checks
                    .iter()
                    .find(|(of_check, _)| of_check == topic)
                    .ok_or_else(|| Refusal::Undecodable("nobody asked for this topic".to_string()))?;
                Event::Judged(OrderValidation { check: check.clone(), ..record.value()? })
            }
        };
        let place = Place {
            topic: source.topic.clone(),
            partition: source.partition,
            offset: record.offset(),
            processed_at: record.processed_at(),
            // Anybody may have written anything there.
            traceparent: record.trace_id().and(record.traceparent()).map(str::to_string),
        };
        Ok((place, event))
    }
}
