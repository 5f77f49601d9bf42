//! `/ip/firewall/nat`: rules in order. A matcher that is unset is absent.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One rule.
    NatRule in "/ip/firewall/nat", PICKS = true;
    /// RouterOS's id; says nothing about the position.
    id: Untrusted = untrusted must ".id";
    /// Chain.
    chain: Untrusted = untrusted must "chain";
    /// Action; unset means `accept`.
    action: Option<Untrusted> = some may "action";
    /// New address.
    to_addresses: Option<Untrusted> = some may "to-addresses";
    /// New ports.
    to_ports: Option<Untrusted> = some may "to-ports";
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
    /// Matches the kind of source.
    src_address_type: Option<Untrusted> = some may "src-address-type";
    /// Matches the kind of destination.
    dst_address_type: Option<Untrusted> = some may "dst-address-type";
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
