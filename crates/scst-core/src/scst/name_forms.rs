//! The forms in which the fabrics write names of ports and initiators: WWPN (Fibre Channel), GUID and GID (`InfiniBand`),
//! IQN, EUI and NAA (iSCSI, RFC 3720). `driver` says which driver has which, `names` and `initiator` make types of them.

/// A world wide port name as eight pairs joined by colons, from every usual spelling in lower case: pairs joined by colons or
/// dashes, groups of four digits joined by dashes, 16 digits without anything between; each also behind `0x` or `naa.`.
pub(super) fn wwpn(text: &str) -> Option<String> {
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("naa.")).unwrap_or(text);
    let spellings = [(':', 2), ('-', 2), ('-', 4), (':', 16)];
    let groups = spellings.into_iter().find_map(|(separator, digits)| {
        let groups: Vec<&str> = text.split(separator).collect();
        (groups.len() * digits == 16 && groups.iter().all(|group| hex(group, digits))).then_some(groups)
    })?;
    let digits = groups.concat();
    let pairs: Vec<&str> = (0..8).map(|pair| &digits[2 * pair..2 * pair + 2]).collect();
    Some(pairs.join(":"))
}

/// Exactly so many hex digits.
fn hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `count` groups of `digits` hex digits joined by colons.
pub(super) fn hex_groups(text: &str, count: usize, digits: usize) -> bool {
    let groups: Vec<&str> = text.split(':').collect();
    groups.len() == count && groups.iter().all(|group| hex(group, digits))
}

/// RFC 3720's three forms, without regard to case. An IQN is `iqn.YYYY-MM.` and a domain, then anything after a colon.
pub(super) fn iscsi_name(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    if let Some(digits) = text.strip_prefix("eui.") {
        return hex(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("naa.") {
        return hex(digits, 16) || hex(digits, 32);
    }
    let Some(rest) = text.strip_prefix("iqn.") else { return false };
    let Some((date, name)) = rest.split_once('.') else { return false };
    let date = date.as_bytes();
    let dated = date.len() == 7
        && date.iter().enumerate().all(|(i, b)| if i == 4 { *b == b'-' } else { b.is_ascii_digit() })
        && matches!(
            &date[5..],
            b"01" | b"02" | b"03" | b"04" | b"05" | b"06" | b"07" | b"08" | b"09" | b"10" | b"11" | b"12"
        );
    let domain = name.split_once(':').map_or(name, |(domain, _)| domain);
    dated
        && text.len() <= 223
        && !domain.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:_".contains(&b))
}
