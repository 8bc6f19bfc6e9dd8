use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::StatusCode;
use streams::DEFAULT_PARTITIONS;
use streams_kafka::partition_of;

use crate::ground::Ground;
use crate::latencies::Latencies;
use crate::members::{Shares, await_shares};
use crate::pace::Pace;
use crate::report::{Figure, Outcome, Report};
use crate::shop::tell;

const ORDERS: u32 = 200;
const PLACED: Pace = Pace { per_second: 50, starts: ORDERS };
const WARM_UP: Pace = Pace { per_second: 50, starts: ORDERS };
const READ: Pace = Pace { per_second: 50, starts: 1500 };
const MOST_MORE_MS: f64 = 3.0;

/// Reads orders that exist, each through the instance that has it and through the other in turn.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let shares = await_shares(ground, "orders")?;
    let placed = ground.order(PLACED, "wrong-instance")?;
    ensure!(placed.errors == 0, "orders that are to be read were not placed");
    read(ground, &shares, WARM_UP)?;
    let [owner, other] = read(ground, &shares, READ)?;
    let more = other.median_ms() - owner.median_ms();
    report.add(Figure {
        what: "read of an order through the wrong instance".to_string(),
        bar: format!("median ≤ {MOST_MORE_MS} ms more"),
        value: format!("{more:.2} ms more: {}", other.summary()),
        beside: format!("the right one: {}", owner.summary()),
        outcome: Outcome::of(more <= MOST_MORE_MS && owner.errors + other.errors == 0),
    });
    Ok(())
}

/// What reads took through the owner and through the other instance.
fn read(ground: &Ground, shares: &Shares, pace: Pace) -> anyhow::Result<[Latencies; 2]> {
    let url = |slot| ground.instance("orders", slot).url().context("orders speaks HTTP");
    let urls = [url(0)?, url(1)?];
    let reads = ground.shop.open_loop(pace, &ground.interrupt, |number, intended| {
        let id = format!("wrong-instance-{}", number / 2 % ORDERS);
        let owner = usize::from(shares[1].contains(&partition_of(&id, DEFAULT_PARTITIONS)));
        let is_wrong = number % 2 == 1;
        let url = &urls[if is_wrong { 1 - owner } else { owner }];
        let request = ground.shop.client.get(format!("{url}/v1/orders/{id}"));
        async move {
            let duration = status_and_body(request).await.map(|()| intended.elapsed());
            (is_wrong, duration.inspect_err(tell).ok())
        }
    })?;
    let of = |wrong: bool| Latencies::of(reads.iter().filter(|(is_wrong, _)| *is_wrong == wrong).map(duration));
    Ok([of(false), of(true)])
}

fn duration((_, duration): &(bool, Option<Duration>)) -> Option<Duration> {
    *duration
}

async fn status_and_body(request: reqwest::RequestBuilder) -> anyhow::Result<()> {
    let answer = request.send().await?;
    ensure!(answer.status() == StatusCode::OK, "a read is answered with {}", answer.status());
    answer.bytes().await?;
    Ok(())
}
