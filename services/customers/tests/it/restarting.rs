use test_kit::{answer, problem};

use crate::harness::{Customers, customer, new_id};

#[tokio::test]
async fn a_service_that_was_stopped_or_killed_knows_every_customer_and_its_version() -> anyhow::Result<()> {
    let customers = Customers::started(&[])?;
    let ids: Vec<i64> = (0..20).map(|_| new_id()).collect();
    for id in &ids {
        customers.create(*id).await?;
    }
    for (seen, next) in [(1, 2), (2, 3)] {
        if seen == 1 {
            assert!(customers.service.stop()?.success(), "it ends in good order");
        } else {
            customers.service.kill()?;
        }
        customers.service.start()?;
        for id in &ids {
            let tag = format!("\"{seen}\"");
            assert_eq!(answer(customers.get(*id, "?timeout=0").await?, 200).await?["version"], seen);
            let change = customer(&format!("Ada the {next}."));
            assert_eq!(answer(customers.put(*id, ("If-Match", &tag), &change).await?, 200).await?["version"], next);
            problem(customers.put(*id, ("If-Match", &tag), &change).await?, 412).await?;
        }
    }
    for id in ids {
        assert_eq!(customers.versions(id)?, [1, 2, 3], "nothing is said again");
    }
    Ok(())
}
