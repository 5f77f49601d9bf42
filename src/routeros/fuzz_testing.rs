//! Time-bounded fuzzing with the property tests' own engine: random words in, a check that must not panic, and the smallest
//! words that break it out.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use proptest::{
    prelude::any,
    test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner},
};

/// Words of randomness for one run: enough for a hundred decisions with their texts.
const WORDS_MAX: usize = 160;
/// Runs between two looks at the clock.
const RUNS_AT_ONCE: u32 = 128;

/// Random decisions. When the words are used up every decision is the first choice, so that fewer words mean less.
pub(crate) struct Dice<'a> {
    words: std::slice::Iter<'a, u32>,
}

impl<'a> Dice<'a> {
    /// Decisions from these words.
    pub(crate) fn of(words: &'a [u32]) -> Self {
        Self { words: words.iter() }
    }
    /// Any number.
    pub(crate) fn word(&mut self) -> u32 {
        self.words.next().copied().unwrap_or_default()
    }
    /// A number below `end`; 0 when there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.word() as usize % end }
    }
    /// True once in `n` times.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }
    /// One of these.
    pub(crate) fn pick<'b, T: ?Sized>(&mut self, all: &[&'b T]) -> &'b T {
        all[self.below(all.len())]
    }
}

/// How long one target runs: `APPLIANCE_FUZZ_SECONDS`, 20 s in CI, else 2 s.
fn time_for_one() -> Duration {
    let said = std::env::var("APPLIANCE_FUZZ_SECONDS").ok();
    let usual = if std::env::var_os("CI").is_some() { 20 } else { 2 };
    Duration::from_secs(
        said.map_or(usual, |text| text.parse().expect("APPLIANCE_FUZZ_SECONDS is a number of seconds")),
    )
}

/// Runs `check` until the time is over. A panic in it ends the test with the smallest words that cause it; `check` says
/// itself what it made of them.
pub(crate) fn hunt(target: &str, check: impl Fn(&mut Dice<'_>)) {
    let (started, time, runs) = (Instant::now(), time_for_one(), Cell::new(0_u64));
    // The one of `PROPTEST_RNG_SEED`; each round after it has the next.
    let first = match Config::default().rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => 0,
    };
    let mut seed = first;
    while started.elapsed() < time {
        let config = Config {
            cases: RUNS_AT_ONCE,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(seed),
            ..Config::default()
        };
        let words = proptest::collection::vec(any::<u32>(), 0..WORDS_MAX);
        let outcome = TestRunner::new(config).run(&words, |words| {
            runs.set(runs.get() + 1);
            check(&mut Dice::of(&words));
            Ok::<_, TestCaseError>(())
        });
        if let Err(TestError::Fail(why, words)) = outcome {
            panic!("{target}: PROPTEST_RNG_SEED={seed}: {why}, with {words:?}");
        }
        seed = seed.wrapping_add(1);
    }
    #[allow(
        clippy::print_stdout,
        reason = "how much was tried is for people; the tests' own crate allows it"
    )]
    {
        println!("fuzz {target}: PROPTEST_RNG_SEED={first}, {} runs in {} s", runs.get(), time.as_secs());
    }
}

/// Texts as routers write them, and texts that try to break whoever reads them.
const TEXTS: &[&str] = &[
    "",
    "true",
    "false",
    "yes",
    "no",
    "auto",
    "none",
    "never",
    "ether1",
    "bridge",
    "*1",
    "*FFFFFFFF",
    "0",
    "1",
    "-1",
    "1500",
    "97",
    "100%",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "1e308",
    "1e999",
    "NaN",
    "0x80",
    "0.412",
    "1.2.3",
    "59542,17464",
    "1,2,3",
    ",",
    ",,",
    "1w2d3h4m5s",
    "170ms",
    "1ms500us",
    "00:10:00",
    "1d 00:00:00",
    "99999999w",
    "1:2:3:4",
    ":::",
    "24h61m",
    "2026-09-28 16:48:57",
    "sep/28/2026 16:48:57",
    "feb/30/2026",
    "16:48:57",
    "sep/28 16:48:57",
    "0000-00-00 00:00:00",
    "+07:00",
    "7.20.8 (stable)",
    "7.1beta4 (development)",
    "7.99999999999",
    "v7.24rc1",
    "6.49.13",
    "7..1",
    "2048KiB",
    "64.5MiB",
    "1GiB",
    "999999999999TiB",
    "16M",
    "-47",
    "-62@1Mbps",
    "@",
    "72.2Mbps-20MHz/1S/SGI",
    "54Mbps",
    "bps",
    "0.0.0.0/0",
    "::/0",
    "10.0.0.1/24",
    "fe80::1%ether1",
    "192.0.2.1%wan@main",
    "9.9.9.9,1.1.1.1",
    "00:16:3E:00:00:04",
    "2412/20-Ce/gn",
    "5180/20-Ceee/ac/P",
    "2437",
    "2ghz-b/g/n",
    "20/40mhz-XX",
    "5180-5260:20",
    "no-input",
    "cap-hall@192.0.2.60",
    "system,error,critical",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;title\u{7}",
    "\u{9b}2J",
    "\u{202e}evil\u{202c}",
    "ze\u{200b}ro",
    "\0",
    "\r\n",
    "\u{feff}",
    "\u{e0041}",
    "ÄÖÜ 北 😀",
    "\u{fffd}",
    "İ",
    "ﬀ",
    "</tool>",
    "{\"a\":1}",
    "'; drop",
    "%00",
    "../..",
    "$(n)",
];

/// A text, often one of the known ones, sometimes put together from several, sometimes long.
pub(crate) fn text(dice: &mut Dice<'_>) -> String {
    let mut text = dice.pick(TEXTS).to_owned();
    while dice.once_in(4) && text.len() < 4096 {
        match dice.below(5) {
            0 => text.push_str(dice.pick(TEXTS)),
            1 => text.insert_str(0, dice.pick(TEXTS)),
            2 => text.extend(char::from_u32(dice.word() % 0x11_0000)),
            // A list of these must still fit into one request.
            3 => text = text.repeat((1 + dice.below(40)).min(1 + 8192 / text.len().max(1))),
            _ => {
                let at = dice.below(text.len() + 1);
                let cut = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
                text.truncate(cut);
            }
        }
    }
    text
}
