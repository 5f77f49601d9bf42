//! Measures how much goes through a router's interfaces now.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    failure::{Code, Failure},
    routeros::{
        compat::Endpoint,
        resources::{interface::Interface, monitor_traffic::Traffic},
        text::Untrusted,
    },
    tools::{
        context::Cx,
        listing::{End, Limit, window},
        params::{DeviceRef, List, Text},
        tool::{Spec, Targets, Tool},
    },
};

/// Interfaces of one command: the list travels in one value.
const AT_ONCE: usize = 100;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Its id or name.
    device_id: DeviceRef,
    /// Default all.
    interface_names: Option<List<Text<1, 128>, 1, 500>>,
    #[serde(default)]
    limit: Limit<500, 500>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Rates {
    /// Rates are null where the name holds a comma: RouterOS takes such a name for two.
    name: Untrusted,
    rx_bits_per_second: Option<u64>,
    tx_bits_per_second: Option<u64>,
    rx_packets_per_second: Option<u64>,
    tx_packets_per_second: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    stats: Vec<Rates>,
    #[serde(flatten)]
    end: End,
}

pub struct GetInterfaceStats;

impl Tool for GetInterfaceStats {
    const SPEC: Spec = Spec::read(
        "get_interface_stats",
        "Interface rates",
        "Measures bits and packets per second of interfaces, now (not counters since boot).",
    );
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] =
        &[Endpoint::print::<Interface>(), Endpoint::command::<Traffic>(&["interface", "once"])];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let window = window(params.limit.0, params.cursor.as_deref())?;
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let known: Vec<String> = router
            .records::<Interface>(&[])
            .await?
            .into_iter()
            .map(|it| it.raw_name.as_sent().to_owned())
            .collect();
        let wanted = match params.interface_names {
            None => known,
            Some(List(names)) => chosen(names, &known)?,
        };
        let (names, end) = window.cut(wanted, |name| name);
        let mut stats = Vec::new();
        // A list of names is told apart by its commas: a name that holds one cannot be asked for.
        let (unaskable, names): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|name| name.contains(','));
        for some in names.chunks(AT_ONCE) {
            let arguments = [("interface", some.join(",")), ("once", String::new())];
            let arguments = arguments.map(|(name, value)| (name.to_owned(), value)).to_vec();
            stats.extend(router.look::<Traffic>(arguments).await?.into_iter().map(|traffic| Rates {
                name: traffic.name,
                rx_bits_per_second: traffic.rx_bits_per_second,
                tx_bits_per_second: traffic.tx_bits_per_second,
                rx_packets_per_second: traffic.rx_packets_per_second,
                tx_packets_per_second: traffic.tx_packets_per_second,
            }));
        }
        stats.extend(unaskable.iter().map(|name| Rates {
            name: Untrusted::new(name),
            rx_bits_per_second: None,
            tx_bits_per_second: None,
            rx_packets_per_second: None,
            tx_packets_per_second: None,
        }));
        Ok(Answer { stats, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} interfaces measured", answer.stats.len())
    }
}

/// The names asked for, each once; the router would refuse all for one that it does not know.
fn chosen(names: Vec<Text<1, 128>>, known: &[String]) -> Result<Vec<String>, Failure> {
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    let mut seen = BTreeSet::new();
    let mut wanted = Vec::new();
    for Text(name) in names {
        if !known.contains(name.as_str()) {
            return Err(Failure::new(
                Code::NotFound,
                format!("`interface_names`: this router has no `{name}`"),
            )
            .hint("list_interfaces shows the names")
            .details(serde_json::json!({ "field": "interface_names" })));
        }
        if seen.insert(name.clone()) {
            wanted.push(name);
        }
    }
    Ok(wanted)
}
