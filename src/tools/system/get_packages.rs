//! What is installed on a router, and what could be.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::package::Package, text::Untrusted},
    tools::{
        context::Cx,
        listing::Origin,
        params::OneDevice,
        tool::{Spec, Tool},
    },
};

/// A package as told.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    name: Untrusted,
    installed: bool,
    available: bool,
    version: Untrusted,
    build_time: Untrusted,
    /// Bytes, where the release tells them.
    size: Option<u64>,
    disabled: bool,
    /// RouterOS's flags that are set: `disabled`, `available`.
    flags: Vec<&'static str>,
    /// What the next reboot will do, or empty.
    scheduled: Untrusted,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    packages: Vec<Listed>,
    total_count: usize,
    installed_count: usize,
    available_count: usize,
    #[serde(flatten)]
    origin: Origin,
}

pub struct GetSystemPackages;

impl Tool for GetSystemPackages {
    const SPEC: Spec = Spec::read(
        "get_system_packages",
        "System packages",
        "Packages of a router: installed, switched off, available.",
    );
    type Params = OneDevice;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::print::<Package>()];

    async fn run(cx: &Cx, params: OneDevice) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let packages: Vec<Listed> = cx
            .router(&device.device_id)
            .read_all::<Package>()
            .await?
            .into_iter()
            .map(|package| Listed {
                installed: package.is_installed(),
                available: package.available,
                name: package.name,
                version: package.version,
                build_time: package.build_time,
                size: package.size,
                disabled: package.disabled,
                flags: [(package.disabled, "disabled"), (package.available, "available")]
                    .into_iter()
                    .filter_map(|(set, flag)| set.then_some(flag))
                    .collect(),
                scheduled: package.scheduled,
            })
            .collect();
        Ok(Answer {
            total_count: packages.len(),
            installed_count: packages.iter().filter(|package| package.installed).count(),
            available_count: packages.iter().filter(|package| !package.installed).count(),
            packages,
            origin: Origin::REST,
        })
    }

    fn say(answer: &Answer) -> String {
        format!("{} packages installed, {} more available", answer.installed_count, answer.available_count)
    }
}
