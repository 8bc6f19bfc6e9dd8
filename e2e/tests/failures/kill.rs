use std::thread;

use local::{Error, Stack};

use crate::ecosystem::Ecosystem;
use crate::load::{RunningLoad, assert_verdicts};
use crate::seed;

const KILLED: [&str; 5] = ["orders", "order-details", "fraud", "inventory", "kafka"];

const ORDERS: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_is_lost_or_decided_twice_when_everything_is_killed_twice() -> anyhow::Result<()> {
    let mut random = seed::random()?;
    let ecosystem = Ecosystem::start(Stack::builder().single_instances()).await?;
    let load = RunningLoad::begin(ecosystem.part("orders"), ORDERS)?;

    kill_one_after_another(&ecosystem.stack, &load, &mut random)?;
    kill_all_at_once(&ecosystem.stack, &load, &mut random)?;

    let acknowledged = load.end().await;
    assert_verdicts(&ecosystem.orders, &acknowledged).await;
    ecosystem.assert_sound(&acknowledged).await
}

fn kill_one_after_another(stack: &Stack, load: &RunningLoad, random: &mut fastrand::Rng) -> Result<(), Error> {
    let mut moments = KILLED.map(|_| random.usize(1..ORDERS / 2));
    moments.sort_unstable();
    for (name, moment) in shuffled(random).into_iter().zip(moments) {
        load.wait_acknowledged(moment);
        println!("{name} is killed after {moment} orders");
        stack.part(name).kill();
        stack.part(name).start()?;
    }
    Ok(())
}

fn kill_all_at_once(stack: &Stack, load: &RunningLoad, random: &mut fastrand::Rng) -> Result<(), Error> {
    let moment = random.usize(ORDERS / 2..ORDERS * 8 / 10);
    load.wait_acknowledged(moment);
    let victims = shuffled(random);
    println!("{victims:?} are killed after {moment} orders");
    victims.iter().for_each(|name| stack.part(name).kill());
    thread::scope(|scope| {
        let starts = shuffled(random).map(|name| scope.spawn(|| stack.part(name).start()));
        starts.into_iter().try_for_each(|start| start.join().expect("a start does not panic"))
    })
}

fn shuffled(random: &mut fastrand::Rng) -> [&'static str; KILLED.len()] {
    let mut parts = KILLED;
    random.shuffle(&mut parts);
    parts
}
