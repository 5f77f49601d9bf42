//! Licences of everything that is linked, and which crates bundle C.

use serde_json::Value;

use crate::run::cargo;

/// Licences that may be linked into the product.
const ALLOWED: [&str; 14] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "CC0-1.0",
    "Unicode-3.0",
    "Unlicense",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "MIT-0",
];
/// Crates that bundle or link C, looked at by a person. Anything else fails.
const BUNDLED_C: [&str; 4] = ["ring", "zstd-sys", "rayon-core", "prettyplease"];

/// True when one alternative of the expression consists of allowed licences only.
fn allowed(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], " ").replace('/', " OR ");
    plain.split(" OR ").any(|one| one.split(" AND ").all(|licence| ALLOWED.contains(&licence.trim())))
}

pub(crate) fn check() -> Result<(), String> {
    // Only what is built here: the lock file also names what other systems would need.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = cargo(&["metadata", "--format-version", "1", "--locked", "--filter-platform", &platform])
        .0
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    let mut bad = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or("none named");
        if !allowed(licence) {
            bad.push(format!("{name}: {licence}"));
        }
        if package["links"].is_string() && !BUNDLED_C.contains(&name) {
            bad.push(format!("{name}: links {}, and nobody has looked at it", package["links"]));
        }
        if ["openssl", "native-tls", "aws-lc-rs"].contains(&name) {
            bad.push(format!("{name}: a second TLS stack"));
        }
    }
    println!("{} crates looked at", packages.len());
    if bad.is_empty() { Ok(()) } else { Err(bad.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn alternatives_and_conjunctions_are_told_apart() {
        assert!(allowed("MIT OR Apache-2.0") && allowed("GPL-3.0 OR MIT") && allowed("MIT/Apache-2.0"));
        assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!allowed("GPL-3.0") && !allowed("AGPL-3.0-only") && !allowed("none named"));
    }
}
