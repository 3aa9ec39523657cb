//! No two files import each other, neither directly nor by way of others; and no two directories do by any of their files.
//!
//! An import is a path of the own crate, in a `use` or in the code, also one that begins with a module of the file's
//! own or with an imported name. A module that passes a name of another one on (`pub use`) is a
//! re-export: whoever takes the name from it imports the file that the name stands in. Unit tests do not count.

use std::collections::{BTreeMap, BTreeSet};

use crate::architecture::{Source, sources};

/// A path of modules below a crate's root.
type Path = Vec<String>;

/// Directories whose files are parts of one thing and call each other: what each of them is.
const WHOLES: [(&str, &str); 2] = [
    ("crates/scst-sim/src/model", "one state machine: every command of the kernel may touch every kind of object"),
    ("crates/xtask/src/simulate", "the simulated cluster and what happens in it"),
];

/// Which modules each module imports.
type Imports = BTreeMap<Path, BTreeSet<Path>>;

/// The files of one crate by the module that each is.
struct Crate {
    files: BTreeMap<Path, Source>,
    /// By module: the names that it passes on, and where each comes from.
    passed_on: BTreeMap<Path, BTreeMap<String, Path>>,
}

impl Crate {
    fn read(root: &str) -> Self {
        let files: BTreeMap<Path, Source> = sources(root)
            .into_iter()
            .map(Source::without_tests)
            .map(|source| (module(root, &source.path), source))
            .collect();
        let passed_on = files.iter().map(|(me, source)| {
            let names = paths(source, me).into_iter().filter(|path| path.public);
            (me.clone(), names.filter_map(|path| Some((path.to.last()?.clone(), path.to))).collect())
        });
        Self { passed_on: passed_on.collect(), files }
    }

    /// The file that a path leads to.
    fn file(&self, path: &[String], hops: usize) -> Option<Path> {
        let at = (0..=path.len()).rev().find(|end| self.files.contains_key(&path[..*end]))?;
        let (module, rest) = path.split_at(at);
        let passed = rest.first().and_then(|name| self.passed_on[module].get(name));
        match passed {
            Some(from) if hops > 0 => self.file(&[from.as_slice(), &rest[1..]].concat(), hops - 1),
            _ => Some(module.to_vec()),
        }
    }

    /// By file, those it imports.
    fn imports(&self) -> Imports {
        let of = |(me, source): (&Path, &Source)| {
            let all = paths(source, me).into_iter().filter(|path| !path.public);
            all.filter_map(|path| self.file(&path.to, 8)).filter(|file| file != me).collect()
        };
        self.files.iter().map(|file| (file.0.clone(), of(file))).collect()
    }
}

/// One path of the own crate in a file, from the root of the crate.
struct Mention {
    to: Path,
    /// It is passed on to others.
    public: bool,
}

/// The module that a file is.
fn module(root: &str, path: &str) -> Path {
    let inside = path.trim_start_matches(root).trim_start_matches('/').trim_end_matches(".rs");
    let mut parts: Path = inside.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// Every path of the own crate that occurs in a file which is the module `me`.
fn paths(source: &Source, me: &[String]) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut rest = String::new();
    let mut lines = source.lines.iter();
    while let Some(line) = lines.next() {
        let visible = line.trim_start().strip_prefix("pub").map(|behind| {
            let behind = behind.trim_start();
            if behind.starts_with('(') { behind.split_once(')').map_or("", |(_, behind)| behind) } else { behind }
        });
        let Some(tree) = visible.unwrap_or(line.trim_start()).trim_start().strip_prefix("use ") else {
            rest.push_str(&without_visibility(line));
            rest.push('\n');
            continue;
        };
        let mut tree = tree.to_owned();
        while !tree.contains(';') {
            tree.push_str(lines.next().expect("a use ends"));
        }
        let leaves = leaves(tree.trim_end_matches(';').trim(), "");
        let leaves = leaves.iter().filter_map(|path| absolute(path, me));
        found.extend(leaves.map(|to| Mention { to, public: visible.is_some() }));
    }
    let modules = source.lines.iter().filter_map(|line| line.split_once("mod ")?.1.strip_suffix(';'));
    let own = modules.map(|name| (name.to_owned(), [me, &[name.to_owned()]].concat()));
    let imported = found.iter().filter_map(|mention| Some((mention.to.last()?.clone(), mention.to.clone())));
    let named: BTreeMap<String, Path> = own.chain(imported).collect();
    let starts = named.into_iter().map(|(name, path)| (name, Some(path)));
    for (start, stands_for) in starts.chain(["crate", "super", "self"].map(|word| (word.to_owned(), None))) {
        for (at, _) in rest.match_indices(&format!("{start}::")) {
            if rest[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':') {
                continue;
            }
            let end =
                rest[at..].find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len() - at);
            let path = rest[at..at + end].trim_end_matches(':');
            let to = match &stands_for {
                Some(from) => Some(from.iter().cloned().chain(path.split("::").skip(1).map(str::to_owned)).collect()),
                None => absolute(path, me),
            };
            found.extend(to.map(|to| Mention { to, public: false }));
        }
    }
    found
}

/// A line without the paths that say only who may see something: they import nothing.
fn without_visibility(line: &str) -> String {
    let mut parts = line.split("pub(in ");
    let start = parts.next().unwrap_or_default().to_owned();
    parts.fold(start, |text, part| text + "pub " + part.split_once(')').map_or("", |(_, behind)| behind))
}

/// The single paths of a tree of imports.
fn leaves(tree: &str, before: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, inside)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        return if path.is_empty() { Vec::new() } else { vec![format!("{before}{path}")] };
    };
    let before = format!("{before}{}", head.trim());
    let inside = &inside[..inside.rfind('}').expect("what is opened is closed")];
    let (mut depth, mut start, mut all) = (0, 0, Vec::new());
    for (at, letter) in inside.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                all.extend(leaves(&inside[start..at], &before));
                start = at + 1;
            }
            _ => {}
        }
    }
    all.extend(leaves(&inside[start..], &before));
    all
}

/// A path from the root of the crate; `None` for one that leads to another crate.
fn absolute(path: &str, me: &[String]) -> Option<Path> {
    let mut parts: Vec<&str> = path.split("::").collect();
    let mut from = match parts.remove(0) {
        "crate" => Vec::new(),
        "self" => me.to_vec(),
        "super" => me[..me.len().saturating_sub(1)].to_vec(),
        _ => return None,
    };
    for part in parts {
        match part {
            "super" => _ = from.pop(),
            "self" => {}
            part => from.push(part.to_owned()),
        }
    }
    Some(from)
}

/// By directory or file, the neighbours in its directory that it imports by any of its files. A directory and its own files are none.
fn neighbours(imports: &Imports) -> Imports {
    let mut found = Imports::new();
    for (from, to) in imports.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to))) {
        let same = from.iter().zip(to).take_while(|(one, other)| one == other).count();
        if from.len() > same && to.len() > same {
            found.entry(to[..=same].to_vec()).or_default();
            found.entry(from[..=same].to_vec()).or_default().insert(to[..=same].to_vec());
        }
    }
    found
}

/// What `from` leads to, by however many imports.
fn reached<'a>(imports: &'a Imports, from: &Path) -> BTreeSet<&'a Path> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&Path> = imports[from].iter().collect();
    while let Some(path) = next.pop() {
        if seen.insert(path) {
            next.extend(&imports[path]);
        }
    }
    seen
}

/// The modules that lead back to themselves.
fn back(imports: &Imports) -> Vec<&Path> {
    imports.keys().filter(|path| reached(imports, path).contains(*path)).collect()
}

/// The files and directories of a crate that lead back to themselves.
fn circles(root: &str) -> Vec<String> {
    let imports = Crate::read(root).imports();
    let neighbours = neighbours(&imports);
    let all: BTreeSet<&Path> = back(&imports).into_iter().chain(back(&neighbours)).collect();
    all.into_iter().map(|path| format!("{root}/{}", path.join("/"))).collect()
}

fn is_of(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[test]
fn only_parts_of_one_thing_lead_back_to_each_other() {
    let roots = ["crates/scst-core/src", "agents/src", "crates/scst-sim/src", "crates/xtask/src"];
    let circles = roots.map(circles).concat();
    let others: Vec<_> = circles.iter().filter(|path| WHOLES.iter().all(|(whole, _)| !is_of(path, whole))).collect();
    assert!(others.is_empty(), "{others:?}");
    for (whole, what) in WHOLES {
        assert!(
            circles.iter().any(|path| is_of(path, whole)),
            "{whole} ({what}) has no circle any more: take it off the list"
        );
    }
}

#[test]
fn a_circle_is_found_through_a_re_export_and_in_a_path_in_the_code() {
    let source =
        |path: &str, text: &str| Source { path: path.into(), lines: text.lines().map(str::to_owned).collect() };
    let me = |path: &str| path.split("::").map(str::to_owned).collect::<Path>();
    let a = source(
        "a.rs",
        "mod m;\nuse super::{b::{C, d::E as F}, g};\npub(crate) use self::h::I;\npub(in crate::o) fn f() -> crate::j::K { super::l(m::n()) }",
    );
    let found = paths(&a, &me("x::a"));
    let texts: Vec<String> = found.iter().map(|mention| mention.to.join("::")).collect();
    assert_eq!(texts, ["x::b::C", "x::b::d::E", "x::g", "x::a::h::I", "x::a::m::n", "j::K", "x::l"]);
    let public: Vec<bool> = found.iter().map(|mention| mention.public).collect();
    assert_eq!(public, [false, false, false, true, false, false, false]);
}

#[test]
fn directories_lead_back_to_each_other_by_any_of_their_files() {
    let path = |path: &str| path.split("::").map(str::to_owned).collect::<Path>();
    let imports = |pairs: &[(&str, &str)]| {
        let mut imports = Imports::new();
        for (from, to) in pairs {
            imports.entry(path(to)).or_default();
            imports.entry(path(from)).or_default().insert(path(to));
        }
        imports
    };
    // Two files each, of which none leads back to itself.
    let circle = imports(&[("x::a::one", "x::b::one"), ("x::b::two", "x::a::two")]);
    assert!(back(&circle).is_empty());
    assert_eq!(back(&neighbours(&circle)), [&path("x::a"), &path("x::b")]);
    // A directory and what is in it.
    let parent = imports(&[("x", "x::a"), ("x::b::one", "x"), ("x::b::one", "x::a")]);
    assert!(back(&neighbours(&parent)).is_empty());
}
