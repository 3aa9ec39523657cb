//! States of a target group and what their changes do to devices (`scst_tg.c`, `scst_vdisk.c`).

use super::backing::VdiskKind;
use super::machine::Machine;
use super::state::{DevId, GroupId, TgId, TgtId};

/// An asymmetric logical unit access state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AluaState {
    Active,
    Nonoptimized,
    Standby,
    Unavailable,
    Offline,
    Transitioning,
}

impl AluaState {
    const ALL: [Self; 6] =
        [Self::Active, Self::Nonoptimized, Self::Standby, Self::Unavailable, Self::Offline, Self::Transitioning];

    /// The state of exactly that name.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name().as_bytes() == name)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        self.name_and_code().0
    }

    /// Its number in REPORT TARGET PORT GROUPS.
    pub(super) fn code(self) -> u8 {
        self.name_and_code().1
    }

    fn name_and_code(self) -> (&'static str, u8) {
        match self {
            Self::Active => ("active", 0),
            Self::Nonoptimized => ("nonoptimized", 1),
            Self::Standby => ("standby", 2),
            Self::Unavailable => ("unavailable", 3),
            Self::Offline => ("offline", 14),
            Self::Transitioning => ("transitioning", 15),
        }
    }

    /// Devices are used in it.
    fn in_use(self) -> bool {
        matches!(self, Self::Active | Self::Nonoptimized)
    }
}

impl Machine {
    /// Changes the state of a target group. Writing the present state does nothing; a failing activation is not reported.
    pub(super) fn set_alua_state(&mut self, tg: TgId, state: AluaState) {
        let Some(group) = self.scst.target_groups.get(&tg) else { return };
        if group.state == state {
            return;
        }
        let dg = group.group;
        for device in self.devices_switched_by(tg, dg) {
            self.follow_alua_state(device, state);
        }
        if let Some(group) = self.scst.target_groups.get_mut(&tg) {
            group.state = state;
        }
        if state != AluaState::Transitioning {
            self.state_changed(tg);
        }
    }

    /// The devices of the group that a state change reaches: all of them, but through a group with a remote port only
    /// those which a session sees through a local port of it.
    fn devices_switched_by(&self, tg: TgId, dg: GroupId) -> Vec<DevId> {
        let (Some(tg), Some(dg)) = (self.scst.target_groups.get(&tg), self.scst.groups.get(&dg)) else {
            return Vec::new();
        };
        let remote = tg.members.values().any(|m| m.target.is_none());
        let local: Vec<TgtId> = tg.members.values().filter_map(|m| m.target).collect();
        let seen_locally = |device: &DevId| {
            self.scst.devices.get(device).is_some_and(|d| {
                d.seen_by.iter().any(|(s, _)| self.scst.sessions.get(s).is_some_and(|s| local.contains(&s.target)))
            })
        };
        dg.devices.iter().filter(|d| !remote || seen_locally(d)).copied().collect()
    }

    /// A device bound to the ALUA state is opened or closed with it.
    fn follow_alua_state(&mut self, device: DevId, state: AluaState) {
        let Some(vdisk) = self.scst.devices.get(&device).and_then(|d| d.vdisk.as_ref()) else { return };
        let may_follow = vdisk.kind == VdiskKind::Block || self.features.fileio_active;
        if !vdisk.bind_alua_state || !may_follow {
            return;
        }
        match (vdisk.active, state.in_use()) {
            (true, false) => self.deactivate(device),
            (false, true) => {
                // The kernel only logs a failure; the device stays inactive.
                let _unreported = self.activate(device);
            }
            _ => {}
        }
    }
}
