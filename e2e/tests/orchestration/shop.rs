use std::vec::IntoIter;

use e2e::{Mail, NewOrder};
use serde_json::{Value, json};
use shared_schemas::{EMAIL_OUTBOX, MailDue};
use test_kit::{eventually, unique};

use crate::ecosystem::{Ecosystem, PATIENCE, order_of};

/// A shop of one test: customers who order and pay, and what they hear by mail.
///
/// All ids lie in one partition of every topic, so that what happens later is heard later.
pub struct Shop<'e> {
    ecosystem: &'e Ecosystem,
    ids: IntoIter<i64>,
}

/// A customer, and where they have their mail.
#[derive(Clone)]
pub struct Customer {
    pub id: i64,
    pub email: String,
}

impl<'e> Shop<'e> {
    pub fn new(ecosystem: &'e Ecosystem) -> anyhow::Result<Self> {
        Ok(Self { ecosystem, ids: ecosystem.topics.numbers_of_one_partition()?.into_iter() })
    }

    /// Somebody the shop does not know yet.
    pub fn stranger(&mut self) -> Customer {
        Customer { id: self.id(), email: format!("{}@example.org", unique("ada")) }
    }

    pub async fn customer(&mut self, level: &str) -> anyhow::Result<Customer> {
        let customer = self.stranger();
        self.create(&customer, level).await?;
        Ok(customer)
    }

    pub async fn create(&self, customer: &Customer, level: &str) -> anyhow::Result<()> {
        let (customers, document) = (&self.ecosystem.customers, document(customer, level));
        let created = customers.put(&path(customer), ("If-None-Match", "*"), &document).await?;
        anyhow::ensure!(created.status == 201, "{} {}", created.status, created.body);
        Ok(())
    }

    /// Has the mail of a customer go elsewhere, if this is the version they have; the status says whether it was.
    pub async fn moves(&self, customer: &mut Customer, version: i32) -> anyhow::Result<u16> {
        let elsewhere = Customer { email: format!("{}@example.org", unique("elsewhere")), ..customer.clone() };
        let (customers, document) = (&self.ecosystem.customers, document(&elsewhere, "BRONZE"));
        let changed = customers.put(&path(customer), ("If-Match", &format!("\"{version}\"")), &document).await?;
        *customer = elsewhere;
        Ok(changed.status.as_u16())
    }

    /// An order of three jumpers, which come to 15 US dollars; nobody objects.
    pub fn order(&mut self, customer: &Customer) -> NewOrder {
        NewOrder { id: self.id().to_string(), customer_id: customer.id, ..order_of("JUMPERS", 3) }
    }

    /// An order of what the shop does not have.
    pub fn order_in_vain(&mut self, customer: &Customer) -> NewOrder {
        NewOrder { product: "STOCKINGS".to_string(), ..self.order(customer) }
    }

    /// Pays for an order; the answer is the payment.
    pub async fn pay(&mut self, order: &NewOrder, amount: &str) -> anyhow::Result<Value> {
        self.pay_in(order, amount, "USD").await
    }

    pub async fn pay_in(&mut self, order: &NewOrder, amount: &str, currency: &str) -> anyhow::Result<Value> {
        let amount: serde_json::Number = amount.parse()?;
        let payment = json!({
            "id": self.id().to_string(), "orderId": order.id, "amount": amount, "currency": currency,
        });
        let received = self.ecosystem.payments.post("/v1/payments", &payment).await?;
        anyhow::ensure!(received.status == 201, "{} {}", received.status, received.body);
        Ok(payment)
    }

    /// Waits until all that was said in this shop has been heard: by then, somebody who comes, orders and pays last has
    /// their mail.
    pub async fn all_is_heard(&mut self) -> anyhow::Result<()> {
        let last = self.customer("BRONZE").await?;
        let order = self.order(&last);
        self.ecosystem.order(&order).await?;
        self.pay(&order, "15.00").await?;
        self.mails(&last, 1).await;
        Ok(())
    }

    /// The mails of a customer, as soon as there are so many.
    pub async fn mails(&self, customer: &Customer, count: usize) -> Vec<Mail> {
        let what = format!("{} has {count} mails", customer.email);
        eventually(&what, PATIENCE, async || {
            self.ecosystem.mailbox.mails(&customer.email).await.ok().filter(|mails| mails.len() >= count)
        })
        .await
    }

    /// The subjects of all mails a customer has, once all that was said has been heard.
    pub async fn subjects(&mut self, customer: &Customer) -> anyhow::Result<Vec<String>> {
        self.all_is_heard().await?;
        let mails = self.ecosystem.mailbox.mails(&customer.email).await?;
        Ok(mails.into_iter().map(|mail| mail.subject).collect())
    }

    /// The mails that were ever due about an order, once all that was said has been heard.
    pub async fn due(&mut self, order: &NewOrder) -> anyhow::Result<Vec<MailDue>> {
        self.all_is_heard().await?;
        let mut due = self.ecosystem.topics.values(&EMAIL_OUTBOX).await?;
        due.retain(|mail| mail.order_id == order.id);
        Ok(due)
    }

    fn id(&mut self) -> i64 {
        self.ids.next().expect("a test needs few ids")
    }
}

pub fn confirmation(order: &NewOrder) -> String {
    format!("Your order {} is confirmed", order.id)
}

pub fn rejection(order: &NewOrder) -> String {
    format!("Your order {} could not be accepted", order.id)
}

fn path(customer: &Customer) -> String {
    format!("/v1/customers/{}", customer.id)
}

fn document(customer: &Customer, level: &str) -> Value {
    json!({
        "firstName": "Ada", "lastName": "Miller", "email": customer.email, "address": "1 Mill Lane", "level": level,
    })
}
