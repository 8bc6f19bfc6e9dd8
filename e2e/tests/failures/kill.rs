#![expect(clippy::disallowed_methods, reason = "a seed is drawn, or given to repeat a run")]

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::{env, thread};

use local::{Error, Stack};

use crate::ecosystem::Ecosystem;
use crate::load::{RunningLoad, assert_verdicts};

const KILLED: [&str; 3] = ["orders", "order-details", "kafka"];

const ORDERS: usize = 2_000;

/// Repeats the moments of a run, as far as these are in anyone's hand.
const SEED: &str = "MILLRACE_SEED";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_is_lost_or_decided_twice_when_everything_is_killed_twice() -> anyhow::Result<()> {
    let seed = env::var(SEED).map_or_else(|_| Ok(RandomState::new().hash_one(())), |seed| seed.parse())?;
    println!("{SEED}={seed} repeats this");
    let mut random = fastrand::Rng::with_seed(seed);
    let ecosystem = Ecosystem::start(Stack::builder()).await?;
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

fn shuffled(random: &mut fastrand::Rng) -> [&'static str; 3] {
    let mut parts = KILLED;
    random.shuffle(&mut parts);
    parts
}
