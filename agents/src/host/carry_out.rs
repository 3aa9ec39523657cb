//! Carries a plan out, or prints it in a dry run: every action calls [`scst_core::apply`] through here, so that a
//! failed step is logged and explained in one way.

use nix::errno::Errno;
use scst_core::apply::{AfterFailure, Applied, Failed, apply};
use scst_core::deadline::Deadline;
use scst_core::error::Error;
use scst_core::plan::Step;

use super::Host;
use crate::reservations;

impl Host<'_> {
    /// Applies steps, or prints them in a dry run. What the log should know of failures that do not matter is logged.
    pub fn apply(&self, steps: &[Step], after: AfterFailure) -> Applied {
        self.apply_until(steps, after, self.deadline())
    }

    /// The same with another end.
    pub fn apply_until(&self, steps: &[Step], after: AfterFailure, deadline: &Deadline) -> Applied {
        if self.dry_run() {
            for step in steps {
                println!("{step}");
            }
            return Applied::default();
        }
        let mut applied = apply(steps, &self.sysfs, deadline, after);
        for failed in &mut applied.failed {
            self.explain(failed);
        }
        for failed in &applied.warnings {
            tracing::warn!("{failed}");
        }
        applied
    }

    /// Names a cause that the kernel's answer does not tell.
    fn explain(&self, failed: &mut Failed) {
        if let Step::AddDevice { device, .. } = &failed.step
            && failed.error.errno() == Some(Errno::EINVAL)
            && let Some(files) = reservations::damaged(&*self.context.system, &self.context.env.var_lib(), device)
        {
            failed.error = Error::Reservations { files };
        }
    }
}
