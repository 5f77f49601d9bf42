use proptest::prelude::*;

use super::*;
use crate::{device::DeviceRemoved, store::AuditGap};

fn new_event(name: &str, label: &str, reason: &str) -> NewEvent {
    NewEvent {
        at: Moment::from_micros(1_790_000_000_000_001),
        actor: Actor { name: name.into(), label: label.into(), role: Role::OpsRw, door: Door::McpStdio },
        command_id: CommandId::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        event: DeviceRemoved { device_id: "r1".parse().unwrap(), reason: reason.into() }.into(),
    }
}

fn frame_of(seq: u64, leaf: Option<u64>, new: &NewEvent) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes, Seq(seq), leaf, new).unwrap();
    bytes
}

#[test]
fn every_byte_stands_where_the_table_says() {
    let bytes = frame_of(7, Some(3), &new_event("ab", "c", "x"));
    assert_eq!(bytes.len(), 60 + 2 + 1 + 5);
    assert_eq!(bytes[..4], 68u32.to_le_bytes());
    assert_eq!(bytes[8..16], 7u64.to_le_bytes());
    assert_eq!(bytes[16..24], 3u64.to_le_bytes());
    assert_eq!(bytes[24..32], 1_790_000_000_000_001_i64.to_le_bytes());
    assert_eq!(bytes[32..48], 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_le_bytes());
    assert_eq!(bytes[48..58], [102, 0, 1, 1, 0, 0, 2, 2, 2, 0]);
    assert_eq!(bytes[58..63], [b'a', b'b', 1, 0, b'c']);
    assert_eq!(bytes[63..], [2, b'r', b'1', 1, b'x']);
    assert_eq!(bytes[4..8], checksum(&bytes).to_le_bytes());
}

#[test]
fn a_sample_has_no_leaf() {
    let bytes = frame_of(7, None, &new_event("a", "b", "c"));
    assert_eq!(bytes[16..24], [0xff; 8]);
    assert_eq!(read(&bytes).unwrap().0.leaf, None);
}

#[test]
fn oversized_parts_are_refused_and_leave_no_bytes() {
    let mut out = vec![1];
    let long = "x".repeat(ACTOR_TEXT_BYTES_MAX + 1);
    assert!(matches!(write(&mut out, Seq(1), None, &new_event(&long, "", "")), Err(EncodeError::Actor)));
    let huge = "x".repeat(BODY_BYTES_MAX + 1);
    assert!(write(&mut out, Seq(1), None, &new_event("", "", &huge)).is_err());
    assert_eq!(out, [1]);
}

/// Sets one byte and repairs the checksum, as a newer writer would.
fn with_byte(mut bytes: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    bytes[at] = value;
    let sum = checksum(&bytes);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn what_a_newer_version_wrote_is_said_to_be_newer() {
    let good = frame_of(1, Some(0), &new_event("a", "b", "c"));
    for (at, value) in [(48, 99), (50, 2), (51, 2), (52, 1), (54, 9), (55, 9)] {
        let bytes = with_byte(good.clone(), at, value);
        let error = read(&bytes).unwrap().0.envelope().unwrap_err();
        assert!(error.is_newer(), "byte {at}: {error}");
    }
    let zero = with_byte(good, 50, 0);
    assert!(!read(&zero).unwrap().0.envelope().unwrap_err().is_newer());
}

#[test]
fn a_length_that_no_frame_has_is_refused_before_anything_is_allocated() {
    let mut bytes = frame_of(1, Some(0), &new_event("a", "b", "c"));
    bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(read(&bytes), Err(FrameError::Length(u32::MAX)));
    bytes[..4].copy_from_slice(&59u32.to_le_bytes());
    assert_eq!(read(&bytes), Err(FrameError::Length(59)));
}

#[test]
fn a_body_that_claims_a_huge_list_is_refused() {
    // HealthBatch is one list; its length claims 2^40 entries.
    let mut new = new_event("a", "b", "c");
    new.event = AuditGap { from: Moment::default(), to: Moment::default(), calls: 1 }.into();
    let mut bytes = frame_of(1, None, &new);
    let body_at = bytes.len() - read(&bytes).unwrap().0.body.len();
    bytes.truncate(body_at);
    bytes.extend_from_slice(&[253, 0, 0, 0, 0, 0, 1, 0, 0]);
    let len = u32::try_from(bytes.len()).unwrap();
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    bytes[48..50].copy_from_slice(&900u16.to_le_bytes());
    let bytes = with_byte(bytes, 50, 1);
    assert!(matches!(read(&bytes).unwrap().0.envelope(), Err(DecodeError::Body(_))));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        seq: u64, leaf in proptest::option::of(0..u64::MAX), at: i64, command: u128,
        name in ".{0,40}", label in ".{0,40}", reason in ".{0,200}", tail in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut new = new_event(&name, &label, &reason);
        new.at = Moment::from_micros(at);
        new.command_id = CommandId::from_u128(command);
        let mut bytes = frame_of(seq, leaf, &new);
        let len = bytes.len();
        bytes.extend_from_slice(&tail);
        let (frame, rest) = read(&bytes).unwrap();
        prop_assert_eq!(rest, &tail[..]);
        prop_assert_eq!(frame.bytes.len(), len);
        let envelope = frame.envelope().unwrap();
        prop_assert_eq!(envelope.seq, Seq(seq));
        prop_assert_eq!(envelope.leaf, leaf);
        prop_assert_eq!(NewEvent {
            at: envelope.at, actor: envelope.actor, command_id: envelope.command_id, event: envelope.event,
        }, new);
    }

    #[test]
    fn any_changed_byte_is_noticed(at: prop::sample::Index, with in 1..=255u8) {
        let good = frame_of(9, Some(4), &new_event("token:t", "Ada", "moved"));
        let mut bad = good.clone();
        let at = at.index(bad.len());
        bad[at] ^= with;
        prop_assert!(read(&bad).is_err());
    }

    #[test]
    fn any_bytes_are_refused_or_read_but_never_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..300), repair: bool, kind in 0..1000u16,
    ) {
        if repair && bytes.len() >= FRAME_BYTES_MIN {
            let len = u32::try_from(bytes.len()).unwrap();
            bytes[..4].copy_from_slice(&len.to_le_bytes());
            bytes[48..50].copy_from_slice(&kind.to_le_bytes());
            bytes[50..54].copy_from_slice(&[1, 1, 0, 0]);
            bytes[54..58].copy_from_slice(&[1, 1, 0, 0]);
            bytes[58..60].copy_from_slice(&[0, 0]);
            let sum = checksum(&bytes);
            bytes[4..8].copy_from_slice(&sum.to_le_bytes());
        }
        if let Ok((frame, _)) = read(&bytes) {
            let _ = frame.envelope();
        }
    }

    #[test]
    fn hostile_bodies_of_every_kind_never_panic(
        body in proptest::collection::vec(any::<u8>(), 0..200), kind in prop::sample::select(Event::REGISTRY),
    ) {
        let _ = Event::decode_body(kind.0, &body);
    }
}
