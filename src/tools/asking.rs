//! What tools ask of routers besides whole menus: one record, a count, chosen properties, a command that only looks.

use events::operation::{Operation, Property};

use crate::{
    failure::{Code, Failure},
    routeros::{
        compat::Endpoint,
        port::{Ask, Priority, Reply, Row},
        resources::{self, Reading},
        value::Version,
    },
    tools::{
        catalog,
        context::{ANSWER_MARGIN, Router},
        dead_man,
        tool::ToolDef,
    },
};

/// The most records of one menu that are read for one answer: routers spend seconds on more.
pub(super) const RECORDS_MAX: u64 = 20_000;

/// In builds for tests, what a tool does must be among the endpoints that it declares; else the list of commands lies.
pub(super) fn declared(tool: &str, what: &str, covered: impl Fn(&Endpoint) -> bool) -> Result<(), Failure> {
    let sends =
        |def: &'static ToolDef| catalog::endpoints(def).chain(dead_man::USES).any(|one| covered(&one));
    if !cfg!(debug_assertions) || catalog::find(tool).is_none_or(sends) {
        return Ok(());
    }
    Err(Failure::new(Code::Bug, format!("{tool} does not declare {what}")))
}

/// [`declared`] for the operations of a change, with their undo.
pub(super) fn declared_writes(tool: &str, operations: &[Operation]) -> Result<(), Failure> {
    for operation in operations {
        for action in std::iter::once(&operation.action).chain(&operation.undo) {
            declared(tool, &format!("a write to {}", action.menu()), |endpoint| {
                endpoint.covers_action(action)
            })?;
        }
    }
    Ok(())
}

/// The question for a menu's records.
pub(super) fn print<R: Reading>(filters: &[(&str, &str)], version: Option<Version>) -> Ask {
    let wanted = |field: &&crate::routeros::compat::Field| version.is_none_or(|v| field.versions.contains(v));
    let picked = R::FIELDS.iter().filter(wanted).map(|field| field.name.to_owned());
    Ask::Print {
        menu: R::MENU.to_owned(),
        properties: if R::PICKS { picked.collect() } else { Vec::new() },
        filters: filters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

impl Router<'_> {
    /// The release that the router told last.
    fn version(&self) -> Option<Version> {
        let told = self.cx.view(|views| {
            views
                .state
                .devices
                .get(self.device_id)
                .map(|device| device.identification.routeros_version.clone())
        });
        told.as_deref().and_then(Version::parse)
    }

    /// A failure that says which releases have what this router lacks.
    pub(super) fn explain<R: Reading>(&self, failure: Failure) -> Failure {
        if failure.code != Code::DeviceUnsupported {
            return failure;
        }
        let (menu, presence) = (R::MENU, R::PRESENCE);
        let needs = if presence.note.is_empty() { String::new() } else { format!(" with {}", presence.note) };
        let has = self.version().map_or_else(String::new, |version| format!("; this router told {version}"));
        let said = format!("this router does not have {menu}: it is in {}{needs}{has}", presence.versions);
        let explained = Failure::new(Code::DeviceUnsupported, said).device(self.device_id);
        match failure.details {
            Some(details) => explained.details(details),
            None => explained,
        }
    }

    /// The records of a menu that match.
    ///
    /// # Errors
    /// As the router's error says; `device_unsupported` names the releases that have the menu.
    pub(super) async fn records<R: Reading>(&self, filters: &[(&str, &str)]) -> Result<Vec<R>, Failure> {
        let reply = self.ask(print::<R>(filters, self.version())).await.map_err(|f| self.explain::<R>(f))?;
        R::all(&reply).map_err(|error| error.into_failure(self.device_id))
    }

    /// The records of a menu that some routers do not have: absent means none.
    ///
    /// # Errors
    /// As the router's error says, unless it says that the menu is absent.
    pub(super) async fn records_if_any<R: Reading>(&self) -> Result<Vec<R>, Failure> {
        debug_assert!(R::PRESENCE.absent_means_none, "{} is on every router", R::MENU);
        match self.records(&[]).await {
            Err(failure) if failure.code == Code::DeviceUnsupported => Ok(Vec::new()),
            read => read,
        }
    }

    /// How many records of a menu match.
    ///
    /// # Errors
    /// As the router's error says; `device_garbled` when the answer is no number.
    pub(super) async fn count<R: Reading>(&self, query: Option<&str>) -> Result<u64, Failure> {
        let query = query.map(|word| (".query".to_owned(), word.to_owned()));
        let arguments = std::iter::once(("count-only".to_owned(), String::new())).chain(query).collect();
        let ask = Ask::Command { menu: R::MENU.to_owned(), command: "print".to_owned(), arguments };
        let reply = self.ask(ask).await.map_err(|f| self.explain::<R>(f))?;
        reply.ret.as_deref().and_then(crate::routeros::value::whole).ok_or_else(|| {
            Failure::new(Code::DeviceGarbled, "this router's answer to a count is no number")
                .device(self.device_id)
        })
    }

    /// The records of a large menu that match, counted before they are read.
    ///
    /// # Errors
    /// As [`Router::records`]; `too_many_records` when there are more than [`RECORDS_MAX`], with a way to ask for fewer.
    pub(super) async fn counted<R: Reading>(
        &self,
        filter: Option<(&str, &str)>,
        fewer: &'static str,
    ) -> Result<Vec<R>, Failure> {
        let query = filter.map(|(name, value)| format!("{name}={value}"));
        let count = self.count::<R>(query.as_deref()).await?;
        match count {
            0 => Ok(Vec::new()),
            1..=RECORDS_MAX => self.records(filter.as_slice()).await,
            _ => Err(Failure::new(
                Code::TooManyRecords,
                format!("this router has {count} records there; at most {RECORDS_MAX} are read at once"),
            )
            .hint(fewer)
            .details(serde_json::json!({ "records": count, "limit": RECORDS_MAX }))
            .device(self.device_id)),
        }
    }

    /// One record, by its id; `lister` says where ids come from.
    ///
    /// # Errors
    /// `not_found` when there is no such record; else as the router's error says.
    pub(super) async fn record<R: Reading>(&self, id: &str, lister: &'static str) -> Result<R, Failure> {
        R::read(&self.row::<R>(id, lister).await?).map_err(|error| error.into_failure(self.device_id))
    }

    /// One record exactly as the router has it: for changes, never for showing.
    ///
    /// # Errors
    /// As [`Router::record`].
    pub(super) async fn row<R: Reading>(&self, id: &str, lister: &'static str) -> Result<Row, Failure> {
        let ask = Ask::Record { menu: R::MENU.to_owned(), id: id.to_owned() };
        let reply = self.ask(ask).await.map_err(|failure| {
            let words =
                failure.details.as_ref().and_then(|details| details["routeros"].as_str()).unwrap_or_default();
            let gone =
                words.is_empty() || ["Not Found", "no such item"].iter().any(|text| words.contains(text));
            if failure.code != Code::DeviceUnsupported || !gone {
                return self.explain::<R>(failure);
            }
            Failure::new(Code::NotFound, format!("there is no `{id}` in {}", R::MENU))
                .hint(lister)
                .device(self.device_id)
        })?;
        R::one(&reply).map_err(|error| error.into_failure(self.device_id))?;
        let row = reply.rows.into_iter().next().unwrap_or_default();
        self.has_plain_id(&row)?;
        Ok(row)
    }

    /// The records by which the changes of other tools are read back: they declared the menu when they wrote there.
    ///
    /// # Errors
    /// As the router's error says; `device_garbled` when a record is not of this menu.
    pub(super) async fn read_back(&self, menu: &str, filters: Vec<Property>) -> Result<Vec<Row>, Failure> {
        let ask = Ask::Print { menu: menu.to_owned(), properties: Vec::new(), filters };
        let within = self.cx.time_left().saturating_sub(ANSWER_MARGIN);
        let reading = self.cx.shared.reader.read(self.device_id, ask, Priority::Tool, within);
        let rows = tokio::select! {
            read = reading => read.map_err(|error| error.into_failure(self.device_id))?.rows,
            () = self.cx.cancel.cancelled() => {
                return Err(Failure::new(Code::Cancelled, "the call was taken back"));
            }
        };
        if rows.iter().any(|row| !resources::looks_right(menu, row)) {
            return Err(Failure::new(
                Code::DeviceGarbled,
                "a record of this router is not of the menu asked for",
            )
            .device(self.device_id));
        }
        rows.iter().try_for_each(|row| self.has_plain_id(row))?;
        Ok(rows)
    }

    /// A command that only looks. `R`'s menu is the command's path.
    ///
    /// # Errors
    /// As the router's error says.
    pub(super) async fn look<R: Reading>(&self, arguments: Vec<(String, String)>) -> Result<Vec<R>, Failure> {
        let (menu, command) = R::MENU.rsplit_once('/').unwrap_or(("", R::MENU));
        let ask = Ask::Command { menu: menu.to_owned(), command: command.to_owned(), arguments };
        let reply: Reply = self.ask(ask).await.map_err(|f| self.explain::<R>(f))?;
        R::all(&reply).map_err(|error| error.into_failure(self.device_id))
    }
}
