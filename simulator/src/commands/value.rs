//! What a piece of console text is worth: nothing, a text, or a list.
//!
//! Ids and numbers are texts that look like it; the console's own types are not simulated any further.

/// A value of the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// What an unset property or an unknown variable gives.
    Nothing,
    /// One text, number, flag, time or id.
    Text(String),
    /// Several, such as the ids that `find` gives.
    List(Vec<String>),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Value::Text(text.into())
    }

    /// A flag.
    pub fn flag(flag: bool) -> Self {
        Value::text(if flag { "true" } else { "false" })
    }

    /// As it is printed; lists are joined by semicolons.
    pub fn shown(&self) -> String {
        self.joined(";")
    }

    /// As an argument of a menu's command; lists are joined by commas.
    pub fn argument(&self) -> String {
        self.joined(",")
    }

    fn joined(&self, by: &str) -> String {
        match self {
            Value::Nothing => String::new(),
            Value::Text(text) => text.clone(),
            Value::List(items) => items.join(by),
        }
    }

    /// The single items: none, one or many.
    pub fn items(&self) -> Vec<String> {
        match self {
            Value::Nothing => Vec::new(),
            Value::Text(text) => vec![text.clone()],
            Value::List(items) => items.clone(),
        }
    }

    /// What `:len` says: items of a list, characters of a text.
    pub fn length(&self) -> usize {
        match self {
            Value::Nothing => 0,
            Value::Text(text) => text.chars().count(),
            Value::List(items) => items.len(),
        }
    }

    /// Whether an `:if` follows it.
    pub fn is_true(&self) -> bool {
        matches!(self, Value::Text(text) if matches!(text.as_str(), "true" | "yes"))
    }

    /// Whether a property is set to something other than no, which is what its bare name asks in a `where`.
    pub fn is_set(&self) -> bool {
        match self {
            Value::Nothing => false,
            Value::Text(text) => !matches!(text.as_str(), "" | "false" | "no"),
            Value::List(items) => !items.is_empty(),
        }
    }

    /// The word of `:typeof`, as far as types are known.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Nothing => "nothing",
            Value::Text(text) if text.parse::<i64>().is_ok() => "num",
            Value::Text(text) if matches!(text.as_str(), "true" | "false" | "yes" | "no") => "bool",
            Value::Text(text) if text.starts_with('*') => "id",
            Value::Text(_) => "str",
            Value::List(_) => "array",
        }
    }
}
