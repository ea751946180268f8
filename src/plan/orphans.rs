//! What is in the maps that make services backends, and no lease accounts for: as after the loss of the state directory. Pure.

use std::collections::BTreeSet;

use super::step::Translate;
use crate::types::{TranslationPlace, View};

/// What leases account for.
#[derive(Debug, Default)]
pub struct Accounted {
    /// Whether any lease has a view at all, seen in the maps or not.
    pub is_any: bool,
    /// The namespaces that one holds, of those in the maps.
    pub namespaces: BTreeSet<u64>,
    /// The views that one has, of those in the maps.
    pub views: BTreeSet<View>,
}

/// What takes away views of namespaces, and services of views, that nobody has; all of it where no lease has any.
pub fn orphans(
    place: &TranslationPlace,
    namespaces: &BTreeSet<u64>,
    views: &BTreeSet<View>,
    known: &Accounted,
) -> Vec<Translate> {
    let lost: Vec<&u64> = namespaces.difference(&known.namespaces).collect();
    let idle: Vec<&View> = views.difference(&known.views).collect();
    if lost.is_empty() && idle.is_empty() {
        return Vec::new();
    }
    let place = || place.clone();
    if !known.is_any {
        return vec![Translate::Remove { place: place() }];
    }
    let take =
        lost.into_iter().map(|cookie| Translate::TakeView { place: place(), cookie: *cookie });
    let forget = idle.into_iter().map(|view| Translate::ForgetView { place: place(), view: *view });
    take.chain(forget).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_lease_has_goes_and_all_of_it_with_the_last() {
        let place = TranslationPlace::default();
        let found = |is_any, held: &[u64], used: &[u64]| {
            let (namespaces, views) = ([1, 2].into(), [View(7), View(8)].into());
            let known = Accounted {
                is_any,
                namespaces: held.iter().copied().collect(),
                views: used.iter().copied().map(View).collect(),
            };
            let steps = orphans(&place, &namespaces, &views, &known);
            let words = |step: &Translate| match step {
                Translate::TakeView { cookie, .. } => format!("take {cookie}"),
                Translate::ForgetView { view, .. } => format!("forget {}", view.0),
                other => format!("{other:?}").split(' ').next().unwrap().to_owned(),
            };
            steps.iter().map(words).collect::<Vec<_>>()
        };
        assert_eq!(found(true, &[1, 2], &[7, 8]), [""; 0]);
        assert_eq!(found(true, &[1], &[7]), ["take 2", "forget 8"]);
        assert_eq!(found(false, &[], &[]), ["Remove"]);
        // Of whoever came since, nothing was seen.
        assert_eq!(found(true, &[], &[]), ["take 1", "take 2", "forget 7", "forget 8"]);
        let nothing = orphans(&place, &[].into(), &[].into(), &Accounted::default());
        assert_eq!(nothing, []);
    }
}
