//! Whatever a client sends, a box answers: no reader of foreign text may panic.

use proptest::prelude::*;

use crate::profile::Profile;
use crate::rest::route::{decode, pairs, resolve};
use crate::spec::Catalogue;
use crate::{body, forms, values};

proptest! {
    #[test]
    fn bodies(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[{}\\[\\]\":,\\\\a-f0-9 ux.]{0,80}") {
        body::read(&bytes);
        body::read(text.as_bytes());
    }

    #[test]
    fn what_json_says_is_what_we_read(value in "\\PC{0,40}") {
        let text = serde_json::json!({ "a": value }).to_string();
        let read = body::read(text.as_bytes()).expect("valid JSON");
        prop_assert_eq!(read.args, vec![("a".to_owned(), value)]);
    }

    #[test]
    fn paths(path in "(/|%|\\*|2A|[a-z]|é|\\PC){0,40}") {
        decode(&path);
        pairs(&path);
        for profile in Profile::ALL {
            drop(resolve(Catalogue::of(profile), &path));
        }
    }

    #[test]
    fn times_and_networks(text in "([0-9]|[wdhmsu]|:|/|\\.| |é){0,30}") {
        values::parse_time(&text);
        values::network_of(&text);
        values::contains(&text, &text);
    }

    #[test]
    fn what_is_kept_is_kept_again(
        form in proptest::sample::select(vec![
            "address", "net", "match", "entry", "gateway", "ranges", "ports", "protocol", "hex", "mac", "mhz",
            "mhz-list", "mtu", "horizon", "prefixes", "hosts", "time", "psk", "ssid",
        ]),
        text in "(!|[0-9]{1,5}|\\.|/|-|,|:|%|@|0x|[a-z]{1,4}|10\\.1\\.2\\.3|é|\\PC){0,12}",
    ) {
        // What reads back must be taken when it is written again, or nothing could ever be restored.
        if let Some(kept) = forms::shaped(form, &text) {
            prop_assert_eq!(forms::shaped(form, &kept), Some(kept.clone()), "{}", kept);
        }
    }

    #[test]
    fn shown_times_read_back(micros in 0u64..10_000_000_000_000) {
        let time = std::time::Duration::from_micros(micros);
        prop_assert_eq!(values::parse_time(&values::show_time(time)), Some(time));
    }
}
