//! One parameter `deviceN`: `key=value` pairs, separated by commas or white space.
//!
//! Double quotes are dropped, keys are read in lower case, a pair is split at its first `=`. What is wrong is told apart in two:
//! a remark names something that was left out or read in another way, the device is used; a fault makes the device unusable.

use std::collections::BTreeMap;
use std::fmt;

use scst_core::ocf::param::Finding;
use scst_core::scst::names::{DeviceName, GroupName, HandlerName, InitiatorGroup, NameError};
use scst_core::scst::values::{BackingPath, NaaId, T10DevId, Usn};

/// The highest LUN that is exported.
const MAX_LUN: u64 = 256;

/// One device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own in SCST, with its own attribute")]
pub struct DeviceParams {
    /// The number of its parameter.
    pub index: u8,
    /// Its name in SCST.
    pub name: DeviceName,
    /// Its handler.
    pub handler: HandlerName,
    /// Its backing file or block device; always there unless the handler is `vdisk_nullio`.
    pub filename: Option<BackingPath>,
    /// Where it is seen, by the number of the key.
    pub exports: Vec<Export>,
    /// Hosts cannot write to it.
    pub read_only: bool,
    /// It is announced as a removable medium.
    pub removable: bool,
    /// Its cache is announced as non-volatile.
    pub nv_cache: bool,
    /// It is announced as a rotating disk.
    pub rotational: bool,
    /// Of `vdisk_nullio`: a place holder that hosts do not use as a disk.
    pub dummy: bool,
    /// Its T10 identification, if it is not the kernel's choice.
    pub t10devid: Option<T10DevId>,
    /// Its serial number, if it is not the kernel's choice.
    pub usn: Option<Usn>,
    /// Its NAA identifier, if it is not the kernel's choice.
    pub naa_id: Option<NaaId>,
    /// Write-through as configured; see [`DeviceParams::effective_write_through`].
    pub write_through: Option<bool>,
}

/// The initiator groups of an export.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExportGroup {
    /// Every group found on the port.
    All,
    /// The group of this name, which is in lower case and matched without regard to case.
    Named(InitiatorGroup),
}

/// One export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The number of its key.
    pub index: u8,
    /// Who sees it.
    pub group: ExportGroup,
    /// Under which number.
    pub lun: u16,
}

impl Export {
    /// Whether some host could see both at the same LUN.
    pub fn overlaps(&self, other: &Self) -> bool {
        let same_group = self.group == other.group || self.group == ExportGroup::All || other.group == ExportGroup::All;
        self.lun == other.lun && same_group
    }
}

impl fmt::Display for ExportGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::All => "all",
            Self::Named(group) => group.as_str(),
        })
    }
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.group, self.lun)
    }
}

/// Something that is wrong in one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remark {
    key: String,
    value: Option<String>,
    reason: String,
}

impl Remark {
    fn new(key: &str, reason: impl fmt::Display) -> Self {
        Self { key: key.to_owned(), value: None, reason: reason.to_string() }
    }

    fn value(self, value: &str) -> Self {
        Self { value: Some(value.to_owned()), ..self }
    }

    /// The finding that the device is used in spite of it.
    pub(super) fn warning(self, parameter: &str) -> Finding {
        self.finding(parameter, |parameter, reason| Finding::warning(parameter, reason))
    }

    /// The finding that nothing works without this device.
    pub(super) fn error(self, parameter: &str) -> Finding {
        self.finding(parameter, |parameter, reason| Finding::error(parameter, reason))
    }

    /// The finding that the device is left out.
    pub(super) fn left_out(self, parameter: &str) -> Finding {
        self.finding(parameter, |parameter, reason| {
            Finding::warning(parameter, format_args!("{reason}, device left out"))
        })
    }

    fn finding(self, parameter: &str, make: impl FnOnce(&str, &str) -> Finding) -> Finding {
        let finding = make(parameter, &self.reason).at(&self.key);
        match &self.value {
            Some(value) => finding.value(value),
            None => finding,
        }
    }
}

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

/// The words of a device's text.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .map(|word| word.replace('"', ""))
        .filter(|word| !word.is_empty())
}

/// The value of `virtname` alone, whatever else is in the text: for stop.
pub(super) fn virtname(text: &str) -> Option<String> {
    let pairs =
        words(text).filter_map(|word| word.split_once('=').map(|(k, v)| (k.to_ascii_lowercase(), v.to_owned())));
    pairs.filter(|(key, value)| key == "virtname" && !value.is_empty()).last().map(|(_, value)| value)
}

/// The keys of a device besides `exportN`.
const KEYS: [&str; 12] = [
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
    "write_through",
];

/// The number of an `exportN`; `export01` is no key.
fn export_number(key: &str) -> Option<u8> {
    let digits = key.strip_prefix("export")?;
    digits.parse::<u8>().ok().filter(|number| number.to_string() == digits)
}

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
        let exports = self.exports();
        let read_only = self.flag("read_only").unwrap_or(false);
        let removable = self.flag("removable").unwrap_or(false);
        let nv_cache = self.flag("nv_cache").unwrap_or(false);
        let is_ssd = self.flag("is_ssd").unwrap_or(false);
        let dummy = self.flag("dummy").unwrap_or(false);
        let t10devid = self.checked("t10devid", T10DevId::parse);
        let usn = self.checked("usn", Usn::parse);
        let naa_id = self.checked("naa_id", NaaId::parse);
        let write_through = self.flag("write_through");
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
            t10devid,
            usn,
            naa_id,
            write_through,
        };
        self.fit_to_handler(&mut device);
        Some(device)
    }

    /// Drops what the handler does not have, and refuses what the kernel would refuse.
    fn fit_to_handler(&mut self, device: &mut DeviceParams) {
        let handler = device.handler;
        let mut drop_flag = |key: &str, reason: String| self.remarks.push(Remark::new(key, reason));
        if device.dummy && handler.has_backing() {
            drop_flag("dummy", format!("exists only with vdisk_nullio, ignored for {handler}"));
            device.dummy = false;
        }
        if device.nv_cache && !handler.has_backing() {
            drop_flag("nv_cache", format!("does not exist with {handler}, ignored"));
            device.nv_cache = false;
        }
        if device.write_through.is_some() && !handler.has_backing() {
            drop_flag("write_through", format!("does not exist with {handler}, ignored"));
            device.write_through = None;
        }
        if handler == HandlerName::VdiskFileio && device.read_only {
            if device.write_through == Some(true) {
                drop_flag("write_through", "is impossible with vdisk_fileio and read_only=1, ignored".to_owned());
                device.write_through = None;
            }
            if device.nv_cache {
                self.faults.push(Remark::new("nv_cache", "is impossible with vdisk_fileio and read_only=1"));
            }
        }
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

    /// All exports. A bad one is left out alone.
    fn exports(&mut self) -> Vec<Export> {
        if !self.exports.contains_key(&0) {
            self.faults.push(Remark::new("export0", "is required and missing"));
        }
        let mut exports: Vec<Export> = Vec::new();
        for (index, text) in std::mem::take(&mut self.exports) {
            let key = format!("export{index}");
            match self.export(index, &key, &text) {
                Err(reason) => {
                    self.remarks.push(Remark::new(&key, format_args!("{reason}, export left out")).value(&text));
                }
                Ok(export) => match exports.iter().find(|earlier| earlier.overlaps(&export)) {
                    Some(earlier) if earlier.group == export.group || earlier.group == ExportGroup::All => {
                        let reason = format!("export{} {earlier} says so already, ignored", earlier.index);
                        self.remarks.push(Remark::new(&key, reason).value(&text));
                    }
                    // All groups after some of them: the wider one covers both.
                    Some(_) => {
                        exports.retain(|earlier| {
                            let covered = earlier.lun == export.lun;
                            if covered {
                                let reason = format!("{key} {export} says so as well, ignored");
                                let text = earlier.to_string();
                                let key = format!("export{}", earlier.index);
                                self.remarks.push(Remark::new(&key, reason).value(&text));
                            }
                            !covered
                        });
                        exports.push(export);
                    }
                    None => exports.push(export),
                },
            }
        }
        exports
    }

    /// `initiatorgroup:lun`.
    fn export(&mut self, index: u8, key: &str, text: &str) -> Result<Export, String> {
        let (group, number) = text.split_once(':').ok_or("is no initiatorgroup:lun")?;
        let group = if group.eq_ignore_ascii_case("all") {
            ExportGroup::All
        } else {
            ExportGroup::Named(InitiatorGroup::parse(group).map_err(|error| error.to_string())?)
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err("the LUN is no number".to_owned());
        }
        let octal = number.len() > 1 && number.starts_with('0');
        let read = u64::from_str_radix(number, if octal { 8 } else { 10 });
        let lun = match read {
            Ok(lun) => lun,
            // Too many digits.
            Err(_) if !octal || number.bytes().all(|b| b < b'8') => u64::MAX,
            Err(_) => return Err("the LUN begins with 0 and is no octal number".to_owned()),
        };
        let small = u16::try_from(lun).ok().filter(|_| lun <= MAX_LUN);
        let lun = small.ok_or_else(|| format!("the LUN is over {MAX_LUN}"))?;
        if octal {
            let reason = format!("the LUN begins with 0 and is read as octal: {lun}");
            self.remarks.push(Remark::new(key, reason).value(text));
        }
        if u64::from(lun) == MAX_LUN {
            self.remarks.push(Remark::new(key, "LUN 256 is one that many hosts do not look at").value(text));
        }
        Ok(Export { index, group, lun })
    }
}
