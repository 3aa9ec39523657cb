//! What only Fibre Channel ports have: the HBA behind a port, in `class/fc_host` (`scsi_transport_fc.c`).

use super::names::{FcHostName, TargetName};

/// The directory of all FC ports of this machine.
pub const HOSTS: &str = "class/fc_host";

/// The parameter of the HBA's driver that says when ports are initiators. SCST's own build of the driver has another
/// name than the kernel's.
pub const QLINI_MODE: [&str; 2] = ["module/qla2xxx_scst/parameters/qlini_mode", "module/qla2xxx/parameters/qlini_mode"];

/// The path of an attribute of a host.
pub fn host_attribute(host: &FcHostName, name: &str) -> String {
    format!("{HOSTS}/{host}/{name}")
}

/// The file with a host's port name, `0x` and 16 hex digits.
pub fn port_name(host: &FcHostName) -> String {
    host_attribute(host, "port_name")
}

/// The file that starts a loop initialisation, after which initiators look at the port's LUNs again.
pub fn issue_lip(host: &FcHostName) -> String {
    host_attribute(host, "issue_lip")
}

/// The target's name (`21:00:00:24:ff:60:d0:10`) of what `port_name` holds (`0x21000024ff60d010`).
pub fn wwpn(port_name: &str) -> Option<String> {
    let digits = port_name.trim().strip_prefix("0x")?;
    let hex = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let pairs = || (0..8).map(|pair| digits[2 * pair..2 * pair + 2].to_ascii_lowercase());
    hex.then(|| pairs().collect::<Vec<_>>().join(":"))
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
    fn a_port_name_reads_as_the_targets_name() {
        assert_eq!(wwpn("0x21000024FF60d010\n").as_deref(), Some("21:00:00:24:ff:60:d0:10"));
        for text in ["", "21000024ff60d010", "0x21000024ff60d01", "0x21000024ff60d01ö"] {
            assert_eq!(wwpn(text), None, "{text}");
        }
    }

    #[test]
    fn a_port_is_found_by_its_name() {
        let port = TargetName::seen("21:00:00:24:ff:60:d0:10").unwrap();
        assert!(is_port("0x21000024ff60d010\n", &port));
        assert!(!is_port("0x21000024ff60d011", &port));
        assert!(!is_port("0x21000024ff60d0", &port));
    }
}
