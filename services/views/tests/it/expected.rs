//! What the tables should hold, found anew from the log and from nothing of the service.

use std::collections::BTreeMap;

use avro_codec::{AvroRecord, Schemas};
use serde_json::{Value, json};
use shared_schemas::{
    CUSTOMERS, Customer, MAILS_SENT, MailSent, ORDER_EXPIRATIONS, ORDER_REQUESTS, ORDERS, Order, OrderExpired,
    OrderRequested, OrderValidation, PAYMENTS, Payment, StockLevel, WAREHOUSE_INVENTORY, money, order_validations,
};
use streams::Timestamp;
use test_kit::RawRecord;

use crate::harness::{CHECKS, Tables, Views};

/// Reads the whole log, and what the tables should hold after it.
pub fn fold(views: &Views) -> anyhow::Result<Tables> {
    let mut fold = Fold { views, rows: BTreeMap::new() };
    fold.each(ORDER_REQUESTS.name(), |fold, at, request: OrderRequested| {
        fold.journey(at, request.order_id, "requested", String::new(), request.requested_at);
    })?;
    fold.each(ORDER_EXPIRATIONS.name(), |fold, at, expired: OrderExpired| {
        let note = format!("no verdict of {}", expired.missing.join(", "));
        fold.journey(at, expired.order_id, "expired", note, expired.expired_at);
    })?;
    fold.each(ORDERS.name(), Fold::order)?;
    for check in CHECKS {
        fold.each(order_validations(check).name(), |fold, at, verdict: OrderValidation| {
            fold.verdict(check, at, verdict);
        })?;
    }
    fold.each(PAYMENTS.name(), Fold::payment)?;
    fold.each(MAILS_SENT.name(), Fold::mail)?;
    fold.customers()?;
    fold.stock()?;
    let mut tables: Tables = ["orders", "events", "validations", "payments", "customers", "stock", "mails"]
        .map(|it| (it, Vec::new()))
        .into();
    for ((table, _), row) in fold.rows {
        tables.get_mut(table).unwrap().push(row.to_string());
    }
    tables.values_mut().for_each(|rows| rows.sort());
    Ok(tables)
}

struct Fold<'a> {
    views: &'a Views,
    /// By table and key.
    rows: BTreeMap<(&'static str, String), Value>,
}

/// A record, and the topic it stands in.
struct At<'a> {
    topic: &'a str,
    record: RawRecord,
}

impl Fold<'_> {
    fn each<V: AvroRecord>(&mut self, topic: &str, mut add: impl FnMut(&mut Self, &At<'_>, V)) -> anyhow::Result<()> {
        for record in self.views.service.read_all(topic)? {
            let Some(value) = value(&record, &self.views.schemas) else { continue };
            add(self, &At { topic, record }, value);
        }
        Ok(())
    }

    fn order(&mut self, at: &At<'_>, order: Order) {
        let state = serde_json::to_value(order.state).unwrap();
        self.journey(at, order.id.clone(), state.as_str().unwrap(), order.reasons.join("; "), order.updated_at);
        let row = json!({
            "id": order.id, "customer_id": order.customer_id, "state": state, "product": order.product,
            "quantity": order.quantity, "price_minor": order.price_minor, "currency": order.currency,
            "reasons": order.reasons, "version": order.version, "created_at_ms": order.created_at.0,
            "updated_at_ms": order.updated_at.0,
        });
        self.newer("orders", order.id, row);
    }

    fn verdict(&mut self, check: &str, at: &At<'_>, verdict: OrderValidation) {
        let result = serde_json::to_value(verdict.result).unwrap();
        let what = format!("{check}: {}", result.as_str().unwrap());
        let note = verdict.reason.clone().unwrap_or_default();
        self.journey(at, verdict.order_id.clone(), &what, note, verdict.checked_at);
        let row = json!({
            "order_id": verdict.order_id, "check_name": check, "result": result, "reason": verdict.reason,
            "checked_at_ms": verdict.checked_at.0, "offset": at.record.offset,
        });
        self.rows.insert(("validations", format!("{} {check}", verdict.order_id)), row);
    }

    fn payment(&mut self, at: &At<'_>, payment: Payment) {
        let note = format!("{} {}", money::amount(payment.amount_minor, &payment.currency), payment.currency);
        self.journey(at, payment.order_id.clone(), "paid", note, payment.paid_at);
        let row = json!({
            "id": payment.id, "order_id": payment.order_id, "amount_minor": payment.amount_minor,
            "currency": payment.currency, "paid_at_ms": payment.paid_at.0,
        });
        self.rows.entry(("payments", payment.id)).or_insert(row);
    }

    fn mail(&mut self, at: &At<'_>, mail: MailSent) {
        self.journey(at, mail.order_id.clone(), "mailed", mail.subject.clone(), mail.sent_at);
        let row = json!({
            "id": mail.idempotency_key, "order_id": mail.order_id, "kind": mail.kind, "subject": mail.subject,
            "sent_at_ms": mail.sent_at.0,
        });
        self.rows.entry(("mails", mail.idempotency_key)).or_insert(row);
    }

    fn customers(&mut self) -> anyhow::Result<()> {
        for record in self.views.service.read_all(CUSTOMERS.name())? {
            if record.value.is_none() {
                self.rows.remove(&("customers", record.key_text().to_string()));
            }
            let Some(customer) = value::<Customer>(&record, &self.views.schemas) else { continue };
            let row = json!({
                "id": customer.id, "first_name": customer.first_name, "last_name": customer.last_name,
                "email": customer.email, "address": customer.address, "level": customer.level,
                "version": customer.version,
            });
            self.newer("customers", customer.id.to_string(), row);
        }
        Ok(())
    }

    fn stock(&mut self) -> anyhow::Result<()> {
        for record in self.views.service.read_all(WAREHOUSE_INVENTORY.name())? {
            if record.value.is_none() {
                self.rows.remove(&("stock", record.key_text().to_string()));
            }
            let Some(level) = value::<StockLevel>(&record, &self.views.schemas) else { continue };
            let row = json!({
                "product": level.product, "on_hand": level.on_hand, "reserved": level.reserved,
                "version": level.version, "updated_at_ms": level.updated_at.0,
            });
            self.newer("stock", level.product, row);
        }
        Ok(())
    }

    fn newer(&mut self, table: &'static str, key: String, row: Value) {
        let known = self.rows.get(&(table, key.clone())).and_then(|known| known["version"].as_i64());
        if known < row["version"].as_i64() {
            self.rows.insert((table, key), row);
        }
    }

    fn journey(&mut self, at: &At<'_>, order_id: String, what: &str, note: String, happened_at: Timestamp) {
        let At { topic, record } = at;
        let processed_at = record.header_value("processed-at");
        let processed_at: Option<i64> = processed_at.map(|text| String::from_utf8_lossy(text).parse().unwrap());
        let row = json!({
            "topic": topic, "partition": record.partition, "offset": record.offset, "order_id": order_id, "what": what,
            "note": note, "happened_at_ms": happened_at.0, "processed_at_ms": processed_at,
            "traceparent": record.header_value("traceparent").map(|text| String::from_utf8_lossy(text)),
        });
        self.rows.insert(("events", format!("{topic} {} {}", record.partition, record.offset)), row);
    }
}

/// What a record says; nothing, if that cannot be read.
fn value<V: AvroRecord>(record: &RawRecord, schemas: &Schemas) -> Option<V> {
    schemas.decode(record.value.as_deref()?).ok()
}
