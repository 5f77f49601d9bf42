//! What is read of a router before its bridges are changed.

use crate::{
    changes::{bridge_guard::Lan, guard::Way},
    domain::device::Device,
    failure::Failure,
    routeros::{
        compat::Endpoint,
        port::Row,
        resources::{
            Reading, arp::ArpEntry, bridge::Bridge, bridge_host::BridgeHost, bridge_port::BridgePort,
            bridge_vlan::BridgeVlan, interface::Interface, ip_address::IpAddress, user_active::ActiveUser,
            vlan::Vlan,
        },
    },
    tools::context::{Cx, Router},
};

/// Everything that [`lan`] asks.
pub(super) const READS: [Endpoint; 9] = [
    Endpoint::print::<Interface>(),
    Endpoint::print::<Bridge>(),
    Endpoint::print::<BridgePort>(),
    Endpoint::print::<BridgeVlan>(),
    Endpoint::print::<Vlan>(),
    Endpoint::print::<IpAddress>(),
    Endpoint::print::<ActiveUser>(),
    Endpoint::print::<ArpEntry>(),
    Endpoint::print::<BridgeHost>(),
];

/// A router's bridges and our own way to it. Of neighbours and hosts, of which there can be thousands, only ours are
/// asked for.
///
/// # Errors
/// As the router's error says.
pub(in crate::tools) async fn lan(cx: &Cx, device: &Device) -> Result<Lan, Failure> {
    let router = cx.router(&device.device_id);
    let active = router.rows::<ActiveUser>(&[]).await?;
    let addresses = router.rows::<IpAddress>(&[]).await?;
    let settings = &device.settings;
    let way = Way::of(settings.management_ip, settings.management_port, &active, &addresses);
    router.saw_way(&way);
    let from = way.from.iter().filter(|from| from.is_ipv4()).map(ToString::to_string);
    let neighbours = ours::<ArpEntry>(&router, "address", from).await?;
    let macs = neighbours.iter().filter_map(|row| row.get("mac-address").cloned());
    let hosts = ours::<BridgeHost>(&router, "mac-address", macs).await?;
    Ok(Lan {
        way,
        interfaces: router.rows::<Interface>(&[]).await?,
        bridges: router.rows::<Bridge>(&[]).await?,
        ports: router.rows::<BridgePort>(&[]).await?,
        entries: router.rows::<BridgeVlan>(&[]).await?,
        vlans: router.rows::<Vlan>(&[]).await?,
        addresses,
        neighbours,
        hosts,
    })
}

/// The records that have one of these values.
async fn ours<R: Reading>(
    router: &Router<'_>,
    property: &str,
    values: impl Iterator<Item = String>,
) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for value in values.take(OURS_MAX) {
        rows.extend(router.rows::<R>(&[(property, &value)]).await?);
    }
    Ok(rows)
}

/// Addresses that our requests may come from; where there are more, the rest counts as unknown.
const OURS_MAX: usize = 8;

/// What a tool sends that reads with [`lan`] and then writes.
pub(super) const fn with<const N: usize, const ALL: usize>(writes: [Endpoint; N]) -> [Endpoint; ALL] {
    assert!(ALL == READS.len() + N, "reads and writes");
    let mut all = [READS[0]; ALL];
    let mut n = 0;
    while n < ALL {
        all[n] = if n < READS.len() { READS[n] } else { writes[n - READS.len()] };
        n += 1;
    }
    all
}
