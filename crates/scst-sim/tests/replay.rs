//! Every recording agrees with the model and with the mount, and a replay notices when one does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use scst_sim::replay::OUT_OF_SCOPE;

const PROGRAM: &str = env!("CARGO_BIN_EXE_scst-sim");

/// Kinds of steps that the format's own description lets be left out.
const MAY_BE_LEFT_OUT: &[&str] = &["far", "far_luns", "far_rescan", "scsi vpd", "scsi inq5"];

fn recordings() -> Vec<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/recordings");
    let mut files = Vec::new();
    for dir in [top.clone(), top.join("3.7")] {
        for entry in fs::read_dir(&dir).expect("recordings") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn replay(options: &[&str], files: &[PathBuf]) -> Output {
    Command::new(PROGRAM).arg("replay").args(options).args(files).output().expect("the program starts")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Lines of the recordings, less the first of each.
fn steps_of(files: &[PathBuf]) -> usize {
    files.iter().map(|file| fs::read_to_string(file).expect("a recording").lines().count() - 1).sum()
}

fn all_agree(options: &[&str]) {
    let files = recordings();
    assert!(files.len() > 140, "{} recordings", files.len());
    let output = replay(options, &files);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    let last = format!("replayed: {} steps, 0 differ", steps_of(&files));
    assert_eq!(text.lines().last(), Some(last.as_str()));
    for (kind, reason) in OUT_OF_SCOPE {
        assert!(text.contains(&format!(" steps {kind} out of scope: {reason}")), "{kind} is named");
    }
}

#[test]
fn the_model_answers_as_recorded() {
    all_agree(&[]);
}

#[test]
fn the_mount_answers_as_recorded() {
    all_agree(&["--mount"]);
}

#[test]
fn little_is_out_of_scope_and_only_what_may_be() {
    for (kind, reason) in OUT_OF_SCOPE {
        assert!(MAY_BE_LEFT_OUT.contains(kind), "{kind}");
        assert!(reason.len() > 20, "{kind}: {reason}");
    }
}

/// A recording of a few steps, changed and played.
struct Copy {
    dir: tempfile::TempDir,
    lines: Vec<String>,
}

impl Copy {
    fn of(name: &str) -> Self {
        let file = recordings().into_iter().find(|file| file.ends_with(name)).expect("a recording");
        let lines = fs::read_to_string(file).expect("text").lines().map(str::to_owned).collect();
        Self { dir: tempfile::tempdir().expect("a directory"), lines }
    }

    /// Replaces text in the first line that has it.
    fn change(mut self, from: &str, to: &str) -> Self {
        let line = self.lines.iter_mut().find(|line| line.contains(from)).expect("a line with it");
        *line = line.replace(from, to);
        self
    }

    fn add(mut self, step: &str) -> Self {
        self.lines.push(step.to_owned());
        self
    }

    fn written(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(&path, self.lines.join("\n") + "\n").expect("a copy");
        path
    }

    fn play(&self, options: &[&str]) -> Output {
        replay(options, &[self.written("copy.jsonl")])
    }

    fn differs_in(&self, told: &[&str]) {
        for options in [&[][..], &["--mount"]] {
            let output = self.play(options);
            let text = text(&output);
            assert_eq!(output.status.code(), Some(1), "{text}");
            assert!(text.ends_with(&format!("replayed: {} steps, 1 differ\n", self.lines.len() - 1)), "{text}");
            for part in told {
                assert!(text.contains(part), "{part:?} in:\n{text}");
            }
        }
    }
}

/// What is changed in a recording, from what to what, and what is told then.
const WRONG: &[(&str, &str, [&str; 2], &[&str])] = &[
    (
        "content",
        "f3_target_groups",
        [r#""active\n[key]\n""#, r#""standby\n[key]\n""#],
        &[" step ", "standby", "active"],
    ),
    (
        "result",
        "f1_device_groups",
        [r#""result": "EEXIST""#, r#""result": "EBUSY""#],
        &["wanted EBUSY", "got    EEXIST"],
    ),
    (
        "last result",
        "h1_last_result",
        [r#""last_res": "-22""#, r#""last_res": "-17""#],
        &["wanted last_sysfs_mgmt_res -17", "got    last_sysfs_mgmt_res -22"],
    ),
    ("entry", "f1_device_groups", [r#"["mgmt", "f"]"#, r#"["other", "f"]"#], &["wanted other f", "got    mgmt f"]),
    ("mode in a tree", "tree_full", [r#""mode": "0444""#, r#""mode": "0400""#], &["0400", "0444"]),
    (
        "exit code of an initiator",
        "j7c_iscsi_chap_sessions",
        [r#""result": {"rc": 24,"#, r#""result": {"rc": 19,"#],
        &["wanted exit 19", "got    exit 24", "env login iqn."],
    ),
    (
        "read that should have waited",
        "j7d_iscsi_daemon",
        [r#""within_s": 0.05, "result": "STILL_BLOCKED""#, r#""within_s": 0.05, "result": "ok", "content": "1\n\n""#],
        &["wanted ok", "got    STILL_BLOCKED"],
    ),
];

#[test]
fn what_is_wrong_is_told_with_its_step() {
    for (what, recording, [from, to], told) in WRONG {
        eprintln!("a wrong {what}");
        Copy::of(&format!("recordings/{recording}.jsonl")).change(from, to).differs_in(told);
    }
}

#[test]
fn volatile_contents_and_times_are_not_compared() {
    let output = Copy::of("recordings/b6_target_names.jsonl")
        .add(r#"{"step": 999, "op": "read", "path": "version", "result": "ok", "volatile": true, "ms": 123456}"#)
        .play(&[]);
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn an_unknown_operation_or_field_is_an_error() {
    for (step, told) in [
        (r#"{"step": 1, "op": "teleport", "path": "x"}"#, "teleport"),
        (r#"{"step": 1, "op": "read", "path": "x", "result": "ok", "colour": "red"}"#, "colour"),
    ] {
        let output = Copy::of("recordings/f1_device_groups.jsonl").add(step).play(&[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains(told), "{}", text(&output));
    }
}

#[test]
fn an_unknown_thing_outside_sysfs_differs() {
    let step = r#"{"step": 1, "op": "env", "do": "teleport", "result": "ok"}"#;
    Copy::of("recordings/f1_device_groups.jsonl").add(step).differs_in(&["env \"teleport\""]);
}

#[test]
fn a_step_out_of_scope_is_counted_and_named_but_not_compared() {
    let step = r#"{"step": 1, "op": "env", "do": "far_luns", "result": ["anything"]}"#;
    let copy = Copy::of("recordings/f1_device_groups.jsonl");
    let before = text(&copy.play(&[]));
    let with = text(&copy.add(step).play(&[]));
    assert!(with.contains(": 1 steps far_luns out of scope: "), "{with}");
    let first = |text: &str| text.lines().rev().nth(1).and_then(|line| line.split(' ').next()).map(str::to_owned);
    assert_eq!(first(&with), first(&before), "the same number of steps is compared");
    assert!(with.ends_with(", 0 differ\n"), "{with}");
}

#[test]
fn the_release_is_told_by_what_is_shown_by_the_directory_by_the_build_and_by_meta() {
    // A port of 3.7 shows what it is, whatever the first line says.
    let ports = Copy::of("3.7/b1_port_listing.jsonl");
    assert!(ports.play(&[]).status.success());
    // Without a port it does that the kernel did not tell how it was built,
    let attributes = Copy::of("3.7/e01_fileio.jsonl");
    assert!(attributes.play(&[]).status.success());
    // and without that the directory's name or a right first line.
    let attributes = attributes.change(r#""scst_config": """#, r#""scst_config": "TRACING""#);
    assert!(!attributes.play(&[]).status.success(), "it does not agree with 3.11");
    assert!(replay(&[], &[attributes.written("3.7/copy.jsonl")]).status.success());
    assert!(attributes.play(&["--scst", "3.7"]).status.success());
    assert!(attributes.change("3.11.0-pre", "3.7.0").play(&[]).status.success());
}

#[test]
fn a_release_the_model_does_not_have_is_an_error() {
    let output = Copy::of("recordings/f1_device_groups.jsonl").change("3.11.0-pre", "2.2.1").play(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("SCST 2.2.1"), "{}", text(&output));
}

#[test]
fn a_file_that_is_no_recording_is_an_error() {
    let dir = tempfile::tempdir().expect("a directory");
    let missing = dir.path().join("missing.jsonl");
    assert_eq!(replay(&[], &[missing]).status.code(), Some(2));
    let empty = dir.path().join("empty.jsonl");
    fs::write(&empty, "").expect("a file");
    assert!(text(&replay(&[], &[empty])).contains("no meta line"));
}
