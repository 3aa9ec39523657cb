//! The attributes of a target that can be configured (`scst_sysfs.c`; those of iSCSI: `iscsi-scst/usr/param.c`), with the values
//! that are written. The kernel takes more than these for some, and means something else by it: `x` is 0 to it.

use super::names::{Driver, NameError};
use super::values::AttributeValue;

/// One attribute of a target.
#[derive(Debug, PartialEq, Eq)]
pub struct TargetAttribute {
    /// Its file.
    pub name: &'static str,
    /// Its value where nobody has written one; `None` where that depends on the machine.
    pub default: Option<&'static str>,
    /// Only targets of iSCSI have it, and the kernel asks the driver's daemon for it.
    pub iscsi: bool,
    form: Form,
}

/// What its values look like.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    /// A number from the first to the second.
    Number(u32, u32),
    /// One of these words, in the kernel's spelling.
    Word(&'static [&'static str]),
    /// A list of digests.
    Digests,
    /// A number above 0, or one of the words.
    Grouping,
    /// A bitmap in hex digits.
    Mask,
    /// One line of text.
    Text,
}

const LENGTH: Form = Form::Number(512, 1 << 20);
const YES_NO: Form = Form::Word(&["Yes", "No"]);
const SWITCH: Form = Form::Word(&["0", "1"]);

const fn iscsi(name: &'static str, default: &'static str, form: Form) -> TargetAttribute {
    TargetAttribute { name, default: Some(default), iscsi: true, form }
}

const fn common(name: &'static str, default: Option<&'static str>, form: Form) -> TargetAttribute {
    TargetAttribute { name, default, iscsi: false, form }
}

/// The text by which initiators show the target; it has a parameter of its own.
pub const ALIAS: &TargetAttribute = &iscsi("alias", "", Form::Text);

/// Every attribute that the parameter `attributes` may name.
pub const ALL: &[TargetAttribute] = &[
    iscsi("QueuedCommands", "32", Form::Number(1, 2048)),
    iscsi("RspTimeout", "90", Form::Number(2, 65535)),
    iscsi("NopInInterval", "30", Form::Number(0, 65535)),
    iscsi("NopInTimeout", "30", Form::Number(2, 65535)),
    iscsi("MaxSessions", "0", Form::Number(0, 65535)),
    iscsi("per_portal_acl", "0", SWITCH),
    iscsi("InitialR2T", "No", YES_NO),
    iscsi("ImmediateData", "Yes", YES_NO),
    iscsi("MaxRecvDataSegmentLength", "1048576", LENGTH),
    iscsi("MaxXmitDataSegmentLength", "1048576", LENGTH),
    iscsi("MaxBurstLength", "1048576", LENGTH),
    iscsi("FirstBurstLength", "65536", LENGTH),
    iscsi("MaxOutstandingR2T", "32", Form::Number(1, 65535)),
    iscsi("HeaderDigest", "None", Form::Digests),
    iscsi("DataDigest", "None", Form::Digests),
    common("addr_method", None, Form::Word(&["PERIPHERAL", "FLAT", "LUN"])),
    common("io_grouping_type", Some("auto"), Form::Grouping),
    common("cpu_mask", None, Form::Mask),
    common("aen_disabled", Some("0"), SWITCH),
    common("comment", Some(""), Form::Text),
];

/// The attribute of that name.
pub fn find(name: &str) -> Option<&'static TargetAttribute> {
    ALL.iter().chain([ALIAS]).find(|attribute| attribute.name == name)
}

impl TargetAttribute {
    /// Whether targets of this driver have it.
    pub fn is_of(&self, driver: Driver) -> bool {
        !self.iscsi || driver == Driver::Iscsi
    }

    /// A configured value, in the form in which the kernel shows it after it was written. Its unit is the kernel's:
    /// seconds for `RspTimeout` and the `NopIn` ones, bytes for the lengths, else numbers.
    ///
    /// # Errors
    ///
    /// The text is no value of this attribute: the error says which form one has. Or it is no [`AttributeValue`].
    pub fn parse(&self, text: &str) -> Result<AttributeValue, NameError> {
        let value = match &self.form {
            Form::Number(least, most) => {
                let number = text
                    .parse::<u32>()
                    .ok()
                    .filter(|number| text.bytes().all(|b| b.is_ascii_digit()) && (least..=most).contains(&number));
                number.map(|number| number.to_string()).ok_or(NameError::Form("a number in its range"))?
            }
            Form::Word(words) => {
                let known = words.iter().find(|word| word.eq_ignore_ascii_case(text));
                (*known.ok_or(NameError::Form("one of its words"))?).to_owned()
            }
            Form::Digests => digests(text)?,
            Form::Grouping => match text {
                "auto" | "never" | "this_group_only" => text.to_owned(),
                _ => {
                    let number = text.parse::<u16>().ok().filter(|number| *number > 0);
                    number.ok_or(NameError::Form("auto, never, this_group_only or a number"))?.to_string()
                }
            },
            Form::Mask => self
                .shown(text)
                .filter(|_| text.bytes().all(|b| b.is_ascii_hexdigit() || b == b','))
                .ok_or(NameError::Form("a bitmap in hex digits"))?,
            Form::Text => text.to_owned(),
        };
        AttributeValue::parse(&value)
    }

    /// A value that the kernel shows, in the form of [`TargetAttribute::parse`]; `None` for one that cannot be compared.
    pub fn shown(&self, text: &str) -> Option<String> {
        match self.form {
            Form::Mask => {
                let digits: String = text.chars().filter(|c| *c != ',').collect::<String>().to_ascii_lowercase();
                let digits = digits.trim_start_matches('0');
                (!digits.is_empty()).then(|| digits.to_owned())
            }
            _ => Some(text.to_owned()),
        }
    }
}

/// Digests in the order in which the kernel shows them.
fn digests(text: &str) -> Result<String, NameError> {
    const KNOWN: [&str; 2] = ["None", "CRC32C"];
    let named: Vec<&str> = text.split(',').map(str::trim).collect();
    if named.iter().any(|name| !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name))) {
        return Err(NameError::Form("None, CRC32C or both"));
    }
    let is_named = |known: &&str| named.iter().any(|name| known.eq_ignore_ascii_case(name));
    Ok(KNOWN.into_iter().filter(is_named).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, text: &str) -> Option<String> {
        find(name).unwrap().parse(text).map(|value| value.to_string()).ok()
    }

    #[test]
    fn values_are_those_that_mean_one_thing() {
        for (name, texts) in [
            ("QueuedCommands", &[("064", Some("64")), ("2049", None), ("x", None)][..]),
            ("NopInInterval", &[("0", Some("0")), ("+1", None)]),
            ("ImmediateData", &[("no", Some("No"))]),
            ("per_portal_acl", &[("2", None)]),
            ("HeaderDigest", &[("crc32c,none", Some("None,CRC32C"))]),
            ("DataDigest", &[("", None)]),
            ("io_grouping_type", &[("never", Some("never")), ("0", None)]),
            ("cpu_mask", &[("00000000,0000000F", Some("f")), ("0", None)]),
            ("comment", &[("two words", Some("two words"))]),
        ] {
            for (text, shown) in texts {
                assert_eq!(value(name, text).as_deref(), *shown, "{name} {text}");
            }
        }
        assert!(find("enabled").is_none() && find("redirect").is_none());
    }
}
