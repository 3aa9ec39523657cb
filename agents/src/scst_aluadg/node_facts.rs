//! Completes the configured devices by what only this node knows ([`Facts`]), and refuses those that this node cannot
//! have. Start, reload, promote and level-10 monitors do so before they make a wanted state.
//!
//! Three facts of a node matter. The logical block size of a store: a device has at least that. The parameters that the
//! handlers of this kernel know: a device with another block size than the configured one would be another disk to
//! hosts, so it is left out. And `setup_id`: where it is not 0, the kernel makes other identifiers of a device's name
//! than the kernels of the other nodes.

use std::collections::{BTreeMap, BTreeSet};

use scst_core::error::Error;
use scst_core::plan::storage::not_known;
use scst_core::scst::device_attribute::{BLOCKSIZE, CLUSTER_MODE, T10_DEV_ID, THIN_PROVISIONED};
use scst_core::scst::host_id::ClusterId;
use scst_core::scst::identity;
use scst_core::scst::names::HandlerName;
use scst_core::scst::values::{BlockSize, T10DevId, Usn};
use scst_core::state::Storage;

use super::device::DeviceParams;
use super::params::Params;
use super::published::Published;
use super::stores;
use crate::backing::Store;
use crate::host::Host;

/// What is special about this node.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The parameters that each handler's `add_device` knows; no entry for a handler whose usage text lists none.
    pub parameters: BTreeMap<HandlerName, Vec<String>>,
    /// What is found of the stores, by their path.
    pub(super) stores: BTreeMap<String, Store>,
    /// The logical block size, in bytes, of the stores that are block devices here, by their path; of a store that is not there, that of the
    /// device that is on it.
    pub block_sizes: BTreeMap<String, u64>,
    /// The machine's `setup_id`.
    pub setup_id: u32,
    /// The cluster, where it is known.
    pub cluster: Option<ClusterId>,
}

impl Facts {
    /// Looks at the node. `stores` is what was found of the backing stores, by their path.
    ///
    /// # Errors
    ///
    /// What of the kernel's tree could not be read.
    pub(super) fn of(
        host: &Host<'_>,
        params: &Params,
        stores: BTreeMap<String, Store>,
        cluster: Option<ClusterId>,
    ) -> Result<Self, Error> {
        let observer = host.observer();
        let asked = || params.devices.iter().any(|device| device.naa_auto);
        let cluster = cluster.or_else(|| asked().then(|| Published::read(host, &params.group).cluster).flatten());
        let mut facts = Self { setup_id: observer.setup_id()?, cluster, stores, ..Self::default() };
        for handler in params.devices.iter().map(|device| device.handler).collect::<BTreeSet<_>>() {
            if let Some(known) = observer.handler_parameters(handler)? {
                facts.parameters.insert(handler, known);
            }
        }
        for (path, store) in &facts.stores {
            facts.block_sizes.extend(store.block_size(observer)?.map(|size| (path.clone(), size)));
        }
        // A store that is not there says nothing against the blocks that hosts know.
        for (device, path) in stores::with_store(params).filter(|(device, _)| device.blocksize.is_none()) {
            if facts.stores.get(path).is_some_and(|store| !store.is_there()) {
                let there = observer.with_store(&device.name)?;
                let there = there.filter(|there| there.filename.as_deref() == Some(path));
                facts.block_sizes.extend(there.map(|there| (path.to_owned(), there.block_size())));
            }
        }
        Ok(facts)
    }

    /// The configuration, completed and with the devices refused that this node cannot have.
    pub fn apply(&self, params: &Params) -> Params {
        let devices = params.devices.iter().map(|device| self.device(device.clone())).collect();
        Params { devices, ..params.clone() }
    }

    /// Removes from `found` the identifiers that the kernel of this SCST `release` makes by itself: a device that is
    /// added again gets them again.
    pub(super) fn forget_made(&self, found: &mut Storage, release: Option<&str>) {
        for (name, device) in &mut found.devices {
            let made = |what: &str, text: &str| match what {
                "vend_specific_id" => self.setup_id == 0 && text == identity::t10_dev_id(name),
                "prod_rev_lvl" => release.is_some_and(|release| text == identity::revision(release)),
                _ => false,
            };
            device.identity.retain(|what, text| !made(what, text));
        }
    }

    fn device(&self, mut device: DeviceParams) -> DeviceParams {
        let said =
            [(BLOCKSIZE.name, device.blocksize.is_some()), (THIN_PROVISIONED.name, device.thin_provisioned.is_some())];
        let store = device.filename.as_ref().and_then(|path| self.block_sizes.get(path.as_str()).copied());
        let default = match store {
            Some(size) if size > BlockSize::DEFAULT.bytes() => BlockSize::parse(&size.to_string()),
            _ => Ok(BlockSize::DEFAULT),
        };
        let size = device.blocksize.unwrap_or(default.unwrap_or(BlockSize::DEFAULT));
        device.blocksize = Some(size);
        let asked = said.map(|(key, said)| (key, said || (key == BLOCKSIZE.name && size != BlockSize::DEFAULT)));
        let shared =
            [(CLUSTER_MODE.name, device.shared), (T10_DEV_ID.name, device.shared && device.t10devid.is_some())];
        let known = self.parameters.get(&device.handler);
        let unknown = asked.into_iter().chain(shared).find(|(key, asked)| {
            let lacks = |known: &Vec<String>| known.iter().all(|name| name != key);
            *asked && known.is_some_and(lacks)
        });
        device.refused = match (unknown, store) {
            (Some((key, _)), _) => Some(not_known(device.handler, key)),
            (None, Some(store)) => blocks_too_large(device.handler, store, size.bytes()),
            (None, None) => None,
        };
        if device.naa_auto {
            device.naa_id = self.cluster.and_then(|cluster| cluster.naa_id(&device.name).ok());
            if device.naa_id.is_none() {
                device
                    .refused
                    .get_or_insert("naa_id=auto is made of the cluster's name, which is not known".to_owned());
            }
        }
        if self.setup_id != 0 {
            let t10 = identity::t10_dev_id(&device.name);
            device.usn = device.usn.or_else(|| Usn::parse(&identity::usn(&device.name)).ok());
            device.t10devid = device.t10devid.or_else(|| T10DevId::parse(&t10).ok());
            device.vend_specific_id = device.vend_specific_id.or(Some(t10));
        }
        device
    }
}

/// The sentence for a device with blocks of `size` bytes on a store with larger logical blocks, of `store` bytes: SCST
/// 3.11 would not open the store, and 3.7 would pass on commands that the store cannot carry out.
pub(super) fn blocks_too_large(handler: HandlerName, store: u64, size: u64) -> Option<String> {
    (handler == HandlerName::VdiskBlockio && store > size)
        .then(|| format!("its store has logical blocks of {store} bytes, more than its blocksize {size}"))
}

#[cfg(test)]
mod tests {
    use scst_core::ocf::env::Env;

    use super::*;

    /// The device `dg_a` on `/dev/a` with these words about it, on a node like that.
    fn on(facts: &Facts, words: &str) -> DeviceParams {
        let device = format!("virtname=a,filename=/dev/a,export0=all:0,{words}");
        let pairs = [("groupname", "dg"), ("tgtdriver", "iscsi"), ("device0", &device)];
        let env = Env::from_pairs(pairs.map(|(name, value)| (format!("OCF_RESKEY_{name}"), value)));
        facts.apply(&Params::parse(&env).0.unwrap()).devices.remove(0)
    }

    fn with_store(size: u64) -> Facts {
        Facts { block_sizes: [("/dev/a".to_owned(), size)].into(), ..Facts::default() }
    }

    #[test]
    fn a_device_has_blocks_as_large_as_its_store_unless_somebody_said_otherwise() {
        for (store, words, size, refused) in [
            (512, "", "512", false),
            (4096, "", "4096", false),
            (2048, "", "2048", false),
            (512, "blocksize=4096", "4096", false),
            (4096, "blocksize=512", "512", true),
            (4096, "blocksize=512,handler=vdisk_fileio", "512", false),
            (4096, "handler=vdisk_fileio", "4096", false),
            (8192, "", "512", true),
        ] {
            let device = on(&with_store(store), words);
            assert_eq!(device.blocksize.unwrap().to_string(), size, "{store} {words}");
            assert_eq!(device.refused.is_some(), refused, "{store} {words}: {:?}", device.refused);
        }
        let device = on(&with_store(4096), "blocksize=512");
        assert_eq!(device.refused.unwrap(), "its store has logical blocks of 4096 bytes, more than its blocksize 512");
    }

    #[test]
    fn what_the_handler_does_not_know_leaves_a_device_out() {
        let old = |store| Facts {
            parameters: [(HandlerName::VdiskBlockio, vec!["filename".to_owned()])].into(),
            ..with_store(store)
        };
        for (store, words, why) in [
            (512, "", None),
            (512, "blocksize=512", Some("vdisk_blockio of this kernel does not know blocksize")),
            (4096, "", Some("vdisk_blockio of this kernel does not know blocksize")),
            (512, "thin_provisioned=0", Some("vdisk_blockio of this kernel does not know thin_provisioned")),
            (512, "handler=vdisk_fileio,blocksize=1024", None),
        ] {
            assert_eq!(on(&old(store), words).refused.as_deref(), why, "{store} {words}");
        }
    }

    #[test]
    fn identifiers_are_those_of_a_node_without_a_setup_id() {
        assert_eq!((on(&Facts::default(), "").usn, on(&Facts::default(), "").vend_specific_id), (None, None));
        let node = Facts { setup_id: 0x77, ..Facts::default() };
        let device = on(&node, "");
        let usn = device.usn.unwrap().to_string();
        assert_eq!(usn.len(), 8);
        assert_eq!(device.t10devid.unwrap().to_string(), format!("{usn}-dg_a"));
        assert_eq!(device.vend_specific_id, Some(format!("{usn}-dg_a")));
        let device = on(&node, "usn=mine,t10devid=also");
        assert_eq!(device.usn.unwrap().to_string(), "mine");
        assert_eq!(device.t10devid.unwrap().to_string(), "also");
        assert_eq!(device.vend_specific_id, Some(format!("{usn}-dg_a")));
    }
}
