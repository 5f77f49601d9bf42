//! Whatever a box answers, reading it ends in records or in a typed error: never in a panic, never in words of the router
//! in a sentence of ours.

use std::time::Duration;

use events::ids::DeviceId;
use reqwest::StatusCode;

use super::{
    compat, figures,
    fuzz_testing::{Dice, hunt, text},
    json,
    port::{Reply, Row},
    resources::{
        ALL, Kind, Reading as _, Record, arp::ArpEntry, health, health::Sensor, log::LogLine, looks_right,
        system_resource::SystemResource, wireless::WirelessClient,
    },
    rest::meaning,
    value,
};

const STATUSES: [u16; 12] = [200, 201, 204, 400, 401, 403, 404, 406, 415, 500, 502, 503];

/// Pieces that break parsers.
const PIECES: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\u",
    b"\\ud800",
    b"\\udc00",
    b"\\u0000",
    b"\\x",
    b"null",
    b"true",
    b"1e999",
    b"-",
    b"0",
    b"123456789012345678901234567890",
    b"\x00",
    b"\x01",
    b"\x1b[31m",
    b"\xff\xfe",
    b"\xc3",
    b"\xe2\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"<!DOCTYPE html>",
    b"{\"ret\":",
    b"\"detail\":",
    b"[[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":",
];

/// A record that has most of what its menu declares.
fn row(dice: &mut Dice<'_>, kind: &Kind) -> Row {
    let mut row = Row::new();
    for field in kind.fields {
        if field.required || !dice.once_in(4) {
            row.insert(field.name.to_owned(), text(dice));
        }
    }
    if dice.once_in(8) {
        row.insert(text(dice), text(dice));
    }
    row
}

fn kind(dice: &mut Dice<'_>) -> &'static Kind {
    &ALL[dice.below(ALL.len())]
}

/// An answer as routers give them, before anything is broken in it.
fn answer(dice: &mut Dice<'_>) -> Vec<u8> {
    let kind = kind(dice);
    let value = |text: String, dice: &mut Dice<'_>| match dice.below(12) {
        0 => serde_json::json!(true),
        1 => serde_json::json!(dice.word()),
        2 => serde_json::json!(null),
        3 => serde_json::json!({ text.clone(): [text] }),
        _ => text.into(),
    };
    let mut rows = Vec::new();
    for _ in 0..=dice.below(3) {
        let row = row(dice, kind);
        rows.push(
            row.into_iter().map(|(key, text)| (key, value(text, dice))).collect::<serde_json::Map<_, _>>(),
        );
    }
    let sent = match dice.below(6) {
        0 => serde_json::json!({ "ret": text(dice) }),
        1 => serde_json::json!({ "error": dice.word(), "message": text(dice), "detail": text(dice) }),
        2 => rows.swap_remove(0).into(),
        3 => serde_json::json!([rows, 1, "x"]),
        _ => serde_json::json!(rows),
    };
    sent.to_string().into_bytes()
}

/// Breaks bytes a little.
fn broken(dice: &mut Dice<'_>, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..dice.below(5) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(16)).min(bytes.len());
        match dice.below(7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            3 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            4 => {
                let piece = dice.pick(PIECES).repeat(1 + dice.below(20));
                bytes.splice(at..at, piece);
            }
            5 => {
                let word = dice.word().to_le_bytes();
                bytes.splice(at..at, word);
            }
            _ => {
                let piece = dice.pick(PIECES);
                bytes.splice(at..end, piece.iter().copied());
            }
        }
    }
    bytes
}

/// Reads records as every menu's.
fn read_all(rows: &[Row]) {
    for kind in ALL {
        for row in rows {
            let right = looks_right(kind.menu, row);
            assert_eq!(
                right,
                kind.fields.iter().all(|field| !field.required || row.contains_key(field.name))
            );
            (kind.try_read)(&Record::new(row, kind.fields));
        }
    }
}

/// What readings work out from what they read.
fn worked_out(rows: Vec<Row>) {
    let reply = Reply { rows, ret: None, took: Duration::ZERO, tries: 1 };
    let today = chrono::NaiveDate::from_ymd_opt(2026, 10, 1).unwrap();
    for arp in ArpEntry::all(&reply).into_iter().flatten() {
        let _ = (arp.state(), arp.by_dhcp());
    }
    for line in LogLine::all(&reply).into_iter().flatten() {
        let _ = line.at(today);
    }
    for client in WirelessClient::all(&reply).into_iter().flatten() {
        let _ = client.authenticated();
    }
    if let Ok(sensors) = Sensor::all(&reply) {
        let _ = (health::hottest(&sensors), health::voltage(&sensors));
    }
    for resource in SystemResource::all(&reply).into_iter().flatten() {
        for percent in [resource.memory_percent(), resource.disk_percent()].into_iter().flatten() {
            assert!(percent.is_finite(), "{percent}");
        }
    }
}

#[test]
fn fuzz_answers() {
    let device: DeviceId = "r1".parse().unwrap();
    hunt("answers", |dice| {
        let whole = answer(dice);
        let bytes = broken(dice, whole);
        let status = STATUSES[dice.below(STATUSES.len())];
        if let Ok(body) = json::parse(&bytes) {
            assert!(body.ret.is_none() || body.rows.is_empty(), "{body:?}");
            assert!(body.rows.iter().all(|row| !row.is_empty()), "{body:?}");
        }
        match meaning(StatusCode::from_u16(status).unwrap(), dice.once_in(8), &bytes) {
            Ok(body) => {
                assert!((200..300).contains(&status));
                read_all(&body.rows);
                worked_out(body.rows);
            }
            Err(error) => {
                let failure = error.into_failure(&device);
                let said = format!("{} {}", failure.say, failure.hint.as_deref().unwrap_or_default());
                assert!(!said.contains(char::is_control) && said.len() < 400, "{said}");
                let words = failure.details.unwrap_or_default()["routeros"].to_string();
                assert!(!words.contains(['\u{1b}', '\u{202e}', '\u{200b}']) && words.len() < 8192, "{words}");
            }
        }
    });
}

#[test]
fn fuzz_readings() {
    hunt("readings", |dice| {
        let kind = kind(dice);
        let rows = vec![row(dice, kind)];
        (kind.try_read)(&Record::new(&rows[0], kind.fields));
        read_all(&rows);
        worked_out(rows);
        let text = text(dice);
        let _ = (value::boolean(&text), value::whole(&text), value::percent(&text), value::decimal(&text));
        let _ = (value::size(&text, 1 << 20), value::duration(&text), value::list(&text));
        let _ = (value::date_time(&text), value::date_only(&text), value::Version::parse(&text));
        let _ = (figures::pair(&text), figures::dbm(&text), figures::bits_per_second(&text));
        let _ = (value::clean(&text), compat::Versions::ALL);
    });
}
