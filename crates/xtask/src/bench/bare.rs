//! The bare writer: a program that makes the writes which the simulator recorded of an agent's run, one after another. It opens, writes and
//! closes; it observes nothing, checks nothing, and remembers nothing.

use std::error::Error;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use scst_sim::mount::WriteRecord;

use super::node::Cluster;
use crate::workspace;

/// How long it takes on the first node of a cluster; its writes must have the answers that the agent's had.
pub(super) fn run(cluster: &Cluster, made: &[WriteRecord]) -> Result<Duration, Box<dyn Error>> {
    let list = tempfile::NamedTempFile::new()?;
    fs::write(list.path(), as_list(made)?)?;
    let mut bare = Command::new(workspace::own_binary()?);
    bare.arg("bare-writes").arg(cluster.mount(0).dir()).arg(list.path());
    let run = cluster.run(0, bare, &[0])?;
    let again = cluster.mount(0).writes();
    let same = |(one, other): (&WriteRecord, &WriteRecord)| {
        one.path == other.path && one.data == other.data && one.result == other.result
    };
    if again.len() != made.len() || !made.iter().zip(&again).all(same) {
        return Err("the bare program's writes are not those of the agent".into());
    }
    Ok(run.took)
}

/// The writes as the bare program reads them: paths and texts, with a zero byte after each.
fn as_list(writes: &[WriteRecord]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut list = Vec::new();
    for write in writes {
        if !matches!(write.result, Some(Ok(_))) || write.data.contains(&0) {
            return Err(format!("a write to {} was not simply taken", write.path.escape_ascii()).into());
        }
        for part in [&write.path, &write.data] {
            list.extend_from_slice(part);
            list.push(0);
        }
    }
    Ok(list)
}

/// The bare program.
pub(crate) fn writes(root: &Path, list: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let list = fs::read(list)?;
    let mut parts = list.split(|byte| *byte == 0);
    while let (Some(path), Some(data)) = (parts.next(), parts.next()) {
        let path: PathBuf = root.join(OsStr::from_bytes(path));
        // One write(2): a command that was written in part would be two.
        let written = OpenOptions::new().write(true).open(&path)?.write(data)?;
        if written != data.len() {
            return Err(format!("{} took {written} of {} bytes", path.display(), data.len()).into());
        }
    }
    Ok(ExitCode::SUCCESS)
}
