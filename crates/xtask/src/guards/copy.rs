//! A copy of the work tree that can be changed without anybody noticing.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes `to` a copy of what Git knows, or would be told of, below `from`. A file that is the same already keeps its time,
/// so that Cargo builds only what has changed since the last copy.
pub(super) fn work_tree(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let mut git = Command::new("git");
    git.current_dir(from).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().map_err(|error| format!("git cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    let names = String::from_utf8(output.stdout)?;
    // A file that was removed and not yet committed so is listed all the same.
    let names: BTreeSet<PathBuf> =
        names.split_terminator('\0').map(PathBuf::from).filter(|name| from.join(name).is_file()).collect();
    for name in &names {
        copy(&from.join(name), &to.join(name))?;
    }
    remove_others(to, Path::new(""), &names)?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let content = fs::read(from)?;
    if fs::read(to).is_ok_and(|there| there == content) {
        return Ok(());
    }
    if let Some(directory) = to.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(to, content)
}

/// Removes what an earlier copy had and this one has not.
fn remove_others(root: &Path, directory: &Path, names: &BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(directory))? {
        let entry = entry?;
        let name = directory.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            remove_others(root, &name, names)?;
        } else if !names.contains(&name) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_what_git_would_have_and_keeps_the_time_of_what_is_the_same() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let git = |arguments: &[&str]| {
            assert!(Command::new("git").current_dir(from.path()).args(arguments).status().unwrap().success());
        };
        git(&["init", "--quiet"]);
        fs::create_dir(from.path().join("src")).unwrap();
        for (name, text) in [("src/a", "1"), ("src/b", "1"), (".gitignore", "target\n"), ("target", "x")] {
            fs::write(from.path().join(name), text).unwrap();
        }
        git(&["add", "src/a"]);
        work_tree(from.path(), to.path()).unwrap();
        assert!(to.path().join("src/b").exists() && !to.path().join("target").exists());
        let time = |name: &str| fs::metadata(to.path().join(name)).unwrap().modified().unwrap();
        let before = (time("src/a"), time("src/b"));
        fs::write(from.path().join("src/b"), "2").unwrap();
        fs::write(to.path().join("src/c"), "left over").unwrap();
        work_tree(from.path(), to.path()).unwrap();
        assert_eq!(fs::read_to_string(to.path().join("src/b")).unwrap(), "2");
        assert_eq!(time("src/a"), before.0);
        assert!(!to.path().join("src/c").exists());
    }
}
