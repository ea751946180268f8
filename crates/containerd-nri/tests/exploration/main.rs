//! A session's end and its new beginning, at every moment: a conversation over a connection in memory is counted in pieces of data, and
//! had again with something happening after each of them: the runtime dies, the connection breaks or is stuck, the session is told to
//! stop, or is dropped. On a clock that is not the world's, so that hours of it are seconds.
//!
//! `NRI_SEED` names the order in which what is under way at once happens, `NRI_SEEDS` how many such orders there are. What tokio draws
//! by itself (which of two that are ready goes first, how long a session waits before it dials) is not in the seed.

#![cfg(test)]

mod scene;
mod wire;

use std::time::Duration;

use containerd_nri::State;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::scene::World;
use crate::wire::{Blow, locked};

/// The longest that an ordered end may take: the answers under way, a second for what is written, a moment for the runtime.
const ORDERLY: Duration = Duration::from_secs(3);

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

fn on_a_clock_of_its_own<T>(world: impl Future<Output = T>) -> T {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    tokio.block_on(world)
}

#[test]
fn whatever_happens_at_any_moment_the_session_serves_again_or_ends_in_order() {
    let (first, orders) = (number("NRI_SEED", 1), number("NRI_SEEDS", 2));
    for seed in first..first + orders {
        for blow in Blow::ALL {
            let lives = |at: &u64| {
                let told = on_a_clock_of_its_own(live(blow, *at, seed));
                told.unwrap_or_else(|wrong| panic!("seed {seed}, {blow:?} at {at}: {wrong}"))
            };
            let moments = (0..1_000_000).take_while(lives).count();
            assert!(moments > 50, "{moments} moments");
        }
    }
}

/// Lives through it; the reason if the session did what it must not. False where a whole conversation has not so many moments.
async fn live(blow: Blow, at: u64, order: u64) -> Result<bool, String> {
    let mut world = World::begin(blow, at, order);
    let is_struck = || locked(&world.fate).struck().is_some();
    if !world.until(|seen| is_struck() || seen.whole.contains("connection 0")).await {
        return Err("it does not serve".to_owned());
    }
    // What a runtime says last is not the last that is said.
    sleep(Duration::from_secs(1)).await;
    if !is_struck() {
        return Ok(false);
    }
    if !blow.ends() {
        if !world.until(|seen| seen.whole.contains("connection 1")).await {
            return Err("it does not serve again".to_owned());
        }
        world.handle.stop();
    }
    let told = if blow.ends() { None } else { Some(Instant::now()) };
    let ended = world.ends().await.ok_or("it does not end")?;
    let struck = locked(&world.fate).struck().ok_or("nothing happened")?;
    let took = ended - told.unwrap_or(struck);
    if took > ORDERLY {
        return Err(format!("its end took {took:?}"));
    }
    // What outlives a session by intent: handlers, and what waits for its answer.
    sleep(Duration::from_secs(30)).await;
    let seen = world.plugin.seen();
    let answers =
        |(pod, began): (&String, &Instant)| *began >= struck || seen.answered.contains(pod);
    let wrongs = [
        (!matches!(world.handle.state(), State::Stopped), "its state is not that it stopped"),
        (seen.open > 0, "the runtime sees the connection open"),
        (!seen.wrong.is_empty(), "an event came where it must not"),
        (seen.begun.len() != seen.ended.len(), "a handler did not end"),
        (seen.asked != seen.heard, "nothing came of an update"),
        (
            blow == Blow::Stop && !seen.begun.iter().all(answers),
            "an answer under way was not given",
        ),
        (Handle::current().metrics().num_alive_tasks() > 0, "a task is left"),
    ];
    match wrongs.into_iter().find(|(is_so, _)| *is_so) {
        Some((_, wrong)) => Err(format!("{wrong}: {seen:?}")),
        None => Ok(true),
    }
}
