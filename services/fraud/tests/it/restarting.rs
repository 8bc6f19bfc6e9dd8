use shared_schemas::CheckResult::{Fail, Pass};
use shared_schemas::Order;

use crate::harness::{Fraud, order};

#[tokio::test]
async fn a_service_that_was_killed_or_stopped_remembers_what_was_spent_and_repeats_no_verdict() -> anyhow::Result<()> {
    let fraud = Fraud::started(&[])?;
    fraud.write(&[order("first", 1, 1000)])?;
    fraud.verdicts(1).await;
    fraud.service.kill()?;
    fraud.service.start()?;
    fraud.write(&[order("second", 1, 999)])?;
    fraud.verdicts(2).await;
    assert!(fraud.service.stop()?.success(), "it ends in good order");

    fraud.write(&[order("third", 1, 1)])?;
    fraud.service.start()?;
    let results = fraud.results(3).await;
    assert_eq!([results["first"], results["second"], results["third"]], [Pass, Pass, Fail]);
    Ok(())
}

#[tokio::test]
async fn orders_that_a_kill_interrupts_are_counted_once() -> anyhow::Result<()> {
    const CUSTOMERS: i64 = 20;
    const ORDERS_EACH: i32 = 100;
    const PIECES: i32 = 30;
    let fraud = Fraud::started(&[])?;
    let id = |customer: i64, number: i32| format!("{customer}-{number}");
    let numbered: Vec<_> = (1..=ORDERS_EACH).flat_map(|number| (0..CUSTOMERS).map(move |it| (it, number))).collect();
    let orders: Vec<Order> =
        numbered.iter().map(|(customer, number)| order(&id(*customer, *number), *customer, PIECES)).collect();
    for part in orders.chunks(orders.len() / 4) {
        fraud.write(part)?;
        fraud.service.kill()?;
        fraud.service.start()?;
    }
    let results = fraud.results(orders.len()).await;
    assert_eq!(results.len(), orders.len());
    for (customer, number) in numbered {
        let expected = if number * PIECES < 2000 { Pass } else { Fail };
        assert_eq!(results[&id(customer, number)], expected, "order {number} of customer {customer}");
    }
    Ok(())
}
