//! One parameter `deviceN`: `key=value` pairs, separated by commas or white space.
//!
//! Double quotes are dropped, keys are read in lower case, a pair is split at its first `=`. There are two kinds of
//! mistakes: after a remark something is left out or read in another way, and the device is used; a fault makes the
//! device unusable.

mod exports;
mod handler;
mod remark;
mod words;

use std::collections::BTreeMap;

use scst_core::scst::names::{DeviceName, GroupName, HandlerName, NameError};
use scst_core::scst::values::{BackingPath, BlockSize, Eui64Id, NaaId, T10DevId, ThreadsNum, Usn, shown_text};

use self::exports::exports;
use self::handler::fit;
use self::remark::Remark;
pub(super) use self::words::virtname;
use self::words::{capacity, export_number, words};
use super::device::DeviceParams;

/// The result of reading one device.
#[derive(Debug)]
pub(super) struct Parsed {
    /// The device, if nothing is wrong that makes it unusable.
    pub device: Option<DeviceParams>,
    /// What was left out or read in another way.
    pub remarks: Vec<Remark>,
    /// What makes the device unusable.
    pub faults: Vec<Remark>,
}

/// The keys of a device besides `exportN`.
const KEYS: [&str; 22] = [
    "virtname",
    "handler",
    "filename",
    "read_only",
    "removable",
    "nv_cache",
    "is_ssd",
    "dummy",
    "t10devid",
    "usn",
    "naa_id",
    "eui64_id",
    "prod_id",
    "vend_specific_id",
    "prod_rev_lvl",
    "inq_vend_specific",
    "write_through",
    "blocksize",
    "thin_provisioned",
    "threads_num",
    "absent_in_standby",
    "size",
];

/// Reads the device `deviceN`.
pub(super) fn parse(group: &GroupName, index: u8, text: &str) -> Parsed {
    let mut reader = Reader::split(text);
    let device = reader.device(group, index);
    let Reader { remarks, faults, .. } = reader;
    Parsed { device: device.filter(|_| faults.is_empty()), remarks, faults }
}

/// The pairs of one device, taken out one after the other, and what was found wrong on the way.
struct Reader {
    pairs: BTreeMap<String, String>,
    exports: BTreeMap<u8, String>,
    remarks: Vec<Remark>,
    faults: Vec<Remark>,
}

impl Reader {
    /// Cuts the text into pairs.
    fn split(text: &str) -> Self {
        let (pairs, exports) = (BTreeMap::new(), BTreeMap::new());
        let mut reader = Self { pairs, exports, remarks: Vec::new(), faults: Vec::new() };
        for word in words(text) {
            let Some((key, value)) = word.split_once('=') else {
                reader.remarks.push(Remark::new("word", "is no key=value, ignored").value(&word));
                continue;
            };
            let key = key.to_ascii_lowercase();
            if value.is_empty() {
                reader.remarks.push(Remark::new(&key, "has no value, ignored"));
                continue;
            }
            let value = value.to_owned();
            let earlier = match export_number(&key) {
                Some(number) => reader.exports.insert(number, value),
                None if KEYS.contains(&key.as_str()) => reader.pairs.insert(key.clone(), value),
                None => {
                    reader.remarks.push(Remark::new(&key, "is no key of a device, ignored").value(&value));
                    continue;
                }
            };
            if let Some(earlier) = earlier {
                reader.remarks.push(Remark::new(&key, "is given twice, the last one counts").value(&earlier));
            }
        }
        reader
    }

    /// Reads all keys, so that everything that is wrong is named at once.
    fn device(&mut self, group: &GroupName, index: u8) -> Option<DeviceParams> {
        let name = self.required("virtname", |text| DeviceName::parse(group, text));
        let handler = self.checked("handler", HandlerName::parse).unwrap_or_default();
        let filename = self.filename(handler);
        let exports = exports(std::mem::take(&mut self.exports), &mut self.remarks, &mut self.faults);
        let read_only = self.flag("read_only").unwrap_or(false);
        let removable = self.flag("removable").unwrap_or(false);
        let nv_cache = self.flag("nv_cache").unwrap_or(false);
        let is_ssd = self.flag("is_ssd").unwrap_or(false);
        let dummy = self.flag("dummy").unwrap_or(false);
        let t10devid = self.checked("t10devid", T10DevId::parse);
        let usn = self.checked("usn", Usn::parse);
        let naa_auto = self.pairs.get("naa_id").is_some_and(|text| text.eq_ignore_ascii_case("auto"));
        let naa_id = if naa_auto { None } else { self.checked("naa_id", NaaId::parse) };
        let eui64_id = self.checked("eui64_id", Eui64Id::parse);
        let prod_id = self.checked("prod_id", |text| shown_text(text, 16));
        let vend_specific_id = self.checked("vend_specific_id", |text| shown_text(text, 128));
        let prod_rev_lvl = self.checked("prod_rev_lvl", |text| shown_text(text, 4));
        let inq_vend_specific = self.checked("inq_vend_specific", |text| shown_text(text, 160));
        let write_through = self.flag("write_through");
        let blocksize = self.checked("blocksize", BlockSize::parse);
        let thin_provisioned = self.flag("thin_provisioned");
        let threads_num = self.checked("threads_num", ThreadsNum::parse);
        let absent_in_standby = self.flag("absent_in_standby").unwrap_or(false);
        let size = self.checked("size", capacity);
        if let Some(id) = t10devid.as_ref().filter(|id| !id.is_plain()) {
            let reason = "holds other characters than letters, digits, - and _; kept";
            self.remarks.push(Remark::new("t10devid", reason).value(id.as_str()));
        }
        let mut device = DeviceParams {
            index,
            name: name?,
            handler,
            filename,
            exports,
            read_only,
            removable,
            nv_cache,
            rotational: !is_ssd,
            dummy,
            shared: false,
            t10devid,
            usn,
            naa_id,
            naa_auto,
            eui64_id,
            prod_id,
            prod_rev_lvl,
            inq_vend_specific,
            write_through,
            blocksize,
            thin_provisioned,
            threads_num,
            vend_specific_id,
            refused: None,
            absent_in_standby,
            size,
        };
        fit(&mut device, &mut self.remarks, &mut self.faults);
        Some(device)
    }

    /// A key with a grammar of its own; without a valid value the device cannot be used.
    fn checked<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, NameError>) -> Option<T> {
        let text = self.pairs.remove(key)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.faults.push(Remark::new(key, error).value(&text));
                None
            }
        }
    }

    /// The same for a key that must be there.
    fn required<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, NameError>) -> Option<T> {
        if !self.pairs.contains_key(key) {
            self.faults.push(Remark::new(key, "is required and missing"));
        }
        self.checked(key, parse)
    }

    fn filename(&mut self, handler: HandlerName) -> Option<BackingPath> {
        if handler.has_backing() {
            return self.required("filename", BackingPath::parse);
        }
        if let Some(path) = self.pairs.remove("filename") {
            self.remarks
                .push(Remark::new("filename", format_args!("has no meaning with {handler}, ignored")).value(&path));
        }
        None
    }

    /// 0 or 1. Of another number the kernel would look at the lowest bit, and so is it done here, in the open.
    fn flag(&mut self, key: &str) -> Option<bool> {
        let text = self.pairs.remove(key)?;
        let last = text.bytes().last().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        let Some(last) = last else {
            self.faults.push(Remark::new(key, "is neither 0 nor 1").value(&text));
            return None;
        };
        let value = last % 2 == 1;
        if text != "0" && text != "1" {
            let reason = format!("is neither 0 nor 1, taken for {}", u8::from(value));
            self.remarks.push(Remark::new(key, reason).value(&text));
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The device `device4` of a group `dg`, and all remarks as findings.
    fn read(text: &str) -> (Option<DeviceParams>, Vec<String>) {
        let Parsed { device, remarks, faults } = parse(&GroupName::parse("dg").unwrap(), 4, text);
        let remarks = remarks.into_iter().map(|remark| remark.warning("device4").to_string());
        let faults = faults.into_iter().map(|fault| fault.left_out("device4").to_string());
        (device, remarks.chain(faults).collect())
    }

    /// The device that `text` makes of the keys that every device needs.
    fn with(text: &str) -> (Option<DeviceParams>, Vec<String>) {
        read(&format!("virtname=a,filename=/dev/a,export0=esx1:1,{text}"))
    }

    fn exports(text: &str) -> (Vec<String>, Vec<String>) {
        let (device, remarks) = read(&format!("virtname=a,filename=/dev/a,{text}"));
        (device.unwrap().exports.iter().map(ToString::to_string).collect(), remarks)
    }

    #[test]
    fn pairs_are_separated_in_every_way_people_write_them() {
        let (device, remarks) = read("virtname=a,filename=/dev/a,export0=esx1:1,is_ssd=1");
        assert_eq!(remarks, [""; 0]);
        for text in [
            "virtname=a filename=/dev/a export0=esx1:1 is_ssd=1",
            " virtname=a, filename=/dev/a,\n\texport0=esx1:1,,is_ssd=1, ",
            "\"virtname=a\",filename=\"/dev/a\",EXPORT0=ESX1:1,Is_SSD=1",
        ] {
            assert_eq!(read(text), (device.clone(), Vec::new()), "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_ignored_by_name() {
        let (device, remarks) = with("bare,colour=red,export256=a:1,export01=a:1,usn=,read_only=1,read_only=0");
        assert!(!device.unwrap().read_only);
        assert_eq!(
            remarks,
            [
                "device4: word \"bare\": is no key=value, ignored",
                "device4: colour \"red\": is no key of a device, ignored",
                "device4: export256 \"a:1\": is no key of a device, ignored",
                "device4: export01 \"a:1\": is no key of a device, ignored",
                "device4: usn: has no value, ignored",
                "device4: read_only \"1\": is given twice, the last one counts",
            ]
        );
    }

    #[test]
    fn a_pair_is_split_at_its_first_equals_sign() {
        let (device, remarks) = with("t10devid=a=b");
        assert_eq!(device.unwrap().t10devid.unwrap().as_str(), "a=b");
        assert_eq!(remarks.len(), 1);
        let (device, remarks) = read("virtname=a,filename=/dev/a=b,export0=all:1");
        assert_eq!(device, None);
        assert_eq!(remarks, ["device4: filename \"/dev/a=b\": character '=' is not possible here, device left out"]);
    }

    #[test]
    fn flags_are_numbers_of_which_the_lowest_bit_counts() {
        for (text, value, remarks) in
            [("0", false, 0), ("1", true, 0), ("2", false, 1), ("3", true, 1), ("99999999999999999999999", true, 1)]
        {
            let (device, found) = with(&format!("removable={text}"));
            assert_eq!((device.unwrap().removable, found.len()), (value, remarks), "{text}");
        }
        for text in ["yes", "-1", "0x1", "1.0", "١"] {
            assert_eq!(with(&format!("removable={text}")).0, None, "{text}");
        }
    }

    #[test]
    fn luns_go_from_0_to_16383_and_bad_exports_are_left_out_alone() {
        let (found, remarks) = exports(
            "export0=esx:0,export1=Linux:255,export2=b:16383,export3=c:16384,export4=d,export5=e:,export6=f:x,export7=g/h:1,\
             export8=i:-1,export9=k:0x10,export10=l:99999999999999999999999,export255=ALL:7",
        );
        assert_eq!(found, ["esx:0", "linux:255", "b:16383", "all:7"]);
        assert_eq!(
            remarks,
            [
                "device4: export3 \"c:16384\": the LUN is over 16383, export left out",
                "device4: export4 \"d\": is no initiatorgroup:lun, export left out",
                "device4: export5 \"e:\": the LUN is no number, export left out",
                "device4: export6 \"f:x\": the LUN is no number, export left out",
                "device4: export7 \"g/h:1\": character '/' is not possible here, export left out",
                "device4: export8 \"i:-1\": the LUN is no number, export left out",
                "device4: export9 \"k:0x10\": the LUN is no number, export left out",
                "device4: export10 \"l:99999999999999999999999\": the LUN is over 16383, export left out",
            ]
        );
    }

    #[test]
    fn a_leading_zero_means_octal_as_in_the_kernel() {
        let (found, remarks) = exports("export0=a:010,export1=b:00,export2=c:08,export3=d:037777,export4=e:040000");
        assert_eq!(found, ["a:8", "b:0", "d:16383"]);
        assert_eq!(
            remarks,
            [
                "device4: export0 \"a:010\": the LUN begins with 0 and is read as octal: 8",
                "device4: export1 \"b:00\": the LUN begins with 0 and is read as octal: 0",
                "device4: export2 \"c:08\": the LUN begins with 0 and is no octal number, export left out",
                "device4: export3 \"d:037777\": the LUN begins with 0 and is read as octal: 16383",
                "device4: export4 \"e:040000\": the LUN is over 16383, export left out",
            ]
        );
    }

    #[test]
    fn an_export_that_another_one_covers_is_redundant() {
        assert_eq!(exports("export0=a:1,export1=A:1").0, ["a:1"]);
        assert_eq!(exports("export0=all:1,export1=a:1,export2=a:2").0, ["all:1", "a:2"]);
        let (found, remarks) = exports("export0=a:1,export1=b:1,export2=a:2,export3=all:1");
        assert_eq!(found, ["a:2", "all:1"]);
        assert_eq!(
            remarks,
            [
                "device4: export0 \"a:1\": export3 all:1 says so as well, ignored",
                "device4: export1 \"b:1\": export3 all:1 says so as well, ignored",
            ]
        );
    }

    #[test]
    fn the_first_export_and_a_store_are_required() {
        for (text, wanted) in [
            (
                "virtname=a,export1=all:1",
                &[
                    "filename: is required and missing, device left out",
                    "export0: is required and missing, device left out",
                ][..],
            ),
            (
                "virtname=a,filename=/dev/a,export0=esx:16384,export3=x",
                &[
                    "export0 \"esx:16384\": the LUN is over 16383, export left out",
                    "export3 \"x\": is no initiatorgroup:lun, export left out",
                    "exports: none of them can be used, device left out",
                ],
            ),
        ] {
            let (device, remarks) = read(text);
            assert_eq!(device, None, "{text}");
            assert_eq!(remarks, wanted.iter().map(|remark| format!("device4: {remark}")).collect::<Vec<_>>());
        }
        // A bad one is there all the same, and left out alone.
        assert_eq!(exports("export0=nonsense,export1=all:1").0, ["all:1"]);
    }

    #[test]
    fn a_flushed_write_is_lost_only_where_that_is_asked_for() {
        let fault = "device4: nv_cache: loses flushed writes with a writable vdisk_fileio; write_through=0 says that \
                     this is wanted, device left out";
        for (text, remarks) in [
            ("handler=vdisk_fileio,nv_cache=1", &[fault.to_owned()][..]),
            ("handler=vdisk_fileio,nv_cache=1,write_through=1", &[fault.to_owned()]),
            ("handler=vdisk_fileio,nv_cache=1,write_through=0", &[]),
            ("handler=vdisk_blockio,nv_cache=1,write_through=1", &[]),
        ] {
            let (device, found) = with(text);
            assert_eq!((device.is_none(), found), (!remarks.is_empty(), remarks.to_vec()), "{text}");
        }
    }

    #[test]
    fn sizes_and_numbers_of_a_device_are_kept_in_their_range() {
        let (device, remarks) = with("blocksize=4096,thin_provisioned=0,threads_num=8");
        let device = device.unwrap();
        assert_eq!(remarks, [""; 0]);
        assert_eq!(device.blocksize.unwrap().to_string(), "4096");
        assert_eq!((device.thin_provisioned, device.threads_num.unwrap().to_string()), (Some(false), "8".to_owned()));
        for (text, fault) in [
            ("blocksize=8192", "blocksize \"8192\": not a block size of 512, 1024, 2048 or 4096"),
            ("threads_num=65", "threads_num \"65\": not a number from 1 to 64"),
            ("thin_provisioned=no", "thin_provisioned \"no\": is neither 0 nor 1"),
            ("handler=vdisk_nullio,thin_provisioned=1", "thin_provisioned: is not known to vdisk_nullio"),
        ] {
            let (device, remarks) = with(text);
            assert_eq!((device, remarks.last().unwrap()), (None, &format!("device4: {fault}, device left out")));
        }
    }

    #[test]
    fn a_store_that_only_the_promoted_node_has_is_a_disk_with_a_size() {
        let size = |text: &str| capacity(text).ok();
        assert_eq!(["512", "1K", "3m", "2G", "1T"].map(size), [512, 1 << 10, 3 << 20, 2 << 30, 1 << 40].map(Some));
        for text in ["", "K", "0", "0G", "511", "1.5G", "1 G", "-512", "1GB", "16777216T", "99999999999999999999", "é"]
        {
            assert_eq!(size(text), None, "{text}");
        }
        let (device, remarks) = with("absent_in_standby=1,size=10G");
        let device = device.unwrap();
        assert_eq!((device.absent_in_standby, device.size, remarks.len()), (true, Some(10 << 30), 0));
        let (device, remarks) = with("size=10G");
        assert_eq!((device.unwrap().size, remarks.len()), (None, 1));
        for (text, fault) in [
            ("handler=vdisk_fileio,absent_in_standby=1", "absent_in_standby: is impossible with vdisk_fileio"),
            (
                "absent_in_standby=1,size=1",
                "size \"1\": not a size in bytes, or with K, M, G or T, that is a multiple of 512",
            ),
        ] {
            let (device, remarks) = with(text);
            assert_eq!((device, remarks.last().unwrap()), (None, &format!("device4: {fault}, device left out")));
        }
    }

    #[test]
    fn what_a_handler_does_not_have_is_ignored_and_what_the_kernel_refuses_is_a_fault() {
        let (device, remarks) = with("dummy=1");
        assert!(!device.unwrap().dummy);
        assert_eq!(remarks, ["device4: dummy: exists only with vdisk_nullio, ignored for vdisk_blockio"]);
        let (device, remarks) = with("handler=vdisk_nullio,nv_cache=1,write_through=1");
        let device = device.unwrap();
        assert_eq!((device.filename, device.nv_cache, device.write_through), (None, false, None));
        assert_eq!(remarks.len(), 3, "{remarks:?}");
        let (device, remarks) = with("handler=vdisk_fileio,read_only=1,write_through=1");
        assert_eq!((device.unwrap().write_through, remarks.len()), (None, 1));
        let (device, remarks) = with("handler=vdisk_fileio,read_only=1,nv_cache=1");
        assert_eq!(device, None);
        assert_eq!(remarks, ["device4: nv_cache: is impossible with vdisk_fileio and read_only=1, device left out"]);
        assert!(with("handler=vdisk_blockio,read_only=1,nv_cache=1").0.is_some());
    }

    #[test]
    fn identifiers_are_kept_if_they_can_be_written() {
        for (text, used, remarks) in [
            ("t10devid=old_ID-1", true, 0),
            ("t10devid=old.id", true, 1),
            ("t10devid=abcdefghijklmnopqrstuvwxyz", false, 1),
            ("t10devid=für", false, 1),
            ("usn=0123456789abcdef0123", true, 0),
            ("usn=0123456789abcdef01234", false, 1),
            ("naa_id=0x60000000000000000000000000000001", true, 0),
            ("naa_id=1000000000000001", false, 1),
        ] {
            let (device, found) = with(text);
            assert_eq!((device.is_some(), found.len()), (used, remarks), "{text}: {found:?}");
        }
    }

    #[test]
    fn the_name_can_be_made_out_of_nonsense() {
        assert_eq!(virtname("x,,virtname=a,handler=,\"VIRTNAME\"=b,virtname="), Some("b".to_owned()));
        assert_eq!(virtname("virtname,a"), None);
    }
}
