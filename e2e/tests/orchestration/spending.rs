//! What a customer spends within a session of activity has a limit. Hours pass in event time alone: orders of past times
//! are written to the journal, as the gateway wrote them then.

use std::time::Duration;

use e2e::NewOrder;
use shared_schemas::{ORDER_REQUESTS, OrderRequested};
use streams::Timestamp;
use test_kit::unique;

use crate::ecosystem::{Ecosystem, Verdict, failed, now, order_of, priced, shared};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const MILLISECOND: Duration = Duration::from_millis(1);

#[tokio::test]
async fn who_spends_too_much_in_one_session_fails_and_is_fine_again_after_the_gap() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let customer = Customer::of(&ecosystem).await?;
    let first = ago(9 * HOUR);

    assert_eq!(customer.order_at(first, "1000.00").await?, Verdict::Validated);
    assert_eq!(customer.order_at(first + 30 * MINUTE, "999.99").await?, Verdict::Validated);
    assert_eq!(customer.order_at(first + 30 * MINUTE, "0.01").await?, too_much("2000.00 USD"));
    assert_eq!(customer.order_at(first + 60 * MINUTE, "5.00").await?, too_much("2005.00 USD"), "it counts as well");

    let second = first + 2 * HOUR + MILLISECOND;
    assert_eq!(customer.order_at(second, "1999.99").await?, Verdict::Validated, "an hour after the last one");
    assert_eq!(customer.order_at(second + HOUR, "1.00").await?, too_much("2000.99 USD"), "within the hour");

    let third = second + 2 * HOUR + MILLISECOND;
    assert_eq!(customer.order_at(third, "1999.99").await?, Verdict::Validated);
    assert_eq!(ecosystem.order(&customer.order("1999.99")?).await?, Verdict::Validated, "today is another session");
    assert_eq!(ecosystem.order(&customer.order("0.01")?).await?, too_much("2000.00 USD"));
    Ok(())
}

#[tokio::test]
async fn a_session_lasts_as_long_as_its_orders_follow_each_other() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let customer = Customer::of(&ecosystem).await?;
    let first = ago(9 * HOUR);
    for hours in 0..4 {
        assert_eq!(customer.order_at(first + hours * HOUR, "499.99").await?, Verdict::Validated, "{hours}");
    }
    assert_eq!(customer.order_at(first + 4 * HOUR, "0.04").await?, too_much("2000.00 USD"));
    Ok(())
}

#[tokio::test]
async fn an_order_that_comes_late_counts_towards_the_session_of_its_time() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let customer = Customer::of(&ecosystem).await?;
    let first = ago(9 * HOUR);
    assert_eq!(customer.order_at(first, "1500.00").await?, Verdict::Validated);
    assert_eq!(customer.order_at(first + 5 * HOUR, "1500.00").await?, Verdict::Validated);

    assert_eq!(customer.order_at(first + 10 * MINUTE, "500.00").await?, too_much("2000.00 USD"));
    assert_eq!(customer.order_at(first + 3 * HOUR, "1999.99").await?, Verdict::Validated, "none was near it");
    Ok(())
}

#[tokio::test]
async fn amounts_in_different_currencies_do_not_add_up() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let customer = Customer::of(&ecosystem).await?;
    let order = |price, currency: &str| {
        customer.order(price).map(|order| NewOrder { currency: Some(currency.to_string()), ..order })
    };

    assert_eq!(ecosystem.order(&order("1500.00", "USD")?).await?, Verdict::Validated);
    assert_eq!(ecosystem.order(&order("1500.00", "EUR")?).await?, Verdict::Validated);
    assert_eq!(ecosystem.order(&order("1999", "JPY")?).await?, Verdict::Validated);

    assert_eq!(ecosystem.order(&order("500.00", "EUR")?).await?, too_much("2000.00 EUR"));
    assert_eq!(ecosystem.order(&order("499.99", "USD")?).await?, Verdict::Validated);
    assert_eq!(ecosystem.order(&order("1", "JPY")?).await?, too_much("2000 JPY"));
    Ok(())
}

#[tokio::test]
async fn orders_that_fail_elsewhere_count_as_well() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let customer = Customer::of(&ecosystem).await?;
    let in_vain = NewOrder { product: unique("product"), ..customer.order("1500.00")? };

    assert_eq!(ecosystem.order(&in_vain).await?, failed("inventory: 1 asked for, 0 available"));
    assert_eq!(ecosystem.objections(&in_vain.id).await, ["inventory"]);

    assert_eq!(ecosystem.order(&customer.order("500.00")?).await?, too_much("2000.00 USD"));
    Ok(())
}

#[tokio::test]
async fn what_one_customer_spends_does_not_count_for_another() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let (one, other) = (Customer::of(&ecosystem).await?, Customer::of(&ecosystem).await?);

    assert_eq!(ecosystem.order(&one.order("1999.99")?).await?, Verdict::Validated);
    assert_eq!(ecosystem.order(&other.order("1999.99")?).await?, Verdict::Validated);
    assert_eq!(ecosystem.order(&one.order("0.01")?).await?, too_much("2000.00 USD"));
    Ok(())
}

#[tokio::test]
async fn what_costs_nothing_is_not_spent() -> anyhow::Result<()> {
    let ecosystem = shared()?;
    let customer = Customer::of(&ecosystem).await?;

    assert_eq!(ecosystem.order(&customer.order("1999.99")?).await?, Verdict::Validated);
    assert_eq!(ecosystem.order(&customer.order("0")?).await?, Verdict::Validated);
    let refund = customer.order("-1000.00")?;
    assert_eq!(ecosystem.order(&refund).await?, failed("order-details: the price must not be negative"));
    assert_eq!(ecosystem.objections(&refund.id).await, ["order-details"]);
    assert_eq!(ecosystem.order(&customer.order("0.01")?).await?, too_much("2000.00 USD"), "nothing was taken off");
    Ok(())
}

/// Somebody who orders single pieces of a product there is plenty of.
struct Customer<'a> {
    ecosystem: &'a Ecosystem,
    id: i64,
    product: String,
}

impl<'a> Customer<'a> {
    async fn of(ecosystem: &'a Ecosystem) -> anyhow::Result<Self> {
        let product = ecosystem.product(1_000).await?;
        Ok(Self { ecosystem, id: order_of(&product, 1).customer_id, product })
    }

    fn order(&self, price: &str) -> anyhow::Result<NewOrder> {
        Ok(NewOrder { customer_id: self.id, ..priced(&self.product, price)? })
    }

    /// What became of an order that was placed in the past, at a price with two decimals.
    async fn order_at(&self, at: Timestamp, price: &str) -> anyhow::Result<Verdict> {
        let order = self.order(price)?;
        let request = OrderRequested {
            body: serde_json::to_vec(&order)?,
            order_id: order.id,
            customer_id: order.customer_id,
            product: order.product,
            quantity: order.quantity,
            price_minor: price.replace('.', "").parse()?,
            currency: "USD".to_string(),
            requested_at: at,
        };
        self.ecosystem.topics.write(&ORDER_REQUESTS, at, std::slice::from_ref(&request)).await?;
        self.ecosystem.verdict(&request.order_id).await
    }
}

fn ago(duration: Duration) -> Timestamp {
    let milliseconds = i64::try_from(duration.as_millis()).expect("it was not that long ago");
    Timestamp(now().as_millis() - milliseconds)
}

/// The verdict on an order that brings its customer to this sum, an amount and its currency.
fn too_much(sum: &str) -> Verdict {
    let (_, currency) = sum.split_once(' ').expect("a sum is an amount and its currency");
    failed(&format!("fraud: the orders of one session must stay below 2000.00 {currency}, and come to {sum}"))
}
