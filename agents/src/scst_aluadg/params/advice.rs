//! Advice on a configuration that works and may still surprise: for validate-all, which is asked what is wrong, and not
//! for the log of other actions.

use scst_core::ocf::param::Finding;
use scst_core::scst::names::is_of_shell_agents;

use super::Params;
use crate::scst_aluadg::device::DeviceParams;

/// The highest LUN that every host looks at.
const MAX_USUAL_LUN: u16 = 255;

impl Params {
    /// Findings for what is carried out as it is configured and may still surprise.
    pub fn advice(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (device, export) in self.devices.iter().flat_map(|device| device.exports.iter().map(move |e| (device, e))) {
            if export.lun > MAX_USUAL_LUN {
                let reason = format!("many hosts do not look at a LUN over {MAX_USUAL_LUN}");
                let at = format!("export{}", export.index);
                findings.push(Finding::advice(&device.parameter(), reason).at(at).value(&export.to_string()));
            }
        }
        if !self.devices.iter().any(|device| device.exports.iter().any(|export| export.lun == 0)) {
            let reason = "no device of this group is at LUN 0, which hosts ask for the others; give them one";
            findings.push(Finding::advice("device0", reason));
        }
        let guessed = self.devices.iter().filter(|device| device.absent_in_standby && device.blocksize.is_none());
        let reason = "without its store nobody knows the block size, and 512 is taken; say blocksize= where absent_in_standby is 1";
        findings.extend(guessed.map(|device| Finding::advice(&device.parameter(), reason)));
        // A host knows the disk by what the kernel makes of its name, and a place holder by nothing.
        let chosen = |device: &DeviceParams| device.naa_id.is_some() || device.naa_auto || device.eui64_id.is_some();
        let named = |device: &&DeviceParams| !device.dummy && !chosen(device);
        let named = self.devices.iter().filter(named).filter(|d| d.usn.is_none() || d.t10devid.is_none());
        let named: Vec<String> = named.map(DeviceParams::parameter).collect();
        if let Some((first, others)) = named.split_first() {
            let others = if others.is_empty() { String::new() } else { format!(" (so are {})", others.join(", ")) };
            let reason = format!(
                "is known to hosts by its name{others}: a device of that name in another cluster is the same disk to \
                 them; set naa_id (auto makes one), or usn and t10devid, before hosts use it"
            );
            findings.push(Finding::advice(first, reason));
        }
        findings
    }

    /// The names that a shell agent on another node would not take: a mixed cluster needs others.
    pub fn beyond_shell_agents(&self) -> Vec<Finding> {
        let reason = "a shell agent in the cluster does not take it: that takes 1 to 8 letters and digits";
        let group = (!is_of_shell_agents(self.group.as_str()))
            .then(|| Finding::advice("groupname", reason).value(self.group.as_str()));
        let virtnames = self.devices.iter().filter_map(|device| {
            let (_, virtname) = device.name.as_str().split_once('_')?;
            let advice = Finding::advice(&device.parameter(), reason).at("virtname").value(virtname);
            (!is_of_shell_agents(virtname)).then_some(advice)
        });
        group.into_iter().chain(virtnames).collect()
    }
}
