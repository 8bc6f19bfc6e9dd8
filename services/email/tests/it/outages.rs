//! What the sender needs goes away and comes back.

use local::Stack;
use test_kit::eventually;

use crate::harness::{DEADLINE, Sender, mails};
use crate::provider::Provider;

#[tokio::test]
async fn mails_wait_for_the_database_and_the_service_says_so() -> anyhow::Result<()> {
    let stack = Stack::builder().only(["postgres"]).start()?;
    let url = local::create_database(&stack.addresses(), "mails")?;
    let provider = Provider::default();
    let sender = Sender::to_provider(&provider.listening().await?, &[("DATABASE_URL", &url)])?.started()?;
    sender.write(&mails("before", 20))?;
    sender.await_done().await?;

    stack.part("postgres").kill();
    sender.write(&mails("during", 20))?;
    let ready = format!("{}/readyz", sender.service.admin_url());
    eventually("it says what it waits for", DEADLINE, async || {
        let page = reqwest::get(&ready).await.ok()?.text().await.ok()?;
        page.contains("the database cannot be used").then_some(())
    })
    .await;
    stack.part("postgres").start()?;
    sender.write(&mails("after", 20))?;
    sender.service.wait_ready()?;
    sender.await_done().await?;
    assert_eq!(provider.deliveries().len(), 60);
    assert_eq!(provider.deliveries().into_values().max(), Some(1));
    Ok(())
}

#[tokio::test]
async fn two_instances_share_the_outbox_and_send_each_mail_once() -> anyhow::Result<()> {
    let provider = Provider::default();
    let sender = Sender::to_provider(&provider.listening().await?, &[])?.started()?;
    sender.write(&mails("one", 200))?;
    let second = sender.service.beside(&[("INSTANCE", "1")]);
    second.start()?;
    sender.write(&mails("two", 200))?;
    sender.await_done().await?;
    assert_eq!(provider.deliveries().len(), 400);
    assert_eq!(provider.deliveries().into_values().max(), Some(1), "a rebalance repeats nothing");
    Ok(())
}
