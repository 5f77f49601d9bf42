//! Pages of error codes: every code has one. This only adds missing ones, as a start for a person's words.

use std::path::Path;

use crate::run::root;

/// Codes with their sentences, read from the source they are defined in.
fn codes(source: &str) -> Vec<(String, String)> {
    let mut about = String::new();
    let mut found = Vec::new();
    for line in source.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("/// ") {
            about = doc.to_owned();
        } else if let Some(word) =
            line.split('"').nth(1).filter(|_| line.ends_with(';') && line.split_whitespace().count() == 4)
        {
            found.push((word.to_owned(), std::mem::take(&mut about)));
        }
    }
    found
}

pub(crate) fn bless() -> Result<(), String> {
    let source = std::fs::read_to_string(root().join("src/failure.rs")).map_err(|error| error.to_string())?;
    let folder = root().join("docs/errors");
    let mut made = 0;
    for (word, about) in codes(&source) {
        let page = folder.join(format!("{word}.md"));
        if !page.exists() {
            write(&page, &format!("# {word}\n\n{about}\n"))?;
            made += 1;
        }
    }
    println!("{made} pages added");
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_found_in_the_source() {
        let source =
            "    /// A parameter.\n    InvalidParams \"invalid_params\" 400 2;\n    let x = \"no code\";";
        assert_eq!(super::codes(source), [("invalid_params".to_owned(), "A parameter.".to_owned())]);
    }
}
