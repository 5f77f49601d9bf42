//! Sets the comment of an interface.

use events::operation::{Action, Expectation, Operation};

use crate::{
    changes::{
        Refused,
        record::{id_of, is_dynamic},
        wanted,
    },
    routeros::{compat::Endpoint, port::Row},
};

const MENU: &str = "/interface";

/// The command that this change sends.
pub const ENDPOINT: Endpoint = Endpoint::set(MENU, &["comment"]);

/// What has to be done so that this is the comment, or nothing when it is.
///
/// # Errors
/// `unsafe_operation` for an interface that RouterOS made itself.
pub fn set_comment(row: &Row, comment: &str) -> Result<Option<Operation>, Refused> {
    if is_dynamic(row) {
        return Err(Refused::unsafe_operation(
            "this interface was made by RouterOS itself and cannot be changed",
            "comment what makes it (the server, the secret)",
        ));
    }
    let old = row.get("comment").map_or("", String::as_str);
    if old == comment {
        return Ok(None);
    }
    let id = id_of(row);
    let named = row.get("name").cloned().unwrap_or_default();
    let expect = |comment: &str| {
        let properties = [("name".to_owned(), named.clone()), ("comment".to_owned(), comment.to_owned())];
        Expectation::of_id(MENU, id, wanted(&properties))
    };
    let set = |comment: &str| Action::Set {
        menu: MENU.to_owned(),
        id: id.to_owned(),
        properties: vec![("comment".to_owned(), comment.to_owned())],
    };
    Ok(Some(Operation {
        action: set(comment),
        undo: vec![set(old)],
        expect_before: expect(old),
        expect_after: expect(comment),
        risky: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pairs: &[(&str, &str)]) -> Row {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_old_comment_comes_back_exactly_and_none_is_none() {
        let ether = row(&[(".id", "*1"), ("name", "ether1"), ("comment", "up\u{1}link")]);
        let operation = set_comment(&ether, "").unwrap().unwrap();
        let Action::Set { properties, .. } = &operation.undo[0] else { panic!("a set") };
        assert_eq!(properties[0].1, "up\u{1}link");
        assert_eq!(operation.expect_after.properties[1].1, None);
        assert_eq!(set_comment(&ether, "up\u{1}link"), Ok(None));
        assert_eq!(set_comment(&row(&[(".id", "*1"), ("name", "e")]), ""), Ok(None));
        let dynamic = row(&[(".id", "*9"), ("name", "<pppoe-ann>"), ("dynamic", "true")]);
        assert!(set_comment(&dynamic, "x").is_err());
    }
}
