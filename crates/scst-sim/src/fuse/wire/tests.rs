//! Messages as the kernel lays them out.

use super::*;

/// A message of the kernel about node 7, request 42, from thread 99.
fn message(opcode: u32, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let mut message = Vec::new();
    for field in [u32::try_from(40 + body.len()).unwrap(), opcode] {
        message.extend(field.to_ne_bytes());
    }
    for field in [42_u64, 7] {
        message.extend(field.to_ne_bytes());
    }
    for field in [0_u32, 0, 99, 0] {
        message.extend(field.to_ne_bytes());
    }
    message.extend(body);
    message
}

fn ask(message: &[u8]) -> Option<Ask<'_>> {
    decode(message).map(|(head, ask)| {
        assert_eq!(head, Head { unique: 42, node: 7, tid: 99 });
        ask
    })
}

#[test]
fn a_write_brings_its_data_and_nothing_behind_it() {
    let fields = [&5_u64.to_ne_bytes()[..], &4096_u64.to_ne_bytes(), &3_u32.to_ne_bytes(), &[0; 20], b"abcdef"];
    assert_eq!(ask(&message(16, &fields)), Some(Ask::Write { handle: 5, data: b"abc" }));
}

#[test]
fn setattr_tells_the_mode_only_when_it_is_valid() {
    let setattr = |valid: u32| message(4, &[&valid.to_ne_bytes(), &[0; 64], &0o600_u32.to_ne_bytes(), &[0; 16]]);
    assert_eq!(ask(&setattr(1)), Some(Ask::Setattr { mode: Some(0o600), owner: false }));
    assert_eq!(ask(&setattr(1 << 3)), Some(Ask::Setattr { mode: None, owner: false }));
    assert_eq!(ask(&setattr(1 << 1)), Some(Ask::Setattr { mode: None, owner: true }));
}

#[test]
fn forgetting_comes_one_by_one_or_in_batches() {
    assert_eq!(ask(&message(2, &[&3_u64.to_ne_bytes()])), Some(Ask::Forget(vec![(7, 3)])));
    let pairs: Vec<_> = [8_u64, 1, 9, 2].iter().flat_map(|field| field.to_ne_bytes()).collect();
    let batch = message(42, &[&2_u32.to_ne_bytes(), &[0; 4], &pairs]);
    assert_eq!(ask(&batch), Some(Ask::Forget(vec![(8, 1), (9, 2)])));
}

#[test]
fn names_end_at_their_zero_byte() {
    assert_eq!(ask(&message(1, &[b"devices\0"])), Some(Ask::Lookup { name: b"devices" }));
    assert_eq!(ask(&message(1, &[b"devices"])), None);
}

#[test]
fn a_message_cut_short_is_none() {
    let whole = message(15, &[&[0; 40]]);
    assert!(ask(&whole).is_some());
    for length in 0..60 {
        assert_eq!(decode(&whole[..length]), None, "{length}");
    }
}

#[test]
fn kernels_too_old_are_refused_and_newer_ones_come_down() {
    assert_eq!(init(7, 22, 0, 0), Err(Errno::EPROTO));
    assert_eq!(init(6, 99, 0, 0), Err(Errno::EPROTO));
    let answer = init(7, 99, 0, u32::MAX).unwrap();
    assert_eq!((answer.len(), &answer[4..8]), (64, &31_u32.to_ne_bytes()[..]));
}

#[test]
fn answers_have_the_lengths_the_kernel_insists_on() {
    let inode = Inode { number: 2, mode: 0o100_644, links: 1, size: 4096, time: 0 };
    assert_eq!(entry(2, &inode).len(), 128);
    assert_eq!(attributes(&inode).len(), 104);
    assert_eq!(opened(1, true).len(), 16);
    assert_eq!(written(3).len(), 8);
    assert_eq!(statistics().len(), 80);
    let error = encode(42, &Err(Errno::EINTR));
    assert_eq!(error, [&16_u32.to_ne_bytes()[..], &(-4_i32).to_ne_bytes(), &42_u64.to_ne_bytes()].concat());
}

#[test]
fn entries_fill_the_room_and_no_more() {
    let mut body = Vec::new();
    assert!(push_entry(&mut body, 64, 1, 0o040_000, b"devices"));
    assert_eq!((body.len(), body[20]), (32, 4));
    assert!(push_entry(&mut body, 64, 2, 0o100_000, b"12345678"));
    assert_eq!(body.len(), 64);
    assert!(!push_entry(&mut body, 64, 3, 0o120_000, b"x"));
    assert_eq!(body.len(), 64);
}
