//! `/ip/firewall/filter`: rules in order. A matcher that is unset is absent.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One rule.
    FilterRule in "/ip/firewall/filter", PICKS = true;
    /// RouterOS's id; says nothing about the position.
    id: Untrusted = untrusted must ".id";
    /// Chain.
    chain: Untrusted = untrusted must "chain";
    /// Action; unset means `accept`.
    action: Option<Untrusted> = some may "action";
    /// Chain that a `jump` goes to.
    jump_target: Option<Untrusted> = some may "jump-target";
    /// Matches the protocol.
    protocol: Option<Untrusted> = some may "protocol";
    /// Matches the source.
    src_address: Option<Untrusted> = some may "src-address";
    /// Matches the destination.
    dst_address: Option<Untrusted> = some may "dst-address";
    /// Matches a list of sources.
    src_address_list: Option<Untrusted> = some may "src-address-list";
    /// Matches a list of destinations.
    dst_address_list: Option<Untrusted> = some may "dst-address-list";
    /// Matches source ports.
    src_port: Option<Untrusted> = some may "src-port";
    /// Matches destination ports.
    dst_port: Option<Untrusted> = some may "dst-port";
    /// Matches the incoming interface.
    in_interface: Option<Untrusted> = some may "in-interface";
    /// Matches the outgoing interface.
    out_interface: Option<Untrusted> = some may "out-interface";
    /// Matches a list of incoming interfaces.
    in_interface_list: Option<Untrusted> = some may "in-interface-list";
    /// Matches a list of outgoing interfaces.
    out_interface_list: Option<Untrusted> = some may "out-interface-list";
    /// Matches states of the connection, comma-separated.
    connection_state: Option<Untrusted> = some may "connection-state";
    /// Put before what is logged.
    log_prefix: Option<Untrusted> = some may "log-prefix";
    /// Logs what it matches.
    log: bool = flag may "log";
    /// Bytes matched.
    bytes: Option<u64> = number may "bytes";
    /// Packets matched.
    packets: Option<u64> = number may "packets";
    /// Switched off.
    disabled: bool = flag may "disabled";
    /// Made by RouterOS itself.
    dynamic: bool = flag may "dynamic";
    /// Names something that is gone.
    invalid: bool = flag may "invalid";
    /// Comment, or empty.
    comment: Untrusted = untrusted may "comment";
}
