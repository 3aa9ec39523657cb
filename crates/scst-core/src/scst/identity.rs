//! What the kernel calls a device by itself, where nobody gave it a serial number and an identification (`scst_vdisk.c`).
//!
//! Both are made of the device's name and of `setup_id`, a number of the whole machine. Nodes that do not have the same number
//! there would show hosts different disks, so the agents say what the kernel says where the number is 0.

use super::ROOT;
use super::names::DeviceName;

/// The file with the machine's number.
pub fn setup_id() -> String {
    format!("{ROOT}/setup_id")
}

/// The longest `t10_dev_id`.
const T10_LENGTH: usize = 25;

/// The serial number (`usn`) of a device of this name where `setup_id` is 0.
pub fn usn(device: &DeviceName) -> String {
    format!("{:x}", crc32c(device.as_str()))
}

/// Its `t10_dev_id`, and its `vend_specific_id`, there.
pub fn t10_dev_id(device: &DeviceName) -> String {
    let mut id = format!("{}-{device}", usn(device));
    id.truncate(T10_LENGTH);
    id
}

/// Its `prod_rev_lvl` in this release of SCST, such as `3.11.0-pre`.
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
