//! The lockspaces of the cluster's lock manager (DLM) in which devices share their persistent reservations (`scst_dlm.c`).
//!
//! SCST answers "ok" to `cluster_mode=1` also where no lock manager runs, and then keeps reservations to itself: what counts is that
//! the lockspace is there. The kernel lists them in `kernel/dlm` (`fs/dlm/lockspace.c`), `dlm_controld` the nodes in each of them in
//! configfs (`fs/dlm/config.c`).

/// The directory with an entry per lockspace of this node.
pub const LOCKSPACES: &str = "kernel/dlm";

/// The longest `t10_dev_id` of which the kernel makes a lockspace's name, in characters.
pub const LONGEST_T10: usize = 26;

/// The name of the lockspace of a device with this `t10_dev_id`.
pub fn lockspace(t10_dev_id: &str) -> String {
    format!("scst-{t10_dev_id}")
}

/// The directory with an entry for each node in a lockspace, named by the node's id.
pub fn members(lockspace: &str) -> String {
    format!("kernel/config/dlm/cluster/spaces/{lockspace}/nodes")
}
