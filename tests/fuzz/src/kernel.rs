//! A command as the kernel reads it (`scst_sysfs.c`: `scst_get_next_lexem`, `scst_get_next_token_str`, `isspace`).
//!
//! This is written from the kernel's side, and does not look at how the commands are made: words are separated by what the
//! kernel's `isspace` takes for a blank, which includes the byte 0xA0; a command ends at a newline; parameters of
//! `add_device` are separated by `;`, and a parameter's name from its value by the first `=`.

use std::cell::Cell;

use scst_core::plan::Step;
use scst_core::scst::values::ParameterValue;

/// The longest text the kernel looks at.
const PAGE: usize = 4096;

/// The parameters of `add_device` that any handler has.
const PARAMETERS: [&str; 12] = [
    "bind_alua_state",
    "blocksize",
    "cluster_mode",
    "dummy",
    "filename",
    "nv_cache",
    "read_only",
    "removable",
    "rotational",
    "t10_dev_id",
    "thin_provisioned",
    "write_through",
];

fn is_blank(byte: u8) -> bool {
    matches!(byte, 9..=13 | 32 | 0xA0)
}

fn words(text: &str) -> Vec<&[u8]> {
    text.as_bytes().split(|b| is_blank(*b)).filter(|word| !word.is_empty()).collect()
}

thread_local! {
    /// How many commands this thread has looked at: a property that never sees one holds for nothing.
    static SEEN: Cell<usize> = const { Cell::new(0) };
}

/// How many commands were looked at.
pub fn commands_seen() -> usize {
    SEEN.get()
}

/// Every command has exactly the words that its step is about, on one line of a file of the tree.
pub fn check(steps: &[Step]) {
    for step in steps {
        if let Some((path, value)) = step.command() {
            SEEN.set(SEEN.get() + 1);
            one_file(&path, step);
            one_line(&value, step);
            same_words(step, &path, &value);
        }
    }
}

/// The path leads to one file below the root, and not elsewhere.
fn one_file(path: &str, step: &Step) {
    assert!(path.starts_with("kernel/scst_tgt/") || path.starts_with("class/fc_host/"), "{step:?}: {path:?}");
    assert!(path.len() < PAGE, "{step:?}: a path of {} bytes", path.len());
    for component in path.split('/') {
        let plain = !component.is_empty() && component != "." && component != ".." && component.len() <= 255;
        assert!(plain && component.bytes().all(|b| b.is_ascii_graphic()), "{step:?}: {path:?}");
    }
}

/// The value is one line of what the kernel reads in one go.
fn one_line(value: &str, step: &Step) {
    // An empty line clears the text of an attribute.
    let may_be_empty = matches!(step, Step::SetAttribute { .. });
    assert!((may_be_empty || !value.is_empty()) && value.len() < PAGE, "{step:?}: {} bytes", value.len());
    assert!(!value.bytes().any(|b| b < 0x20 || b == 0x7f), "{step:?}: {value:?}");
}

/// The words of the command are the verb and the names of the step, one word each.
fn same_words(step: &Step, path: &str, value: &str) {
    let name: String;
    let expected: Vec<&str> = match step {
        Step::CreateIniGroup { group, .. } => vec!["create", group.as_str()],
        Step::DelIniGroup { group, .. } => vec!["del", group.as_str()],
        Step::AddInitiator { initiator, .. } => vec!["add", initiator.as_str()],
        Step::DelInitiator { initiator, .. } => vec!["del", initiator.as_str()],
        Step::ClearInitiators { .. } | Step::ClearLuns { .. } | Step::ClearTable { .. } => vec!["clear"],
        Step::CreateGroup { group } => vec!["create", group.as_str()],
        Step::DelGroup { group } => vec!["del", group.as_str()],
        Step::Join { device, .. } => vec!["add", device.as_str()],
        Step::Leave { device, .. } => vec!["del", device.as_str()],
        Step::CreateTargetGroup { node, .. } => vec!["create", node.as_str()],
        Step::DelTargetGroup { node, .. } => vec!["del", node.as_str()],
        Step::AddMember { port, .. } => vec!["add", port.as_str()],
        Step::DelMember { port, .. } => vec!["del", port.as_str()],
        Step::DelDevice { device, .. } => vec!["del_device", device.as_str()],
        Step::AddLun { at, device } => {
            name = at.lun.to_string();
            vec!["add", device.as_str(), &name]
        }
        Step::DelLun { at, .. } => {
            name = at.lun.to_string();
            vec!["del", &name]
        }
        Step::AddDevice { device, parameters, .. } => return add_device(value, device.as_str(), parameters),
        // An attribute: everything up to the end of the line is the value.
        Step::SetAttribute { value: meant, .. } | Step::SetIoGrouping { number: meant, .. } => {
            assert!(!path.ends_with("/mgmt"), "{step:?}: {path:?}");
            assert!(value.is_ascii() && value.trim() == value && value == meant.as_str(), "{step:?}: {value:?}");
            return;
        }
        // A number or a word that is known beforehand.
        _ => {
            assert!(!path.ends_with("/mgmt"), "{step:?}: a command that nobody looks at");
            assert!(value.bytes().all(|b| b.is_ascii_alphanumeric()), "{step:?}: {value:?}");
            return;
        }
    };
    let expected: Vec<&[u8]> = expected.into_iter().map(str::as_bytes).collect();
    assert_eq!(words(value), expected, "{step:?}: {value:?}");
    assert!(!value.contains([';', '=']), "{step:?}: {value:?}");
    assert!(path.ends_with("/mgmt"), "{step:?}: {path:?}");
}

/// The kernel cuts at `;` first, then each parameter at its first `=`, and wants one word on both sides.
fn add_device(value: &str, device: &str, parameters: &[(&'static str, ParameterValue)]) {
    let (head, rest) = value.split_at(value.len().min("add_device ".len() + device.len()));
    assert_eq!(words(head), [&b"add_device"[..], device.as_bytes()], "{value:?}");
    let read: Vec<(&str, &str)> = rest
        .split(';')
        .filter(|parameter| !parameter.trim().is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect();
    let meant: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(read, meant, "{value:?}");
    for (name, text) in meant {
        assert!(PARAMETERS.contains(&name), "{value:?}");
        assert_eq!(words(text), [text.as_bytes()], "{value:?}");
        assert!(!text.contains(['=', ';']), "{value:?}");
    }
}
