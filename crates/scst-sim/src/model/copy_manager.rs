//! The copy manager: a port SCST makes for itself, through which it sees every device (`scst_copy_mgr.c`).

use super::Errno;
use super::machine::Machine;
use super::state::{DevId, Flavour, PortKind, TgtId};
use super::trace::Trace;

pub(super) const DRIVER: &str = "copy_manager";
const TARGET: &[u8] = b"copy_manager_tgt";
const SESSION: &[u8] = b"copy_manager_sess";

pub(super) const DIF_CAPABILITIES: &str =
    "dif_supported, hw_dif_type1_supported, hw_dif_type2_supported, hw_dif_type3_supported\n";
pub(super) const DIF_CHECKS: &str = "\tapp\tref\tguard\ntgt\t0\t0\t0\nscst\t0\t0\t0\ndev\t0\t0\t0\n";

impl Machine {
    /// Its driver, port and session, which come with the `scst` module.
    pub(super) fn start_copy_manager(&mut self) {
        let driver = self.register_driver(DRIVER, Flavour::CopyManager, false, Trace::new(&[]));
        if let Ok(target) = self.create_target(driver, TARGET, PortKind::CopyManager) {
            // It has no LUN yet that could fail to attach.
            let _session = self.log_in(target, SESSION);
        }
    }

    /// A device becomes a LUN of the copy manager, unless the module was told otherwise. The errno of opening its disk.
    pub(super) fn export_to_copy_manager(&mut self, device: DevId) -> Result<(), Errno> {
        if !self.scst.auto_cm_assignment {
            return Ok(());
        }
        let Some(target) = self.find_target(DRIVER, "copy_manager_tgt") else { return Ok(()) };
        let Some(acg) = self.scst.targets.get(&target).map(|t| t.default_acg) else { return Ok(()) };
        let taken = |number: &u64| self.scst.acgs.get(&acg).is_some_and(|a| a.luns.contains_key(number));
        let mut number = self.scst.next_copy_manager_lun;
        while taken(&number) {
            number += 1;
        }
        let result = self.add_lun(acg, device, number, false);
        self.scst.next_copy_manager_lun = number + u64::from(result.is_ok());
        result
    }

    /// The group is the copy manager's, which takes no read-only LUNs by hand and has no groups of initiators.
    pub(super) fn is_copy_manager(&self, target: TgtId) -> bool {
        self.scst.targets.get(&target).is_some_and(|t| matches!(t.kind, PortKind::CopyManager))
    }
}
