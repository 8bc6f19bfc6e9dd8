#![expect(clippy::disallowed_methods, reason = "a seed is drawn, or given to repeat a run")]

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::BuildHasher;

/// Repeats the moments of a run, as far as these are in anyone's hand.
const SEED: &str = "MILLRACE_SEED";

/// What a test draws its moments from; says how to draw the same again.
pub fn random() -> anyhow::Result<fastrand::Rng> {
    let seed = env::var(SEED).map_or_else(|_| Ok(RandomState::new().hash_one(())), |seed| seed.parse())?;
    println!("{SEED}={seed} repeats this");
    Ok(fastrand::Rng::with_seed(seed))
}
