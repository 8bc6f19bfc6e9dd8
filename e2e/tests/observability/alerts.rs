//! Each alert is provoked on the running stack, while orders come, and heard of through Prometheus; then what was broken is
//! mended. In a hurry ([`crate::hasty`]): minutes are seconds.

use std::time::Duration;

use e2e::{NewOrder, OrdersClient};
use local::{Part, Stack};
use shared_schemas::ORDERS;
use test_kit::{Broker, RawRecord, eventually, unique};

use crate::flow::Flow;
use crate::prometheus::Prometheus;
use crate::stack::stack;

/// Provoked, looked at twice, waited for, and made sure of.
const HEARD_WITHIN: Duration = Duration::from_secs(60);

const MENDED_WITHIN: Duration = Duration::from_secs(60);

/// Who looks at the stack while it is broken.
struct Watch {
    stack: &'static Stack,
    prometheus: Prometheus,
    broker: Broker,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_alert_fires_when_what_it_warns_of_happens() -> anyhow::Result<()> {
    let stack = stack();
    let broker = Broker::at(&stack.addresses().kafka_bootstrap);
    let watch = Watch { stack, prometheus: Prometheus::of(stack)?, broker };
    watch.prometheus.hurry().await?;
    let _flow = Flow::begin(stack)?;
    watch.silence().await;

    watch.a_service_is_killed().await?;
    watch.a_service_stands_still().await?;
    watch.records_cannot_be_read().await?;
    watch.an_instance_is_fenced_again_and_again().await;
    watch.a_store_cannot_be_restored().await?;
    watch.the_mail_server_is_away().await?;
    watch.the_broker_is_killed().await
}

impl Watch {
    async fn a_service_is_killed(&self) -> anyhow::Result<()> {
        let details = self.stack.part("order-details");
        details.kill();
        self.heard("ServiceDown", ("instance", "order-details")).await;
        details.start()?;
        self.silence().await;
        Ok(())
    }

    /// It does not say itself that it is behind; and the orders that it has not judged wait for their verdicts.
    async fn a_service_stands_still(&self) -> anyhow::Result<()> {
        let fraud = self.stack.part("fraud");
        fraud.pause();
        self.heard("ConsumerLagGrowing", ("consumergroup", "fraud")).await;
        fraud.resume();
        self.heard("SlowVerdicts", ("severity", "page")).await;
        ready(fraud)?;
        self.silence().await;
        Ok(())
    }

    async fn records_cannot_be_read(&self) -> anyhow::Result<()> {
        self.broker.write(ORDERS.name(), [RawRecord::new("garbage", "this is no Avro")])?;
        self.heard("DeadLetters", ("job", "order-details")).await;
        self.silence().await;
        Ok(())
    }

    /// As by another process that was started in its slot.
    async fn an_instance_is_fenced_again_and_again(&self) {
        eventually("EpochsAborted fires for orders", HEARD_WITHIN, async || {
            self.broker.fence("orders-0-0").ok()?;
            self.is_firing("EpochsAborted", ("job", "orders")).await.then_some(())
        })
        .await;
        self.silence().await;
    }

    /// Somebody holds a transaction open on its changelog: nobody knows what is in the store until it ends.
    async fn a_store_cannot_be_restored(&self) -> anyhow::Result<()> {
        let inventory = self.stack.part("inventory");
        let transaction =
            self.broker.hold_open("inventory-reservations-changelog", RawRecord::new("nobody", "nothing"))?;
        inventory.kill();
        inventory.spawn()?;
        self.heard("RestoreStuck", ("job", "inventory")).await;
        self.heard("ServiceNotReady", ("instance", "inventory")).await;
        drop(transaction);
        ready(inventory)?;
        self.silence().await;
        Ok(())
    }

    async fn the_mail_server_is_away(&self) -> anyhow::Result<()> {
        let mailbox = self.stack.part("mailbox");
        mailbox.kill();
        self.heard("MailsNotSent", ("severity", "ticket")).await;
        mailbox.start()?;
        self.silence().await;
        Ok(())
    }

    async fn the_broker_is_killed(&self) -> anyhow::Result<()> {
        let kafka = self.stack.part("kafka");
        kafka.kill();
        self.heard("BrokerGone", ("component", "broker")).await;
        // Whoever has no exporter in the broker hears of it from views.
        eventually("views say that the broker does not answer", HEARD_WITHIN, async || {
            let reached = self.prometheus.query("views_broker_reachable").await.ok()?;
            reached.iter().any(|reached| reached.value() == 0.0).then_some(())
        })
        .await;
        kafka.start()?;
        let orders = OrdersClient::new(&self.stack.part("orders").url().expect("orders has an HTTP interface"))?;
        let order = NewOrder::good(unique("after-the-outage"));
        orders.place_until_acknowledged(&order, MENDED_WITHIN).await;
        assert_eq!(orders.verdict(&order.id).await?.state, "VALIDATED");
        self.silence().await;
        Ok(())
    }

    async fn heard(&self, alert: &str, label: (&str, &str)) {
        let what = format!("{alert} fires with {} = {}", label.0, label.1);
        eventually(&what, HEARD_WITHIN, async || self.is_firing(alert, label).await.then_some(())).await;
        println!("{what}");
    }

    async fn is_firing(&self, alert: &str, (name, value): (&str, &str)) -> bool {
        let firing = self.prometheus.firing().await.unwrap_or_default();
        let is_it = |labels: &std::collections::BTreeMap<String, String>| {
            labels.get("alertname").is_some_and(|it| it == alert) && labels.get(name).is_some_and(|it| it == value)
        };
        firing.iter().any(|firing| is_it(&firing.labels))
    }

    /// Waits until no alert fires: each has to be heard because of what is broken next.
    async fn silence(&self) {
        let mut before = String::new();
        eventually("no alert fires any more", MENDED_WITHIN, async || {
            let firing = self.prometheus.firing().await.ok()?;
            let mut left: Vec<_> = firing.iter().map(|alert| format!("{:?}", alert.labels)).collect();
            left.sort();
            let left = left.join("\n");
            if left != before {
                println!("still firing: {left}");
            }
            before = left;
            before.is_empty().then_some(())
        })
        .await;
    }
}

fn ready(part: &Part) -> anyhow::Result<()> {
    Ok(part.wait_ready(local::READY_WITHIN)?)
}
