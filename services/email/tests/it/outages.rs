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
    assert_eq!(sender.told()?.len(), 60);
    assert_eq!(provider.deliveries().into_values().max(), Some(1));
    Ok(())
}

#[tokio::test]
async fn mails_that_go_out_while_kafka_is_away_are_told_of_later_and_not_sent_again() -> anyhow::Result<()> {
    let stack = Stack::builder().only(["kafka"]).start()?;
    let kafka = stack.addresses().kafka_bootstrap;
    let settings = [("KAFKA_BOOTSTRAP", kafka.as_str()), ("JOURNAL_TIMEOUT_MS", "1000"), ("SEND_TIMEOUT_MS", "60000")];
    let provider = Provider::default();
    let sender = Sender::to_provider(&provider.listening().await?, &settings)?.started()?;
    provider.be_silent(true);
    sender.write(&mails("open", 20))?;
    eventually("all are on their way", DEADLINE, async || (provider.deliveries().len() == 20).then_some(())).await;

    stack.part("kafka").kill();
    provider.be_silent(false);
    let ready = format!("{}/readyz", sender.service.admin_url());
    eventually("it says that it cannot tell of them", DEADLINE, async || {
        let page = reqwest::get(&ready).await.ok()?.text().await.ok()?;
        page.contains("mails went out that nobody can be told of").then_some(())
    })
    .await;
    // Nor does the next process send them, which finds them open.
    sender.service.kill()?;
    stack.part("kafka").start()?;
    sender.service.start()?;
    sender.await_done().await?;
    assert_eq!(sender.told()?.len(), 20);
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
    assert_eq!(sender.told()?.len(), 400);
    Ok(())
}
