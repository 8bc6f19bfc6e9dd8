use std::time::Duration;

use shared_schemas::CheckResult::{Fail, Pass};
use shared_schemas::{Order, OrderState, OrderValidation};
use test_kit::eventually;

use crate::harness::{DEADLINE, Fraud, LONG_AGO, order};

#[tokio::test]
async fn an_order_that_brings_its_customer_to_the_limit_fails_and_so_do_those_behind_it() -> anyhow::Result<()> {
    let fraud = Fraud::started(&[])?;
    let priced = |order, price_minor| Order { price_minor, ..order };
    let expected = [
        (priced(order("0-few", 0, 3), 500), Pass),
        (priced(order("0-one", 0, 1), 7500), Pass),
        (priced(order("1-one", 1, 1), 7500), Pass),
        (priced(order("1-another", 1, 1), 7500), Pass),
        (priced(order("1-fifty", 1, 50), 7500), Fail),
        (priced(order("2-below", 2, 10), 10_000), Pass),
        (priced(order("2-exactly", 2, 10), 10_000), Fail),
        (priced(order("2-little", 2, 1), 500), Fail),
    ];
    fraud.write(&expected.each_ref().map(|(order, _)| order.clone()))?;
    let verdicts = fraud.verdicts(expected.len()).await;
    let (first, _) = &expected[0];
    let passed = OrderValidation {
        order_id: first.id.clone(),
        check: "fraud".to_string(),
        result: Pass,
        reason: None,
        checked_at: first.updated_at,
    };
    assert_eq!(verdicts[&first.id], passed);
    let reason = "the orders of one session must stay below 2000.00 USD, and come to 3900.00 USD";
    assert_eq!(verdicts["1-fifty"].reason.as_deref(), Some(reason));
    for (order, result) in &expected {
        assert_eq!(verdicts[&order.id].result, *result, "{:?}", verdicts[&order.id]);
    }
    Ok(())
}

#[tokio::test]
async fn a_customer_is_fine_again_after_the_gap() -> anyhow::Result<()> {
    let fraud = Fraud::started(&[])?;
    let hour = Duration::from_secs(60 * 60);
    let moment = Duration::from_millis(1);
    fraud.write(&[
        order("much", 1, 1999),
        Order { updated_at: LONG_AGO + hour, ..order("too-much", 1, 1) },
        Order { updated_at: LONG_AGO + hour + hour + moment, ..order("later", 1, 1999) },
    ])?;
    let results = fraud.results(3).await;
    assert_eq!([results["much"], results["too-much"], results["later"]], [Pass, Fail, Pass]);
    Ok(())
}

#[tokio::test]
async fn only_created_orders_are_judged() -> anyhow::Result<()> {
    use OrderState::{Cancelled, Failed, Paid, Shipped, Unknown, Validated};
    let fraud = Fraud::started(&[])?;
    let others = [Validated, Failed, Paid, Shipped, Cancelled, Unknown];
    fraud.write(&others.map(|state| Order { state, version: 2, ..order("other", 1, 2000) }))?;
    fraud.write(&[order("created", 1, 1)])?;
    assert_eq!(fraud.results(1).await, [("created".to_string(), Pass)].into(), "none of the others was counted");
    Ok(())
}

#[tokio::test]
async fn what_costs_nothing_passes_and_is_not_counted() -> anyhow::Result<()> {
    let fraud = Fraud::started(&[])?;
    let orders = [
        order("much", 1, 1999),
        order("none", 1, 0),
        order("fewer", 1, -5000),
        Order { price_minor: -100, ..order("paid-to-take", 1, 5000) },
        Order { price_minor: 0, ..order("gift", 1, 5000) },
    ];
    fraud.write(&orders)?;
    let results = fraud.results(orders.len()).await;
    assert!(results.values().all(|result| *result == Pass), "{results:?}");
    fraud.write(&[order("too-much", 1, 1)])?;
    assert_eq!(fraud.results(orders.len() + 1).await["too-much"], Fail, "nothing was taken off either");
    Ok(())
}

#[tokio::test]
async fn limit_gap_and_grace_are_options() -> anyhow::Result<()> {
    let settings = [("SPENDING_LIMIT", "9.99"), ("INACTIVITY_GAP_MS", "1000"), ("GRACE_MS", "500")];
    let fraud = Fraud::started(&settings)?;
    let at = |milliseconds, order| Order { updated_at: LONG_AGO + Duration::from_millis(milliseconds), ..order };
    fraud.write(&[
        order("first", 1, 5),
        at(1000, order("within-the-gap", 1, 5)),
        at(3501, order("begins-anew", 1, 5)),
        at(1000, order("too-late", 1, 9)),
    ])?;
    let results = fraud.results(4).await;
    let ids = ["first", "within-the-gap", "begins-anew", "too-late"];
    assert_eq!(ids.map(|id| results[id]), [Pass, Fail, Pass, Pass]);
    Ok(())
}

#[tokio::test]
async fn a_customer_who_does_not_come_back_is_forgotten() -> anyhow::Result<()> {
    let fraud = Fraud::started(&[])?;
    let two_days = Duration::from_secs(2 * 24 * 60 * 60);
    let others = 2..30; // Each partition has some, and goes by the time of its own orders.
    let later = others.map(|id| Order { updated_at: LONG_AGO + two_days, ..order(&format!("later-{id}"), id, 1) });
    fraud.write(&[order("only", 1, 1)])?;
    fraud.write(&later.collect::<Vec<_>>())?;
    let remembered = async || {
        let changes = fraud.service.read_all("fraud-spending-changelog").expect("changes can be read");
        let last = changes.into_iter().rfind(|change| change.key_text() == "1-USD");
        last.is_some_and(|change| change.value.is_none()).then_some(())
    };
    eventually("the last that is written of the customer is nothing", DEADLINE, remembered).await;
    Ok(())
}
