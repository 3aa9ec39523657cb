//! What comes and goes by command: users and portals, as the daemon lists them (`iscsi-scst/usr/config.c`).
//!
//! The files that show them are the kernel's and are counted apart, because the two can disagree: the daemon forgets an
//! outgoing user before it learns that the kernel refuses the file of the next one.

use super::super::Errno;
use super::super::state::Name;
use super::super::words::Words;

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    /// Its file.
    pub(super) file: Name,
    /// The portal, or the name of the user.
    pub(super) key: Name,
    /// The secret of the user. Writing its file can take it away.
    pub(super) value: Option<Name>,
}

impl Listed {
    /// The content of its file; a user without secret shows the C library's word for it.
    pub(super) fn show(&self, user: bool) -> Vec<u8> {
        if user { [&self.key[..], b" ", self.value.as_deref().unwrap_or(b"(null)")].concat() } else { self.key.clone() }
    }
}

/// All of one kind, in the order they came.
#[derive(Debug, Clone, Default)]
pub(super) struct List(Vec<Listed>);

impl List {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn first(&self) -> Option<&Listed> {
        self.0.first()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Listed> {
        self.0.iter()
    }

    pub(super) fn of_key(&self, key: &[u8]) -> Option<&Listed> {
        self.0.iter().find(|listed| listed.key == key)
    }

    pub(super) fn of_file(&self, file: &[u8]) -> Option<&Listed> {
        self.0.iter().find(|listed| listed.file == file)
    }

    /// Adds one; answers its file: `template`, or that with the lowest number that is free. EINVAL for a key that is there.
    pub(super) fn add(&mut self, template: &[u8], key: &[u8], value: Option<&[u8]>) -> Result<Name, Errno> {
        if self.of_key(key).is_some() {
            return Err(Errno::EINVAL);
        }
        let numbered = (1_u32..).map(|number| [template, number.to_string().as_bytes()].concat());
        let mut names = std::iter::once(template.to_vec()).chain(numbered);
        let file = names.find(|name| self.of_file(name).is_none()).ok_or(Errno::EINVAL)?;
        self.0.push(Listed { file: file.clone(), key: key.to_vec(), value: value.map(<[u8]>::to_vec) });
        Ok(file)
    }

    /// Forgets the one of that key.
    pub(super) fn remove(&mut self, key: &[u8]) {
        self.0.retain(|listed| listed.key != key);
    }

    /// Forgets the first one.
    pub(super) fn remove_first(&mut self) {
        if !self.0.is_empty() {
            self.0.remove(0);
        }
    }

    /// A write to a file: another key and value, whatever they are. EEXIST if another file has that key.
    pub(super) fn replace(&mut self, file: &[u8], words: &mut Words<'_>) -> Result<(), Errno> {
        let (key, value) = (words.word(), words.word());
        if self.0.iter().any(|other| other.key == key && other.file != file) {
            return Err(Errno::EEXIST);
        }
        let listed = self.0.iter_mut().find(|listed| listed.file == file).ok_or(Errno::EINVAL)?;
        listed.key = key.to_vec();
        listed.value = (!value.is_empty()).then(|| value.to_vec());
        Ok(())
    }
}

/// The kinds of what is listed, by the name of a file or the word of a command: without case, digits may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Incoming,
    Outgoing,
    Portal,
}

/// The word of a portal, which is also the beginning of its file's name whatever was typed.
pub(super) const PORTAL: &str = "allowed_portal";

impl Kind {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Incoming, "IncomingUser"), (Self::Outgoing, "OutgoingUser"), (Self::Portal, PORTAL)];

    pub(super) fn named(word: &[u8]) -> Option<Self> {
        let is = |name: &str| {
            word.len() >= name.len()
                && word[..name.len()].eq_ignore_ascii_case(name.as_bytes())
                && word[name.len()..].iter().all(u8::is_ascii_digit)
        };
        Self::ALL.iter().find(|(_, name)| is(name)).map(|(kind, _)| *kind)
    }

    /// The permission bits of its files: secrets are the owner's.
    pub(super) fn mode(self) -> u32 {
        if self == Self::Portal { 0o644 } else { 0o600 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_files_are_used_again_lowest_first() {
        let mut list = List::default();
        for (key, file) in [("a", "p"), ("b", "p1"), ("c", "p2")] {
            assert_eq!(list.add(b"p", key.as_bytes(), None), Ok(file.as_bytes().to_vec()));
        }
        list.remove(b"b");
        assert_eq!(list.add(b"p", b"d", None), Ok(b"p1".to_vec()));
        assert_eq!(list.add(b"p", b"d", None), Err(Errno::EINVAL));
    }

    #[test]
    fn a_file_can_be_renamed_but_not_to_anothers_name() {
        let mut list = List::default();
        list.add(b"u", b"joe", Some(b"secret")).expect("a user");
        list.add(b"u", b"jim", Some(b"secret")).expect("another");
        assert_eq!(list.replace(b"u", &mut Words::new(b"jim other")), Err(Errno::EEXIST));
        list.replace(b"u", &mut Words::new(b"only\n")).expect("renamed");
        assert_eq!(list.of_file(b"u").map(|listed| listed.show(true)), Some(b"only (null)".to_vec()));
    }

    #[test]
    fn kinds_are_told_by_their_beginning() {
        assert_eq!(Kind::named(b"incominguser12"), Some(Kind::Incoming));
        assert_eq!(Kind::named(b"ALLOWED_PORTAL"), Some(Kind::Portal));
        assert_eq!(Kind::named(b"OutgoingUserX"), None);
        assert_eq!(Kind::named(b"Incoming"), None);
    }
}
