use shared_schemas::{Payment, PaymentRequested};

/// The payment that a request makes, if there is none under its id yet. The first one counts, whatever comes later.
pub fn receive(known: Option<&Payment>, request: &PaymentRequested) -> Option<Payment> {
    known.is_none().then(|| Payment {
        id: request.id.clone(),
        order_id: request.order_id.clone(),
        amount_minor: request.amount_minor,
        currency: request.currency.clone(),
        paid_at: request.requested_at,
    })
}

/// Whether what was asked for is what there is: the same money for the same order.
pub fn is_same(payment: &Payment, request: &PaymentRequested) -> bool {
    (&payment.order_id, payment.amount_minor, &payment.currency)
        == (&request.order_id, request.amount_minor, &request.currency)
}

#[cfg(test)]
mod tests {
    use streams::Timestamp;

    use super::*;

    fn request() -> PaymentRequested {
        PaymentRequested {
            body: b"{}".to_vec(),
            id: "a".to_string(),
            order_id: "order-1".to_string(),
            amount_minor: 500,
            currency: "USD".to_string(),
            requested_at: Timestamp(1000),
        }
    }

    #[test]
    fn a_payment_is_made_once() {
        let payment = receive(None, &request()).unwrap();
        assert_eq!(payment.paid_at, Timestamp(1000));
        assert_eq!(receive(Some(&payment), &request()), None);
    }

    #[test]
    fn a_payment_repeated_later_and_in_other_words_is_the_same() {
        let payment = receive(None, &request()).unwrap();
        let again = PaymentRequested { body: Vec::new(), requested_at: Timestamp(2000), ..request() };
        assert!(is_same(&payment, &again));
    }

    #[test]
    fn another_order_amount_or_currency_is_another_payment() {
        let payment = receive(None, &request()).unwrap();
        let others = [
            PaymentRequested { order_id: "order-2".to_string(), ..request() },
            PaymentRequested { amount_minor: 501, ..request() },
            PaymentRequested { currency: "EUR".to_string(), ..request() },
        ];
        assert!(others.iter().all(|other| !is_same(&payment, other)));
    }
}
