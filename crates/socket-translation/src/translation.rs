//! What is installed, for who uses it: which namespace has which view, and what services a view has. Each change is whole at every moment.

use std::collections::BTreeSet;

use crate::{
    Capacity, Conversation, Error, Place, Service, conversation,
    layout::Which,
    maps::Maps,
    publication,
    view::{self, Published},
};

/// An installation that is open.
#[derive(Debug)]
pub struct Translation {
    place: Place,
    maps: Maps,
}

impl Translation {
    /// Makes it, where it is missing or not right, for maps of this capacity; what is there stays.
    pub fn install(place: &Place, capacity: &Capacity) -> Result<Self, Error> {
        Ok(Self { maps: place.install(capacity)?, place: place.clone() })
    }

    /// What is installed; `None` when nothing is, or not by this version.
    pub fn open(place: &Place) -> Result<Option<Self>, Error> {
        let maps = Maps::open(&place.directory())?;
        Ok(maps.map(|maps| Self { maps, place: place.clone() }))
    }

    /// What is wrong with what should be installed: a link that is gone or elsewhere, another program in the place of one, a cgroup that was
    /// removed. `None` when nothing is.
    pub fn complaint(place: &Place) -> Result<Option<String>, Error> {
        place.judge()
    }

    /// What keeps another namespace from being given a view, whether it is made already or not: the first of
    /// [`obstacles`](Translation::obstacles), which are looked for where something is missing, and who translates here besides.
    pub fn hindrance(place: &Place) -> Result<Option<Error>, Error> {
        place.hindrance()
    }

    /// What would keep it from being made: a directory of another kind, a kernel that does not take the programs, somebody in the way.
    /// Leaves nothing behind.
    pub fn obstacles(place: &Place) -> Vec<Error> {
        place.obstacles()
    }

    /// Takes all of it away.
    pub fn remove(place: &Place) -> Result<(), Error> {
        place.remove()
    }

    /// From here on what the namespace with this cookie (`SO_NETNS_COOKIE`) asks is looked for among the services of `view`. `false` where
    /// there is no room for another namespace.
    pub fn give_view(&self, cookie: u64, view: u64) -> Result<bool, Error> {
        self.maps.get(Which::Sandboxes).put(&cookie.to_ne_bytes(), &view.to_ne_bytes())
    }

    /// The view of a namespace.
    pub fn view_of(&self, cookie: u64) -> Result<Option<u64>, Error> {
        let view = self.maps.get(Which::Sandboxes).get(&cookie.to_ne_bytes())?;
        Ok(view.map(u64::from_ne_bytes))
    }

    /// The namespace is asked nothing more.
    pub fn take_view(&self, cookie: u64) -> Result<(), Error> {
        self.maps.get(Which::Sandboxes).remove(&cookie.to_ne_bytes())
    }

    /// The namespaces that have a view, by their cookies.
    pub fn namespaces(&self) -> Result<BTreeSet<u64>, Error> {
        let keys = self.maps.get(Which::Sandboxes).keys::<8>()?;
        Ok(keys.into_iter().map(u64::from_ne_bytes).collect())
    }

    /// Makes `services` all that the view has. What is there already stays untouched; a service is seen with its old backends or with its
    /// new ones, never with some of both. One that there is no room for stays as it was, and the others are published all the same.
    pub fn publish(&self, view: u64, services: &[Service]) -> Result<(), Error> {
        let _lock = self.place.lock()?;
        publication::publish(&self.maps, view, services)
    }

    /// What was last published for a view, or none of it if that did not come to its end. Compare with [`digest`](crate::digest).
    pub fn published(&self, view: u64) -> Result<Option<u64>, Error> {
        Ok(match view::published(&self.maps, view)? {
            Published::All(digest) => Some(digest),
            Published::Unknown => None,
        })
    }

    /// Whether a view has just these services, and each element of the maps is as it was written: more than
    /// [`published`](Translation::published) tells, and it costs some system calls for each backend.
    pub fn holds(&self, view: u64, services: &[Service]) -> Result<bool, Error> {
        view::holds(&self.maps, view, services)
    }

    /// The services of a view as they are in the maps, in the order of their keys, with a backend for each slot.
    pub fn services(&self, view: u64) -> Result<Vec<Service>, Error> {
        view::services(&self.maps, view)
    }

    /// The UDP sockets of the calling thread's network namespace, which has this cookie, that are connected to what was chosen for a service
    /// there, whatever has become of both. Costs two netlink messages, and a system call for each connected UDP socket.
    pub fn conversations(&self, namespace: u64) -> Result<Vec<Conversation>, Error> {
        conversation::all(&self.maps, namespace)
    }

    /// Ends these, of the calling thread's network namespace; what is over is over. The socket stays, connected to nobody.
    pub fn end(conversations: &[Conversation]) -> Result<(), Error> {
        conversation::end(conversations)
    }

    /// Why this kernel ends no conversation. Ends a socket of its own to see that.
    pub fn inability_to_end() -> Option<Error> {
        conversation::inability()
    }

    /// The view has no services more, and is forgotten.
    pub fn forget(&self, view: u64) -> Result<(), Error> {
        let _lock = self.place.lock()?;
        publication::forget(&self.maps, view)
    }

    /// The views that something was published for.
    pub fn views(&self) -> Result<BTreeSet<u64>, Error> {
        let keys = self.maps.get(Which::Views).keys::<8>()?;
        Ok(keys.into_iter().map(u64::from_ne_bytes).collect())
    }
}
