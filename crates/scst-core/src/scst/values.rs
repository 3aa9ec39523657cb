//! Checked values: everything but names that a step writes to the kernel.
//!
//! The same rule as in `names`: a value that the kernel's grammar would cut or read in another way never gets a type. Paths become
//! a parameter of `add_device`; the identifiers are written to attribute files, where everything up to the end of the line is the
//! value. [`ParameterValue`] and [`AttributeValue`] are what a step carries: also a value that the kernel itself showed goes
//! through them before it is written again.

use std::fmt;

use super::name_grammar::{NameError, readable, some_without, without};

/// The longest path, in bytes, that leaves room for the rest of an `add_device` command in the 4096 bytes that the
/// kernel reads.
const MAX_PATH: usize = 3500;

fn is_unprintable(c: char) -> bool {
    !c.is_ascii_graphic() && c != ' '
}

/// Checks one word of an `add_device` command that stands behind a `=`.
fn parameter(text: &str) -> Result<&str, NameError> {
    // U+FFFD stands for bytes that were no text. The kernel takes the byte 0xA0 for a blank wherever it stands.
    let splits = |c: char| {
        let mut buffer = [0; 4];
        c.encode_utf8(&mut buffer).bytes().any(|byte| byte == 0xA0)
    };
    some_without(text, MAX_PATH, |c| {
        c.is_control() || c.is_whitespace() || matches!(c, '=' | ';' | '"' | '\u{fffd}') || splits(c)
    })
}

/// The value of a parameter of `add_device`: one word, without what would end it early.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParameterValue(String);

impl ParameterValue {
    /// A value that was configured, or that the kernel showed of a device.
    ///
    /// # Errors
    ///
    /// The text is empty, longer than 3500 bytes, or has a blank, `=`, `;`, `"`, a control character, the byte 0xA0, at
    /// which the kernel splits, or U+FFFD, which stands for bytes that were no text.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        parameter(text).map(|text| Self(text.to_owned()))
    }
}

/// The value of an attribute: one line of visible characters and blanks. It may be empty, which the kernel takes for some.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeValue(String);

impl AttributeValue {
    /// A value that is to be written, or that the kernel showed and is to be written again.
    ///
    /// # Errors
    ///
    /// The text is longer than 3500 bytes, or has a character that is neither visible ASCII nor a blank.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        without(text, MAX_PATH, is_unprintable).map(|text| Self(text.to_owned()))
    }
}

/// A backing file or block device: absolute, without what would end the parameter early.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackingPath(String);

impl BackingPath {
    /// A configured path. `=`, `;`, blanks and `..` cannot be said in the kernel's grammar or lead elsewhere.
    ///
    /// # Errors
    ///
    /// The path is empty or relative, has `..` as a component, or is no [`ParameterValue`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(NameError::Form("an absolute path"));
        }
        let text = parameter(text)?;
        if text.split('/').any(|component| component == "..") {
            return Err(NameError::Form("a path without .."));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Checks an identifier: visible ASCII, at most `limit` characters.
fn identifier(text: &str, limit: usize) -> Result<&str, NameError> {
    some_without(text, limit, |c| !c.is_ascii_graphic())
}

/// The T10 vendor identification of a device (`t10_dev_id`). For the attribute only, never as a parameter of `add_device`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct T10DevId(String);

impl T10DevId {
    /// Up to 25 visible characters.
    ///
    /// # Errors
    ///
    /// The text is empty, longer, or has a blank or another character that is not visible ASCII.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        identifier(text, 25).map(|text| Self(text.to_owned()))
    }

    /// Whether it consists of letters, digits, `-` and `_` only.
    pub fn is_plain(&self) -> bool {
        self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    }
}

/// The unit serial number of a device (`usn`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usn(String);

impl Usn {
    /// Up to 20 visible characters.
    ///
    /// # Errors
    ///
    /// As for [`T10DevId::parse`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        identifier(text, 20).map(|text| Self(text.to_owned()))
    }
}

/// The digits of a hexadecimal number, with or without `0x` before them, in lower case.
fn hex_digits(text: &str) -> Result<String, NameError> {
    let digits = text.strip_prefix("0x").unwrap_or(text).to_ascii_lowercase();
    match digits.chars().find(|c| !c.is_ascii_hexdigit()) {
        Some(bad) => Err(NameError::Character(bad)),
        None => Ok(digits),
    }
}

/// The NAA identifier of a device (`naa_id`), as sysfs spells it: `0x` and lower-case digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NaaId(String);

impl NaaId {
    /// 16 hex digits that start with 2, 3 or 5, or 32 that start with 6; `0x` before them may be left out.
    ///
    /// # Errors
    ///
    /// The text has another length, another first digit, or a character that is no hex digit.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let digits = hex_digits(text)?;
        match (digits.len(), digits.as_bytes().first()) {
            (16, Some(b'2' | b'3' | b'5')) | (32, Some(b'6')) => Ok(Self(format!("0x{digits}"))),
            (16 | 32, _) => Err(NameError::Form("an NAA identifier: 16 digits start with 2, 3 or 5, 32 digits with 6")),
            _ => Err(NameError::Form("an NAA identifier of 16 or 32 hex digits")),
        }
    }
}

/// The EUI-64 identifier of a device (`eui64_id`), as sysfs spells it: `0x` and lower-case digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Eui64Id(String);

impl Eui64Id {
    /// 16, 24 or 32 hex digits; `0x` before them may be left out.
    ///
    /// # Errors
    ///
    /// The text has another length, or a character that is no hex digit.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let digits = hex_digits(text)?;
        match digits.len() {
            16 | 24 | 32 => Ok(Self(format!("0x{digits}"))),
            _ => Err(NameError::Form("an EUI-64 identifier of 16, 24 or 32 hex digits")),
        }
    }
}

/// Checks a text that hosts show of a device, such as `prod_id`: up to `limit` visible characters and blanks. A
/// character that a device's parameter cannot hold is written as `%` and two hex digits: `%20` is a blank, `%2c` a
/// comma, `%25` a percent sign.
///
/// # Errors
///
/// The text is blank, longer than `limit` when its `%` are resolved, has a character that is neither visible ASCII nor
/// a blank, or a `%` without two hex digits.
pub fn shown_text(text: &str, limit: usize) -> Result<String, NameError> {
    let form = NameError::Form("a text in which % is followed by two hex digits");
    let mut parts = text.split('%');
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or_else(|| form.clone())?;
        let code = u8::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        shown.push(code.ok_or_else(|| form.clone())?.into());
        shown.push_str(rest);
    }
    if shown.trim().is_empty() {
        return Err(NameError::Empty);
    }
    without(&shown, limit, is_unprintable)?;
    Ok(shown)
}

/// The logical block size of a device, in bytes (`blocksize`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockSize(u16);

impl BlockSize {
    /// The kernel's default, 512 bytes.
    pub const DEFAULT: Self = Self(512);

    /// The sizes that every handler can serve (`scst_vdisk.c`): `vdisk_blockio` takes none above a page.
    const ALL: [Self; 4] = [Self::DEFAULT, Self(1024), Self(2048), Self(4096)];

    /// The size in bytes.
    pub fn bytes(self) -> u64 {
        self.0.into()
    }

    /// A size in bytes that is configured, or that the kernel shows of a disk.
    ///
    /// # Errors
    ///
    /// The text is none of 512, 1024, 2048 and 4096, in decimal digits alone.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let known = Self::ALL.into_iter().find(|size| size.to_string() == text);
        known.ok_or(NameError::Form("a block size of 512, 1024, 2048 or 4096"))
    }
}

impl fmt::Display for BlockSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of threads that serve a device (`threads_num`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadsNum(u8);

impl ThreadsNum {
    /// 1 to 64, without a leading zero.
    ///
    /// # Errors
    ///
    /// The text is no such number.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let number = text.parse().ok().filter(|number: &u8| (1..=64).contains(number) && number.to_string() == text);
        number.map(Self).ok_or(NameError::Form("a number from 1 to 64"))
    }
}

impl fmt::Display for ThreadsNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

readable!(ParameterValue, AttributeValue, BackingPath, T10DevId, Usn, NaaId, Eui64Id);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_that_the_kernel_would_cut_are_refused() {
        for path in ["/dev/drbd/by-res/vm1/0", "/srv/disk,1", "/srv/Größe", "/srv/a..b"] {
            assert_eq!(BackingPath::parse(path).map(|path| path.to_string()), Ok(path.to_owned()));
        }
        for path in ["", "disk", "/a b", "/a=b", "/a;b", "/a\n", "/a/../b", "/..", "/a\u{fffd}", "/a\u{e0}", "/a\"b"] {
            assert!(BackingPath::parse(path).is_err(), "{path:?}");
        }
        assert!(BackingPath::parse(&format!("/{}", "x".repeat(MAX_PATH))).is_err());
    }

    #[test]
    fn identifiers_keep_to_the_kernels_limits() {
        assert!(T10DevId::parse(&"x".repeat(25)).is_ok() && T10DevId::parse(&"x".repeat(26)).is_err());
        assert!(Usn::parse(&"x".repeat(20)).is_ok() && Usn::parse(&"x".repeat(21)).is_err());
        assert!(T10DevId::parse("a b").is_err() && T10DevId::parse("a\nb").is_err() && T10DevId::parse("é").is_err());
        assert!(T10DevId::parse("a-b_1").unwrap().is_plain() && !T10DevId::parse("a.b").unwrap().is_plain());
    }

    #[test]
    fn what_the_kernel_showed_is_one_word_of_a_command_or_one_line_of_an_attribute() {
        for text in ["this group only", "0x600-a;b=c", "1", "", " 1 "] {
            assert_eq!(AttributeValue::parse(text).map(|value| value.to_string()), Ok(text.to_owned()));
        }
        for text in ["a\nb", "a\tb", "a\0", "\u{e0}", "\u{fffd}", &"x".repeat(MAX_PATH + 1)] {
            assert!(AttributeValue::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(ParameterValue::parse("/srv/Größe").map(|value| value.to_string()), Ok("/srv/Größe".to_owned()));
        for text in ["", "a b", "a;b", "a=b", "a\nb", "a\0", "\u{e0}", "\u{fffd}", &"x".repeat(MAX_PATH + 1)] {
            assert!(ParameterValue::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn naa_identifiers_are_those_the_kernel_takes() {
        assert_eq!(NaaId::parse("500000000000000A").unwrap().to_string(), "0x500000000000000a");
        assert!(NaaId::parse("0x60000000000000000000000000000000").is_ok());
        for text in ["", "0x", "4000000000000001", "6000000000000001", "50000000000000000000000000000000"] {
            assert!(NaaId::parse(text).is_err(), "{text}");
        }
        for text in ["0X5000000000000001", "500000000000000g", "500000000000001", "0x0x50000000000001"] {
            assert!(NaaId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn eui_64_identifiers_have_three_lengths() {
        for digits in [16, 24, 32] {
            let id = "A".repeat(digits);
            assert_eq!(Eui64Id::parse(&id).unwrap().to_string(), format!("0x{}", id.to_lowercase()));
        }
        for text in ["", "0x", "001122334455667", "00112233445566778", "001122334455667g", "0X0011223344556677"] {
            assert!(Eui64Id::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_for_hosts_can_hold_what_a_parameter_cannot() {
        assert_eq!(shown_text("Virtual%20Disk", 16), Ok("Virtual Disk".to_owned()));
        assert_eq!(shown_text("a%2cb%25", 4), Ok("a,b%".to_owned()));
        for text in ["", "%20", "a%", "a%2", "a%zz", "a%+1", "a%0a", "a%e9", "é", "abcdefghi"] {
            assert!(shown_text(text, 8).is_err(), "{text}");
        }
    }

    #[test]
    fn block_sizes_and_threads_are_plain_numbers_in_their_range() {
        for text in ["512", "1024", "2048", "4096"] {
            assert_eq!(BlockSize::parse(text).map(|size| size.to_string()), Ok(text.to_owned()));
        }
        for text in ["0", "256", "513", "8192", "0512", "0x200", "+512", "4k", ""] {
            assert!(BlockSize::parse(text).is_err(), "{text}");
        }
        assert_eq!([ThreadsNum::parse("1"), ThreadsNum::parse("64")], [Ok(ThreadsNum(1)), Ok(ThreadsNum(64))]);
        for text in ["0", "65", "300", "01", "+1", "-1", "x", ""] {
            assert!(ThreadsNum::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_path_is_one_value_of_one_parameter(text in "(/?[a-z.=;\\\\ \"\n\u{a0}\u{e0}]{0,4}){0,6}") {
            if let Ok(path) = BackingPath::parse(&text) {
                prop_assert_eq!(path.as_str(), &text);
                prop_assert!(!text.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control() || b"=;\"\xa0".contains(&b)));
                prop_assert!(text.starts_with('/') && text.split('/').all(|component| component != ".."));
            }
        }

        #[test]
        fn an_accepted_identifier_is_one_line(text in any::<String>()) {
            for accepted in [
                T10DevId::parse(&text).map(|v| v.to_string()),
                Usn::parse(&text).map(|v| v.to_string()),
            ].into_iter().flatten() {
                prop_assert_eq!(&accepted, &text);
                prop_assert!(accepted.bytes().all(|b| b.is_ascii_graphic()));
            }
        }

        #[test]
        fn an_naa_identifier_reads_back_as_itself(text in "(0x)?[2356][0-9a-fA-F]{15}([0-9a-fA-F]{16})?") {
            if let Ok(naa) = NaaId::parse(&text) {
                prop_assert_eq!(NaaId::parse(naa.as_str()).unwrap(), naa);
            }
        }
    }
}
