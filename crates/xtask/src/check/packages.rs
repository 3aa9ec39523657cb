//! Debian's packages that the checks need, installed when one is missing.
//!
//! They bring services that have no business on the machine of a developer, so for the time of the installation
//! `/usr/sbin/policy-rc.d` forbids to start any (invoke-rc.d(8), deb-systemd-invoke(1p)).

use std::error::Error;
use std::path::Path;
use std::process::Command;

use super::part::Part;
use crate::workspace;

/// A package, a file that shows it is there, what it is for, and which parts need it.
struct Package {
    name: &'static str,
    shows: &'static str,
    purpose: &'static str,
    parts: &'static [Part],
}

const BOTH: &[Part] = &[Part::Metadata, Part::Cluster];
const CLUSTER: &[Part] = &[Part::Cluster];

const NEEDED: [Package; 10] = [
    Package { name: "man-db", shows: "/usr/bin/man", purpose: "reads the manual pages", parts: &[Part::Package] },
    Package {
        name: "libxml2-utils",
        shows: "/usr/bin/xmllint",
        purpose: "validates the agents' meta-data, also for ocf-tester",
        parts: BOTH,
    },
    Package {
        name: "resource-agents",
        shows: "/usr/share/resource-agents/ra-api-1.dtd",
        purpose: "has ocf-tester and the grammar that it checks",
        parts: BOTH,
    },
    Package {
        name: "pcs",
        shows: "/usr/share/pcs/data/ocf-1.1.rng",
        purpose: "must accept the meta-data, and configures a cluster",
        parts: BOTH,
    },
    Package {
        name: "crmsh",
        shows: "/usr/sbin/crm",
        purpose: "must accept the meta-data, and configures a cluster",
        parts: BOTH,
    },
    Package {
        name: "prometheus",
        shows: "/usr/bin/promtool",
        purpose: "must accept the metrics and the alert rules",
        parts: &[Part::Metadata],
    },
    Package { name: "corosync", shows: "/usr/sbin/corosync", purpose: "the members of a cluster", parts: CLUSTER },
    Package { name: "pacemaker", shows: "/usr/sbin/pacemakerd", purpose: "runs the agents", parts: CLUSTER },
    Package { name: "pacemaker-cli-utils", shows: "/usr/sbin/crm_mon", purpose: "its commands", parts: CLUSTER },
    Package { name: "iproute2", shows: "/usr/sbin/ip", purpose: "links the nodes of a cluster", parts: CLUSTER },
];

/// Removes the policy whatever happens, but only one that it made.
const SCRIPT: &str = r#"
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends "$@"
"#;

/// The names of the packages that a part needs.
pub(crate) fn of(part: Part) -> Vec<&'static str> {
    NEEDED.iter().filter(|package| package.parts.contains(&part)).map(|package| package.name).collect()
}

/// Installs what is missing for these parts, and says what that is.
pub(super) fn install(parts: &[Part]) -> Result<(), Box<dyn Error>> {
    let needed = NEEDED.iter().filter(|package| package.parts.iter().any(|part| parts.contains(part)));
    let missing: Vec<&Package> = needed.filter(|package| !Path::new(package.shows).exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("These Debian packages are missing and will be installed; no service of theirs is started:");
    for package in &missing {
        println!("  {}: {}", package.name, package.purpose);
    }
    if !workspace::has_program("apt-get") {
        return Err("there is no apt-get: install what they stand for, or leave out the parts that need them".into());
    }
    let mut command = if workspace::is_root() {
        Command::new("sh")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("sh");
        sudo
    };
    command.args(["-c", SCRIPT, "sh"]).args(missing.iter().map(|package| package.name));
    let status = command.status().map_err(|error| format!("apt-get cannot be run: {error}"))?;
    if !status.success() {
        return Err(format!("installing packages ended with {status}").into());
    }
    let still: Vec<&str> =
        missing.iter().filter(|package| !Path::new(package.shows).exists()).map(|package| package.name).collect();
    if still.is_empty() {
        return Ok(());
    }
    Err(format!("installed, and still without the files that are needed: {}", still.join(", ")).into())
}
