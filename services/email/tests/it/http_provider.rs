//! What an HTTP provider may answer, and what becomes of the mail.

use std::time::Duration;

use anyhow::Context;
use shared_schemas::{EMAIL_OUTBOX, MailKind, MailSent};
use test_kit::{RawRecord, eventually};
use tokio::net::TcpListener;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::harness::{DEADLINE, LONG_AGO, Sender, mail, mails};
use crate::provider::Provider;

/// A provider that answers each mail by what its key begins with, and the number of the request for it.
async fn provider(key: &'static str, first: ResponseTemplate, then: u16) -> MockServer {
    let server = MockServer::start().await;
    let of_key = || Mock::given(method("POST")).and(path("/v1/mails")).and(header("Idempotency-Key", key));
    of_key().respond_with(first).up_to_n_times(1).mount(&server).await;
    of_key().respond_with(ResponseTemplate::new(then)).mount(&server).await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(202)).with_priority(10).mount(&server).await;
    server
}

fn url(server: &MockServer) -> String {
    format!("{}/v1/mails", server.uri())
}

async fn requests(server: &MockServer, key: &str) -> Vec<Request> {
    let all = server.received_requests().await.unwrap();
    all.into_iter().filter(|request| request.headers.get("Idempotency-Key").is_some_and(|it| it == key)).collect()
}

async fn await_state(sender: &Sender, key: &str, state: &str) -> i32 {
    eventually(&format!("{key} is {state}"), DEADLINE, async || {
        let (found, attempts) = sender.remembered(key).await.ok()??;
        (found == state).then_some(attempts)
    })
    .await
}

#[tokio::test]
async fn a_mail_is_taken_with_its_key_sender_recipient_subject_and_text() -> anyhow::Result<()> {
    let server = provider("none", ResponseTemplate::new(202), 202).await;
    let settings = [("PROVIDER_TOKEN", "secret"), ("MAIL_FROM", "Shop <shop@example.org>")];
    let sender = Sender::to_provider(&url(&server), &settings)?.started()?;
    sender.write(&[mail("first/confirmation")])?;
    assert_eq!(await_state(&sender, "first/confirmation", "sent").await, 1);
    let request = requests(&server, "first/confirmation").await.remove(0);
    assert_eq!(request.headers["Authorization"], "Bearer secret");
    let expected = serde_json::json!({
        "from": "Shop <shop@example.org>",
        "to": {"name": "Ada Ångström", "address": "ada@example.org"},
        "subject": "Your order",
        "text": "Dear Ada Ångström,\n\nthank you.\n",
    });
    assert_eq!(request.body_json::<serde_json::Value>()?, expected);
    sender.await_done().await?;
    let (fact, times) = sender.told()?.remove("first/confirmation").context("it is told of")?;
    let MailSent { order_id, kind, subject, sent_at, .. } = fact;
    assert_eq!((order_id.as_str(), kind, subject.as_str(), times), ("first", MailKind::Confirmation, "Your order", 1));
    assert!(sent_at > LONG_AGO, "it is told when it went out, and not when it was due");
    Ok(())
}

#[tokio::test]
async fn a_conflict_with_an_attempt_that_is_still_going_on_is_asked_about_again() -> anyhow::Result<()> {
    let server = provider("a/confirmation", ResponseTemplate::new(409), 202).await;
    let sender = Sender::to_provider(&url(&server), &[])?.started()?;
    sender.write(&[mail("a/confirmation")])?;
    assert_eq!(await_state(&sender, "a/confirmation", "sent").await, 2);
    Ok(())
}

#[tokio::test]
async fn a_provider_that_goes_on_saying_that_it_has_the_key_has_the_mail() -> anyhow::Result<()> {
    let server = provider("a/confirmation", ResponseTemplate::new(409), 409).await;
    let sender = Sender::to_provider(&url(&server), &[])?.started()?;
    sender.write(&[mail("a/confirmation")])?;
    assert_eq!(await_state(&sender, "a/confirmation", "sent").await, 6);
    Ok(())
}

#[tokio::test]
async fn a_provider_that_says_to_come_again_in_a_thousand_years_is_asked_for_as_long_as_the_mail_has()
-> anyhow::Result<()> {
    let never = ResponseTemplate::new(429).insert_header("Retry-After", "31536000000");
    let server = provider("a/confirmation", never, 429).await;
    let sender = Sender::to_provider(&url(&server), &[("RETRY_FOR_MS", "2000")])?.started()?;
    sender.write(&mails("b", 1))?;
    let refused = sender.write(&[mail("a/confirmation")])?.remove(0);
    sender.service.assert_dead_letters(&[(EMAIL_OUTBOX.name(), refused, "tried for 2 s")]).await;
    assert_eq!(await_state(&sender, "a/confirmation", "dead").await, 2);
    Ok(())
}

#[tokio::test]
async fn a_provider_that_is_busy_is_left_alone_for_as_long_as_it_says_and_others_go_on() -> anyhow::Result<()> {
    let busy = ResponseTemplate::new(429).insert_header("Retry-After", "2");
    let server = provider("a/confirmation", busy, 202).await;
    let sender = Sender::to_provider(&url(&server), &[])?.started()?;
    sender.write(&[mail("a/confirmation")])?;
    eventually("it was refused once", DEADLINE, async || {
        (requests(&server, "a/confirmation").await.len() == 1).then_some(())
    })
    .await;
    sender.write(&mails("b", 20))?;
    await_state(&sender, "b-19/confirmation", "sent").await;
    assert_eq!(requests(&server, "a/confirmation").await.len(), 1, "the others did not wait for it, nor it for them");
    assert_eq!(await_state(&sender, "a/confirmation", "sent").await, 2);
    sender.await_done().await
}

#[tokio::test]
async fn a_failure_of_the_provider_is_tried_again_under_the_same_key() -> anyhow::Result<()> {
    for status in [500, 503, 408, 401, 403] {
        let server = provider("a/confirmation", ResponseTemplate::new(status), 202).await;
        let sender = Sender::to_provider(&url(&server), &[])?.started()?;
        sender.write(&[mail("a/confirmation")])?;
        assert_eq!(await_state(&sender, "a/confirmation", "sent").await, 2, "{status}");
        let repeated = requests(&server, "a/confirmation").await;
        assert_eq!((repeated.len(), &repeated[0].body), (2, &repeated[1].body));
    }
    Ok(())
}

#[tokio::test]
async fn a_provider_that_does_not_answer_in_time_is_asked_again() -> anyhow::Result<()> {
    let slow = ResponseTemplate::new(202).set_delay(Duration::from_secs(60));
    let server = provider("a/confirmation", slow, 202).await;
    let sender = Sender::to_provider(&url(&server), &[("SEND_TIMEOUT_MS", "500")])?.started()?;
    sender.write(&[mail("a/confirmation"), mail("b/confirmation")])?;
    await_state(&sender, "b/confirmation", "sent").await;
    assert_eq!(await_state(&sender, "a/confirmation", "sent").await, 2);
    Ok(())
}

#[tokio::test]
async fn a_connection_that_is_reset_is_tried_again() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let sender = Sender::to_provider(&format!("http://{address}/v1/mails"), &[])?.started()?;
    sender.write(&[mail("a/confirmation")])?;
    for _ in 0..2 {
        let (connection, _) = listener.accept().await?;
        connection.set_zero_linger()?;
        drop(connection);
    }
    drop(listener);
    let provider = Provider::default();
    provider.listening_at(address).await?;
    await_state(&sender, "a/confirmation", "sent").await;
    assert_eq!(provider.deliveries()["a/confirmation"], 1);
    Ok(())
}

#[tokio::test]
async fn what_the_provider_will_never_take_goes_to_the_dead_letters_and_the_rest_goes_on() -> anyhow::Result<()> {
    let server = provider("a/confirmation", ResponseTemplate::new(422).set_body_string("no such address"), 500).await;
    let sender = Sender::to_provider(&url(&server), &[])?.started()?;
    let refused = sender.write(&[mail("a/confirmation")])?.remove(0);
    sender.write(&mails("b", 5))?;
    let cause = "the provider says 422 Unprocessable Entity: no such address";
    sender.service.assert_dead_letters(&[(EMAIL_OUTBOX.name(), refused, cause)]).await;
    assert_eq!(await_state(&sender, "a/confirmation", "dead").await, 1);
    sender.await_done().await?;
    let told = sender.told()?;
    assert_eq!((told.len(), told.contains_key("a/confirmation")), (5, false), "what did not go out is not told of");
    Ok(())
}

#[tokio::test]
async fn a_mail_that_fails_for_too_long_goes_to_the_dead_letters() -> anyhow::Result<()> {
    let server = provider("a/confirmation", ResponseTemplate::new(500), 500).await;
    let sender = Sender::to_provider(&url(&server), &[("RETRY_FOR_MS", "1000")])?.started()?;
    let failed = sender.write(&[mail("a/confirmation")])?.remove(0);
    sender.service.assert_dead_letters(&[(EMAIL_OUTBOX.name(), failed, "tried for 1 s")]).await;
    assert!(requests(&server, "a/confirmation").await.len() > 1);
    sender.await_done().await
}

#[tokio::test]
async fn what_is_no_mail_goes_to_the_dead_letters_and_the_rest_goes_on() -> anyhow::Result<()> {
    let provider = Provider::default();
    let sender = Sender::to_provider(&provider.listening().await?, &[])?.started()?;
    let good = RawRecord::of(&EMAIL_OUTBOX, &sender.schemas, &mail("a/confirmation"))?;
    let mut expected = Vec::new();
    // Without a key it is as good a mail as any: the key is in the value.
    for (record, cause) in RawRecord::unreadable(&good).into_iter().filter(|(_, cause)| *cause != "no key") {
        let written = sender.service.write(EMAIL_OUTBOX.name(), vec![record])?.pop().context("it is written")?;
        expected.push((EMAIL_OUTBOX.name(), written, cause));
    }
    sender.write(&[mail("b/confirmation")])?;
    sender.service.assert_dead_letters(&expected).await;
    sender.await_done().await?;
    assert_eq!(provider.deliveries().into_keys().collect::<Vec<_>>(), ["b/confirmation"]);
    Ok(())
}

#[tokio::test]
async fn a_mail_that_is_in_the_outbox_twice_is_sent_once() -> anyhow::Result<()> {
    let provider = Provider::default();
    let sender = Sender::to_provider(&provider.listening().await?, &[])?;
    sender.write(&[mail("a/confirmation"), mail("a/confirmation"), mail("b/confirmation")])?;
    let sender = sender.started()?;
    sender.write(&[mail("a/confirmation")])?;
    sender.await_done().await?;
    let once = [("a/confirmation".to_string(), 1), ("b/confirmation".to_string(), 1)];
    assert_eq!(provider.deliveries(), once.into_iter().collect());
    assert_eq!(sender.told()?.len(), 2, "in whatever numbers, it is told of as one mail");
    Ok(())
}
