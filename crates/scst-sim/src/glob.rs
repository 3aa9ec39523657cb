//! Patterns of paths: `?` is one byte and `*` any run of bytes within a path component, `**` any run of bytes at all.

/// Tells whether all of `text` matches `pattern`.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=text.len()).any(|skip| matches(rest, &text[skip..])),
        [b'*', rest @ ..] => {
            let component = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
            (0..=component).any(|skip| matches(rest, &text[skip..]))
        }
        [b'?', rest @ ..] => text.split_first().is_some_and(|(byte, tail)| *byte != b'/' && matches(rest, tail)),
        [byte, rest @ ..] => text.split_first().is_some_and(|(first, tail)| first == byte && matches(rest, tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stay_within_a_component_and_double_stars_do_not() {
        for (pattern, text, expected) in [
            ("a/*/c", "a/b/c", true),
            ("a/*/c", "a/b/b/c", false),
            ("a/**/c", "a/b/b/c", true),
            ("**/mgmt", "a/b/mgmt", true),
            ("**mgmt", "mgmt", true),
            ("d?", "d1", true),
            ("d?", "d/", false),
            ("d", "d1", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
