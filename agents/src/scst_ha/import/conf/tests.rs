//! What is read of a file, and where it is told to differ from its look.

use proptest::prelude::*;

use super::words::words;
use super::*;

/// The statements, each with what stands around it, and the warnings with their lines.
fn read(text: &str) -> (String, Vec<String>) {
    fn draw(block: &Block) -> String {
        let words = block.below.iter().map(|(word, below)| match draw(below) {
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
fn no_warning_shows_a_word_of_users() {
    for text in [
        "IncomingUser joe mySecret12345 more\n",
        "a b IncomingUser joe mySecret12345\n",
        "outgoinguser joe my mySecret12345\n",
        "x {\nIncomingUser \"joe mySecret12345\" }\n",
        "x {\nIncomingUser \"joe m}mySecret12345\"\n}\n",
        "x {\nIncomingUser \"joe m}my}mySecret12345\"\n}\n",
        "IncomingUser \"joe mySecret12345\"",
        "IncomingUser \"joe mySecret12345\" {\na\n}\nIncomingUser \"joe mySecret12345\" {\nb\n}\n",
        "IncomingUser joe mySecret12345 {\n",
        "IncomingUser \"joe mySecret12345\u{1}\\Z\"\n",
        "Incoming\\User \"joe 12\\Z\"\n",
        "IncomingUser \"joe 12Z#\"\n",
    ] {
        let warnings = read(text).1;
        assert!(!warnings.is_empty(), "{text:?}");
        for warning in &warnings {
            assert!(!warning.contains("mySecret12345") && !warning.contains('Z'), "{text:?}: {warning}");
        }
    }
    // What stands around them is shown.
    assert_eq!(
        read("IncomingUser \"joe mySecret12345\"\na 1 2 3\n").1,
        ["2: only three words count: \"3\" is passed over"]
    );
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
fn tree() -> impl Strategy<Value = Block> {
    let leaf = Just(Block::default());
    leaf.prop_recursive(4, 40, 5, |inner| {
        proptest::collection::btree_map("[a-z/:][a-z0-9 /:.-]{0,8}[a-z0-9]", inner, 0..5)
            .prop_map(|below| Block { below, line: 0 })
    })
}

fn write(block: &Block, text: &mut String) {
    for (word, below) in &block.below {
        if below.below.is_empty() {
            *text += &format!("\"{word}\"\n");
        } else {
            *text += &format!("\"{word}\" {{\n");
            write(below, text);
            *text += "}\n";
        }
    }
}
