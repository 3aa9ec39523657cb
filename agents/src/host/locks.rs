//! Takes the lock by which one action at a time works on a device group, or on the ports.

use std::sync::Arc;
use std::time::Duration;

use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::ocf::exit::Failure;
use scst_core::sysfs::wait_until;

use super::Host;

impl Host<'_> {
    /// Waits for other actions on `name` to end. A dry run takes no lock and does not wait.
    ///
    /// # Errors
    ///
    /// Exit 1 where another action holds the lock until the deadline, after SIGTERM, or where the lock file cannot be
    /// made (exit 4 for want of privileges).
    pub fn lock(&self, name: &str) -> Result<Option<impl Drop + use<>>, Failure> {
        if self.dry_run() {
            return Ok(None);
        }
        self.state_files.lock(name, self.deadline()).map(Some).map_err(Failure::from)
    }

    /// The same, but for no longer than `time`.
    ///
    /// # Errors
    ///
    /// As for [`Host::lock`].
    pub fn lock_within(&self, name: &str, time: Duration) -> Result<Option<impl Drop + use<>>, Failure> {
        if self.dry_run() {
            return Ok(None);
        }
        let time = time.min(self.deadline().remaining());
        let deadline = Deadline::within(Arc::clone(&self.context.system), time, Arc::clone(&self.context.cancelled));
        self.state_files.lock(name, &deadline).map(Some).map_err(Failure::from)
    }

    /// Waits for the stop of another resource that has the same objects, for as long as they are `held`: where one change of the CIB
    /// replaces a resource, Pacemaker orders its stop and the start of the new one in no way. A quarter of the time for a stop that is
    /// not `at_work` yet.
    ///
    /// # Errors
    ///
    /// SIGTERM, or what the look at them answers.
    pub fn await_stop(&self, at_work: impl Fn() -> bool, held: impl Fn() -> bool) -> Result<(), Error> {
        let soon = self.deadline().share(1, 4);
        let waited = wait_until("the stop of another resource", &self.deadline().share(3, 4), || {
            Ok((!held() || (soon.expired() && !at_work())).then_some(()))
        });
        match waited {
            // Whoever waited names the other resource.
            Err(Error::NotSeen { .. }) => Ok(()),
            waited => waited,
        }
    }

    /// Takes the lock of `name` for a stop: one that cannot be made at all (a full or read-only file system), or that a hung action
    /// does not give back in a quarter of the time, is no reason to leave anything behind.
    ///
    /// # Errors
    ///
    /// Exit 1 after SIGTERM.
    pub fn lock_to_stop(&self, name: &str) -> Result<Option<impl Drop + use<>>, Failure> {
        if self.dry_run() {
            return Ok(None);
        }
        match self.state_files.lock(name, &self.deadline().share(1, 4)) {
            Ok(lock) => Ok(Some(lock)),
            Err(error @ Error::NotSeen { .. }) => {
                tracing::error!("stopping all the same, without the lock: {error}");
                Ok(None)
            }
            Err(error) if error.errno().is_some() => {
                tracing::warn!("going on without a lock: {error}");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}
