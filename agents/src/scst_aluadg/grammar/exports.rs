//! Reads the exports of a device, the keys `exportN=initiatorgroup:lun`. A bad one is left out, without `export0` the
//! device is.

use std::collections::BTreeMap;

use scst_core::scst::names::InitiatorGroup;

use super::remark::Remark;
use crate::scst_aluadg::device::{Export, ExportGroup};

/// The highest LUN that can be exported.
const MAX_LUN: u64 = 16383;

/// All exports, of the texts by their numbers. A bad one is left out, and the others stay.
pub(super) fn exports(texts: BTreeMap<u8, String>, remarks: &mut Vec<Remark>, faults: &mut Vec<Remark>) -> Vec<Export> {
    let complete = texts.contains_key(&0);
    if !complete {
        faults.push(Remark::new("export0", "is required and missing"));
    }
    let mut exports: Vec<Export> = Vec::new();
    for (index, text) in texts {
        let key = format!("export{index}");
        match export(index, &key, &text, remarks) {
            Err(reason) => {
                remarks.push(Remark::export_left_out(&key, reason).value(&text));
            }
            Ok(export) => match exports.iter().find(|earlier| earlier.overlaps(&export)) {
                Some(earlier) if earlier.group == export.group || earlier.group == ExportGroup::All => {
                    let reason = format!("export{} {earlier} says so already, ignored", earlier.index);
                    remarks.push(Remark::new(&key, reason).value(&text));
                }
                // All groups after some of them: the wider one covers both.
                Some(_) => {
                    exports.retain(|earlier| {
                        let covered = earlier.lun == export.lun;
                        if covered {
                            let reason = format!("{key} {export} says so as well, ignored");
                            let text = earlier.to_string();
                            let key = format!("export{}", earlier.index);
                            remarks.push(Remark::new(&key, reason).value(&text));
                        }
                        !covered
                    });
                    exports.push(export);
                }
                None => exports.push(export),
            },
        }
    }
    if complete && exports.is_empty() {
        faults.push(Remark::new("exports", "none of them can be used"));
    }
    exports
}

/// `initiatorgroup:lun`.
fn export(index: u8, key: &str, text: &str, remarks: &mut Vec<Remark>) -> Result<Export, String> {
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
        remarks.push(Remark::new(key, reason).value(text));
    }
    Ok(Export { index, group, lun })
}
