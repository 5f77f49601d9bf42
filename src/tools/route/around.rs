//! What a change of a route must know of its router, read without reading a routing table whole.

use crate::{
    changes::{
        guard::Way,
        guard_route::{Paths, destinations, query},
    },
    domain::device::Device,
    failure::Failure,
    routeros::{
        compat::Endpoint,
        port::{Ask, Row},
        resources::{Reading as _, ip_address::IpAddress, route::Route, user_active::ActiveUser},
    },
    tools::{context::Router, topic::WAY},
};

/// What is asked for it.
pub(in crate::tools) const AROUND: [Endpoint; 3] = [Endpoint::query::<Route>(), WAY[0], WAY[1]];

/// Our own way, the router's addresses, and the routes to the destinations in question and to us.
pub(in crate::tools) struct Around {
    way: Way,
    addresses: Vec<Row>,
    routes: Vec<Row>,
}

impl Around {
    /// Reads it. A table of any size is asked one question: it answers with the routes to `wanted`, and with those whose
    /// destination contains our own address, 33 destinations at most.
    ///
    /// # Errors
    /// As the router's error says; `device_garbled` when a record is not of its menu.
    pub(in crate::tools) async fn read(
        router: &Router<'_>,
        device: &Device,
        wanted: &[String],
    ) -> Result<Self, Failure> {
        let active = router.rows::<ActiveUser>(&[]).await?;
        let addresses = router.rows::<IpAddress>(&[]).await?;
        let settings = &device.settings;
        let way = Way::of(settings.management_ip, settings.management_port, &active, &addresses);
        router.saw_way(&way);
        let mut asked = wanted.to_vec();
        asked.extend(destinations(&way).into_iter().filter(|one| !wanted.contains(one)));
        let words = query(&asked).into_iter().map(|word| (".query".to_owned(), word));
        let ask = Ask::Command {
            menu: Route::MENU.to_owned(),
            command: "print".to_owned(),
            arguments: words.collect(),
        };
        let reply = router.ask(ask).await.map_err(|failure| router.explain::<Route>(failure))?;
        Route::all(&reply).map_err(|error| error.into_failure(router.device_id))?;
        reply.rows.iter().try_for_each(|row| router.has_plain_id(row))?;
        Ok(Self { way, addresses, routes: reply.rows })
    }

    /// The route with an id, and what is around its destination and another.
    ///
    /// # Errors
    /// `not_found` when there is no such route; else as [`Around::read`].
    pub(super) async fn of_route(
        router: &Router<'_>,
        device: &Device,
        id: &str,
        other: Option<String>,
    ) -> Result<Self, Failure> {
        let row = router.row::<Route>(id, "get_routing_summary shows the ids").await?;
        let own = row.get("dst-address").cloned().unwrap_or_default();
        let wanted: Vec<String> =
            std::iter::once(own.clone()).chain(other.filter(|other| *other != own)).collect();
        Self::read(router, device, &wanted).await
    }

    /// Our own way, the router's addresses, and the routes that lead to us.
    pub(in crate::tools) fn parts(&self) -> (&Way, &[Row], &[Row]) {
        (&self.way, &self.addresses, &self.routes)
    }

    /// For the change.
    pub(super) fn paths(&self) -> Paths<'_> {
        Paths { way: &self.way, addresses: &self.addresses, routes: &self.routes }
    }
}
