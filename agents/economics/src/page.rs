//! docs/economics.md: what of it is worked out, put into it or compared with it.

use anyhow::{Context, Result, ensure};
use std::{fs, path::Path};

/// What is worked out of the page.
pub struct Page {
    /// Its first words.
    pub summary: String,
    /// Its tables.
    pub tables: String,
    /// Files of the folder beside it of the same name, and what is in them.
    pub plots: Vec<(&'static str, String)>,
}

impl Page {
    /// Writes the text between the page's marks, and the plots.
    ///
    /// # Errors
    /// If a file cannot be written, or the page lacks a mark.
    pub fn write(&self, page: &Path) -> Result<()> {
        fs::write(page, self.filled(&read(page)?)?).with_context(|| format!("cannot write {}", page.display()))?;
        let folder = page.with_extension("");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for (name, svg) in &self.plots {
            let path = folder.join(name);
            fs::write(&path, svg).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// Compares text and plots with what is there.
    ///
    /// # Errors
    /// If something differs, cannot be read, or the page lacks a mark.
    pub fn check(&self, page: &Path) -> Result<()> {
        let text = read(page)?;
        let same = |path: &Path, same: bool| {
            ensure!(same, "{} is not of these parameters: run `make economics`", path.display());
            Ok(())
        };
        same(page, self.filled(&text)? == text)?;
        for (name, svg) in &self.plots {
            let path = page.with_extension("").join(name);
            same(&path, read(&path)? == *svg)?;
        }
        Ok(())
    }

    fn filled(&self, text: &str) -> Result<String> {
        let text = between(text, "summary", &self.summary)?;
        between(&text, "tables", &self.tables)
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn between(text: &str, what: &str, new: &str) -> Result<String> {
    let (begin, end) =
        (format!("<!-- {what} by `make economics`: begin -->\n"), format!("<!-- {what} by `make economics`: end -->"));
    let (before, rest) =
        text.split_once(&begin).with_context(|| format!("put the line {begin:?} where the {what} belong"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("put the line {end:?} after the {what}"))?;
    Ok(format!("{before}{begin}\n{new}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_of_the_figures_is_noticed() {
        let folder = std::env::temp_dir().join(format!("cuckoo-economics-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("page.md");
        let marks =
            |what| format!("<!-- {what} by `make economics`: begin -->\n<!-- {what} by `make economics`: end -->\n");
        fs::write(&path, marks("summary") + &marks("tables")).unwrap();
        let page = |tables: &str, plot: &str| Page {
            summary: "In short.".into(),
            tables: tables.into(),
            plots: vec![("a.svg", plot.into())],
        };
        let failure = |page: Page| page.check(&path).unwrap_err().to_string();
        assert!(failure(page("1", "<svg/>")).contains("page.md is not of these parameters"));
        page("1", "<svg/>").write(&path).unwrap();
        page("1", "<svg/>").check(&path).unwrap();
        assert!(failure(page("2", "<svg/>")).contains("page.md is not of these parameters"));
        assert!(failure(page("1", "<svg></svg>")).contains("a.svg is not of these parameters"));
        fs::write(&path, "no marks").unwrap();
        assert!(failure(page("1", "<svg/>")).contains("put the line"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
