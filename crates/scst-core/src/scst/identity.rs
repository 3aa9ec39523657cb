//! The serial number and the identification that the kernel gives a device for which none are configured
//! (`scst_vdisk.c`).
//!
//! The kernel makes both of the device's name and of `setup_id`, a number of the whole machine. Nodes with different
//! numbers would show hosts different disks. So where the number is not 0, the agents write what the kernel would have
//! chosen with 0.

use super::ROOT;
use super::names::DeviceName;

/// The file with the machine's number.
pub fn setup_id() -> String {
    format!("{ROOT}/setup_id")
}

/// The longest `t10_dev_id`, in bytes.
const T10_LENGTH: usize = 25;

/// The serial number (`usn`) of a device of this name where `setup_id` is 0.
pub fn usn(device: &DeviceName) -> String {
    format!("{:x}", crc32c(device.as_str()))
}

/// The `t10_dev_id`, and the `vend_specific_id`, of a device of this name where `setup_id` is 0.
pub fn t10_dev_id(device: &DeviceName) -> String {
    let mut id = format!("{}-{device}", usn(device));
    id.truncate(T10_LENGTH);
    id
}

/// The `prod_rev_lvl` that the kernel gives a device in this release of SCST, such as `3.11.0-pre`.
pub fn revision(release: &str) -> String {
    let digits = release.chars().take_while(|c| c.is_ascii_digit() || *c == '.').filter(char::is_ascii_digit);
    format!("{:>4}", digits.collect::<String>())
}

/// The checksum that the kernel makes of a name and the byte 0 behind it: CRC32C that begins with 0 and is not inverted.
fn crc32c(name: &str) -> u32 {
    let mut crc = 0_u32;
    for byte in name.bytes().chain([0]) {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let carry = crc & 1 == 1;
            crc >>= 1;
            if carry {
                crc ^= 0x82F6_3B78;
            }
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_makes_them_of_the_name() {
        // As a real kernel showed them.
        for (name, serial) in [("a", "933ebd71"), ("A", "ecb55e73"), ("a_b", "fd7953c3"), ("d1", "eb135523")] {
            let device = DeviceName::seen(name).unwrap();
            assert_eq!(usn(&device), serial);
            assert_eq!(t10_dev_id(&device), format!("{serial}-{name}"));
        }
        assert_eq!([revision("3.11.0-pre"), revision("3.7.0")], ["3110", " 370"]);
        let long = DeviceName::seen("a_name_of_twenty_chars").unwrap();
        assert_eq!(t10_dev_id(&long).len(), 25);
    }
}
