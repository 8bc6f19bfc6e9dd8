//! The process dies at every step around sending: no mail is lost, and a repeated one can be told.

use std::thread;

use test_kit::eventually;

use crate::harness::{DEADLINE, Sender, mails};
use crate::mailbox::Mailbox;
use crate::provider::Provider;

const STEPS: [&str; 7] =
    ["before-claim", "after-claim", "after-send", "before-mark", "after-mark", "before-telling", "after-telling"];

/// Mails that are written between two deaths.
const MAILS: usize = 60;

/// Has the process die so many times at each step, under load, and returns how many mails there were.
async fn die(sender: &Sender, times: usize) -> anyhow::Result<usize> {
    for round in 0..times {
        for step in STEPS {
            sender.write(&mails(&format!("{step}-{round}"), MAILS))?;
            // Not always at the first mail after a start.
            let point = format!("{step}:{}", 1 + round % 3);
            let dying = sender.service.beside(&[("MILLRACE_FAILURE_POINT", &point)]);
            dying.spawn()?;
            let load = thread::scope(|scope| {
                let load = scope.spawn(|| sender.write(&mails(&format!("{step}-{round}-more"), MAILS)));
                load.join().expect("the load does not panic")
            });
            load?;
            eventually(&format!("it dies at {point}"), DEADLINE, async || {
                dying.log().contains("the failure point that was asked for").then_some(())
            })
            .await;
            assert!(!dying.stop()?.success());
        }
    }
    sender.service.start()?;
    sender.await_done().await?;
    let count = times * STEPS.len() * 2 * MAILS;
    assert_told(sender, count)?;
    Ok(count)
}

/// Each mail was told of, whatever was in between, and always in the same words.
fn assert_told(sender: &Sender, count: usize) -> anyhow::Result<()> {
    let told = sender.told()?;
    assert_eq!(told.len(), count, "each mail is told of");
    assert!(told.into_values().any(|(_, times)| times > 1), "some twice, else this shows nothing");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_it_loses_no_mail_and_a_provider_that_honours_the_key_delivers_each_once()
-> anyhow::Result<()> {
    let provider = Provider::default();
    let sender = Sender::to_provider(&provider.listening().await?, &[])?;
    let count = die(&sender, 10).await?;
    let deliveries = provider.deliveries();
    assert_eq!(deliveries.len(), count, "none is lost");
    assert!(deliveries.into_values().any(|requests| requests > 1), "some were repeated, else this shows nothing");
    provider.assert_repetitions_are_equal();
    assert!(sender.service.dead_letters()?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_it_loses_no_mail_and_repeats_none_under_another_message_id() -> anyhow::Result<()> {
    let mailbox = Mailbox::default();
    let sender = Sender::to_server(&mailbox.listening().await?, &[])?;
    let count = die(&sender, 5).await?;
    let ids = mailbox.message_ids();
    assert_eq!(ids.len(), count, "none is lost, and none has two ids");
    assert!(ids.into_values().any(|arrivals| arrivals > 1), "some were repeated, else this shows nothing");
    assert!(sender.service.dead_letters()?.is_empty());
    Ok(())
}
