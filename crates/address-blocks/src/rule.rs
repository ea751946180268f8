//! The rules of the protocol by name. They all hold; a test may take one away to see what goes wrong without it.

/// A rule that a state machine here keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A write whose answer was lost is believed by nobody: own blocks are read before anything else is written.
    LostAnswerIsRead,
    /// A block is marked as given back before it is deleted, and the DELETE names the state that the mark came to.
    MarkedBeforeDeleted,
    /// A mark that is withdrawn is withdrawn on the server before an address is given, and the wire is asked again.
    WithdrawnThenAsked,
    /// A daemon that is dead gives no longer than one that lives may need to see a loss.
    DeadGivesNothing,
    /// Who has not heard from the server for the time of holding gives nothing new.
    Hold,
    /// Only a read of one's own blocks is contact, and nothing is written before it.
    ContactIsReading,
    /// Nothing more is given from a block that is gone or another's.
    LostGivesNothing,
    /// The wire is asked for a block before its first use.
    WireIsAsked,
    /// A new block waits until a former owner must have seen its loss.
    Settle,
    /// Nobody takes a block in the first time after an outage.
    QuietAfterOutage,
    /// Another's block is deleted only when its owner has been gone for so long that it gives nothing any more.
    ReclaimWaits,
    /// The owner is a machine and not only a name.
    OwnerIsMachine,
    /// What was kept while one could not hear for the time of holding, or was dead for longer than what was published is good for, is asked
    /// for on the wire again.
    AskedAfterAbsence,
    /// It is marked first, which its owner sees and withdraws if it is there.
    ReclaimMarks,
    /// A block that is not remembered is unchecked.
    UnrememberedIsUnchecked,
}

/// Which rules are kept: all of them.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    #[cfg(feature = "explore")]
    removed: Option<Rule>,
}

impl Rules {
    /// All but this one.
    #[cfg(feature = "explore")]
    pub fn without(rule: Rule) -> Self {
        Self { removed: Some(rule) }
    }

    /// Whether `rule` is kept.
    #[cfg(feature = "explore")]
    pub fn keep(&self, rule: Rule) -> bool {
        self.removed != Some(rule)
    }

    #[cfg(not(feature = "explore"))]
    #[expect(clippy::unused_self, reason = "a test's answer may be another one")]
    pub(crate) const fn keep(&self, _: Rule) -> bool {
        true
    }
}
