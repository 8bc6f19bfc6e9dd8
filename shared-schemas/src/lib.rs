//! What the services say to each other: every event as a Rust type, every topic as a typed constant; the journals of
//! gateways too, though those of payments and customers are private to them.
//!
//! The `.avsc` files in `avro/` are the source, and their text is what is registered. Each Rust type here stands for one
//! of them; tests hold the two together, and hold each schema compatible with every version in `avro/history/`.
//!
//! Events are facts in the past tense or whole entities. Times are event times in UTC, money is minor units with an ISO
//! 4217 currency. Enums have a default symbol, which is what a reader sees in place of one that was added later.
//!
//! To add a field: give it a default in the `.avsc`, add it to the Rust type, and copy the file to `avro/history/<record>/`
//! under the next number.

mod customers;
mod mail;
pub mod money;
mod orders;
mod payments;
mod stock;
mod validations;

pub use customers::{CUSTOMER_REQUESTS, CUSTOMERS, Customer, CustomerLevel, CustomerRequested};
pub use mail::{
    EMAIL_OUTBOX, MAILS_SENT, MailDue, MailKind, MailSent, ORDERS_BRONZE, ORDERS_GOLD, ORDERS_PLATINUM, ORDERS_SILVER,
    OrderEnriched,
};
pub use orders::{ORDER_EXPIRATIONS, ORDER_REQUESTS, ORDERS, Order, OrderExpired, OrderRequested, OrderState};
pub use payments::{PAYMENT_REQUESTS, PAYMENTS, Payment, PaymentRequested};
pub use stock::{STOCK_MOVEMENTS, StockLevel, StockMoved, StockMovementKind, WAREHOUSE_INVENTORY};
pub use validations::{CheckResult, ORDER_DETAILS_VALIDATIONS, OrderValidation, order_validations};

use streams::TopicDeclaration;

/// Every topic declared here, for the steps that create topics and register schemas.
pub fn topics() -> Vec<TopicDeclaration> {
    vec![
        ORDER_REQUESTS.declaration(),
        ORDER_EXPIRATIONS.declaration(),
        ORDERS.declaration(),
        ORDER_DETAILS_VALIDATIONS.declaration(),
        STOCK_MOVEMENTS.declaration(),
        WAREHOUSE_INVENTORY.declaration(),
        PAYMENT_REQUESTS.declaration(),
        PAYMENTS.declaration(),
        CUSTOMER_REQUESTS.declaration(),
        CUSTOMERS.declaration(),
        ORDERS_PLATINUM.declaration(),
        ORDERS_GOLD.declaration(),
        ORDERS_SILVER.declaration(),
        ORDERS_BRONZE.declaration(),
        EMAIL_OUTBOX.declaration(),
        MAILS_SENT.declaration(),
    ]
}
