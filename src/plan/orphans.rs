//! What is in the maps that make services backends, and no lease accounts for: as after the loss of the state directory. Pure.

use std::collections::BTreeSet;

use super::step::Translate;
use crate::types::{TranslationPlace, View};

/// What takes away views of namespaces, and services of views, that nobody has; all of it where nothing is left. `is_held` tells whether a
/// lease holds a namespace, `is_used` whether one has a view.
pub fn orphans(
    place: &TranslationPlace,
    namespaces: &BTreeSet<u64>,
    views: &BTreeSet<View>,
    is_held: impl Fn(u64) -> bool,
    is_used: impl Fn(View) -> bool,
) -> Vec<Translate> {
    let place = || place.clone();
    let lost: Vec<u64> = namespaces.iter().copied().filter(|cookie| !is_held(*cookie)).collect();
    let idle: Vec<View> = views.iter().copied().filter(|view| !is_used(*view)).collect();
    let is_all = lost.len() == namespaces.len() && idle.len() == views.len();
    if is_all && !(lost.is_empty() && idle.is_empty()) {
        return vec![Translate::Remove { place: place() }];
    }
    let take = lost.into_iter().map(|cookie| Translate::TakeView { place: place(), cookie });
    let forget = idle.into_iter().map(|view| Translate::ForgetView { place: place(), view });
    take.chain(forget).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_lease_has_goes_and_all_of_it_with_the_last() {
        let place = TranslationPlace::default();
        let found = |held: &[u64], used: &[u64]| {
            let (namespaces, views) = ([1, 2].into(), [View(7), View(8)].into());
            let is_held = |cookie| held.contains(&cookie);
            let steps =
                orphans(&place, &namespaces, &views, is_held, |view| used.contains(&view.0));
            let words = |step: &Translate| match step {
                Translate::TakeView { cookie, .. } => format!("take {cookie}"),
                Translate::ForgetView { view, .. } => format!("forget {}", view.0),
                other => format!("{other:?}").split(' ').next().unwrap().to_owned(),
            };
            steps.iter().map(words).collect::<Vec<_>>()
        };
        assert_eq!(found(&[1, 2], &[7, 8]), [""; 0]);
        assert_eq!(found(&[1], &[7]), ["take 2", "forget 8"]);
        assert_eq!(found(&[], &[7]), ["take 1", "take 2", "forget 8"]);
        assert_eq!(found(&[], &[]), ["Remove"]);
        let nothing = orphans(&place, &[].into(), &[].into(), |_| false, |_| false);
        assert_eq!(nothing, []);
    }
}
