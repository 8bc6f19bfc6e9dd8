use local::Stack;

use crate::ecosystem::{Ecosystem, SERVICES};
use crate::load::{RunningLoad, assert_verdicts};

const ORDERS: usize = 800;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_asked_to_stop_under_load_finishes_its_work_first() -> anyhow::Result<()> {
    let ecosystem = Ecosystem::start(Stack::builder().single_instances()).await?;
    let load = RunningLoad::begin(ecosystem.part("orders"), ORDERS)?;

    for (round, service) in [SERVICES, SERVICES].concat().into_iter().enumerate() {
        load.wait_acknowledged((round + 1) * ORDERS / 10);
        let part = ecosystem.part(service);
        part.stop();
        let status = part.exit_status().expect("it has ended");
        assert_eq!(status.code(), Some(0), "{service} ended with {status}:\n{}", part.log_tail(20));
        part.start()?;
    }

    let acknowledged = load.end().await;
    assert_verdicts(&ecosystem.orders, &acknowledged).await;
    ecosystem.assert_sound(&acknowledged).await?;

    // What was decided is what a process that has seen nothing of it reads back.
    ecosystem.part("orders").start()?;
    assert_verdicts(&ecosystem.orders, &acknowledged).await;
    Ok(())
}
