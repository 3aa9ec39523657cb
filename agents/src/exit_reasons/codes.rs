//! What the exit codes of the agents and the kernel's errors mean.

/// An exit code of the agents.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The number.
    pub number: u8,
    /// The name that the resource agent API gives it.
    pub ocf: &'static str,
    /// The name in the document.
    pub name: &'static str,
    /// What Pacemaker makes of it.
    pub meaning: &'static str,
}

const fn code(number: u8, ocf: &'static str, name: &'static str, meaning: &'static str) -> Code {
    Code { number, ocf, name, meaning }
}

/// All of them.
pub const CODES: [Code; 10] = [
    code(0, "OCF_SUCCESS", "success", "nothing; a refused reload, too, answers 0, with its reason"),
    code(
        1,
        "OCF_ERR_GENERIC",
        "generic",
        "start: this node is excluded until a cleanup. monitor: restart. promote, demote: stop and start. stop: the node is fenced; without fencing the resource is blocked",
    ),
    code(2, "OCF_ERR_ARGS", "bad arguments", "this node is excluded until a cleanup; the others go on"),
    code(3, "OCF_ERR_UNIMPLEMENTED", "unimplemented", "the agent does not have the action"),
    code(
        4,
        "OCF_ERR_PERM",
        "permission",
        "as 2; the agent does not run as root, or a security module forbids the access",
    ),
    code(5, "OCF_ERR_INSTALLED", "not installed", "as 2: something is missing on this node"),
    code(
        6,
        "OCF_ERR_CONFIGURED",
        "not configured",
        "the resource is stopped on **every** node: the configuration cannot work anywhere. Only start and validate-all answer 6",
    ),
    code(7, "OCF_NOT_RUNNING", "not running", "no failure where a probe or a stop expects it"),
    code(8, "OCF_RUNNING_PROMOTED", "promoted", "monitor's answer for a promoted instance"),
    code(9, "OCF_FAILED_PROMOTED", "failed promoted", "monitor: promoted and broken; demote, stop, start, promote"),
];

/// An error of the kernel, or several with one meaning.
#[derive(Debug, PartialEq, Eq)]
pub struct Errno {
    /// Their names.
    pub names: &'static [&'static str],
    /// What SCST means by it.
    pub meaning: &'static str,
}

const fn errno(names: &'static [&'static str], meaning: &'static str) -> Errno {
    Errno { names, meaning }
}

/// The errors that reasons name.
pub const ERRNOS: [Errno; 8] = [
    errno(
        &["EBUSY"],
        "in use: a disk by another program, an initiator group by a session; or I/O could not be suspended for 90 s",
    ),
    errno(&["EEXIST"], "the object exists, and is not the wanted one"),
    errno(&["EBADSLT"], "the relative target id belongs to another enabled port"),
    errno(&["EINVAL"], "the value is refused, or the object that it names does not exist"),
    errno(&["ENOENT"], "the file, or the attribute, does not exist"),
    errno(&["EROFS", "EMEDIUMTYPE"], "a DRBD secondary that was to be opened for writing, or for reading"),
    errno(&["EACCES", "EPERM"], "not root, or a security module; exit code 4"),
    errno(&["ENOMEM", "EIO"], "no memory; the hardware or its driver: see `dmesg`"),
];
