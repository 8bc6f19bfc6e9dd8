use shared_schemas::{PAYMENT_REQUESTS, PaymentRequested};
use streams::Timestamp;
use test_kit::{RawRecord, eventually};

use crate::harness::Payments;

#[tokio::test]
async fn what_cannot_be_read_goes_to_the_dead_letters_and_what_is_behind_it_is_received() -> anyhow::Result<()> {
    let payments = Payments::started(&[])?;
    let request = PaymentRequested {
        body: Vec::new(),
        id: "good".to_string(),
        order_id: "order-1".to_string(),
        amount_minor: 1500,
        currency: "USD".to_string(),
        requested_at: Timestamp(1_700_000_000_000),
    };
    let good = RawRecord::of(&PAYMENT_REQUESTS, &payments.schemas, &request)?.to_partition(0);
    let (records, causes): (Vec<_>, Vec<_>) = RawRecord::unreadable(&good).into_iter().unzip();
    let written = payments.service.write(PAYMENT_REQUESTS.name(), records)?;
    payments.service.write(PAYMENT_REQUESTS.name(), vec![good])?;

    let said = eventually("the one behind them is received", std::time::Duration::from_secs(60), async || {
        payments.said("good").ok().filter(|said| !said.is_empty())
    })
    .await;
    assert_eq!(said.len(), 1);
    let written = written.into_iter().zip(causes).map(|(record, cause)| (PAYMENT_REQUESTS.name(), record, cause));
    payments.service.assert_dead_letters(&written.collect::<Vec<_>>()).await;
    Ok(())
}
