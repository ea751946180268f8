//! Looks back: what was done to whom, and who had what at a moment. Changes nothing, and makes no journal where there is none.

use std::io;

use super::chronicle::of_lease;
use crate::{
    history::{Entry, History, Moment, Subject, What, held_at},
    lease::{Lease, LeaseStore},
};

/// What was done to `subject`, or to all, from `since` on, the oldest first; and how many lines could not be read.
pub fn recall(
    history: &History,
    subject: Option<&Subject>,
    since: Option<Moment>,
) -> io::Result<(Vec<Entry>, u64)> {
    let mut told = Vec::new();
    let unreadable = history.read(|entry| {
        let is_meant = subject.is_none_or(|subject| subject.is_of(&entry));
        if is_meant && since.is_none_or(|since| entry.at >= since) {
            told.push(entry);
        }
    })?;
    Ok((told, unreadable))
}

/// Who had `subject`, or anything, at `moment`; and how many lines could not be read. Of a lease that is older than the journal, it
/// tells itself.
pub fn recall_at(
    history: &History,
    leases: Option<&LeaseStore>,
    subject: Option<&Subject>,
    moment: Moment,
) -> io::Result<(Vec<Entry>, u64)> {
    let (told, unreadable) = recall(history, None, None)?;
    let mut held = held_at(&told, moment);
    let there = leases.and_then(|leases| leases.each().ok()).into_iter().flatten().flatten();
    for lease in there.filter(|lease| Moment::of_seconds(lease.created) <= moment) {
        let is_told =
            |entry: &Entry| entry.what == What::Attached && entry.id.as_ref() == Some(&lease.id);
        if !told.iter().any(is_told) {
            held.entry(lease.id.clone()).or_insert_with(|| given(history, &lease));
        }
    }
    let mut had: Vec<Entry> = held.into_values().collect();
    had.retain(|entry| subject.is_none_or(|subject| subject.is_of(entry)));
    had.sort_by_key(|entry| entry.at);
    Ok((had, unreadable))
}

/// What a lease tells of its own beginning.
fn given(history: &History, lease: &Lease) -> Entry {
    let entry = Entry::now(What::Attached, history.by());
    of_lease(Entry { at: Moment::of_seconds(lease.created), ..entry }, lease)
}
