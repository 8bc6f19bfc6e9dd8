//! What a visitor does with the page, on a large screen and on a small one.

use serde_json::json;

use crate::browser::Screen;
use crate::visitor::{Visitor, stack};

#[tokio::test]
async fn a_visitor_at_a_desk_sees_orders_move_from_the_form_to_the_mail_and_into_the_topic() -> anyhow::Result<()> {
    visit(Screen::Desktop).await
}

#[tokio::test]
async fn a_visitor_with_a_phone_sees_orders_move_from_the_form_to_the_mail_and_into_the_topic() -> anyhow::Result<()> {
    visit(Screen::Phone).await
}

#[tokio::test]
async fn what_is_malformed_is_answered_with_the_problem_and_shows_no_order() -> anyhow::Result<()> {
    let visitor = Visitor::of(stack().part("views"), Screen::Desktop).await?;
    let id = visitor.places("Malformed").await?;
    visitor.sees("the problem is shown", "document.querySelector('#outcome .bad')").await;
    let said = visitor.browser.run("return document.getElementById('outcome').textContent").await?.to_string();
    assert!(said.contains("422 Unprocessable Entity"), "{said}");
    assert!(said.contains("#/quantity") && said.contains("#/price") && said.contains("traceId"), "{said}");

    // An order that is placed later is there, and this one is not.
    let later = visitor.places("Fine").await?;
    visitor.sees_row(&later, "VALIDATED").await;
    let rows = format!("return document.querySelectorAll('#orders-body [data-id=\"{id}\"]').length");
    assert_eq!(visitor.browser.run(&rows).await?, 0);
    visitor.leaves().await
}

#[tokio::test]
async fn the_page_is_small_and_asks_nobody_but_its_own_services() -> anyhow::Result<()> {
    let visitor = Visitor::of(stack().part("views"), Screen::Desktop).await?;
    let id = visitor.places("Fine").await?;
    visitor.sees_row(&id, "VALIDATED").await;
    let loaded = visitor.browser.run(
        "return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation')) \
         .filter((it) => it.name.includes('/page/') || it.entryType === 'navigation') \
         .reduce((sum, it) => sum + it.decodedBodySize, 0)",
    );
    let bytes = loaded.await?.as_u64().unwrap_or_default();
    assert!((10_000..=200_000).contains(&bytes), "the page has {bytes} bytes");
    let strangers = visitor.browser.run(
        "return performance.getEntriesByType('resource').map((it) => new URL(it.name).hostname) \
         .filter((host) => host !== '127.0.0.1')",
    );
    assert_eq!(strangers.await?.as_array().map(Vec::len), Some(0));
    let complaints = visitor.browser.complaints().await?;
    assert!(complaints.is_empty(), "{complaints:?}");
    visitor.leaves().await
}

async fn visit(screen: Screen) -> anyhow::Result<()> {
    let visitor = Visitor::of(stack().part("views"), screen).await?;
    let fine = visitor.places("Fine").await?;
    visitor.sees_row(&fine, "VALIDATED").await;
    for (preset, reason) in [("Out of stock", "inventory"), ("Fraud", "fraud")] {
        let failed = visitor.places(preset).await?;
        visitor.sees_row(&failed, "FAILED").await;
        let outcome = format!("document.querySelector('#outcome [data-order=\"{failed}\"] .reason')?.textContent");
        let said = visitor.sees("the form says why", &outcome).await.to_string();
        assert!(said.contains(reason), "{said}");
    }
    visitor.places("Malformed").await?;
    visitor.sees("the problem is shown", "document.querySelector('#outcome .bad')").await;
    visitor.keeps_picture("problem").await?;

    pay(&visitor, &fine).await?;
    follow_the_journey(&visitor, &fine).await?;
    look_at_the_instances(&visitor).await?;
    visitor.leaves().await
}

/// Opens the order in the grid, pays it, and finds the mail.
async fn pay(visitor: &Visitor, id: &str) -> anyhow::Result<()> {
    visitor.browser.click(&format!("#orders-body [data-id=\"{id}\"]")).await?;
    visitor.sees("the order is open", "document.getElementById('pay')").await;
    visitor.browser.click("#pay").await?;
    let mail = format!("document.querySelector('#mails-list [data-order=\"{id}\"]')?.textContent");
    let mail = visitor.sees("the mail has gone out", &mail).await.to_string();
    assert!(mail.contains(&format!("Your order {id} is confirmed")), "{mail}");
    visitor.sees("the order is paid", "document.getElementById('pay') === null").await;
    Ok(())
}

/// Every step of the journey is there, and leads to its record.
async fn follow_the_journey(visitor: &Visitor, id: &str) -> anyhow::Result<()> {
    let steps = [
        "requested",
        "CREATED",
        "order-details: PASS",
        "fraud: PASS",
        "inventory: PASS",
        "VALIDATED",
        "paid",
        "mailed",
    ];
    let words = "[...document.querySelectorAll('.journey .what')].map((it) => it.textContent)";
    let all = format!("{words}.length >= {} ? {words}.join('|') : null", steps.len());
    let journey = visitor.sees("the journey is complete", &all).await.to_string();
    for step in steps {
        assert!(journey.contains(step), "{step} is missing from {journey}");
    }
    visitor.keeps_picture("journey").await?;
    let trace = visitor.sees("the trace is told", "document.getElementById('trace')?.textContent").await;
    let of_page = "return fetch('/v1/orders/ORDER').then((it) => it.json()) \
                   .then(({ journey }) => journey.map(({ traceparent }) => traceparent.split('-')[1]))";
    let traces = visitor.browser.run(&of_page.replace("ORDER", id)).await?;
    assert_eq!(traces, json!(vec![trace; steps.len()]), "all of it is one trace, and the payment, too");

    visitor.browser.run("document.querySelector('.journey a[href*=\"/orders/\"]').click()").await?;
    let record = "document.querySelector('.record[open] pre.json')?.textContent";
    let record = visitor.sees("the record is open", record).await.to_string();
    assert!(record.contains(id), "{record}");
    visitor.keeps_picture("topic").await?;

    visitor.browser.run("document.querySelector('.record[open] a[href^=\"#/schemas/\"]').click()").await?;
    visitor
        .sees("the schema is shown", "document.querySelector('#topic-detail .json')?.textContent.includes('record')")
        .await;
    Ok(())
}

/// Two instances of every service run, and each partition has somebody.
async fn look_at_the_instances(visitor: &Visitor) -> anyhow::Result<()> {
    visitor.browser.run("location.hash = '#/instances'").await?;
    for service in ["orders", "order-details", "fraud", "inventory", "payments", "customers", "email"] {
        let group = format!("document.querySelectorAll('[data-group$=\"{service}\"] .members li').length === 2");
        visitor.sees(&format!("two instances of {service} are shown"), &group).await;
    }
    visitor.keeps_picture("instances").await?;
    visitor.browser.run("location.hash = '#/orders'").await?;
    visitor.keeps_picture("orders").await
}
