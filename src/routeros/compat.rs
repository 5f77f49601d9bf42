//! Which RouterOS release has which menu and property, and which commands the product can send: as data.
//!
//! A reading declares its menu and fields once ([`crate::routeros::resources::Reading`]); what is asked for, what is
//! parsed and the list of commands all come from that declaration.

use std::fmt;

use events::operation::Action;

use crate::routeros::{port::Ask, resources::Reading, value::Version};

/// The oldest release with REST.
pub const OLDEST: Version = Version::new(7, 1, 0);

/// The releases that have something; both ends belong to it. Test builds count as the release that they lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// First release.
    pub since: Version,
    /// Last release; `None` while it is still there.
    pub until: Option<Version>,
}

impl Versions {
    /// Every release that has REST.
    pub const ALL: Self = Self { since: OLDEST, until: None };

    /// From a release on.
    #[must_use]
    pub const fn since(major: u16, minor: u16, patch: u16) -> Self {
        Self { since: Version::new(major, minor, patch), until: None }
    }

    /// Up to and with a release.
    #[must_use]
    pub const fn until(mut self, major: u16, minor: u16, patch: u16) -> Self {
        self.until = Some(Version::new(major, minor, patch));
        self
    }

    /// The releases that belong to both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let until = match (self.until, other.until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { since: self.since.max(other.since), until }
    }

    /// True when a release has it.
    #[must_use]
    pub fn contains(&self, version: Version) -> bool {
        let release = Version::new(version.major, version.minor, version.patch);
        release >= self.since && self.until.is_none_or(|until| release <= until)
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => write!(f, "RouterOS {} to {until}", self.since),
            None => write!(f, "RouterOS {} and newer", self.since),
        }
    }
}

/// One property of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// RouterOS's name for it.
    pub name: &'static str,
    /// Every record of the menu has it: one without it belongs to another menu.
    pub required: bool,
    /// The releases that have it.
    pub versions: Versions,
}

impl Field {
    /// A property that every record has.
    #[must_use]
    pub const fn must(name: &'static str) -> Self {
        Self { name, required: true, versions: Versions::ALL }
    }

    /// A property that is left out when it is unset, false or unknown.
    #[must_use]
    pub const fn may(name: &'static str) -> Self {
        Self { name, required: false, versions: Versions::ALL }
    }

    /// From a release on.
    #[must_use]
    pub const fn since(mut self, major: u16, minor: u16) -> Self {
        self.versions = Versions::since(major, minor, 0);
        self
    }

    /// Up to and with a release.
    #[must_use]
    pub const fn until(mut self, major: u16, minor: u16, patch: u16) -> Self {
        self.versions = self.versions.until(major, minor, patch);
        self
    }
}

/// Where a menu is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// The releases that can have it.
    pub versions: Versions,
    /// A router without the menu has no such records: absent means none.
    pub absent_means_none: bool,
    /// What it depends on besides the release, for people.
    pub note: &'static str,
    /// The package that brings it, and the first release in which it is no part of the base package.
    pub package: Option<(&'static str, Version)>,
    /// Only boards have it.
    pub hardware: bool,
}

impl Presence {
    /// On every router.
    pub const ALWAYS: Self =
        Self { versions: Versions::ALL, absent_means_none: false, note: "", package: None, hardware: false };
    /// Boards, not virtual routers.
    pub const HARDWARE: Self = Self { hardware: true, ..Self::optional(Versions::ALL, "hardware only") };
    /// Hotspots: in the base package until 7.13.
    pub const HOTSPOT: Self = Self {
        package: Some(("hotspot", Version::new(7, 13, 0))),
        ..Self::optional(Versions::ALL, "the hotspot package from 7.13")
    };
    /// The oldest Wi-Fi stack: in the base package until 7.13 (FACTS 2).
    pub const WIRELESS: Self = Self {
        package: Some(("wireless", Version::new(7, 13, 0))),
        ..Self::optional(Versions::ALL, "package wireless (in the base package to 7.12)")
    };
    /// The Wi-Fi stack between.
    pub const WIFIWAVE2: Self = Self {
        package: Some(("wifiwave2", OLDEST)),
        ..Self::optional(Versions::ALL.until(7, 12, 2), "package wifiwave2")
    };
    /// The newest Wi-Fi stack: its menus are in the base package; radios need a package, others' radios do not.
    pub const WIFI: Self = Self::optional(Versions::since(7, 13, 0), "a wifi package, or a wifi CAPsMAN");

    /// Only on some routers of these releases: absent means none.
    #[must_use]
    pub const fn optional(versions: Versions, note: &'static str) -> Self {
        Self { versions, absent_means_none: true, note, package: None, hardware: false }
    }
}

/// How a menu is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Print,
    Record,
    Count,
    Query,
    Command,
    SetSingleton,
    Add,
    Set,
    Remove,
}

/// One RouterOS command that the product can send.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    form: Form,
    /// Menu, or menu and command, such as `/ip/dns`, `/interface/monitor-traffic`.
    menu: &'static str,
    request: &'static [&'static str],
    /// Properties sent that only some releases have.
    conditional: &'static [Field],
    response: &'static [Field],
    presence: Presence,
}

/// The answer of `print` with `count-only`.
const RET: &[Field] = &[Field::must("ret")];

impl Endpoint {
    const fn reading<R: Reading>(form: Form) -> Self {
        Self {
            form,
            menu: R::MENU,
            request: &[],
            conditional: &[],
            response: R::FIELDS,
            presence: R::PRESENCE,
        }
    }

    /// `GET menu`.
    #[must_use]
    pub const fn print<R: Reading>() -> Self {
        Self::reading::<R>(Form::Print)
    }

    /// `GET menu/*id`.
    #[must_use]
    pub const fn record<R: Reading>() -> Self {
        Self::reading::<R>(Form::Record)
    }

    /// `POST menu/print` with `count-only`.
    #[must_use]
    pub const fn count<R: Reading>() -> Self {
        let mut endpoint = Self::reading::<R>(Form::Count);
        endpoint.request = &["count-only", ".query"];
        endpoint.response = RET;
        endpoint
    }

    /// `POST menu/print` with a query, for records that exact-match filters cannot pick.
    #[must_use]
    pub const fn query<R: Reading>() -> Self {
        let mut endpoint = Self::reading::<R>(Form::Query);
        endpoint.request = &[".query"];
        endpoint
    }

    /// `POST menu/command` whose rows are read as `R`; `R`'s menu is the command's full path.
    #[must_use]
    pub const fn command<R: Reading>(request: &'static [&'static str]) -> Self {
        let mut endpoint = Self::reading::<R>(Form::Command);
        endpoint.request = request;
        endpoint
    }

    const fn write(form: Form, menu: &'static str, request: &'static [&'static str]) -> Self {
        Self { form, menu, request, conditional: &[], response: &[], presence: Presence::ALWAYS }
    }

    /// `POST menu/set` of a menu without records.
    #[must_use]
    pub const fn set_singleton(menu: &'static str, properties: &'static [&'static str]) -> Self {
        Self::write(Form::SetSingleton, menu, properties)
    }

    /// `PUT menu`.
    #[must_use]
    pub const fn add(menu: &'static str, properties: &'static [&'static str]) -> Self {
        Self::write(Form::Add, menu, properties)
    }

    /// `PATCH menu/*id`.
    #[must_use]
    pub const fn set(menu: &'static str, properties: &'static [&'static str]) -> Self {
        Self::write(Form::Set, menu, properties)
    }

    /// `DELETE menu/*id`.
    #[must_use]
    pub const fn remove(menu: &'static str) -> Self {
        Self::write(Form::Remove, menu, &[])
    }

    /// `POST menu/command` that changes something; the menu is the command's full path.
    #[must_use]
    pub const fn act(command: &'static str, arguments: &'static [&'static str]) -> Self {
        Self::write(Form::Command, command, arguments)
    }

    /// Properties that are sent to the releases that have them.
    #[must_use]
    pub const fn also(mut self, conditional: &'static [Field]) -> Self {
        self.conditional = conditional;
        self
    }

    /// Only some routers have the menu.
    #[must_use]
    pub const fn on(mut self, presence: Presence) -> Self {
        self.presence = presence;
        self
    }

    /// It changes something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        match self.form {
            Form::Print | Form::Record | Form::Count | Form::Query => false,
            // A command that only looks answers with records.
            Form::Command => self.response.is_empty(),
            Form::SetSingleton | Form::Add | Form::Set | Form::Remove => true,
        }
    }

    /// The properties, or arguments of a command, that it sends.
    pub fn sent(&self) -> impl Iterator<Item = &'static str> {
        self.request.iter().copied().chain(self.conditional.iter().map(|field| field.name))
    }

    /// Its menu, or the full path of its command.
    #[must_use]
    pub const fn menu(&self) -> &'static str {
        self.menu
    }

    /// The properties that are read.
    #[must_use]
    pub const fn response(&self) -> &'static [Field] {
        self.response
    }

    /// Where the menu is found.
    #[must_use]
    pub const fn presence(&self) -> Presence {
        self.presence
    }

    /// True when this endpoint declares that question, property for property.
    #[must_use]
    pub fn covers_ask(&self, ask: &Ask) -> bool {
        let reads = |name: &String| self.response.iter().any(|field| field.name == name);
        match ask {
            Ask::Print { menu, properties, filters } => {
                self.form == Form::Print
                    && self.menu == menu
                    && properties.iter().all(reads)
                    && filters.iter().all(|(name, _)| reads(name))
            }
            Ask::Record { menu, .. } => self.form == Form::Record && self.menu == menu,
            Ask::Command { menu, command, arguments } if command == "print" => {
                matches!(self.form, Form::Count | Form::Query) && self.menu == menu && self.takes(arguments)
            }
            Ask::Command { menu, command, arguments } => {
                self.form == Form::Command && self.is_command(menu, command) && self.takes(arguments)
            }
        }
    }

    /// True when this endpoint declares that write, property for property.
    #[must_use]
    pub fn covers_action(&self, action: &Action) -> bool {
        match action {
            Action::SetSingleton { menu, properties } => {
                self.form == Form::SetSingleton && self.menu == menu && self.takes(properties)
            }
            Action::Set { menu, properties, .. } => {
                self.form == Form::Set && self.menu == menu && self.takes(properties)
            }
            Action::Add { menu, properties } => {
                self.form == Form::Add && self.menu == menu && self.takes(properties)
            }
            Action::Remove { menu, .. } => self.form == Form::Remove && self.menu == menu,
            Action::Command { menu, command, properties } => {
                self.form == Form::Command && self.is_command(menu, command) && self.takes(properties)
            }
        }
    }

    fn is_command(&self, menu: &str, command: &str) -> bool {
        self.menu.rsplit_once('/').is_some_and(|(m, c)| m == menu && c == command)
    }

    fn takes(&self, arguments: &[(String, String)]) -> bool {
        let conditional = |name: &str| self.conditional.iter().any(|field| field.name == name);
        arguments.iter().all(|(name, _)| self.request.contains(&name.as_str()) || conditional(name))
    }

    /// How a write is read back (every write is), or nothing for a read or a removal's own menu.
    fn read_back(&self) -> Option<(&'static str, String)> {
        match self.form {
            Form::SetSingleton => Some(("GET", format!("/rest{}", self.menu))),
            Form::Set => Some(("GET", format!("/rest{}/{{id}}", self.menu))),
            Form::Remove | Form::Add => Some(("GET", format!("/rest{}", self.menu))),
            _ => None,
        }
    }

    /// Its rows in the list of commands: itself and, for a write, how it is read back.
    #[must_use]
    pub fn rows(&self, tool: &str) -> Vec<EndpointRow> {
        let menu = self.menu;
        let (method, path) = match self.form {
            Form::Print => ("GET", format!("/rest{menu}")),
            Form::Record => ("GET", format!("/rest{menu}/{{id}}")),
            Form::Count | Form::Query => ("POST", format!("/rest{menu}/print")),
            Form::Command => ("POST", format!("/rest{menu}")),
            Form::SetSingleton => ("POST", format!("/rest{menu}/set")),
            Form::Add => ("PUT", format!("/rest{menu}")),
            Form::Set => ("PATCH", format!("/rest{menu}/{{id}}")),
            Form::Remove => ("DELETE", format!("/rest{menu}/{{id}}")),
        };
        let row = |method, path, request: &[&str], response: &[&str], note| EndpointRow {
            tool: tool.to_owned(),
            method,
            path,
            request: request.join(","),
            response: response.join(","),
            min_version: self.presence.versions.since.to_string(),
            max_version: self.presence.versions.until.map(|until| until.to_string()).unwrap_or_default(),
            note,
        };
        let response: Vec<&str> = self.response.iter().map(|field| field.name).collect();
        let row_path = path.clone();
        let mut rows = vec![row(method, path, self.request, &response, self.note())];
        for field in self.conditional {
            let mut one = row(method, row_path.clone(), &[field.name], &[], self.note());
            let both = self.presence.versions.and(field.versions);
            one.min_version = both.since.to_string();
            one.max_version = both.until.map(|until| until.to_string()).unwrap_or_default();
            rows.push(one);
        }
        if let Some((method, path)) = self.read_back() {
            let read: Vec<&str> =
                self.request.iter().copied().filter(|name| *name != "place-before").collect();
            rows.push(row(method, path, &[], &read, "reads the write back".to_owned()));
        }
        rows
    }

    /// What the columns do not say: packages and hardware, and properties that only some releases have.
    fn note(&self) -> String {
        let absent = self.presence.absent_means_none.then(|| "absent means none".to_owned());
        let note = Some(self.presence.note).filter(|note| !note.is_empty()).map(str::to_owned);
        let conditional = self.response.iter().filter(|field| field.versions != Versions::ALL);
        let conditional = conditional.map(|field| format!("{} in {}", field.name, field.versions));
        note.into_iter().chain(absent).chain(conditional).collect::<Vec<_>>().join("; ")
    }
}

/// One line of `appliance schema endpoints`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct EndpointRow {
    /// The tool that sends it.
    pub tool: String,
    /// HTTP method.
    pub method: &'static str,
    /// Path below the router's address; `{id}` stands for a record's id.
    pub path: String,
    /// Properties sent, comma-separated.
    pub request: String,
    /// Properties read, comma-separated.
    pub response: String,
    /// First release that has it.
    pub min_version: String,
    /// Last release that has it; empty while it is still there.
    pub max_version: String,
    /// What the columns do not say.
    pub note: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routeros::resources::{dns::DnsSettings, identity::Identity, interface::Interface};

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn both_ends_of_a_range_belong_to_it_and_test_builds_count_as_their_release() {
        let old = Versions::ALL.until(7, 12, 2);
        let new = Versions::since(7, 13, 0);
        for (text, in_old, in_new) in [
            ("7.1", true, false),
            ("7.12.2 (stable)", true, false),
            ("7.13beta1", false, true),
            ("7.13 (stable)", false, true),
            ("7.20beta3", false, true),
            ("7.23.7 (long-term)", false, true),
            ("6.49.18", false, false),
        ] {
            let version = version(text);
            assert_eq!((old.contains(version), new.contains(version)), (in_old, in_new), "{text}");
        }
        assert_eq!(old.to_string(), "RouterOS 7.1 to 7.12.2");
        assert_eq!(new.to_string(), "RouterOS 7.13 and newer");
    }

    #[test]
    fn a_question_is_covered_property_for_property() {
        let print = Endpoint::print::<Interface>();
        let ask = |properties: &[&str]| Ask::Print {
            menu: "/interface".into(),
            properties: properties.iter().map(|p| (*p).to_owned()).collect(),
            filters: vec![],
        };
        assert!(print.covers_ask(&ask(&[])) && print.covers_ask(&ask(&["name", "mtu"])));
        assert!(!print.covers_ask(&ask(&["secret"])));
        assert!(!print.covers_ask(&Ask::print("/ip/dns")));
        let record = Ask::Record { menu: "/interface".into(), id: "*1".into() };
        assert!(Endpoint::record::<Interface>().covers_ask(&record) && !print.covers_ask(&record));
        let count = |arguments: &[(&str, &str)]| Ask::Command {
            menu: "/interface".into(),
            command: "print".into(),
            arguments: arguments.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        };
        assert!(Endpoint::count::<Interface>().covers_ask(&count(&[("count-only", "")])));
        assert!(!Endpoint::count::<Interface>().covers_ask(&count(&[("detail", "")])));
        assert!(!print.covers_ask(&count(&[])));
        let query = Endpoint::query::<Interface>();
        assert!(query.covers_ask(&count(&[(".query", "type=ether"), (".query", "#!")])));
        assert!(
            !query.covers_ask(&count(&[("count-only", "")])) && query.rows("t")[0].response.contains("mtu")
        );
    }

    #[test]
    fn a_write_is_covered_property_for_property_and_is_read_back() {
        let endpoint = Endpoint::set_singleton("/ip/dns", &["servers"]);
        let set = |name: &str| Action::SetSingleton {
            menu: "/ip/dns".into(),
            properties: vec![(name.to_owned(), "x".to_owned())],
        };
        assert!(endpoint.covers_action(&set("servers")) && !endpoint.covers_action(&set("cache-size")));
        assert!(!endpoint.covers_action(&Action::Remove { menu: "/ip/dns".into(), id: "*1".into() }));
        let rows = endpoint.rows("t");
        assert_eq!((rows[0].method, rows[0].path.as_str()), ("POST", "/rest/ip/dns/set"));
        assert_eq!((rows[1].method, rows[1].path.as_str()), ("GET", "/rest/ip/dns"));
        let flush = Endpoint::act("/ip/dns/cache/flush", &[]);
        let action =
            Action::Command { menu: "/ip/dns/cache".into(), command: "flush".into(), properties: vec![] };
        assert!(flush.covers_action(&action) && flush.rows("t").len() == 1);
    }

    #[test]
    fn rows_have_the_columns_of_the_list() {
        let row = &Endpoint::print::<Identity>().rows("get")[0];
        assert_eq!((row.path.as_str(), row.response.as_str()), ("/rest/system/identity", "name"));
        assert_eq!((row.min_version.as_str(), row.max_version.as_str()), ("7.1", ""));
        assert!(Endpoint::print::<DnsSettings>().rows("get")[0].response.contains("dynamic-servers"));
    }
}
