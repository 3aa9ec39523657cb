//! Target groups: `group_id`, `preferred`, `state` and their members, local ports and remote ones (`scst_tg.c`).

use super::Errno;
use super::alua::AluaState;
use super::command::{Command, Store};
use super::device_group::verb_and_name;
use super::machine::Machine;
use super::numbers::unsigned;
use super::port_attrs::keyed;
use super::state::{Member, Name, TgId, TgtId, directory_name};
use super::tree::{Entry, Node};
use super::words::{first_line, same_word};

const USAGE: &str = "Commands: add PORT, del PORT\n";

/// An id of 16 bits, not 0; of the text only the first seven bytes count.
fn short_id(text: &[u8]) -> Result<u16, Errno> {
    let number = unsigned(&text[..text.len().min(7)])?;
    u16::try_from(number).ok().filter(|id| *id != 0).ok_or(Errno::EINVAL)
}

impl Machine {
    pub(super) fn show_target_group(&self, id: TgId, attr: &str) -> Result<Vec<u8>, Errno> {
        let tg = self.scst.target_groups.get(&id).ok_or(Errno::ENOENT)?;
        Ok(match attr {
            "mgmt" => USAGE.into(),
            "group_id" => keyed(tg.group_id, true),
            "preferred" => keyed(u8::from(tg.preferred), tg.preferred),
            "state" => keyed(tg.state.name(), true),
            _ => return Err(Errno::ENOENT),
        })
    }

    pub(super) fn store_target_group(&mut self, id: TgId, attr: &str, text: &[u8]) -> Store {
        match attr {
            "mgmt" => Store::Queue(Command::Members(id, text.to_vec())),
            "state" => Store::Queue(Command::State(id, text.to_vec())),
            "preferred" => Store::Queue(Command::Preferred(id, text.to_vec())),
            "group_id" => Store::Done(short_id(text).and_then(|number| {
                self.scst.target_groups.get_mut(&id).ok_or(Errno::ENODEV)?.group_id = number;
                Ok(())
            })),
            _ => Store::Done(Err(Errno::ENOTSUP)),
        }
    }

    /// A write to `state`: exactly a name, up to the end of the line.
    pub(super) fn state_command(&mut self, id: TgId, text: &[u8]) -> Result<(), Errno> {
        let state = AluaState::named(first_line(text)).ok_or(Errno::EINVAL)?;
        self.set_alua_state(id, state);
        Ok(())
    }

    /// A write to `preferred`.
    pub(super) fn preferred_command(&mut self, id: TgId, text: &[u8]) -> Result<(), Errno> {
        let preferred = match unsigned(text)? {
            0 => false,
            1 => true,
            _ => return Err(Errno::EINVAL),
        };
        let Some(tg) = self.scst.target_groups.get_mut(&id) else { return Ok(()) };
        if std::mem::replace(&mut tg.preferred, preferred) != preferred {
            self.state_changed(id);
        }
        Ok(())
    }

    /// A write to the `mgmt` of a target group. `del` finds a member in any target group of the device group.
    pub(super) fn members_command(&mut self, id: TgId, text: &[u8]) -> Result<(), Errno> {
        let (verb, name) = verb_and_name(text)?;
        let group = self.scst.target_groups.get(&id).ok_or(Errno::EINVAL)?.group;
        let holder = self.scst.groups.get(&group).and_then(|g| g.members.get(name)).copied();
        if same_word(verb, "add") {
            if holder.is_some() {
                return Err(Errno::EEXIST);
            }
            self.add_member(id, name)
        } else if same_word(verb, "del") {
            let holder = holder.ok_or(Errno::EINVAL)?;
            self.remove_member(holder, id, name);
            Ok(())
        } else {
            Err(Errno::EINVAL)
        }
    }

    /// The port of that name; where two drivers have it, the driver that registered first decides.
    fn port_named(&self, name: &[u8]) -> Option<TgtId> {
        let shown = directory_name(name);
        let ports = self.scst.drivers.iter().filter_map(|d| d.targets.get(&shown));
        ports.copied().find(|id| self.scst.targets.get(id).is_some_and(|t| t.name == name))
    }

    fn add_member(&mut self, id: TgId, name: &[u8]) -> Result<(), Errno> {
        let target = self.port_named(name);
        // A link keeps the name as it is, the directory of a remote port cannot.
        let entry = if target.is_some() { name.to_vec() } else { directory_name(name) };
        if self.child(&Node::TargetGroup(id), &entry).is_some() {
            return Err(Errno::EEXIST);
        }
        let link = target.map(|target| self.link(&Node::TargetGroup(id), &Node::Target(target)));
        let member = Member { id: self.new_id(), name: name.to_vec(), target, rel_tgt_id: 0 };
        let Some(tg) = self.scst.target_groups.get_mut(&id) else { return Err(Errno::EINVAL) };
        tg.members.insert(name.to_vec(), member);
        if let Some(Entry::Link(path)) = link {
            tg.links.insert(entry, path);
        }
        let group = tg.group;
        if let Some(group) = self.scst.groups.get_mut(&group) {
            group.members.insert(name.to_vec(), id);
        }
        Ok(())
    }

    /// Removes a member from the group that holds it. The kernel looks for the link in the group it was asked through, so
    /// that the link of a local port stays where it was if that is another one.
    fn remove_member(&mut self, holder: TgId, through: TgId, name: &[u8]) {
        let Some(tg) = self.scst.target_groups.get_mut(&holder) else { return };
        let local = tg.members.remove(name).is_some_and(|member| member.target.is_some());
        let group = tg.group;
        if let Some(tg) = self.scst.target_groups.get_mut(&through).filter(|_| local) {
            tg.links.remove(name);
        }
        if let Some(group) = self.scst.groups.get_mut(&group) {
            group.members.remove(name);
        }
    }

    /// A port that goes away leaves all target groups.
    pub(super) fn remove_member_everywhere(&mut self, target: TgtId) {
        let local = |tg: &super::state::TargetGroup| -> Vec<Name> {
            tg.members.values().filter(|m| m.target == Some(target)).map(|m| m.name.clone()).collect()
        };
        let members: Vec<(TgId, Vec<Name>)> = self.scst.target_groups.iter().map(|(id, tg)| (*id, local(tg))).collect();
        for (id, names) in members {
            for name in names {
                self.remove_member(id, id, &name);
            }
        }
    }

    /// `rel_tgt_id` of a remote port.
    pub(super) fn show_remote_port(&self, tg: TgId, entry: &[u8]) -> Result<Vec<u8>, Errno> {
        let member = self.scst.target_groups.get(&tg).and_then(|t| t.members.get(entry)).ok_or(Errno::ENOENT)?;
        Ok(keyed(member.rel_tgt_id, true))
    }

    /// A write to `rel_tgt_id` of a remote port, which is compared with nothing.
    pub(super) fn store_remote_port(&mut self, tg: TgId, entry: &[u8], text: &[u8]) -> Result<(), Errno> {
        let id = short_id(text)?;
        let member = self.scst.target_groups.get_mut(&tg).and_then(|t| t.members.get_mut(entry));
        member.ok_or(Errno::ENODEV)?.rel_tgt_id = id;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_seven_bytes_of_an_id_count() {
        assert_eq!(short_id(b"0000005\n"), Ok(5));
        assert_eq!(short_id(b"0000005garbage"), Ok(5));
        for bad in ["0", "65536", "-1", "x", "", "00000005\n", "1 \n"] {
            assert_eq!(short_id(bad.as_bytes()), Err(Errno::EINVAL), "{bad}");
        }
    }
}
