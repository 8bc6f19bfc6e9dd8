use std::collections::BTreeMap;

use avro_codec::{AvroRecord, Schemas};
use shared_schemas::{
    CUSTOMERS, CheckResult, Customer, CustomerLevel, MAILS_SENT, MailKind, MailSent, ORDER_EXPIRATIONS, ORDER_REQUESTS,
    ORDERS, Order, OrderExpired, OrderRequested, OrderState, OrderValidation, PAYMENTS, Payment, StockLevel,
    WAREHOUSE_INVENTORY, order_validations,
};
use streams::{Timestamp, Topic};
use test_kit::RawRecord;

use crate::harness::CHECKS;

/// Some time in the past.
pub const LONG_AGO: Timestamp = Timestamp(1_700_000_000_000);

/// What happens to some orders, from request to mail: of each five one fails, and one expires.
pub struct Story {
    /// Begins the ids of its orders.
    pub name: String,
    pub orders: i32,
}

impl Story {
    pub fn new(name: &str, orders: i32) -> Self {
        Self { name: name.to_string(), orders }
    }

    /// The records of each topic.
    pub fn records(&self, schemas: &Schemas) -> anyhow::Result<BTreeMap<String, Vec<RawRecord>>> {
        let mut told = Told { schemas, records: BTreeMap::new() };
        for number in 0..self.orders {
            self.tell(number, &mut told)?;
        }
        Ok(told.records)
    }

    fn tell(&self, number: i32, told: &mut Told<'_>) -> anyhow::Result<()> {
        let id = format!("{}-{number}", self.name);
        let at = Timestamp(LONG_AGO.0 + i64::from(number) * 1000);
        let created = order(&id, OrderState::Created, 1, at);
        told.add(&ORDER_REQUESTS, &requested(&created))?;
        told.add(&ORDERS, &created)?;
        let (fails, expires) = (number % 5 == 1, number % 5 == 2);
        for check in CHECKS {
            let reason = (fails && check == "fraud").then(|| "too \"much\", {or} \\ more".to_string());
            if !(expires && check == "inventory") {
                told.add(&order_validations(check), &OrderValidation::new(check, &created, reason, at))?;
            }
        }
        if expires {
            let missing = vec!["inventory".to_string()];
            told.add(&ORDER_EXPIRATIONS, &OrderExpired { order_id: id.clone(), missing, expired_at: at })?;
        }
        let state = if fails || expires { OrderState::Failed } else { OrderState::Validated };
        let decided = order(&id, state, 2, at);
        told.add(&ORDERS, &decided)?;
        // As it is where a sender died: readers count equal ones once.
        for _ in 0..1 + number % 2 {
            told.add(&MAILS_SENT, &mail(&decided))?;
        }
        if state == OrderState::Validated {
            told.add(&PAYMENTS, &payment(&format!("payment-of-{id}"), &decided))?;
            told.add(&WAREHOUSE_INVENTORY, &level(&format!("{} {}", self.name, number % 3), number + 1))?;
        }
        told.add(&CUSTOMERS, &customer(i64::from(number % 9), number + 1))
    }
}

/// What was told so far.
struct Told<'a> {
    schemas: &'a Schemas,
    records: BTreeMap<String, Vec<RawRecord>>,
}

impl Told<'_> {
    fn add<V: AvroRecord>(&mut self, topic: &Topic<V>, value: &V) -> anyhow::Result<()> {
        let records = self.records.entry(topic.name().to_string()).or_default();
        let record = RawRecord::of(topic, self.schemas, value)?;
        // One that somebody else wrote may lack the header.
        let is_plain = records.len() % 7 == 3;
        records.push(if is_plain { record } else { record.header("processed-at", (LONG_AGO.0 + 7).to_string()) });
        Ok(())
    }
}

/// An order for 5.00 USD.
pub fn order(id: &str, state: OrderState, version: i32, at: Timestamp) -> Order {
    let failed = vec!["fraud: too \"much\", {or} \\ more".to_string(), "inventory: none".to_string()];
    Order {
        id: id.to_string(),
        customer_id: 7,
        state,
        product: "JUMPERS".to_string(),
        quantity: 1,
        price_minor: 500,
        currency: "USD".to_string(),
        version,
        reasons: if state == OrderState::Failed { failed } else { Vec::new() },
        created_at: at,
        updated_at: Timestamp(at.0 + i64::from(version)),
    }
}

pub fn payment(id: &str, order: &Order) -> Payment {
    Payment {
        id: id.to_string(),
        order_id: order.id.clone(),
        amount_minor: 500,
        currency: "USD".to_string(),
        paid_at: order.updated_at,
    }
}

pub fn customer(id: i64, version: i32) -> Customer {
    Customer {
        id,
        first_name: "Ada".to_string(),
        last_name: "Ångström".to_string(),
        email: format!("customer-{id}@example.org"),
        address: "1 Mill Lane".to_string(),
        level: if version % 2 == 0 { CustomerLevel::Gold } else { CustomerLevel::Bronze },
        version,
    }
}

fn requested(order: &Order) -> OrderRequested {
    OrderRequested {
        body: b"{}".to_vec(),
        order_id: order.id.clone(),
        customer_id: order.customer_id,
        product: order.product.clone(),
        quantity: order.quantity,
        price_minor: order.price_minor,
        currency: order.currency.clone(),
        requested_at: order.created_at,
    }
}

fn mail(order: &Order) -> MailSent {
    let kind = if order.state == OrderState::Failed { MailKind::Rejection } else { MailKind::Confirmation };
    MailSent {
        idempotency_key: format!("{}/mail", order.id),
        order_id: order.id.clone(),
        kind,
        subject: format!("Your order {}", order.id),
        sent_at: order.updated_at,
    }
}

fn level(product: &str, version: i32) -> StockLevel {
    let product = product.to_string();
    StockLevel { product, on_hand: 1000, reserved: version.into(), version, updated_at: LONG_AGO }
}

/// What a check said that is not asked for its result.
pub fn verdict(check: &str, order: &Order, result: CheckResult) -> OrderValidation {
    OrderValidation { result, ..OrderValidation::new(check, order, None, LONG_AGO) }
}
