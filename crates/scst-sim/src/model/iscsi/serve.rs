//! What the daemon answers: the contents of its files, writes to them, commands (`iscsi-scst/usr/event.c`, `config.c`).
//!
//! An answer that comes late reaches nobody, and what the daemon then asks of the kernel for it is refused: a file that was
//! to come or go stays as it was, a target is neither made, deleted nor switched. A value that is the daemon's own is set
//! all the same.

use super::super::Errno;
use super::super::machine::Machine;
use super::super::state::{DrvId, PortKind, TgtId};
use super::super::words::{Words, same_word};
use super::IscsiTarget;
use super::daemon::Ask;
use super::keys::Keys;
use super::listed::{Kind, PORTAL};
use super::values::{NAME_LENGTH, answered};

/// The shortest secret there can be.
const SECRET_LENGTH: usize = 12;
impl Machine {
    /// Answers one question; `late` if nobody waits for it any more.
    pub(super) fn serve(&mut self, ask: &Ask, late: bool) -> Result<Vec<u8>, Errno> {
        let done = |result: Result<(), Errno>| result.map(|()| Vec::new());
        match ask {
            Ask::Show(driver, target, name) => self.serve_show(*driver, *target, name),
            Ask::Store(driver, target, name, text) => done(self.serve_store(*driver, *target, name, text)),
            Ask::Manage(driver, text) => done(self.serve_command(*driver, text, late)),
            Ask::AddTarget(driver, text) => done(self.serve_target(*driver, text, late)),
            Ask::DelTarget(..) | Ask::Enable(..) if late => Err(Errno::EINVAL),
            Ask::DelTarget(target) => match self.scst.targets.get(target) {
                Some(port) if port.sessions.is_empty() => {
                    self.delete_target(*target);
                    Ok(Vec::new())
                }
                Some(_) => Err(Errno::EBUSY),
                None => Err(Errno::ENOENT),
            },
            Ask::Enable(target, on) => {
                let port = self.scst.targets.get_mut(target).ok_or(Errno::ENOENT)?;
                port.enabled = *on;
                Ok(Vec::new())
            }
        }
    }

    fn serve_show(&self, driver: DrvId, target: Option<TgtId>, name: &[u8]) -> Result<Vec<u8>, Errno> {
        if let Some(kind) = Kind::named(name) {
            let listed = self.lists(driver, target).and_then(|lists| lists.of(kind).of_file(name));
            let listed = listed.ok_or(Errno::EINVAL)?;
            return Ok(answered(&listed.show(kind != Kind::Portal), true));
        }
        let name = std::str::from_utf8(name).unwrap_or_default();
        let value = match target {
            Some(target) => self.iscsi_target(target).and_then(|iscsi| iscsi.show_value(name)),
            None => self.iscsi(driver).and_then(|iscsi| iscsi.settings.show(name)),
        };
        value.ok_or(Errno::EINVAL)
    }

    fn serve_store(&mut self, driver: DrvId, target: Option<TgtId>, name: &[u8], text: &[u8]) -> Result<(), Errno> {
        let mut words = Words::new(text);
        if let Some(kind) = Kind::named(name) {
            let lists = self.lists_mut(driver, target).ok_or(Errno::EINVAL)?;
            return lists.of_mut(kind).replace(name, &mut words);
        }
        let name = std::str::from_utf8(name).unwrap_or_default();
        let stored = match target {
            Some(target) => self.iscsi_target_mut(target).and_then(|iscsi| iscsi.store_value(name, text, &mut words)),
            None => self.iscsi_mut(driver).and_then(|iscsi| iscsi.settings.store(name, &mut words)),
        };
        stored.unwrap_or(Err(Errno::EINVAL))
    }

    /// `add_attribute`, `add_target_attribute` and the two that delete.
    fn serve_command(&mut self, driver: DrvId, text: &[u8], late: bool) -> Result<(), Errno> {
        let mut words = Words::new(text);
        let verb = words.word();
        let is = |word| same_word(verb, word);
        let (adds, deletes) = (["add_attribute", "add_target_attribute"], ["del_attribute", "del_target_attribute"]);
        if !adds.iter().chain(&deletes).any(|word| is(word)) {
            return Err(Errno::EINVAL);
        }
        let target = if is(adds[1]) || is(deletes[1]) {
            Some(self.daemons_target(driver, words.word()).ok_or(Errno::ENOENT)?)
        } else {
            None
        };
        let word = words.word();
        let kind = Kind::named(word).ok_or(Errno::EINVAL)?;
        let (key, value) = (words.word(), words.word());
        if is(adds[0]) || is(adds[1]) {
            self.serve_add(driver, target, (kind, word), (key, value), late)
        } else {
            self.serve_delete(driver, target, kind, key, late)
        }
    }

    /// The target of that name in the daemon's list, whatever its case.
    pub(super) fn daemons_target(&self, driver: DrvId, name: &[u8]) -> Option<TgtId> {
        let name = String::from_utf8_lossy(name);
        let targets = self.scst.driver_by_id(driver)?.targets.values();
        let named = |id: &&TgtId| self.scst.targets.get(id).is_some_and(|target| same_word(&target.name, &name));
        targets.into_iter().find(named).copied()
    }

    fn serve_add(
        &mut self,
        driver: DrvId,
        target: Option<TgtId>,
        (kind, word): (Kind, &[u8]),
        (key, value): (&[u8], &[u8]),
        late: bool,
    ) -> Result<(), Errno> {
        let lists = self.lists_mut(driver, target).ok_or(Errno::EINVAL)?;
        let file = match kind {
            Kind::Portal if target.is_none() || key.is_empty() || !value.is_empty() => return Err(Errno::EINVAL),
            Kind::Portal => lists.portals.add(PORTAL.as_bytes(), key, None)?,
            Kind::Incoming | Kind::Outgoing => {
                check_user(key, value)?;
                if kind == Kind::Outgoing {
                    // There can be one only. The old one goes before the new one has its file.
                    lists.outgoing.remove_first();
                }
                lists.of_mut(kind).add(word, key, Some(value))?
            }
        };
        let refusal = match late {
            true => Some(Errno::EINVAL),
            false if lists.files.contains_key(&file) => Some(Errno::EEXIST),
            false => None,
        };
        if let Some(errno) = refusal {
            lists.of_mut(kind).remove(key);
            return Err(errno);
        }
        lists.files.insert(file, kind.mode());
        Ok(())
    }

    fn serve_delete(
        &mut self,
        driver: DrvId,
        target: Option<TgtId>,
        kind: Kind,
        key: &[u8],
        late: bool,
    ) -> Result<(), Errno> {
        let unknown = if kind == Kind::Portal { Errno::EINVAL } else { Errno::ENOENT };
        let lists = self.lists_mut(driver, target).ok_or(Errno::EINVAL)?;
        let file = lists.of(kind).of_key(key).map(|listed| listed.file.clone()).ok_or(unknown)?;
        if late {
            return Err(Errno::EINVAL);
        }
        if lists.files.remove(&file).is_none() {
            return Err(Errno::ENOENT);
        }
        lists.of_mut(kind).remove(key);
        Ok(())
    }

    /// A target as the configuration file would have it: `Target NAME`, then its parameters, with `;` or line ends between.
    fn serve_target(&mut self, driver: DrvId, text: &[u8], late: bool) -> Result<(), Errno> {
        let mut made: Option<(Vec<u8>, IscsiTarget)> = None;
        for line in text.split(|b| matches!(b, b';' | b'\n')) {
            let mut words = Words::new(line);
            let word = words.word();
            if word.is_empty() || word.starts_with(b"#") {
                continue;
            }
            match &mut made {
                None if same_word(word, "Target") => {
                    let name = words.word();
                    if !words.word().is_empty() {
                        return Err(Errno::EINVAL);
                    }
                    // Without a name the daemon does nothing and does not answer either.
                    if name.is_empty() {
                        return Err(Errno::ENOTSUP);
                    }
                    made = Some((name[..name.len().min(NAME_LENGTH)].to_vec(), IscsiTarget::new()));
                }
                // A second target in one command.
                Some(_) if same_word(word, "Target") => return Err(Errno::ENOTSUP),
                Some((_, target)) => target.parameter(word, &mut words)?,
                None => return Err(Errno::ENOTSUP),
            }
        }
        let (name, target) = made.ok_or(Errno::ENOTSUP)?;
        if self.daemons_target(driver, &name).is_some() {
            return Err(Errno::EEXIST);
        }
        if late {
            return Err(Errno::EINVAL);
        }
        let iscsi = self.iscsi_mut(driver).ok_or(Errno::EINVAL)?;
        iscsi.last_tid += 1;
        let target = IscsiTarget { tid: iscsi.last_tid, ..target };
        self.create_target(driver, &name, PortKind::Iscsi(Box::new(target))).map(drop).map_err(|_| Errno::EBUSY)
    }
}

impl IscsiTarget {
    /// One parameter of `add_target`: a user or a key; an alias is passed over.
    fn parameter(&mut self, word: &[u8], words: &mut Words<'_>) -> Result<(), Errno> {
        if same_word(word, "Alias") {
            return Ok(());
        }
        if let Some(at) = Keys::find(word) {
            return self.keys.set(at, words);
        }
        let kind = Kind::named(word).filter(|kind| *kind != Kind::Portal).ok_or(Errno::EINVAL)?;
        let (name, secret) = (words.word(), words.word());
        if !words.word().is_empty() {
            return Err(Errno::EINVAL);
        }
        check_user(name, secret)?;
        if kind == Kind::Outgoing
            && let Some(old) = self.lists.outgoing.first().map(|listed| listed.file.clone())
        {
            self.lists.files.remove(&old);
            self.lists.outgoing.remove_first();
        }
        let file = self.lists.of_mut(kind).add(word, name, Some(secret))?;
        self.lists.files.insert(file, kind.mode());
        Ok(())
    }
}

fn check_user(name: &[u8], secret: &[u8]) -> Result<(), Errno> {
    if name.is_empty() || secret.len() < SECRET_LENGTH { Err(Errno::EINVAL) } else { Ok(()) }
}
