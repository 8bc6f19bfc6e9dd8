use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use e2e::{Mailbox, NewOrder};
use local::Stack;
use shared_schemas::{CUSTOMERS, Customer, CustomerLevel, EMAIL_OUTBOX, MAILS_SENT, PAYMENTS, Payment};
use streams::Timestamp;
use test_kit::eventually;
use time::OffsetDateTime;

use crate::ecosystem::Ecosystem;
use crate::load::{RunningLoad, order};
use crate::seed;

const ORDERS: usize = 1_000;
const KILLS: usize = 10;

/// By when everybody has mail, once everything runs again.
const MAILED_WITHIN: Duration = Duration::from_secs(60);

/// Where all customers of the test have their mail.
const ADDRESS: &str = "everybody@example.org";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_has_one_mail_about_each_order_though_email_is_killed_again_and_again() -> anyhow::Result<()> {
    let mut random = seed::random()?;
    let ecosystem = Ecosystem::start(Stack::builder().single_instances()).await?;
    let orders: Vec<NewOrder> = (0..ORDERS).map(order).collect();
    let now = now();
    ecosystem.topics.write(&CUSTOMERS, now, &orders.iter().map(customer).collect::<Vec<_>>()).await?;
    let payments = orders.iter().map(|order| payment(order, now));
    ecosystem.topics.write(&PAYMENTS, now, &payments.collect::<Vec<_>>()).await?;

    let load = RunningLoad::begin(ecosystem.part("orders"), ORDERS)?;
    let mut moments: Vec<usize> = (0..KILLS).map(|_| random.usize(1..ORDERS * 9 / 10)).collect();
    moments.sort_unstable();
    for moment in moments {
        load.wait_acknowledged(moment);
        ecosystem.part("email").kill();
        ecosystem.part("email").start()?;
    }
    let acknowledged = load.end().await;
    ecosystem.assert_sound(&acknowledged).await?;
    ecosystem.part("email").start()?;

    // One who does not repeat an order may have placed it all the same.
    let journaled: BTreeSet<String> = ecosystem.log().await?.requested.into_iter().collect();
    let journaled = journaled.len();
    let mailbox = Mailbox::of(&ecosystem.stack.addresses())?;
    let ids = eventually("there is mail about every order", MAILED_WITHIN, async || {
        Some(message_ids(&mailbox).await.ok()?).filter(|ids| ids.len() >= journaled)
    })
    .await;
    assert_eq!(ids.len(), journaled, "a repeated mail bears the id of the first");
    assert_eq!(ecosystem.topics.values(&EMAIL_OUTBOX).await?.len(), journaled, "each is in the outbox once");
    eventually("everybody else knows of each", MAILED_WITHIN, async || {
        let told = ecosystem.topics.values(&MAILS_SENT).await.ok()?;
        let told: BTreeSet<String> = told.into_iter().map(|mail| mail.idempotency_key).collect();
        (told.len() == journaled).then_some(())
    })
    .await;
    let dead = ecosystem.topics.dead_letters("email")?;
    assert!(dead.is_empty(), "{dead:?}");
    Ok(())
}

/// How often each mail arrived.
async fn message_ids(mailbox: &Mailbox) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut ids = BTreeMap::new();
    for mail in mailbox.mails(ADDRESS).await? {
        *ids.entry(mail.message_id).or_default() += 1;
    }
    Ok(ids)
}

pub fn now() -> Timestamp {
    Timestamp(OffsetDateTime::now_utc().unix_timestamp() * 1000)
}

pub fn customer(order: &NewOrder) -> Customer {
    Customer {
        id: order.customer_id,
        first_name: "Every".to_string(),
        last_name: "Body".to_string(),
        email: ADDRESS.to_string(),
        address: "1 Mill Lane".to_string(),
        level: CustomerLevel::Silver,
        version: 1,
    }
}

/// More than any order of the load costs, and before it is placed.
pub fn payment(order: &NewOrder, paid_at: Timestamp) -> Payment {
    Payment {
        id: format!("payment-of-{}", order.id),
        order_id: order.id.clone(),
        amount_minor: 1_000_000,
        currency: "USD".to_string(),
        paid_at,
    }
}
