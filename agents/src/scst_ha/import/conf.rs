//! `scst.conf` as scstadmin reads it (`readConfigFile`, `parseStanza` and `parseLine` of its Perl program), which is often not as it
//! looks. Every place where the two differ is a warning with its line.
//!
//! A line loses what follows a `#`, with the character before it; each backslash goes and what follows it stays. Then single
//! characters count: `{` begins a block with the words before it on the line, `}` ends it and drops words that stand before it,
//! a newline ends a statement. Of a statement the first three words count, and a later statement of the same words replaces an
//! earlier one with everything in it. What the last line says is lost if no newline ends it.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Blocks that stand deeper in each other than this are passed over: scstadmin knows four levels.
const MAX_DEPTH: usize = 32;

/// So many warnings are kept; more say nothing new.
const MAX_WARNINGS: usize = 200;

/// The marks of the format before SCST 2.0, `[HANDLER vdisk]`.
const OLD: [&str; 3] = ["HANDLER", "GROUP", "ASSIGNMENT"];

/// What scstadmin makes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conf {
    /// Everything that counts.
    pub root: Node,
    /// Where the file means something else than it seems to.
    pub warnings: Vec<Warning>,
    /// How many warnings there were beyond those kept.
    pub more_warnings: usize,
}

/// A place where the file means something else than it seems to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The line, from 1.
    pub line: usize,
    /// What is different.
    pub text: String,
}

/// A word and what stands below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// The words that follow, or the statements of a block.
    pub below: BTreeMap<String, Node>,
    /// The line that said it last, from 1.
    pub line: usize,
}

impl Node {
    /// What stands below that word.
    pub fn get(&self, word: &str) -> Option<&Self> {
        self.below.get(word)
    }

    /// The words below that one, in the order of their lines.
    pub fn each(&self, word: &str) -> Vec<(&str, &Self)> {
        let below = self.get(word).into_iter().flat_map(|node| &node.below);
        let mut found: Vec<(&str, &Self)> = below.map(|(name, node)| (name.as_str(), node)).collect();
        found.sort_by_key(|(_, node)| node.line);
        found
    }
}

/// Reads a file.
///
/// # Errors
///
/// That it is of the format before SCST 2.0, which only scstadmin can convert.
pub fn parse(bytes: &[u8]) -> Result<Conf, String> {
    let mut reader = Reader::default();
    let mut rest = bytes;
    if let Some(behind) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        // scstadmin takes the mark for the beginning of the first word, which it then does not know.
        reader.conf.warn(1, "a byte order mark stands before the first word, which scstadmin does not know then");
        rest = behind;
        reader.line.push('\u{feff}');
    }
    let mut number = 0;
    while !rest.is_empty() && !reader.ended {
        number += 1;
        let (line, ended) = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let line = &rest[..end];
                rest = &rest[end + 1..];
                (line, true)
            }
            None => (std::mem::take(&mut rest), false),
        };
        let line = String::from_utf8_lossy(line);
        if matches!(line, Cow::Owned(_)) {
            reader.conf.warn(number, "it is not UTF-8; what is not is shown as \u{fffd}");
        }
        reader.line(&line, number, ended)?;
    }
    Ok(reader.end(number))
}

/// A block that is open: the words before its brace, and what stands around it.
#[derive(Debug)]
struct Open {
    words: String,
    line: usize,
    around: Node,
}

/// The state between two characters.
#[derive(Debug, Default)]
struct Reader {
    conf: Conf,
    open: Vec<Open>,
    /// Blocks too deep to be kept.
    too_deep: usize,
    /// What is being filled.
    here: Node,
    /// The statement that has not ended yet.
    line: String,
    /// A brace too many has ended the file.
    ended: bool,
}

impl Reader {
    fn line(&mut self, line: &str, number: usize, ended: bool) -> Result<(), String> {
        let line = self.without_comment(line, number);
        if let Some(word) = old_format(line) {
            return Err(format!(
                "line {number}: [{word} …] is the format before SCST 2.0: have scstadmin read it, and import what the kernel has then"
            ));
        }
        let line = self.without_backslashes(line, number);
        let mut rest = line.as_ref();
        while let Some(at) = rest.find(['{', '}']) {
            self.line.push_str(&rest[..at]);
            if rest[at..].starts_with('{') {
                self.begin(number);
            } else {
                self.close(number);
                if self.ended {
                    return Ok(());
                }
            }
            rest = &rest[at + 1..];
        }
        self.line.push_str(rest);
        if ended {
            let words = std::mem::take(&mut self.line);
            self.conf.state(&mut self.here, &words, Node::default(), number);
        }
        Ok(())
    }

    /// Up to the first `#` without a backslash before it; the character before goes as well, unless it begins the line.
    fn without_comment<'a>(&mut self, line: &'a str, number: usize) -> &'a str {
        if line.starts_with('#') {
            return "";
        }
        if !line.contains('#') {
            return line;
        }
        let mut before: Option<(usize, char)> = None;
        for (at, letter) in line.char_indices() {
            if let Some((start, lost)) = before.filter(|(_, lost)| letter == '#' && *lost != '\\') {
                if !lost.is_whitespace() {
                    let text = format!("the character {lost:?} before the # goes with the comment");
                    self.conf.warn(number, &text);
                }
                return &line[..start];
            }
            before = Some((at, letter));
        }
        line
    }

    /// Each backslash goes, and the character behind it stays.
    fn without_backslashes<'a>(&mut self, line: &'a str, number: usize) -> Cow<'a, str> {
        if !line.contains('\\') {
            return line.into();
        }
        let mut text = String::with_capacity(line.len());
        let mut letters = line.chars();
        while let Some(letter) = letters.next() {
            match (letter, if letter == '\\' { letters.next() } else { None }) {
                ('\\', Some(kept)) => {
                    if matches!(kept, '{' | '}' | '"') {
                        self.conf.warn(
                            number,
                            &format!("the backslash before {kept} goes, and {kept} means what it means without"),
                        );
                    } else if !matches!(kept, '#' | '\\') {
                        self.conf.warn(number, &format!("the backslash before {kept:?} goes"));
                    }
                    text.push(kept);
                }
                (letter, _) => text.push(letter),
            }
        }
        text.into()
    }

    fn begin(&mut self, number: usize) {
        let words = std::mem::take(&mut self.line);
        if words.matches('"').count() % 2 == 1 {
            self.conf.warn(number, "a brace begins a block inside quotes as well");
        }
        if self.open.len() >= MAX_DEPTH {
            if self.too_deep == 0 {
                self.conf.warn(number, "blocks stand too deep in each other, they are passed over");
            }
            self.too_deep += 1;
            return;
        }
        // What is empty or the word 0 is false to Perl.
        if words.trim().is_empty() || words == "0" {
            self.conf.warn(
                number,
                "a block without words before its brace, on the same line, is lost with everything in it",
            );
        }
        let around = std::mem::take(&mut self.here);
        self.open.push(Open { words, line: number, around });
    }

    fn close(&mut self, number: usize) {
        let words = std::mem::take(&mut self.line);
        if !words.trim().is_empty() {
            self.conf.warn(
                number,
                &format!("{} stands before a closing brace on the same line, and is lost", shown(&words)),
            );
        }
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        let Some(Open { words, line, around }) = self.open.pop() else {
            self.conf.warn(number, "a closing brace without a block: everything behind it is lost");
            self.ended = true;
            return;
        };
        let child = std::mem::replace(&mut self.here, around);
        self.finish(&words, child, line);
    }

    fn finish(&mut self, words: &str, child: Node, line: usize) {
        if words != "0" {
            self.conf.state(&mut self.here, words, child, line);
        }
    }

    fn end(mut self, number: usize) -> Conf {
        if !self.ended && !self.line.trim().is_empty() {
            let text = format!("{} is lost, because no newline ends the last line", shown(&self.line));
            self.conf.warn(number, &text);
        }
        while let Some(Open { words, line, around }) = self.open.pop() {
            self.conf.warn(line, &format!("the block {} is not closed; it ends with the file", shown(&words)));
            let child = std::mem::replace(&mut self.here, around);
            self.finish(&words, child, line);
        }
        self.conf.root = self.here;
        self.conf
    }
}

impl Conf {
    fn warn(&mut self, line: usize, text: &str) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(Warning { line, text: text.to_owned() });
        } else {
            self.more_warnings += 1;
        }
    }

    /// Adds a statement to a block.
    fn state(&mut self, block: &mut Node, line: &str, child: Node, number: usize) {
        let words = words(line);
        if words.is_empty() {
            return;
        }
        if words.len() > 3 {
            let lost = words[3..].join(" ");
            self.warn(number, &format!("only three words count: {} is passed over", shown(&lost)));
        }
        let path = &words[..words.len().min(3)];
        let mut at = block;
        for word in &path[..path.len() - 1] {
            at = at.below.entry(word.clone()).or_insert_with(|| Node { line: number, ..Node::default() });
        }
        let earlier = at.below.insert(path[path.len() - 1].clone(), Node { line: number, ..child });
        let Some(earlier) = earlier else { return };
        let same = at.below[&path[path.len() - 1]].below == earlier.below;
        if !same && !earlier.below.is_empty() {
            let said = shown(&path.join(" "));
            self.warn(number, &format!("{said} replaces that of line {}, with everything in it", earlier.line));
        }
    }
}

/// The words of a statement: between double quotes, or without a blank.
fn words(line: &str) -> Vec<String> {
    let blank = |letter: char| letter.is_ascii_whitespace() || letter == '\u{b}';
    let mut found = Vec::new();
    let mut rest = line.trim_start_matches(blank);
    while !rest.is_empty() {
        let (word, behind) = quoted(rest).unwrap_or_else(|| rest.split_at(rest.find(blank).unwrap_or(rest.len())));
        found.push(word.to_owned());
        rest = behind.trim_start_matches(blank);
    }
    found
}

/// What stands in quotes at the beginning of a text, and what follows; a backslash protects the character behind it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut letters = inside.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((&inside[..at], &inside[at + 1..])),
            '\\' => _ = letters.next(),
            _ => {}
        }
    }
    None
}

/// The first word of a mark of the old format: `[`, a word, blanks and more, `]`.
fn old_format(line: &str) -> Option<&'static str> {
    let inside = line.split_once('[')?.1;
    let (inside, _) = inside.rsplit_once(']')?;
    OLD.into_iter().find(|word| inside.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '\t'])))
}

/// Words as a warning shows them: on one line, and not endless.
fn shown(words: &str) -> String {
    let words = words.trim();
    let short: String = words.chars().take(60).collect();
    format!("{short:?}{}", if short.len() < words.len() { "..." } else { "" })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The statements, each with what stands around it, and the warnings with their lines.
    fn read(text: &str) -> (String, Vec<String>) {
        fn draw(node: &Node) -> String {
            let words = node.below.iter().map(|(word, below)| match draw(below) {
                inside if inside.is_empty() => word.clone(),
                inside => format!("{word}({inside})"),
            });
            words.collect::<Vec<_>>().join(" ")
        }
        let conf = parse(text.as_bytes()).unwrap();
        let warnings = conf.warnings.iter().map(|warning| format!("{}: {}", warning.line, warning.text));
        (draw(&conf.root), warnings.collect())
    }

    #[test]
    fn a_plain_file_is_read_as_it_looks() {
        let (found, warnings) = read(
            "# a comment\nHANDLER vdisk_fileio {\n\tDEVICE a {\n\t\tfilename /a\n\t\tusn \"1 2\"\n\t}\n}\n\nTARGET_DRIVER x {\r\n  TARGET y {\r\n    \
             LUN 0 a {\r\n read_only 1\r\n}\r\n enabled 1 \r\n }\r\n}\n",
        );
        assert_eq!(
            found,
            "HANDLER(vdisk_fileio(DEVICE(a(filename(/a) usn(1 2))))) TARGET_DRIVER(x(TARGET(y(LUN(0(a(read_only(1)))) enabled(1)))))"
        );
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn what_differs_from_its_look_is_read_so_and_told() {
        for (text, found, warning) in [
            ("a /x# c\n", "a(/)", "1: the character 'x' before the # goes with the comment"),
            ("a /x # c\n", "a(/x)", ""),
            (" # c\n", "", ""),
            ("a x\\#y\n", "a(x#y)", ""),
            ("a x\\y\n", "a(xy)", "1: the backslash before 'y' goes"),
            ("a 1 2 3 4\n", "a(1(2))", "1: only three words count: \"3 4\" is passed over"),
            ("a 1\nb 2", "a(1)", "2: \"b 2\" is lost, because no newline ends the last line"),
            ("a 1\n}", "a(1)", "2: a closing brace without a block: everything behind it is lost"),
            (
                "a\n{\nb 1\n}\n",
                "a",
                "2: a block without words before its brace, on the same line, is lost with everything in it",
            ),
            ("a { b 1 }\nc\n", "a c", "1: \"b 1\" stands before a closing brace on the same line, and is lost"),
            ("a x {\nb 1\n}\na x {\nc\n}\n", "a(x(c))", "4: \"a x\" replaces that of line 1, with everything in it"),
            ("a x {\nb\n}\na x\n", "a(x)", "4: \"a x\" replaces that of line 1, with everything in it"),
            ("a x {\nb\n", "a(x(b))", "1: the block \"a x\" is not closed; it ends with the file"),
            ("a \"x{\"\nb\n}\n", "a(\"x(\" b))", "1: a brace begins a block inside quotes as well"),
            (
                "\u{feff}a 1\n",
                "\u{feff}a(1)",
                "1: a byte order mark stands before the first word, which scstadmin does not know then",
            ),
        ] {
            let read = read(text);
            assert_eq!(read.0, found, "{text:?}");
            let expected: Vec<&str> = Some(warning).filter(|warning| !warning.is_empty()).into_iter().collect();
            assert_eq!(read.1, expected, "{text:?}");
        }
    }

    #[test]
    fn a_value_given_twice_is_both_and_the_same_statement_twice_is_one() {
        assert_eq!(read("INITIATOR a\nINITIATOR b\nINITIATOR a\n"), ("INITIATOR(a b)".to_owned(), Vec::new()));
        assert_eq!(read("LUN 0 a\nLUN 0 b\n").0, "LUN(0(a b))");
        // A statement of fewer words takes away what longer ones said.
        assert_eq!(read("LUN 0 a\nLUN 0\n").0, "LUN(0)");
    }

    #[test]
    fn words_may_stand_in_quotes() {
        assert_eq!(words("a \"b c\" d\"e f\" \"\" \"open"), ["a", "b c", "d\"e", "f\"", "", "\"open"]);
        assert_eq!(words(" \t\r"), [""; 0]);
    }

    #[test]
    fn the_old_format_is_refused() {
        let error = parse(b"\n[HANDLER vdisk]\nDEVICE a\n").unwrap_err();
        assert!(error.starts_with("line 2: [HANDLER …] is the format before SCST 2.0"), "{error}");
        assert!(parse(b"a [GROUP]\n").is_ok());
    }

    #[test]
    fn neither_depth_nor_size_exhausts_anything() {
        let conf = parse("a {\n".repeat(200_000).as_bytes()).unwrap();
        assert!(conf.warnings.iter().any(|warning| warning.text.contains("too deep")));
        let started = std::time::Instant::now();
        let device = |n| format!("\tDEVICE disk{n} {{\n\t\tfilename /dev/vg/disk{n}\n\t\tread_only 0\n\t}}\n");
        let file = format!("HANDLER vdisk_blockio {{\n{}}}\n", (0..170_000).map(device).collect::<String>());
        assert!(file.len() > 10_000_000);
        let conf = parse(file.as_bytes()).unwrap();
        assert_eq!(conf.root.get("HANDLER").unwrap().get("vdisk_blockio").unwrap().each("DEVICE").len(), 170_000);
        assert!(started.elapsed() < std::time::Duration::from_mins(2));
    }

    proptest! {
        /// Whatever a file holds, it is read, and every warning is one line about a line of the file.
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(prop_oneof![
            any::<u8>(), proptest::sample::select(b"{}\n\n\\#\" \tab0".to_vec())], 0..300)) {
            let lines = bytes.split(|byte| *byte == b'\n').count();
            if let Ok(conf) = parse(&bytes) {
                for warning in &conf.warnings {
                    prop_assert!(warning.line >= 1 && warning.line <= lines);
                    prop_assert!(!warning.text.chars().any(char::is_control), "{:?}", warning);
                }
            }
        }

        /// A tree that is written with a statement per line is read as it is.
        #[test]
        fn what_is_written_plainly_is_read_back(tree in tree()) {
            let mut text = String::new();
            write(&tree, &mut text);
            let conf = parse(text.as_bytes()).unwrap();
            prop_assert_eq!(&conf.warnings, &[]);
            let mut again = String::new();
            write(&conf.root, &mut again);
            prop_assert_eq!(again, text);
        }
    }

    /// Blocks with names of their own.
    fn tree() -> impl Strategy<Value = Node> {
        let leaf = Just(Node::default());
        leaf.prop_recursive(4, 40, 5, |inner| {
            proptest::collection::btree_map("[a-z/:][a-z0-9 /:.-]{0,8}[a-z0-9]", inner, 0..5)
                .prop_map(|below| Node { below, line: 0 })
        })
    }

    fn write(node: &Node, text: &mut String) {
        for (word, below) in &node.below {
            if below.below.is_empty() {
                *text += &format!("\"{word}\"\n");
            } else {
                *text += &format!("\"{word}\" {{\n");
                write(below, text);
                *text += "}\n";
            }
        }
    }
}
