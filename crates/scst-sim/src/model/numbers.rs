//! The kernel's ways of reading numbers: `kstrto*` (`lib/kstrtox.c`), `bitmap_parse`, `sscanf("%lld")`.

use super::Errno;
use super::words::is_space;

/// The digits in front of a text with the base their prefix asks for, and what follows them.
fn digits(text: &[u8]) -> (Result<u64, Errno>, usize) {
    let hex = |at: usize| text.get(at).is_some_and(u8::is_ascii_hexdigit);
    let (base, start) = match text {
        [b'0', b'x' | b'X', ..] if hex(2) => (16, 2),
        [b'0', ..] => (8, 0),
        _ => (10, 0),
    };
    let mut value = Some(0u64);
    let mut at = start;
    while let Some(digit) = text.get(at).and_then(|b| char::from(*b).to_digit(base)) {
        value = value.and_then(|v| v.checked_mul(u64::from(base))?.checked_add(u64::from(digit)));
        at += 1;
    }
    (value.ok_or(Errno::ERANGE), at)
}

/// `kstrtoull(text, 0)`: an optional `+`, digits by prefix, one newline allowed behind. ERANGE beyond 64 bit, EINVAL else.
pub(super) fn unsigned(text: &[u8]) -> Result<u64, Errno> {
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let (value, len) = digits(text);
    let value = value?;
    if len == 0 || !matches!(&text[len..], b"" | b"\n") {
        return Err(Errno::EINVAL);
    }
    Ok(value)
}

/// `kstrtoll(text, 0)`: as [`unsigned`] with an optional `-`.
pub(super) fn signed(text: &[u8]) -> Result<i64, Errno> {
    match text.strip_prefix(b"-") {
        // The kernel does not take "-+1".
        Some(rest) if rest.starts_with(b"+") => Err(Errno::EINVAL),
        Some(rest) => {
            let value = unsigned(rest)?;
            0i64.checked_sub_unsigned(value).ok_or(Errno::ERANGE)
        }
        None => i64::try_from(unsigned(text)?).map_err(|_| Errno::ERANGE),
    }
}

/// `kstrtoint(text, 0)`.
pub(super) fn int(text: &[u8]) -> Result<i32, Errno> {
    i32::try_from(signed(text)?).map_err(|_| Errno::ERANGE)
}

/// The low 32 bits of a number as the kernel's `int` holds them.
pub(super) fn as_int(value: i64) -> i32 {
    let low = u32::try_from(value & 0xffff_ffff).unwrap_or_default();
    i32::from_ne_bytes(low.to_ne_bytes())
}

/// The low 32 bits of a number as the kernel's `unsigned int` holds them.
pub(super) fn low32(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or_default()
}

/// `bitmap_parse` for at most 64 bits: hexadecimal words of 32 bits separated by commas, read from the end of the text.
/// EINVAL for other text, EOVERFLOW for bits beyond `bits` or a word of more than 32 bits.
pub(super) fn bitmap(text: &[u8], bits: u32) -> Result<u64, Errno> {
    let line = text.split(|b| matches!(b, b'\n' | 0)).next().unwrap_or(text);
    let mut mask = 0u64;
    let mut words = 0u32;
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.iter().rposition(|b| !is_space(*b)).map_or(0, |p| p + 1);
        rest = &rest[..end];
        if rest.is_empty() {
            break;
        }
        let start = rest.iter().rposition(|b| is_space(*b) || *b == b',').map_or(0, |p| p + 1);
        let word = &rest[start..];
        if word.is_empty() || !word.iter().all(u8::is_ascii_hexdigit) {
            return Err(Errno::EINVAL);
        }
        if word.len() > 8 {
            return Err(Errno::EOVERFLOW);
        }
        if words * 32 >= bits {
            return Err(Errno::EOVERFLOW);
        }
        let value = word.iter().fold(0, |v, d| v * 16 + u64::from(char::from(*d).to_digit(16).unwrap_or_default()));
        mask |= value << (words * 32);
        words += 1;
        rest = rest[..start].strip_suffix(b",").unwrap_or(&rest[..start]);
    }
    if bits < 64 && mask >> bits != 0 {
        return Err(Errno::EOVERFLOW);
    }
    Ok(mask)
}

/// `sscanf(text, "%lld")` into an unsigned variable: blanks, a sign, decimal digits up to the first other byte.
pub(super) fn scanned(text: &[u8]) -> Option<u64> {
    let start = text.iter().position(|b| !is_space(*b))?;
    let (negative, text) = match &text[start..] {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let len = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    if len == 0 {
        return None;
    }
    let value = text[..len].iter().fold(0u64, |v, d| v.wrapping_mul(10).wrapping_add(u64::from(d - b'0')));
    Some(if negative { value.wrapping_neg() } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_gives_the_base() {
        for (text, value) in [("0x10\n", 16), ("010", 8), ("+7", 7)] {
            assert_eq!(unsigned(text.as_bytes()), Ok(value), "{text}");
        }
        for bad in ["0x", "08", " 1", "1\n\n", "-1"] {
            assert_eq!(unsigned(bad.as_bytes()), Err(Errno::EINVAL), "{bad}");
        }
        assert_eq!(unsigned(b"18446744073709551616"), Err(Errno::ERANGE));
    }

    #[test]
    fn signed_numbers_have_their_range() {
        assert_eq!(signed(b"-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(signed(b"-9223372036854775809"), Err(Errno::ERANGE));
        assert_eq!(signed(b"9223372036854775808"), Err(Errno::ERANGE));
        assert_eq!(int(b"2147483648"), Err(Errno::ERANGE));
        assert_eq!(as_int(4_294_967_297), 1);
        assert_eq!(as_int(2_147_483_648), i32::MIN);
    }

    #[test]
    fn bitmaps_are_hexadecimal_and_bounded() {
        assert_eq!(bitmap(b"1\n", 1), Ok(1));
        assert_eq!(bitmap(b"\n", 1), Ok(0));
        assert_eq!(bitmap(b"2\n", 1), Err(Errno::EOVERFLOW));
        assert_eq!(bitmap(b"0x1\n", 1), Err(Errno::EINVAL));
        assert_eq!(bitmap(b"1,00000000\n", 64), Ok(1 << 32));
    }

    #[test]
    fn sizes_end_at_the_first_other_byte() {
        assert_eq!(scanned(b"0x1000\n"), Some(0));
        assert_eq!(scanned(b"  42MB"), Some(42));
        assert_eq!(scanned(b"x"), None);
    }
}
