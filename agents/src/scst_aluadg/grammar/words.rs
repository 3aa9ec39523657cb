//! Splits the text of a device into words, and reads the numbers and sizes in them.

use scst_core::scst::names::NameError;

/// The words of a device's text.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .map(|word| word.replace('"', ""))
        .filter(|word| !word.is_empty())
}

/// The value of `virtname` alone, whatever else is in the text: for stop.
pub(in crate::scst_aluadg) fn virtname(text: &str) -> Option<String> {
    let pairs =
        words(text).filter_map(|word| word.split_once('=').map(|(k, v)| (k.to_ascii_lowercase(), v.to_owned())));
    pairs.filter(|(key, value)| key == "virtname" && !value.is_empty()).last().map(|(_, value)| value)
}

/// A capacity in bytes, or with K, M, G or T for powers of 1024. Hosts count in blocks of at least 512 bytes.
pub(super) fn capacity(text: &str) -> Result<u64, NameError> {
    let power = text.chars().last().and_then(|last| "KMGT".find(last.to_ascii_uppercase())).map(|place| place + 1);
    let digits = &text[..text.len() - usize::from(power.is_some())];
    let number = Some(digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit())).and_then(|d| d.parse().ok());
    let bytes = number.and_then(|n: u64| n.checked_mul(1 << (10 * power.unwrap_or(0))));
    bytes
        .filter(|bytes| *bytes > 0 && bytes % 512 == 0 && i64::try_from(*bytes).is_ok())
        .ok_or(NameError::Form("a size in bytes, or with K, M, G or T, that is a multiple of 512"))
}

/// The number of an `exportN`; `export01` is no key.
pub(super) fn export_number(key: &str) -> Option<u8> {
    let digits = key.strip_prefix("export")?;
    digits.parse::<u8>().ok().filter(|number| number.to_string() == digits)
}
