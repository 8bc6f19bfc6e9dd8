use toml::{Table, Value};

use crate::File;

/// The `Cargo.toml` of one crate.
pub(crate) struct Manifest<'a> {
    pub(crate) file: &'a File,
    /// Folder of the crate, relative to the root of the repository.
    pub(crate) folder: &'a str,
    pub(crate) table: Table,
}

/// An entry under `[dependencies]` or one of its sisters.
pub(crate) struct Dependency<'m> {
    pub(crate) name: &'m str,
    /// Whether only tests, examples and benchmarks see it.
    pub(crate) for_tests: bool,
    pub(crate) value: &'m Value,
    pub(crate) line: usize,
}

impl<'a> Manifest<'a> {
    /// None if the text is not TOML; cargo says so louder than this could.
    pub(crate) fn parse(file: &'a File) -> Option<Self> {
        let folder = file.path.strip_suffix("/Cargo.toml")?;
        Some(Self { file, folder, table: file.text.parse().ok()? })
    }

    /// All dependencies, of every kind and every platform.
    pub(crate) fn dependencies(&self) -> Vec<Dependency<'_>> {
        let platforms = self.table.get("target").and_then(Value::as_table);
        let platforms = platforms.into_iter().flat_map(Table::values).filter_map(Value::as_table);
        let mut found = Vec::new();
        for table in platforms.chain([&self.table]) {
            for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
                for (name, value) in table.get(kind).and_then(Value::as_table).into_iter().flatten() {
                    let for_tests = kind == "dev-dependencies";
                    found.push(Dependency { name, for_tests, value, line: self.line_of(name, kind) });
                }
            }
        }
        found
    }

    /// The line on which a key of a section stands, or the first.
    pub(crate) fn line_of(&self, key: &str, section: &str) -> usize {
        let mut in_section = false;
        for (line, text) in (1..).zip(self.file.text.lines()) {
            if let Some(header) = text.trim().strip_prefix('[') {
                in_section = header.trim_end_matches(']').ends_with(section);
            }
            let rest = text.trim().strip_prefix(key);
            if in_section && rest.is_some_and(|rest| rest.starts_with(['.', ' ', '='])) {
                return line;
            }
        }
        1
    }
}
