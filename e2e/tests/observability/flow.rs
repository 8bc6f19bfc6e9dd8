use std::time::Duration;

use e2e::{Gateway, NewOrder, OrdersClient};
use local::Stack;
use serde_json::{Number, json};
use test_kit::unique;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// Customers who order, pay, and are refused something now and then, until this is dropped. What is not answered is not
/// repeated: parts are broken meanwhile.
pub struct Flow(JoinHandle<()>);

/// Twenty orders a second.
const PACE: Duration = Duration::from_millis(50);
/// The customers that everybody knows, and who therefore get mails: those of others end in the dead letters.
const KNOWN: i64 = 9;

impl Flow {
    pub fn begin(stack: &Stack) -> anyhow::Result<Self> {
        let url = stack.part("orders").url().expect("orders has an HTTP interface");
        let orders = OrdersClient::new(&url)?;
        let payments = Gateway::instances(&stack.addresses(), "payments")?.remove(0);
        let run = unique("flow");
        Ok(Self(tokio::spawn(async move {
            let mut ticks = interval(PACE);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for number in 0.. {
                ticks.tick().await;
                let (orders, payments, id) = (orders.clone(), payments.clone(), format!("{run}-{number}"));
                tokio::spawn(async move { order_and_pay(&orders, &payments, id, number).await });
            }
        })))
    }
}

async fn order_and_pay(orders: &OrdersClient, payments: &Gateway, id: String, number: i64) {
    let usual = if number % 10 == 5 { NewOrder::bad(&id) } else { NewOrder { quantity: 1, ..NewOrder::good(&id) } };
    // So little that nobody comes to the limit of what he may spend.
    let order = NewOrder { customer_id: 1 + number % KNOWN, price: a_cent(), ..usual };
    let placed = orders.place(&order).await;
    if placed.is_ok_and(|answer| answer.is_acknowledgement()) && number % 10 == 1 {
        let payment = json!({"id": format!("{id}-payment"), "orderId": id, "amount": a_cent()});
        let _ = payments.post("/v1/payments", &payment).await;
    }
}

fn a_cent() -> Number {
    Number::from_f64(0.01).expect("it is a number")
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.0.abort();
    }
}
