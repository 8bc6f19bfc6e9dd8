use serde_json::json;

use crate::ecosystem;

#[tokio::test]
async fn a_customer_moves_house_and_any_instance_knows() -> anyhow::Result<()> {
    let customers = ecosystem()?.customers;
    let path = "/v1/customers/2000000009";
    let mut customer = json!({
        "firstName": "Ivan", "lastName": "Miller", "email": "ivan@example.com", "address": "9 Mill Lane", "level": "SILVER",
    });
    assert_eq!(customers[0].put(path, ("If-None-Match", "*"), &customer).await?.status, 201);
    for changed_through in &customers {
        let seen = changed_through.get(path).await?;
        customer["address"] = json!(format!("{} Mill Lane", seen.body["version"]));
        let changed = changed_through.put(path, ("If-Match", seen.header("etag")?), &customer).await?;
        assert_eq!(changed.status, 200, "{}", changed.body);
        for read_through in &customers {
            let read = read_through.get(&format!("{path}?timeout=0")).await?;
            assert_eq!(
                (read.body, read.headers["etag"].clone()),
                (changed.body.clone(), changed.headers["etag"].clone())
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_customer_of_the_demo_is_not_created_again() -> anyhow::Result<()> {
    let customers = ecosystem()?.customers;
    let nobody = json!({
        "firstName": "No", "lastName": "Body", "email": "nobody@example.com", "address": "0", "level": "PLATINUM",
    });
    for instance in &customers {
        let refused = instance.put("/v1/customers/1", ("If-None-Match", "*"), &nobody).await?;
        assert_eq!((refused.status.as_u16(), &refused.body["customer"]["firstName"]), (412, &json!("Ada")));
    }
    Ok(())
}
