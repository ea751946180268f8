//! The number of a link by its name, asked for once an operation.

use crate::kernel::{KernelError, LinuxKernel, rtnetlink::ask};
use crate::{plan::step::Place, types::InterfaceName};

impl LinuxKernel {
    /// The number of a link that this operation works on.
    pub(in crate::kernel) fn index(
        &mut self,
        place: Place,
        name: &InterfaceName,
    ) -> Result<u32, KernelError> {
        if let Some(index) = self.indexes.get(&(place, name.clone())) {
            return Ok(*index);
        }
        let found = ask::index(self.netlink(place)?, name);
        let found = found.map_err(KernelError::refused("look at", name.to_string()))?;
        let index = found.ok_or_else(|| KernelError::LinkGone { name: name.into(), place })?;
        self.indexes.insert((place, name.clone()), index);
        Ok(index)
    }

    pub(in crate::kernel) fn forget(&mut self, place: Place, name: &InterfaceName) {
        self.indexes.remove(&(place, name.clone()));
    }
}
