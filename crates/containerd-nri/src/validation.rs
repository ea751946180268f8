//! What all plugins together ask of a container about to be created, and which plugin asked for what. For a plugin that
//! judges the others; judges nothing itself.

use std::collections::BTreeMap;

use crate::adjustment::ContainerAdjustment;
use crate::identity::Identity;
use crate::numbered::numbered;
use crate::update::ContainerUpdate;
use crate::wire::nri as wire;

/// What all plugins together ask of a container about to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Validation {
    /// What is to be changed about the container.
    pub adjustment: ContainerAdjustment,
    /// What is to be changed about others.
    pub updates: Vec<ContainerUpdate>,
    /// Which plugin asked for what.
    pub owners: Owners,
    /// The plugins that were asked, in their order.
    pub plugins: Vec<Identity>,
}

/// Which plugin asked for what. A plugin is named `10-name`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    owners: BTreeMap<String, BTreeMap<(Setting, Option<String>), String>>,
}

impl Owners {
    /// The plugin that asked for this setting of this container.
    pub fn of(&self, container_id: &str, setting: Setting) -> Option<&str> {
        self.owners.get(container_id)?.get(&(setting, None)).map(String::as_str)
    }

    /// The plugin that asked for one of the settings that there are many of: an environment variable by its name, a
    /// mount by its destination, a device by its path.
    pub fn of_key(&self, container_id: &str, setting: Setting, key: &str) -> Option<&str> {
        let of = self.owners.get(container_id)?;
        of.get(&(setting, Some(key.to_owned()))).map(String::as_str)
    }

    /// All that was asked of this container: the setting, its key where there are many, and the plugin.
    pub fn iter(&self, container_id: &str) -> impl Iterator<Item = (Setting, Option<&str>, &str)> {
        let of = self.owners.get(container_id).into_iter().flatten();
        of.map(|((setting, key), plugin)| (*setting, key.as_deref(), plugin.as_str()))
    }

    /// The containers that something was asked of.
    pub fn containers(&self) -> impl Iterator<Item = &str> {
        self.owners.keys().map(String::as_str)
    }
}

numbered! {
    /// Something about a container that a plugin can set.
    Setting {
        /// Nothing.
        None = 0,
        /// Annotations, by key.
        Annotations = 1,
        /// Mounts, by destination.
        Mounts = 2,
        /// OCI hooks. Any number of plugins may add to them: their names are joined by commas.
        OciHooks = 3,
        /// Device nodes, by path.
        Devices = 4,
        /// CDI devices, by name.
        CdiDevices = 5,
        /// Environment variables, by name.
        Env = 6,
        /// The command and its arguments.
        Args = 7,
        /// `memory_limit` of the resources.
        MemoryLimit = 8,
        /// `memory_reservation` of the resources.
        MemoryReservation = 9,
        /// `memory_swap` of the resources.
        MemorySwap = 10,
        /// `memory_kernel` of the resources.
        MemoryKernel = 11,
        /// `memory_kernel_tcp` of the resources.
        MemoryKernelTcp = 12,
        /// `memory_swappiness` of the resources.
        MemorySwappiness = 13,
        /// `disable_oom_killer` of the resources.
        DisableOomKiller = 14,
        /// `use_hierarchy` of the resources.
        UseHierarchy = 15,
        /// `cpu_shares` of the resources.
        CpuShares = 16,
        /// `cpu_quota` of the resources.
        CpuQuota = 17,
        /// `cpu_period` of the resources.
        CpuPeriod = 18,
        /// `cpu_realtime_runtime` of the resources.
        CpuRealtimeRuntime = 19,
        /// `cpu_realtime_period` of the resources.
        CpuRealtimePeriod = 20,
        /// `cpuset_cpus` of the resources.
        CpusetCpus = 21,
        /// `cpuset_mems` of the resources.
        CpusetMems = 22,
        /// `pids_limit` of the resources.
        PidsLimit = 23,
        /// Limits on huge pages, by size.
        HugepageLimits = 24,
        /// `blockio_class` of the resources.
        BlockioClass = 25,
        /// `rdt_class` of the resources.
        RdtClass = 26,
        /// Files of the control group, by name.
        Unified = 27,
        /// The control group.
        CgroupsPath = 28,
        /// What is added to the badness of the process.
        OomScoreAdj = 29,
        /// Limits of the process, by kind.
        Rlimits = 30,
        /// The priority at the disk.
        IoPriority = 31,
        /// The system calls allowed.
        SeccompPolicy = 32,
        /// Linux namespaces, by kind.
        Namespaces = 33,
        /// Kernel parameters, by name.
        Sysctl = 34,
        /// Network devices, by their name on the host.
        NetDevices = 35,
        /// How the processor is shared.
        Scheduler = 36,
        /// `clos_id` of the class of cache and bandwidth.
        RdtClosId = 37,
        /// `schemata` of the class of cache and bandwidth.
        RdtSchemata = 38,
        /// `enable_monitoring` of the class of cache and bandwidth.
        RdtEnableMonitoring = 39,
        /// Where memory comes from.
        MemoryPolicy = 40,
    }
}

impl From<wire::Owners> for Owners {
    fn from(owners: wire::Owners) -> Self {
        let mut all = Self::default();
        for (container_id, fields) in owners.of {
            let of = all.owners.entry(container_id).or_default();
            for (number, plugin) in fields.whole {
                of.insert((Setting::from_number(number), None), plugin);
            }
            for (number, keyed) in fields.keyed {
                for (key, plugin) in keyed.of {
                    of.insert((Setting::from_number(number), Some(key)), plugin);
                }
            }
        }
        all
    }
}

impl From<wire::ValidationRequest> for Validation {
    fn from(request: wire::ValidationRequest) -> Self {
        let adjust = request.adjust.into_option();
        let plugins = request.plugins.into_iter();
        Self {
            adjustment: adjust.map(ContainerAdjustment::from).unwrap_or_default(),
            updates: request.updates.into_iter().map(ContainerUpdate::from).collect(),
            owners: request.owners.into_option().map(Owners::from).unwrap_or_default(),
            plugins: plugins.map(|plugin| Identity::told(plugin.name, plugin.index)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_found_by_setting_and_by_key() {
        let keyed = wire::KeyOwners {
            of: [("PATH".to_owned(), "20-b".to_owned())].into(),
            ..wire::KeyOwners::default()
        };
        let fields = wire::FieldOwners {
            whole: [(7, "10-a".to_owned()), (99, "30-c".to_owned())].into(),
            keyed: [(6, keyed)].into(),
            ..wire::FieldOwners::default()
        };
        let owners = Owners::from(wire::Owners {
            of: [("c".to_owned(), fields)].into(),
            ..wire::Owners::default()
        });
        assert_eq!(owners.of("c", Setting::Args), Some("10-a"));
        assert_eq!(owners.of("c", Setting::Other(99)), Some("30-c"));
        assert_eq!(owners.of("c", Setting::Env), None);
        assert_eq!(owners.of_key("c", Setting::Env, "PATH"), Some("20-b"));
        assert_eq!(owners.of("other", Setting::Args), None);
        assert_eq!(owners.iter("c").count(), 3);
    }
}
