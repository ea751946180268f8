//! How random tests draw: the same cases each time, others on demand (`PROPTEST_RNG_SEED`, `PROPTEST_CASES`).

use proptest::test_runner::{Config, RngSeed};

/// So many cases, unless the environment asks for others.
pub(crate) fn cases(usual: u32) -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = usual;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(0x5eed);
    }
    config
}
