//! The floor: the fewest netlink messages that lead to the end state, each sent by hand and acknowledged, nothing else. What an
//! attachment does beside the end state (looking before it acts, the record, the announcement) is not in it, nor is the nft table:
//! beside it stands the floor with those promises, each kept as cheaply as one can by hand.

use std::{fs::File, os::fd::AsRawFd as _};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};

use crate::{
    contender::{Contender, Worker},
    line::Line,
    messages::{HOST_END, MACVLAN, deletion, macvlan, network, path_inside, path_outside, veth},
    netns_support::{command::run, sandbox::Sandbox},
    promises::Promises,
};

pub(crate) struct Floor {
    sandbox: Sandbox,
    card: u32,
    promises: Option<Promises>,
    messages: [u64; 2],
}

impl Floor {
    pub(crate) fn new(promises: Option<Promises>) -> Self {
        let shown = run("ip", &["-j", "link", "show", "dev", "card0"]).json();
        let card = shown[0]["ifindex"].as_u64().and_then(|index| u32::try_from(index).ok());
        let card = card.expect("card0 has a number");
        Self { sandbox: Sandbox::nameless(), card, promises, messages: [0; 2] }
    }
}

impl Contender for Floor {
    fn name(&self) -> &'static str {
        if self.promises.is_some() { "floor + promises" } else { "floor" }
    }

    fn attach(&mut self) {
        let namespace = File::open(&self.sandbox.path).expect("our own namespace");
        let host = Line::open();
        let (inside, speaker) = self
            .sandbox
            .inside(|| (Line::open(), self.promises.as_ref().map(|_| Promises::speaker())));
        let mut messages = 0;
        if let Some(promises) = &self.promises {
            messages += promises.before(self.card, &host, &inside, &namespace);
        }
        let new = NLM_F_CREATE | NLM_F_EXCL;
        messages += host.say(vec![(veth(namespace.as_raw_fd()), new)])
            + inside.say(path_inside())
            + host.say(path_outside())
            + host.say(vec![(macvlan(self.card, namespace.as_raw_fd()), new)])
            + inside.say(network());
        if let (Some(promises), Some(speaker)) = (&self.promises, &speaker) {
            messages += promises.after(&inside, speaker);
        }
        self.messages[0] = messages;
    }

    fn detach(&mut self) {
        let namespace = File::open(&self.sandbox.path).expect("our own namespace");
        let inside = self.sandbox.inside(Line::open);
        if let Some(promises) = &self.promises {
            promises.before_the_end(&inside, &namespace);
        }
        self.messages[1] =
            inside.say(vec![deletion(MACVLAN)]) + Line::open().say(vec![deletion(HOST_END)]);
        if let Some(promises) = &self.promises {
            promises.after_the_end();
        }
    }

    fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    fn messages(&mut self) -> [Option<u64>; 2] {
        self.messages.map(Some)
    }

    fn worker(&self) -> Worker {
        Worker::Bench
    }
}
