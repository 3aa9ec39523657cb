//! The attributes of devices, targets and initiator groups that an import may find: those that no parameter of the agents carries, with what
//! hosts notice when they go back to the kernel's own value (`lost`), and those that parameters and keys see to (`seen_to`).

use super::source::Attributes;

/// What is lost with an attribute.
pub(super) struct Unsaid {
    name: &'static str,
    /// The values that stand for "not set".
    defaults: &'static [&'static str],
    /// What becomes different; nothing where the agents see to it by themselves.
    loses: Option<&'static str>,
}

const fn lost(name: &'static str, defaults: &'static [&'static str], loses: &'static str) -> Unsaid {
    Unsaid { name, defaults, loses: Some(loses) }
}

const fn seen_to(name: &'static str) -> Unsaid {
    Unsaid { name, defaults: &[], loses: None }
}

/// Of devices.
pub(super) const DEVICE: [Unsaid; 39] = [
    lost("async", &["0"], "commands are carried out by threads again"),
    lost("dif_filename", &[""], "protection information goes"),
    lost("dif_mode", &["", "none"], "protection information goes"),
    lost("dif_static_app_tag", &["", "0", "0x0"], "protection information goes"),
    lost("dif_type", &["", "0"], "protection information goes"),
    lost("expl_alua", &["0"], "hosts cannot change ALUA states themselves"),
    lost("lb_per_pb_exp", &["1"], "hosts see another physical block size"),
    lost("max_tgt_dev_commands", &["64"], "another number of commands may be in flight"),
    lost("numa_node_id", &["-1"], "it is served from any NUMA node"),
    lost("o_direct", &["0"], "the file goes through the page cache"),
    lost("read_zero", &["0"], "it no longer reads as zeros"),
    lost("scsi_device_name", &[""], "hosts that know the disk by its SCSI name take it for another one"),
    lost(
        "t10_vend_id",
        &["", "SCST_BIO", "SCST_FIO"],
        "hosts see another vendor, and their multipath settings for the old one do not hold",
    ),
    lost("threads_pool_type", &["", "per_initiator"], "each initiator has threads of its own"),
    lost("tst", &["1"], "hosts see another task set type"),
    seen_to("active"),
    seen_to("bind_alua_state"),
    seen_to("block"),
    seen_to("blocksize"),
    seen_to("cluster_mode"),
    seen_to("dummy"),
    seen_to("eui64_id"),
    seen_to("filename"),
    seen_to("inq_vend_specific"),
    seen_to("naa_id"),
    seen_to("nv_cache"),
    seen_to("opt_trans_len"),
    seen_to("pr_file_name"),
    seen_to("prod_id"),
    seen_to("prod_rev_lvl"),
    seen_to("read_only"),
    seen_to("removable"),
    seen_to("rotational"),
    seen_to("t10_dev_id"),
    seen_to("thin_provisioned"),
    seen_to("threads_num"),
    seen_to("usn"),
    seen_to("vend_specific_id"),
    seen_to("write_through"),
];

/// Sizes follow from the store; only a device without one can have another.
const SIZES: [(&str, &str); 2] = [("size", "2748779069440"), ("size_mb", "2621440")];

/// Of targets and initiator groups.
pub(super) const TARGET: [Unsaid; 21] = [
    lost("RDMAExtensions", &["", "No"], "hosts are not offered RDMA"),
    lost("addr_method", &["", "PERIPHERAL"], "LUNs are addressed by the driver's own method"),
    lost("aen_disabled", &["", "0"], "hosts are told of events at once"),
    lost("black_hole", &["", "0"], "commands are answered"),
    lost("cpu_mask", &[""], "any processor may serve it"),
    lost("explicit_confirmation", &["", "0"], "hosts are not asked to confirm"),
    lost("forward_dst", &["", "0"], "commands are not forwarded"),
    lost("forward_src", &["", "0"], "commands are not forwarded"),
    lost("forwarding", &["", "0"], "commands are not forwarded"),
    lost("parent_host", &[""], "it is a virtual port of that adapter, which no agent makes"),
    lost("per_sess_dedicated_tgt_threads", &["", "0"], "sessions share their threads"),
    lost("redirect", &[""], "hosts are not sent to another portal"),
    seen_to("comment"),
    seen_to("dif_capabilities"),
    seen_to("enabled"),
    seen_to("hw_target"),
    seen_to("io_grouping_type"),
    seen_to("port_name"),
    seen_to("rel_tgt_id"),
    seen_to("sg_tablesize"),
    seen_to("tid"),
];

/// Of target groups, whose states follow from which node serves.
pub(super) const TARGET_GROUP: [Unsaid; 3] = [
    lost("preferred", &["", "0"], "the node that serves has active paths, the others have standby ones"),
    seen_to("group_id"),
    seen_to("state"),
];

/// What becomes different with these attributes, by name and value; with `strict` also a name that nobody knows.
pub(super) fn unsaid(table: &[Unsaid], attributes: &Attributes, strict: bool) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in attributes {
        let known = table.iter().find(|known| known.name == name);
        match known {
            Some(Unsaid { loses: None, .. }) => {}
            Some(Unsaid { defaults, .. }) if defaults.contains(&value.trim()) || of_the_machine(name, value.trim()) => {
            }
            Some(Unsaid { loses: Some(loses), .. }) => found.push(format!("{name}={value} cannot be said: {loses}")),
            None if strict && !is_size(name) => found.push(format!("{name}={value} cannot be said")),
            None => {}
        }
    }
    found
}

/// What the kernel has by itself and differs from machine to machine: its release, and all of its processors.
pub(super) fn of_the_machine(name: &str, value: &str) -> bool {
    match name {
        "prod_rev_lvl" => value.chars().all(|letter| letter.is_ascii_digit()),
        // As many ones as there are processors.
        "cpu_mask" => {
            let digits = value.replace(',', "");
            let digits = digits.trim_start_matches('0');
            digits.starts_with(['1', '3', '7', 'f']) && digits.chars().skip(1).all(|digit| digit == 'f')
        }
        _ => false,
    }
}

fn is_size(name: &str) -> bool {
    SIZES.iter().any(|(size, _)| *size == name)
        || is_counter(name)
        || name == "gen_tp_soft_threshold_reached_UA"
        || name == "dif_capabilities"
}

/// What counts, and is no configuration.
pub(super) fn is_counter(name: &str) -> bool {
    name.ends_with("_count") || name.ends_with("_count_kb") || name == "dif_checks_failed"
}

/// The size that only a device without a store can have been given.
pub(super) fn own_size(attributes: &Attributes) -> Option<String> {
    let other = |(name, default): &(&str, &str)| {
        attributes.get(*name).filter(|value| value.as_str() != *default).map(|value| format!("{name}={value}"))
    };
    SIZES.iter().find_map(other)
}
