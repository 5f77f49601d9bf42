//! Lists come in pages: `limit` and `cursor` in, `total` and `next_cursor` out, 100 kB at most.

use crate::failure::Failure;

/// The largest answer (TOOLS: decision 4), with room for what stands around the rows.
const ANSWER_BYTES_MAX: usize = 96_000;

/// One page of rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<T> {
    pub rows: Vec<T>,
    pub total: usize,
    pub next_cursor: Option<String>,
}

/// Checks a `limit` parameter.
pub(super) fn limit(asked: Option<u32>, default: u32, max: u32) -> Result<usize, Failure> {
    let limit = asked.unwrap_or(default);
    if (1..=max).contains(&limit) {
        return Ok(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    Err(Failure::param("limit", format!("1–{max}, got {limit}")))
}

/// The place that a cursor means.
pub(super) fn place(cursor: Option<&str>) -> Result<usize, Failure> {
    let Some(cursor) = cursor else { return Ok(0) };
    cursor
        .strip_prefix('@')
        .and_then(|place| place.parse().ok())
        .ok_or_else(|| Failure::param("cursor", "not a cursor that this tool gave"))
}

/// Cuts a page out of all rows, at a row, by number and by size.
pub(super) fn cut<T: serde::Serialize>(all: Vec<T>, from: usize, limit: usize) -> Page<T> {
    let total = all.len();
    let mut bytes = 0;
    let mut rows = Vec::new();
    for row in all.into_iter().skip(from).take(limit) {
        bytes += serde_json::to_string(&row).map_or(0, |text| text.len() + 1);
        if bytes > ANSWER_BYTES_MAX && !rows.is_empty() {
            break;
        }
        rows.push(row);
    }
    let end = from + rows.len();
    Page { rows, total, next_cursor: (end < total).then(|| format!("@{end}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let all: Vec<u32> = (0..25).collect();
        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = cut(all.clone(), place(cursor.as_deref()).unwrap(), 10);
            assert_eq!(page.total, 25);
            seen.extend(page.rows);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn a_page_is_cut_at_a_row_before_it_is_too_large() {
        let page = cut(vec!["x".repeat(30_000); 10], 0, 10);
        assert_eq!((page.rows.len(), page.next_cursor.as_deref()), (3, Some("@3")));
        assert_eq!(cut(vec!["x".repeat(200_000)], 0, 10).rows.len(), 1, "one row always fits");
    }

    #[test]
    fn limits_and_cursors_are_checked() {
        assert!(
            limit(Some(0), 1, 10).is_err() && limit(Some(11), 1, 10).is_err() && limit(None, 7, 10).is_ok()
        );
        assert!(place(Some("nonsense")).is_err() && place(Some("@3")).is_ok());
    }
}
