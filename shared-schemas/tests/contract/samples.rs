use std::fmt::Debug;

use avro_codec::AvroRecord;
use shared_schemas::{
    CheckResult, Customer, CustomerLevel, CustomerRequested, MailDue, MailKind, MailSent, Order, OrderEnriched,
    OrderExpired, OrderRequested, OrderState, OrderValidation, Payment, PaymentRequested, StockLevel, StockMoved,
    StockMovementKind,
};
use streams::Timestamp;

/// Values of a record to test with.
pub(crate) trait Sample: AvroRecord + Clone + Debug + PartialEq {
    /// No list is empty, nothing that may be null is.
    fn full() -> Self;

    /// Lists and texts are empty, what may be null is.
    fn minimal() -> Self {
        Self::full()
    }
}

/// The answers of a generic function for each record there is.
macro_rules! for_each_record {
    ($function:ident) => {
        [
            $function::<shared_schemas::Customer>(),
            $function::<shared_schemas::CustomerRequested>(),
            $function::<shared_schemas::MailDue>(),
            $function::<shared_schemas::MailSent>(),
            $function::<shared_schemas::Order>(),
            $function::<shared_schemas::OrderEnriched>(),
            $function::<shared_schemas::OrderExpired>(),
            $function::<shared_schemas::OrderRequested>(),
            $function::<shared_schemas::OrderValidation>(),
            $function::<shared_schemas::Payment>(),
            $function::<shared_schemas::PaymentRequested>(),
            $function::<shared_schemas::StockLevel>(),
            $function::<shared_schemas::StockMoved>(),
        ]
    };
}
pub(crate) use for_each_record;

const MOMENT: Timestamp = Timestamp(1_763_697_600_000);

impl Sample for Customer {
    fn full() -> Self {
        Self {
            id: 7,
            first_name: "Ada".to_string(),
            last_name: "Ångström".to_string(),
            email: "ada@example.org".to_string(),
            address: "1 Mill Lane".to_string(),
            level: CustomerLevel::Platinum,
            version: 3,
        }
    }

    fn minimal() -> Self {
        let empty = String::new;
        Self { first_name: empty(), last_name: empty(), email: empty(), address: empty(), ..Self::full() }
    }
}

impl Sample for CustomerRequested {
    fn full() -> Self {
        let Customer { id, first_name, last_name, email, address, level, version } = Customer::full();
        Self {
            body: br#"{"firstName": "Ada"}"#.to_vec(),
            id,
            request_id: "request-1".to_string(),
            expected_version: Some(version),
            first_name,
            last_name,
            email,
            address,
            level,
            requested_at: MOMENT,
        }
    }

    fn minimal() -> Self {
        let empty = String::new;
        Self {
            body: Vec::new(),
            expected_version: None,
            first_name: empty(),
            last_name: empty(),
            email: empty(),
            address: empty(),
            ..Self::full()
        }
    }
}

impl Sample for MailDue {
    fn full() -> Self {
        Self {
            idempotency_key: "order-1/confirmation".to_string(),
            order_id: "order-1".to_string(),
            kind: MailKind::Confirmation,
            recipient_name: "Ada Ångström".to_string(),
            recipient_address: "ada@example.org".to_string(),
            subject: "Your order order-1".to_string(),
            text: "Dear Ada Ångström,\n\nthank you.".to_string(),
            reason: "validated and paid".to_string(),
            due_at: MOMENT,
        }
    }

    fn minimal() -> Self {
        let empty = String::new;
        Self { recipient_name: empty(), subject: empty(), text: empty(), reason: empty(), ..Self::full() }
    }
}

impl Sample for MailSent {
    fn full() -> Self {
        let MailDue { idempotency_key, order_id, kind, subject, due_at, .. } = MailDue::full();
        Self { idempotency_key, order_id, kind, subject, sent_at: Timestamp(due_at.0 + 120) }
    }

    fn minimal() -> Self {
        Self { subject: String::new(), ..Self::full() }
    }
}

impl Sample for Order {
    fn full() -> Self {
        Self {
            id: "order-1".to_string(),
            customer_id: 7,
            state: OrderState::Failed,
            product: "JUMPERS".to_string(),
            quantity: -1,
            price_minor: 1999,
            currency: "USD".to_string(),
            version: 2,
            reasons: vec!["the quantity is not positive".to_string(), "the price is negative".to_string()],
            created_at: MOMENT,
            updated_at: Timestamp(MOMENT.0 + 12),
        }
    }

    fn minimal() -> Self {
        Self { reasons: Vec::new(), ..Self::full() }
    }
}

impl Sample for OrderEnriched {
    fn full() -> Self {
        Self {
            order_id: "order-1".to_string(),
            customer_id: 7,
            customer_level: CustomerLevel::Gold,
            state: OrderState::Validated,
        }
    }
}

impl Sample for OrderExpired {
    fn full() -> Self {
        let missing = vec!["fraud".to_string(), "inventory".to_string()];
        Self { order_id: "order-1".to_string(), missing, expired_at: MOMENT }
    }

    fn minimal() -> Self {
        Self { missing: Vec::new(), ..Self::full() }
    }
}

impl Sample for OrderRequested {
    fn full() -> Self {
        Self {
            body: br#"{"customerId": 7}"#.to_vec(),
            order_id: "order-1".to_string(),
            customer_id: 7,
            product: "JUMPERS".to_string(),
            quantity: 3,
            price_minor: 1999,
            currency: "EUR".to_string(),
            requested_at: MOMENT,
        }
    }

    fn minimal() -> Self {
        Self { body: Vec::new(), product: String::new(), ..Self::full() }
    }
}

impl Sample for OrderValidation {
    fn full() -> Self {
        Self {
            order_id: "order-1".to_string(),
            check: "order-details".to_string(),
            result: CheckResult::Fail,
            reason: Some("the quantity is not positive".to_string()),
            checked_at: MOMENT,
        }
    }

    fn minimal() -> Self {
        Self { reason: None, ..Self::full() }
    }
}

impl Sample for Payment {
    fn full() -> Self {
        Self {
            id: "payment-1".to_string(),
            order_id: "order-1".to_string(),
            amount_minor: 5997,
            currency: "USD".to_string(),
            paid_at: MOMENT,
        }
    }
}

impl Sample for PaymentRequested {
    fn full() -> Self {
        let Payment { id, order_id, amount_minor, currency, paid_at } = Payment::full();
        let body = br#"{"amount": 59.97}"#.to_vec();
        Self { body, id, order_id, amount_minor, currency, requested_at: paid_at }
    }

    fn minimal() -> Self {
        Self { body: Vec::new(), ..Self::full() }
    }
}

impl Sample for StockLevel {
    fn full() -> Self {
        Self { product: "JUMPERS".to_string(), on_hand: 10_000_000, reserved: 3, version: 4, updated_at: MOMENT }
    }
}

impl Sample for StockMoved {
    fn full() -> Self {
        Self {
            id: "movement-1".to_string(),
            product: "JUMPERS".to_string(),
            quantity: -20,
            kind: StockMovementKind::Shipped,
            occurred_at: MOMENT,
        }
    }
}
