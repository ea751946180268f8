//! Who is told of looks at the machine, to prove something of that moment or to have something happen in it. Sees no answer.

use std::{fmt, sync::Arc};

/// What is told the name of a look.
type Told = dyn Fn(&str) + Send + Sync;

/// Somebody, or nobody.
#[derive(Clone, Default)]
pub(super) struct Witness(Option<Arc<Told>>);

impl Witness {
    pub(super) fn new(told: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    pub(super) fn tell(&self, look: &str) {
        if let Some(told) = &self.0 {
            told(look);
        }
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Witness").field(&self.0.is_some()).finish()
    }
}
