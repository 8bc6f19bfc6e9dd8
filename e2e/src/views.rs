use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use anyhow::{Context, ensure};
use avro_codec::AvroRecord;
use serde_json::{Map, Value, json};
use shared_schemas::{
    CUSTOMERS, Customer, MAILS_SENT, MailSent, ORDER_EXPIRATIONS, ORDER_REQUESTS, ORDERS, Order, OrderExpired,
    OrderRequested, OrderValidation, PAYMENTS, Payment, StockLevel, WAREHOUSE_INVENTORY, money, order_validations,
};
use streams::{Timestamp, Topic};

use crate::gateway::Gateway;
use crate::readings::moment;
use crate::topics::{Event, Topics};

/// All that the tables of views are made of, as it stands in the log.
#[derive(Debug, Default)]
pub struct Chronicle {
    pub requests: Vec<Event<OrderRequested>>,
    pub expirations: Vec<Event<OrderExpired>>,
    pub orders: Vec<Event<Order>>,
    /// By check.
    pub validations: BTreeMap<String, Vec<Event<OrderValidation>>>,
    pub payments: Vec<Event<Payment>>,
    pub customers: Vec<Event<Customer>>,
    pub levels: Vec<Event<StockLevel>>,
    pub mails: Vec<Event<MailSent>>,
}

/// What views shows, or has to show: documents by where they are found.
pub type Documents = BTreeMap<String, Value>;

/// Most orders of one page.
const PAGE: &str = "/v1/orders?limit=200";

impl Chronicle {
    /// Reads the topics, those of these checks among them.
    ///
    /// # Errors
    /// As [`Topics::read`].
    pub async fn read(topics: &Topics, checks: &[&str]) -> anyhow::Result<Self> {
        let mut validations = BTreeMap::new();
        for check in checks {
            validations.insert(check.to_string(), topics.read(&order_validations(check)).await?);
        }
        Ok(Self {
            requests: topics.read(&ORDER_REQUESTS).await?,
            expirations: topics.read(&ORDER_EXPIRATIONS).await?,
            orders: topics.read(&ORDERS).await?,
            validations,
            payments: topics.read(&PAYMENTS).await?,
            customers: topics.read(&CUSTOMERS).await?,
            levels: topics.read(&WAREHOUSE_INVENTORY).await?,
            mails: topics.read(&MAILS_SENT).await?,
        })
    }

    /// The documents that follow: of each order with all that belongs to it, and of the stock.
    pub fn documents(&self) -> Documents {
        let customers = newest(&self.customers, |customer| customer.id, |customer| customer.version);
        let (mut journeys, mut validations) = (self.journeys(), self.verdicts());
        let mut payments = grouped(first(&self.payments, |payment| &payment.id), |payment| &payment.order_id);
        let mut mails = grouped(first(&self.mails, |mail| &mail.idempotency_key), |mail| &mail.order_id);
        let mut documents = Documents::new();
        for (id, order) in newest(&self.orders, |order| order.id.as_str(), |order| order.version) {
            let payments = payments.remove(id).unwrap_or_default();
            let mut document = listed(order, customers.get(&order.customer_id).copied(), &payments);
            document["validations"] = validations.remove(id).unwrap_or_default().into();
            document["payments"] = payments.into_iter().map(of_payment).collect();
            document["mails"] = mails.remove(id).unwrap_or_default().into_iter().map(of_mail).collect();
            document["journey"] = journeys.remove(id).unwrap_or_default().into();
            documents.insert(format!("/v1/orders/{id}"), document);
        }
        let levels = newest(&self.levels, |level| &level.product, |level| level.version).into_values();
        documents.insert("/v1/stock".to_string(), json!({"stock": levels.map(of_level).collect::<Vec<_>>()}));
        documents
    }

    /// The last word of each check on each order.
    fn verdicts(&self) -> BTreeMap<&str, Vec<Value>> {
        let mut verdicts: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (check, events) in &self.validations {
            let last: BTreeMap<&str, &OrderValidation> =
                events.iter().map(|event| (event.value.order_id.as_str(), &event.value)).collect();
            for (id, OrderValidation { result, reason, checked_at, .. }) in last {
                verdicts.entry(id).or_default().push(json!({
                    "check": check, "result": word(result), "reason": reason, "checkedAt": moment(*checked_at),
                }));
            }
        }
        verdicts
    }

    /// What happened to each order.
    fn journeys(&self) -> BTreeMap<&str, Vec<Value>> {
        let mut steps = Journeys::default();
        for event in &self.requests {
            steps.add(&ORDER_REQUESTS, event, &event.value.order_id, "requested", event.value.requested_at);
        }
        for event in &self.expirations {
            steps.add(&ORDER_EXPIRATIONS, event, &event.value.order_id, "expired", event.value.expired_at);
        }
        for event in &self.orders {
            steps.add(&ORDERS, event, &event.value.id, &word(event.value.state), event.value.updated_at);
        }
        for (check, events) in &self.validations {
            let topic = order_validations(check);
            for event in events {
                let what = format!("{check}: {}", word(event.value.result));
                steps.add(&topic, event, &event.value.order_id, &what, event.value.checked_at);
            }
        }
        for event in &self.payments {
            steps.add(&PAYMENTS, event, &event.value.order_id, "paid", event.value.paid_at);
        }
        for event in &self.mails {
            steps.add(&MAILS_SENT, event, &event.value.order_id, "mailed", event.value.sent_at);
        }
        steps.0
    }
}

#[derive(Default)]
struct Journeys<'c>(BTreeMap<&'c str, Vec<Value>>);

impl<'c> Journeys<'c> {
    fn add<V: AvroRecord>(
        &mut self,
        topic: &Topic<V>,
        event: &'c Event<V>,
        order_id: &'c str,
        what: &str,
        happened_at: Timestamp,
    ) {
        let processed_at = event.header("processed-at").ok().and_then(|text| text.parse().ok()).map(Timestamp);
        self.0.entry(order_id).or_default().push(json!({
            "topic": topic.name(), "partition": event.record.partition, "offset": event.record.offset, "what": what,
            "happenedAt": moment(happened_at), "processedAt": processed_at.map(moment),
            "traceparent": event.header("traceparent").ok(),
        }));
    }
}

/// Whatever an instance of views shows of all orders and of the stock, page by page and one by one.
///
/// # Errors
/// If it does not show them, or shows one twice.
pub async fn shown(views: &Gateway) -> anyhow::Result<Documents> {
    let mut ids = BTreeSet::new();
    let mut page = PAGE.to_string();
    loop {
        let list = document(views, &page).await?;
        for order in list["orders"].as_array().with_context(|| format!("no orders: {list}"))? {
            let id = order["id"].as_str().with_context(|| format!("no order: {order}"))?;
            ensure!(ids.insert(id.to_string()), "{id} is listed twice");
        }
        match list["next"].as_str() {
            Some(next) => page = format!("{PAGE}&after={next}"),
            None => break,
        }
    }
    shown_of(views, ids.into_iter().map(|id| format!("/v1/orders/{id}")).chain(["/v1/stock".to_string()])).await
}

/// What an instance of views shows at these paths. The notes of a journey are left out, which are words for people.
///
/// # Errors
/// If it does not.
pub async fn shown_of(views: &Gateway, paths: impl IntoIterator<Item = String>) -> anyhow::Result<Documents> {
    let mut documents = Documents::new();
    for path in paths {
        let mut shown = document(views, &path).await?;
        for step in shown.get_mut("journey").and_then(Value::as_array_mut).into_iter().flatten() {
            step.as_object_mut().and_then(|step| step.remove("note")).context("each step has a note")?;
        }
        documents.insert(path, shown);
    }
    Ok(documents)
}

/// What differs between what has to be shown and what is. In which sequence lists are shown is not looked at.
pub fn differences(expected: Documents, shown: Documents) -> Vec<String> {
    let sorted = |documents: Documents| -> Documents {
        documents.into_iter().map(|(path, document)| (path, in_one_sequence(document))).collect()
    };
    let (expected, shown) = (sorted(expected), sorted(shown));
    let paths: BTreeSet<&String> = expected.keys().chain(shown.keys()).collect();
    let differ = |path: &&String| expected.get(*path) != shown.get(*path);
    let paths = paths.into_iter().filter(differ);
    paths.map(|path| format!("{path} is {:?},\n    and {:?} follows", shown.get(path), expected.get(path))).collect()
}

async fn document(views: &Gateway, path: &str) -> anyhow::Result<Value> {
    let answer = views.get(path).await?;
    ensure!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.body);
    Ok(answer.body)
}

fn in_one_sequence(document: Value) -> Value {
    match document {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(in_one_sequence).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, in_one_sequence(value))).collect::<Map<_, _>>())
        }
        plain => plain,
    }
}

/// An order as it is listed.
fn listed(order: &Order, customer: Option<&Customer>, payments: &[&Payment]) -> Value {
    let in_its_currency = payments.iter().filter(|payment| payment.currency == order.currency);
    let paid: i64 = in_its_currency.map(|payment| payment.amount_minor).sum();
    let customer = customer.map(|Customer { first_name, last_name, level, .. }| {
        json!({"firstName": first_name, "lastName": last_name, "level": word(level)})
    });
    json!({
        "id": order.id, "customerId": order.customer_id, "customer": customer, "state": word(order.state),
        "product": order.product, "quantity": order.quantity, "price": amount(order.price_minor, &order.currency),
        "currency": order.currency, "paid": amount(paid, &order.currency), "version": order.version,
        "reasons": order.reasons, "createdAt": moment(order.created_at), "updatedAt": moment(order.updated_at),
    })
}

fn of_payment(Payment { id, amount_minor, currency, paid_at, .. }: &Payment) -> Value {
    json!({
        "id": id, "amount": amount(*amount_minor, currency), "currency": currency, "paidAt": moment(*paid_at),
    })
}

fn of_mail(MailSent { idempotency_key, order_id, kind, subject, sent_at }: &MailSent) -> Value {
    json!({
        "id": idempotency_key, "orderId": order_id, "kind": word(kind), "subject": subject, "sentAt": moment(*sent_at),
    })
}

fn of_level(StockLevel { product, on_hand, reserved, version, updated_at }: &StockLevel) -> Value {
    json!({
        "product": product, "onHand": on_hand, "reserved": reserved, "available": on_hand - reserved,
        "version": version, "updatedAt": moment(*updated_at),
    })
}

/// What the log calls a state, a level and the like.
fn word(symbol: impl Debug) -> String {
    format!("{symbol:?}").to_uppercase()
}

fn amount(minor_units: i64, currency: &str) -> Value {
    let amount = money::amount(minor_units, currency).to_string();
    serde_json::from_str(&amount).expect("a decimal is a JSON number")
}

/// Of each key the value of the highest version.
fn newest<'c, V, K: Ord>(
    events: &'c [Event<V>],
    key: impl Fn(&'c V) -> K,
    version: impl Fn(&V) -> i32,
) -> BTreeMap<K, &'c V> {
    let mut newest: BTreeMap<K, &V> = BTreeMap::new();
    for Event { value, .. } in events {
        let known = newest.entry(key(value)).or_insert(value);
        if version(known) < version(value) {
            *known = value;
        }
    }
    newest
}

/// Of each key the value that came first.
fn first<'c, V>(events: &'c [Event<V>], key: impl Fn(&'c V) -> &'c String) -> Vec<&'c V> {
    let mut seen = BTreeSet::new();
    events.iter().map(|event| &event.value).filter(|value| seen.insert(key(value))).collect()
}

/// The values by the order that they are about.
fn grouped<'c, V>(values: Vec<&'c V>, order_id: impl Fn(&'c V) -> &'c String) -> BTreeMap<&'c str, Vec<&'c V>> {
    let mut grouped: BTreeMap<&str, Vec<&V>> = BTreeMap::new();
    for value in values {
        grouped.entry(order_id(value)).or_default().push(value);
    }
    grouped
}

#[cfg(test)]
mod tests;
