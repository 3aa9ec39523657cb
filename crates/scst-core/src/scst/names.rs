//! Checked names: the only values that may reach a path or a command of SCST.
//!
//! SCST's mgmt files split what is written at blanks, `=`, `;` and newlines, and a name becomes a path component as well. Text
//! from outside (parameters, node attributes, directory listings) therefore passes through one of the types here before it is
//! used. Each has a private field, a constructor that refuses what the kernel's grammar cannot carry, and `Display` and
//! `AsRef<str>` that give back exactly the text to write. Two constructors exist where two sources exist: `parse` for what an
//! operator configured, with the stricter grammar of the agents, and `seen` for what the kernel itself listed.
//!
//! Only visible ASCII is accepted in words: the kernel's `isspace` also splits at the byte 0xA0, which is part of many UTF-8
//! characters.

use std::fmt;

pub use super::driver::Driver;
pub use super::handler::HandlerName;
pub use super::initiator::InitiatorName;
pub use super::name_grammar::NameError;
use super::name_grammar::{MAX_COMPONENT, part, readable, some_without, word};

/// The longest device name that `add_device` accepts, in bytes.
const MAX_DEVICE: usize = 64;

/// The attributes of a target group, which stand beside its members.
const BESIDE_MEMBERS: [&str; 3] = ["state", "group_id", "preferred"];

/// The longest name of a device group that the agents give.
const LONGEST_GROUP: usize = 16;

/// The longest `virtname`. With a group and `_` it is a name that `add_device` accepts.
const LONGEST_VIRTNAME: usize = 32;

/// The longest name of either that the shell agents take, of letters and digits only.
const LONGEST_OF_SHELL_AGENTS: usize = 8;

/// Whether a shell agent on another node takes this for a `groupname` or `virtname`.
pub fn is_of_shell_agents(text: &str) -> bool {
    part(text, LONGEST_OF_SHELL_AGENTS, &[]).is_ok()
}

/// A target (port) as sysfs spells it: a WWPN, a GUID, an iSCSI name.
///
/// ```
/// use scst_core::scst::names::{Driver, NameError, TargetName};
///
/// let port = TargetName::parse(Driver::Qla2x00t, "0x21000024FF60D010").unwrap();
/// assert_eq!(port.as_str(), "21:00:00:24:ff:60:d0:10");
/// assert_eq!(TargetName::seen("a;b"), Err(NameError::Character(';')));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetName(String);

impl TargetName {
    /// A configured name in the grammar of `driver`, as the driver spells it: a WWPN is read in every usual spelling, FC and IB
    /// names are lower-cased. The others keep their spelling, so compare with [`TargetName::matches`].
    ///
    /// # Errors
    ///
    /// The text is no word of a command (see [`TargetName::seen`]), or has not the form of this driver's names, which
    /// the error states.
    pub fn parse(driver: Driver, text: &str) -> Result<Self, NameError> {
        let Self(text) = &Self::seen(text)?;
        driver.spelled(text).map(Self)
    }

    /// A name that the kernel listed.
    ///
    /// # Errors
    ///
    /// The text is empty, longer than 255 bytes, has a blank, `/`, `=`, `;` or a character that is not visible ASCII,
    /// or is reserved: `.`, `..`, `mgmt`, and the attributes beside the members of a target group.
    pub fn seen(text: &str) -> Result<Self, NameError> {
        if BESIDE_MEMBERS.contains(&text) {
            return Err(NameError::Reserved);
        }
        word(text, MAX_COMPONENT).map(|text| Self(text.to_owned()))
    }

    /// Whether both mean the same target: names are compared without regard to case.
    pub fn matches(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }

    /// The form under which equal names are equal: lower case.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// An initiator group (`ini_group`) of a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InitiatorGroup(String);

impl InitiatorGroup {
    /// A configured group: letters, digits, `-`, `_` and `.`, lower-cased.
    ///
    /// # Errors
    ///
    /// The text is empty, longer than 255 bytes, reserved (`mgmt`), or has another character than these.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.to_ascii_lowercase();
        let name = word(&text, MAX_COMPONENT)?;
        match name.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.')) {
            Some(bad) => Err(NameError::Character(bad)),
            None => Ok(Self(text)),
        }
    }

    /// A group that the kernel listed, in its own spelling.
    ///
    /// # Errors
    ///
    /// The text is no word of a command.
    pub fn seen(text: &str) -> Result<Self, NameError> {
        word(text, MAX_COMPONENT).map(|text| Self(text.to_owned()))
    }

    /// Whether both mean the same group: exports name groups without regard to case.
    pub fn matches(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

/// An SCST device group, the unit that changes its ALUA state together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(String);

impl GroupName {
    /// A configured group: 1 to 16 letters, digits and `-`.
    ///
    /// # Errors
    ///
    /// The text is empty, longer than 16 characters, reserved (`mgmt`), or has another character than these.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        part(text, LONGEST_GROUP, &['-']).map(|text| Self(text.to_owned()))
    }

    /// A group that the kernel listed.
    ///
    /// # Errors
    ///
    /// The text is no word of a command.
    pub fn seen(text: &str) -> Result<Self, NameError> {
        word(text, MAX_COMPONENT).map(|text| Self(text.to_owned()))
    }
}

/// A device of SCST. Those of the agents are called `<group>_<virtname>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName(String);

impl DeviceName {
    /// The device that `virtname` (1 to 32 letters, digits, `-` and `_`) names in `group`. The first `_` ends the group's name.
    ///
    /// # Errors
    ///
    /// `virtname` is empty, longer, or has another character than these, or the whole is no name of a device
    /// ([`DeviceName::seen`]).
    pub fn parse(group: &GroupName, virtname: &str) -> Result<Self, NameError> {
        let virtname = part(virtname, LONGEST_VIRTNAME, &['-', '_'])?;
        Self::seen(&format!("{group}_{virtname}"))
    }

    /// A device that the kernel listed, or that a state file names.
    ///
    /// # Errors
    ///
    /// The text is no word of a command, is longer than 64 bytes, has a dot, or is the name of an attribute of a
    /// handler (`type`, `trace_level`).
    pub fn seen(text: &str) -> Result<Self, NameError> {
        let text = word(text, MAX_DEVICE)?;
        // A device of this name takes the place of an attribute of its handler.
        if matches!(text, "type" | "trace_level") {
            return Err(NameError::Reserved);
        }
        if text.contains('.') {
            return Err(NameError::Character('.'));
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether the name has the form `<group>_…`.
    pub fn belongs_to(&self, group: &GroupName) -> bool {
        self.0.strip_prefix(group.as_str()).is_some_and(|rest| rest.len() > 1 && rest.starts_with('_'))
    }
}

/// A cluster node's name, usable as the name of its target group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(String);

impl NodeName {
    /// A node of the cluster, or a target group that the kernel listed.
    ///
    /// # Errors
    ///
    /// The text is no word of a command: it is empty, longer than 255 bytes, reserved, or has a blank, `/`, `=`, `;` or
    /// a character that is not visible ASCII.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        word(text, MAX_COMPONENT).map(|text| Self(text.to_owned()))
    }
}

/// A directory entry that the kernel made and that is no object of the agents: a session, a link. It is one component of a
/// path, and never a word of a command.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryName(String);

impl EntryName {
    /// An entry that the kernel listed. Initiators name their sessions themselves, so blanks and any language are possible.
    ///
    /// # Errors
    ///
    /// The text is empty, longer than 255 bytes, has a `/` or a control character, or is `.` or `..`.
    pub fn seen(text: &str) -> Result<Self, NameError> {
        let text = some_without(text, MAX_COMPONENT, |c| c.is_control() || c == '/')?;
        if text == "." || text == ".." {
            return Err(NameError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }
}

/// An FC port of this machine in `class/fc_host`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FcHostName(String);

impl FcHostName {
    /// `host` and a number, as the kernel lists them.
    ///
    /// # Errors
    ///
    /// The text has another form.
    pub fn seen(text: &str) -> Result<Self, NameError> {
        let number = text.strip_prefix("host").and_then(|digits| digits.parse::<u32>().ok());
        // Read back, because a number may be spelled in other ways.
        match number.map(|number| format!("host{number}")) {
            Some(name) if name == text => Ok(Self(name)),
            _ => Err(NameError::Form("host and a number")),
        }
    }
}

readable!(TargetName, InitiatorGroup, GroupName, DeviceName, NodeName, EntryName, FcHostName);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::name_grammar::MGMT;
    use super::*;

    fn target(driver: Driver, text: &str) -> Option<String> {
        TargetName::parse(driver, text).ok().map(|name| name.to_string())
    }

    #[test]
    fn ports_are_read_in_the_grammar_of_their_driver() {
        let wwn = "21:00:00:24:FF:60:D0:10";
        assert_eq!(target(Driver::Qla2x00t, wwn), Some(wwn.to_lowercase()));
        let spellings = "21-00-00-24-ff-60-d0-10 2100-0024-FF60-D010 21000024ff60d010 0x21000024ff60d010 0X21000024FF60D010 \
                         naa.21000024ff60d010 NAA.21000024FF60D010 0x21:00:00:24:ff:60:d0:10";
        for spelling in spellings.split(' ') {
            assert_eq!(target(Driver::Qla2x00t, spelling), Some(wwn.to_lowercase()), "{spelling}");
            assert_eq!(InitiatorName::parse(spelling).unwrap().as_str(), wwn.to_lowercase(), "{spelling}");
        }
        let bad = "21:00:00:24:ff:60:d0 21:00:00:24:ff:60:d0:10:11 21:0:00:24:ff:60:d0:10 2100: x 0x naa. 21000024ff60d01 \
                   21000024ff60d0101 21:00:00:24:ff:60:d0-10 21--00-00-24-ff-60-d0-10 2100-00-24-ff60-d010 \
                   0x0x21000024ff60d010 eui.21000024ff60d010 21000024ff60d0é 0002:c903:0005:f34f";
        for bad in bad.split(' ').chain([""]) {
            assert_eq!(target(Driver::Qla2x00t, bad), None, "{bad}");
        }
        for guid in ["0002:c903:0005:F34F", "fe80:0000:0000:0000:0002:c903:0005:f34f"] {
            assert_eq!(target(Driver::IbSrpt, guid), Some(guid.to_lowercase()));
        }
        for bad in ["fe80:0000:0000", "fe80:0000:0000:0000:0002", "fe80::1", wwn] {
            assert_eq!(target(Driver::IbSrpt, bad), None, "{bad}");
        }
        let names = "iqn.2006-10.net.vlnb:tgt1 iqn.2006-10.net.vlnb IQN.2006-10.Net:a:b eui.02004567A425678D \
                     naa.52004567BA64678D naa.62004567BA64678D0123456789ABCDEF";
        for name in names.split(' ') {
            assert_eq!(target(Driver::Iscsi, name), Some(name.to_owned()));
        }
        let bad = "iqn.2006-13.net:x iqn.06-10.net iqn.2006-10. iqn.2006-10.:x iqn.2006-10.net:a/b eui.02004567A425678 naa.5200";
        for bad in bad.split(' ').chain(["iqn.2006-10.net:a b", wwn]) {
            assert_eq!(target(Driver::Iscsi, bad), None, "{bad}");
        }
        for name in ["scst_local_tgt", wwn, "Any-Name.1"] {
            assert_eq!(target(Driver::ScstLocal, name), Some(name.to_owned()));
        }
        for bad in ["", ".", "..", "a/b", "a b", "a=b", "a;b", "a\nb", "mgmt", "state", "é", &"x".repeat(256)] {
            assert_eq!(target(Driver::Fcst, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn names_match_without_regard_to_case() {
        let name = TargetName::parse(Driver::Iscsi, "iqn.2006-10.net.vlnb:Tgt1").unwrap();
        assert!(name.matches("IQN.2006-10.net.vlnb:tgt1") && !name.matches("iqn.2006-10.net.vlnb:tgt"));
        assert_eq!(name.key(), "iqn.2006-10.net.vlnb:tgt1");
        assert!(InitiatorGroup::seen("ESX1").unwrap().matches("esx1"));
    }

    #[test]
    fn groups_and_devices_keep_to_the_agents_grammar() {
        assert_eq!(InitiatorGroup::parse("ESX1").unwrap().as_str(), "esx1");
        assert!(InitiatorGroup::parse("a-long_name.2").is_ok());
        for bad in ["", "..", "a/b", "a:b", "a*", "!a", "mgmt", "MGMT"] {
            assert!(InitiatorGroup::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(GroupName::parse("Dummy1").unwrap().as_str(), "Dummy1");
        assert!(GroupName::parse("state").is_ok(), "beside it stands only mgmt");
        assert!(TargetName::seen("state").is_err() && NodeName::parse("state").is_ok());
        for bad in ["", &"x".repeat(17), "a_b", "a.b", "ü", "mgmt"] {
            assert!(GroupName::parse(bad).is_err(), "{bad}");
        }
        for good in ["ninechars", "a-b", &"x".repeat(16)] {
            assert!(GroupName::parse(good).is_ok(), "{good}");
        }
        let longest = GroupName::parse(&"g".repeat(16)).unwrap();
        assert_eq!(DeviceName::parse(&longest, &"v".repeat(32)).unwrap().as_str().len(), 49);
        for (virtname, good) in [("a-b_c", true), ("_", true), (&"v".repeat(33), false), ("a.b", false), ("a/b", false)]
        {
            assert_eq!(DeviceName::parse(&longest, virtname).is_ok(), good, "{virtname}");
        }
        assert!(is_of_shell_agents("Dummy1") && !is_of_shell_agents("ninechars") && !is_of_shell_agents("a-b"));
        let group = GroupName::parse("dummy").unwrap();
        let device = DeviceName::parse(&group, "lu0dummy").unwrap();
        assert_eq!(device.as_str(), "dummy_lu0dummy");
        assert!(device.belongs_to(&group) && !device.belongs_to(&GroupName::parse("dum").unwrap()));
        assert!(!DeviceName::seen("dummy_").unwrap().belongs_to(&group));
        assert!(DeviceName::parse(&group, "a.b").is_err());
        // The one name of this form that an attribute of the handlers has.
        assert_eq!(DeviceName::parse(&GroupName::parse("trace").unwrap(), "level"), Err(NameError::Reserved));
        assert_eq!(DeviceName::seen(&"x".repeat(65)), Err(NameError::TooLong { length: 65, limit: 64 }));
    }

    #[test]
    fn what_only_stands_in_a_path_is_one_component_of_it() {
        for name in ["iqn.2020-01.org.example:a#1", "50:01:43:80:03:b0:23:34_1", "a b;c=d", "größe"] {
            assert_eq!(EntryName::seen(name).map(|name| name.to_string()), Ok(name.to_owned()));
        }
        for bad in ["", ".", "..", "a/b", "/", "a\n", "a\0", "\u{85}", &"x".repeat(256)] {
            assert!(EntryName::seen(bad).is_err(), "{bad:?}");
        }
        assert_eq!(FcHostName::seen("host12").map(|host| host.to_string()), Ok("host12".to_owned()));
        for bad in ["", "host", "host+1", "host01", "host-1", "host1/..", "Host1", "host1 ", "rport-1"] {
            assert!(FcHostName::seen(bad).is_err(), "{bad:?}");
        }
    }

    /// Texts near the grammars, and texts far from them.
    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            any::<Vec<u8>>().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            "[a-zA-Z0-9._=;/ \n\t:*!-]{0,10}",
            "(0x|naa\\.)?([0-9a-fA-F]{2}[:-]?){7}[0-9a-fA-F]{2}",
            "([0-9a-f]{4}:){3,7}[0-9a-f]{4}",
            "iqn\\.20[0-9]{2}-(0[1-9]|1[0-2])\\.[a-z.]{1,8}(:[a-z/ ]{0,4})?",
            "(mgmt|state|group_id|preferred|\\.\\.?|type|trace_level)",
        ]
    }

    /// The hex digits of a WWPN in whatever spelling.
    fn digits(text: &str) -> String {
        let text = text.to_ascii_lowercase();
        let bare = text.trim_start_matches("0x").trim_start_matches("naa.");
        bare.chars().filter(char::is_ascii_hexdigit).collect()
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_one_word_and_one_path_component(text in texts()) {
            let group = GroupName::parse("g1").unwrap();
            let parsed: Vec<Result<String, NameError>> = Driver::ALL.into_iter()
                .map(|driver| TargetName::parse(driver, &text).map(|name| name.to_string()))
                .chain([
                    TargetName::seen(&text).map(|name| name.to_string()),
                    InitiatorName::parse(&text).map(|name| name.to_string()),
                    InitiatorName::seen(&text).map(|name| name.to_string()),
                    InitiatorGroup::parse(&text).map(|name| name.to_string()),
                    InitiatorGroup::seen(&text).map(|name| name.to_string()),
                    GroupName::parse(&text).map(|name| name.to_string()),
                    GroupName::seen(&text).map(|name| name.to_string()),
                    DeviceName::parse(&group, &text).map(|name| name.to_string()),
                    DeviceName::seen(&text).map(|name| name.to_string()),
                    NodeName::parse(&text).map(|name| name.to_string()),
                ])
                .collect();
            for name in parsed.into_iter().flatten() {
                prop_assert!(!name.is_empty() && name.len() <= 255 && name != "." && name != "..");
                prop_assert!(name.bytes().all(|b| b.is_ascii_graphic() && !b"/=;".contains(&b)), "{name:?}");
                prop_assert!(name != MGMT);
            }
        }

        #[test]
        fn what_is_displayed_reads_back_as_the_same_name(text in texts()) {
            for driver in Driver::ALL {
                if let Ok(name) = TargetName::parse(driver, &text) {
                    prop_assert_eq!(TargetName::parse(driver, name.as_str()).unwrap(), name.clone());
                    // A WWPN has several spellings, of the same digits.
                    prop_assert!(name.matches(&text) || (driver == Driver::Qla2x00t && digits(&text) == digits(name.as_str())));
                }
            }
            if let Ok(name) = InitiatorName::parse(&text) {
                prop_assert_eq!(InitiatorName::parse(name.as_str()).unwrap(), name);
            }
            if let Ok(name) = InitiatorGroup::parse(&text) {
                prop_assert_eq!(InitiatorGroup::parse(name.as_str()).unwrap(), name);
            }
            if let Ok(name) = GroupName::parse(&text) {
                prop_assert_eq!(GroupName::parse(name.as_str()).unwrap(), name);
            }
            if let Ok(name) = DeviceName::seen(&text) {
                prop_assert_eq!(DeviceName::seen(name.as_str()).unwrap(), name);
            }
            if let Ok(name) = NodeName::parse(&text) {
                prop_assert_eq!(NodeName::parse(name.as_str()).unwrap(), name);
            }
        }
    }
}
