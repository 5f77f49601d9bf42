//! Typed readings, one file a menu.
//!
//! A reading declares its menu, the releases that have it, and every property it reads. From that one declaration come
//! the parse, the list of properties asked for, the check that an answer is of this menu (right after boot RouterOS may
//! answer with another menu's rows), and the list of commands in [`crate::routeros::compat`].

mod record;

pub mod address_list;
pub mod arp;
pub mod bridge;
pub mod bridge_host;
pub mod bridge_port;
pub mod bridge_vlan;
pub mod capsman;
pub mod clock;
pub mod device_mode;
pub mod dhcp_lease;
pub mod dhcp_network;
pub mod dhcp_server;
pub mod dns;
pub mod dns_cache;
pub mod firewall_filter;
pub mod firewall_nat;
pub mod health;
pub mod identity;
pub mod interface;
pub mod ip_address;
pub mod ip_pool;
pub mod list_member;
pub mod log;
pub mod logging;
pub mod monitor_traffic;
pub mod ntp_client;
pub mod package;
pub mod pool_users;
pub mod route;
pub mod routerboard;
pub mod scheduler;
pub mod script_job;
pub mod system_resource;
pub mod user;
pub mod user_active;
pub mod user_group;
pub mod vlan;
pub mod wifi;
pub mod wireless;

use crate::routeros::{
    compat::{Field, Presence},
    error::{Garble, RouterError},
    port::{Reply, Row},
};

pub use record::Record;
pub(crate) use record::{flag, number, reading, text};

/// One record of a menu, with types.
pub trait Reading: Sized {
    /// The menu, or the full path of the command that answers with such records.
    const MENU: &'static str;
    /// Every property that is read. An answer without the required ones belongs to another menu.
    const FIELDS: &'static [Field];
    /// Where the menu is found.
    const PRESENCE: Presence = Presence::ALWAYS;
    /// Only the declared properties are asked for: the menu can be large, or its records can hold secrets.
    const PICKS: bool = false;

    /// From a record that has the required properties.
    fn from_row(row: &Record<'_>) -> Self;

    /// From a record.
    ///
    /// # Errors
    /// `Garbled` when a required property is missing.
    fn read(row: &Row) -> Result<Self, RouterError> {
        match Self::FIELDS.iter().find(|field| field.required && !row.contains_key(field.name)) {
            None => Ok(Self::from_row(&Record::new(row, Self::FIELDS))),
            Some(field) => Err(Garble::Without { menu: Self::MENU, property: field.name }.into()),
        }
    }

    /// The only record of a menu without records.
    ///
    /// # Errors
    /// `Garbled` when there is none or it lacks a required key.
    fn one(reply: &Reply) -> Result<Self, RouterError> {
        let row = reply.rows.first();
        row.map_or_else(|| Err(Garble::Empty.into()), Self::read)
    }

    /// Every record.
    ///
    /// # Errors
    /// `Garbled` when one lacks a required key.
    fn all(reply: &Reply) -> Result<Vec<Self>, RouterError> {
        reply.rows.iter().map(Self::read).collect()
    }
}

/// A reading without its type.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its menu.
    pub menu: &'static str,
    /// What it reads.
    pub fields: &'static [Field],
    /// Only the declared properties are asked for.
    pub picks: bool,
    /// Reads a record and forgets it.
    pub try_read: fn(&Record<'_>),
}

impl Kind {
    const fn of<R: Reading>() -> Self {
        Self { menu: R::MENU, fields: R::FIELDS, picks: R::PICKS, try_read: |row| drop(R::from_row(row)) }
    }
}

/// Every reading.
pub const ALL: &[Kind] = &[
    Kind::of::<address_list::AddressListEntry>(),
    Kind::of::<arp::ArpEntry>(),
    Kind::of::<bridge::Bridge>(),
    Kind::of::<bridge_host::BridgeHost>(),
    Kind::of::<bridge_port::BridgePort>(),
    Kind::of::<bridge_vlan::BridgeVlan>(),
    Kind::of::<capsman::OldCap>(),
    Kind::of::<capsman::OldCapClient>(),
    Kind::of::<capsman::OldCapRadio>(),
    Kind::of::<capsman::Wave2Cap>(),
    Kind::of::<capsman::WifiCap>(),
    Kind::of::<clock::Clock>(),
    Kind::of::<device_mode::DeviceMode>(),
    Kind::of::<dhcp_lease::DhcpLease>(),
    Kind::of::<dhcp_network::DhcpNetwork>(),
    Kind::of::<dhcp_server::DhcpServer>(),
    Kind::of::<dns::DnsSettings>(),
    Kind::of::<dns_cache::CachedName>(),
    Kind::of::<firewall_filter::FilterRule>(),
    Kind::of::<firewall_nat::NatRule>(),
    Kind::of::<health::Sensor>(),
    Kind::of::<identity::Identity>(),
    Kind::of::<interface::Interface>(),
    Kind::of::<ip_address::IpAddress>(),
    Kind::of::<ip_pool::IpPool>(),
    Kind::of::<list_member::ListMember>(),
    Kind::of::<log::LogLine>(),
    Kind::of::<logging::LoggingRule>(),
    Kind::of::<monitor_traffic::Traffic>(),
    Kind::of::<ntp_client::NtpClient>(),
    Kind::of::<ntp_client::NtpServer>(),
    Kind::of::<package::Package>(),
    Kind::of::<pool_users::DhcpMatcher>(),
    Kind::of::<pool_users::Hotspot>(),
    Kind::of::<pool_users::HotspotUserProfile>(),
    Kind::of::<pool_users::IpsecModeConfig>(),
    Kind::of::<pool_users::UsedAddress>(),
    Kind::of::<route::Route>(),
    Kind::of::<routerboard::Routerboard>(),
    Kind::of::<scheduler::Scheduler>(),
    Kind::of::<script_job::ScriptJob>(),
    Kind::of::<system_resource::SystemResource>(),
    Kind::of::<user::RouterUser>(),
    Kind::of::<user_active::ActiveUser>(),
    Kind::of::<user_group::UserGroup>(),
    Kind::of::<vlan::Vlan>(),
    Kind::of::<wifi::Wifi>(),
    Kind::of::<wifi::WifiChannel>(),
    Kind::of::<wifi::WifiClient>(),
    Kind::of::<wifi::WifiConfiguration>(),
    Kind::of::<wifi::Wave2>(),
    Kind::of::<wifi::Wave2Channel>(),
    Kind::of::<wifi::Wave2Client>(),
    Kind::of::<wifi::Wave2Configuration>(),
    Kind::of::<wifi::Wave2Security>(),
    Kind::of::<wifi::WifiSecurity>(),
    Kind::of::<wireless::Wireless>(),
    Kind::of::<wireless::WirelessClient>(),
    Kind::of::<wireless::WirelessSecurity>(),
];

/// True when a record can be one of this menu. Menus that no reading knows are believed.
#[must_use]
pub fn looks_right(menu: &str, row: &Row) -> bool {
    let fields = ALL.iter().find(|kind| kind.menu == menu).map_or(&[][..], |kind| kind.fields);
    fields.iter().filter(|field| field.required).all(|field| row.contains_key(field.name))
}

#[cfg(test)]
mod tests;
