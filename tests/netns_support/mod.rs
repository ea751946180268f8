//! What every namespace test stands on: a network namespace that plays the host, sandboxes, containers, dumps, traffic.
//! Never touches the machine's own namespace; whatever cannot be set up is a panic that says why, never a skip.
#![expect(dead_code, reason = "every test file, and the bench, uses its own part of this")]

pub(crate) mod browser;
pub(crate) mod card;
pub(crate) mod command;
pub(crate) mod config;
pub(crate) mod container;
pub(crate) mod diagnosis;
pub(crate) mod dice;
pub(crate) mod dump;
pub(crate) mod eventually;
pub(crate) mod flap;
pub(crate) mod follower;
pub(crate) mod host;
pub(crate) mod killing;
pub(crate) mod kubelet;
pub(crate) mod node;
pub(crate) mod numbers;
pub(crate) mod processor;
pub(crate) mod refusal;
pub(crate) mod sandbox;
pub(crate) mod schema;
pub(crate) mod traffic;
