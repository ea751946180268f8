//! The number of a link by its name, asked for once an operation.

use crate::kernel::{KernelError, LinuxKernel, rtnetlink::link};
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
        let found = link::by_name(self.netlink(place)?, name)?;
        let gone = || KernelError::LinkGone { name: name.into(), place };
        let index = found.ok_or_else(gone)?.index;
        self.indexes.insert((place, name.clone()), index);
        Ok(index)
    }

    pub(in crate::kernel) fn forget(&mut self, place: Place, name: &InterfaceName) {
        self.indexes.remove(&(place, name.clone()));
    }
}
