use std::collections::BTreeSet;

use avro_codec::AvroRecord;
use shared_schemas::{
    CUSTOMER_REQUESTS, CUSTOMERS, Customer, CustomerRequested, EMAIL_OUTBOX, MAILS_SENT, MailDue, MailSent,
    ORDER_DETAILS_VALIDATIONS, ORDER_EXPIRATIONS, ORDER_REQUESTS, ORDERS, ORDERS_GOLD, Order, OrderEnriched,
    OrderExpired, OrderRequested, OrderValidation, PAYMENT_REQUESTS, PAYMENTS, Payment, PaymentRequested,
    STOCK_MOVEMENTS, StockLevel, StockMoved, WAREHOUSE_INVENTORY, order_validations, topics,
};
use streams::{Cleanup, Visibility};

use crate::samples::{Sample, for_each_record};

#[test]
fn each_topic_is_keyed_by_what_it_is_about() {
    assert_eq!(ORDER_REQUESTS.key(&OrderRequested::full()), "order-1");
    assert_eq!(ORDER_EXPIRATIONS.key(&OrderExpired::full()), "order-1");
    assert_eq!(ORDERS.key(&Order::full()), "order-1");
    assert_eq!(ORDER_DETAILS_VALIDATIONS.key(&OrderValidation::full()), "order-1");
    assert_eq!(STOCK_MOVEMENTS.key(&StockMoved::full()), "JUMPERS");
    assert_eq!(WAREHOUSE_INVENTORY.key(&StockLevel::full()), "JUMPERS");
    assert_eq!(PAYMENT_REQUESTS.key(&PaymentRequested::full()), "payment-1");
    assert_eq!(PAYMENTS.key(&Payment::full()), "payment-1");
    assert_eq!(CUSTOMER_REQUESTS.key(&CustomerRequested::full()), "7");
    assert_eq!(CUSTOMERS.key(&Customer::full()), "7");
    assert_eq!(ORDERS_GOLD.key(&OrderEnriched::full()), "order-1");
    assert_eq!(EMAIL_OUTBOX.key(&MailDue::full()), "order-1/confirmation");
    assert_eq!(MAILS_SENT.key(&MailSent::full()), "order-1");
}

#[test]
fn topics_are_declared_once_and_public_but_for_the_journals_of_two_gateways_and_the_outbox() {
    let topics = topics();
    let names: BTreeSet<_> = topics.iter().map(|topic| &topic.name).collect();
    assert_eq!(names.len(), topics.len());
    let private = topics.iter().filter(|topic| topic.visibility == Visibility::Private).map(|topic| &topic.name);
    assert_eq!(private.collect::<Vec<_>>(), [PAYMENT_REQUESTS.name(), CUSTOMER_REQUESTS.name(), EMAIL_OUTBOX.name()]);
}

#[test]
fn each_record_is_the_value_of_some_topic() {
    fn schema<R: AvroRecord>() -> String {
        R::SCHEMA.to_string()
    }
    let records = BTreeSet::from(for_each_record!(schema));
    let carried: BTreeSet<_> = topics().into_iter().filter_map(|topic| topic.schema).collect();
    assert_eq!(carried, records);
}

#[test]
fn what_is_known_by_its_latest_fact_is_compacted() {
    let compacted: Vec<_> =
        topics().into_iter().filter_map(|topic| (topic.cleanup == Cleanup::Compacted).then_some(topic.name)).collect();
    assert_eq!(compacted, [WAREHOUSE_INVENTORY.name(), CUSTOMERS.name()]);
}

#[test]
fn each_check_has_a_topic_of_its_own_that_its_service_writes() {
    let declared = ORDER_DETAILS_VALIDATIONS.declaration();
    assert_eq!(order_validations("order-details").declaration(), declared);

    let added = order_validations("taste").declaration();
    assert_eq!((added.name.as_str(), added.writer.as_str()), ("order-validations-taste", "taste"));
}
