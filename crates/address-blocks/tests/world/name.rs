//! Two worlds that differ only in what uids and versions are called are one.

use address_blocks::{Renamed as _, Uid, Version};

use super::{World, host::Flight};

impl World {
    /// Calls uids and versions by their rank.
    pub(crate) fn rank(&mut self) {
        self.share_next_uid();
        let (mut uids, mut versions) = (Vec::new(), Vec::new());
        self.rename(&mut |uid| uids.push(*uid), &mut |version| versions.push(*version));
        uids.sort_unstable();
        uids.dedup();
        versions.sort_unstable();
        versions.dedup();
        // Nothing is none: it stays.
        let uids: Vec<Uid> = uids.into_iter().filter(|uid| uid.0 > 0).collect();
        let versions: Vec<Version> = versions.into_iter().filter(|version| version.0 > 0).collect();
        let mut uid =
            |uid: &mut Uid| uid.0 = uids.binary_search(uid).map_or(0, |at| at as u128 + 1);
        let mut version = |version: &mut Version| {
            version.0 = versions.binary_search(version).map_or(0, |at| at as u64 + 1);
        };
        self.rename(&mut uid, &mut version);
    }

    fn share_next_uid(&mut self) {
        // A uid is never used twice, whatever becomes of the server's data.
        if let Some(backup) = &mut self.backup {
            backup.next_uid = self.server.next_uid;
        }
        if let Some(cache) = &mut self.cache {
            cache.next_uid = self.server.next_uid;
        }
    }

    fn rename(&mut self, uids: &mut dyn FnMut(&mut Uid), versions: &mut dyn FnMut(&mut Version)) {
        for server in [Some(&mut self.server), self.backup.as_mut(), self.cache.as_mut()]
            .into_iter()
            .flatten()
        {
            server.objects.values_mut().for_each(|object| object.rename(uids, versions));
            versions(&mut server.version);
            uids(&mut server.next_uid);
        }
        for host in &mut self.hosts {
            if let Some(daemon) = &mut host.daemon {
                daemon.rename(uids, versions);
            }
            if let Some(file) = &mut host.file {
                file.rename(uids, versions);
            }
            match &mut host.flight {
                Flight::Asked(request) => request.rename(uids, versions),
                Flight::Answered(answer) => answer.rename(uids, versions),
                Flight::None => {}
            }
            if let Some((_, uid, _)) = &mut host.wire {
                uids(uid);
            }
        }
        for (_, request) in &mut self.delayed {
            request.rename(uids, versions);
        }
        self.reclaimer.rename(uids, versions);
    }
}
