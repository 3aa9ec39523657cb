//! The names a device tells initiators: `t10_dev_id`, `usn`, `naa_id`, ... (`scst_vdisk.c`).

use super::Errno;
use super::port_attrs::keyed_bytes;
use super::tree::{AttrSpec, RW};
use super::words::{c_text, first_line, is_space};

/// The longest each text can be, in bytes.
const T10_DEV_ID: usize = 25;
const USN: usize = 20;
const PROD_ID: usize = 16;
const T10_VEND_ID: usize = 8;
const PROD_REV_LVL: usize = 4;
const VEND_SPECIFIC_ID: usize = 128;
const SCSI_DEVICE_NAME: usize = 256;
const INQ_VEND_SPECIFIC: usize = 160;

/// The attributes, which all virtual devices have.
pub(super) const ATTRIBUTES: [AttrSpec; 10] = [
    ("eui64_id", RW),
    ("inq_vend_specific", RW),
    ("naa_id", RW),
    ("prod_id", RW),
    ("prod_rev_lvl", RW),
    ("scsi_device_name", RW),
    ("t10_dev_id", RW),
    ("t10_vend_id", RW),
    ("usn", RW),
    ("vend_specific_id", RW),
];

/// A text and whether it was set from outside.
#[derive(Debug, Clone, Default)]
struct Text {
    value: Vec<u8>,
    set: bool,
}

impl Text {
    fn default_of(value: &[u8], max: usize) -> Self {
        Self { value: value[..value.len().min(max)].to_vec(), set: false }
    }

    /// The first line counts, the rest is ignored.
    fn store_line(&mut self, data: &[u8], max: usize) -> Result<(), Errno> {
        let line = first_line(data);
        if line.len() > max {
            return Err(Errno::EINVAL);
        }
        *self = Self { value: c_text(line).to_vec(), set: true };
        Ok(())
    }

    /// All of the data has to fit, one newline at its end aside.
    fn store_whole(&mut self, data: &[u8], max: usize) -> Result<(), Errno> {
        if data.strip_suffix(b"\n").unwrap_or(data).len() > max {
            return Err(Errno::EINVAL);
        }
        *self = Self { value: c_text(first_line(data)).to_vec(), set: true };
        Ok(())
    }

    /// As by line, but an empty text counts as not set.
    fn store_optional(&mut self, data: &[u8], max: usize) -> Result<(), Errno> {
        self.store_line(data, max)?;
        self.set = !self.value.is_empty();
        Ok(())
    }

    fn show(&self) -> Vec<u8> {
        keyed_bytes(&self.value, self.set)
    }
}

/// A binary name of up to 16 bytes.
#[derive(Debug, Clone, Default)]
struct Binary {
    bytes: [u8; 16],
    len: usize,
}

impl Binary {
    fn show(&self) -> Vec<u8> {
        if self.len == 0 {
            return b"\n".to_vec();
        }
        let value = self.bytes[..self.len].iter().fold(0u128, |v, b| (v << 8) | u128::from(*b));
        format!("0x{value:0width$x}\n[key]\n", width = self.len * 2).into_bytes()
    }

    /// `hex2bin`: a bad digit leaves the bytes before it changed.
    fn set(&mut self, digits: &[u8]) -> Result<(), Errno> {
        for (place, pair) in self.bytes.iter_mut().zip(digits.chunks(2)) {
            let digit = |at: usize| pair.get(at).and_then(|d| char::from(*d).to_digit(16)).ok_or(Errno::EINVAL);
            *place = u8::try_from(digit(0)? * 16 + digit(1)?).unwrap_or_default();
        }
        self.len = digits.len() / 2;
        Ok(())
    }
}

/// The digits of a binary name without blanks and `0x`, and the byte behind them.
fn hex_digits(data: &[u8]) -> (&[u8], u8) {
    let start = data.iter().position(|b| !is_space(*b)).unwrap_or(data.len());
    let text = &data[start..];
    let end = text.iter().rposition(|b| !is_space(*b)).map_or(0, |p| p + 1);
    let skip = if text[..end].starts_with(b"0x") { 2 } else { 0 };
    (&text[skip..end], text.get(end).copied().unwrap_or(0))
}

/// The identifiers of one device.
#[derive(Debug, Clone)]
pub(super) struct Identifiers {
    t10_dev_id: Text,
    usn: Text,
    prod_id: Text,
    t10_vend_id: Text,
    prod_rev_lvl: Text,
    vend_specific_id: Text,
    scsi_device_name: Text,
    inq_vend_specific: Text,
    naa_id: Binary,
    eui64_id: Binary,
}

impl Identifiers {
    /// What a device of that name starts with.
    pub(super) fn new(name: &[u8], setup_id: u32, vendor: &[u8], revision: &[u8]) -> Self {
        let usn = format!("{:x}", (u64::from(setup_id) << 32) | u64::from(crc32c(&[name, b"\0"].concat())));
        let long = [usn.as_bytes(), b"-", name].concat();
        let id = Text::default_of(&long, T10_DEV_ID);
        Self {
            t10_dev_id: id.clone(),
            usn: Text::default_of(usn.as_bytes(), USN),
            prod_id: Text::default_of(name, PROD_ID),
            t10_vend_id: Text::default_of(vendor, T10_VEND_ID),
            prod_rev_lvl: Text::default_of(revision, PROD_REV_LVL),
            vend_specific_id: id,
            scsi_device_name: Text::default(),
            inq_vend_specific: Text::default(),
            naa_id: Binary::default(),
            eui64_id: Binary::default(),
        }
    }

    /// The serial number, which a new device must not share.
    pub(super) fn usn(&self) -> &[u8] {
        &self.usn.value
    }

    /// What devices are told apart by, in a cluster too.
    pub(super) fn t10_dev_id(&self) -> &[u8] {
        &self.t10_dev_id.value
    }

    /// Vendor, product and revision as INQUIRY has them, each padded with blanks.
    pub(super) fn inquiry_names(&self) -> String {
        let text = |text: &Text, width: usize| format!("{:width$}", String::from_utf8_lossy(&text.value));
        let (vendor, product) = (text(&self.t10_vend_id, T10_VEND_ID), text(&self.prod_id, PROD_ID));
        vendor + &product + &text(&self.prod_rev_lvl, PROD_REV_LVL)
    }

    /// The product of INQUIRY.
    pub(super) fn product(&self) -> String {
        String::from_utf8_lossy(&self.prod_id.value).trim().to_owned()
    }

    /// Sets `t10_dev_id` from a parameter of `add_device`.
    pub(super) fn set_t10_dev_id(&mut self, value: &[u8]) -> Result<(), Errno> {
        self.t10_dev_id.store_whole(value, T10_DEV_ID)
    }

    pub(super) fn show(&self, attr: &str) -> Option<Vec<u8>> {
        Some(match attr {
            "t10_dev_id" => self.t10_dev_id.show(),
            "usn" => self.usn.show(),
            "prod_id" => self.prod_id.show(),
            "t10_vend_id" => self.t10_vend_id.show(),
            "prod_rev_lvl" => self.prod_rev_lvl.show(),
            "vend_specific_id" => self.vend_specific_id.show(),
            "scsi_device_name" => self.scsi_device_name.show(),
            "inq_vend_specific" => self.inq_vend_specific.show(),
            "naa_id" => self.naa_id.show(),
            "eui64_id" => self.eui64_id.show(),
            _ => return None,
        })
    }

    /// `None` for an attribute that is none of these.
    pub(super) fn store(&mut self, attr: &str, data: &[u8]) -> Option<Result<(), Errno>> {
        Some(match attr {
            "t10_dev_id" => self.t10_dev_id.store_whole(data, T10_DEV_ID),
            "usn" => self.usn.store_whole(data, USN),
            "prod_id" => self.prod_id.store_line(data, PROD_ID),
            "t10_vend_id" => self.t10_vend_id.store_line(data, T10_VEND_ID),
            "prod_rev_lvl" => self.prod_rev_lvl.store_line(data, PROD_REV_LVL),
            "vend_specific_id" => self.vend_specific_id.store_line(data, VEND_SPECIFIC_ID),
            "scsi_device_name" => self.scsi_device_name.store_optional(data, SCSI_DEVICE_NAME),
            "inq_vend_specific" => self.inq_vend_specific.store_optional(data, INQ_VEND_SPECIFIC),
            "naa_id" => self.store_naa_id(data),
            "eui64_id" => self.store_eui64_id(data),
            _ => return None,
        })
    }

    /// 16 digits that begin with 2, 3 or 5, or 32 that begin with 6. Nothing clears it, but not behind a `0x` in a line.
    fn store_naa_id(&mut self, data: &[u8]) -> Result<(), Errno> {
        let (digits, behind) = hex_digits(data);
        let known = match digits {
            [] => behind == 0,
            [b'2' | b'3' | b'5', ..] => digits.len() == 16,
            [b'6', ..] => digits.len() == 32,
            _ => false,
        };
        if known { self.naa_id.set(digits) } else { Err(Errno::EINVAL) }
    }

    fn store_eui64_id(&mut self, data: &[u8]) -> Result<(), Errno> {
        let (digits, _) = hex_digits(data);
        if matches!(digits.len(), 0 | 16 | 24 | 32) { self.eui64_id.set(digits) } else { Err(Errno::EINVAL) }
    }
}

/// CRC-32C, reflected, from 0 and without a final inversion.
fn crc32c(data: &[u8]) -> u32 {
    data.iter().fold(0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0x82f6_3b78 } else { c >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_number_is_made_of_the_name() {
        // "123456789" with this polynomial, start value and no inversion.
        assert_eq!(crc32c(b"123456789"), 0x58e3_fa20);
        let ids = Identifiers::new(b"a_name_of_some_length", 5, b"SCST_BIO", b"3110");
        assert!(ids.usn().starts_with(b"5"));
        assert_eq!(ids.t10_dev_id.value.len(), T10_DEV_ID);
        assert_eq!(ids.prod_id.value, b"a_name_of_some_l");
    }

    #[test]
    fn binary_names_have_fixed_lengths() {
        let mut ids = Identifiers::new(b"d", 0, b"v", b"r");
        assert_eq!(ids.store("naa_id", b" 0x500000000000000A \n"), Some(Ok(())));
        assert_eq!(ids.naa_id.show(), b"0x500000000000000a\n[key]\n");
        for bad in ["0x\n", "0X5000000000000001\n", "0x4000000000000001", "0x500000000000001", "6000000000000001"] {
            assert_eq!(ids.store("naa_id", bad.as_bytes()), Some(Err(Errno::EINVAL)), "{bad}");
        }
        assert_eq!(ids.store("naa_id", b" \n"), Some(Ok(())));
        assert_eq!(ids.naa_id.show(), b"\n");
        assert_eq!(ids.store("eui64_id", b"0x\n"), Some(Ok(())));
    }

    #[test]
    fn whole_texts_count_what_is_behind_the_first_line() {
        let mut text = Text::default();
        assert_eq!(text.store_whole(b"one\ntwo\n", 25), Ok(()));
        assert_eq!(text.value, b"one");
        assert_eq!(text.store_whole(b"0123456789\n0123456789\n0123456789", 25), Err(Errno::EINVAL));
        assert_eq!(text.store_line(b"0123456789\n0123456789\n0123456789", 25), Ok(()));
    }
}
