//! Reads a router's Wi-Fi for a change of it.

use crate::{
    changes::wireless::{
        air::{Air, Shelf},
        stacks::{self, Stack as Words},
    },
    failure::{Code, Failure},
    routeros::{
        compat::Endpoint,
        port::Row,
        resources::{
            Reading,
            bridge_port::BridgePort,
            vlan::Vlan,
            wifi::{
                Wave2, Wave2Channel, Wave2Configuration, Wave2Security, Wifi, WifiChannel, WifiConfiguration,
                WifiSecurity,
            },
            wireless::{Wireless, WirelessSecurity},
        },
    },
    tools::{
        asking::print,
        context::Router,
        wireless::radio::{CLIENT_ENDPOINTS, RADIO_ENDPOINTS, Stack, clients},
    },
};

/// What reading it sends.
pub(super) const AIR: [Endpoint; 15] = [
    RADIO_ENDPOINTS[0],
    RADIO_ENDPOINTS[1],
    RADIO_ENDPOINTS[2],
    RADIO_ENDPOINTS[3],
    RADIO_ENDPOINTS[4],
    RADIO_ENDPOINTS[5],
    RADIO_ENDPOINTS[6],
    CLIENT_ENDPOINTS[0],
    CLIENT_ENDPOINTS[1],
    CLIENT_ENDPOINTS[2],
    Endpoint::print::<WirelessSecurity>(),
    Endpoint::print::<Wave2Security>(),
    Endpoint::print::<WifiSecurity>(),
    Endpoint::print::<BridgePort>(),
    Endpoint::print::<Vlan>(),
];

/// Several lists of commands as one.
pub(super) const fn joined<const N: usize>(lists: &[&[Endpoint]]) -> [Endpoint; N] {
    let mut all = [AIR[0]; N];
    let (mut list, mut next) = (0, 0);
    while list < lists.len() {
        let mut at = 0;
        while at < lists[list].len() {
            all[next] = lists[list][at];
            at += 1;
            next += 1;
        }
        list += 1;
    }
    assert!(next == N, "as many as there are");
    all
}

/// A menu that some routers do not have.
async fn rows_if_any<R: Reading>(router: &Router<'_>) -> Result<Vec<Row>, Failure> {
    none_if_absent(router.rows::<R>(&[]).await)
}

fn none_if_absent(read: Result<Vec<Row>, Failure>) -> Result<Vec<Row>, Failure> {
    match read {
        Err(failure) if failure.code == Code::DeviceUnsupported => Ok(Vec::new()),
        read => read,
    }
}

/// The declared properties of a menu's records, and no more: its records can hold secrets.
pub(super) async fn picked<R: Reading>(
    router: &Router<'_>,
    filters: &[(&str, &str)],
) -> Result<Vec<Row>, Failure> {
    debug_assert!(R::PICKS, "{} is read whole", R::MENU);
    let read = router.ask(print::<R>(filters, None)).await.map(|reply| reply.rows);
    none_if_absent(read.map_err(|failure| router.explain::<R>(failure)))
}

/// The interfaces of all stacks, their profiles and clients, and what their bridges and VLANs are.
///
/// # Errors
/// As the router's error says; `device_unsupported` where there is no Wi-Fi.
pub(super) async fn air(router: &Router<'_>) -> Result<Air, Failure> {
    let mut shelves = Vec::new();
    let older = rows_if_any::<Wireless>(router).await?;
    if !older.is_empty() {
        let mut shelf = Shelf::new(&stacks::WIRELESS, older);
        shelf.securities = picked::<WirelessSecurity>(router, &[]).await?;
        shelves.push(shelf);
    }
    let wave2 = rows_if_any::<Wave2>(router).await?;
    if !wave2.is_empty() {
        let mut shelf = Shelf::new(&stacks::WAVE2, wave2);
        shelf.configurations = picked::<Wave2Configuration>(router, &[]).await?;
        shelf.channels = picked::<Wave2Channel>(router, &[]).await?;
        shelf.securities = picked::<Wave2Security>(router, &[]).await?;
        shelves.push(shelf);
    }
    let wifi = rows_if_any::<Wifi>(router).await?;
    if !wifi.is_empty() {
        let mut shelf = Shelf::new(&stacks::WIFI, wifi);
        shelf.configurations = picked::<WifiConfiguration>(router, &[]).await?;
        shelf.channels = picked::<WifiChannel>(router, &[]).await?;
        shelf.securities = picked::<WifiSecurity>(router, &[]).await?;
        shelves.push(shelf);
    }
    if shelves.is_empty() {
        return Err(Failure::new(
            Code::DeviceUnsupported,
            "this router has no Wi-Fi interface: /interface/wireless needs package wireless, /interface/wifi RouterOS 7.13 with a wifi package",
        ));
    }
    for client in clients(router).await? {
        let its = shelves.iter_mut().find(|shelf| shelf.stack.menu.path == words(client.stack).menu.path);
        if let Some(shelf) = its {
            *shelf.clients.entry(client.interface.expose().to_owned()).or_default() += 1;
        }
    }
    Ok(Air { shelves, ports: router.rows::<BridgePort>(&[]).await?, vlans: router.rows::<Vlan>(&[]).await? })
}

const fn words(stack: Stack) -> &'static Words {
    match stack {
        Stack::Wireless => &stacks::WIRELESS,
        Stack::Wifiwave2 => &stacks::WAVE2,
        Stack::Wifi => &stacks::WIFI,
    }
}

/// The names of records.
pub(super) fn names(rows: &[Row]) -> Vec<String> {
    rows.iter().filter_map(|row| row.get("name").cloned()).collect()
}

/// Empty means not given.
pub(super) fn given(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}
