use shared_schemas::{CUSTOMER_REQUESTS, CustomerLevel, CustomerRequested};
use streams::Timestamp;
use test_kit::{RawRecord, answer};

use crate::harness::Customers;

#[tokio::test]
async fn what_cannot_be_read_goes_to_the_dead_letters_and_what_is_behind_it_is_decided() -> anyhow::Result<()> {
    let customers = Customers::started(&[])?;
    let good = RawRecord::of(&CUSTOMER_REQUESTS, &customers.schemas, &request())?.to_partition(0);
    let misplaced = RawRecord { key: Some(b"8".to_vec()), ..good.clone() };
    let mut unreadable = RawRecord::unreadable(&good);
    unreadable.push((misplaced, "key"));
    let (records, causes): (Vec<_>, Vec<_>) = unreadable.into_iter().unzip();
    let written = customers.service.write(CUSTOMER_REQUESTS.name(), records)?;
    let written = written.into_iter().zip(causes).map(|(record, cause)| (CUSTOMER_REQUESTS.name(), record, cause));
    customers.service.assert_dead_letters(&written.collect::<Vec<_>>()).await;

    for id in 1..=8 {
        customers.create(id).await?;
    }
    assert_eq!(answer(customers.get(7, "?timeout=0").await?, 200).await?["firstName"], "Ada");
    Ok(())
}

fn request() -> CustomerRequested {
    CustomerRequested {
        body: Vec::new(),
        id: 7,
        request_id: "request-1".to_string(),
        expected_version: Some(0),
        first_name: "Grace".to_string(),
        last_name: "Miller".to_string(),
        email: "grace@example.com".to_string(),
        address: "7 Mill Lane".to_string(),
        level: CustomerLevel::Gold,
        requested_at: Timestamp(1_700_000_000_000),
    }
}
