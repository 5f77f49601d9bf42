//! `/interface/monitor-traffic`: rates of interfaces, now. A command, not a menu.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// Rates of one interface.
    Traffic in "/interface/monitor-traffic";
    /// Interface.
    name: Untrusted = untrusted must "name";
    /// Received.
    rx_bits_per_second: Option<u64> = number may "rx-bits-per-second";
    /// Sent.
    tx_bits_per_second: Option<u64> = number may "tx-bits-per-second";
    /// Received.
    rx_packets_per_second: Option<u64> = number may "rx-packets-per-second";
    /// Sent.
    tx_packets_per_second: Option<u64> = number may "tx-packets-per-second";
}
