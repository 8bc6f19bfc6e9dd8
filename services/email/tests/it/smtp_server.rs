//! What a mail server may answer, and what becomes of the mail.

use shared_schemas::{EMAIL_OUTBOX, MailDue};
use test_kit::eventually;

use crate::harness::{DEADLINE, Sender, mail, mails};
use crate::mailbox::{Mailbox, SILENCE};

async fn await_mails(mailbox: &Mailbox, count: usize) -> Vec<String> {
    eventually(&format!("{count} mails are there"), DEADLINE, async || {
        Some(mailbox.mails()).filter(|mails| mails.len() >= count)
    })
    .await
}

#[tokio::test]
async fn a_mail_arrives_with_its_headers_and_text() -> anyhow::Result<()> {
    let mailbox = Mailbox::default();
    let from = ("MAIL_FROM", "Shop <shop@example.org>");
    let sender = Sender::to_server(&mailbox.listening().await?, &[from])?.started()?;
    sender.write(&[mail("first/confirmation")])?;
    let arrived = await_mails(&mailbox, 1).await.remove(0);
    for line in ["From: Shop <shop@example.org>", "Subject: Your order", "Date: Tue, 14 Nov 2023 22:13:20 +0000"] {
        assert!(arrived.contains(line), "{line}: {arrived}");
    }
    assert!(arrived.contains("<ada@example.org>") && arrived.contains("Message-ID: <"), "{arrived}");
    sender.await_done().await
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again_with_the_same_message_id() -> anyhow::Result<()> {
    let mailbox = Mailbox::default();
    let sender = Sender::to_server(&mailbox.listening().await?, &[])?.started()?;
    mailbox.refuse_next("451 come again");
    sender.write(&[mail("a/confirmation")])?;
    sender.await_done().await?;
    assert_eq!(sender.remembered("a/confirmation").await?, Some(("sent".to_string(), 2)));
    assert_eq!(mailbox.mails().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_is_asked_again_and_the_others_go_on() -> anyhow::Result<()> {
    let mailbox = Mailbox::default();
    let settings = [("SEND_TIMEOUT_MS", "1000"), ("SEND_CONCURRENCY", "1")];
    let sender = Sender::to_server(&mailbox.listening().await?, &settings)?.started()?;
    mailbox.refuse_next(SILENCE);
    sender.write(&mails("a", 3))?;
    await_mails(&mailbox, 3).await;
    sender.await_done().await?;
    assert_eq!(mailbox.message_ids().len(), 3);
    Ok(())
}

#[tokio::test]
async fn what_the_server_says_of_us_is_not_held_against_the_mail() -> anyhow::Result<()> {
    let mailbox = Mailbox::default();
    let sender = Sender::to_server(&mailbox.listening().await?, &[])?.started()?;
    mailbox.refuse_next("530 authentication required");
    sender.write(&[mail("a/confirmation")])?;
    sender.await_done().await?;
    assert_eq!(sender.remembered("a/confirmation").await?, Some(("sent".to_string(), 2)));
    Ok(())
}

#[tokio::test]
async fn what_the_server_will_never_take_goes_to_the_dead_letters() -> anyhow::Result<()> {
    let mailbox = Mailbox::default();
    let sender = Sender::to_server(&mailbox.listening().await?, &[])?.started()?;
    mailbox.refuse_next("550 no such user");
    let refused = sender.write(&[mail("a/confirmation")])?.remove(0);
    sender.service.assert_dead_letters(&[(EMAIL_OUTBOX.name(), refused, "no such user")]).await;
    sender.write(&mails("b", 3))?;
    await_mails(&mailbox, 3).await;
    sender.await_done().await
}

#[tokio::test]
async fn an_address_that_is_none_goes_to_the_dead_letters() -> anyhow::Result<()> {
    let mailbox = Mailbox::default();
    let sender = Sender::to_server(&mailbox.listening().await?, &[])?.started()?;
    let refused = sender.write(&[MailDue { recipient_address: "nobody".to_string(), ..mail("a/confirmation") }])?;
    let refused = refused.into_iter().next().expect("it was written");
    sender.service.assert_dead_letters(&[(EMAIL_OUTBOX.name(), refused, "it makes no mail")]).await;
    sender.await_done().await?;
    assert!(mailbox.mails().is_empty());
    Ok(())
}
