//! What is special about Fibre Channel ports: the HBA behind a port, in `class/fc_host` (`scsi_transport_fc.c`).

use super::names::TargetName;

/// The directory of all FC ports of this machine.
pub const HOSTS: &str = "class/fc_host";

/// The file with a host's port name, `0x` and 16 hex digits.
pub fn port_name(host: &str) -> String {
    format!("{HOSTS}/{host}/port_name")
}

/// The file that starts a loop initialisation, after which initiators look at the port's LUNs again.
pub fn issue_lip(host: &str) -> String {
    format!("{HOSTS}/{host}/issue_lip")
}

/// Whether `port_name` (`0x21000024ff60d010`) is the name of `port` (`21:00:00:24:ff:60:d0:10`).
pub fn is_port(port_name: &str, port: &TargetName) -> bool {
    let digits = port_name.trim().trim_start_matches("0x");
    let mut wanted = port.as_str().bytes().filter(|b| *b != b':');
    digits.len() == 16 && digits.bytes().all(|digit| wanted.next().is_some_and(|b| b.eq_ignore_ascii_case(&digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_found_by_its_name() {
        let port = TargetName::seen("21:00:00:24:ff:60:d0:10").unwrap();
        assert!(is_port("0x21000024ff60d010\n", &port));
        assert!(!is_port("0x21000024ff60d011", &port));
        assert!(!is_port("0x21000024ff60d0", &port));
    }
}
