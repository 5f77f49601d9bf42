//! What is read of a router before a change of its pools is planned.

use crate::{
    changes::{dhcp::Tables, dhcp_remove::Users, guard::Way},
    domain::device::Device,
    failure::Failure,
    routeros::{
        compat::Endpoint,
        resources::{
            dhcp_lease::DhcpLease, dhcp_network::DhcpNetwork, dhcp_server::DhcpServer, ip_address::IpAddress,
            ip_pool::IpPool, user_active::ActiveUser,
        },
    },
    tools::context::Router,
};

/// What [`tables`] asks.
pub(super) const TABLES: [Endpoint; 5] = [
    Endpoint::print::<IpPool>(),
    Endpoint::print::<DhcpNetwork>(),
    Endpoint::print::<DhcpServer>(),
    Endpoint::print::<IpAddress>(),
    Endpoint::print::<ActiveUser>(),
];

/// What [`leases`] asks.
pub(super) const LEASES: [Endpoint; 2] = [Endpoint::count::<DhcpLease>(), Endpoint::print::<DhcpLease>()];

/// The tables that every change of a pool looks at.
///
/// # Errors
/// As the router's error says.
pub(super) async fn tables(router: &Router<'_>, device: &Device) -> Result<Tables, Failure> {
    let addresses = router.rows::<IpAddress>(&[]).await?;
    let active = router.rows::<ActiveUser>(&[]).await?;
    let settings = &device.settings;
    let way = Way::of(settings.management_ip, settings.management_port, &active, &addresses);
    router.saw_way(&way);
    Ok(Tables {
        pools: router.rows::<IpPool>(&[]).await?,
        networks: router.rows::<DhcpNetwork>(&[]).await?,
        servers: router.rows::<DhcpServer>(&[]).await?,
        way,
        addresses,
    })
}

/// The leases, counted before they are read.
///
/// # Errors
/// As the router's error says; `overloaded` when there are too many to read.
pub(super) async fn leases(router: &Router<'_>) -> Result<Vec<DhcpLease>, Failure> {
    router
        .counted::<DhcpLease>(
            None,
            "change the pool on the router: so many leases are not looked through here",
        )
        .await
}

/// What can use a pool besides pools and servers; a menu that the router does not have has no users.
///
/// # Errors
/// As [`leases`].
pub(super) async fn users(router: &Router<'_>) -> Result<Users, Failure> {
    Ok(Users {
        leases: leases(router).await?,
        matchers: router.records_if_any().await?,
        hotspots: router.records_if_any().await?,
        hotspot_profiles: router.records_if_any().await?,
        mode_configs: router.records_if_any().await?,
        used: router.records_if_any().await?,
    })
}
