//! Events far from their store: every way to gather them, and every way to falsify them.

use std::path::Path;

use super::*;
use crate::{
    checkpoint::Signer,
    export,
    ids::Moment,
    log::{EventLog, OpenOptions},
};

use crate::log::tests::{created, removed, sampled, signer};

fn at() -> Moment {
    Moment::from_micros(1_790_000_000_000_000)
}

/// A log of more than two blocks of leaves, with a sample now and then; its last events are signed.
fn log(path: &Path, events: u32) -> EventLog {
    let mut log = EventLog::create(path, signer(), OpenOptions::default(), created()).unwrap();
    for n in 0..events {
        let event = if n % 7 == 3 { sampled("r1") } else { removed(&format!("r{}", n % 5), n) };
        log.append(vec![event], &[]).unwrap();
    }
    log.checkpoint(at()).unwrap();
    log
}

fn of_r3(envelope: &Envelope) -> bool {
    matches!(&envelope.event, Event::DeviceRemoved(removed) if removed.device_id.as_str() == "r3")
}

fn gathered(log: &EventLog) -> Bundle {
    let page = log.reader().page(Some(Keep::Ledger), Seq(1), 5000).unwrap();
    let seqs: Vec<Seq> = page.iter().filter(|e| of_r3(e)).map(|e| e.seq).collect();
    assert!(seqs.len() > 50);
    Bundle::of_log(&log.reader(), &seqs).unwrap()
}

#[test]
fn events_prove_themselves_however_they_were_gathered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.redb");
    for events in [400, 700] {
        let _ = std::fs::remove_file(&path);
        let log = log(&path, events);
        let bundle = gathered(&log);
        let proven = bundle.prove(None).unwrap();
        assert_eq!(proven, bundle.prove(Some(&signer().verifier())).unwrap());
        assert_eq!(proven.envelopes.len() + 1, bundle.events.len());
        assert!(proven.envelopes.iter().all(of_r3));
        let alone: Vec<_> = bundle.events.iter().map(|item| item.leaf).collect();
        for (leaf, item) in alone.iter().zip(&bundle.events) {
            let path = log.reader().inclusion_proof(*leaf, proven.note.checkpoint.leaves).unwrap();
            assert_eq!(item.proof, BASE64.encode(path.concat()), "leaf {leaf}");
        }
        let open = Source::Open(log.reader());
        assert_eq!(Bundle::of_source(&open, &mut of_r3, &mut |_| {}).unwrap(), bundle);
        log.close(at()).unwrap();
        let stopped = Source::Store(path.clone());
        assert_eq!(Bundle::of_source(&stopped, &mut of_r3, &mut |_| {}).unwrap(), bundle);
        let lines = dir.path().join("log.ndjson");
        let mut out = std::fs::File::create(&lines).unwrap();
        export::export(&stopped, &mut out, &mut |_| {}).unwrap();
        let exported = Source::Export(lines);
        assert_eq!(Bundle::of_source(&exported, &mut of_r3, &mut |_| {}).unwrap(), bundle);
    }
}

#[test]
fn what_no_checkpoint_speaks_of_is_not_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log(&dir.path().join("log.redb"), 20);
    let appended = log.append(vec![removed("r3", "late")], &[]).unwrap();
    let seq = appended.envelopes[0].seq;
    let reader = log.reader();
    assert!(matches!(Bundle::of_log(&reader, &[seq]), Err(GatherError::Unsigned(at)) if at == seq));
    let open = Source::Open(log.reader());
    let gathered = Bundle::of_source(&open, &mut of_r3, &mut |_| {});
    assert!(matches!(gathered, Err(GatherError::Unsigned(at)) if at == seq));
    log.checkpoint(at()).unwrap();
    assert!(Bundle::of_log(&reader, &[seq]).unwrap().prove(None).is_ok());
    let before = reader.checkpoints(Seq(1), 100).unwrap().len();
    log.checkpoint(at()).unwrap();
    assert_eq!(reader.checkpoints(Seq(1), 100).unwrap().len(), before, "nothing new, nothing signed");
}

fn checks(bundle: &Bundle) -> Vec<&'static str> {
    bundle.prove(None).unwrap_err().iter().map(|complaint| complaint.check).collect()
}

#[test]
fn every_change_of_an_item_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let good = gathered(&log(&dir.path().join("log.redb"), 400));
    let changed = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        bundle
    };
    assert_eq!(checks(&changed(&|b| b.events[5].seq = Seq(9_999))), ["frame"]);
    assert_eq!(checks(&changed(&|b| b.events[5].leaf += 1)), ["frame"]);
    assert_eq!(checks(&changed(&|b| b.events[5].kind = "PlanApproved".into())), ["frame"]);
    assert_eq!(checks(&changed(&|b| b.events[5].frame = "AAAA".into())), ["frame"]);
    assert_eq!(checks(&changed(&|b| b.events[5].frame.push('A'))), ["frame"]);
    assert_eq!(checks(&changed(&|b| b.events[5].proof.clear())), ["proof"]);
    assert_eq!(checks(&changed(&|b| b.events[5].proof = "AAAA".into())), ["proof"]);
    assert_eq!(checks(&changed(&|b| b.events[5].proof = b.events[6].proof.clone())), ["proof"]);
    assert_eq!(checks(&changed(&|b| b.events.swap(5, 6))), ["order"]);
    assert_eq!(
        checks(&changed(&|b| {
            b.events.remove(0);
        })),
        ["order"]
    );
    assert_eq!(checks(&changed(&|b| b.events.clear())), ["order"]);
    let twice = changed(&|b| b.events.insert(5, good.events[5].clone()));
    assert_eq!(checks(&twice), ["order"]);
    assert_eq!(checks(&changed(&|b| b.checkpoint.clear())), ["checkpoint"]);
    assert_eq!(checks(&changed(&|b| b.checkpoint[1].push('0'))), vec!["proof"; good.events.len()]);
    let foreign = Signer::from_bytes([9; 32]);
    let complaints = good.prove(Some(&foreign.verifier())).unwrap_err();
    assert_eq!(complaints[0].check, "signature");
    let note = Note::parse(&text_of(&good.checkpoint)).unwrap();
    let resigned = changed(&|b| b.checkpoint = lines_of(&foreign.sign(&note.checkpoint)));
    assert_eq!(checks(&resigned), ["signature"], "the store names its own key");
    let mut other = note.checkpoint.clone();
    other.store_id = StoreId::from_u128(77);
    let renamed = changed(&|b| b.checkpoint = lines_of(&signer().sign(&other)));
    assert_eq!(checks(&renamed), ["checkpoint"]);
    let mut other = note.checkpoint;
    other.seq = Seq(20);
    let older = changed(&|b| b.checkpoint = lines_of(&signer().sign(&other)));
    assert!(checks(&older).iter().all(|check| *check == "order"));
}

#[test]
fn a_frame_with_a_right_checksum_and_another_body_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let good = gathered(&log(&dir.path().join("log.redb"), 400));
    let bytes = BASE64.decode(&good.events[5].frame).unwrap();
    let envelope = frame::read(&bytes).unwrap().0.envelope().unwrap();
    let mut forged = removed("r3", "somebody else did it");
    (forged.at, forged.actor) = (envelope.at, envelope.actor);
    let mut out = Vec::new();
    frame::write(&mut out, envelope.seq, envelope.leaf, &forged).unwrap();
    let mut bundle = good;
    bundle.events[5].frame = BASE64.encode(&out);
    assert_eq!(checks(&bundle), ["proof"]);
}
